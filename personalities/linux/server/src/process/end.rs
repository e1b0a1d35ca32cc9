//! How threads and processes end: _exit(2), exit_group(2), zombies, orphans.

use super::delivery::child_info;
use super::signal::{Signal, SignalAction, SignalInfo, action_flag, code};
use super::thread::{Activity, Thread};
use super::{Ending, INIT, Life, Process, Usage, futex};
use crate::memory::Intent;
use crate::server::Server;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::open::{Descriptors, OpenFile};
use chestnut_linux_files::wait::Events;
use core::cell::RefCell;

/// Most entries of a robust list that are looked at (ROBUST_LIST_LIMIT).
const ROBUST_LIMIT: usize = 2048;
const FUTEX_WAITERS: u32 = 0x8000_0000;
const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
const FUTEX_TID_MASK: u32 = 0x3fff_ffff;

impl Server {
    /// One thread ends; with the last one, its process.
    pub fn exit_thread(&self, thread: &Rc<Thread>, status: u8) {
        self.end_thread(thread);
        if thread.process.threads.borrow().is_empty() {
            thread.process.ending.set(Some(Ending::Exited(status)));
            self.finish_process(&thread.process, Ending::Exited(status));
        }
    }

    /// All threads of a process end, and it becomes a zombie.
    pub fn end_process(&self, process: &Rc<Process>, ending: Ending) {
        if process.ending.get().is_some() || process.is_zombie() {
            return;
        }
        process.ending.set(Some(ending));
        let threads = process.threads.borrow().clone();
        for thread in threads {
            self.end_thread(&thread);
        }
        self.finish_process(process, ending);
    }

    /// Takes a thread out of the world. Its future, if it has one, ends when it is polled next.
    pub fn end_thread(&self, thread: &Rc<Thread>) {
        if thread.ended.replace(true) {
            return;
        }
        self.release_robust_list(thread);
        self.pi_futexes.owner_ended(thread);
        self.release_tid_word(thread);
        thread.set_activity(Activity::Absent);
        thread.machine.suspend();
        let process = &thread.process;
        let (user, system) = (thread.user_time(), thread.system_time());
        process.usage.set(process.usage.get().plus(Usage { user, system, ..Usage::default() }));
        if thread.tid.get() == process.pid {
            process.name.set(thread.name.get());
        }
        self.table.remove_thread(thread);
        process.threads.borrow_mut().retain(|other| !Rc::ptr_eq(other, thread));
        process.forget_actions();
        self.unmap_thread_page(thread);
        thread.wake();
    }

    /// The page of a thread that other threads of its space outlive.
    fn unmap_thread_page(&self, thread: &Thread) {
        let space = thread.space();
        let address = thread.page_address.get();
        // The program may have put something else there; it lost its own page then, and now that.
        let _ = space.unmap(address, crate::memory::PAGE);
    }

    /// set_tid_address(2): the word becomes 0 and whoever waits on it is woken, if somebody else shares the memory.
    pub fn release_tid_word(&self, thread: &Thread) {
        let address = thread.clear_tid_address.replace(0);
        let space = thread.space();
        // The process's handle and ours.
        let shared = thread.process.threads.borrow().len() > 1 || Rc::strong_count(&space) > 2;
        if address == 0 || !shared || space.write_u32(address, 0).is_err() {
            return;
        }
        for private in [true, false] {
            if let Ok(key) = futex::key(&space, address, private) {
                self.futexes.wake(key, 1, futex::ANY);
            }
        }
    }

    /// get_robust_list(2): locks that the thread holds are marked, and one waiter of each is woken.
    fn release_robust_list(&self, thread: &Thread) {
        let (head, _) = thread.robust_list.replace((0, 0));
        if head == 0 {
            return;
        }
        let space = thread.space();
        let (Ok(first), Ok(offset), Ok(pending)) =
            (space.read_u64(head), space.read_u64(head.wrapping_add(8)), space.read_u64(head.wrapping_add(16)))
        else {
            return;
        };
        let mut entries = Vec::new();
        let mut entry = first;
        while entry & !1 != head && entries.len() < ROBUST_LIMIT {
            entries.push(entry);
            match space.read_u64(entry & !1) {
                Ok(next) => entry = next,
                Err(_) => break,
            }
        }
        if pending & !1 != 0 && !entries.contains(&pending) {
            entries.push(pending);
        }
        for entry in entries {
            let address = (entry & !1).wrapping_add(offset);
            let Ok(frame) = space.frame(address, Intent::Write) else { continue };
            if !address.is_multiple_of(4) {
                continue;
            }
            let tid = thread.tid.get();
            let held = |word: u32| word & FUTEX_TID_MASK == tid;
            let old = frame.update32((address % 4096) as usize, |word| {
                if held(word) { word & FUTEX_WAITERS | FUTEX_OWNER_DIED } else { word }
            });
            if held(old) && old & FUTEX_WAITERS != 0 {
                for private in [true, false] {
                    if let Ok(key) = futex::key(&space, address, private) {
                        self.futexes.wake(key, 1, futex::ANY);
                    }
                }
            }
        }
    }

