//! The twin on the microkernel: every method is one invocation or a few.
//!
//! An invocation that fails although its arguments were right by this floor's own records is a mistake of the server's, and
//! ends it with the kernel's reason in the log; only want of memory, slots and address-space numbers is an error.

use super::Message;
use super::thread::{Parts, Place};
use super::{Access, Level, OutOfMemory, Redirect, Reply, Slot, Threads};
use crate::process::thread::{FLAGS, Sent};
use alloc::boxed::Box;
use alloc::vec::Vec;
use chestnut_abi::object::{ObjectType, VmAttributes};
use chestnut_abi::{CNodeCapData, CapRights, MessageInfo, UserContext};
use chestnut_linux_trampoline::message::SERVER_CPTR;
use chestnut_manifest::{StartInfo, slots};
use chestnut_runtime::cap::{self, Budget};
use chestnut_runtime::cap::{
    AsidControl, AsidPool, CNode, Endpoint, Frame, PageDirectory, PageTable, Pdpt, SchedContext, SchedControl,
    Slot as SlotAt, Tcb, Untyped, VSpace,
};
use chestnut_runtime::message::{InvocationError, Received};
use chestnut_runtime::{ipc_buffer, start};
use core::cell::{Cell, RefCell};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// What a thread's objects take, with what is lost by their alignment.
const THREAD_BYTES: u64 = 1 << 14;
/// Bits of a thread's CSpace: slots 0 and 1.
const CSPACE_BITS: u64 = 1;
/// The window begins at such a boundary, below which root may have mapped something.
const WINDOW_ALIGNMENT: u64 = 1 << 39;
/// Of the memory, one part in so many, but so many bytes at least, are kept for the heap, without which the server can't go on.
const HEAP_PART: u64 = 32;
const HEAP_LEAST: u64 = super::HEAP_RESERVE as u64;
/// What is kept from frames besides: for objects (paging structures for what frames show).
const RESERVE_PART: u64 = 32;
const RESERVE_LEAST: u64 = 4 << 20;
/// What objects other than frames may take in all, and by how much the heap may grow: memory becomes one kind of object and stays it,
/// so what one program had made of it would be missed by all others for ever.
const OBJECTS_PART: u64 = 4;
const HEAP_LIMIT_PART: u64 = 4;
/// Slots that only the heap takes: one for each 2 MiB.
const SLOTS_RESERVE: u64 = 1024;
const LARGE_PAGE_BITS: u64 = chestnut_abi::object::LARGE_PAGE_BITS;
/// From the window's beginning to the place of the heap's further pieces, which like the window has no end near.
const WINDOW_LENGTH: u64 = 1 << 40;
const PAGE_BITS: u64 = chestnut_abi::object::PAGE_BITS;

