//! Process groups, sessions and the controlling terminal (credentials(7), setpgid(2), setsid(2)).

use super::signal::{Signal, SignalInfo};
use super::{INIT, Process};
use crate::server::Server;
use alloc::rc::Rc;
use chestnut_linux_files::terminal::{JobControl, Terminal};
use chestnut_linux_files::{Errno, Result};

impl Server {
    /// setpgid(2) by `caller`; 0 stands for the caller and for the process's own id.
    pub fn set_group(&self, caller: &Rc<Process>, pid: u32, group: u32) -> Result<()> {
        let process = self.process_or_self(caller, pid).ok_or(Errno::ESRCH)?;
        let group = if group == 0 { process.pid } else { group };
        let is_child = process.parent.get() == caller.pid;
        if !Rc::ptr_eq(&process, caller) {
            if !is_child {
                return Err(Errno::ESRCH);
            }
            if process.session.get() != caller.session.get() {
                return Err(Errno::EPERM);
            }
            if process.has_executed.get() {
                return Err(Errno::EACCES);
            }
        }
        if process.session.get() == process.pid {
            return Err(Errno::EPERM);
        }
        let exists = self.table.group(group).iter().any(|member| member.session.get() == caller.session.get());
        if group != process.pid && !exists {
            return Err(Errno::EPERM);
        }
        process.group.set(group);
        process.caller.borrow_mut().process_group = group;
        Ok(())
    }

    /// setsid(2).
    pub fn new_session(&self, caller: &Rc<Process>) -> Result<u32> {
        let id = caller.pid;
        if !self.table.group(id).is_empty() {
            return Err(Errno::EPERM);
        }
        caller.group.set(id);
        caller.session.set(id);
        let mut files_caller = caller.caller.borrow_mut();
        files_caller.process_group = id;
        files_caller.session = id;
        files_caller.controlling_terminal = None;
        Ok(id)
    }

    /// A group is orphaned if no member's parent is in another group of the same session: nobody would continue it.
    pub fn is_orphaned(&self, group: u32, session: u32) -> bool {
        !self.table.group(group).iter().any(|member| {
            if member.is_zombie() || member.parent.get() == INIT {
                return false;
            }
            let parent = self.table.process(member.parent.get());
            parent.is_some_and(|parent| parent.group.get() != group && parent.session.get() == session)
        })
    }
}

/// What terminals ask of the server.
pub struct Jobs(pub &'static Server);

impl JobControl for Jobs {
    fn signal_group(&self, group: u32, signal: u32) {
        if let Some(signal) = Signal::new(signal.into()) {
            self.0.signal_group(group, signal);
        }
    }
    fn session_of_group(&self, group: u32) -> Option<u32> {
        self.0.table.group(group).first().map(|member| member.session.get())
    }
    fn set_controlling_terminal(&self, session: u32, terminal: Option<Rc<Terminal>>) {
        for process in self.0.table.processes() {
            if process.session.get() == session && !process.is_zombie() {
                process.caller.borrow_mut().controlling_terminal = terminal.clone();
            }
        }
    }
    fn leave_terminal(&self, process: u32) {
        if let Some(process) = self.0.table.process(process) {
            process.caller.borrow_mut().controlling_terminal = None;
        }
    }
    fn hang_up_leader(&self, session: u32) {
        if let Some(leader) = self.0.table.process(session) {
            self.0.signal_process(&leader, SignalInfo::kernel(Signal::HUP));
            self.0.signal_process(&leader, SignalInfo::kernel(Signal::CONT));
        }
    }
}
