//! The twin on the microkernel: every method is one invocation or a few.
//!
//! An invocation that fails although its arguments were right by this floor's own records is a mistake of the server's, and
//! ends it with the kernel's reason in the log; only want of memory, slots and address-space numbers is an error.

use super::Message;
use super::thread::Parts;
use super::{Access, Level, OutOfMemory, Redirect, Reply, Slot, Threads};
use alloc::boxed::Box;
use alloc::vec::Vec;
use chestnut_abi::object::{ObjectType, VmAttributes};
use chestnut_abi::{CNodeCapData, CapRights, UserContext};
use chestnut_linux_trampoline::message::SERVER_CPTR;
use chestnut_manifest::{StartInfo, slots};
use chestnut_runtime::cap::{self, Budget};
use chestnut_runtime::cap::{
    AsidControl, AsidPool, CNode, Endpoint, Frame, PageDirectory, PageTable, Pdpt, SchedContext, SchedControl,
    Slot as SlotAt, Tcb, Untyped, VSpace,
};
use chestnut_runtime::message::{InvocationError, encode};
use core::cell::{Cell, RefCell};

/// Bits of a thread's CSpace: slots 0 and 1.
const CSPACE_BITS: u64 = 1;
/// The window begins at such a boundary, below which root may have mapped something.
const WINDOW_ALIGNMENT: u64 = 1 << 39;
/// Of the memory, one part in so many is kept for objects other than frames: paging structures for what frames show.
const OBJECT_PART: u64 = 32;
const PAGE_BITS: u64 = chestnut_abi::object::PAGE_BITS;

/// The microkernel, seen from the server's CSpace.
pub struct Kernel {
    untypeds: RefCell<Vec<Pool>>,
    next_slot: Cell<Slot>,
    end_slot: Slot,
    /// Bytes that no frame is made of.
    reserve: u64,
    free_slots: RefCell<Vec<Slot>>,
    window: Cell<u64>,
    endpoint: Cell<Endpoint>,
    /// Where the next address space gets its number.
    asid_pool: Cell<Slot>,
    /// Objects made for something that then found no memory for the rest: memory is never given back, so they wait for the
    /// next attempt.
    spare: RefCell<Vec<(ObjectType, Slot)>>,
}

/// An untyped and how far it is used up.
struct Pool {
    cptr: u64,
    bytes: u64,
    used: u64,
}

impl Pool {
    /// Where an object of 2^`bits` bytes would begin, if it fits.
    fn room(&self, bits: u64, count: u64) -> Option<u64> {
        let start = self.used.next_multiple_of(1 << bits);
        (start + (count << bits) <= self.bytes).then_some(start)
    }
}

/// The time-stamp counter.
pub use chestnut_runtime::clock::ticks;

