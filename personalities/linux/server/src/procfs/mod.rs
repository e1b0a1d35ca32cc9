//! /proc: the part that ps, top, free and C libraries read.
//!
//! Nothing is stored: directories are made afresh at each lookup, files when they are opened. [`system`] holds the texts about the
//! machine, [`limits`] those about its limits, [`process`] those about one process, [`resources`] the one about the server.

mod adjustment;
mod areas;
mod descriptors;
mod limits;
mod machine;
mod process;
mod resources;
mod system;
mod sysvipc;

pub use process::process_of;

use crate::fixed::{self, Files, Folder};
use crate::process::{INIT, Process};
use crate::server::Server;
use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::caller::Caller;
use chestnut_linux_files::inode::{Body, Directory, Filesystem, Inode, Kind, Link, Listed, Target};
use chestnut_linux_files::vfs::Location;
use chestnut_linux_files::{Errno, Result};

/// `f_type` of statfs(2).
const MAGIC: u64 = 0x9fa0;
/// Inode numbers: one block of these for each process, the first for the system.
const NUMBERS_PER_PROCESS: u64 = 1 << 20;
/// Cookies of processes in the root directory begin after those of the fixed names.
const PROCESS_COOKIES: u64 = 1 << 16;

/// The root directory of one more instance.
pub fn root(server: &'static Server, device: u64) -> Rc<Inode> {
    let clock = server.clock.clone();
    let filesystem = Filesystem::new("proc", MAGIC, device, false, clock, server.memory.store.clone());
    let fixed = Folder::root(server, filesystem.clone(), SYSTEM, Errno::ENOENT);
    let proc = Proc { server, filesystem };
    proc.directory(1, (0, 0), Root { proc: proc.clone(), fixed })
}

/// What every directory here knows.
#[derive(Clone)]
struct Proc {
    server: &'static Server,
    filesystem: Rc<Filesystem>,
}

/// Files of the system by path below /proc.
const SYSTEM: Files = &[
    ("chestnut/longest", resources::longest),
    ("chestnut/resources", resources::text),
    ("cmdline", system::command_line),
    ("cpuinfo", system::processors),
    ("devices", machine::devices),
    ("diskstats", machine::nothing),
    ("filesystems", system::filesystems),
    ("loadavg", system::load),
    ("meminfo", system::memory),
    ("mounts", system::mounts),
    ("partitions", machine::partitions),
    ("stat", system::statistics),
    ("swaps", machine::swaps),
    ("uptime", system::uptime),
    ("version", system::version),
    ("vmstat", machine::pages),
    ("sysvipc/msg", sysvipc::queues),
    ("sysvipc/sem", sysvipc::sets),
    ("sysvipc/shm", sysvipc::segments),
    ("sys/fs/epoll/max_user_watches", limits::epoll_watches),
    ("sys/fs/file-max", limits::files),
    ("sys/fs/file-nr", limits::open_files),
    ("sys/fs/inotify/max_queued_events", limits::inotify_events),
    ("sys/fs/inotify/max_user_instances", limits::inotify_instances),
    ("sys/fs/inotify/max_user_watches", limits::inotify_watches),
    ("sys/fs/mqueue/msg_max", limits::named_queue_messages),
    ("sys/fs/mqueue/msgsize_max", limits::named_queue_bytes),
    ("sys/fs/mqueue/queues_max", limits::named_queues),
    ("sys/fs/nr_open", limits::descriptors),
    ("sys/fs/pipe-max-size", limits::pipe_size),
    ("sys/fs/pipe-user-pages-hard", limits::hard_pipe_pages),
    ("sys/fs/pipe-user-pages-soft", limits::soft_pipe_pages),
    ("sys/kernel/hostname", system::host_name),
    ("sys/kernel/msgmax", sysvipc::longest_message),
    ("sys/kernel/msgmnb", sysvipc::longest_queue),
    ("sys/kernel/msgmni", sysvipc::most_queues),
    ("sys/kernel/osrelease", system::release),
    ("sys/kernel/ostype", system::system_type),
    ("sys/kernel/pid_max", system::pid_max),
    ("sys/kernel/dmesg_restrict", |_| b"0\n".to_vec()),
    ("sys/kernel/printk", |_| b"4\t4\t1\t7\n".to_vec()),
    ("sys/kernel/sem", sysvipc::semaphores),
    ("sys/kernel/shmall", sysvipc::most_pages_of_segments),
    ("sys/kernel/shmmax", sysvipc::longest_segment),
    ("sys/kernel/shmmni", sysvipc::most_segments),
    ("sys/vm/overcommit_memory", system::overcommit),
];

struct Made<T, P> {
    text: T,
    target: P,
}

