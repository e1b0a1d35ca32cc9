//! A thread's registers, laid out so that the processor and the entry stubs save them where they stay.
//!
//! The task-state segment's RSP0 points at [`Context::END`] of the current thread, so an interrupt or exception pushes
//! its frame straight into the context, and the stubs push the general registers below it: nothing is copied. A system
//! call does the same by hand. Without a thread the idle context takes that place; it runs `hlt` in kernel mode with
//! its stack pointer at its own end, so that an interrupt out of it lands in the same way.
//!
//! Guarantees: whatever [`Context::set`] is given, the return to user mode can't fault in kernel mode and can't raise
//! privilege (RIP canonical and below the user's end, RFLAGS with interrupts on and IOPL 0, selectors constant).

use super::instructions::{MSR_FS_BASE, MSR_GS_BASE, write_msr};
use super::{cpu, tables, tables::selector};
use chestnut_abi::registers::Register::{self, FsBase, GsBase, R11, Rcx, Rflags, Rip};
use core::cell::Cell;
use core::mem::offset_of;

type Word = Cell<u64>;

/// First field of a TCB. From the lowest address: what the stubs pop in order, then the processor's frame, then the
/// segment bases, which live in the processor while the thread is current.
#[repr(C, align(16))]
pub struct Context {
    rdi: Word,
    rsi: Word,
    rdx: Word,
    r10: Word,
    r8: Word,
    r9: Word,
    r15: Word,
    r12: Word,
    r13: Word,
    rax: Word,
    rbx: Word,
    rbp: Word,
    r14: Word,
    r11: Word,
    rcx: Word,
    /// How the kernel was entered last: [`SYSTEM_CALL`], [`SYSTEM_CALL_CHANGED`], a vector, or [`OTHER`].
    entered: Word,
    error_code: Word,
    rip: Word,
    cs: Word,
    rflags: Word,
    rsp: Word,
    ss: Word,
    pub(super) fs_base: Word,
    pub(super) gs_base: Word,
    /// What a switch from or to the thread concerns beside this: [`Context::FPU`] and so on. May say too much.
    pub extended: Word,
}

/// Entered by `syscall`, which leaves RIP in RCX and RFLAGS in R11: these aren't saved, and the return goes by `sysretq`.
const SYSTEM_CALL: u64 = u64::MAX;
/// Entered by `syscall`, but somebody has set RCX or R11 since: the return goes by `iretq`.
const SYSTEM_CALL_CHANGED: u64 = u64::MAX - 1;
/// Not entered by `syscall`, or sent elsewhere since: the return goes by `iretq`.
const OTHER: u64 = 0x100;

/// Bytes in a `syscall` instruction.
pub const SYSTEM_CALL_LENGTH: u64 = 2;
/// Carry, parity, auxiliary, zero, sign, trap, direction, overflow, alignment check, identification: the user's own.
const USER_FLAGS: u64 = 0x0024_0dd5;
/// Interrupts on, and the bit that is always 1.
const FIXED_FLAGS: u64 = 0x202;

impl Context {
    /// The thread's state may be in the FPU.
    pub const FPU: u64 = 1;
    /// Its FS base isn't 0.
    pub const FS: u64 = 2;
    /// Its GS base isn't 0, or it may set either by itself.
    pub const BASES: u64 = 4;
    /// Where the processor's frame begins (downwards) and the general registers, and what the stubs test.
    pub const END: usize = offset_of!(Self, fs_base);
    pub const RSP: usize = offset_of!(Self, rsp);
    pub const RFLAGS: usize = offset_of!(Self, rflags);
    pub const CS: usize = offset_of!(Self, cs);
    pub const RIP: usize = offset_of!(Self, rip);
    pub const ERROR_CODE: usize = offset_of!(Self, error_code);
    pub const ENTERED: usize = offset_of!(Self, entered);
    pub const R11: usize = offset_of!(Self, r11);
    pub const RDX: usize = offset_of!(Self, rdx);

    /// Makes cleared memory a user thread's registers: all 0 but the selectors and RFLAGS.
    pub fn initialise(&self) {
        self.entered.set(OTHER);
        self.cs.set(selector::USER_CODE);
        self.ss.set(selector::USER_DATA);
        self.rflags.set(FIXED_FLAGS);
        self.extended.set(if cpu::has_fsgsbase() { Self::BASES } else { 0 });
    }

