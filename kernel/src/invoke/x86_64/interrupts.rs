//! Interrupts by IOAPIC pin or as messages (MSI).

use crate::arch;
use crate::cap::CapRef;
use crate::invoke::{Arguments, Error, Outcome, irq};
use crate::object::IrqState;
use chestnut_abi::Label;
use chestnut_abi::layout::MAX_USER_IRQ;

pub fn issue_interrupt<'k>(call: &Arguments<'k>, control: CapRef<'k>, label: Label) -> Outcome {
    match label {
        Label::X86IrqIssueIrqHandlerIoApic => {
            let [index, depth, ioapic, pin, level, polarity, vector] = call.words()?;
            let root = call.cap(0)?;
            check_vector(call, vector)?;
            let ioapics = arch::ioapic_count() as u64;
            if ioapics == 0 {
                return Err(Error::IllegalOperation.into());
            }
            if ioapic >= ioapics {
                return Err(Error::Range(0, ioapics - 1).into());
            }
            let pins = arch::ioapic_pins(ioapic as usize) as u64;
            if pin >= pins {
                return Err(Error::Range(0, pins.saturating_sub(1)).into());
            }
            if level > 1 {
                return Err(Error::Range(0, 1).into());
            }
            if polarity > 1 {
                return Err(Error::Range(0, 1).into());
            }
            let destination = call.empty_slot_in(root, index, depth & 0xff)?;
            arch::ioapic_route(ioapic as usize, pin as usize, level != 0, polarity != 0, vector as usize);
            arch::irq_unmask(vector as usize);
            irq::issue(call, control, destination, vector);
        }
        Label::X86IrqIssueIrqHandlerMsi => {
            let [index, depth, bus, device, function, _handle, vector] = call.words()?;
            let root = call.cap(0)?;
            check_vector(call, vector)?;
            for (value, most) in [(bus, 255), (device, 31), (function, 7)] {
                if value > most {
                    return Err(Error::Range(0, most).into());
                }
            }
            let destination = call.empty_slot_in(root, index, depth & 0xff)?;
            irq::issue(call, control, destination, vector);
        }
        _ => return Err(Error::IllegalOperation.into()),
    }
    Ok(())
}

fn check_vector(call: &Arguments, vector: u64) -> Result<(), Error> {
    if vector > MAX_USER_IRQ {
        return Err(Error::Range(0, MAX_USER_IRQ));
    }
    match call.k.irqs.state(vector) {
        IrqState::Inactive => Ok(()),
        IrqState::Active => Err(Error::RevokeFirst),
    }
}
