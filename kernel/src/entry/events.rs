//! What isn't a system call: faults, interrupts, the timer, a first use of the FPU.

use super::exit::{has_budget, leave};
use super::ways;
use crate::mem::Ref;
use crate::object::{Fault, IRQS, IrqState, Kernel, Notification, ThreadState, enter};
use crate::{arch, fastpath, ipc};
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
    let fast = |thread| ways::begin(k) && fastpath::fault(k, thread, fault).is_ok();
    if !k.current.get(k).is_some_and(fast) {
        general_fault(k, fault);
    }
}

/// The general way.
#[inline(never)]
fn general_fault(k: Kernel, fault: Fault) {
    ways::general();
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
        owner.context.extended.set(owner.context.extended.get() & !arch::Context::FPU);
    }
    arch::fpu_load(&thread.get().fpu);
    k.fpu_owner.set(Some(thread));
    thread.context.extended.set(thread.context.extended.get() | arch::Context::FPU);
    leave(k);
}

/// A device interrupts. The interrupt stays masked until its handler acknowledges it.
pub fn interrupt(irq: usize) {
    let k = enter();
    arch::irq_mask(irq);
    arch::irq_acknowledge(irq);
    let signal = signalled(k, irq);
    if let (Some((notification, badge)), Some(thread)) = (signal, k.current.get(k))
        && ways::begin(k)
        && fastpath::signal(k, thread, notification, badge).is_ok()
    {
        return;
    }
    general_interrupt(k, signal);
}

/// The general way.
#[inline(never)]
fn general_interrupt<'k>(k: Kernel<'k>, signal: Option<(Ref<'k, Notification>, u64)>) {
    ways::general();
    has_budget(k);
    if let Some((notification, badge)) = signal {
        ipc::signal(k, notification, badge);
    }
    leave(k);
}

/// The notification that an interrupt signals, if it is asked for, and with which badge.
#[inline]
fn signalled<'k>(k: Kernel<'k>, irq: usize) -> Option<(Ref<'k, Notification>, u64)> {
    if irq >= IRQS || k.irqs.state(irq as u64) != IrqState::Active {
        return None;
    }
    let cap = k.state().irqs.slot(irq as u64)?.cap();
    let notification = cap.as_notification(k).filter(|_| cap.rights().contains(CapRights::WRITE))?;
    Some((notification, cap.badge()))
}

/// The deadline that the kernel set has come: a budget's end, or a refill.
pub fn timer() {
    let k = enter();
    k.set_timer_anew();
    has_budget(k);
    leave(k);
}
