//! What drivers hold: interrupts and I/O ports.

use super::{Notification, Slot, capability};
use crate::message::{InvocationError, Outcome, invoke};
use chestnut_abi::Label;

capability!(
    /// Authority to hand out interrupts.
    InterruptControl
);
capability!(
    /// One interrupt.
    InterruptHandler
);
capability!(
    /// Authority to hand out I/O ports.
    IoPortControl
);
capability!(
    /// A range of I/O ports.
    IoPort
);

/// How an interrupt comes through an I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApicRoute {
    /// Which I/O APIC, in the order of the ACPI tables.
    pub ioapic: u64,
    pub pin: u64,
    /// Level-triggered instead of edge-triggered.
    pub level: bool,
    /// Active low instead of active high.
    pub active_low: bool,
    /// User interrupt number: 0–109.
    pub vector: u64,
}

impl InterruptControl {
    pub fn get_ioapic(self, destination: Slot, route: IoApicRoute) -> Result<InterruptHandler, InvocationError> {
        let IoApicRoute { ioapic, pin, level, active_low, vector } = route;
        let words = [destination.index, destination.depth, ioapic, pin, level.into(), active_low.into(), vector];
        invoke(self.0, Label::X86IrqIssueIrqHandlerIoApic, &words, &[destination.root.0])?;
        Ok(InterruptHandler(destination.index))
    }

    /// A message-signalled interrupt of the PCI function bus:device.function.
    pub fn get_msi(
        self,
        destination: Slot,
        (bus, device, function): (u64, u64, u64),
        handle: u64,
        vector: u64,
    ) -> Result<InterruptHandler, InvocationError> {
        let words = [destination.index, destination.depth, bus, device, function, handle, vector];
        invoke(self.0, Label::X86IrqIssueIrqHandlerMsi, &words, &[destination.root.0])?;
        Ok(InterruptHandler(destination.index))
    }
}

impl InterruptHandler {
    /// Lets the interrupt come again.
    pub fn ack(self) -> Outcome {
        invoke(self.0, Label::IrqAckIrq, &[], &[]).map(drop)
    }

    /// Says which notification (with the capability's badge) the interrupt signals.
    pub fn set_notification(self, notification: Notification) -> Outcome {
        invoke(self.0, Label::IrqSetIrqHandler, &[], &[notification.0]).map(drop)
    }

    pub fn clear(self) -> Outcome {
        invoke(self.0, Label::IrqClearIrqHandler, &[], &[]).map(drop)
    }
}

impl IoPortControl {
    /// A capability for the ports `first` to `last`, both included, in the slot `destination`.
    pub fn issue(self, first: u16, last: u16, destination: Slot) -> Result<IoPort, InvocationError> {
        let words = [first.into(), last.into(), destination.index, destination.depth];
        invoke(self.0, Label::X86IoPortControlIssue, &words, &[destination.root.0])?;
        Ok(IoPort(destination.index))
    }
}

impl IoPort {
    pub fn in8(self, port: u16) -> Result<u8, InvocationError> {
        invoke(self.0, Label::X86IoPortIn8, &[port.into()], &[]).map(|answer| answer.word(0) as u8)
    }

    pub fn in16(self, port: u16) -> Result<u16, InvocationError> {
        invoke(self.0, Label::X86IoPortIn16, &[port.into()], &[]).map(|answer| answer.word(0) as u16)
    }

    pub fn in32(self, port: u16) -> Result<u32, InvocationError> {
        invoke(self.0, Label::X86IoPortIn32, &[port.into()], &[]).map(|answer| answer.word(0) as u32)
    }

    pub fn out8(self, port: u16, data: u8) -> Outcome {
        invoke(self.0, Label::X86IoPortOut8, &[port.into(), data.into()], &[]).map(drop)
    }

    pub fn out16(self, port: u16, data: u16) -> Outcome {
        invoke(self.0, Label::X86IoPortOut16, &[port.into(), data.into()], &[]).map(drop)
    }

    pub fn out32(self, port: u16, data: u32) -> Outcome {
        invoke(self.0, Label::X86IoPortOut32, &[port.into(), data.into()], &[]).map(drop)
    }
}
