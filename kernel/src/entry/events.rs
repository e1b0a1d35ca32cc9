//! What isn't a system call: faults, interrupts, the timer, a first use of the FPU.

use super::exit::{has_budget, leave};
use crate::object::{Fault, IRQS, IrqState, Kernel, ThreadState, enter};
use crate::{arch, ipc};
use chestnut_abi::CapRights;
use chestnut_abi::object::TcbFlags;

/// The running thread touched `address` in a way that its address space doesn't allow.
pub fn page_fault(address: u64, code: u64) {
    const INSTRUCTION_FETCH: u64 = 1 << 4;
    fault(Fault::Vm { address, fsr: code, prefetch: code & INSTRUCTION_FETCH != 0 });
}

/// The running thread caused a processor exception that isn't a page fault.
pub fn exception(vector: u64, code: u64) {
    fault(Fault::UserException { number: vector, code });
}

fn fault(fault: Fault) {
    let k = enter();
    if has_budget(k)
        && let Some(thread) = k.current.get(k)
    {
        thread.state.set(ThreadState::Restart);
        ipc::deliver_fault(k, thread, fault);
    }
    leave(k);
}

/// The running thread used the FPU while another thread's state, or none, was in it.
pub fn fpu_unavailable() {
    let k = enter();
    let Some(thread) = k.current.get(k) else { return };
    if thread.flags.get() as u64 & TcbFlags::FPU_DISABLED != 0 {
        const DEVICE_NOT_AVAILABLE: u64 = 7;
        return fault(Fault::UserException { number: DEVICE_NOT_AVAILABLE, code: 0 });
    }
    arch::fpu_enable();
    if let Some(owner) = k.fpu_owner.get(k) {
        arch::fpu_save(&owner.get().fpu);
    }
    arch::fpu_load(&thread.get().fpu);
    k.fpu_owner.set(Some(thread));
    leave(k);
}

/// A device interrupts. The interrupt stays masked until its handler acknowledges it.
pub fn interrupt(irq: usize) {
    let k = enter();
    let budget = has_budget(k);
    arch::irq_mask(irq);
    if irq < IRQS && k.irqs.state(irq as u64) == IrqState::Active {
        deliver(k, irq as u64);
    }
    arch::irq_acknowledge(irq);
    let _ = budget;
    leave(k);
}

fn deliver(k: Kernel, irq: u64) {
    let Some(slot) = k.state().irqs.slot(irq) else { return };
    let cap = slot.cap();
    if let Some(notification) = cap.as_notification(k)
        && cap.rights().contains(CapRights::WRITE)
    {
        ipc::signal(k, notification, cap.badge());
    }
}

/// The deadline that the kernel set has come: a budget's end, or a refill.
pub fn timer() {
    let k = enter();
    k.reprogram.set(true);
    has_budget(k);
    leave(k);
}
