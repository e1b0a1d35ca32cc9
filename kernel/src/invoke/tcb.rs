//! TCB: registers, spaces, priorities, bindings.

use super::{Arguments, Error, Outcome};
use crate::arch;
use crate::cap::{Cap, CapRef, Kind};
use crate::mem::Ref;
use crate::object::{Action, Kernel, Place, Redirect, Tcb, TcbSlot, ThreadState};
use crate::{ipc, lifecycle, time};
use chestnut_abi::layout::USER_END;
use chestnut_abi::object::TcbFlags;
use chestnut_abi::registers::Register::{self, *};
use chestnut_abi::{CNodeCapData, CapRights, Label, ipc_buffer};

/// The order of a `UserContext`.
const REGISTERS: [Register; 20] =
    [Rip, Rsp, Rflags, Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rbp, R8, R9, R10, R11, R12, R13, R14, R15, FsBase, GsBase];

/// Does something with the first `count` of these registers. It is written out for each, so that what depends on the register isn't looked up.
macro_rules! each_register {
    ($count:expr, |$index:ident, $register:ident| $act:expr) => {
        each_register!($count, $index, $register, $act, Rip Rsp Rflags Rax Rbx Rcx Rdx Rsi Rdi Rbp
            R8 R9 R10 R11 R12 R13 R14 R15 FsBase GsBase)
    };
    ($count:expr, $index:ident, $register:ident, $act:expr, $($name:ident)*) => {'all: {
        let mut $index: usize = 0;
        $(
            if $index == $count {
                break 'all;
            }
            let $register = $name;
            $act;
            $index += 1;
        )*
        _ = $index;
    }};
}

/// Registers that the "frame" flag of CopyRegisters means; the "integer" flag means the rest, without the bases.
const FRAME_REGISTERS: usize = 3;

pub fn invoke<'k>(call: &Arguments<'k>, slot: CapRef<'k>, label: Label) -> Outcome {
    let Some(thread) = slot.cap().as_tcb(call.k) else { return Err(Error::InvalidCapability(0).into()) };
    match label {
        Label::TcbReadRegisters => read_registers(call, thread),
        Label::TcbWriteRegisters => write_registers(call, thread),
        Label::TcbCopyRegisters => copy_registers(call, thread),
        Label::TcbConfigure => configure(call, slot, thread),
        Label::TcbSetPriority => set_priority(call, thread),
        Label::TcbSetMcpriority => {
            let [mcp] = call.words()?;
            let authority = authority(call)?;
            thread.mcp.set(allowed_priority(authority, mcp)?);
            Ok(())
        }
        Label::TcbSetSchedParams => set_sched_params(call, slot, thread),
        Label::TcbSetTimeoutEndpoint => {
            let handler = Handler::take(call, 0)?;
            handler.install(call.k, slot, thread, TcbSlot::TimeoutHandler)
        }
        Label::TcbSetIpcBuffer => {
            let [address] = call.words()?;
            let buffer = NewBuffer::take(call, 0, address)?;
            buffer.install(call.k, slot, thread)
        }
        Label::TcbSetSpace => {
            let [cspace_data, vspace_data] = call.words()?;
            let handler = Handler::take(call, 0)?;
            let spaces = Spaces::take(call, 1, cspace_data, vspace_data)?;
            handler.install(call.k, slot, thread, TcbSlot::FaultHandler)?;
            spaces.install(call.k, slot, thread)
        }
        Label::TcbSuspend => {
            if thread == call.thread {
                // This call is done; resumed, the thread goes on behind it.
                call.finish();
                thread.context.set_fault_ip(thread.context.get(Rip));
            }
            ipc::suspend(call.k, thread);
            Ok(())
        }
        Label::TcbResume => {
            ipc::restart(call.k, thread);
            Ok(())
        }
        Label::TcbBindNotification => bind_notification(call, thread),
        Label::TcbUnbindNotification => {
            if thread.bound_notification.is_none() {
                return Err(Error::IllegalOperation.into());
            }
            ipc::unbind(call.k, thread);
            Ok(())
        }
        Label::TcbSetTlsBase => {
            let [base] = call.words()?;
            thread.context.set(FsBase, base);
            if call.k.current.is(thread) {
                time::reschedule(call.k);
            }
            Ok(())
        }
        Label::TcbSetFlags => set_flags(call, thread),
        Label::TcbSetRedirect => set_redirect(call, thread),
        _ => Err(Error::IllegalOperation.into()),
    }
}

