//! The processor's instructions that Rust has no name for, one function each.
//!
//! Guarantees nothing by itself. A function is safe where the instruction can at worst slow the kernel down or read a
//! harmless value, and `unsafe` where its argument decides whether the kernel survives.

use core::arch::asm;

pub(super) const MSR_FS_BASE: u32 = 0xc000_0100;
pub(super) const MSR_GS_BASE: u32 = 0xc000_0101;

/// The time-stamp counter.
#[inline(always)]
pub fn now() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: RDTSC only reads the counter; every processor with long mode has it.
    unsafe { asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}

/// Registers eax, ebx, ecx, edx of CPUID; zeros for a leaf beyond the last one of its range.
pub(super) fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    let last = core::arch::x86_64::__cpuid(leaf & 0xffff_0000).eax;
    let r = core::arch::x86_64::__cpuid_count(leaf, subleaf);
    if leaf > last { [0; 4] } else { [r.eax, r.ebx, r.ecx, r.edx] }
}

/// Copies words, the lowest first.
///
/// # Safety
/// Both places have so many, and Rust knows of no reference to them.
#[inline(always)]
pub unsafe fn copy_words(from: *const u64, to: *mut u64, count: usize) {
    // SAFETY: the caller's promise; the direction flag is clear in the kernel.
    unsafe {
        asm!("rep movsq", inout("rsi") from => _, inout("rdi") to => _, inout("rcx") count => _, options(nostack))
    };
}

/// Reads `bytes` (1, 2 or 4) from an I/O port; 0 for another width.
pub fn port_in(port: u16, bytes: u8) -> u32 {
    let mut value = 0;
    // SAFETY: port input can't touch memory that Rust knows; who may read which port is decided by capabilities.
    unsafe {
        match bytes {
            1 => asm!("in al, dx", in("dx") port, inout("eax") value, options(nostack, preserves_flags)),
            2 => asm!("in ax, dx", in("dx") port, inout("eax") value, options(nostack, preserves_flags)),
            4 => asm!("in eax, dx", in("dx") port, inout("eax") value, options(nostack, preserves_flags)),
            _ => {}
        }
    }
    value
}

/// Writes the low `bytes` (1, 2 or 4) of `value` to an I/O port; nothing for another width.
pub fn port_out(port: u16, bytes: u8, value: u32) {
    // SAFETY: as for input. A device told to write to memory by this is the capability holder's doing: without an
    // IOMMU, whoever drives such a device is trusted with all memory.
    unsafe {
        match bytes {
            1 => asm!("out dx, al", in("dx") port, in("al") value as u8, options(nostack, preserves_flags)),
            2 => asm!("out dx, ax", in("dx") port, in("ax") value as u16, options(nostack, preserves_flags)),
            4 => asm!("out dx, eax", in("dx") port, in("eax") value, options(nostack, preserves_flags)),
            _ => {}
        }
    }
}

/// # Safety
/// The processor has the register, or the build recovers from the fault (`msr`).
pub(super) unsafe fn read_msr(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller's promise.
    unsafe {
        asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// # Safety
/// The processor has the register and `value` leaves the kernel's assumptions about it as they are.
#[inline(always)]
pub(super) unsafe fn write_msr(register: u32, value: u64) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack, preserves_flags));
    }
}

/// # Safety
/// `root` is the physical address of a page-map level 4 whose last entry is the kernel's.
#[inline(always)]
pub(super) unsafe fn write_cr3(root: u64) {
    // SAFETY: the caller's promise: kernel code, data and window stay mapped as they are.
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) };
}

/// Drops what the processor has cached of one page's translation in the current address space.
#[inline(always)]
pub fn invalidate_page(vaddr: u64) {
    // SAFETY: dropping a cached translation is always allowed; the tables decide what replaces it.
    unsafe { asm!("invlpg [{}]", in(reg) vaddr, options(nostack, preserves_flags)) };
}

/// The address that the last page fault was about.
pub fn fault_address() -> u64 {
    let address: u64;
    // SAFETY: reading CR2 has no effect.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack, preserves_flags)) };
    address
}

pub(super) fn read_cr4() -> u64 {
    let value: u64;
    // SAFETY: reading CR4 has no effect.
    unsafe { asm!("mov {}, cr4", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// # Safety
/// Every bit set is one that the processor has, and PAE and those that the kernel relies on stay set.
pub(super) unsafe fn write_cr4(value: u64) {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov cr4, {}", in(reg) value, options(nostack, preserves_flags)) };
}

pub(super) fn read_cr0() -> u64 {
    let value: u64;
    // SAFETY: reading CR0 has no effect.
    unsafe { asm!("mov {}, cr0", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// # Safety
/// Paging, protection and write protection stay on.
pub(super) unsafe fn write_cr0(value: u64) {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov cr0, {}", in(reg) value, options(nostack, preserves_flags)) };
}

/// Stops the processor for good: interrupts off, halted.
pub fn halt() -> ! {
    loop {
        // SAFETY: with interrupts off nothing but reset or an NMI ends the halt, and the loop catches the latter.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
