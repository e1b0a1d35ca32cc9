//! Where user code ends and the kernel begins in every address space of x86_64.

/// First address above the canonical lower half. The last page below it is never mapped for users, so that a `syscall`
/// as the last instruction can't return to a non-canonical address.
pub const USER_END: u64 = 0x0000_7fff_ffff_f000;
/// Where the kernel maps physical memory.
pub const KERNEL_WINDOW: u64 = 0xffff_ff80_0000_0000;
/// Where the kernel image is linked: the last 2 GiB.
pub const KERNEL_IMAGE: u64 = 0xffff_ffff_8000_0000;
/// First interrupt vector of external interrupts.
pub const IRQ_VECTOR_BASE: u64 = 0x30;
/// Interrupts that user code may ask for: 0 to this, included.
pub const MAX_USER_IRQ: u64 = 109;