/// The microkernel, seen from the server's CSpace.
pub struct Kernel {
    untypeds: RefCell<Vec<Pool>>,
    next_slot: Cell<Slot>,
    end_slot: Slot,
    /// Bytes that the machine has.
    machine_memory: u64,
    /// Bytes that no frame is made of.
    reserve: u64,
    /// Bytes that nothing but the heap and what answers callers is made of.
    heap_reserve: u64,
    /// Bytes that the heap may have in all.
    heap_limit: u64,
    /// Bytes that may still become objects other than frames.
    objects_left: Cell<u64>,
    /// Bytes that the heap may still grow by.
    heap_left: Cell<u64>,
    /// By how much it could, counted anew whenever memory is used: this is looked at for each message.
    heap_room: Cell<usize>,
    /// Where the next piece of the heap will be.
    heap_window: Cell<u64>,
    free_slots: RefCell<Vec<Slot>>,
    /// Slots that hold what makes the window and the heap, and pools of address-space numbers.
    slots_of_windows: Cell<u64>,
    window: Cell<u64>,
    endpoint: Cell<Endpoint>,
    /// Where the next address space gets its number.
    asid_pool: Cell<Slot>,
    /// Objects made for something that then found no memory for the rest: memory is never given back, so they wait for the
    /// next attempt.
    spare: RefCell<Vec<(ObjectType, Slot)>>,
    has_all_numbers: Cell<bool>,
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

/// For the allocator, which knows no server.
static THE_KERNEL: AtomicPtr<Kernel> = AtomicPtr::new(ptr::null_mut());

fn more_heap(bytes: usize) -> Option<(*mut u8, usize)> {
    // SAFETY: null until the kernel's only value is there, which lives for ever and is used by the server's one thread.
    let kernel = unsafe { THE_KERNEL.load(Ordering::Relaxed).as_ref() }?;
    kernel.grow_heap(bytes as u64)
}

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

impl Level {
    const fn kind(self) -> ObjectType {
        match self {
            Self::PageTable => ObjectType::X86PageTable,
            Self::PageDirectory => ObjectType::X86PageDirectory,
            Self::DirectoryPointers => ObjectType::X86Pdpt,
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
        let heap_reserve = (total / HEAP_PART).max(HEAP_LEAST);
        let window = start.free_address.next_multiple_of(WINDOW_ALIGNMENT);
        let kernel: &'static Self = Box::leak(Box::new(Self {
            machine_memory: start.machine_memory,
            reserve: heap_reserve + (total / RESERVE_PART).max(RESERVE_LEAST),
            heap_reserve,
            heap_limit: chestnut_runtime::start::heap_usage().claimed as u64 + total / HEAP_LIMIT_PART,
            objects_left: Cell::new(total / OBJECTS_PART),
            heap_left: Cell::new(total / HEAP_LIMIT_PART),
            heap_room: Cell::new(0),
            heap_window: Cell::new(window + WINDOW_LENGTH),
            untypeds: RefCell::new(untypeds),
            next_slot: Cell::new(start.first_free_slot),
            end_slot: start.first_free_slot + start.free_slots,
            // For all there can be: slots are given back when memory comes to its end, too.
            free_slots: RefCell::new(Vec::with_capacity(start.free_slots as usize)),
            slots_of_windows: Cell::new(0),
            window: Cell::new(window),
            endpoint: Cell::new(Endpoint(0)),
            asid_pool: Cell::new(slots::ASID_POOL),
            spare: RefCell::default(),
            has_all_numbers: Cell::new(false),
        }));
        let endpoint = kernel.make(ObjectType::Endpoint, 0).expect("memory for one endpoint");
        kernel.endpoint.set(Endpoint(endpoint));
        kernel.count_heap_room();
        THE_KERNEL.store(ptr::from_ref(kernel).cast_mut(), Ordering::Relaxed);
        // SAFETY: `grow_heap` only makes invocations and changes cells; it maps a part of the address space that nothing else uses.
        unsafe { start::grow_heap_by(more_heap) };
        kernel
    }

    /// Waits for a message or a notification. With an answer, first gives it to the caller that `reply` holds.
    pub fn receive(&self, reply: &Reply, answer: Option<Sent>) -> Message {
        match answer {
            Some(answer) => self.answer_and_receive(reply, answer),
            None => message(self.endpoint.get().recv(cap::Reply(reply.slot()))),
        }
    }
    /// The same with an answer.
    #[inline(always)]
    pub fn answer_and_receive(&self, reply: &Reply, (info, [first, second]): Sent) -> Message {
        message(self.endpoint.get().reply_recv(info, [first, second, FLAGS, 0], cap::Reply(reply.slot())))
    }

    /// What answers calls with a value through `reply`, and each time waits for the next message with it.
    #[inline(always)]
    pub fn exchange(&self, reply: &Reply) -> impl Fn(u64) -> Message + use<> {
        let (endpoint, reply) = (self.endpoint.get(), cap::Reply(reply.slot()));
        move |value| {
            let (info, word) = chestnut_linux_trampoline::Reply::Done(value).encode();
            message(endpoint.reply_recv(info, [word, 0, 0, 0], reply))
        }
    }

    /// The fifth word of the message that came last, if that was a fault: to be asked for before anything else is done.
    pub fn fifth_word(&self) -> u64 {
        ipc_buffer::message_word(4)
    }

    /// The same without waiting: a badge of 0 says that there was nothing.
    pub fn look(&self, reply: &Reply, answer: Option<Sent>) -> Message {
        if let Some((info, words)) = answer {
            self.reply(reply.slot(), info, words);
        }
        message(self.endpoint.get().nb_recv(cap::Reply(reply.slot())))
    }

    fn take_slot(&self) -> Result<Slot, OutOfMemory> {
        // Somebody has borrowed the free ones when the heap grows just then.
        let free = self.free_slots.try_borrow_mut().ok().and_then(|mut free| free.pop());
        free.map_or_else(|| self.take_slots(1, SLOTS_RESERVE), Ok)
    }
    /// Fresh slots, of which `spare` must remain.
    fn take_slots(&self, count: u64, spare: u64) -> Result<Slot, OutOfMemory> {
        let first = self.next_slot.get();
        if self.end_slot - first < count + spare {
            return Err(OutOfMemory);
        }
        self.next_slot.set(first + count);
        Ok(first)
    }
    fn give_slot(&self, slot: Slot) {
        self.free_slots.borrow_mut().push(slot);
    }

    /// One object in a slot of its own, as long as that takes nothing from the heap's reserve.
    fn make(&self, kind: ObjectType, bits: u64) -> Result<Slot, OutOfMemory> {
        let mut spare = self.spare.borrow_mut();
        if let Some(index) = spare.iter().position(|(spare, _)| *spare == kind) {
            return Ok(spare.swap_remove(index).1);
        }
        drop(spare);
        let left = self.objects_left.get().checked_sub(1 << kind.size_bits(bits)).ok_or(OutOfMemory)?;
        if self.bytes_left() <= self.heap_reserve {
            return Err(OutOfMemory);
        }
        let slot = self.make_anyhow(kind, bits)?;
        self.objects_left.set(left);
        Ok(slot)
    }
    fn make_anyhow(&self, kind: ObjectType, bits: u64) -> Result<Slot, OutOfMemory> {
        let slot = self.take_slot()?;
        self.retype(kind, bits, slot, 1).inspect_err(|_| self.give_slot(slot))?;
        Ok(slot)
    }
    /// `count` objects in the slots from `first`, all from one untyped: the smallest that has room.
    fn retype(&self, kind: ObjectType, bits: u64, first: Slot, count: u64) -> Result<(), OutOfMemory> {
        let size_bits = kind.size_bits(bits);
        let found = self.untypeds.borrow().iter().position(|pool| pool.room(size_bits, count).is_some());
        self.retype_from(found.ok_or(OutOfMemory)?, kind, bits, first, count)
    }
    fn retype_from(
        &self,
        pool: usize,
        kind: ObjectType,
        bits: u64,
        first: Slot,
        count: u64,
    ) -> Result<(), OutOfMemory> {
        let size_bits = kind.size_bits(bits);
        let mut untypeds = self.untypeds.try_borrow_mut().map_err(|_| OutOfMemory)?;
        let pool = untypeds.get_mut(pool).ok_or(OutOfMemory)?;
        let start = pool.room(size_bits, count).ok_or(OutOfMemory)?;
        Untyped(pool.cptr).retype(kind, bits, CNode::OWN, first, count).must("making objects");
        pool.used = start + (count << size_bits);
        drop(untypeds);
        self.count_heap_room();
        Ok(())
    }

    /// Maps at least so many bytes for the heap, behind what it got before. It is called inside an allocation: nothing here
    /// allocates, and what is borrowed then is left alone.
    fn grow_heap(&self, bytes: u64) -> Option<(*mut u8, usize)> {
        let start = self.heap_window.get();
        let wanted = bytes.div_ceil(1 << LARGE_PAGE_BITS);
        let mapped = (0..wanted).take_while(|_| self.grow_heap_by_page().is_ok()).count() as u64;
        (mapped > 0).then_some((start as *mut u8, (mapped << LARGE_PAGE_BITS) as usize))
    }
    fn grow_heap_by_page(&self) -> Result<(), OutOfMemory> {
        let address = self.heap_window.get();
        let left = self.heap_left.get().checked_sub(1 << LARGE_PAGE_BITS).ok_or(OutOfMemory)?;
        let slot = self.take_slots(1, 0)?;
        let pool = self.heap_pool().ok_or(OutOfMemory)?;
        if self.retype_from(pool, ObjectType::X86LargePage, 0, slot, 1).is_err() {
            self.next_slot.set(slot);
            return Err(OutOfMemory);
        }
        self.prepare_window(address, &[Level::DirectoryPointers, Level::PageDirectory])?;
        Frame(slot)
            .map(VSpace::OWN, address, CapRights::READ_WRITE, VmAttributes::EXECUTE_NEVER)
            .must("mapping a piece of the heap");
        self.slots_of_windows.set(self.slots_of_windows.get() + 1);
        self.heap_window.set(address + (1 << LARGE_PAGE_BITS));
        self.heap_left.set(left);
        self.count_heap_room();
        Ok(())
    }
    /// What the heap grows by: the largest untyped, which frames are made of last.
    fn heap_pool(&self) -> Option<usize> {
        self.untypeds.try_borrow().ok()?.len().checked_sub(1)
    }
    /// Bytes that the heap could still grow by.
    #[inline]
    pub(super) const fn heap_room(&self) -> usize {
        self.heap_room.get()
    }
    fn count_heap_room(&self) {
        let untypeds = self.untypeds.borrow();
        let room = untypeds
            .last()
            .map_or(0, |pool| pool.bytes - pool.used.next_multiple_of(1 << LARGE_PAGE_BITS).min(pool.bytes));
        self.heap_room.set((room.min(self.heap_left.get()) & !((1 << LARGE_PAGE_BITS) - 1)) as usize);
    }
    pub(super) const fn heap_limit(&self) -> usize {
        self.heap_limit as usize
    }
    /// Bytes of untyped memory that were used, ever, and slots that hold what somebody may use: neither what waits for a second part
    /// of its kind, nor what only makes the window and the heap larger, which stay so.
    pub(super) fn used(&self) -> (u64, u64) {
        let bytes = self.untypeds.borrow().iter().map(|pool| pool.used).sum();
        let not_in_use = self.free_slots.borrow().len() + self.spare.borrow().len();
        (bytes, self.next_slot.get() - not_in_use as u64 - self.slots_of_windows.get())
    }

    pub(super) const fn machine_memory(&self) -> u64 {
        self.machine_memory
    }
    /// Bytes that nothing is made of.
    pub(super) fn bytes_left(&self) -> u64 {
        self.untypeds.borrow().iter().map(|pool| pool.bytes - pool.used).sum()
    }
    /// Frames that can still be made: each takes a slot for itself and, sooner or later, one for a copy.
    pub(super) fn frames_available(&self) -> usize {
        let memory = self.bytes_left().saturating_sub(self.reserve) >> PAGE_BITS;
        memory.min((self.end_slot - self.next_slot.get()).saturating_sub(SLOTS_RESERVE) / 2) as usize
    }

    /// Makes up to `count` frames, maps each in the server's window and tells of it; returns how many there were.
    pub(super) fn make_frames(&self, count: usize, mut found: impl FnMut(Slot, *mut u8)) -> usize {
        let mut count = count.min(self.frames_available()) as u64;
        let first = loop {
            if count == 0 {
                return 0;
            }
            if let Ok(first) = self.take_slots(count, SLOTS_RESERVE) {
                if self.retype(ObjectType::X864K, 0, first, count).is_ok() {
                    break first;
                }
                self.next_slot.set(first);
            }
            count /= 2;
        };
        for index in 0..count {
            let address = self.window.get();
            if self.prepare_window(address, &Level::ALL).is_err() {
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
    fn prepare_window(&self, address: u64, levels: &[Level]) -> Result<(), OutOfMemory> {
        for &level in levels {
            if address.is_multiple_of(1 << level.shift()) {
                let slot = self.make_anyhow(level.kind(), 0)?;
                self.slots_of_windows.set(self.slots_of_windows.get() + 1);
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
        // The pool is full, and stays so: spaces are never given back.
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
        if self.has_all_numbers.get() {
            return Err(OutOfMemory);
        }
        let memory = self.make(ObjectType::Untyped, PAGE_BITS)?;
        let pool = self.take_slot().inspect_err(|_| self.keep(ObjectType::Untyped, memory))?;
        let place = CNode::OWN.slot(pool);
        let made = AsidControl(slots::ASID_CONTROL).make_pool(Untyped(memory), place.root, place.index, place.depth);
        // The memory and the pool.
        let kept = |()| self.slots_of_windows.set(self.slots_of_windows.get() + 2);
        made.map(kept).map(|()| pool).map_err(|_| {
            // Refused once all numbers of the processor are in pools, and so for ever.
            self.has_all_numbers.set(true);
            self.keep(ObjectType::Untyped, memory);
            self.give_slot(pool);
            OutOfMemory
        })
    }
    pub(super) fn make_structure(&self, level: Level) -> Result<Slot, OutOfMemory> {
        self.make(level.kind(), 0)
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
        self.make_anyhow(ObjectType::Reply, 0)
    }
    pub(super) fn reply(&self, slot: Slot, info: MessageInfo, [first, second]: [u64; 2]) {
        cap::Reply(slot).send(info, [first, second, FLAGS, 0]);
    }

    pub(super) fn make_thread(&self, badge: u64) -> Result<Parts, OutOfMemory> {
        // All or nothing: parts of a thread would be lost.
        let bytes = self.bytes_left().saturating_sub(self.heap_reserve).min(self.objects_left.get());
        if bytes < THREAD_BYTES || self.end_slot - self.next_slot.get() < 4 + SLOTS_RESERVE {
            return Err(OutOfMemory);
        }
        let tcb = self.make(ObjectType::Tcb, 0)?;
        let sched_context = self.make(ObjectType::SchedContext, chestnut_abi::object::MIN_SCHED_CONTEXT_BITS)?;
        let cspace = self.make(ObjectType::CapTable, CSPACE_BITS)?;
        let endpoint = self.take_slot()?;
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
        Ok(Parts { badge, tcb, sched_context, cspace, place: None })
    }
    /// Puts a thread that was `before` somewhere: what is the same there isn't set again.
    pub(super) fn enter_space(&self, parts: &Parts, before: Option<Place>, place: Place) {
        let tcb = Tcb(parts.tcb);
        let Place { space, page, redirect } = place;
        let Redirect { base, length, entry, word } = redirect;
        let has_same_page = before.is_some_and(|before| before.page == page && before.redirect.word == word);
        if before.is_none_or(|before| before.space != space) {
            let guard: CNodeCapData = CNode::plain_guard(CSPACE_BITS);
            let configured = tcb.configure(CNode(parts.cspace), guard, VSpace(space), word, Frame(page));
            configured.must("putting a thread into a space");
        } else if !has_same_page {
            tcb.set_ipc_buffer(word, Frame(page)).must("setting a thread's IPC buffer");
        }
        if before.is_none_or(|before| before.redirect != redirect) {
            tcb.set_redirect(base, length, entry, word).must("redirecting a thread's system calls");
        }
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

#[inline(always)]
const fn message(Received { badge, info, words }: Received) -> Message {
    Message { badge, info, words }
}
