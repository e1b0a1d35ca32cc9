//! The frame that a signal handler finds on its stack, and what rt_sigreturn makes of it (sigreturn(2)).
//!
//! Layout of Linux's `struct rt_sigframe` on x86_64, from the stack pointer: return address (8 bytes), `ucontext` (304), `siginfo`
//! (128); above it, aligned to 64, the FPU state as FXSAVE stores it (512). The program may change any of it; what it
//! must not have (flags of the system's, reserved bits of MXCSR, the mask of SIGKILL and SIGSTOP) is masked when it comes back.

use super::Thread;
use super::signal::{AlternateStack, SignalAction, SignalInfo, SignalSet, action_flag};
use crate::memory::{AddressSpace, USER_END};
use chestnut_linux_files::{Errno, Result};
use chestnut_linux_trampoline::Frame;
use chestnut_linux_trampoline::pages::context::{FIXED_FLAGS, PROGRAM_FLAGS};
use chestnut_linux_trampoline::pages::{AltStack, FxArea};
use chestnut_linux_trampoline::view::Handler;

const CONTEXT_BYTES: usize = 304;
const FRAME_BYTES: usize = 8 + CONTEXT_BYTES + SignalInfo::BYTES;
const FRAME_WORDS: usize = FRAME_BYTES / 8;
const FPU_BYTES: u64 = 512;
/// Below the stack pointer, used by leaf functions (System V ABI).
const RED_ZONE: u64 = 128;

/// UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
const CONTEXT_FLAGS: u64 = 6;
const USER_CODE: u64 = 0x33;
const USER_STACK: u64 = 0x2b;

/// Cleared for a handler: TF, DF, RF.
const CLEARED_FLAGS: u64 = 1 << 8 | 1 << 10 | 1 << 16;
/// Bits of MXCSR that may be set.
const MXCSR_MASK: u32 = 0xffff;

const SS_AUTODISARM: u64 = 1 << 31;

/// Word offsets in `ucontext`: uc_flags, uc_link, uc_stack (3), then the registers, uc_sigmask last.
mod word {
    pub const STACK_BASE: usize = 2;
    pub const STACK_FLAGS: usize = 3;
    pub const STACK_SIZE: usize = 4;
    pub const REGISTERS: usize = 5;
    pub const SELECTORS: usize = REGISTERS + 18;
    pub const FPU: usize = SELECTORS + 5;
    pub const MASK: usize = CONTEXT_WORDS - 1;
    pub const CONTEXT_WORDS: usize = super::CONTEXT_BYTES / 8;
}

/// Words as a program's memory has them.
macro_rules! little_endian {
    ($($word:expr),* $(,)?) => { [$($word.to_le_bytes()),*] };
}

/// `ucontext` as words.
type Context = [u64; word::CONTEXT_WORDS];

/// The registers in the order of `struct sigcontext`.
const fn registers(frame: &Frame) -> [u64; 18] {
    [
        frame.r8,
        frame.r9,
        frame.r10,
        frame.r11,
        frame.r12,
        frame.r13,
        frame.r14,
        frame.r15,
        frame.rdi,
        frame.rsi,
        frame.rbp,
        frame.rbx,
        frame.rdx,
        frame.rax,
        frame.rcx,
        frame.rsp,
        frame.rip,
        frame.rflags,
    ]
}

/// A thread's registers from a `ucontext`, with flags that the program may have.
fn from_context(context: &Context) -> Frame {
    let [r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags] =
        core::array::from_fn(|index| context[word::REGISTERS + index]);
    Frame {
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rax,
        rcx,
        rsp,
        rip,
        rflags: rflags & PROGRAM_FLAGS | FIXED_FLAGS,
        number: u64::MAX,
        cs: 0,
        ss: 0,
    }
}

/// Clears bits that FXRSTOR would fault on.
fn clean_fpu(area: &mut FxArea) {
    let mut mxcsr = u32::from_le_bytes([area.0[24], area.0[25], area.0[26], area.0[27]]);
    mxcsr &= MXCSR_MASK;
    area.0[24..28].copy_from_slice(&mxcsr.to_le_bytes());
}

