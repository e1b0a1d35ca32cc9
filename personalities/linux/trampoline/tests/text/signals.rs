//! What the text does about signals without the server: telling of actions, coming back from a handler.

use core::cell::Cell;
use std::rc::Rc;

use chestnut_linux_trampoline::pages::{AltStack, FxArea, SIGNALS, context};
use chestnut_linux_trampoline::text::Stopped;
use chestnut_linux_trampoline::view::Handler;
use chestnut_linux_trampoline::{Frame, Reply, Request, text};

use crate::machine::{Machine, Program, elsewhere, return_address};
use crate::requests::{answer, local, remote, take_signals_once};

const RT_SIGACTION: u64 = 13;
const RT_SIGRETURN: u64 = 15;
const EFAULT: i64 = -14;

fn action(signal: u64) -> [u64; 4] {
    [signal << 8, signal << 16, signal << 24, signal << 32]
}

#[test]
fn actions_are_told_once_they_are_shown() {
    let machine = Machine::new();
    let old = machine.scratch_address();
    remote(&machine, RT_SIGACTION, &[10, 0, old, 8]);
    machine.process.show_actions(0, (1..=SIGNALS as u64).map(action));
    assert!(machine.process.shows_actions());
    for signal in [1, 10, 64] {
        assert_eq!(local(&machine, RT_SIGACTION, &[signal, 0, old, 8]), 0);
        assert_eq!([0, 1, 2, 3].map(|word| machine.scratch_word(word)), action(signal));
        assert_eq!(local(&machine, RT_SIGACTION, &[signal, 0, 0, 8]), 0);
    }
    machine.process.show_actions(9, core::iter::once([1, 2, 3, 4]));
    assert_eq!(local(&machine, RT_SIGACTION, &[10, 0, old, 8]), 0);
    assert_eq!([0, 1, 2, 3].map(|word| machine.scratch_word(word)), [1, 2, 3, 4]);
    assert_eq!(local(&machine, RT_SIGACTION, &[11, 0, old, 8]), 0);
    assert_eq!(machine.scratch_word(0), action(11)[0]);
    assert_eq!(local(&machine, RT_SIGACTION, &[11, 0, machine.hole(), 8]), EFAULT);
    // Changing one, no such signal, another size.
    remote(&machine, RT_SIGACTION, &[10, old, 0, 8]);
    for signal in [0, 65, u64::MAX] {
        remote(&machine, RT_SIGACTION, &[signal, 0, old, 8]);
    }
    remote(&machine, RT_SIGACTION, &[10, 0, old, 4]);
    machine.process.hide_actions();
    remote(&machine, RT_SIGACTION, &[10, 0, old, 8]);
}

/// Actions that change between two readings are asked of the server, wherever the thread is stopped meanwhile.
#[test]
fn half_read_actions_are_not_told() {
    let machine = Machine::new();
    let old = machine.scratch_address();
    let places: Vec<u64> = crate::scan::instructions(text::bytes()).map(|i| i.position).collect();
    let mut met = 0;
    for place in places {
        machine.process.show_actions(0, core::iter::repeat_n([1; 4], SIGNALS));
        machine.serve(|_| answer(Reply::Done(77)));
        let process = machine.process;
        machine.break_at(place, move |_| {
            process.show_actions(0, core::iter::repeat_n([2; 4], SIGNALS));
            None
        });
        (0..4).for_each(|word| machine.set_scratch_word(word, 0));
        let result = machine.run(Program::call(RT_SIGACTION, &[10, 0, old, 8])).rax;
        let told = [0, 1, 2, 3].map(|word| machine.scratch_word(word));
        let whole = told == [1; 4] || told == [2; 4];
        assert!(if result == 0 { whole } else { result == 77 && told == [0; 4] }, "{place:#x}: {result} {told:?}");
        met += u32::from(machine.stopped());
        machine.clear_breakpoint();
    }
    assert!(met > 40, "{met}");
}

