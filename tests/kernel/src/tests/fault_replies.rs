//! Every fault, with every kind of answer: what the handler is told, and how the thread goes on or doesn't.
//!
//! A thread faults at an instruction that faults again whenever it runs: a second fault of the same kind shows that the thread made another attempt. A reply
//! that sets registers sends it to [`elsewhere`], which faults in its own way. Details of each fault are in the files `fault_…`.

use super::sending::cell;
use crate::check::{between, check, equal, fail};
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::message::{Message, nb_recv, recv, send};
use crate::scene::thread::Thread;
use crate::scene::{Scene, shared};
use crate::table::cells::{Answer, Case};
use chestnut_abi::behaviour::{Cause, FaultKind};
use chestnut_abi::fault::{cap, label, timeout, unknown_syscall as unknown, user_exception as exception, vm};
use chestnut_abi::{Label, Syscall, UserContext};

/// Turns of a thread that spins.
const TURNS: usize = 0;
/// Where `elsewhere` notes RDI and RSP.
const NOTED: usize = 1;
/// What RDI is at first, and what a reply makes of it.
const BEFORE: u64 = 0x55;
const AFTER: u64 = 0x77;
/// An address of a capability that leads nowhere, and a number that names no system call.
const NO_CAPABILITY: u64 = 1 << 50;
const NO_CALL: i64 = 1234;
const BUDGET_BADGE: u64 = 0xbad6e;
/// Bit of the processor's page-fault error code: the access was made in user mode.
const USER: u64 = 4;

#[unsafe(naked)]
extern "C" fn system_call() {
    core::arch::naked_asm!("nop", "syscall", "ud2")
}

#[unsafe(naked)]
extern "C" fn invalid() {
    core::arch::naked_asm!("nop", "ud2")
}

#[unsafe(naked)]
extern "C" fn load() {
    core::arch::naked_asm!("nop", "mov rax, [rax]", "ud2")
}

#[unsafe(naked)]
extern "C" fn spin() {
    core::arch::naked_asm!("2: inc qword ptr [rbx]", "jmp 2b")
}

/// Where replies send a thread.
#[unsafe(naked)]
extern "C" fn elsewhere() {
    core::arch::naked_asm!("mov [rbx + 8], rdi", "mov [rbx + 16], rsp", "3: ud2")
}

/// A thread that faults as the table's row says, and who hears of it.
struct Faulting {
    kind: FaultKind,
    thread: Thread,
    /// The instruction that faults.
    ip: u64,
    faults: u64,
    reply: u64,
}

impl Faulting {
    /// Started, with a handler or without.
    fn start(t: &Scene, kind: FaultKind, is_handled: bool) -> Self {
        let (faults, reply, thread) = (t.endpoint(), t.reply(), t.thread(ABOVE));
        let (code, skipped): (extern "C" fn(), u64) = match kind.cause {
            Cause::CapabilityInSend | Cause::CapabilityInReceive | Cause::UnknownSystemCall => (system_call, 1),
            Cause::UserException => (invalid, 1),
            Cause::DataPage => (load, 1),
            Cause::InstructionPage | Cause::EndOfBudget => (spin, 0),
        };
        let number = match kind.cause {
            Cause::CapabilityInReceive => Syscall::Wait as i64,
            Cause::UnknownSystemCall => NO_CALL,
            _ => Syscall::Send as i64,
        };
        let is_system_call = matches!(kind.cause, Cause::CapabilityInSend | Cause::CapabilityInReceive);
        let rip = if kind.cause == Cause::InstructionPage { FAR } else { code as *const () as u64 };
        let faulting = Self { kind, thread, ip: rip + skipped, faults, reply };
        if faulting.is_timeout() {
            thread.set_budget(2_000, 20_000, BUDGET_BADGE);
        }
        faulting.handle(is_handled);
        thread.start_with(&UserContext {
            rip,
            rsp: thread.stack(),
            rax: FAR,
            rbx: shared::address(TURNS),
            rdx: number as u64,
            rdi: if is_system_call { NO_CAPABILITY } else { BEFORE },
            ..Default::default()
        });
        faulting
    }

    fn is_timeout(&self) -> bool {
        self.kind.cause == Cause::EndOfBudget
    }

    /// Gives the thread its handler, or takes it away. Timeouts have one of their own.
    fn handle(&self, is_handled: bool) {
        let handler = if is_handled { self.faults } else { 0 };
        if self.is_timeout() {
            self.thread.set_timeout_handler(handler);
        }
        self.thread.set_handler(handler);
    }