/// Where a frame goes: on the alternate stack if the action wants that and the thread isn't there already. Returns the
/// addresses of FPU state and frame; `None` if the alternate stack is too small.
fn place(sp: u64, action: SignalAction, alternate: AlternateStack, disarms: bool) -> Option<(u64, u64)> {
    let on_alternate = alternate.contains(sp) && !disarms;
    let switches = action.flags & action_flag::ONSTACK != 0 && alternate.size != 0 && !on_alternate;
    let top = if switches { alternate.base.wrapping_add(alternate.size) } else { sp.wrapping_sub(RED_ZONE) };
    let fpu = top.checked_sub(FPU_BYTES)? & !63;
    let frame = (fpu.checked_sub(FRAME_BYTES as u64)? & !15).checked_sub(8)?;
    let fits = !(switches || on_alternate) || frame > alternate.base;
    (fits && top <= USER_END).then_some((fpu, frame))
}

/// Puts a frame on the thread's stack and lets its registers begin the handler. `mask` is what sigreturn shall restore.
pub fn push(thread: &Thread, info: &SignalInfo, action: SignalAction, mask: SignalSet) -> Result<()> {
    let fpu = |space: &AddressSpace, address| thread.store_fx(space, address);
    put(thread, &thread.page().frame(), info, action, mask, fpu)
}

/// The same of a thread that was interrupted at RIP, RSP and RFLAGS, and will add its other registers and the FPU's state itself.
pub fn push_interrupted(
    thread: &Thread,
    info: &SignalInfo,
    action: SignalAction,
    mask: SignalSet,
    [rip, rsp, rflags]: [u64; 3],
) -> Result<()> {
    put(thread, &Frame { rip, rsp, rflags, ..Frame::default() }, info, action, mask, |_, _| Ok(()))
}

#[inline(always)]
fn put(
    thread: &Thread,
    before: &Frame,
    info: &SignalInfo,
    action: SignalAction,
    mask: SignalSet,
    store_fpu: impl FnOnce(&AddressSpace, u64) -> Result<()>,
) -> Result<()> {
    let page = thread.page();
    let stack = page.alt_stack();
    let alternate = AlternateStack { base: stack.base, size: stack.size };
    let disarms = stack.flags & SS_AUTODISARM != 0;
    let (fpu_address, address) = place(before.rsp, action, alternate, disarms).ok_or(Errno::EFAULT)?;
    if action.flags & action_flag::RESTORER == 0 {
        return Err(Errno::EFAULT);
    }

    let fault = thread.fault.get();
    let [r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags] = registers(before);
    let flags = stack_flags(alternate, rsp, stack.flags);
    let [signal, code, first, second, third, fourth] = info.to_words();
    // In order and once, since this is the most of what a signal costs. Above the registers is what belongs to a fault, then where
    // the FPU's state is, then what Linux reserves.
    #[rustfmt::skip]
    let frame: [[u8; 8]; FRAME_WORDS] = little_endian![
        action.restorer, CONTEXT_FLAGS, 0u64, stack.base, flags, stack.size,
        r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags,
        USER_CODE | USER_STACK << 48, fault.code, fault.vector, mask.0, fault.address,
        fpu_address, 0u64, 0u64, 0u64, 0u64, 0u64, 0u64, 0u64, 0u64, mask.0,
        signal, code, first, second, third, fourth, 0u64, 0u64, 0u64, 0u64, 0u64, 0u64, 0u64, 0u64, 0u64, 0u64,
    ];
    let space = thread.space();
    store_fpu(&space, fpu_address)?;
    space.write(address, frame.as_flattened())?;

    if disarms {
        page.set_alt_stack(AltStack::default());
    }
    let context_address = address + 8;
    page.begin_handler(&Handler {
        rip: action.handler,
        rsp: address,
        arguments: [info.signal.number().into(), context_address + CONTEXT_BYTES as u64, context_address],
        rflags: rflags & !CLEARED_FLAGS,
    });
    Ok(())
}

fn stack_flags(stack: AlternateStack, sp: u64, flags: u64) -> u64 {
    let state = match (stack.size, stack.contains(sp)) {
        (0, _) => AlternateStack::DISABLE,
        (_, true) => AlternateStack::ON_STACK,
        (_, false) => 0,
    };
    flags | u64::from(state)
}

