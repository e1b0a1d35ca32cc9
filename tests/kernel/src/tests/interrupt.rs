//! Interrupts: handlers for IOAPIC pins and MSIs, and the programmable interval timer as one that really comes.

use crate::check::{between, check, equal};
use crate::scene::fixed::NOTHING;
use crate::scene::invoke::{must, refused};
use crate::scene::message::{nb_wait, wait};
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::layout::MAX_USER_IRQ;
use chestnut_abi::{CNodeCapData, CapRights, Error, Label};

const CONTROL: u64 = slot::IRQ_CONTROL;
const ROOT: u64 = slot::INIT_CNODE;
const IOAPIC: Label = Label::X86IrqIssueIrqHandlerIoApic;
const MSI: Label = Label::X86IrqIssueIrqHandlerMsi;
/// The pin that the interval timer is wired to, as the ACPI tables of PCs say, and an interrupt number for it.
const TIMER_PIN: u64 = 2;
const TIMER: u64 = 20;
/// A pin that nothing in these tests makes interrupt.
const QUIET_PIN: u64 = 20;

/// Words for a pin: edge-triggered, active high.
fn pin(at: u64, pin: u64, irq: u64) -> [u64; 7] {
    [at, 64, 0, pin, 0, 0, irq]
}

fn msi(at: u64, irq: u64) -> [u64; 7] {
    [at, 64, 0, 3, 0, 0, irq]
}

/// The interval timer, its interrupt and a notification with badge 2.
struct Timer {
    handler: u64,
    notification: u64,
    ports: u64,
}

impl Timer {
    fn new(t: &Scene) -> Self {
        let (ports, handler, notification) = (t.slot(), t.slot(), t.notification());
        must(slot::IO_PORT_CONTROL, Label::X86IoPortControlIssue, &[0x40, 0x43, ports, 64], &[ROOT]);
        must(CONTROL, IOAPIC, &pin(handler, TIMER_PIN, TIMER), &[ROOT]);
        must(handler, Label::IrqSetIrqHandler, &[], &[t.mint(notification, 2)]);
        must(handler, Label::IrqAckIrq, &[], &[]);
        Self { handler, notification, ports }
    }

    fn out(&self, port: u64, value: u64) {
        must(self.ports, Label::X86IoPortOut8, &[port, value], &[]);
    }

    /// Interrupts once every 5 ms, from now on.
    fn periodic(&self) {
        const COUNT: u64 = 5966;
        self.out(0x43, 0x34);
        self.out(0x40, COUNT & 0xff);
        self.out(0x40, COUNT >> 8);
    }

    /// Stops.
    fn stop(&self) {
        self.out(0x43, 0x30);
    }
}

pub fn the_timers_interrupt_signals_its_notification(t: &Scene) {
    let timer = Timer::new(t);
    timer.periodic();
    equal(wait(timer.notification).badge, 2, "the badge");
    timer.stop();
}

pub fn an_interrupt_comes_again_only_when_acknowledged(t: &Scene) {
    let timer = Timer::new(t);
    timer.periodic();
    wait(timer.notification);
    shared::spin_us(40_000);
    equal(nb_wait(timer.notification).badge, 0, "signals before it is acknowledged");
    for _ in 0..3 {
        must(timer.handler, Label::IrqAckIrq, &[], &[]);
        equal(wait(timer.notification).badge, 2, "the next signal");
    }
    timer.stop();
}

pub fn interrupts_come_while_all_threads_wait(t: &Scene) {
    let timer = Timer::new(t);
    timer.periodic();
    let begin = shared::now_us();
    for _ in 0..10 {
        wait(timer.notification);
        must(timer.handler, Label::IrqAckIrq, &[], &[]);
    }
    between(shared::now_us() - begin, 25_000, 1_000_000, "microseconds of ten interrupts, one in 5 ms");
    timer.stop();
}

pub fn interrupts_preempt_a_thread_of_lower_priority(t: &Scene) {
    let timer = Timer::new(t);
    let (notification, handler) = (timer.notification, timer.handler);
    t.spawn(crate::scene::fixed::ABOVE, move || {
        loop {
            wait(notification);
            shared::add(0, 1);
            must(handler, Label::IrqAckIrq, &[], &[]);
        }
    });
    timer.periodic();
    shared::spin_us(100_000);
    check(shared::get(0) >= 3, "the driver ran while this thread spun");
    timer.stop();
}

pub fn clear_ends_the_signals(t: &Scene) {
    let timer = Timer::new(t);
    must(timer.handler, Label::IrqClearIrqHandler, &[], &[]);
    timer.periodic();
    shared::spin_us(40_000);
    equal(nb_wait(timer.notification).badge, 0, "signals");
    must(timer.handler, Label::IrqClearIrqHandler, &[], &[]);
    timer.stop();
}

pub fn another_notification_replaces_the_first(t: &Scene) {
    let timer = Timer::new(t);
    let other = t.notification();
    must(timer.handler, Label::IrqSetIrqHandler, &[], &[t.mint(other, 8)]);
    must(timer.handler, Label::IrqAckIrq, &[], &[]);
    timer.periodic();
    equal(wait(other).badge, 8, "the badge of the second");
    equal(nb_wait(timer.notification).badge, 0, "signals of the first");
    timer.stop();
}

pub fn a_deleted_handler_ends_interrupts_and_can_be_issued_again(t: &Scene) {
    let timer = Timer::new(t);
    timer.periodic();
    wait(timer.notification);
    t.delete(timer.handler);
    shared::spin_us(30_000);
    equal(nb_wait(timer.notification).badge, 0, "signals");
    timer.stop();
    must(CONTROL, IOAPIC, &pin(timer.handler, TIMER_PIN, TIMER), &[ROOT]);
}

