//! Faults of Linux programs: pages brought in, exceptions turned into signals, and what only looks like a fault — an access
//! by the trampoline on the program's behalf, and calls of the old vsyscall page.

use crate::clock::timespec_of;
use crate::memory::{Fault, Intent};
use crate::pressure::Want;
use crate::process::signal::{Signal, SignalInfo, code};
use crate::process::thread::{Answer, FaultDetail};
use crate::process::{Ending, Thread};
use crate::server::Server;
use alloc::rc::Rc;
use chestnut_abi::{UserContext, fault};
use chestnut_linux_trampoline::pages::FxArea;
use chestnut_linux_trampoline::{text, view};

/// A fault message, its words copied.
#[derive(Clone, Copy, Debug)]
pub struct FaultMessage {
    pub label: u64,
    pub words: [u64; 5],
}

/// Exception vectors that a program can raise.
mod vector {
    pub const DIVIDE: u64 = 0;
    pub const DEBUG: u64 = 1;
    pub const BREAKPOINT: u64 = 3;
    pub const OVERFLOW: u64 = 4;
    pub const INVALID_OPCODE: u64 = 6;
    pub const STACK: u64 = 12;
    pub const PROTECTION: u64 = 13;
    pub const PAGE_FAULT: u64 = 14;
    pub const X87: u64 = 16;
    pub const ALIGNMENT: u64 = 17;
    pub const SIMD: u64 = 19;
}

/// Bits of a page fault's error code.
const WRITE: u64 = 2;

/// Where very old C libraries call time functions.
const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;
const VSYSCALL_GETTIMEOFDAY: u64 = VSYSCALL;
const VSYSCALL_TIME: u64 = VSYSCALL + 0x400;
const VSYSCALL_GETCPU: u64 = VSYSCALL + 0x800;

/// Which floating-point exception a fault was, from the state that its thread has saved since then; `None` for other faults.
pub fn float_code(vector: u64, state: &FxArea) -> Option<i32> {
    let half = |at: usize| u16::from_le_bytes([state.0[at], state.0[at + 1]]);
    // Exceptions that have been raised and are not masked. MXCSR holds both; the old unit has a control and a status word.
    let raised = match vector {
        vector::X87 => half(2) & !half(0),
        vector::SIMD => half(24) & !(half(24) >> 7),
        _ => return None,
    };
    Some(match raised & 0x3f {
        invalid if invalid & 1 != 0 => code::FPE_FLTINV,
        division if division & 4 != 0 => code::FPE_FLTDIV,
        overflow if overflow & 8 != 0 => code::FPE_FLTOVF,
        // Denormal operands too.
        underflow if underflow & 0x12 != 0 => code::FPE_FLTUND,
        inexact if inexact & 0x20 != 0 => code::FPE_FLTRES,
        _ => return None,
    })
}

impl Server {
    /// Deals with a fault of a thread that waits for an answer.
    pub fn fault(&self, thread: &Rc<Thread>, message: FaultMessage) {
        match message.label {
            fault::label::VM => self.page_fault(thread, message),
            fault::label::USER_EXCEPTION => self.exception(thread, message),
            // A native system call that isn't one, or on a capability that isn't there: the program plays with its trampoline.
            _ => {
                log::warn!("thread {} made an invalid native call", thread.tid.get());
                self.end_process(&thread.process, Ending::Killed(Signal::SYS));
            }
        }
    }

    fn page_fault(&self, thread: &Rc<Thread>, message: FaultMessage) {
        let ip = message.words[fault::vm::IP];
        let address = message.words[fault::vm::ADDRESS];
        let fsr = message.words[fault::vm::FSR];
        if address == ip && address & !0xfff == VSYSCALL {
            return self.vsyscall(thread, address);
        }
        let intent = match (message.words[fault::vm::PREFETCH], fsr & WRITE) {
            (1, _) => Intent::Execute,
            (_, 0) => Intent::Read,
            _ => Intent::Write,
        };
        let space = thread.space();
        let failure =
            if address >= crate::memory::USER_END { Err(Fault::Unmapped) } else { space.fault(address, intent) };
        let (signal, code) = match failure {
            Ok(()) => return self.answer(thread, Answer::Retry),
            Err(Fault::OutOfMemory) => return self.out_of_memory(thread),
            Err(Fault::Unmapped) => (Signal::SEGV, code::SEGV_MAPERR),
            Err(Fault::Forbidden) => (Signal::SEGV, code::SEGV_ACCERR),
            Err(Fault::PastEnd) => (Signal::BUS, code::BUS_ADRERR),
        };
        if self.fix_up(thread, ip) {
            return;
        }
        let detail = FaultDetail { vector: vector::PAGE_FAULT, code: fsr, address };
        self.fault_signal(thread, SignalInfo::fault(signal, code, address), detail);
    }