/// rt_sigreturn: the thread's state becomes what the frame below its stack pointer says.
pub fn pop(thread: &Thread) -> Result<()> {
    let page = thread.page();
    let space = thread.space();
    // The handler's `ret` has taken the return address: RSP points at the ucontext.
    let context: Context = space.read_words(page.frame().rsp)?;
    let mut fpu = FxArea::INITIAL;
    if context[word::FPU] != 0 {
        space.read(context[word::FPU], &mut fpu.0)?;
        clean_fpu(&mut fpu);
    }
    page.set_frame(&from_context(&context));
    page.set_fx(&fpu);
    thread.set_mask(SignalSet(context[word::MASK]));
    let flags = context[word::STACK_FLAGS] & 0xffff_ffff;
    let disabled = flags & u64::from(AlternateStack::DISABLE) != 0;
    let size = if disabled { 0 } else { context[word::STACK_SIZE] };
    if size == 0 || size >= AlternateStack::MINIMUM_SIZE {
        page.set_alt_stack(AltStack { base: context[word::STACK_BASE], size, flags: flags & SS_AUTODISARM });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chestnut_linux_trampoline::pages::context;

    #[test]
    fn context_offsets_are_linux_s() {
        // uc_mcontext begins at byte 40; rip is its 17th word; fpstate at 40 + 184; uc_sigmask at 296.
        assert_eq!(word::REGISTERS * 8, 40);
        assert_eq!((word::REGISTERS + 16) * 8, 168);
        assert_eq!(word::FPU * 8, 224);
        assert_eq!(word::MASK * 8, 296);
        assert_eq!(FRAME_BYTES, 440);
        // The trampoline reads it too.
        let read_there = [context::STACK, context::REGISTERS, context::FPU, context::MASK];
        assert_eq!(read_there, [word::STACK_BASE, word::REGISTERS, word::FPU, word::MASK].map(|word| word * 8));
    }

    #[test]
    fn registers_come_back_and_system_flags_do_not() {
        let frame = Frame { r8: 8, rdi: 5, rsp: 0x1000, rip: 0x2000, rflags: u64::MAX, ..Frame::default() };
        let mut context = [0; word::CONTEXT_WORDS];
        context[word::REGISTERS..word::SELECTORS].copy_from_slice(&registers(&frame));
        let back = from_context(&context);
        assert_eq!((back.r8, back.rdi, back.rsp, back.rip), (8, 5, 0x1000, 0x2000));
        // IOPL, NT and VM are gone, IF is set.
        assert_eq!(back.rflags & (0x3000 | 0x4000 | 0x2_0000), 0);
        assert_eq!(back.rflags & FIXED_FLAGS, FIXED_FLAGS);
    }

    #[test]
    fn frames_are_aligned_as_after_a_call_and_leave_the_red_zone() {
        let plain = SignalAction::default();
        for sp in (0x10_0000..0x10_0040).step_by(8) {
            let (fpu, frame) = place(sp, plain, AlternateStack::default(), false).unwrap();
            assert_eq!((fpu % 64, frame % 16), (0, 8));
            assert!(fpu + FPU_BYTES <= sp - RED_ZONE && frame + FRAME_BYTES as u64 <= fpu);
        }
    }

    #[test]
    fn the_alternate_stack_is_used_when_asked_for_and_only_once() {
        let action = SignalAction { flags: action_flag::ONSTACK, ..SignalAction::default() };
        let stack = AlternateStack { base: 0x5000, size: 0x4000 };
        let (_, frame) = place(0x10_0000, action, stack, false).unwrap();
        assert!(stack.contains(frame));
        let (_, nested) = place(frame, action, stack, false).unwrap();
        assert!(nested < frame && stack.contains(nested));
        assert_eq!(place(0x5100, action, stack, false), None);
        assert_eq!(place(0x10_0000, action, AlternateStack { base: 0x5000, size: 0x100 }, false), None);
        assert!(!stack.contains(place(0x10_0000, SignalAction::default(), stack, false).unwrap().1));
    }

    #[test]
    fn reserved_bits_of_mxcsr_are_cleared() {
        let mut area = FxArea([0xff; 512]);
        clean_fpu(&mut area);
        assert_eq!(&area.0[24..28], &[0xff, 0xff, 0, 0]);
    }
}
