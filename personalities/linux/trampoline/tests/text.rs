//! The trampoline's text, executed on the host's processor: what programs see, what the server sees.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use core::cell::{Cell, RefCell};
use core::mem::offset_of;
use std::rc::Rc;

use chestnut_abi::{MessageInfo, Syscall};
use chestnut_linux_trampoline::message::SERVER_CPTR;
use chestnut_linux_trampoline::pages::{AltStack, FUTEX_BUCKETS, FxArea, STACK, futex_bucket};
use chestnut_linux_trampoline::text::{Stopped, stopped_at};
use chestnut_linux_trampoline::{Frame, Reply, Request, ThreadPage, TimePage, dispatch, text};
use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Register};

mod machine;
use machine::{IDS, Machine, Native, Program, TID, elsewhere, return_address};

const EPERM: i64 = -1;
const EAGAIN: i64 = -11;
const ENOMEM: i64 = -12;
const EFAULT: i64 = -14;
const EINVAL: i64 = -22;
const ENOSYS: i64 = -38;

struct Decoded {
    position: u64,
    instruction: Instruction,
}

impl Decoded {
    fn is_syscall(&self) -> bool {
        self.instruction.code() == Code::Syscall
    }
}

/// The text's instructions.
fn instructions(bytes: &[u8]) -> impl Iterator<Item = Decoded> {
    let code = &bytes[..text::code_end() as usize];
    let all: Vec<_> = Decoder::with_ip(64, code, 0, DecoderOptions::NONE).into_iter().collect();
    all.into_iter().map(|instruction| Decoded { position: instruction.ip(), instruction })
}

/// What a system call must leave: everything but RAX, RCX and R11.
#[track_caller]
fn assert_kept(before: Program, after: Program, result: i64) {
    let expected = Program { rax: result as u64, rcx: return_address(), r11: before.rflags, rsp: 0, ..before };
    assert_eq!(after, expected);
}

/// Runs a call that must be answered without the server.
#[track_caller]
fn local(machine: &Machine, number: u64, arguments: &[u64]) -> i64 {
    let before = Program::call(number, arguments);
    let after = machine.run(before);
    assert_kept(before, after, after.rax as i64);
    after.rax as i64
}