    /// Words that stub and processor push, and all.
    pub const FRAME_WORDS: usize = Self::END / 8;
    pub const WORDS: usize = size_of::<Self>() / 8;

    /// A context of these words, in the order of its fields.
    pub(super) const fn of(words: [u64; Self::WORDS]) -> Self {
        // SAFETY: a context is these words (`repr(C)`, size asserted below; the last is padding up to its alignment), and any word is a valid one.
        unsafe { core::mem::transmute::<[u64; Self::WORDS], Self>(words) }
    }

    /// A copy of what stub and processor pushed elsewhere than into a context.
    pub(super) fn from_frame(frame: &[u64; Self::FRAME_WORDS]) -> Self {
        Self::of(core::array::from_fn(|index| frame.get(index).copied().unwrap_or(0)))
    }

    /// Makes this the context of a kernel-mode loop at `rip` that keeps its stack pointer at the context's own end.
    pub(super) fn make_idle(&self, rip: u64) {
        self.initialise();
        self.cs.set(selector::KERNEL_CODE);
        self.ss.set(selector::KERNEL_DATA);
        self.rip.set(rip);
        self.rsp.set(self.end());
    }

    /// The address that RSP0 has while this thread is current.
    pub(super) fn end(&self) -> u64 {
        (&raw const self.fs_base) as u64
    }

    fn word(&self, r: Register) -> &Word {
        match r {
            Rip => &self.rip,
            Register::Rsp => &self.rsp,
            Rflags => &self.rflags,
            Register::Rax => &self.rax,
            Register::Rbx => &self.rbx,
            Rcx => &self.rcx,
            Register::Rdx => &self.rdx,
            Register::Rsi => &self.rsi,
            Register::Rdi => &self.rdi,
            Register::Rbp => &self.rbp,
            Register::R8 => &self.r8,
            Register::R9 => &self.r9,
            Register::R10 => &self.r10,
            R11 => &self.r11,
            Register::R12 => &self.r12,
            Register::R13 => &self.r13,
            Register::R14 => &self.r14,
            Register::R15 => &self.r15,
            FsBase => &self.fs_base,
            GsBase => &self.gs_base,
        }
    }

    /// Saves the live bases; only on a processor with the instructions.
    #[inline(always)]
    pub(super) fn save_bases(&self) {
        let (fs_base, gs_base): (u64, u64);
        // SAFETY: only called where the processor has the instructions and CR4 enables them.
        unsafe {
            core::arch::asm!("rdfsbase {}", "rdgsbase {}", out(reg) fs_base, out(reg) gs_base,
                options(nomem, nostack, preserves_flags));
        }
        self.fs_base.set(fs_base);
        self.gs_base.set(gs_base);
    }

    /// Makes the context say what nobody has saved yet: the bases if they are in the processor, RCX and R11 of a system call.
    #[inline(never)]
    fn complete(&self) {
        if self.end() == tables::current_end() && cpu::has_fsgsbase() {
            self.save_bases();
        }
        if self.entered.get() == SYSTEM_CALL {
            self.rcx.set(self.rip.get());
            self.r11.set(self.rflags.get());
        }
    }

    /// The saved value; of a segment base the live one while the thread is current.
    pub fn get(&self, r: Register) -> u64 {
        if matches!(r, Rcx | R11 | FsBase | GsBase) {
            self.complete();
        }
        self.word(r).get()
    }

    /// Sets a register, made harmless: an address that must be a user's becomes 0 if it isn't, RFLAGS keeps only the
    /// user's bits. Setting RIP, RCX or R11 makes the next return restore all registers.
    pub fn set(&self, r: Register, value: u64) {
        let value = match r {
            Rip | FsBase | GsBase if value >= chestnut_abi::layout::USER_END => 0,
            Rflags => value & USER_FLAGS | FIXED_FLAGS,
            _ => value,
        };
        match r {
            Rip | Rcx | R11 if self.entered.get() >= SYSTEM_CALL_CHANGED => self.set_special(r, value),
            FsBase | GsBase => self.set_special(r, value),
            _ => self.word(r).set(value),
        }
    }

