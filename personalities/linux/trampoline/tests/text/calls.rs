//! System calls that the text answers, and how the others reach the server.

use core::cell::RefCell;
use std::rc::Rc;

use chestnut_abi::Syscall;
use chestnut_linux_trampoline::pages::{AltStack, FUTEX_BUCKETS, FxArea, futex_bucket};
use chestnut_linux_trampoline::{Frame, Reply, TimePage};

use crate::machine::{IDS, Machine, Native, Program, TID, return_address};
use crate::requests::{answer, assert_kept, local, remote, take_signals_once};

const EPERM: i64 = -1;
const EAGAIN: i64 = -11;
const ENOMEM: i64 = -12;
const EFAULT: i64 = -14;
const EINVAL: i64 = -22;
const ENOSYS: i64 = -38;

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
    for number in [0, 1, 59, 334, 511, 0x5_0000_0000] {
        remote(&machine, number, &[]);
    }
}

#[test]
fn numbers_that_are_no_calls_are_answered_here_unless_traced() {
    let machine = Machine::new();
    let numbers = [512, 1000, 100_000, 0x4000_0000, 0xffff_ffff, 0x5_0000_0400];
    for number in numbers {
        assert_eq!(local(&machine, number, &[]), ENOSYS);
    }
    machine.thread.set_traced(machine.addresses().process, true);
    for number in numbers {
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