/// Runs a call that must go to the server, which answers 4711.
#[track_caller]
fn remote(machine: &Machine, number: u64, arguments: &[u64]) {
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
fn answer(reply: Reply) -> (u64, [u64; 4]) {
    let (info, word) = reply.encode();
    (info.0, [word, 0xbad1, 0xbad2, 0xbad3])
}

#[test]
fn ids_are_read_from_the_pages() {
    let machine = Machine::new();
    let expected =
        [(39, IDS.pid), (110, IDS.ppid), (102, IDS.uid), (107, IDS.euid), (104, IDS.gid), (108, IDS.egid), (186, TID)];
    for (number, id) in expected {
        assert_eq!(local(&machine, number, &[]), id.into());
    }
}

#[test]
fn all_flag_patterns_come_back() {
    let machine = Machine::new();
    for pattern in 0..128u64 {
        // CF, PF, AF, ZF, SF, OF, DF.
        let flags = [0, 2, 4, 6, 7, 11, 10].iter().enumerate().fold(0x202, |f, (i, bit)| f | (pattern >> i & 1) << bit);
        let before = Program { rflags: flags, ..Program::pattern(39) };
        assert_kept(before, machine.run(before), IDS.pid.into());
    }
}

#[test]
fn server_gets_six_arguments_and_the_number() {
    let machine = Machine::new();
    for number in [0, 1, 59, 334, 511, 512, 100_000, 0xffff_ffff, 0x5_0000_0000] {
        remote(&machine, number, &[]);
    }
}

#[test]
fn retired_number_is_answered_here() {
    let machine = Machine::new();
    remote(&machine, 334, &[]);
    machine.process.retire(334);
    machine.process.retire(1 << 40);
    assert_eq!(local(&machine, 334, &[]), ENOSYS);
}

#[test]
fn traced_thread_asks_the_server_for_everything() {
    let machine = Machine::new();
    machine.thread.set_traced(machine.addresses().process, true);
    remote(&machine, 39, &[]);
    assert_eq!(machine.thread.frame().r12, Program::pattern(39).r12);
    machine.thread.set_traced(machine.addresses().process, false);
    assert_eq!(local(&machine, 39, &[]), IDS.pid.into());
}

#[test]
fn calls_that_copy_the_thread_save_everything_first() {
    let machine = Machine::new();
    for number in [56, 57, 58, 435] {
        let before = Program::pattern(number);
        let seen = Rc::new(RefCell::new(None));
        let thread = machine.thread;
        machine.thread.set_fx(&FxArea([0; 512]));
        machine.serve({
            let seen = seen.clone();
            move |_| {
                *seen.borrow_mut() = Some((thread.frame(), thread.fx()));
                answer(Reply::Done(7))
            }
        });
        assert_kept(before, machine.run(before), 7);
        let (frame, fx) = seen.borrow_mut().take().expect("called");
        let b = before;
        let expected = Frame {
            rbx: b.rbx,
            rbp: b.rbp,
            r12: b.r12,
            r13: b.r13,
            r14: b.r14,
            r15: b.r15,
            r8: b.r8,
            r9: b.r9,
            r10: b.r10,
            rdx: b.rdx,
            rsi: b.rsi,
            rdi: b.rdi,
            rcx: return_address(),
            rip: return_address(),
            r11: b.rflags,
            rflags: b.rflags,
            number,
            rsp: frame.rsp,
            rax: frame.rax,
            cs: frame.cs,
            ss: frame.ss,
        };
        assert_eq!(frame, expected);
        assert_eq!(fx.0[..2], FxArea::INITIAL.0[..2], "FXSAVE has stored the control word");
    }
}

#[test]
fn clocks_follow_the_time_page() {
    let machine = Machine::new();
    let (base, offset) = (12345, 1_700_000_000_123_456_789);
    machine.time.initialise(base, 2345, offset);
    // SAFETY: RDTSC has no precondition.
    let read = || TimePage::monotonic(unsafe { core::arch::x86_64::_rdtsc() }, base, TimePage::multiplier_for(2345));
    let place = machine.scratch_address();
    for (clock, plus) in [(0, offset), (1, 0), (4, 0), (5, offset), (6, 0), (7, 0)] {
        let before = read();
        assert_eq!(local(&machine, 228, &[clock, place]), 0);
        let after = read();
        assert!(machine.scratch_word(1) < 1_000_000_000);
        let value = machine.scratch_word(0) * 1_000_000_000 + machine.scratch_word(1) - plus;
        assert!((before..=after).contains(&value), "clock {clock}: {before} <= {value} <= {after}");
        assert_eq!(local(&machine, 229, &[clock, place]), 0);
        assert_eq!((machine.scratch_word(0), machine.scratch_word(1)), (0, 1));
    }
    let before = (read() + offset) / 1000;
    assert_eq!(local(&machine, 96, &[place, place + 16]), 0);
    let value = machine.scratch_word(0) * 1_000_000 + machine.scratch_word(1);
    assert!((before..=(read() + offset) / 1000).contains(&value));
    assert_eq!(machine.scratch_word(2), 0);
    assert_eq!(local(&machine, 96, &[0, 0]), 0);

    let seconds = local(&machine, 201, &[place]) as u64;
    assert_eq!(machine.scratch_word(0), seconds);
    assert!(seconds.abs_diff((read() + offset) / 1_000_000_000) <= 1);
    assert_eq!(local(&machine, 201, &[0]) as u64 / 10, seconds / 10);
}

#[test]
fn clocks_of_the_server() {
    let machine = Machine::new();
    for clock in [2, 3, 8, 9, 11, 0xffff_fffe] {
        remote(&machine, 228, &[clock, machine.scratch_address()]);
    }
    remote(&machine, 229, &[8, 0]);
    assert_eq!(local(&machine, 229, &[2, 0]), 0);
}

#[test]
fn getcpu_writes_what_is_asked_for() {
    let machine = Machine::new();
    machine.thread.set_cpu(3);
    machine.set_scratch_word(0, u64::MAX);
    machine.set_scratch_word(1, u64::MAX);
    assert_eq!(local(&machine, 309, &[machine.scratch_address(), 0]), 0);
    assert_eq!(local(&machine, 309, &[0, machine.scratch_address() + 8]), 0);
    assert_eq!((machine.scratch_word(0), machine.scratch_word(1)), (0xffff_ffff_0000_0003, 0xffff_ffff_0000_0000));
}

#[test]
fn sigprocmask_changes_the_mask() {
    let machine = Machine::new();
    let (set, old) = (machine.scratch_address(), machine.scratch_address() + 8);
    let change = |how: u64, signals: u64| {
        machine.set_scratch_word(0, signals);
        let result = local(&machine, 14, &[how, set, old, 8]);
        (result, machine.scratch_word(1), machine.thread.blocked())
    };
    assert_eq!(change(2, 0xf0), (0, 0, 0xf0));
    assert_eq!(change(0, 0x0f), (0, 0xf0, 0xff));
    assert_eq!(change(1, 0x3c), (0, 0xff, 0xc3));
    assert_eq!(change(2, u64::MAX), (0, 0xc3, !0x40100));
    assert_eq!(change(3, 0), (EINVAL, 0xc3, !0x40100));
    assert_eq!(change(u64::MAX, 0).0, EINVAL);
    assert_eq!(local(&machine, 14, &[99, 0, old, 8]), 0);
    assert_eq!(machine.scratch_word(1), !0x40100);
    assert_eq!(local(&machine, 14, &[0, 0, 0, 8]), 0);
    assert_eq!(local(&machine, 14, &[0, 0, 0, 16]), EINVAL);
}

#[test]
fn unblocking_a_pending_signal_takes_it_before_the_program_goes_on() {
    let machine = Machine::new();
    machine.thread.set_blocked(0xff);
    machine.thread.set_pending(0x10);
    machine.set_scratch_word(0, 0x0f);
    let program = |how| Program::call(14, &[how, machine.scratch_address(), 0, 8]);
    // Others can be unblocked without anything happening.
    assert_kept(program(1), machine.run(program(1)), 0);
    assert_eq!(machine.thread.blocked(), 0xf0);
    let taken = take_signals_once(&machine, |frame| frame.rax += 5);
    machine.set_scratch_word(0, 0);
    let before = program(2);
    assert_kept(before, machine.run(before), 5);
    assert_eq!(taken.get(), 1);
    assert_eq!(machine.thread.blocked(), 0);
}

/// A server that expects TakeSignals only, changes the frame and restores.
fn take_signals_once(machine: &Machine, change: impl Fn(&mut Frame) + 'static) -> Rc<Cell<u32>> {
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

#[test]
fn sigaltstack_as_linux_does_it() {
    let machine = Machine::new();
    let (new, old) = (machine.scratch_address(), machine.scratch_address() + 24);
    let set = |base: u64, flags: u64, size: u64| {
        for (i, word) in [base, flags, size].into_iter().enumerate() {
            machine.set_scratch_word(i, word);
        }
        local(&machine, 131, &[new, old])
    };
    let got = || [3, 4, 5].map(|i| machine.scratch_word(i));
    assert_eq!((set(0x1000, 0xaaaa_aaaa_0000_0000, 4096), got()), (0, [0, 2, 0]));
    assert_eq!(machine.thread.alt_stack(), AltStack { base: 0x1000, size: 4096, flags: 0 });
    assert_eq!((local(&machine, 131, &[0, old]), got()), (0, [0x1000, 0, 4096]));
    assert_eq!(set(0x1000, 0, 2047), ENOMEM);
    assert_eq!(set(0x1000, 3, 4096), EINVAL);
    assert_eq!(machine.thread.alt_stack(), AltStack { base: 0x1000, size: 4096, flags: 0 });
    assert_eq!((set(0x2000, 1, 2048), got()), (0, [0x1000, 0, 4096]));
    assert_eq!((set(0x9999, 2, 5), got()), (0, [0x2000, 0, 2048]));
    assert_eq!(machine.thread.alt_stack(), AltStack::default());

    // On the alternate stack: it can be looked at and not be changed, unless it disarms itself.
    let stack = &raw const machine as u64 - (1 << 20);
    machine.thread.set_alt_stack(AltStack { base: stack, size: 2 << 20, flags: 0 });
    assert_eq!((local(&machine, 131, &[0, old]), got()), (0, [stack, 1, 2 << 20]));
    assert_eq!(set(0x1000, 0, 4096), EPERM);
    assert_eq!(set(stack, 1 << 31, 2 << 20), EPERM);
    machine.thread.set_alt_stack(AltStack { base: stack, size: 2 << 20, flags: 1 << 31 });
    assert_eq!((set(0x3000, 1 << 31, 4096), got()), (0, [stack, 1 << 31, 2 << 20]));
    assert_eq!(machine.thread.alt_stack(), AltStack { base: 0x3000, size: 4096, flags: 1 << 31 });
}

#[test]
fn fs_base_and_yield_are_native_calls_of_their_own() {
    let machine = Machine::new();
    let calls: Rc<RefCell<Vec<Native>>> = Rc::default();
    machine.serve({
        let calls = calls.clone();
        move |native| {
            calls.borrow_mut().push(native);
            (0, [0; 4])
        }
    });
    assert_eq!(local(&machine, 158, &[0x1002, 0x7fff_ffff_efff]), 0);
    assert_eq!(local(&machine, 24, &[]), 0);
    assert_eq!(local(&machine, 158, &[0x1002, 0x7fff_ffff_f000]), EPERM);
    assert_eq!(local(&machine, 158, &[0x1002, u64::MAX]), EPERM);
    let calls: Vec<_> = calls.borrow().iter().map(|n| (n.number, n.rdi)).collect();
    assert_eq!(calls[0], (Syscall::SetTlsBase as i64, 0x7fff_ffff_efff));
    assert_eq!(calls[1].0, Syscall::Yield as i64);
    assert_eq!(calls.len(), 2);
    remote(&machine, 158, &[0x1003, machine.scratch_address()]);
}

#[test]
fn futex_wait_on_another_value_ends_at_once() {
    let machine = Machine::new();
    let word = machine.scratch_address();
    machine.set_scratch_word(0, 5);
    for operation in [0, 128, 9, 9 | 128, 9 | 128 | 256] {
        assert_eq!(local(&machine, 202, &[word, operation, 6, 0, 0, 1]), EAGAIN);
        assert_eq!(local(&machine, 202, &[machine.hole(), operation, 6, 0, 0, 1]), EFAULT);
        remote(&machine, 202, &[word, operation, 5, 0, 0, 1]);
        remote(&machine, 202, &[word, operation, 6, word, 0, 1]);
        remote(&machine, 202, &[word + 2, operation, 6, 0, 0, 1]);
    }
    remote(&machine, 202, &[word, 9, 6, 0, 0, 0]);
    remote(&machine, 202, &[word, 256, 6, 0, 0, 1]);
    remote(&machine, 202, &[word, 3, 6, 0, 0, 1]);
}

#[test]
fn futex_wake_asks_the_server_only_if_somebody_may_wait() {
    let machine = Machine::new();
    for word in [0x1000, 0x7ffe_1234_5678, machine.scratch_address() + 0xffc, 0x5555_0000_0004] {
        assert_eq!(local(&machine, 202, &[word, 129, 1]), 0);
        machine.mm.set_waiters(futex_bucket(word), 1);
        remote(&machine, 202, &[word, 129, 1]);
        machine.mm.set_waiters(futex_bucket(word), 0);
        for other in (0..FUTEX_BUCKETS).filter(|&bucket| bucket != futex_bucket(word)) {
            machine.mm.set_waiters(other, 1);
        }
        assert_eq!(local(&machine, 202, &[word, 129, 1]), 0);
        machine.mm.initialise();
        remote(&machine, 202, &[word, 1, 1]);
    }
    remote(&machine, 202, &[machine.scratch_address() + 1, 129, 1]);
    remote(&machine, 202, &[0x7fff_ffff_f000, 129, 1]);
}

#[test]
fn bad_pointers_give_efault() {
    let machine = Machine::new();
    for bad in [machine.hole(), 8, 0x8000_0000_0000_0000, u64::MAX - 7, machine.hole() - 4] {
        let calls: [(u64, &[u64]); 9] = [
            (228, &[1, bad]),
            (229, &[1, bad]),
            (96, &[bad, 0]),
            (96, &[0, bad]),
            (201, &[bad]),
            (14, &[0, bad, 0, 8]),
            (14, &[0, 0, bad, 8]),
            (131, &[bad, 0]),
            (131, &[0, bad]),
        ];
        for (number, arguments) in calls {
            assert_eq!(local(&machine, number, arguments), EFAULT, "{number} {arguments:x?}");
        }
    }
    for arguments in [[machine.hole(), 0], [0, machine.hole()]] {
        assert_eq!(local(&machine, 309, &arguments), EFAULT);
    }
}

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

/// A thread found anywhere in `tail` is sent back to its beginning, takes the signal there and loses nothing.
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
        let before = Program::pattern(39);
        assert_kept(before, machine.run(before), IDS.pid.into());
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
        let before = Program::call(228, &[1, machine.scratch_address()]);
        assert_kept(before, machine.run(before), 0);
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

#[test]
fn native_system_calls_are_the_three_known_ones() {
    let sites: Vec<u64> = instructions(text::bytes()).filter(Decoded::is_syscall).map(|d| d.position).collect();
    assert_eq!(sites.len(), 3);
    assert!(sites.contains(&text::server_call()));
    // Nor does one begin in the middle of another instruction or in data.
    let pairs = text::bytes().windows(2).filter(|w| *w == [0x0f, 0x05]).count();
    assert_eq!(pairs, 3);
}

#[test]
fn text_uses_no_vector_registers_and_no_segments() {
    let mut factory = InstructionInfoFactory::new();
    for decoded in instructions(text::bytes()) {
        let instruction = &decoded.instruction;
        assert_ne!(instruction.code(), Code::INVALID, "{:#x}", decoded.position);
        assert_eq!(instruction.segment_prefix(), Register::None);
        let saves_fpu = matches!(instruction.code(), Code::Fxsave64_m512byte | Code::Fxrstor64_m512byte);
        for used in factory.info(instruction).used_registers() {
            let vector = used.register().is_vector_register() || used.register().is_mm();
            assert!(!vector || saves_fpu, "{instruction:?}");
        }
    }
}

/// Each access to memory goes to the thread page (RSP or R11), through a pointer just loaded from it, or is in the table.
#[test]
fn fixup_table_covers_each_access_to_the_program_s_memory() {
    let mut factory = InstructionInfoFactory::new();
    let mut own: Vec<Register> = vec![];
    let mut covered = 0;
    let pointers = [
        offset_of!(ThreadPage, dispatch),
        offset_of!(ThreadPage, process),
        offset_of!(ThreadPage, time),
        offset_of!(ThreadPage, mm),
    ];
    for decoded in instructions(text::bytes()) {
        let instruction = &decoded.instruction;
        let info = factory.info(instruction);
        let touches = |base: Register| {
            base == Register::RSP || (base == Register::R11 && decoded.position < 32) || own.contains(&base)
        };
        let foreign = info.used_memory().iter().any(|memory| {
            let table = memory.base() == Register::R11 && memory.index() == Register::RCX;
            !(touches(memory.base()) || table)
        });
        let foreign = foreign && instruction.code() != Code::Lea_r64_m;
        assert_eq!(text::fixup(decoded.position).is_some(), foreign, "{:#x} {instruction:?}", decoded.position);
        covered += foreign as u32;
        // RCX is a page's address after `mov rcx, [rsp + PROCESS]` and the like, until it is written again.
        let writes_rcx = info
            .used_registers()
            .iter()
            .any(|r| r.register().full_register() == Register::RCX && !matches!(r.access(), iced_x86::OpAccess::Read));
        if writes_rcx || instruction.flow_control() == FlowControl::UnconditionalBranch {
            own.clear();
        }
        let in_page = instruction.memory_displacement64().wrapping_add(STACK) as usize;
        let page_pointer = pointers.contains(&in_page);
        if instruction.code() == Code::Mov_r64_rm64
            && instruction.op0_register() == Register::RCX
            && instruction.memory_base() == Register::RSP
            && page_pointer
        {
            own.push(Register::RCX);
        }
    }
    assert!(covered >= 18, "{covered}");
    assert_eq!(text::fixup(1 << 40), None);
}

#[test]
fn dispatch_tables_name_handlers_that_exist() {
    assert_eq!(text::handlers(), dispatch::CODES);
    assert!(dispatch::ORDINARY.iter().chain(&dispatch::TRACED).all(|&code| usize::from(code) < dispatch::CODES));
}
