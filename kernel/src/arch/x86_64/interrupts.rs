//! Interrupt controllers: the local APIC with its one-shot timer, the I/O APICs, and the legacy controllers, which are
//! only silenced.
//!
//! Guarantees: the timer reaches the core only when the deadline has passed, however early the hardware fires. External
//! interrupts are numbered as in the interface, vector − 0x30. Relies on boot for the controllers' addresses and on the
//! kernel window mapping them uncached.
//!
//! TSC-deadline mode and x2APIC are not used: the emulator this was developed on has neither.

use super::instructions::{now, port_out, read_msr, write_msr};
use super::single_core::SingleCore;
use chestnut_abi::layout::{IRQ_VECTOR_BASE, KERNEL_WINDOW, MAX_USER_IRQ};
use core::cell::Cell;

pub const TIMER_VECTOR: u64 = 0xe0;
const SPURIOUS_VECTOR: u32 = 0xff;
const LEGACY_VECTOR_BASE: u32 = 0x20;
const IRQS: usize = MAX_USER_IRQ as usize + 1;
/// I/O APICs that the kernel drives.
pub const MAX_IOAPICS: usize = 4;

const ID: usize = 0x20;
const TASK_PRIORITY: usize = 0x80;
const END_OF_INTERRUPT: usize = 0xb0;
const SPURIOUS: usize = 0xf0;
const ERROR_STATUS: usize = 0x280;
const TIMER_ENTRY: usize = 0x320;
const TIMER_INITIAL: usize = 0x380;
const TIMER_CURRENT: usize = 0x390;
const TIMER_DIVIDE: usize = 0x3e0;
const DIVIDE_BY_1: u32 = 0b1011;
const MASKED: u32 = 1 << 16;
const LEVEL: u32 = 1 << 15;
const ACTIVE_LOW: u32 = 1 << 13;
/// CMCI, thermal, performance, LINT0, LINT1, error: nobody handles them.
const UNUSED_ENTRIES: [usize; 5] = [0x330, 0x340, 0x350, 0x360, 0x370];

const MSR_APIC_BASE: u32 = 0x1b;
const APIC_ENABLED: u64 = 1 << 11;
const X2APIC_ENABLED: u64 = 1 << 10;

/// One I/O APIC, and which external interrupt each of its pins raises.
#[derive(Clone, Copy)]
struct IoApic {
    /// Physical address; 0 = none.
    base: u64,
    pins: usize,
}

/// Where an external interrupt comes from, as far as the kernel can mask it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Source {
    ioapic: usize,
    pin: usize,
    /// Low half of the redirection entry, unmasked.
    entry: u32,
}

struct Controllers {
    lapic: Cell<u64>,
    /// LAPIC timer ticks per TSC tick, 32 fraction bits.
    ratio: Cell<u64>,
    deadline: Cell<u64>,
    /// When the hardware fires, no later than the deadline.
    armed: Cell<u64>,
    ioapics: [Cell<IoApic>; MAX_IOAPICS],
    sources: [Cell<Option<Source>>; IRQS],
}

static STATE: SingleCore<Controllers> = SingleCore(Controllers {
    lapic: Cell::new(0),
    ratio: Cell::new(0),
    deadline: Cell::new(u64::MAX),
    armed: Cell::new(u64::MAX),
    ioapics: [const { Cell::new(IoApic { base: 0, pins: 0 }) }; MAX_IOAPICS],
    sources: [const { Cell::new(None) }; IRQS],
});

/// Reads a 32-bit device register at a physical address in the window.
#[inline(always)]
fn read(paddr: u64) -> u32 {
    // SAFETY: only called with the registers of a LAPIC or I/O APIC that boot found and mapped uncached.
    unsafe { ((KERNEL_WINDOW + paddr) as *const u32).read_volatile() }
}

