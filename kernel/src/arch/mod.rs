//! The processor behind one set of names: the real one, or the simulated machine for host tests.
#[cfg(not(target_os = "none"))]
mod hosted;
#[cfg(not(target_os = "none"))]
pub use hosted::*;

#[cfg(target_os = "none")]
mod x86_64;
#[cfg(target_os = "none")]
pub use x86_64::*;

/// Prints its arguments on the console one after the other, then ends the line.
#[macro_export]
macro_rules! print_line {
    ($($part:expr),* $(,)?) => {{
        $($crate::print::Print::print(&$part, $crate::arch::console_put);)*
        $crate::arch::console_put(b'\n');
    }};
}
