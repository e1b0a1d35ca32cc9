//! Interrupts that a device sends as messages: the HPET, whose first comparator can be told to (IA-PC HPET specification 1.0a). The emulator has to be started
//! with `-global hpet.msi=on`.

use crate::check::{between, check, equal, fail};
use crate::driver::boot_info;
use crate::scene::fixed::WINDOW;
use crate::scene::invoke::{invoke, must};
use crate::scene::message::{nb_wait, wait};
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::{UntypedDesc, slot};
use chestnut_abi::object::VmAttributes;
use chestnut_abi::{CapRights, Label, ObjectType};

const CONTROL: u64 = slot::IRQ_CONTROL;
const ROOT: u64 = slot::INIT_CNODE;
/// Where PCs have it.
const HPET: u64 = 0xfed0_0000;
const IRQ: u64 = 50;
/// Vectors of user interrupts begin here, and messages to the first processor's interrupt controller go there.
const FIRST_VECTOR: u64 = 0x30;
const MESSAGE_ADDRESS: u64 = 0xfee0_0000;
const BADGE: u64 = 4;
const FEMTOSECONDS_PER_MS: u64 = 1_000_000_000_000;

/// Offsets of registers.
const CAPABILITIES: u64 = 0;
const CONFIGURATION: u64 = 0x10;
const COUNTER: u64 = 0xf0;
const COMPARATOR_CONFIGURATION: u64 = 0x100;
const COMPARATOR: u64 = 0x108;
const MESSAGE: u64 = 0x110;
/// Bits of the comparator's configuration.
const INTERRUPT: u64 = 1 << 2;
const BY_MESSAGE: u64 = 1 << 14;
const MESSAGE_CAPABLE: u64 = 1 << 15;

fn read(register: u64) -> u64 {
    crate::scene::memory::read(WINDOW + register)
}

fn write(register: u64, value: u64) {
    crate::scene::memory::write(WINDOW + register, value);
}

/// A frame of device memory at this address: the untyped that it lies in is halved until nothing else is left.
#[track_caller]
fn device_frame(t: &Scene, address: u64) -> u64 {
    let info = boot_info();
    let list = &info.untyped_list[..(info.untyped.end - info.untyped.start) as usize];
    let holds = |untyped: &UntypedDesc| (untyped.paddr..untyped.paddr + (1 << untyped.size_bits)).contains(&address);
    let place = list.iter().position(|untyped| untyped.is_device != 0 && holds(untyped));
    let Some(place) = place else { fail(format_args!("no untyped with {address:#x}")) };
    let (mut untyped, mut start) = (info.untyped.start + place as u64, list[place].paddr);
    for bits in (12..u64::from(list[place].size_bits)).rev() {
        let halves = t.slots(2);
        must(untyped, Label::UntypedRetype, &[ObjectType::Untyped as u64, bits, 0, 0, halves, 2], &[ROOT]);
        let is_upper = address >= start + (1 << bits);
        untyped = halves + u64::from(is_upper);
        start += u64::from(is_upper) << bits;
    }
    let frame = t.slot();
    must(untyped, Label::UntypedRetype, &[ObjectType::X864K as u64, 0, 0, 0, frame, 1], &[ROOT]);
    equal(t.physical(frame), address, "the frame's address");
    frame
}

/// The HPET and its message's handler.
struct Hpet {
    handler: u64,
    notification: u64,
}

impl Hpet {
    fn new(t: &Scene) -> Self {
        t.open_window();
        let frame = device_frame(t, HPET);
        let words = [WINDOW, CapRights::READ_WRITE.0, VmAttributes::CACHE_DISABLED];
        must(frame, Label::X86PageMap, &words, &[slot::INIT_VSPACE]);
        check(read(COMPARATOR_CONFIGURATION) & MESSAGE_CAPABLE != 0, "the HPET can send messages");
        let (handler, notification) = (t.slot(), t.notification());
        must(CONTROL, Label::X86IrqIssueIrqHandlerMsi, &[handler, 64, 0, 0, 0, 0, IRQ], &[ROOT]);
        must(handler, Label::IrqSetIrqHandler, &[], &[t.mint(notification, BADGE)]);
        must(handler, Label::IrqAckIrq, &[], &[]);
        write(CONFIGURATION, 0);
        write(COUNTER, 0);
        write(MESSAGE, MESSAGE_ADDRESS << 32 | (FIRST_VECTOR + IRQ));
        write(COMPARATOR_CONFIGURATION, BY_MESSAGE | INTERRUPT);
        write(CONFIGURATION, 1);
        Self { handler, notification }
    }

    /// Sends its message so many milliseconds from now.
    fn arm(&self, milliseconds: u64) {
        let ticks_per_ms = FEMTOSECONDS_PER_MS / (read(CAPABILITIES) >> 32);
        write(COMPARATOR, read(COUNTER) + milliseconds * ticks_per_ms);
    }

    fn stop(&self) {
        write(COMPARATOR_CONFIGURATION, 0);
        write(CONFIGURATION, 0);
    }
}

pub fn a_devices_message_signals_its_notification(t: &Scene) {
    let hpet = Hpet::new(t);
    let begin = shared::now_us();
    for _ in 0..5 {
        hpet.arm(3);
        equal(wait(hpet.notification).badge, BADGE, "the badge");
        must(hpet.handler, Label::IrqAckIrq, &[], &[]);
    }
    between(shared::now_us() - begin, 14_000, 1_000_000, "microseconds of five messages, one after 3 ms each");
    equal(nb_wait(hpet.notification).badge, 0, "messages that nobody asked for");
    hpet.stop();
}

pub fn a_message_preempts_a_thread_of_lower_priority(t: &Scene) {
    let hpet = Hpet::new(t);
    let (notification, handler) = (hpet.notification, hpet.handler);
    t.spawn(crate::scene::fixed::ABOVE, move || {
        loop {
            shared::add(0, wait(notification).badge);
            must(handler, Label::IrqAckIrq, &[], &[]);
        }
    });
    for round in 1..4 {
        hpet.arm(2);
        shared::spin_us(20_000);
        equal(shared::get(0), round * BADGE, "the sum of the badges");
    }
    hpet.stop();
}

pub fn a_deleted_handler_ends_the_signals(t: &Scene) {
    let hpet = Hpet::new(t);
    t.delete(hpet.handler);
    hpet.arm(1);
    shared::spin_us(10_000);
    equal(nb_wait(hpet.notification).badge, 0, "signals");
    // The message that nobody wanted is done with: the next one, with a handler again, arrives.
    let words = [hpet.handler, 64, 0, 0, 0, 0, IRQ];
    check(invoke(CONTROL, Label::X86IrqIssueIrqHandlerMsi, &words, &[ROOT]).label == 0, "it is issued again");
    must(hpet.handler, Label::IrqSetIrqHandler, &[], &[t.mint(hpet.notification, BADGE)]);
    must(hpet.handler, Label::IrqAckIrq, &[], &[]);
    hpet.arm(1);
    equal(wait(hpet.notification).badge, BADGE, "the badge");
    hpet.stop();
}
