//! Interrupts: issuing handlers, and what their holders do with them.

use super::{Arguments, Error, Outcome};
use crate::cap::{Cap, CapRef};
use crate::object::IrqState;
use crate::{arch, lifecycle};
use chestnut_abi::{CapRights, Label};

pub fn invoke_handler(call: &Arguments, cap: Cap, label: Label) -> Outcome {
    let (k, irq) = (call.k, cap.irq());
    let Some(slot) = k.state().irqs.slot(irq) else { return Err(Error::InvalidCapability(0).into()) };
    match label {
        Label::IrqAckIrq => arch::irq_unmask(irq as usize),
        Label::IrqSetIrqHandler => {
            let source = call.slot(0)?;
            let notification = source.cap();
            if notification.as_notification(k).is_none() || !notification.rights().contains(CapRights::WRITE) {
                return Err(Error::InvalidCapability(1).into());
            }
            lifecycle::delete(k, slot)?;
            slot.fill_derived(notification, source);
        }
        Label::IrqClearIrqHandler => lifecycle::delete(k, slot)?,
        _ => return Err(Error::IllegalOperation.into()),
    }
    Ok(())
}

/// Marks an interrupt as issued and gives out its handler capability.
pub fn issue<'k>(call: &Arguments<'k>, control: CapRef<'k>, destination: CapRef<'k>, irq: u64) {
    call.k.irqs.set_state(irq, IrqState::Active);
    destination.fill_original(Cap::irq_handler(irq), control);
}