    /// Waits for the thread's fault, which has to be of the row's kind.
    #[track_caller]
    fn fault(&self) -> Message {
        let fault = recv(self.faults, self.reply);
        equal(fault.label(), self.kind.label, "the fault's label");
        let word = |index| fault.word(index);
        match self.kind.cause {
            Cause::CapabilityInSend | Cause::CapabilityInReceive => {
                let in_receive = (self.kind.cause == Cause::CapabilityInReceive) as u64;
                let found = (word(cap::IP), word(cap::ADDRESS), word(cap::IN_RECEIVE_PHASE));
                equal(found, (self.ip, NO_CAPABILITY, in_receive), "IP, address and phase");
            }
            Cause::UnknownSystemCall => {
                let found = (word(unknown::FAULT_IP), word(unknown::SYSCALL), fault.length());
                equal(found, (self.ip, NO_CALL as u64, unknown::LENGTH), "IP, number and length");
            }
            Cause::UserException => {
                let found = (word(exception::FAULT_IP), word(exception::NUMBER), fault.length());
                equal(found, (self.ip, 6, exception::LENGTH), "IP, number and length");
            }
            Cause::DataPage | Cause::InstructionPage => {
                let is_fetch = self.kind.cause == Cause::InstructionPage;
                let found = (word(vm::IP), word(vm::ADDRESS), word(vm::PREFETCH), fault.length());
                equal(found, (self.ip, FAR, is_fetch as u64, vm::LENGTH), "IP, address, whether a fetch, length");
                check(word(vm::FSR) & USER != 0, "the error code says that it was in user mode");
            }
            Cause::EndOfBudget => {
                equal((word(timeout::DATA), fault.length()), (BUDGET_BADGE, timeout::LENGTH), "badge and length");
                between(word(timeout::CONSUMED), 1_000, 3_000_000, "microseconds consumed");
            }
        }
        fault
    }

    #[track_caller]
    fn expect_silence(&self) {
        let before = shared::get(TURNS);
        // Below the thread, it would run if it could; its next period comes, too.
        shared::spin_us(30_000);
        equal(nb_recv(self.faults, self.reply).label(), 0, "faults of a thread that is stopped");
        equal(shared::get(TURNS), before, "turns of a thread that is stopped");
    }

    /// The words of a reply that sends the thread elsewhere; how many there are depends on the fault.
    fn registers(&self, fault: Message) -> ([u64; 19], usize) {
        let to = elsewhere as *const () as u64;
        let context = UserContext {
            rip: to,
            rsp: self.thread.stack() - 64,
            rflags: 0x202,
            rbx: shared::address(TURNS),
            rdi: AFTER,
            ..Default::default()
        };
        let mut words = [0; 19];
        match self.kind.cause {
            Cause::UnknownSystemCall => {
                (0..unknown::SYSCALL).for_each(|index| words[index] = fault.word(index));
                words[1] = context.rbx;
                words[5] = context.rdi;
                words[unknown::FAULT_IP] = context.rip;
                words[unknown::SP] = context.rsp;
            }
            Cause::EndOfBudget => words.copy_from_slice(&context.to_words()[..19]),
            // For faults whose replies set nothing these are words like any other.
            _ => words[..3].copy_from_slice(&[context.rip, context.rsp, context.rflags]),
        }
        (words, if self.kind.reply_sets.is_empty() { 3 } else { self.kind.reply_sets.len() })
    }
}

pub fn run(t: &Scene, name: &str) {
    let Case::Fault(kind, answer) = cell("fault_replies", name).case else { fail(format_args!("{name} is no fault")) };
    let sets_registers = !kind.reply_sets.is_empty();
    let faulting = Faulting::start(t, kind, answer != Answer::NoHandler);
    if answer == Answer::NoHandler {
        return without_handler(&faulting);
    }
    let fault = faulting.fault();
    let turns = shared::get(TURNS);
    match answer {
        Answer::Nothing => {
            send(faulting.reply, 0, &[]);
            faulting.fault();
            check(!faulting.is_timeout() || shared::get(TURNS) > turns, "a thread that ran out of time goes on");
        }
        Answer::Registers => {
            let (words, length) = faulting.registers(fault);
            send(faulting.reply, 0, &words[..length]);
            if !sets_registers {
                faulting.fault();
                return;
            }
            let second = recv(faulting.faults, faulting.reply);
            equal((second.label(), second.word(exception::NUMBER)), (label::USER_EXCEPTION, 6), "the fault elsewhere");
            // Of an exception, a reply sets IP, SP and flags only.
            let rdi = if kind.cause == Cause::UserException { BEFORE } else { AFTER };
            let found = (shared::get(NOTED), shared::get(NOTED + 1));
            equal(found, (rdi, faulting.thread.stack() - 64), "RDI and RSP elsewhere");
        }
        Answer::Label => {
            send(faulting.reply, 1, &[]);
            if sets_registers {
                faulting.expect_silence();
                faulting.thread.resume();
            }
            faulting.fault();
        }
        Answer::Never => {
            faulting.expect_silence();
            // The reply object can't answer any more, but whoever has the TCB can set the thread going.
            t.delete(faulting.reply);
            let faulting = Faulting { reply: t.reply(), ..faulting };
            faulting.expect_silence();
            faulting.thread.resume();
            faulting.fault();
        }
        Answer::NoHandler => {}
    }
}

fn without_handler(faulting: &Faulting) {
    if faulting.is_timeout() {
        // Nobody wants to know: it waits for its next period and goes on.
        let turns = shared::get(TURNS);
        shared::spin_us(60_000);
        check(shared::get(TURNS) > turns, "it runs again in its next period");
        must(faulting.thread.tcb, Label::TcbSuspend, &[], &[]);
        return;
    }
    faulting.expect_silence();
    // With a handler and set going, it makes another attempt.
    faulting.handle(true);
    faulting.thread.resume();
    faulting.fault();
}
