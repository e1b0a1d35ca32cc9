//! What a plugin of the emulator is told, so that it can count by function (`bench/footprint`): instructions that do nothing.
//!
//! The plugin sees each reading of the clock and where it is stored. Which stretches between two of them are measured it learns from
//! [`times`], and of which of them a row's value is made from [`column`].

use core::sync::atomic::AtomicU32;

macro_rules! mark {
    ($name:ident, $displacement:literal, $what:literal) => {
        #[doc = $what]
        pub fn $name() {
            // SAFETY: the instruction does nothing.
            unsafe { core::arch::asm!(concat!("nop dword ptr [rax + ", $displacement, "]"), options(preserves_flags)) };
        }
    };
}

mark!(turn, "0x51450003", "A turn of a row begins.");
mark!(skip, "0x51450005", "The next column begins one stretch later.");
mark!(take, "0x51450006", "The next column has one stretch more.");
mark!(close_column, "0x51450007", "That was the next column.");
mark!(row_end, "0x51458002", "The last turn is over.");
mark!(all_done, "0x5145ffff", "That was the last row.");

/// The times at both ends of a stretch.
pub fn times(before: &AtomicU32, after: &AtomicU32) -> (u32, u32) {
    let (first, last): (u32, u32);
    // SAFETY: reads what the references point to; the instruction before does nothing.
    unsafe {
        core::arch::asm!(
            "nop dword ptr [rax + 0x51450004]",
            "mov {first:e}, dword ptr [{before}]",
            "mov {last:e}, dword ptr [{after}]",
            before = in(reg) before.as_ptr(),
            after = in(reg) after.as_ptr(),
            // What is read last may take the register of an address, what is read first may not.
            first = out(reg) first,
            last = lateout(reg) last,
            options(preserves_flags, nostack),
        );
    }
    (first, last)
}

/// The turn's next value is made of so many stretches from this one on, in the order in which they were asked for.
pub fn column(first: u32, count: u32) {
    (0..first).for_each(|_| skip());
    (0..count).for_each(|_| take());
    close_column();
}