/// For invocations that can only fail by a mistake in this file.
trait Must<T> {
    fn must(self, what: &str) -> T;
}
impl<T> Must<T> for Result<T, InvocationError> {
    #[track_caller]
    fn must(self, what: &str) -> T {
        match self {
            Ok(value) => value,
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

impl Kernel {
    /// Takes over what root gave to the server, and makes the endpoint that programs call.
    pub fn new(start: &StartInfo) -> &'static Self {
        let mut untypeds: Vec<Pool> = start
            .untypeds
            .iter()
            .filter(|untyped| !untyped.is_device)
            .map(|untyped| Pool { cptr: untyped.cptr, bytes: 1 << untyped.size_bits, used: 0 })
            .collect();
        untypeds.sort_by_key(|pool| pool.bytes);
        let total: u64 = untypeds.iter().map(|pool| pool.bytes).sum();
        let kernel = Box::leak(Box::new(Self {
            reserve: total / OBJECT_PART,
            untypeds: RefCell::new(untypeds),
            next_slot: Cell::new(start.first_free_slot),
            end_slot: start.first_free_slot + start.free_slots,
            free_slots: RefCell::new(Vec::new()),
            window: Cell::new(start.free_address.next_multiple_of(WINDOW_ALIGNMENT)),
            endpoint: Cell::new(Endpoint(0)),
            asid_pool: Cell::new(slots::ASID_POOL),
            spare: RefCell::default(),
        }));
        let endpoint = kernel.make(ObjectType::Endpoint, 0).expect("memory for one endpoint");
        kernel.endpoint.set(Endpoint(endpoint));
        kernel
    }

    /// Waits for a message or a notification. With an answer, first gives it to the caller that `reply` holds.
    pub fn receive(&self, reply: &Reply, answer: Option<(u64, &[u64])>) -> Message {
        let endpoint = self.endpoint.get();
        let reply = cap::Reply(reply.slot());
        let received = match answer {
            Some((label, words)) => {
                let (info, registers) = encode(label, words, &[]);
                endpoint.reply_recv(info, registers, reply)
            }
            None => endpoint.recv(reply),
        };
        Message {
            badge: received.badge,
            info: received.info,
            words: core::array::from_fn(|index| received.word(index)),
        }
    }

    fn take_slot(&self) -> Result<Slot, OutOfMemory> {
        if let Some(slot) = self.free_slots.borrow_mut().pop() {
            return Ok(slot);
        }
        self.take_slots(1)
    }
    fn take_slots(&self, count: u64) -> Result<Slot, OutOfMemory> {
        let first = self.next_slot.get();
        if self.end_slot - first < count {
            return Err(OutOfMemory);
        }
        self.next_slot.set(first + count);
        Ok(first)
    }
    fn give_slot(&self, slot: Slot) {
        self.free_slots.borrow_mut().push(slot);
    }

    /// One object in a slot of its own.
    fn make(&self, kind: ObjectType, bits: u64) -> Result<Slot, OutOfMemory> {
        let mut spare = self.spare.borrow_mut();
        if let Some(index) = spare.iter().position(|(spare, _)| *spare == kind) {
            return Ok(spare.swap_remove(index).1);
        }
        drop(spare);
        let slot = self.take_slot()?;
        self.retype(kind, bits, slot, 1).inspect_err(|_| self.give_slot(slot))?;
        Ok(slot)
    }
    /// `count` objects in the slots from `first`, all from one untyped: the smallest that has room.
    fn retype(&self, kind: ObjectType, bits: u64, first: Slot, count: u64) -> Result<(), OutOfMemory> {
        let size_bits = kind.size_bits(bits);
        let mut untypeds = self.untypeds.borrow_mut();
        let found = untypeds.iter_mut().find_map(|pool| pool.room(size_bits, count).map(|start| (pool, start)));
        let (pool, start) = found.ok_or(OutOfMemory)?;
        Untyped(pool.cptr).retype(kind, bits, CNode::OWN, first, count).must("making objects");
        pool.used = start + (count << size_bits);
        Ok(())
    }

    fn bytes_left(&self) -> u64 {
        self.untypeds.borrow().iter().map(|pool| pool.bytes - pool.used).sum()
    }
    /// Frames that can still be made: each takes a slot for itself and, sooner or later, one for a copy.
    pub(super) fn frames_available(&self) -> usize {
        let memory = self.bytes_left().saturating_sub(self.reserve) >> PAGE_BITS;
        memory.min((self.end_slot - self.next_slot.get()) / 2) as usize
    }

    /// Makes up to `count` frames, maps each in the server's window and tells of it; returns how many there were.
    pub(super) fn make_frames(&self, count: usize, mut found: impl FnMut(Slot, *mut u8)) -> usize {
        let mut count = count.min(self.frames_available()) as u64;
        let first = loop {
            if count == 0 {
                return 0;
            }
            if let Ok(first) = self.take_slots(count) {
                if self.retype(ObjectType::X864K, 0, first, count).is_ok() {
                    break first;
                }
                self.next_slot.set(first);
            }
            count /= 2;
        };
        for index in 0..count {
            let address = self.window.get();
            if self.prepare_window(address).is_err() {
                return index as usize;
            }
            let attributes = VmAttributes::EXECUTE_NEVER;
            Frame(first + index)
                .map(VSpace::OWN, address, CapRights::READ_WRITE, attributes)
                .must("mapping the window");
            self.window.set(address + (1 << PAGE_BITS));
            found(first + index, address as *mut u8);
        }
        count as usize
    }
    /// Makes the paging structures that begin at `address` of the window, which grows upwards.
    fn prepare_window(&self, address: u64) -> Result<(), OutOfMemory> {
        for level in Level::ALL {
            if address.is_multiple_of(1 << level.shift()) {
                let slot = self.make_structure(level)?;
                self.map_structure(level, slot, VSpace::OWN.0, address);
            }
        }
        Ok(())
    }

    pub(super) fn copy(&self, capability: Slot) -> Result<Slot, OutOfMemory> {
        let slot = self.take_slot()?;
        SlotAt::own(slot).copy_from(SlotAt::own(capability), CapRights::ALL).must("copying a frame's capability");
        Ok(slot)
    }
    pub(super) fn delete(&self, capability: Slot) {
        SlotAt::own(capability).delete().must("deleting a copied capability");
        self.give_slot(capability);
    }

    pub(super) fn make_space(&self) -> Result<Slot, OutOfMemory> {
        let slot = self.make(ObjectType::X64Pml4, 0)?;
        if AsidPool(self.asid_pool.get()).assign(VSpace(slot)).is_ok() {
            return Ok(slot);
        }
        // The pool is full, and stays so: spaces are never given back. If there is no other one, the space is kept for later.
        let assigned = self.make_asid_pool().and_then(|pool| {
            self.asid_pool.set(pool);
            AsidPool(pool).assign(VSpace(slot)).map_err(|_| OutOfMemory)
        });
        assigned.map(|()| slot).inspect_err(|_| self.keep(ObjectType::X64Pml4, slot))
    }
    /// For the next who asks for one of this kind and size.
    fn keep(&self, kind: ObjectType, slot: Slot) {
        self.spare.borrow_mut().push((kind, slot));
    }
    fn make_asid_pool(&self) -> Result<Slot, OutOfMemory> {
        let memory = self.make(ObjectType::Untyped, PAGE_BITS)?;
        let pool = self.take_slot().inspect_err(|_| self.keep(ObjectType::Untyped, memory))?;
        let place = CNode::OWN.slot(pool);
        // Refused once all numbers of the processor are in pools.
        let made = AsidControl(slots::ASID_CONTROL).make_pool(Untyped(memory), place.root, place.index, place.depth);
        made.map(|()| pool).map_err(|_| {
            self.keep(ObjectType::Untyped, memory);
            self.give_slot(pool);
            OutOfMemory
        })
    }
    pub(super) fn make_structure(&self, level: Level) -> Result<Slot, OutOfMemory> {
        let kind = match level {
            Level::PageTable => ObjectType::X86PageTable,
            Level::PageDirectory => ObjectType::X86PageDirectory,
            Level::DirectoryPointers => ObjectType::X86Pdpt,
        };
        self.make(kind, 0)
    }
    pub(super) fn map_structure(&self, level: Level, slot: Slot, space: Slot, address: u64) {
        let (space, attributes) = (VSpace(space), VmAttributes::WRITE_BACK);
        let outcome = match level {
            Level::PageTable => PageTable(slot).map(space, address, attributes),
            Level::PageDirectory => PageDirectory(slot).map(space, address, attributes),
            Level::DirectoryPointers => Pdpt(slot).map(space, address, attributes),
        };
        outcome.must("mapping a paging structure");
    }
    pub(super) fn unmap_structure(&self, level: Level, slot: Slot) {
        let outcome = match level {
            Level::PageTable => PageTable(slot).unmap(),
            Level::PageDirectory => PageDirectory(slot).unmap(),
            Level::DirectoryPointers => Pdpt(slot).unmap(),
        };
        outcome.must("unmapping a paging structure");
    }
    pub(super) fn map_page(&self, capability: Slot, space: Slot, address: u64, access: Access) {
        let rights = if access.write { CapRights::READ_WRITE } else { CapRights::READ };
        let attributes = if access.execute { VmAttributes::WRITE_BACK } else { VmAttributes::EXECUTE_NEVER };
        Frame(capability).map(VSpace(space), address, rights, attributes).must("mapping a page");
    }
    pub(super) fn unmap_page(&self, capability: Slot) {
        Frame(capability).unmap().must("unmapping a page");
    }

    pub(super) fn make_reply(&self) -> Result<Slot, OutOfMemory> {
        self.make(ObjectType::Reply, 0)
    }
    pub(super) fn reply(&self, slot: Slot, label: u64, words: &[u64]) {
        let (info, registers) = encode(label, words, &[]);
        cap::Reply(slot).send(info, registers);
    }

    pub(super) fn make_thread(&self, badge: u64) -> Result<Parts, OutOfMemory> {
        let tcb = self.make(ObjectType::Tcb, 0)?;
        let keep_tcb = |_: &OutOfMemory| self.keep(ObjectType::Tcb, tcb);
        let sched_context =
            self.make(ObjectType::SchedContext, chestnut_abi::object::MIN_SCHED_CONTEXT_BITS).inspect_err(keep_tcb)?;
        let keep_both = |error: &OutOfMemory| {
            keep_tcb(error);
            self.keep(ObjectType::SchedContext, sched_context);
        };
        let cspace = self.make(ObjectType::CapTable, CSPACE_BITS).inspect_err(keep_both)?;
        let endpoint = self.take_slot().inspect_err(|error| {
            keep_both(error);
            self.keep(ObjectType::CapTable, cspace);
        })?;
        let rights = CapRights::WRITE.union(CapRights::GRANT_REPLY);
        let own = SlotAt::own(self.endpoint.get().0);
        SlotAt::own(endpoint)
            .mint_from(own, rights, badge | Threads::FAULT)
            .must("making a thread's endpoint capability");
        let inside = CNode(cspace).slot_at(SERVER_CPTR, CSPACE_BITS);
        inside.mint_from(own, rights, badge).must("filling a thread's CSpace");
        SchedControl(slots::SCHED_CONTROL)
            .configure_flags(SchedContext(sched_context), Budget::round_robin(Threads::TURN))
            .must("giving a thread its time");
        Tcb(tcb)
            .set_sched_params(Tcb(slots::TCB), 0, Threads::PRIORITY, sched_context, endpoint)
            .must("setting a thread's priority");
        Ok(Parts { badge, tcb, sched_context, cspace, endpoint })
    }
    pub(super) fn enter_space(&self, parts: &Parts, space: Slot, page: Slot, redirect: Redirect) {
        let tcb = Tcb(parts.tcb);
        let guard: CNodeCapData = CNode::plain_guard(CSPACE_BITS);
        tcb.set_space(parts.endpoint, CNode(parts.cspace), guard, VSpace(space)).must("putting a thread into a space");
        tcb.set_ipc_buffer(redirect.word, Frame(page)).must("setting a thread's IPC buffer");
        let Redirect { base, length, entry, word } = redirect;
        tcb.set_redirect(base, length, entry, word).must("redirecting a thread's system calls");
    }
    pub(super) fn suspend(&self, parts: &Parts) {
        Tcb(parts.tcb).suspend().must("suspending a thread");
    }
    pub(super) fn resume(&self, parts: &Parts) {
        Tcb(parts.tcb).resume().must("resuming a thread");
    }
    pub(super) fn registers(&self, parts: &Parts) -> UserContext {
        Tcb(parts.tcb).read_registers(false).must("reading a thread's registers")
    }
    pub(super) fn set_registers(&self, parts: &Parts, registers: &UserContext, resume: bool) {
        Tcb(parts.tcb).write_registers(registers, resume).must("writing a thread's registers");
    }
    pub(super) fn schedule(&self, parts: &Parts, priority: u8, turn: u64) {
        Tcb(parts.tcb).set_priority(Tcb(slots::TCB), priority).must("changing a thread's priority");
        SchedControl(slots::SCHED_CONTROL)
            .configure_flags(SchedContext(parts.sched_context), Budget::round_robin(turn))
            .must("changing a thread's turns");
    }
    pub(super) fn consumed(&self, parts: &Parts) -> u64 {
        SchedContext(parts.sched_context).consumed().unwrap_or(0)
    }
}
