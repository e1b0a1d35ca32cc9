//! The one reason why statics of `Cell`s are sound here.

/// Holds what only the one processor touches, in the kernel, with interrupts off.
pub struct SingleCore<T>(pub T);
// SAFETY: there is one thread of control in the kernel (one processor, interrupts off inside), so nothing is ever
// accessed from two at once. Exceptions that can come in between (NMI, double fault, machine check) don't return.
unsafe impl<T> Sync for SingleCore<T> {}