impl<T, P> Link for Made<T, P>
where
    T: Fn(&Caller) -> Result<Vec<u8>>,
    P: Fn(&Caller) -> Result<Target>,
{
    fn text(&self, caller: &Caller) -> Result<Vec<u8>> {
        (self.text)(caller)
    }
    fn target(&self, caller: &Caller) -> Result<Target> {
        (self.target)(caller)
    }
}

impl Proc {
    fn file(
        &self,
        number: u64,
        permissions: u32,
        owner: (u32, u32),
        text: impl Fn() -> Result<Vec<u8>> + 'static,
    ) -> Rc<Inode> {
        fixed::file(&self.filesystem, number, permissions, owner, text)
    }
    fn directory(&self, number: u64, owner: (u32, u32), directory: impl Directory + 'static) -> Rc<Inode> {
        fixed::directory(&self.filesystem, number, owner, directory)
    }
    /// A link whose text is a path to follow.
    fn path_link(&self, number: u64, text: impl Fn(&Caller) -> Result<Vec<u8>> + Clone + 'static) -> Rc<Inode> {
        let target = text.clone();
        let link = Made { text, target: move |caller: &Caller| target(caller).map(Target::Path) };
        Inode::numbered(&self.filesystem, number, Body::Link(Box::new(link)), 0o777, 0, 0)
    }
    /// A link that leads straight to a place.
    fn place_link(
        &self,
        number: u64,
        owner: (u32, u32),
        permissions: u32,
        place: impl Fn() -> Result<Rc<Location>> + Clone + 'static,
    ) -> Rc<Inode> {
        let target = place.clone();
        let link = Made {
            text: move |caller: &Caller| Ok(place()?.path(&caller.root)),
            target: move |_: &Caller| target().map(Target::Location),
        };
        Inode::numbered(&self.filesystem, number, Body::Link(Box::new(link)), permissions, owner.0, owner.1)
    }

    fn live(&self, pid: u32) -> Result<Rc<Process>> {
        self.server.table.process(pid).ok_or(Errno::ESRCH)
    }
}

/// /proc itself.
struct Root {
    proc: Proc,
    fixed: Folder,
}

const SELF: &[u8] = b"self";
const THREAD_SELF: &[u8] = b"thread-self";

impl Directory for Root {
    fn lookup(&self, name: &[u8]) -> Result<Rc<Inode>> {
        let server = self.proc.server;
        if let Some(found) = self.fixed.find(name) {
            return Ok(found);
        }
        if name == SELF {
            return Ok(self.proc.path_link(2, |caller| Ok(format!("{}", caller.process).into_bytes())));
        }
        if name == THREAD_SELF {
            return Ok(self.proc.path_link(3, |caller| Ok(format!("{0}/task/{0}", caller.process).into_bytes())));
        }
        let pid = number_of(name).ok_or(Errno::ENOENT)?;
        // A thread's id also leads to its process, but isn't listed.
        let process = server.table.process(pid).or_else(|| Some(server.table.thread(pid)?.process.clone()));
        let process = process.filter(|process| process.pid != INIT).ok_or(Errno::ENOENT)?;
        Ok(process::directory(&self.proc, &process))
    }

    fn list(&self, after: u64, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        if !self.fixed.emit(after, emit) {
            return Ok(());
        }
        let links = [(SELF, 2), (THREAD_SELF, 3)];
        for (position, (name, number)) in links.into_iter().enumerate() {
            let cookie = PROCESS_COOKIES / 2 + position as u64;
            if cookie > after && !emit(&Listed { name, number, kind: Kind::Symlink, cookie }) {
                return Ok(());
            }
        }
        for process in self.proc.server.table.processes().into_iter().filter(|process| process.pid != INIT) {
            let cookie = PROCESS_COOKIES + u64::from(process.pid);
            let name = format!("{}", process.pid);
            let number = first_number(process.pid);
            let listed = Listed { name: name.as_bytes(), number, kind: Kind::Directory, cookie };
            if cookie > after && !emit(&listed) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The inode number of a process's directory; its other inodes follow.
const fn first_number(pid: u32) -> u64 {
    pid as u64 * NUMBERS_PER_PROCESS
}

/// A decimal number without leading zeros.
fn number_of(name: &[u8]) -> Option<u32> {
    if name.first() == Some(&b'0') && name.len() > 1 {
        return None;
    }
    core::str::from_utf8(name).ok().filter(|text| !text.starts_with('+'))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_decimal_names_are_numbers() {
        assert_eq!(number_of(b"17"), Some(17));
        assert_eq!(number_of(b"0"), Some(0));
        for name in [&b"017"[..], b"+1", b"", b"1x", b"99999999999"] {
            assert_eq!(number_of(name), None);
        }
    }
}
