//! Signals for files: the commands of fcntl(2) and ioctl(2) that say whom, by which signal, and whether.

use super::{Call, signals::signal_argument};
use crate::file_owner::{FileOwner, Target};
use alloc::rc::Rc;
use chestnut_linux_files::inode::Kind;
use chestnut_linux_files::open::OpenFile;
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::{general as linux, ioctl};

/// Of `struct f_owner_ex`.
mod owner_kind {
    pub const THREAD: u32 = 0;
    pub const PROCESS: u32 = 1;
    pub const GROUP: u32 = 2;
}

/// F_GETOWNER_UIDS, which the header crate hasn't got.
const GET_OWNER_USERS: u32 = 17;

/// Does one of fcntl's commands; `None` if it is another.
pub fn control(call: &Call, file: &Rc<OpenFile>, command: u32) -> Option<Result<u64>> {
    Some(match command {
        linux::F_SETOWN => set_by_number(call, file, call.int(2)),
        linux::F_GETOWN => Ok(number_of(file) as i64 as u64),
        linux::F_SETOWN_EX => set_by_structure(call, file),
        linux::F_GETOWN_EX => get_structure(call, file),
        GET_OWNER_USERS => get_users(call, file),
        linux::F_NOTIFY => {
            let owner =
                FileOwner::new(call.server, Target::Process(Rc::downgrade(call.process())), call.process().ids.get());
            file.notify_directory(&call.caller(), call.half(2), call.int(0), owner).map(|()| 0)
        }
        linux::F_SETSIG => set_signal(call, file),
        linux::F_GETSIG => Ok(file.notice_signal().into()),
        _ => return None,
    })
}

/// Does one of ioctl's requests; `None` if it is another.
pub fn request(call: &Call, file: &Rc<OpenFile>, request: u32) -> Option<Result<u64>> {
    let is_socket = file.inode().kind() == Kind::Socket;
    let argument = || call.space().read_u32(call.word(2));
    Some(match request {
        ioctl::FIOASYNC => argument().and_then(|on| {
            if on != 0 {
                own_terminal(call, file);
            }
            file.ioctl_asynchronous(on != 0, call.int(0)).map(|()| 0)
        }),
        ioctl::FIOSETOWN | ioctl::SIOCSPGRP if is_socket => {
            argument().and_then(|number| set_by_number(call, file, number as i32))
        }
        ioctl::FIOGETOWN | ioctl::SIOCGPGRP if is_socket => {
            call.space().write_u32(call.word(2), number_of(file) as u32).map(|()| 0)
        }
        _ => return None,
    })
}

/// A terminal whose signals nobody has been named for tells the foreground group, or else who asks.
pub fn own_terminal(call: &Call, file: &Rc<OpenFile>) {
    let Some(terminal) = file.terminal() else { return };
    if file.owner().is_none() {
        let target = match terminal.foreground_group() {
            Some(group) => Target::Group(group),
            None => Target::Process(Rc::downgrade(call.process())),
        };
        set(call, file, Some(target));
    }
}

fn set(call: &Call, file: &OpenFile, target: Option<Target>) {
    let ids = call.process().ids.get();
    let owner = target.map(|target| FileOwner::new(call.server, target, ids));
    file.set_owner(owner.map(|owner| owner as Rc<dyn chestnut_linux_files::open::Owner>));
}

/// The id of a group, negative: i32::MIN has no positive counterpart.
const LEAST_GROUP: i32 = i32::MIN + 1;

/// A process, or negative, a group; 0 is nobody.
fn set_by_number(call: &Call, file: &OpenFile, number: i32) -> Result<u64> {
    let target = match number {
        i32::MIN => return Err(Errno::EINVAL),
        0 => None,
        LEAST_GROUP..0 => Some(group(call, number.unsigned_abs())?),
        _ => Some(process(call, number as u32)?),
    };
    set(call, file, target);
    Ok(0)
}

fn process(call: &Call, pid: u32) -> Result<Target> {
    let table = &call.server.table;
    let process = table.process(pid).or_else(|| table.thread(pid).map(|thread| thread.process.clone()));
    process.map(|process| Target::Process(Rc::downgrade(&process))).ok_or(Errno::ESRCH)
}

fn group(call: &Call, group: u32) -> Result<Target> {
    if call.server.table.group(group).is_empty() { Err(Errno::ESRCH) } else { Ok(Target::Group(group)) }
}

fn number_of(file: &OpenFile) -> i32 {
    let owner = file.owner();
    match owner.as_ref().and_then(FileOwner::of).and_then(FileOwner::target) {
        Some((Target::Group(_), group)) => -(group as i32),
        Some((_, id)) => id as i32,
        None => 0,
    }
}

fn set_by_structure(call: &Call, file: &OpenFile) -> Result<u64> {
    let word = call.space().read_u64(call.word(2))?;
    let (kind, id) = (word as u32, (word >> 32) as u32);
    if kind > owner_kind::GROUP {
        return Err(Errno::EINVAL);
    }
    let target = match kind {
        _ if id == 0 => None,
        owner_kind::THREAD => Some(Target::Thread(Rc::downgrade(&call.server.table.thread(id).ok_or(Errno::ESRCH)?))),
        owner_kind::PROCESS => Some(process(call, id)?),
        _ => Some(group(call, id)?),
    };
    set(call, file, target);
    Ok(0)
}

fn get_structure(call: &Call, file: &OpenFile) -> Result<u64> {
    let owner = file.owner();
    let (kind, id) = match owner.as_ref().and_then(FileOwner::of).and_then(FileOwner::target) {
        Some((Target::Thread(_), id)) => (owner_kind::THREAD, id),
        Some((Target::Process(_), id)) => (owner_kind::PROCESS, id),
        Some((Target::Group(_), id)) => (owner_kind::GROUP, id),
        None => (owner_kind::THREAD, 0),
    };
    call.space().write_u64(call.word(2), u64::from(kind) | u64::from(id) << 32)?;
    Ok(0)
}

/// The real and the effective user of who named the owner.
fn get_users(call: &Call, file: &OpenFile) -> Result<u64> {
    let owner = file.owner();
    let ids = owner.as_ref().and_then(FileOwner::of).map_or_else(Default::default, |owner| owner.ids);
    call.space().write_u64(call.word(2), u64::from(ids.user) | u64::from(ids.effective_user) << 32)?;
    Ok(0)
}

fn set_signal(call: &Call, file: &OpenFile) -> Result<u64> {
    let number = u32::try_from(call.word(2)).map_err(|_| Errno::EINVAL)?;
    let signal = signal_argument(number)?;
    file.set_notice_signal(signal.map_or(0, |signal| signal.number()));
    Ok(0)
}