/// Reading a thread's registers without suspending it and writing them without resuming it; else `None`.
#[inline(always)]
pub fn invoke_aside(call: &Arguments, cap: Cap, label: Label) -> Option<Outcome> {
    let thread = cap.as_tcb(call.k)?;
    let as_it_is = |call: &Arguments| call.word(0) & 1 == 0;
    match label {
        Label::TcbReadRegisters if as_it_is(call) => Some(read_registers(call, thread)),
        // One that is still to be told what it waited for is told first, for which the clock is looked at.
        Label::TcbWriteRegisters if as_it_is(call) && thread.yield_to.is_none() => Some(write_registers(call, thread)),
        _ => None,
    }
}

fn read_registers<'k>(call: &Arguments<'k>, thread: Ref<'k, Tcb>) -> Outcome {
    let [flags, count] = call.words()?;
    if count < 1 || count > REGISTERS.len() as u64 {
        return Err(Error::Range(1, REGISTERS.len() as u64).into());
    }
    if call.thread == thread {
        return Err(Error::IllegalOperation.into());
    }
    if flags & 1 != 0 {
        ipc::suspend(call.k, thread);
    }
    let ip = instruction_pointer(thread);
    let answer = call.long_answer();
    each_register!(count as usize, |index, register| {
        answer.put(index, if register == Rip { ip } else { thread.context.get(register) });
    });
    call.give(answer, count);
    Ok(())
}

/// Where a thread would go on: between instructions that is its next one, within a system call that call.
fn instruction_pointer(thread: Ref<Tcb>) -> u64 {
    match thread.state.get() {
        ThreadState::Running => thread.context.get(Rip),
        _ => thread.context.fault_ip(),
    }
}

#[inline(always)]
fn write_registers<'k>(call: &Arguments<'k>, thread: Ref<'k, Tcb>) -> Outcome {
    let [flags, count] = call.words()?;
    if (call.length() as u64).saturating_sub(2) < count {
        return Err(Error::TruncatedMessage.into());
    }
    if call.thread == thread {
        return Err(Error::IllegalOperation.into());
    }
    // What the thread is still to be told must not come after what is written.
    ipc::complete_yield(call.k, thread);
    set_registers(call, thread, count as usize);
    if flags & 1 != 0 {
        ipc::restart(call.k, thread);
    }
    Ok(())
}

/// Sets the first `count` registers to the message's words from the third on.
#[inline(never)]
fn set_registers<'k>(call: &Arguments<'k>, thread: Ref<'k, Tcb>, count: usize) {
    let words = call.all_words();
    each_register!(count, |index, register| thread.context.set(register, words.get(2 + index)));
}

fn copy_registers<'k>(call: &Arguments<'k>, thread: Ref<'k, Tcb>) -> Outcome {
    let [flags] = call.words()?;
    let Some(source) = call.cap(0)?.as_tcb(call.k) else { return Err(Error::InvalidCapability(1).into()) };
    let (suspend, resume, frame, integer) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0, flags & 8 != 0);
    if suspend {
        ipc::suspend(call.k, source);
    }
    if resume {
        ipc::restart(call.k, thread);
    }
    for (index, register) in REGISTERS.into_iter().enumerate() {
        match register {
            FsBase | GsBase => {}
            Rip if frame => thread.context.set(Rip, instruction_pointer(source)),
            register if index < FRAME_REGISTERS && frame || index >= FRAME_REGISTERS && integer => {
                thread.context.set(register, source.context.get(register));
            }
            _ => {}
        }
    }
    if call.k.current.is(thread) {
        time::reschedule(call.k);
    }
    Ok(())
}

/// The TCB whose maximum controlled priority bounds what may be set.
fn authority<'k>(call: &Arguments<'k>) -> Result<Ref<'k, Tcb>, Error> {
    call.cap(0)?.as_tcb(call.k).ok_or(Error::InvalidCapability(1))
}

fn allowed_priority(authority: Ref<Tcb>, priority: u64) -> Result<u8, Error> {
    let most = authority.mcp.get();
    match u8::try_from(priority) {
        Ok(priority) if priority <= most => Ok(priority),
        _ => Err(Error::Range(chestnut_abi::MIN_PRIORITY as u64, most as u64)),
    }
}

fn set_priority<'k>(call: &Arguments<'k>, thread: Ref<'k, Tcb>) -> Outcome {
    let [priority] = call.words()?;
    let authority = authority(call)?;
    apply_priority(call.k, thread, allowed_priority(authority, priority)?);
    Ok(())
}

fn apply_priority<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, priority: u8) {
    match thread.place.get() {
        Place::Object => {
            // It keeps its place in the order of the queue it waits in.
            let queue =
                thread.endpoint.get(k).map(|e| &e.get().queue).or(thread.waiting_on.get(k).map(|n| &n.get().queue));
            if let Some(queue) = queue {
                queue.remove(k, thread);
                thread.priority.set(priority);
                queue.insert_by_priority(k, thread);
            }
        }
        Place::Ready => {
            time::dequeue(k, thread);
            thread.priority.set(priority);
            time::enqueue_front(k, thread);
            time::reschedule(k);
        }
        Place::Nowhere | Place::Release => {
            thread.priority.set(priority);
            if k.current.is(thread) || k.action() == Action::SwitchTo(thread) {
                time::reschedule(k);
            }
        }
    }
}