    /// What remains to be done when the last thread has gone.
    fn finish_process(&self, process: &Rc<Process>, ending: Ending) {
        self.trace_ending(process, ending);
        let usage = process.total_usage();
        process.timers.stop();
        self.ipc.semaphores.borrow().process_ended(process.pid, self.clock.wall().as_secs());
        process.life.set(Life::Zombie(ending));
        process.has_left_parent.set(true);
        process.left_parent.wake(Events::all());
        let space = process.space.replace(self.no_space.clone());
        drop(space);
        process.usage.set(usage);
        let files = process.files.replace(Rc::new(RefCell::new(Descriptors::new(0))));
        let open: Vec<Rc<OpenFile>> = files.borrow().iter().map(|(_, descriptor)| descriptor.file.clone()).collect();
        drop(files);
        // Record locks are the process's, and end with it.
        open.iter().for_each(|file| file.closed_by(process.pid));
        drop(open);
        *process.executable.borrow_mut() = None;

        let connected = self.connected_groups(process);
        self.give_children_away(process);
        let session = process.session.get();
        // It may have ended by what a call of its own did, whose file function still looks at its ids.
        let terminal = match process.caller.try_borrow_mut() {
            Ok(mut caller) => caller.controlling_terminal.take(),
            Err(_) => process.caller.borrow().controlling_terminal.clone(),
        };
        if session == process.pid
            && let Some(terminal) = terminal
        {
            terminal.session_ended(session);
        }
        self.hang_up_orphaned_groups(&connected, session);
        self.tell_of_end(process, ending);
    }

    /// Children go to init, or to the nearest ancestor that asked for them.
    fn give_children_away(&self, process: &Rc<Process>) {
        let children = process.children.take();
        if children.is_empty() {
            return;
        }
        let mut heir = self.table.process(process.parent.get());
        while let Some(candidate) = &heir {
            if candidate.pid == INIT || (candidate.subreaper.get() && !candidate.is_zombie()) {
                break;
            }
            heir = self.table.process(candidate.parent.get());
        }
        let Some(heir) = heir.or_else(|| self.table.process(INIT)) else { return };
        for child in children {
            child.parent.set(heir.pid);
            child.exit_signal.set(Signal::CHLD.number());
            heir.children.borrow_mut().push(child.clone());
            if let Life::Zombie(ending) = child.life.get() {
                self.tell_of_end(&child, ending);
                continue;
            }
            child.publish_ids();
            if let Some(signal) = Signal::new(child.parent_death_signal.get().into()) {
                self.signal_process(&child, SignalInfo::kernel(signal));
            }
        }
    }

    /// The groups that this process connected with its session as a parent or a child in another group of it.
    fn connected_groups(&self, process: &Rc<Process>) -> Vec<u32> {
        let (group, session) = (process.group.get(), process.session.get());
        let mut groups = Vec::new();
        let parent = self.table.process(process.parent.get());
        if parent.is_some_and(|parent| parent.group.get() != group && parent.session.get() == session) {
            groups.push(group);
        }
        for child in process.children.borrow().iter() {
            let other = child.group.get();
            if child.session.get() == session && other != group && !groups.contains(&other) {
                groups.push(other);
            }
        }
        groups
    }

    /// Of the groups that an ended process was a connection of, those with a stopped process that nobody can continue any more get
    /// SIGHUP and SIGCONT. Groups that had been orphans before stay as they are.
    fn hang_up_orphaned_groups(&self, groups: &[u32], session: u32) {
        for &group in groups {
            let stopped = self.table.group(group).iter().any(|member| member.is_stopped());
            if stopped && self.is_orphaned(group, session) {
                self.signal_group(group, Signal::HUP);
                self.signal_group(group, Signal::CONT);
            }
        }
    }

    /// Tells the parent, or forgets the process if the parent doesn't want to know.
    fn tell_of_end(&self, process: &Rc<Process>, ending: Ending) {
        let Some(parent) = self.table.process(process.parent.get()) else {
            self.table.remove_process(process.pid);
            return;
        };
        if parent.pid == INIT {
            self.reap(&parent, process);
            parent.child_changed.wake(Events::all());
            return;
        }
        let (why, status) = match ending {
            Ending::Exited(status) => (code::CLD_EXITED, status.into()),
            Ending::Killed(signal) => (code::CLD_KILLED, signal.number().into()),
        };
        let exit_signal = Signal::new(process.exit_signal.get().into());
        let action = parent.action(Signal::CHLD);
        let unwanted = exit_signal == Some(Signal::CHLD)
            && (action.handler == SignalAction::IGNORE || action.flags & action_flag::NOCLDWAIT != 0);
        if let Some(signal) = exit_signal {
            self.signal_process(&parent, SignalInfo { signal, ..child_info(process, why, status) });
        }
        if unwanted {
            self.reap(&parent, process);
        }
        parent.child_changed.wake(Events::all());
    }

    /// A zombie has been waited for: nothing is left of it.
    pub fn reap(&self, parent: &Process, child: &Rc<Process>) {
        parent.children.borrow_mut().retain(|other| !Rc::ptr_eq(other, child));
        let usage = parent.children_usage.get().plus(child.usage.get()).plus(child.children_usage.get());
        parent.children_usage.set(usage);
        self.table.remove_process(child.pid);
    }

    /// Ends every process except init.
    pub fn end_all(&self) {
        for process in self.table.processes() {
            if process.pid != INIT {
                self.end_process(&process, Ending::Killed(Signal::KILL));
            }
        }
        for process in self.table.processes() {
            if process.pid != INIT {
                self.table.remove_process(process.pid);
            }
        }
        if let Some(init) = self.table.process(INIT) {
            init.children.borrow_mut().clear();
        }
        self.memory.kept.forget();
        self.table.restart_ids();
    }
}
