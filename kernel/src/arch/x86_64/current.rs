//! Whose registers are in the processor: a thread's, or those of the idle loop.

use super::context::Context;
use super::cpu;
use super::instructions::{MSR_FS_BASE, MSR_GS_BASE, write_msr};
use super::single_core::SingleCore;
use super::tables::{self, EntryPoints};
use core::arch::asm;

static IDLE: SingleCore<Context> = SingleCore(Context::of([0; Context::WORDS]));

/// Sets up everything that needs no memory map: features, control registers, segments, gates, the `syscall` registers;
/// the idle loop is current. The error names what the processor lacks.
pub fn cpu_init(entries: &EntryPoints) -> Result<(), &'static str> {
    IDLE.0.make_idle(entries.idle);
    tables::set_current_end(IDLE.0.end());
    cpu::init(entries)
}

/// Whose registers are restored when the kernel is left, by the end of the context: what the entrances of system calls tell their stub.
#[repr(transparent)]
pub struct Resumed(u64);

/// Those of the current context.
#[inline(always)]
pub fn current_context() -> Resumed {
    Resumed(tables::current_end())
}

/// Says whose registers the next entry saves and the next return restores; `None` = idle. Segment bases go with it.
///
/// The previous thread's bases are saved into its context here, so that memory must still be a context: a deleted
/// thread's is until the next kernel entry, and by then another one is current.
pub fn set_current_context(context: Option<&Context>) {
    let new = context.unwrap_or(&IDLE.0);
    let old_end = tables::current_end();
    if old_end != new.end() {
        // SAFETY: RSP0 always points at the end of the current context, which lives (see above); contexts are only shared.
        switch_bases(unsafe { &*((old_end - Context::END as u64) as *const Context) }, new);
        _ = switch_context(new);
    }
}

/// The same for a thread's, without segment bases: if the previous thread or this one has any, [`switch_bases`] follows or came before.
#[inline(always)]
pub fn switch_context(new: &Context) -> Resumed {
    tables::set_current_end(new.end());
    current_context()
}

/// The segment bases go from one thread's to the other's.
pub fn switch_bases(old: &Context, new: &Context) {
    if cpu::has_fsgsbase() {
        old.save_bases();
        // SAFETY: both bases are canonical: set by `Context::set`, or read from the registers before.
        unsafe {
            if old.fs_base.get() != new.fs_base.get() {
                asm!("wrfsbase {}", in(reg) new.fs_base.get(), options(nostack, preserves_flags));
            }
            if old.gs_base.get() != new.gs_base.get() {
                asm!("wrgsbase {}", in(reg) new.gs_base.get(), options(nostack, preserves_flags));
            }
        }
        return;
    }
    load_fs_base(new);
    // SAFETY: canonical as above, and the register comes with long mode.
    unsafe { write_msr(MSR_GS_BASE, new.gs_base.get()) };
}

/// Loads a thread's FS base, where threads can't set theirs. They can zero it, by loading a selector, so it's only known to be there if it is 0.
#[inline(always)]
pub fn load_fs_base(of: &Context) {
    // SAFETY: canonical, by `Context::set`, and the register comes with long mode.
    unsafe { write_msr(MSR_FS_BASE, of.fs_base.get()) };
}