fn set_sched_params<'k>(call: &Arguments<'k>, slot: CapRef<'k>, thread: Ref<'k, Tcb>) -> Outcome {
    let [mcp, priority] = call.words()?;
    let authority = authority(call)?;
    let context_cap = call.cap(1)?;
    let handler = Handler::take(call, 2)?;
    let mcp = allowed_priority(authority, mcp)?;
    let priority = allowed_priority(authority, priority)?;
    let k = call.k;
    let context = match context_cap.kind() {
        Kind::SchedContext => {
            let Some(context) = context_cap.as_sched_context(k) else { return Err(Error::InvalidCapability(2).into()) };
            let same = thread.sched_context.get(k) == Some(context);
            if !same && (!thread.sched_context.is_none() || !context.tcb.is_none() || !context.notification.is_none()) {
                return Err(Error::IllegalOperation.into());
            }
            if blocked_without_budget(k, thread, context) {
                return Err(Error::IllegalOperation.into());
            }
            Some(context)
        }
        Kind::Null if k.current.is(thread) => return Err(Error::IllegalOperation.into()),
        Kind::Null => None,
        _ => return Err(Error::InvalidCapability(2).into()),
    };
    handler.install(k, slot, thread, TcbSlot::FaultHandler)?;
    thread.mcp.set(mcp);
    apply_priority(k, thread, priority);
    match context {
        Some(context) if thread.sched_context.get(k) != Some(context) => super::sched::bind_thread(k, context, thread),
        Some(_) => {}
        None => {
            if let Some(context) = thread.sched_context.get(k) {
                lifecycle::unbind_thread(k, context);
            }
        }
    }
    Ok(())
}

/// A thread that waits can't be given a context that has nothing to run on.
fn blocked_without_budget(k: Kernel, thread: Ref<Tcb>, context: Ref<crate::object::SchedContext>) -> bool {
    let blocked = !thread.is_runnable() && thread.state.get() != ThreadState::Inactive;
    blocked && context.is_configured() && !(time::is_sufficient(k, context, 0) && time::is_ready(k, context))
}

/// A fault or timeout handler to be installed: nothing, or an endpoint that faults may be sent to.
struct Handler<'k> {
    source: CapRef<'k>,
    cap: Cap,
}

impl<'k> Handler<'k> {
    fn take(call: &Arguments<'k>, index: usize) -> Result<Self, Error> {
        let source = call.slot(index)?;
        let cap = source.cap();
        let rights = cap.rights();
        let replies = rights.contains(CapRights::GRANT) || rights.contains(CapRights::GRANT_REPLY);
        let valid = cap.is_null() || cap.kind() == Kind::Endpoint && rights.contains(CapRights::WRITE) && replies;
        if valid { Ok(Self { source, cap }) } else { Err(Error::InvalidCapability(index as u64 + 1)) }
    }

    fn install(self, k: Kernel<'k>, slot: CapRef<'k>, thread: Ref<'k, Tcb>, at: TcbSlot) -> Outcome {
        install(k, slot, thread, at, self.cap, self.source)
    }
}

/// Replaces a capability in a TCB's slot, unless emptying the slot took the TCB itself or the source along.
fn install<'k>(
    k: Kernel<'k>,
    slot: CapRef<'k>,
    thread: Ref<'k, Tcb>,
    at: TcbSlot,
    cap: Cap,
    source: CapRef<'k>,
) -> Outcome {
    lifecycle::replace(k, thread, at)?;
    let alive = slot.cap().as_tcb(k) == Some(thread);
    if alive && source.cap().covers(cap) {
        lifecycle::install(k, thread, at, cap, source);
    }
    Ok(())
}

