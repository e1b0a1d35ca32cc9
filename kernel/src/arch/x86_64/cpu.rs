//! The one processor's state: what it can do, its control registers, and which address space it runs in.
//!
//! Everything is in one static of `Cell`s. That is sound because the kernel runs on one processor with interrupts off
//! (`SingleCore` says so once); a second processor gets a second one of these.

use super::instructions::{
    MSR_FS_BASE, MSR_GS_BASE, cpuid, read_cr0, read_cr4, read_msr, write_cr0, write_cr3, write_cr4, write_msr,
};
use super::single_core::SingleCore;
use super::tables::{self, EntryPoints, selector};
use core::arch::asm;
use core::cell::Cell;

/// What the processor has beyond what every one with long mode has.
#[derive(Clone, Copy)]
pub struct Features {
    pub huge_pages: bool,
    pub global_pages: bool,
    pub fsgsbase: bool,
    pub smep: bool,
    pub smap: bool,
    pub umip: bool,
}

struct Cpu {
    features: Cell<Features>,
    /// The address space loaded in CR3.
    root: Cell<u64>,
    kernel_root: Cell<u64>,
    /// Whether CR0.TS is clear. Writing CR0 is slow, so it is only done when that changes.
    fpu_enabled: Cell<bool>,
    /// CR0 while it isn't.
    cr0: Cell<u64>,
    /// What a user PML4's last entry has to be.
    kernel_entry: Cell<u64>,
}

static CPU: SingleCore<Cpu> = SingleCore(Cpu {
    features: Cell::new(Features {
        huge_pages: false,
        global_pages: false,
        fsgsbase: false,
        smep: false,
        smap: false,
        umip: false,
    }),
    root: Cell::new(0),
    kernel_root: Cell::new(0),
    fpu_enabled: Cell::new(false),
    cr0: Cell::new(0),
    kernel_entry: Cell::new(0),
});

const CR0_TASK_SWITCHED: u64 = 1 << 3;
const CR0_EMULATE_FPU: u64 = 1 << 2;
const CR0_MONITOR_FPU: u64 = 1 << 1;
const CR0_NUMERIC_ERROR: u64 = 1 << 5;
const CR0_WRITE_PROTECT: u64 = 1 << 16;
const CR0_ALIGNMENT_MASK: u64 = 1 << 18;

const CR4_PAE: u64 = 1 << 5;
const CR4_GLOBAL: u64 = 1 << 7;
const CR4_FXSR: u64 = 1 << 9;
const CR4_SIMD_EXCEPTIONS: u64 = 1 << 10;
const CR4_UMIP: u64 = 1 << 11;
const CR4_FSGSBASE: u64 = 1 << 16;
const CR4_SMEP: u64 = 1 << 20;
const CR4_SMAP: u64 = 1 << 21;

const MSR_SYSENTER_CS: u32 = 0x174;
const MSR_PAT: u32 = 0x277;
const MSR_EFER: u32 = 0xc000_0080;
const MSR_STAR: u32 = 0xc000_0081;
const MSR_LSTAR: u32 = 0xc000_0082;
const MSR_SFMASK: u32 = 0xc000_0084;

const EFER_SYSTEM_CALLS: u64 = 1 << 0;
const EFER_NO_EXECUTE: u64 = 1 << 11;
/// TF, IF, DF, NT, AC, and IOPL for good measure.
const SYSTEM_CALL_CLEARS: u64 = 1 << 8 | 1 << 9 | 1 << 10 | 3 << 12 | 1 << 14 | 1 << 18;
/// Memory types by PAT index as they are after reset, except index 4: write combining.
const PAT: u64 = 0x0007_0401_0007_0406;

/// Sets up everything that needs no memory map: features, control registers, segments, gates, the `syscall` registers.
/// The error names what the processor lacks.
pub(super) fn init(entries: &EntryPoints) -> Result<(), &'static str> {
    let [_, _, _, basic] = cpuid(1, 0);
    let [_, _, _, extended] = cpuid(0x8000_0001, 0);
    let [_, structured, structured_c, _] = cpuid(7, 0);
    for (word, bit, missing) in [
        (basic, 4, "the processor has no time-stamp counter"),
        (basic, 9, "the processor has no local APIC"),
        (basic, 16, "the processor has no page attribute table"),
        (basic, 24, "the processor has no FXSAVE"),
        (basic, 26, "the processor has no SSE2"),
        (extended, 11, "the processor has no SYSCALL instruction"),
        (extended, 20, "the processor has no NX bit"),
    ] {
        if word >> bit & 1 == 0 {
            return Err(missing);
        }
    }
    let features = Features {
        huge_pages: extended >> 26 & 1 != 0,
        global_pages: basic >> 13 & 1 != 0,
        fsgsbase: structured & 1 != 0,
        smep: structured >> 7 & 1 != 0,
        smap: structured >> 20 & 1 != 0,
        umip: structured_c >> 2 & 1 != 0,
    };
    CPU.0.features.set(features);
    let mut cr4 = CR4_PAE | CR4_FXSR | CR4_SIMD_EXCEPTIONS;
    for (has, bit) in [
        (features.global_pages, CR4_GLOBAL),
        (features.umip, CR4_UMIP),
        (features.fsgsbase, CR4_FSGSBASE),
        (features.smep, CR4_SMEP),
        (features.smap, CR4_SMAP),
    ] {
        cr4 |= if has { bit } else { 0 };
    }
    tables::load(entries);
    // SAFETY: the registers exist (checked above, or architectural with long mode), the values keep paging and
    // protection on, and LSTAR is the system-call stub.
    unsafe {
        write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SYSTEM_CALLS | EFER_NO_EXECUTE);
        write_msr(MSR_STAR, (selector::KERNEL_DATA | 3) << 48 | selector::KERNEL_CODE << 32);
        write_msr(MSR_LSTAR, entries.system_call);
        write_msr(MSR_SFMASK, SYSTEM_CALL_CLEARS);
        write_msr(MSR_SYSENTER_CS, 0);
        write_msr(MSR_PAT, PAT);
        write_msr(MSR_FS_BASE, 0);
        write_msr(MSR_GS_BASE, 0);
        write_cr4(cr4);
        let cleared = CR0_EMULATE_FPU | CR0_ALIGNMENT_MASK;
        let set = CR0_MONITOR_FPU | CR0_NUMERIC_ERROR | CR0_WRITE_PROTECT | CR0_TASK_SWITCHED;
        CPU.0.cr0.set(read_cr0() & !cleared | set);
        write_cr0(CPU.0.cr0.get());
    }
    Ok(())
}

