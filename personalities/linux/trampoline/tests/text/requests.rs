//! System calls made and answered: what a program keeps, what the server is asked.

use core::cell::Cell;
use std::rc::Rc;

use chestnut_abi::{MessageInfo, Syscall};
use chestnut_linux_trampoline::message::SERVER_CPTR;
use chestnut_linux_trampoline::{Frame, Reply, Request};

use crate::machine::{Machine, Program, return_address};

/// What a system call must leave: everything but RAX, RCX and R11.
#[track_caller]
pub fn assert_kept(before: Program, after: Program, result: i64) {
    let expected = Program { rax: result as u64, rcx: return_address(), r11: before.rflags, rsp: 0, ..before };
    assert_eq!(after, expected);
}

/// Runs a call that must be answered without the server.
#[track_caller]
pub fn local(machine: &Machine, number: u64, arguments: &[u64]) -> i64 {
    let before = Program::call(number, arguments);
    let after = machine.run(before);
    assert_kept(before, after, after.rax as i64);
    after.rax as i64
}

/// Runs a call that must go to the server, which answers 4711.
#[track_caller]
pub fn remote(machine: &Machine, number: u64, arguments: &[u64]) {
    let before = Program::call(number, arguments);
    let calls = Rc::new(Cell::new(0));
    let thread = machine.thread;
    machine.serve({
        let calls = calls.clone();
        move |native| {
            calls.set(calls.get() + 1);
            assert_eq!((native.number, native.rdi), (Syscall::Call as i64, SERVER_CPTR));
            let request = Request::decode(MessageInfo(native.info), native.words, thread);
            let arguments = [before.rdi, before.rsi, before.rdx, before.r10, before.r8, before.r9];
            assert_eq!(request, Some(Request::Syscall { number: before.rax & 0xffff_ffff, arguments }));
            answer(Reply::Done(4711))
        }
    });
    let after = machine.run(before);
    assert_kept(before, after, 4711);
    assert_eq!(calls.get(), 1);
}

/// A reply as the kernel delivers it, with garbage in the words that it doesn't use.
pub fn answer(reply: Reply) -> (u64, [u64; 4]) {
    let (info, word) = reply.encode();
    (info.0, [word, 0xbad1, 0xbad2, 0xbad3])
}

/// A server that expects TakeSignals only, changes the frame and restores.
pub fn take_signals_once(machine: &Machine, change: impl Fn(&mut Frame) + 'static) -> Rc<Cell<u32>> {
    let taken = Rc::new(Cell::new(0));
    let thread = machine.thread;
    machine.serve({
        let taken = taken.clone();
        move |native| {
            assert_eq!(Request::decode(MessageInfo(native.info), native.words, thread), Some(Request::TakeSignals));
            taken.set(taken.get() + 1);
            thread.set_attention(false);
            let mut frame = thread.frame();
            change(&mut frame);
            thread.set_frame(&frame);
            answer(Reply::Restore)
        }
    });
    taken
}
