//! Invocations of x86_64's own objects.
mod interrupts;
mod ioport;
mod vspace;

pub use crate::object::x86_64::LEVELS as ROOT_LEVEL;

pub use vspace::{invoke_frame, invoke_table};

use super::{Arguments, Error, Outcome};
use crate::cap::{CapRef, Kind};
use chestnut_abi::Label;

pub fn invoke<'k>(call: &Arguments<'k>, slot: CapRef<'k>, label: Label) -> Outcome {
    match slot.cap().kind() {
        Kind::AsidControl => vspace::invoke_asid_control(call, label),
        Kind::AsidPool => vspace::invoke_asid_pool(call, slot.cap(), label),
        Kind::IoPortControl => ioport::invoke_control(call, slot, label),
        // A plain IRQControl_Get names no source: on x86 an interrupt is asked for by where it comes from.
        Kind::IrqControl => interrupts::issue_interrupt(call, slot, label),
        Kind::IoPort => ioport::invoke_port(call, slot.cap(), label),
        _ => Err(Error::IllegalOperation.into()),
    }
}
