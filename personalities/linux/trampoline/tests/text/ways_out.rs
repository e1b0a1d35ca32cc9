//! The ways out of the text: signals are taken there, wherever a thread is found, and nothing is lost.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use chestnut_abi::MessageInfo;
use chestnut_linux_trampoline::pages::FxArea;
use chestnut_linux_trampoline::text::{Stopped, stopped_at};
use chestnut_linux_trampoline::{Frame, Reply, Request, text};

use crate::machine::{IDS, Machine, Program, TID, elsewhere, return_address};
use crate::requests::{answer, assert_kept, take_signals_once};
use crate::scan::instructions;

#[test]
fn attention_is_seen_after_a_call_of_the_server() {
    let machine = Machine::new();
    let thread = machine.thread;
    let requests: Rc<RefCell<Vec<Request>>> = Rc::default();
    machine.serve({
        let requests = requests.clone();
        move |native| {
            let request = Request::decode(MessageInfo(native.info), native.words, thread).expect("a request");
            requests.borrow_mut().push(request);
            match request {
                Request::Syscall { .. } => {
                    thread.set_attention(true);
                    answer(Reply::Done(-4i64 as u64))
                }
                Request::TakeSignals => {
                    let frame = thread.frame();
                    assert_eq!((frame.rax as i64, frame.number), (-4, 0));
                    assert_eq!((frame.r12, frame.rcx), (Program::pattern(0).r12, return_address()));
                    thread.set_attention(false);
                    answer(Reply::Restore)
                }
            }
        }
    });
    let before = Program::pattern(0);
    assert_kept(before, machine.run(before), -4);
    assert_eq!(requests.borrow().len(), 2);
}

#[test]
fn restore_loads_every_register_and_the_fpu() {
    let machine = Machine::new();
    let thread = machine.thread;
    let mut fx = FxArea::INITIAL;
    // MXCSR: flush to zero as well; xmm5.
    fx.0[25] = 0x9f;
    fx.0[240..256].copy_from_slice(&[0x5a; 16]);
    let frame = Frame {
        r15: 1,
        r14: 2,
        r13: 3,
        r12: 4,
        rbp: 5,
        rbx: 6,
        r11: 7,
        r10: 8,
        r9: 9,
        r8: 10,
        rax: 11,
        rcx: 12,
        rdx: 13,
        rsi: 14,
        rdi: 15,
        rip: elsewhere(),
        rflags: 0x8d7,
        ..Frame::default()
    };
    machine.serve(move |_| {
        let rsp = thread.frame().rsp;
        thread.set_frame(&Frame { rsp, ..frame });
        thread.set_fx(&fx);
        answer(Reply::Restore)
    });
    let after = machine.run(Program::pattern(15));
    let expected = Program {
        r15: 1,
        r14: 2,
        r13: 3,
        r12: 4,
        rbp: 5,
        rbx: 6,
        r11: 7,
        r10: 8,
        r9: 9,
        r8: 10,
        rax: 11,
        rcx: 12,
        rdx: 13,
        rsi: 14,
        rdi: 15,
        rsp: 0,
        xmm5: [0x5a5a_5a5a_5a5a_5a5a; 2],
        mxcsr: 0x9f80,
        ..after
    };
    assert_eq!(after, expected);
    // The interrupt flag is not the program's to change.
    assert_eq!(after.rflags & !0x200, 0x8d7);
}

#[test]
fn restart_executes_the_program_s_instruction_again() {
    let machine = Machine::new();
    let thread = machine.thread;
    let taken = Rc::new(Cell::new(0));
    // Signals are looked at first; here that keeps the thread from going back to the instruction, and shows that it would have.
    machine.serve({
        let taken = taken.clone();
        move |native| match Request::decode(MessageInfo(native.info), native.words, thread) {
            Some(Request::Syscall { .. }) => {
                thread.set_attention(true);
                answer(Reply::Restart)
            }
            _ => {
                let mut frame = thread.frame();
                assert_eq!((frame.rip, frame.rax), (return_address() - 2, 0));
                taken.set(1);
                frame.rip = return_address();
                thread.set_frame(&frame);
                thread.set_attention(false);
                answer(Reply::Restore)
            }
        }
    });
    let before = Program::pattern(0);
    let after = machine.run(before);
    assert_eq!(taken.get(), 1);
    assert_eq!(after.rax, 0);
    // As after `syscall`, with RCX where the program would have been.
    assert_eq!((after.rdi, after.r10, after.r15), (before.rdi, before.r10, before.r15));
}

/// Positions from one to another, end excluded.
fn positions(from: u64, to: impl Fn(u64) -> bool) -> Vec<u64> {
    instructions(text::bytes()).map(|d| d.position).filter(|&p| p >= from && to(p)).collect()
}

