//! Faults in words: what a fault message says, for the log.

use chestnut_runtime::abi::{
    LookupFailure, UserContext,
    fault::{cap, label, timeout, unknown_syscall, user_exception, vm},
};
use core::fmt;

/// A fault message's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Cap { ip: u64, address: u64, in_receive_phase: bool, failure: Option<LookupFailure> },
    UnknownSyscall { ip: u64, number: u64 },
    Exception { ip: u64, number: u64, code: u64 },
    Timeout { consumed: u64 },
    Page { ip: u64, address: u64, prefetch: bool, code: u64 },
}

impl Fault {
    /// The fault that a message with this label and these words tells of; `None` if it is no fault message.
    pub fn from_message(message_label: u64, word: impl Fn(usize) -> u64) -> Option<Self> {
        Some(match message_label {
            label::CAP => Self::Cap {
                ip: word(cap::IP),
                address: word(cap::ADDRESS),
                in_receive_phase: word(cap::IN_RECEIVE_PHASE) != 0,
                failure: LookupFailure::from_words(core::array::from_fn(|index| word(cap::LOOKUP_FAILURE + index))),
            },
            label::UNKNOWN_SYSCALL => {
                Self::UnknownSyscall { ip: word(unknown_syscall::FAULT_IP), number: word(unknown_syscall::SYSCALL) }
            }
            label::USER_EXCEPTION => Self::Exception {
                ip: word(user_exception::FAULT_IP),
                number: word(user_exception::NUMBER),
                code: word(user_exception::CODE),
            },
            label::TIMEOUT => Self::Timeout { consumed: word(timeout::CONSUMED) },
            label::VM => Self::Page {
                ip: word(vm::IP),
                address: word(vm::ADDRESS),
                prefetch: word(vm::PREFETCH) != 0,
                code: word(vm::FSR),
            },
            _ => return None,
        })
    }
}

/// Bits of the processor's page-fault error code.
const PRESENT: u64 = 1;
const WRITE: u64 = 2;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Cap { ip, address, in_receive_phase, failure } => {
                let phase = if in_receive_phase { "receiving on" } else { "using" };
                write!(f, "capability fault at {ip:#x}, {phase} {address:#x}")?;
                match failure {
                    Some(failure) => write!(f, ": {failure:?}"),
                    None => Ok(()),
                }
            }
            Self::UnknownSyscall { ip, number } => {
                write!(f, "unknown system call {} at {ip:#x}", number as i64)
            }
            Self::Exception { ip, number, code } => {
                write!(f, "{} (exception {number}, code {code:#x}) at {ip:#x}", exception_name(number))
            }
            Self::Timeout { consumed } => write!(f, "budget used up ({consumed} microseconds)"),
            Self::Page { ip, address, prefetch, code } => {
                let access = match (prefetch, code & WRITE != 0) {
                    (true, _) => "fetching an instruction from",
                    (false, true) => "writing to",
                    (false, false) => "reading from",
                };
                let page = if code & PRESENT != 0 { "a page that forbids it" } else { "no page" };
                write!(f, "page fault at {ip:#x}, {access} {address:#x}: {page}")
            }
        }
    }
}

fn exception_name(number: u64) -> &'static str {
    match number {
        0 => "division error",
        1 => "debug exception",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound exceeded",
        6 => "invalid instruction",
        7 => "no FPU",
        10 => "invalid TSS",
        11 => "segment not present",
        12 => "stack fault",
        13 => "general protection fault",
        16 => "x87 floating-point exception",
        17 => "misaligned access",
        19 => "SIMD floating-point exception",
        _ => "exception",
    }
}

/// The registers of a thread, on four lines.
pub struct Registers(pub UserContext);

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.0;
        writeln!(f, "  rip {:016x} rsp {:016x} rbp {:016x} flags {:08x}", r.rip, r.rsp, r.rbp, r.rflags)?;
        writeln!(f, "  rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}", r.rax, r.rbx, r.rcx, r.rdx)?;
        writeln!(f, "  rsi {:016x} rdi {:016x} r8  {:016x} r9  {:016x}", r.rsi, r.rdi, r.r8, r.r9)?;
        writeln!(f, "  r10 {:016x} r11 {:016x} r12 {:016x} r13 {:016x}", r.r10, r.r11, r.r12, r.r13)?;
        write!(f, "  r14 {:016x} r15 {:016x} fs  {:016x} gs  {:016x}", r.r14, r.r15, r.fs_base, r.gs_base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn fault(label: u64, words: &[u64]) -> std::string::String {
        let word = |index: usize| words.get(index).copied().unwrap_or(0);
        Fault::from_message(label, word).unwrap().to_string()
    }

    #[test]
    fn each_kind_is_named_with_its_address() {
        assert_eq!(fault(6, &[0x401000, 8, 0, 6]), "page fault at 0x401000, writing to 0x8: no page");
        assert_eq!(
            fault(6, &[0x401000, 0x5000, 1, 0x15]),
            "page fault at 0x401000, fetching an instruction from 0x5000: a page that forbids it"
        );
        assert_eq!(fault(3, &[0x401000, 0, 0, 6, 0]), "invalid instruction (exception 6, code 0x0) at 0x401000");
        assert_eq!(
            fault(1, &[0x401000, 99, 1, 2, 58]),
            "capability fault at 0x401000, receiving on 0x63: MissingCapability { bits_left: 58 }"
        );
        let mut words = [0; 19];
        (words[15], words[18]) = (0x401000, -12i64 as u64);
        assert_eq!(fault(2, &words), "unknown system call -12 at 0x401000");
    }

    #[test]
    fn other_messages_are_no_faults() {
        assert_eq!(Fault::from_message(0, |_| 0), None);
        assert_eq!(Fault::from_message(77, |_| 0), None);
    }
}
