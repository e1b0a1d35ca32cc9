//! The twin without a machine: frames are heap memory, mappings are recorded, threads only remember their registers.

use super::thread::{Parts, Place};
use super::{Access, Level, Message, OutOfMemory, Reply, Slot};
use crate::process::thread::{FLAGS, Sent};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use chestnut_abi::{MessageInfo, UserContext};
use core::cell::{Cell, RefCell};

/// A kernel that does what it is told and remembers it.
pub struct Kernel {
    frames_left: Cell<usize>,
    next_slot: Cell<Slot>,
    /// Page mappings by capability: space, address, access.
    mapped: RefCell<BTreeMap<Slot, (Slot, u64, Access)>>,
    /// By place, the structure there.
    structures: RefCell<BTreeMap<(Slot, Level, u64), Slot>>,
    registers: RefCell<BTreeMap<Slot, (UserContext, bool)>>,
    pub replies: RefCell<Vec<(Slot, u64, Vec<u64>)>>,
    clock: Cell<u64>,
    /// Of the next fault.
    pub fifth_word: Cell<u64>,
}

/// The time-stamp counter; stands still here.
pub fn ticks() -> u64 {
    0
}

impl Kernel {
    /// A kernel with memory for so many frames.
    pub fn hosted(frames: usize) -> &'static Self {
        Box::leak(Box::new(Self {
            frames_left: Cell::new(frames),
            next_slot: Cell::new(16),
            mapped: RefCell::default(),
            structures: RefCell::default(),
            registers: RefCell::default(),
            replies: RefCell::default(),
            clock: Cell::new(0),
            fifth_word: Cell::new(0),
        }))
    }

    /// What is mapped in a space, by address.
    pub fn mappings(&self, space: Slot) -> BTreeMap<u64, Access> {
        let mapped = self.mapped.borrow();
        mapped.values().filter(|(root, ..)| *root == space).map(|&(_, address, access)| (address, access)).collect()
    }

    /// Nobody sends anything here.
    pub fn receive(&self, _reply: &Reply, _answer: Option<Sent>) -> Message {
        panic!("the hosted kernel has no messages")
    }

    pub fn answer_and_receive(&self, _reply: &Reply, _answer: Sent) -> Message {
        panic!("the hosted kernel has no messages")
    }

    pub fn exchange(&self, _reply: &Reply) -> impl Fn(u64) -> Message + use<> {
        |_| panic!("the hosted kernel has no messages")
    }

    pub fn fifth_word(&self) -> u64 {
        self.fifth_word.get()
    }

    pub fn look(&self, _reply: &Reply, _answer: Option<Sent>) -> Message {
        panic!("the hosted kernel has no messages")
    }

    fn slot(&self) -> Slot {
        self.next_slot.set(self.next_slot.get() + 1);
        self.next_slot.get()
    }

    pub(super) fn frames_available(&self) -> usize {
        self.frames_left.get()
    }
    pub(super) fn machine_memory(&self) -> u64 {
        1 << 30
    }
    pub(super) fn bytes_left(&self) -> u64 {
        self.frames_left.get() as u64 * 4096
    }
    /// The heap is the host's: it never ends.
    pub(super) fn heap_room(&self) -> usize {
        usize::MAX / 2
    }
    pub(super) const fn heap_limit(&self) -> usize {
        usize::MAX / 2
    }
    pub(super) fn used(&self) -> (u64, u64) {
        (0, self.next_slot.get())
    }
    pub(super) fn make_frames(&self, count: usize, mut found: impl FnMut(Slot, *mut u8)) -> usize {
        let count = count.min(self.frames_left.get());
        for _ in 0..count {
            let memory: &'static mut [u64; 512] = Box::leak(Box::new([0; 512]));
            found(self.slot(), memory.as_mut_ptr().cast());
        }
        self.frames_left.set(self.frames_left.get() - count);
        count
    }
    pub(super) fn copy(&self, _capability: Slot) -> Result<Slot, OutOfMemory> {
        Ok(self.slot())
    }
    pub(super) fn delete(&self, capability: Slot) {
        assert!(!self.mapped.borrow().contains_key(&capability), "deleting a mapped capability");
    }
    pub(super) fn make_space(&self) -> Result<Slot, OutOfMemory> {
        Ok(self.slot())
    }
    pub(super) fn make_structure(&self, _level: Level) -> Result<Slot, OutOfMemory> {
        Ok(self.slot())
    }
    pub(super) fn map_structure(&self, level: Level, slot: Slot, space: Slot, address: u64) {
        let old = self.structures.borrow_mut().insert((space, level, address >> level.shift()), slot);
        assert!(old.is_none(), "structure mapped twice");
    }
    pub(super) fn unmap_structure(&self, _level: Level, slot: Slot) {
        self.structures.borrow_mut().retain(|_, mapped| *mapped != slot);
    }
    pub(super) fn map_page(&self, capability: Slot, space: Slot, address: u64, access: Access) {
        let table = (space, Level::PageTable, address >> Level::PageTable.shift());
        assert!(self.structures.borrow().contains_key(&table), "no page table for {address:#x}");
        let old = self.mapped.borrow_mut().insert(capability, (space, address, access));
        assert!(old.is_none_or(|(root, at, _)| (root, at) == (space, address)), "capability mapped elsewhere");
        let count = self.mapped.borrow().values().filter(|(root, at, _)| (*root, *at) == (space, address)).count();
        assert_eq!(count, 1, "two mappings at {address:#x}");
    }
    pub(super) fn unmap_page(&self, capability: Slot) {
        assert!(self.mapped.borrow_mut().remove(&capability).is_some(), "unmapping what is not mapped");
    }
    pub(super) fn make_reply(&self) -> Result<Slot, OutOfMemory> {
        Ok(self.slot())
    }
    pub(super) fn reply(&self, slot: Slot, info: MessageInfo, [first, second]: [u64; 2]) {
        let words = [first, second, FLAGS, 0][..info.length()].to_vec();
        self.replies.borrow_mut().push((slot, info.label(), words));
    }
    pub(super) fn make_thread(&self, badge: u64) -> Result<Parts, OutOfMemory> {
        let [tcb, sched_context, cspace] = core::array::from_fn(|_| self.slot());
        Ok(Parts { badge, tcb, sched_context, cspace, place: None })
    }
    pub(super) fn enter_space(&self, _parts: &Parts, _before: Option<Place>, _place: Place) {}
    pub(super) fn suspend(&self, parts: &Parts) {
        self.registers.borrow_mut().entry(parts.tcb).or_default().1 = false;
    }
    pub(super) fn resume(&self, parts: &Parts) {
        self.registers.borrow_mut().entry(parts.tcb).or_default().1 = true;
    }
    pub(super) fn registers(&self, parts: &Parts) -> UserContext {
        self.registers.borrow().get(&parts.tcb).map(|(registers, _)| *registers).unwrap_or_default()
    }
    pub(super) fn set_registers(&self, parts: &Parts, registers: &UserContext, resume: bool) {
        self.registers.borrow_mut().insert(parts.tcb, (*registers, resume));
    }
    pub(super) fn schedule(&self, _parts: &Parts, _priority: u8, _turn: u64) {}
    pub(super) fn consumed(&self, _parts: &Parts) -> u64 {
        self.clock.replace(0)
    }
}
