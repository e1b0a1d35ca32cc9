//! What a thread did that it can't recover from by itself. Kept in its TCB until somebody replies.

use chestnut_abi::LookupFailure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A system call named a capability that isn't there.
    Cap { address: u64, in_receive_phase: bool, failure: LookupFailure },
    /// No system call has this number.
    UnknownSyscall { number: u64 },
    /// A processor exception other than a page fault: its vector and error code.
    UserException { number: u64, code: u64 },
    /// The budget of the scheduling context with this badge ran out.
    Timeout { badge: u64 },
    /// A page fault, with the processor's error code.
    Vm { address: u64, fsr: u64, prefetch: bool },
}
