//! Who waits for whom (EDEADLK).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::{Locks, Owner, Record};
use crate::{Errno, Result};

/// All that wait for record locks, of any file: there is one for all processes.
#[derive(Default)]
pub struct Blocked {
    pub(super) waiting: RefCell<BTreeMap<u64, (Rc<Locks>, Record)>>,
    next: Cell<u64>,
}

/// One that waits, until dropped.
pub(super) struct Waiting {
    blocked: Rc<Blocked>,
    key: u64,
}

impl Blocked {
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// `wanted` waits from now on. `EDEADLK` if its owner would wait for itself.
    pub(super) fn enter(self: &Rc<Self>, locks: &Rc<Locks>, wanted: Record) -> Result<Waiting> {
        if self.would_wait_for_itself(locks, &wanted) {
            return Err(Errno::EDEADLK);
        }
        let key = self.next.get();
        self.next.set(key + 1);
        self.waiting.borrow_mut().insert(key, (locks.clone(), wanted));
        Ok(Waiting { blocked: self.clone(), key })
    }

    fn would_wait_for_itself(&self, locks: &Locks, wanted: &Record) -> bool {
        let mut seen = BTreeSet::new();
        let mut open: Vec<Owner> = processes_in_the_way(locks, wanted);
        while let Some(owner) = open.pop() {
            if owner == wanted.owner {
                return true;
            }
            if seen.insert(owner) {
                for (locks, record) in self.waiting.borrow().values().filter(|(_, record)| record.owner == owner) {
                    open.extend(processes_in_the_way(locks, record));
                }
            }
        }
        false
    }
}

/// Descriptions don't wait, so there is nothing behind their locks.
fn processes_in_the_way(locks: &Locks, wanted: &Record) -> Vec<Owner> {
    let owners = locks.conflicts(wanted).map(|record| record.owner);
    owners.filter(|owner| matches!(owner, Owner::Process(_))).collect()
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.blocked.waiting.borrow_mut().remove(&self.key);
    }
}