pub fn features() -> Features {
    CPU.0.features.get()
}
pub fn has_1g_pages() -> bool {
    features().huge_pages
}
pub fn has_fsgsbase() -> bool {
    features().fsgsbase
}
/// The page-table bit that keeps a translation across address-space switches; 0 on a processor without it.
pub fn global_bit() -> u64 {
    if features().global_pages { 1 << 8 } else { 0 }
}

/// Makes `root` the kernel's own address space and loads it. `entry` is its last entry.
///
/// # Safety
/// `root` is the physical address of a PML4 that maps the running kernel as `boot::window` promises.
pub unsafe fn adopt_kernel_root(root: u64, entry: u64) {
    CPU.0.kernel_root.set(root);
    CPU.0.kernel_entry.set(entry);
    CPU.0.root.set(root);
    // SAFETY: the caller's promise. Global translations left by the boot tables go when CR4.PGE is toggled.
    unsafe {
        let cr4 = read_cr4();
        write_cr4(cr4 & !CR4_GLOBAL);
        write_cr3(root);
        write_cr4(cr4);
    }
}

/// The last entry of every PML4: kernel window and image.
pub fn kernel_root_entry() -> u64 {
    CPU.0.kernel_entry.get()
}

/// Loads the address space whose PML4 is at physical address `root`, unless it is loaded already; 0 = the kernel's own.
/// The PML4's last entry must be [`kernel_root_entry`].
#[inline(always)]
pub fn activate_vspace(root: u64) {
    let root = if root == 0 { CPU.0.kernel_root.get() } else { root };
    if CPU.0.root.get() != root {
        CPU.0.root.set(root);
        // SAFETY: a PML4 by the function's contract, which the paging objects keep: each is made with the kernel's entry.
        unsafe { write_cr3(root) };
    }
}

/// The address space that is loaded: physical address of its PML4.
pub fn active_vspace() -> u64 {
    CPU.0.root.get()
}

/// Drops all cached translations but the kernel's global ones.
pub fn invalidate_all() {
    // SAFETY: the root that is loaded already.
    unsafe { write_cr3(CPU.0.root.get()) };
}

/// A thread's x87 and SSE registers as FXSAVE lays them out.
#[repr(C, align(16))]
pub struct FpuState([Cell<u64>; 64]);

impl FpuState {
    /// Makes cleared memory an FPU without contents: all exceptions masked (control word 0x37f, MXCSR 0x1f80).
    pub fn initialise(&self) {
        let [control, _, _, mxcsr, ..] = &self.0;
        control.set(0x37f);
        mxcsr.set(0x1f80);
    }
}

/// Saves the FPU's registers; the FPU must be enabled.
pub fn fpu_save(into: &FpuState) {
    // SAFETY: 512 bytes of cells, aligned to 16.
    unsafe { asm!("fxsave64 [{}]", in(reg) into.0.as_ptr(), options(nostack, preserves_flags)) };
}

/// Loads the FPU's registers; the FPU must be enabled.
pub fn fpu_load(from: &FpuState) {
    // SAFETY: 512 bytes, aligned to 16, written only by `initialise` and FXSAVE, so MXCSR has no reserved bit set.
    unsafe { asm!("fxrstor64 [{}]", in(reg) from.0.as_ptr(), options(nostack, preserves_flags)) };
}

/// Lets threads, and the kernel, use the FPU.
#[inline(always)]
pub fn fpu_enable() {
    if !CPU.0.fpu_enabled.get() {
        CPU.0.fpu_enabled.set(true);
        // SAFETY: CLTS only clears CR0.TS.
        unsafe { asm!("clts", options(nomem, nostack, preserves_flags)) };
    }
}

/// Makes the next FPU instruction raise device-not-available.
#[inline(always)]
pub fn fpu_disable() {
    if CPU.0.fpu_enabled.get() {
        CPU.0.fpu_enabled.set(false);
        // SAFETY: only CR0.TS changes.
        unsafe { write_cr0(CPU.0.cr0.get()) };
    }
}