pub fn set_notification_checks_its_capability(t: &Scene) {
    let handler = t.slot();
    must(CONTROL, IOAPIC, &pin(handler, QUIET_PIN, 30), &[ROOT]);
    for wrong in [t.endpoint(), NOTHING, t.copy_with(t.notification(), CapRights::READ)] {
        let answer = refused(Error::InvalidCapability, handler, Label::IrqSetIrqHandler, &[], &[wrong]);
        equal(answer.words[0], 1, "which capability");
    }
    refused(Error::TruncatedMessage, handler, Label::IrqSetIrqHandler, &[], &[]);
}

pub fn acknowledging_without_an_interrupt_is_harmless(t: &Scene) {
    let handler = t.slot();
    must(CONTROL, IOAPIC, &pin(handler, QUIET_PIN, 30), &[ROOT]);
    (0..3).for_each(|_| _ = must(handler, Label::IrqAckIrq, &[], &[]));
}

pub fn an_issued_interrupt_returns_revoke_first(t: &Scene) {
    must(CONTROL, IOAPIC, &pin(t.slot(), QUIET_PIN, 30), &[ROOT]);
    refused(Error::RevokeFirst, CONTROL, IOAPIC, &pin(t.slot(), QUIET_PIN, 30), &[ROOT]);
    refused(Error::RevokeFirst, CONTROL, MSI, &msi(t.slot(), 30), &[ROOT]);
}

pub fn msi_handlers_are_issued_and_issued_again(t: &Scene) {
    let handler = t.slot();
    must(CONTROL, MSI, &msi(handler, MAX_USER_IRQ), &[ROOT]);
    must(handler, Label::IrqSetIrqHandler, &[], &[t.notification()]);
    must(handler, Label::IrqAckIrq, &[], &[]);
    refused(Error::RevokeFirst, CONTROL, MSI, &msi(t.slot(), MAX_USER_IRQ), &[ROOT]);
    t.delete(handler);
    must(CONTROL, MSI, &msi(handler, MAX_USER_IRQ), &[ROOT]);
}

pub fn impossible_numbers_return_range_error(t: &Scene) {
    let at = t.slot();
    let range = |label, words: &[u64]| {
        let answer = refused(Error::RangeError, CONTROL, label, words, &[ROOT]);
        (answer.words[0], answer.words[1])
    };
    equal(range(IOAPIC, &pin(at, QUIET_PIN, MAX_USER_IRQ + 1)), (0, MAX_USER_IRQ), "allowed interrupts");
    equal(range(MSI, &msi(at, MAX_USER_IRQ + 1)), (0, MAX_USER_IRQ), "allowed interrupts");
    equal(range(IOAPIC, &[at, 64, 1, QUIET_PIN, 0, 0, 30]), (0, 0), "allowed IOAPICs");
    equal(range(IOAPIC, &pin(at, 24, 30)), (0, 23), "allowed pins");
    equal(range(IOAPIC, &[at, 64, 0, QUIET_PIN, 2, 0, 30]), (0, 1), "allowed values of level");
    equal(range(IOAPIC, &[at, 64, 0, QUIET_PIN, 0, 2, 30]), (0, 1), "allowed values of polarity");
    equal(range(MSI, &[at, 64, 256, 0, 0, 0, 30]), (0, 255), "allowed buses");
    equal(range(MSI, &[at, 64, 0, 32, 0, 0, 30]), (0, 31), "allowed devices");
    equal(range(MSI, &[at, 64, 0, 0, 8, 0, 30]), (0, 7), "allowed functions");
    for depth in [0, 65] {
        equal(range(IOAPIC, &[at, depth, 0, QUIET_PIN, 0, 0, 30]), (1, 64), "allowed depths");
        equal(range(MSI, &[at, depth, 0, 0, 0, 0, 30]), (1, 64), "allowed depths");
    }
}

pub fn the_destination_is_checked(t: &Scene) {
    let endpoint = t.endpoint();
    let guarded = t.mint(t.cnode(2), CNodeCapData::new(1, 2).0);
    for (label, words) in [(IOAPIC, pin(t.slot(), QUIET_PIN, 30)), (MSI, msi(t.slot(), 30))] {
        let with = |index, depth| {
            let mut changed = words;
            (changed[0], changed[1]) = (index, depth);
            changed
        };
        refused(Error::DeleteFirst, CONTROL, label, &with(endpoint, 64), &[ROOT]);
        refused(Error::FailedLookup, CONTROL, label, &words, &[endpoint]);
        refused(Error::FailedLookup, CONTROL, label, &with(words[0], 63), &[ROOT]);
        refused(Error::FailedLookup, CONTROL, label, &with(0, 4), &[guarded]);
        refused(Error::TruncatedMessage, CONTROL, label, &words[..6], &[ROOT]);
        refused(Error::TruncatedMessage, CONTROL, label, &words, &[]);
        // None of the failures took the interrupt away.
        must(CONTROL, label, &words, &[ROOT]);
        t.delete(words[0]);
    }
}

pub fn get_by_number_is_illegal_where_there_is_an_ioapic(t: &Scene) {
    refused(Error::IllegalOperation, CONTROL, Label::IrqIssueIrqHandler, &[1, t.slot(), 64], &[ROOT]);
}

pub fn a_handler_can_be_copied(t: &Scene) {
    let timer = Timer::new(t);
    let copy = t.copy(timer.handler);
    t.delete(timer.handler);
    timer.periodic();
    equal(wait(timer.notification).badge, 2, "the badge");
    must(copy, Label::IrqAckIrq, &[], &[]);
    equal(wait(timer.notification).badge, 2, "the badge after the copy was acknowledged");
    timer.stop();
}
