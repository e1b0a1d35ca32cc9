//! Interrupts: which are issued, and whom they signal.

use crate::cap::Slot;
use crate::mem::Ref;
use chestnut_abi::layout::MAX_USER_IRQ;
use core::cell::Cell;

/// Number of interrupts that users may have.
pub const IRQS: usize = MAX_USER_IRQ as usize + 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IrqState {
    /// Nobody has a handler capability.
    Inactive,
    /// Issued; signals the notification in its slot.
    Active,
}

pub struct Irqs {
    states: [Cell<IrqState>; IRQS],
    slots: [Slot; IRQS],
}

impl Irqs {
    pub const fn new() -> Self {
        Self { states: [const { Cell::new(IrqState::Inactive) }; IRQS], slots: [const { Slot::EMPTY }; IRQS] }
    }
    pub fn state(&self, irq: u64) -> IrqState {
        self.states.get(irq as usize).map_or(IrqState::Inactive, Cell::get)
    }
    pub fn set_state(&self, irq: u64, state: IrqState) {
        if let Some(cell) = self.states.get(irq as usize) {
            cell.set(state);
        }
    }
    /// The slot that holds the notification capability of an interrupt.
    pub fn slot(&self, irq: u64) -> Option<Ref<'_, Slot>> {
        self.slots.get(irq as usize).map(Ref::from)
    }
}

impl Default for Irqs {
    fn default() -> Self {
        Self::new()
    }
}