#[inline(always)]
fn write(paddr: u64, value: u32) {
    // SAFETY: as for `read`; these registers only steer interrupts.
    unsafe { ((KERNEL_WINDOW + paddr) as *mut u32).write_volatile(value) };
}

#[inline(always)]
fn lapic_read(register: usize) -> u32 {
    read(STATE.0.lapic.get() + register as u64)
}

#[inline(always)]
fn lapic_write(register: usize, value: u32) {
    write(STATE.0.lapic.get() + register as u64, value);
}

/// Puts both legacy controllers' vectors out of the way of exceptions and masks all their inputs.
fn silence_legacy() {
    for (command, data, first, wiring) in [(0x20, 0x21, LEGACY_VECTOR_BASE, 4), (0xa0, 0xa1, LEGACY_VECTOR_BASE + 8, 2)]
    {
        port_out(command, 1, 0x11);
        port_out(data, 1, first);
        port_out(data, 1, wiring);
        port_out(data, 1, 1);
        port_out(data, 1, 0xff);
    }
}

/// Takes the LAPIC at physical address `base` into use, the timer stopped, and silences the legacy controllers.
pub fn lapic_init(base: u64) {
    silence_legacy();
    STATE.0.lapic.set(base);
    // SAFETY: every processor with a LAPIC has the register; x2APIC is left by way of disabled, as the manual demands.
    unsafe {
        let value = read_msr(MSR_APIC_BASE);
        if value & X2APIC_ENABLED != 0 {
            write_msr(MSR_APIC_BASE, value & !(X2APIC_ENABLED | APIC_ENABLED));
        }
        write_msr(MSR_APIC_BASE, value & !X2APIC_ENABLED & 0xfff | base | APIC_ENABLED);
    }
    lapic_write(SPURIOUS, SPURIOUS_VECTOR | 1 << 8);
    lapic_write(TASK_PRIORITY, 0);
    for entry in UNUSED_ENTRIES {
        lapic_write(entry, MASKED);
    }
    lapic_write(TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(TIMER_INITIAL, 0);
    lapic_write(TIMER_ENTRY, TIMER_VECTOR as u32);
    lapic_write(ERROR_STATUS, 0);
    lapic_write(END_OF_INTERRUPT, 0);
}

/// Starts the LAPIC's counter from the top, for calibration.
pub(super) fn counter_start() {
    lapic_write(TIMER_INITIAL, u32::MAX);
}
/// LAPIC ticks since [`counter_start`].
pub(super) fn counter_ticks() -> u32 {
    u32::MAX - lapic_read(TIMER_CURRENT)
}
/// Stops the counter and remembers how many LAPIC ticks one TSC tick is, with 32 fraction bits.
pub(super) fn counter_calibrated(ratio: u64) {
    lapic_write(TIMER_INITIAL, 0);
    // A LAPIC faster than the TSC fires early at this ratio, which `timer_fired` makes good; the product can't overflow.
    STATE.0.ratio.set(ratio.clamp(1, 1 << 32));
}

/// Arms the timer for an absolute TSC value; `u64::MAX` = none. In the past: fires at once. Hardware that fires earlier is left alone.
#[inline(always)]
pub fn set_deadline(ticks: u64) {
    STATE.0.deadline.set(ticks);
    if ticks < STATE.0.armed.get() {
        arm(ticks);
    }
}

#[inline(never)]
fn arm(ticks: u64) {
    STATE.0.armed.set(ticks);
    let delta = ticks.saturating_sub(now()).min(u32::MAX.into());
    let count = ((delta * STATE.0.ratio.get()) >> 32) + 1;
    lapic_write(TIMER_INITIAL, count.min(u32::MAX.into()) as u32);
}

/// The timer's vector came: acknowledges it. True if the deadline has passed; else the timer is armed again.
pub fn timer_fired() -> bool {
    lapic_write(END_OF_INTERRUPT, 0);
    STATE.0.armed.set(u64::MAX);
    let passed = now() >= STATE.0.deadline.get();
    if !passed {
        set_deadline(STATE.0.deadline.get());
    }
    passed
}

/// Tells the LAPIC that the external interrupt in service has been dealt with. Mask a level-triggered one first.
#[inline(always)]
pub fn irq_acknowledge(_irq: usize) {
    lapic_write(END_OF_INTERRUPT, 0);
}

/// Acknowledges a vector that nobody handles. The spurious vector takes no acknowledgement.
pub fn unexpected_vector(vector: u64) {
    if vector != SPURIOUS_VECTOR.into() {
        lapic_write(END_OF_INTERRUPT, 0);
    }
}

fn ioapic_read(base: u64, register: u32) -> u32 {
    write(base, register);
    read(base + 0x10)
}

fn ioapic_write(base: u64, register: u32, value: u32) {
    write(base, register);
    write(base + 0x10, value);
}

fn redirection(pin: usize) -> u32 {
    0x10 + 2 * pin as u32
}

/// Takes an I/O APIC at physical address `base` into use, all pins masked; the number of its pins, or `None` when
/// there are [`MAX_IOAPICS`] already.
pub fn ioapic_add(base: u64) -> Option<usize> {
    let free = STATE.0.ioapics.iter().find(|ioapic| ioapic.get().base == 0)?;
    let pins = (ioapic_read(base, 1) >> 16 & 0xff) as usize + 1;
    for pin in 0..pins {
        ioapic_write(base, redirection(pin), MASKED);
        ioapic_write(base, redirection(pin) + 1, 0);
    }
    free.set(IoApic { base, pins });
    Some(pins)
}

/// Number of I/O APICs; they are numbered from 0 in the order of the MADT.
pub fn ioapic_count() -> usize {
    STATE.0.ioapics.iter().filter(|ioapic| ioapic.get().base != 0).count()
}

/// Number of pins of an I/O APIC; 0 for one that doesn't exist.
pub fn ioapic_pins(ioapic: usize) -> usize {
    STATE.0.ioapics.get(ioapic).map_or(0, |ioapic| ioapic.get().pins)
}

/// Makes a pin raise an external interrupt, masked until [`irq_unmask`]. Nothing if pin or interrupt don't exist.
pub fn ioapic_route(ioapic: usize, pin: usize, level: bool, polarity_low: bool, irq: usize) {
    let (Some(slot), true) = (STATE.0.sources.get(irq), pin < ioapic_pins(ioapic)) else { return };
    irq_mask(irq);
    let is_same_pin = |source: &Source| source.ioapic == ioapic && source.pin == pin;
    for other in &STATE.0.sources {
        if other.get().as_ref().is_some_and(is_same_pin) {
            other.set(None);
        }
    }
    let trigger = if level { LEVEL } else { 0 } | if polarity_low { ACTIVE_LOW } else { 0 };
    let source = Source { ioapic, pin, entry: trigger | (irq as u32 + IRQ_VECTOR_BASE as u32) };
    slot.set(Some(source));
    if let Some(ioapic) = STATE.0.ioapics.get(ioapic) {
        ioapic_write(ioapic.get().base, redirection(pin) + 1, lapic_read(ID) & 0xff00_0000);
    }
    write_entry(irq, MASKED);
}

fn write_entry(irq: usize, mask: u32) {
    let Some(source) = STATE.0.sources.get(irq).and_then(Cell::get) else { return };
    let Some(ioapic) = STATE.0.ioapics.get(source.ioapic) else { return };
    ioapic_write(ioapic.get().base, redirection(source.pin), source.entry | mask);
}

/// Holds an external interrupt back at its I/O APIC. Message-signalled ones can't be: nothing happens.
pub fn irq_mask(irq: usize) {
    write_entry(irq, MASKED);
}

/// Lets an external interrupt through.
pub fn irq_unmask(irq: usize) {
    write_entry(irq, 0);
}