/// A thread found anywhere in one of the tails is sent back to its beginning, takes the signal there and loses nothing.
#[test]
fn tail_can_be_begun_again_from_each_instruction() {
    let machine = Machine::new();
    let places = positions(0, |p| matches!(stopped_at(p), Stopped::RewindTo(to) if to != text::start()));
    assert!(places.len() > 10);
    for place in places {
        let taken = take_signals_once(&machine, |_| {});
        let thread = machine.thread;
        machine.break_at(place, move |_| {
            thread.set_attention(true);
            match stopped_at(place) {
                Stopped::RewindTo(to) => Some(to),
                Stopped::Leave => None,
            }
        });
        // Either leaves by the one or by the other.
        for (number, id) in [(39, IDS.pid), (186, TID)] {
            if !machine.stopped() {
                let before = Program::pattern(number);
                assert_kept(before, machine.run(before), id.into());
            }
        }
        assert!(machine.stopped());
        assert_eq!(taken.get(), 1, "stopped at {place:#x}");
    }
}

/// The same for the way out with all registers.
#[test]
fn restore_can_be_begun_again_from_each_instruction() {
    let machine = Machine::new();
    let places = positions(text::start(), |p| stopped_at(p) == Stopped::RewindTo(text::start()));
    assert!(places.len() > 15);
    for place in places {
        machine.thread.set_attention(true);
        let taken = take_signals_once(&machine, |frame| frame.r11 = 0x1234);
        let thread = machine.thread;
        machine.break_at(place, move |_| {
            thread.set_attention(true);
            match stopped_at(place) {
                Stopped::RewindTo(to) => Some(to),
                Stopped::Leave => None,
            }
        });
        let before = Program::pattern(39);
        let after = machine.run(before);
        assert!(machine.stopped());
        assert_eq!(after.r11, 0x1234);
        assert_kept(before, Program { r11: before.rflags, ..after }, IDS.pid.into());
        assert_eq!(taken.get(), 2, "stopped at {place:#x}");
    }
}

/// A thread stopped at any other instruction of a local call, and left there, sees `attention` on its way out.
#[test]
fn attention_is_seen_from_everywhere_before_the_tail() {
    let machine = Machine::new();
    let places = positions(text::entry(), |p| stopped_at(p) == Stopped::Leave);
    let mut met = 0;
    for place in places {
        let taken = take_signals_once(&machine, |_| {});
        let thread = machine.thread;
        machine.break_at(place, move |_| {
            thread.set_attention(true);
            None
        });
        for (before, result) in [
            (Program::call(228, &[1, machine.scratch_address()]), 0),
            (Program::pattern(39), i64::from(IDS.pid)),
            (Program::pattern(1 << 20), -38),
        ] {
            if !machine.stopped() {
                assert_kept(before, machine.run(before), result);
            }
        }
        if machine.stopped() {
            met += 1;
            assert_eq!(taken.get(), 1, "stopped at {place:#x}");
        } else {
            machine.clear_breakpoint();
        }
    }
    assert!(met > 30, "{met}");
}

/// A thread stopped in the program: the server stores its registers, sends it to `sigenter` and gets everything.
#[test]
fn sigenter_adds_the_fpu_and_calls() {
    let machine = Machine::new();
    let thread = machine.thread;
    thread.set_attention(true);
    // A stop at the text's first instruction stands for one in the program: nothing has happened yet.
    let taken = take_signals_once(&machine, |frame| frame.rax = 99);
    thread.set_fx(&FxArea([0; 512]));
    let entry = text::entry();
    let program = Program::pattern(1);
    machine.break_at(entry, move |rsp| {
        let mut frame = thread.frame();
        (frame.rdi, frame.rsi, frame.rdx, frame.r10) = (program.rdi, program.rsi, program.rdx, program.r10);
        (frame.r8, frame.r9, frame.r12, frame.r13) = (program.r8, program.r9, program.r12, program.r13);
        (frame.r14, frame.r15, frame.rbx, frame.rbp) = (program.r14, program.r15, program.rbx, program.rbp);
        (frame.rcx, frame.r11, frame.rflags) = (return_address(), program.rflags, program.rflags);
        (frame.rip, frame.rsp) = (return_address(), rsp);
        thread.set_frame(&frame);
        Some(text::sigenter())
    });
    assert_kept(program, machine.run(program), 99);
    assert_eq!(taken.get(), 1);
    assert_eq!(thread.fx().0[..2], FxArea::INITIAL.0[..2]);
}

/// A thread that has raised an exception: all that the server knows is where it was.
#[test]
fn trapenter_adds_all_other_registers_and_calls() {
    let machine = Machine::new();
    let thread = machine.thread;
    thread.set_attention(true);
    let taken = take_signals_once(&machine, |_| {});
    thread.set_fx(&FxArea([0; 512]));
    let program = Program::pattern(77);
    // A stop at the text's first instruction stands for one in the program.
    machine.break_at(text::entry(), move |rsp| {
        thread.set_interrupted(return_address(), rsp, program.rflags);
        Some(text::trapenter())
    });
    let after = machine.run(program);
    let (rcx, r11) = (return_address(), machine.thread_page());
    // What the kernel's redirection has put there is what the exception found.
    assert_eq!(after, Program { rcx: after.rcx, r11, rsp: 0, ..program });
    assert_eq!((after.rcx, taken.get(), thread.frame().number), (rcx, 1, u64::MAX));
    assert_eq!(thread.fx().0[..2], FxArea::INITIAL.0[..2]);
}
