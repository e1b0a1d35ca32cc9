//! Lines of text. They don't go through `core::fmt`, because that brings code that can panic into an image which must have none.
#![forbid(unsafe_code)]

/// What can stand in a line of text; `put` writes one byte of it.
pub trait Print {
    fn print(&self, put: fn(u8));
}

impl Print for str {
    #[inline(never)]
    fn print(&self, put: fn(u8)) {
        self.bytes().for_each(put);
    }
}

impl<T: Print + ?Sized> Print for &T {
    fn print(&self, put: fn(u8)) {
        T::print(self, put);
    }
}

/// In decimal.
impl Print for u64 {
    #[inline(never)]
    fn print(&self, put: fn(u8)) {
        let mut divisor = 1u64;
        while self / divisor >= 10 {
            divisor = divisor.wrapping_mul(10).max(1);
        }
        while divisor > 0 {
            put(b'0'.wrapping_add((self / divisor % 10) as u8));
            divisor /= 10;
        }
    }
}

impl Print for usize {
    fn print(&self, put: fn(u8)) {
        (*self as u64).print(put);
    }
}

/// In hexadecimal, with its prefix.
pub struct Hex(pub u64);

impl Print for Hex {
    #[inline(never)]
    fn print(&self, put: fn(u8)) {
        "0x".print(put);
        let digits = (67 - (self.0 | 1).leading_zeros()) / 4;
        for digit in (0..digits).rev() {
            let nibble = (self.0 >> (digit * 4)) as u8 & 15;
            put(if nibble < 10 { b'0'.wrapping_add(nibble) } else { b'a' - 10 + nibble });
        }
    }
}

/// Prints its arguments on the console one after the other, then ends the line.
#[macro_export]
macro_rules! print_line {
    ($($part:expr),* $(,)?) => {{
        $($crate::print::Print::print(&$part, $crate::arch::console_put);)*
        $crate::arch::console_put(b'\n');
    }};
}
