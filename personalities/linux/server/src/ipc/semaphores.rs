//! Semaphores: sets of counters on which several operations are done at once or not at all.

use super::{Object, Permissions, Table};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_linux_files::{Errno, Result};
use core::cell::{Cell, RefCell};

/// Sets (SEMMNI), semaphores of all (SEMMNS) and of one set (SEMMSL), operations of a call (SEMOPM), highest value (SEMVMX).
pub const MOST: usize = 1024;
pub const MOST_IN_ALL: usize = 32000;
pub const MOST_IN_SET: usize = 32000;
pub const MOST_OPERATIONS: usize = 500;
pub const HIGHEST: i32 = 32767;

/// Of an operation's flags.
const NO_WAIT: u16 = super::flag::NO_WAIT as u16;
const UNDO: u16 = 0x1000;

/// `struct sembuf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    pub index: u16,
    /// What is added; 0 waits for 0.
    pub change: i16,
    pub flags: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Semaphore {
    pub value: i32,
    /// Who changed it last.
    pub process: u32,
}

/// A set.
pub struct Set {
    pub permissions: Cell<Permissions>,
    pub semaphores: RefCell<Vec<Semaphore>>,
    /// What is to be added to which semaphores when a process ends (SEM_UNDO).
    undo: RefCell<BTreeMap<u32, BTreeMap<u16, i32>>>,
    /// Who waits, for which semaphore, and whether for 0.
    waiting: RefCell<Vec<(u16, bool)>>,
    pub queue: WaitQueue,
    pub removed: Cell<bool>,
    /// Seconds: of the last operation and the last change by semctl.
    pub operated: Cell<u64>,
    pub changed: Cell<u64>,
}

/// Why operations can't be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Until this semaphore grows, or (true) is 0.
    By(u16, bool),
    /// The same, and the operation says not to wait.
    Never,
    Error(Errno),
}

impl Object for Rc<Set> {
    fn permissions(&self) -> Permissions {
        self.permissions.get()
    }
}

impl Set {
    pub fn new(permissions: Permissions, count: usize, now: u64) -> Rc<Self> {
        Rc::new(Self {
            permissions: Cell::new(permissions),
            semaphores: RefCell::new(vec![Semaphore::default(); count]),
            undo: RefCell::default(),
            waiting: RefCell::default(),
            queue: WaitQueue::new(),
            removed: Cell::new(false),
            operated: Cell::new(0),
            changed: Cell::new(now),
        })
    }
    pub fn count(&self) -> usize {
        self.semaphores.borrow().len()
    }

    /// All operations, or none and why.
    pub fn operate(&self, operations: &[Operation], process: u32, now: u64) -> core::result::Result<(), Blocked> {
        let mut semaphores = self.semaphores.borrow_mut();
        let before: Vec<Semaphore> = operations
            .iter()
            .map(|operation| semaphores.get(usize::from(operation.index)).copied())
            .collect::<Option<_>>()
            .ok_or(Blocked::Error(Errno::EFBIG))?;
        let mut done = 0;
        let mut result = Ok(());
        for operation in operations {
            let semaphore = &mut semaphores[usize::from(operation.index)];
            let value = semaphore.value + i32::from(operation.change);
            let waits_for_zero = operation.change == 0;
            if (waits_for_zero && value != 0) || value < 0 {
                let never = operation.flags & NO_WAIT != 0;
                result = Err(if never { Blocked::Never } else { Blocked::By(operation.index, waits_for_zero) });
                break;
            }
            if value > HIGHEST {
                result = Err(Blocked::Error(Errno::ERANGE));
                break;
            }
            *semaphore = Semaphore { value, process };
            done += 1;
        }
        if result.is_err() {
            // What each was before any of them.
            for (operation, old) in operations[..done].iter().zip(&before) {
                semaphores[usize::from(operation.index)] = *old;
            }
            return result;
        }
        drop(semaphores);
        self.operated.set(now);
        for operation in operations.iter().filter(|operation| operation.flags & UNDO != 0 && operation.change != 0) {
            let mut undo = self.undo.borrow_mut();
            *undo.entry(process).or_default().entry(operation.index).or_default() -= i32::from(operation.change);
        }
        self.queue.wake(Events::all());
        Ok(())
    }

    /// A process has ended, or wants no more to be undone for what it did here.
    pub fn process_ended(&self, process: u32, now: u64) {
        let Some(adjustments) = self.undo.borrow_mut().remove(&process) else { return };
        let mut semaphores = self.semaphores.borrow_mut();
        for (index, change) in adjustments {
            if let Some(semaphore) = semaphores.get_mut(usize::from(index)) {
                *semaphore = Semaphore { value: (semaphore.value + change).clamp(0, HIGHEST), process };
            }
        }
        drop(semaphores);
        self.operated.set(now);
        self.queue.wake(Events::all());
    }

