//! What the kernel asks of the simulated processor.

use super::{Context, FpuState};
use std::cell::Cell;
use std::thread_local;

#[derive(Default)]
struct Machine {
    now: Cell<u64>,
    deadline: Cell<u64>,
    root: Cell<u64>,
    flushes: Cell<u64>,
}

/// Whose registers are restored when the kernel is left: here, tests know.
pub struct Resumed;

thread_local! {
    static MACHINE: Machine = Machine::default();
}

pub fn now() -> u64 {
    MACHINE.with(|m| m.now.get())
}
pub fn set_deadline(ticks: u64) {
    MACHINE.with(|m| m.deadline.set(ticks));
}
pub fn activate_vspace(root: u64) {
    MACHINE.with(|m| m.root.set(root));
}
pub fn active_vspace() -> u64 {
    MACHINE.with(|m| m.root.get())
}
pub fn invalidate_page(_address: u64) {
    MACHINE.with(|m| m.flushes.set(m.flushes.get() + 1));
}
pub fn invalidate_all() {
    MACHINE.with(|m| m.flushes.set(m.flushes.get() + 1));
}
/// # Safety
/// As on the bare machine.
pub unsafe fn copy_words(from: *const u64, to: *mut u64, count: usize) {
    for index in 0..count {
        // SAFETY: the caller's promise.
        unsafe { to.wrapping_add(index).write_volatile(from.wrapping_add(index).read_volatile()) }
    }
}
pub fn port_in(_port: u16, bytes: u8) -> u32 {
    u32::MAX >> (32 - 8 * bytes.clamp(1, 4) as u32)
}
pub fn port_out(_port: u16, _bytes: u8, _value: u32) {}
pub fn irq_mask(_irq: usize) {}
pub fn irq_unmask(_irq: usize) {}
pub fn irq_acknowledge(_irq: usize) {}
pub fn ioapic_count() -> usize {
    1
}
pub fn ioapic_pins(_ioapic: usize) -> usize {
    24
}
pub fn ioapic_route(_ioapic: usize, _pin: usize, _level: bool, _low: bool, _irq: usize) {}
pub fn console_put(_byte: u8) {}
pub fn fpu_save(_into: &FpuState) {}
pub fn fpu_load(_from: &FpuState) {}
pub fn fpu_enable() {}
pub fn fpu_disable() {}
pub fn set_current_context(_context: Option<&Context>) {}
pub fn switch_context(_new: &Context) -> Resumed {
    Resumed
}
pub fn load_fs_base(_of: &Context) {}
pub fn switch_bases(_old: &Context, _new: &Context) {}
pub fn current_context() -> Resumed {
    Resumed
}
pub fn kernel_root_entry() -> u64 {
    0
}
pub fn has_1g_pages() -> bool {
    true
}

/// For tests: a processor after its reset.
pub fn reset() {
    MACHINE.with(|m| {
        m.now.set(0);
        m.deadline.set(u64::MAX);
        m.root.set(0);
    });
}
/// For tests: moves the clock.
pub fn set_now(ticks: u64) {
    MACHINE.with(|m| m.now.set(ticks));
}
/// For tests: the deadline that the kernel set.
pub fn deadline() -> u64 {
    MACHINE.with(|m| m.deadline.get())
}
