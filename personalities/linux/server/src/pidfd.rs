//! Descriptors that stand for processes (pidfd_open(2)): they name the same process for ever, whoever has its id later.

use crate::process::Process;
use crate::server::Server;
use alloc::rc::Rc;
use chestnut_linux_files::open::{File, OpenFile, OpenFlags};
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_linux_files::{Errno, Result};
use core::any::Any;

/// What such a descriptor is open on. It is readable once the process has ended.
struct ProcessFile(Rc<Process>);

impl File for ProcessFile {
    fn readiness(&self) -> Events {
        if self.0.is_zombie() { Events::READABLE } else { Events::empty() }
    }
    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.0.left_parent)
    }
    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl Server {
    /// A new descriptor of `owner` for a process; it is closed on execve.
    pub fn open_process(&self, owner: &Process, process: &Rc<Process>, flags: OpenFlags) -> Result<u32> {
        let file = Rc::new(ProcessFile(process.clone()));
        let flags = flags | OpenFlags::READ_WRITE;
        let file = OpenFile::anonymous(&self.nameless, file, b"anon_inode:[pidfd]", flags);
        let descriptor = owner.descriptors().borrow_mut().insert(file, true)?;
        Ok(descriptor as u32)
    }

    /// The process that an open file stands for: `EBADF` if it stands for none.
    pub fn process_of_file(&self, file: &OpenFile) -> Result<Rc<Process>> {
        let file: Option<&ProcessFile> = file.file().as_any().and_then(<dyn Any>::downcast_ref);
        file.map(|file| file.0.clone()).ok_or(Errno::EBADF)
    }
    /// The same, if nobody has waited for it yet: `ESRCH` otherwise.
    pub fn living_process_of_file(&self, file: &OpenFile) -> Result<Rc<Process>> {
        let process = self.process_of_file(file)?;
        let known = self.table.process(process.pid).is_some_and(|known| Rc::ptr_eq(&known, &process));
        if known { Ok(process) } else { Err(Errno::ESRCH) }
    }
}
