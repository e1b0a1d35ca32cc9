//! Who has which id: processes by pid, threads by tid and by badge.

use super::{Activity, INIT, Process, Thread};
use crate::capability::Threads;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

/// The largest id (kernel.pid_max - 1).
const MAX_ID: u32 = 32_767;
/// Ids wrap around to here.
const FIRST_AGAIN: u32 = 300;

/// All processes and threads.
#[derive(Default)]
pub struct Table {
    processes: RefCell<BTreeMap<u32, Rc<Process>>>,
    threads: RefCell<BTreeMap<u32, Rc<Thread>>>,
    by_badge: RefCell<Vec<Option<Rc<Thread>>>>,
    last_id: Cell<u32>,
    /// Processes and threads ever made.
    pub made: Cell<u64>,
}

impl Table {
    /// An id that names no process, thread, group or session.
    pub fn new_id(&self) -> Option<u32> {
        for _ in 0..MAX_ID {
            let next = match self.last_id.get() {
                MAX_ID => FIRST_AGAIN,
                last => last + 1,
            };
            self.last_id.set(next);
            if self.is_free(next) {
                self.made.set(self.made.get() + 1);
                return Some(next);
            }
        }
        None
    }
    /// It names no process, thread, group or session.
    pub fn is_free(&self, id: u32) -> bool {
        let processes = self.processes.borrow();
        let names = |process: &Rc<Process>| process.group.get() == id || process.session.get() == id;
        let taken = self.threads.borrow().contains_key(&id) || processes.contains_key(&id);
        !taken && !processes.values().any(names)
    }
    /// Something could have it.
    pub const fn is_id(id: u32) -> bool {
        id > INIT && id <= MAX_ID
    }
    /// Begins again with the first id, now that everybody has gone.
    pub fn restart_ids(&self) {
        self.last_id.set(INIT);
    }
    pub fn last_id(&self) -> u32 {
        self.last_id.get()
    }

    pub fn add_process(&self, process: &Rc<Process>) {
        self.processes.borrow_mut().insert(process.pid, process.clone());
    }
    pub fn remove_process(&self, pid: u32) {
        self.processes.borrow_mut().remove(&pid);
    }
    pub fn process(&self, pid: u32) -> Option<Rc<Process>> {
        self.processes.borrow().get(&pid).cloned()
    }
    pub fn processes(&self) -> Vec<Rc<Process>> {
        self.processes.borrow().values().cloned().collect()
    }
    /// Processes of a group that have not been waited for.
    pub fn group(&self, group: u32) -> Vec<Rc<Process>> {
        self.processes.borrow().values().filter(|process| process.group.get() == group).cloned().collect()
    }

    pub fn add_thread(&self, thread: &Rc<Thread>) {
        self.threads.borrow_mut().insert(thread.tid.get(), thread.clone());
        let index = Self::index(thread.machine.badge());
        let mut by_badge = self.by_badge.borrow_mut();
        if by_badge.len() <= index {
            by_badge.resize_with(index + 1, || None);
        }
        by_badge[index] = Some(thread.clone());
    }
    pub fn remove_thread(&self, thread: &Thread) {
        self.threads.borrow_mut().remove(&thread.tid.get());
        if let Some(entry) = self.by_badge.borrow_mut().get_mut(Self::index(thread.machine.badge())) {
            *entry = None;
        }
    }
    /// execve from a thread that isn't the leader: it takes the leader's id.
    pub fn rename_thread(&self, thread: &Rc<Thread>, tid: u32) {
        let mut threads = self.threads.borrow_mut();
        threads.remove(&thread.tid.get());
        thread.tid.set(tid);
        threads.insert(tid, thread.clone());
    }
    pub fn thread(&self, tid: u32) -> Option<Rc<Thread>> {
        self.threads.borrow().get(&tid).cloned()
    }
    pub fn by_badge(&self, badge: u64) -> Option<Rc<Thread>> {
        self.by_badge.borrow().get(Self::index(badge))?.clone()
    }
    pub fn thread_count(&self) -> usize {
        self.threads.borrow().len()
    }

    /// Threads that run or could, without one of them and those that wait for their turns; at most `most` are counted.
    pub fn count_running(&self, without: &Thread, most: usize) -> usize {
        let threads = self.threads.borrow();
        let runs = |thread: &&Rc<Thread>| {
            let runs = thread.activity() == Activity::Running && !thread.waits_for_turn.get();
            runs && !core::ptr::eq(&***thread, without)
        };
        threads.values().filter(runs).take(most).count()
    }

    /// There are so many threads and zombies. Those are counted only where it matters.
    pub fn is_full(&self, limit: u64) -> bool {
        let (threads, processes) = (self.threads.borrow().len() as u64, self.processes.borrow());
        let full = |zombies: u64| threads + zombies >= limit;
        full(processes.len() as u64) && full(processes.values().filter(|process| process.is_zombie()).count() as u64)
    }

    const fn index(badge: u64) -> usize {
        (badge / Threads::BADGE_UNIT) as usize
    }
}