#[test]
fn actions_are_changed_by_the_thread_that_has_them() {
    let machine = Machine::new();
    let (new, old) = (machine.scratch_address(), machine.scratch_address() + 64);
    let set_new = |words: [u64; 4]| (0..4).for_each(|at| machine.set_scratch_word(at, words[at]));
    let told = || [8, 9, 10, 11].map(|word| machine.scratch_word(word));
    set_new([1, 2, 3, 4]);
    remote(&machine, RT_SIGACTION, &[10, new, old, 8]);
    // What the process page says no longer counts.
    machine.process.show_actions(0, core::iter::repeat_n([9; 4], SIGNALS));
    machine.thread.give_actions((1..=SIGNALS as u64).map(action));
    assert_eq!(local(&machine, RT_SIGACTION, &[10, 0, old, 8]), 0);
    assert_eq!((told(), machine.thread.action(10)), (action(10), action(10)));
    for signal in [1, 10, 64] {
        set_new([1, u64::MAX, 3, u64::MAX]);
        assert_eq!(local(&machine, RT_SIGACTION, &[1 << 32 | signal, new, old, 8]), 0);
        let expected = [1, 0xdc00_0807, 3, !0x40100];
        assert_eq!((told(), machine.thread.action(signal as usize)), (action(signal), expected));
        set_new([5, 6, 7, 8]);
        assert_eq!(local(&machine, RT_SIGACTION, &[signal, new, 0, 8]), 0);
        assert_eq!(machine.thread.action(signal as usize), [5, 6, 7, 8]);
    }
    assert_eq!(machine.thread.action(11), action(11));
    // What can't be read changes nothing; what can't be told has been changed.
    assert_eq!(local(&machine, RT_SIGACTION, &[11, machine.hole() - 24, old, 8]), EFAULT);
    assert_eq!(machine.thread.action(11), action(11));
    assert_eq!(local(&machine, RT_SIGACTION, &[11, new, machine.hole(), 8]), EFAULT);
    assert_eq!(machine.thread.action(11), [5, 6, 7, 8]);
    // The two that nobody changes, no such signal, another size, a signal that is pending.
    for signal in [9, 19, 0, 65, u64::MAX] {
        remote(&machine, RT_SIGACTION, &[signal, new, old, 8]);
    }
    assert_eq!(local(&machine, RT_SIGACTION, &[9, 0, old, 8]), 0);
    remote(&machine, RT_SIGACTION, &[12, new, old, 4]);
    machine.thread.set_pending(1 << 11);
    remote(&machine, RT_SIGACTION, &[12, new, old, 8]);
    assert_eq!(machine.thread.action(12), action(12));
    assert_eq!(local(&machine, RT_SIGACTION, &[12, 0, old, 8]), 0);
    assert_eq!(local(&machine, RT_SIGACTION, &[44, new, old, 8]), 0);
    machine.thread.keep_actions();
    remote(&machine, RT_SIGACTION, &[13, new, old, 8]);
}

/// Whoever looks while the thread is stopped finds the action as it was or as it is then.
#[test]
fn an_action_changes_at_one_instruction() {
    let machine = Machine::new();
    let places: Vec<u64> = crate::scan::instructions(text::bytes()).map(|i| i.position).collect();
    let seen: Rc<Cell<[u32; 2]>> = Rc::default();
    for place in places {
        machine.thread.give_actions(core::iter::repeat_n([1; 4], SIGNALS));
        (0..4).for_each(|at| machine.set_scratch_word(at, 2));
        let (thread, seen) = (machine.thread, seen.clone());
        machine.break_at(place, move |_| {
            let [mut before, mut after] = seen.get();
            match thread.action(10) {
                [1, 1, 1, 1] => before += 1,
                [2, 2, 2, 2] => after += 1,
                other => panic!("{place:#x}: {other:?}"),
            }
            seen.set([before, after]);
            None
        });
        assert_eq!(local(&machine, RT_SIGACTION, &[10, machine.scratch_address(), 0, 8]), 0);
        assert_eq!(machine.thread.action(10), [2; 4]);
        machine.clear_breakpoint();
    }
    assert!(seen.get().iter().all(|&count| count > 10), "{:?}", seen.get());
}

/// Where the signal frame lies in the scratch page, as words, and the FPU's state in it.
const CONTEXT: usize = 64;
const FPU: usize = 128;

