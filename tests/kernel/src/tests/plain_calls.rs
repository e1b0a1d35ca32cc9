//! System calls that neither send nor receive: they come back at once, and only Yield lets another thread of the same priority run.
//!
//! Debug and benchmark calls are either there or the fault of an unknown system call; builds have all or none of theirs (`debug_calls`).

use super::sending::cell;
use crate::check::{check, equal, fail};
use crate::scene::fixed::*;
use crate::scene::message::recv;
use crate::scene::thread::{Thread, set_main_priority};
use crate::scene::{Scene, shared};
use crate::table::cells::{Beside, Case};
use chestnut_abi::behaviour::Build;
use chestnut_abi::bootinfo::slot;
use chestnut_abi::fault::{label, unknown_syscall as unknown, user_exception as exception};
use chestnut_abi::{Syscall, UserContext};

/// Counts the turns of the other thread.
const TURNS: usize = 0;

#[unsafe(naked)]
extern "C" fn make() {
    core::arch::naked_asm!("syscall", "mov rax, [rbx]", "ud2")
}

/// Starts a thread that makes the call; then it reads [`TURNS`] into RAX, and faults.
fn start(t: &Scene, call: Syscall, argument: u64, handler: u64) -> Thread {
    let thread = t.thread(ABOVE);
    thread.set_handler(handler);
    thread.write(&UserContext {
        rip: make as *const () as u64,
        rsp: thread.stack(),
        rax: u64::MAX,
        rbx: shared::address(TURNS),
        rdx: call as i64 as u64,
        rdi: argument,
        ..Default::default()
    });
    thread
}

/// Something harmless for the call to work on.
fn argument(call: Syscall) -> u64 {
    const APIC_BASE: u64 = 0x1b;
    match call {
        Syscall::DebugPutChar => b'\n'.into(),
        Syscall::DebugCapIdentify => slot::INIT_TCB,
        Syscall::DebugNameThread => MAIN_TCB,
        Syscall::X86DangerousRdmsr => APIC_BASE,
        Syscall::SetTlsBase => shared::address(0),
        _ => 0,
    }
}

pub fn run(t: &Scene, name: &str) {
    let Case::Plain(row, beside) = cell("plain_calls", name).case else { fail(format_args!("{name} has phases")) };
    // Writing a processor's register at random or halting the machine would end all tests: where the build has these, their presence is
    // seen by another call of the same build.
    let call = match row.call {
        Syscall::DebugHalt => is_there(t, Syscall::DebugCapIdentify).then_some(Syscall::DebugCapIdentify),
        Syscall::X86DangerousWrmsr => is_there(t, Syscall::X86DangerousRdmsr).then_some(Syscall::X86DangerousRdmsr),
        _ => None,
    };
    let call = call.unwrap_or(row.call);
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = start(t, call, argument(call), faults);
    // Both become ready before either runs; whoever became ready last comes first.
    set_main_priority(ABOVE + 1);
    if beside == Beside::Another {
        t.spawn(ABOVE, || {
            loop {
                shared::add(TURNS, 1);
                chestnut_runtime::sys::yield_now();
            }
        });
    }
    thread.resume();
    let fault = recv(faults, reply);
    if fault.label() == label::UNKNOWN_SYSCALL {
        check(row.build != Build::Every, "a call that every build has is known");
        return equal(fault.word(unknown::SYSCALL), call as i64 as u64, "the number");
    }
    equal((fault.label(), fault.word(exception::NUMBER)), (label::USER_EXCEPTION, 6), "the `ud2` behind the call");
    let turns = thread.read().rax;
    let expected = if call == Syscall::Yield && beside == Beside::Another { 1 } else { 0 };
    equal(turns, expected, "turns of another thread before the call came back");
}

fn is_there(t: &Scene, call: Syscall) -> bool {
    let (faults, reply) = (t.endpoint(), t.reply());
    start(t, call, argument(call), faults).resume();
    recv(faults, reply).label() != label::UNKNOWN_SYSCALL
}