    /// A thread whose access on the program's behalf failed goes on with EFAULT.
    fn fix_up(&self, thread: &Rc<Thread>, ip: u64) -> bool {
        let base = thread.process.own_pages.borrow().text_address;
        let Some(position) = text::fixup(ip.wrapping_sub(base)) else { return false };
        let registers = thread.machine.registers();
        let rsp = view::stack_pointer(thread.page_address.get());
        self.redirect(thread, &UserContext { rip: base + position, rsp, ..registers });
        true
    }

    fn exception(&self, thread: &Rc<Thread>, message: FaultMessage) {
        let [ip, sp, flags, number, error] = message.words;
        if matches!(number, vector::PROTECTION | vector::STACK) && self.fix_up(thread, ip) {
            return;
        }
        let (signal, code, address) = match number {
            vector::DIVIDE => (Signal::FPE, code::FPE_INTDIV, ip),
            vector::X87 | vector::SIMD => (Signal::FPE, code::FPE_FLTINV, ip),
            vector::DEBUG => (Signal::TRAP, code::TRAP_TRACE, ip),
            vector::BREAKPOINT => (Signal::TRAP, code::KERNEL, 0),
            vector::INVALID_OPCODE => (Signal::ILL, code::ILL_ILLOPN, ip),
            vector::ALIGNMENT => (Signal::BUS, code::BUS_ADRALN, 0),
            vector::STACK => (Signal::BUS, code::KERNEL, 0),
            vector::OVERFLOW => (Signal::SEGV, code::KERNEL, 0),
            _ => (Signal::SEGV, code::KERNEL, 0),
        };
        let detail = FaultDetail { vector: number, code: error, address: 0 };
        self.exception_signal(thread, SignalInfo::fault(signal, code, address), detail, [ip, sp, flags]);
    }

    /// No frame is left: what ended programs have left goes, or somebody ends, which may be this one.
    fn out_of_memory(&self, thread: &Rc<Thread>) {
        if !self.memory.kept.forget() && self.end_one_for_memory(Want::Frames).is_none() {
            self.end_process(&thread.process, Ending::Killed(Signal::KILL));
        }
        if !thread.ended.get() {
            self.answer(thread, Answer::Retry);
        }
    }

    /// The vsyscall page's three functions, called by address: arguments in RDI and RSI, return address on the stack.
    fn vsyscall(&self, thread: &Rc<Thread>, address: u64) {
        let registers = thread.machine.registers();
        let space = thread.space();
        let wall = self.clock.wall();
        let put = |at: u64, words: &[u64]| if at == 0 { Ok(()) } else { space.write_words(at, words) };
        let done = match address {
            VSYSCALL_GETTIMEOFDAY => {
                let [seconds, nanoseconds] = timespec_of(wall);
                put(registers.rdi, &[seconds, nanoseconds / 1000]).and_then(|()| put(registers.rsi, &[0])).map(|()| 0)
            }
            VSYSCALL_TIME => put(registers.rdi, &[wall.as_secs()]).map(|()| wall.as_secs()),
            VSYSCALL_GETCPU => Ok(0),
            _ => Err(chestnut_linux_files::Errno::ENOSYS),
        };
        let back = space.read_u64(registers.rsp);
        match (done, back) {
            (Ok(rax), Ok(rip)) => {
                self.redirect(thread, &UserContext { rax, rip, rsp: registers.rsp + 8, ..registers });
            }
            _ => {
                let detail = FaultDetail { vector: vector::PAGE_FAULT, code: 0x15, address };
                self.fault_signal(thread, SignalInfo::fault(Signal::SEGV, code::SEGV_MAPERR, address), detail);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmasked_exceptions_are_told_apart() {
        let mut state = FxArea::INITIAL;
        assert_eq!(float_code(vector::SIMD, &state), None);
        // Division by zero and inexact raised, the first unmasked.
        state.0[24..28].copy_from_slice(&(0x1f80u32 & !(4 << 7) | 0x24).to_le_bytes());
        assert_eq!(float_code(vector::SIMD, &state), Some(code::FPE_FLTDIV));
        assert_eq!((float_code(vector::X87, &state), float_code(vector::DIVIDE, &state)), (None, None));
        state.0[0] = 0x7f & !8;
        state.0[2] = 0x28;
        assert_eq!(float_code(vector::X87, &state), Some(code::FPE_FLTOVF));
    }
}