/// Puts a signal frame there: a program with these registers. R11 and RCX are its own, too.
fn put_context(machine: &Machine, program: &Program, mask: u64, stack: AltStack) {
    let p = program;
    let set = |offset: usize, value| machine.set_scratch_word(CONTEXT + offset / 8, value);
    let registers = [
        p.r8,
        p.r9,
        p.r10,
        p.r11,
        p.r12,
        p.r13,
        p.r14,
        p.r15,
        p.rdi,
        p.rsi,
        p.rbp,
        p.rbx,
        p.rdx,
        p.rax,
        p.rcx,
        0,
        elsewhere(),
        p.rflags,
    ];
    for (index, register) in registers.into_iter().enumerate() {
        set(context::REGISTERS + index * 8, register);
    }
    for (index, word) in [stack.base, stack.flags, stack.size].into_iter().enumerate() {
        set(context::STACK + index * 8, word);
    }
    set(context::FPU, machine.scratch_address() + FPU as u64 * 8);
    set(context::MASK, mask);
    for (index, bytes) in FxArea::INITIAL.0.as_chunks().0.iter().enumerate() {
        machine.set_scratch_word(FPU + index, u64::from_le_bytes(*bytes));
    }
    // XMM5.
    machine.set_scratch_word(FPU + (160 + 5 * 16) / 8, p.xmm5[0]);
    machine.set_scratch_word(FPU + (160 + 5 * 16) / 8 + 1, p.xmm5[1]);
}

/// The program returns from a handler whose frame is at an address, where sigreturn finds RSP. Its real stack is where the frame says
/// that RSP shall be, and in the cell for a server that answers otherwise.
fn sigreturn(machine: &Machine, address: u64, real: &Rc<Cell<u64>>) -> Program {
    let after_rsp_is_stored = crate::scan::instructions(text::bytes()).nth(2).expect("there are more").position;
    let (thread, scratch, real) = (machine.thread, machine.scratch, real.clone());
    machine.break_at(after_rsp_is_stored, move |_| {
        let mut frame = thread.frame();
        real.set(frame.rsp);
        // SAFETY: inside the scratch page.
        unsafe { scratch.add(CONTEXT + context::REGISTERS / 8 + 15).write_volatile(frame.rsp) };
        frame.rsp = address;
        thread.set_frame(&frame);
        None
    });
    machine.run(Program::pattern(RT_SIGRETURN))
}

#[test]
fn all_registers_come_back_from_a_handler() {
    let machine = Machine::new();
    let own = AltStack { base: 0x1000, size: 0x4000, flags: 0 };
    let ucontext = machine.scratch_address() + CONTEXT as u64 * 8;
    for (number, flags) in [(1, 0), (2, 1 << 31), (3, 1)] {
        let before = Program { rflags: 0x202 | 0x8d5, ..Program::pattern(1 << 40 | number) };
        put_context(&machine, &before, 0x0f0f | 1 << 8, AltStack { flags, ..own });
        let after = sigreturn(&machine, ucontext, &Rc::default());
        assert_eq!(Program { rsp: 0, ..after }, before);
        assert_eq!(machine.thread.blocked(), 0x0e0f, "SIGKILL can't be blocked");
        assert_eq!(machine.thread.alt_stack(), AltStack { flags: flags & 1 << 31, ..own });
    }
    // The flags that are the system's are not taken.
    let before = Program { rflags: 0x202, ..Program::pattern(5) };
    put_context(&machine, &Program { rflags: 0x202 | 1 << 14 | 3 << 12, ..before }, 0, own);
    assert_eq!(Program { rsp: 0, ..sigreturn(&machine, ucontext, &Rc::default()) }, before);
    // No stack any more; then one too small to be one.
    put_context(&machine, &before, 0, AltStack { flags: 2, ..own });
    sigreturn(&machine, ucontext, &Rc::default());
    assert_eq!(machine.thread.alt_stack().size, 0);
    machine.thread.set_alt_stack(own);
    put_context(&machine, &before, 0, AltStack { size: 2047, ..own });
    sigreturn(&machine, ucontext, &Rc::default());
    assert_eq!(machine.thread.alt_stack(), own);
}

#[test]
fn what_the_handler_s_mask_held_back_is_taken() {
    let machine = Machine::new();
    let before = Program { rflags: 0x202, ..Program::pattern(9) };
    let ucontext = machine.scratch_address() + CONTEXT as u64 * 8;
    machine.thread.set_blocked(!0);
    machine.thread.set_pending(0b100);
    put_context(&machine, &before, 0b110, AltStack::default());
    let taken = take_signals_once(&machine, |_| {});
    sigreturn(&machine, ucontext, &Rc::default());
    assert_eq!(taken.get(), 0);
    put_context(&machine, &before, 0b010, AltStack::default());
    let after = sigreturn(&machine, ucontext, &Rc::default());
    assert_eq!((taken.get(), Program { rsp: 0, ..after }), (1, before));
}