    #[inline(never)]
    fn set_special(&self, r: Register, value: u64) {
        self.complete();
        self.word(r).set(value);
        if matches!(r, Rip | Rcx | R11) {
            return self.entered.set(if r == Rip { OTHER } else { SYSTEM_CALL_CHANGED });
        }
        let fs = if self.fs_base.get() != 0 { Self::FS } else { 0 };
        let bases = if cpu::has_fsgsbase() || self.gs_base.get() != 0 { Self::BASES } else { fs };
        self.extended.set(self.extended.get() & Self::FPU | bases);
        if self.end() == tables::current_end() {
            // SAFETY: canonical: one has just been made so, the other is as the processor had it.
            unsafe { write_msr(MSR_FS_BASE, self.fs_base.get()) };
            // SAFETY: likewise.
            unsafe { write_msr(MSR_GS_BASE, self.gs_base.get()) };
        }
    }

    /// The instruction that entered the kernel: the `syscall` itself, or where the interrupt or exception happened.
    /// Once RIP has been set it is the new RIP.
    pub fn fault_ip(&self) -> u64 {
        let by_system_call = u64::from(self.entered.get() >= SYSTEM_CALL_CHANGED);
        self.rip.get().wrapping_sub(by_system_call * SYSTEM_CALL_LENGTH)
    }

    /// Makes `ip` the instruction that [`Context::restart`] goes back to, and where the thread goes on until then.
    #[inline(never)]
    pub fn set_fault_ip(&self, ip: u64) {
        self.set(Rip, ip);
    }

    /// Makes the thread execute the instruction that entered the kernel again.
    pub fn restart(&self) {
        if self.fault_ip() != self.rip.get() {
            self.set(Rip, self.fault_ip());
        }
    }

    pub fn capability_register(&self) -> u64 {
        self.rdi.get()
    }
    pub fn set_badge(&self, badge: u64) {
        self.rdi.set(badge);
    }
    pub fn message_info(&self) -> u64 {
        self.rsi.get()
    }
    pub fn set_message_info(&self, info: u64) {
        self.rsi.set(info);
    }
    fn message_word(&self, index: usize) -> Option<&Word> {
        match index {
            0 => Some(&self.r10),
            1 => Some(&self.r8),
            2 => Some(&self.r9),
            3 => Some(&self.r15),
            _ => None,
        }
    }
    /// Message word 0 to 3; 0 for a word that no register carries.
    pub fn message_register(&self, index: usize) -> u64 {
        self.message_word(index).map_or(0, Cell::get)
    }
    /// Sets message word 0 to 3; nothing for a word that no register carries.
    pub fn set_message_register(&self, index: usize, value: u64) {
        if let Some(word) = self.message_word(index) {
            word.set(value);
        }
    }
    /// Copies the message words to another thread's registers.
    #[inline(always)]
    pub fn copy_message(&self, to: &Self) {
        to.r10.set(self.r10.get());
        to.r8.set(self.r8.get());
        to.r9.set(self.r9.get());
        to.r15.set(self.r15.get());
    }
    /// The first `length` of them, at most all.
    #[inline(always)]
    pub fn copy_some_message(&self, to: &Self, length: usize) {
        if length > 3 {
            return self.copy_message(to);
        }
        (0..length).for_each(|index| to.set_message_register(index, self.message_register(index)));
    }
    pub fn reply_register(&self) -> u64 {
        self.r12.get()
    }
    pub fn destination_register(&self) -> u64 {
        self.r13.get()
    }
    pub fn system_call_number(&self) -> i64 {
        self.rdx.get().cast_signed()
    }
}

const _: () = {
    // The processor aligns RSP to 16 bytes before it pushes. A system call saves what is below R11: thirteen registers.
    assert!(Context::END.is_multiple_of(16) && Context::END == 176 && size_of::<Context>() == 208);
    assert!(Context::RIP + 40 == Context::END && Context::RSP + 16 == Context::END);
    assert!(Context::R11 == 13 * 8 && Context::ENTERED == 15 * 8);
};