    /// Sets values from `first` on: `ERANGE` for one that none can have. Nobody's operations on them are undone.
    pub fn set_values(&self, first: usize, values: &[i32], process: u32, now: u64) -> Result<()> {
        if values.iter().any(|value| !(0..=HIGHEST).contains(value)) {
            return Err(Errno::ERANGE);
        }
        let mut semaphores = self.semaphores.borrow_mut();
        let places = semaphores.get_mut(first..first + values.len()).ok_or(Errno::EINVAL)?;
        for (place, &value) in places.iter_mut().zip(values) {
            *place = Semaphore { value, process };
        }
        drop(semaphores);
        let set = first..first + values.len();
        self.undo
            .borrow_mut()
            .values_mut()
            .for_each(|undo| undo.retain(|index, _| !set.contains(&usize::from(*index))));
        self.changed.set(now);
        self.queue.wake(Events::all());
        Ok(())
    }

    /// How many wait for a semaphore to grow (GETNCNT), or to be 0 (GETZCNT).
    pub fn waiters(&self, index: u16, for_zero: bool) -> usize {
        self.waiting.borrow().iter().filter(|waiter| **waiter == (index, for_zero)).count()
    }
    /// Somebody waits, until the returned mark is dropped.
    pub fn wait_for(self: &Rc<Self>, index: u16, for_zero: bool) -> Mark {
        self.waiting.borrow_mut().push((index, for_zero));
        Mark { set: self.clone(), waiter: (index, for_zero) }
    }

    pub fn remove(&self) {
        self.removed.set(true);
        self.queue.wake(Events::all());
    }
}

/// One entry of a set's list of who waits.
pub struct Mark {
    set: Rc<Set>,
    waiter: (u16, bool),
}

impl Drop for Mark {
    fn drop(&mut self) {
        let mut waiting = self.set.waiting.borrow_mut();
        if let Some(place) = waiting.iter().position(|waiter| *waiter == self.waiter) {
            waiting.swap_remove(place);
        }
    }
}

/// All sets.
#[derive(Default)]
pub struct Sets {
    pub table: Table<Rc<Set>>,
}

impl Sets {
    /// Semaphores of all sets.
    pub fn semaphores(&self) -> usize {
        self.table.iter().map(|(_, set)| set.count()).sum()
    }
    /// Undoes what a process did with SEM_UNDO.
    pub fn process_ended(&self, process: u32, now: u64) {
        self.table.iter().for_each(|(_, set)| set.process_ended(process, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::Asker;
    use crate::process::Ids;

    fn set(values: &[i32]) -> Rc<Set> {
        let asker = Asker { ids: Ids::default(), supplementary: Vec::new(), owns_all: false, administers: false };
        let set = Set::new(Permissions::new(1, 0o600, &asker), values.len(), 0);
        set.set_values(0, values, 1, 0).unwrap();
        set
    }
    fn values(set: &Set) -> Vec<i32> {
        set.semaphores.borrow().iter().map(|semaphore| semaphore.value).collect()
    }
    fn operation(index: u16, change: i16) -> Operation {
        Operation { index, change, flags: 0 }
    }

    #[test]
    fn all_operations_are_done_or_none() {
        let set = set(&[1, 0, 5]);
        assert_eq!(set.operate(&[operation(0, 4), operation(1, -1)], 7, 0), Err(Blocked::By(1, false)));
        assert_eq!(
            set.operate(&[operation(2, -1), operation(2, -1), operation(0, 0)], 7, 0),
            Err(Blocked::By(0, true))
        );
        assert_eq!(values(&set), [1, 0, 5]);
        assert_eq!(set.operate(&[operation(0, -1), operation(0, 0), operation(2, -5)], 7, 0), Ok(()));
        assert_eq!(values(&set), [0, 0, 0]);
        assert_eq!(set.operate(&[Operation { flags: NO_WAIT, ..operation(0, -1) }], 7, 0), Err(Blocked::Never));
        assert_eq!(set.operate(&[operation(3, 1)], 7, 0), Err(Blocked::Error(Errno::EFBIG)));
        assert_eq!(set.operate(&[operation(0, 32767), operation(0, 1)], 7, 0), Err(Blocked::Error(Errno::ERANGE)));
        assert_eq!(values(&set), [0, 0, 0]);
    }

    #[test]
    fn what_an_ended_process_did_is_undone_unless_values_were_set() {
        let set = set(&[5, 5]);
        let undone = |index, change| Operation { flags: UNDO, ..operation(index, change) };
        set.operate(&[undone(0, -3), undone(1, -3), operation(1, -1)], 7, 0).unwrap();
        set.set_values(1, &[9], 1, 0).unwrap();
        set.process_ended(8, 0);
        assert_eq!(values(&set), [2, 9]);
        set.process_ended(7, 0);
        assert_eq!(values(&set), [5, 9]);
        set.process_ended(7, 0);
        assert_eq!(values(&set), [5, 9]);
    }

    #[test]
    fn who_waits_is_counted_while_it_does() {
        let set = set(&[0]);
        let mark = set.wait_for(0, false);
        assert_eq!((set.waiters(0, false), set.waiters(0, true)), (1, 0));
        drop(mark);
        assert_eq!(set.waiters(0, false), 0);
    }
}