/// A frame that isn't there, is there only half, or has FPU state that can't be: the server sees the call as it was made.
#[test]
fn bad_frames_are_the_server_s() {
    let machine = Machine::new();
    let good = machine.scratch_address() + CONTEXT as u64 * 8;
    let set = |machine: &Machine, offset: usize, value| machine.set_scratch_word(CONTEXT + offset / 8, value);
    let spoil: [(&str, u64, Option<u64>); 6] = [
        ("nothing there", machine.hole(), None),
        ("no address", 1 << 63, None),
        ("its end is missing", machine.hole() - context::MASK as u64, None),
        ("no FPU state", good, Some(0)),
        ("FPU state that isn't there", good, Some(machine.hole())),
        ("FPU state at an odd address", good, Some(good + 4)),
    ];
    for (what, address, fpu) in spoil {
        put_context(&machine, &Program::pattern(4), 0, AltStack::default());
        if let Some(fpu) = fpu {
            set(&machine, context::FPU, fpu);
        }
        machine.thread.set_blocked(5);
        let asked = Rc::new(Cell::new(0));
        let (count, thread, real) = (asked.clone(), machine.thread, Rc::<Cell<u64>>::default());
        let stack = real.clone();
        let program = Program::pattern(RT_SIGRETURN);
        machine.serve(move |native| {
            let request = Request::decode(chestnut_abi::MessageInfo(native.info), native.words, thread);
            assert!(matches!(request, Some(Request::Syscall { number: RT_SIGRETURN, .. })), "{what}");
            let mut frame = thread.frame();
            assert_eq!((frame.rsp, frame.rdi, frame.r15), (address, program.rdi, program.r15), "{what}");
            assert_eq!(thread.blocked(), 5, "{what}");
            count.set(count.get() + 1);
            frame.rsp = stack.get();
            thread.set_frame(&frame);
            answer(Reply::Done(3))
        });
        assert_eq!(sigreturn(&machine, address, &real).rax, 3, "{what}");
        assert_eq!(asked.get(), 1, "{what}");
    }
}

/// After an exception the server has written the frame but for what it doesn't know.
#[test]
fn a_handler_begins_at_once_and_finds_the_thread_s_registers() {
    let machine: &'static Machine = Box::leak(Machine::new());
    let thread = machine.thread;
    let (context, fpu) = (machine.scratch_address() + 8 * CONTEXT as u64, machine.scratch_address() + 8 * FPU as u64);
    machine.set_scratch_word(CONTEXT + context::FPU / 8, fpu);
    let ways_out = crate::scan::instructions(text::bytes()).map(|i| i.position);
    let short_tail = ways_out.filter(|&at| text::stopped_at(at) == Stopped::RewindTo(at) && at != text::start()).max();
    let program = Program::pattern(3);
    // A stop at the text's first instruction stands for an exception in the program.
    machine.break_at(text::entry(), move |rsp| {
        let arguments = [5, 6, 7];
        thread.begin_handler(&Handler { rip: return_address(), rsp: context - 8, rflags: 0x246, arguments });
        // The program's stack isn't that of its handler here.
        machine.break_at(short_tail.expect("two tails"), move |_| {
            thread.set_frame(&Frame { rsp, ..thread.frame() });
            None
        });
        Some(text::handlerenter())
    });
    let p = program;
    let after = machine.run(program);
    assert!(machine.stopped());
    let (rcx, r11) = (return_address(), machine.thread_page());
    let registers = [p.r8, p.r9, p.r10, r11, p.r12, p.r13, p.r14, p.r15, p.rdi, p.rsi, p.rbp, p.rbx, p.rdx, p.rax, rcx];
    for (index, value) in registers.into_iter().enumerate() {
        assert_eq!(machine.scratch_word(CONTEXT + context::REGISTERS / 8 + index), value, "{index}");
    }
    // MXCSR and XMM5.
    let saved = |byte: usize| machine.scratch_word(FPU + byte / 8);
    assert_eq!((saved(24) as u32, saved(240), saved(248)), (p.mxcsr, p.xmm5[0], p.xmm5[1]));
    let expected = Program { rdi: 5, rsi: 6, rdx: 7, rax: 0, rcx, r11: 0x246, rflags: after.rflags, rsp: 0, ..program };
    assert_eq!(after, expected);
}