/// New CSpace and VSpace roots.
struct Spaces<'k> {
    cspace: (CapRef<'k>, Cap),
    vspace: (CapRef<'k>, Cap),
}

impl<'k> Spaces<'k> {
    fn take(call: &Arguments<'k>, first: usize, cspace_data: u64, vspace_data: u64) -> Result<Self, Error> {
        let (cspace, vspace) = (call.slot(first)?, call.slot(first + 1)?);
        let mut root = call.derived(cspace)?;
        if root.kind() != Kind::CNode {
            return Err(Error::IllegalOperation);
        }
        if cspace_data != 0 {
            let guard = CNodeCapData(cspace_data);
            if guard.guard_bits() + root.cnode_bits() > 64 {
                return Err(Error::IllegalOperation);
            }
            let mask = (1u64 << guard.guard_bits()).wrapping_sub(1);
            root = root.with_guard(CNodeCapData::new(guard.guard() & mask, guard.guard_bits()));
        }
        let _ = vspace_data;
        let table = call.derived(vspace)?;
        if table.kind() != Kind::PageTable || table.table_level() != super::x86_64::ROOT_LEVEL {
            return Err(Error::IllegalOperation);
        }
        Ok(Self { cspace: (cspace, root), vspace: (vspace, table) })
    }

    fn install(self, k: Kernel<'k>, slot: CapRef<'k>, thread: Ref<'k, Tcb>) -> Outcome {
        install(k, slot, thread, TcbSlot::CSpace, self.cspace.1, self.cspace.0)?;
        install(k, slot, thread, TcbSlot::VSpace, self.vspace.1, self.vspace.0)
    }
}

/// A new IPC buffer: none for address 0, else an aligned kilobyte in a frame of RAM.
struct NewBuffer<'k> {
    frame: Option<(CapRef<'k>, Cap)>,
    address: u64,
}

impl<'k> NewBuffer<'k> {
    fn take(call: &Arguments<'k>, index: usize, address: u64) -> Result<Self, Error> {
        if address == 0 {
            return Ok(Self { frame: None, address });
        }
        let source = call.slot(index)?;
        let cap = call.derived(source)?;
        if cap.kind() != Kind::Frame || cap.frame_is_device() {
            return Err(Error::IllegalOperation);
        }
        if address & ((1 << ipc_buffer::SIZE_BITS) - 1) != 0 {
            return Err(Error::Alignment);
        }
        Ok(Self { frame: Some((source, cap)), address })
    }

    fn install(self, k: Kernel<'k>, slot: CapRef<'k>, thread: Ref<'k, Tcb>) -> Outcome {
        lifecycle::replace(k, thread, TcbSlot::IpcBuffer)?;
        thread.ipc_buffer.set(self.address);
        if let Some((source, cap)) = self.frame {
            install(k, slot, thread, TcbSlot::IpcBuffer, cap, source)?;
        }
        if k.current.is(thread) {
            time::reschedule(k);
        }
        Ok(())
    }
}

fn configure<'k>(call: &Arguments<'k>, slot: CapRef<'k>, thread: Ref<'k, Tcb>) -> Outcome {
    let [cspace_data, vspace_data, address] = call.words()?;
    call.slot(2)?;
    let spaces = Spaces::take(call, 0, cspace_data, vspace_data)?;
    let buffer = NewBuffer::take(call, 2, address)?;
    spaces.install(call.k, slot, thread)?;
    buffer.install(call.k, slot, thread)
}

fn bind_notification<'k>(call: &Arguments<'k>, thread: Ref<'k, Tcb>) -> Outcome {
    let cap = call.cap(0)?;
    if !thread.bound_notification.is_none() {
        return Err(Error::IllegalOperation.into());
    }
    let Some(notification) = cap.as_notification(call.k).filter(|_| cap.rights().contains(CapRights::READ)) else {
        return Err(Error::IllegalOperation.into());
    };
    if !notification.queue.is_empty() || !notification.bound_tcb.is_none() {
        return Err(Error::IllegalOperation.into());
    }
    ipc::bind(thread, notification);
    Ok(())
}

fn set_flags<'k>(call: &Arguments<'k>, thread: Ref<'k, Tcb>) -> Outcome {
    let [clear, set] = call.words()?;
    let flags = (thread.flags.get() as u64 & !clear | set) & TcbFlags::MASK;
    thread.flags.set(flags as u8);
    if flags & TcbFlags::FPU_DISABLED != 0 && call.k.fpu_owner.is(thread) {
        // Another thread runs, so the FPU is disabled for the moment.
        arch::fpu_enable();
        arch::fpu_save(&thread.get().fpu);
        call.k.fpu_owner.clear();
        arch::fpu_disable();
    }
    call.answer(flags);
    Ok(())
}

fn set_redirect<'k>(call: &Arguments<'k>, thread: Ref<'k, Tcb>) -> Outcome {
    let [base, length, entry, word] = call.words()?;
    let in_lower_half = |address: u64| address < USER_END;
    let end = base.checked_add(length);
    if length != 0 && !(in_lower_half(entry) && end.is_some_and(|end| end <= USER_END)) {
        return Err(Error::Range(0, USER_END - 1).into());
    }
    let redirect = if length == 0 { Redirect::OFF } else { Redirect::unless_within(base, length, entry, word) };
    thread.redirect.set(redirect);
    Ok(())
}
