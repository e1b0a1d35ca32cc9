//! System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2).

use super::files::shared_memory;
use super::{Call, Outcome};
use crate::ipc::shared::{LOCKED, MOST, Moments, Segment};
use crate::ipc::{Asker, Object, Permissions, READ, WRITE};
use crate::memory::{Behaviour, MapRequest, PAGE, Place, Protection, Shown, page_down};
use crate::process::capabilities::{IPC_LOCK, IPC_OWNER};
use crate::server::Server;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::vfs::Location;
use chestnut_linux_files::{Errno, Result};

/// Commands that all three …ctl calls have.
pub mod command {
    pub const REMOVE: u32 = 0;
    pub const SET: u32 = 1;
    pub const STATUS: u32 = 2;
    pub const INFORMATION: u32 = 3;
}

/// shmctl's own commands.
mod own {
    pub const LOCK: u32 = 11;
    pub const UNLOCK: u32 = 12;
    pub const STATUS_AT: u32 = 13;
    pub const USE: u32 = 14;
    pub const STATUS_AT_ANY: u32 = 15;
}

impl Call<'_> {
    /// The caller, as System V's objects look at it.
    pub fn asker(&self) -> Asker {
        let supplementary = self.caller().credentials.supplementary.clone();
        Asker {
            ids: self.process().ids.get(),
            supplementary,
            owns_all: self.can(IPC_OWNER),
            administers: self.is_privileged(),
        }
    }
    /// Seconds of the clock on the wall.
    pub fn now(&self) -> u64 {
        self.server.clock.wall().as_secs()
    }
}

/// Pages that all segments may have (SHMALL): a quarter of the machine's memory.
pub fn most_pages(server: &Server) -> u64 {
    server.capabilities.frames.total() as u64 / 4
}

/// The access that a …get call's flags ask for.
pub const fn wanted(flags: u32) -> u32 {
    (flags >> 6 | flags >> 3 | flags) & 0o7
}

/// shmget(key, size, flags)
pub fn shmget(call: &Call) -> Result<u64> {
    /// SHM_HUGETLB
    const LARGE_PAGES: u32 = 0o4000;
    let (key, size, flags) = (call.half(0), call.word(1), call.half(2));
    let asker = call.asker();
    let mut segments = call.server.ipc.shared.borrow_mut();
    segments.sweep();
    let pages = segments.pages();
    let check = |segment: &Segment| {
        segment.permissions().check(&asker, wanted(flags))?;
        if size > segment.size() { Err(Errno::EINVAL) } else { Ok(()) }
    };
    let make = |sequence| {
        if size == 0 || size > i64::MAX as u64 || flags & LARGE_PAGES != 0 {
            return Err(Errno::EINVAL);
        }
        if pages + size.div_ceil(PAGE) > most_pages(call.server) {
            return Err(Errno::ENOSPC);
        }
        let file = shared_memory(call, format!("/SYSV{key:08x} (deleted)").as_bytes());
        file.inode().truncate(size.next_multiple_of(PAGE))?;
        let permissions = Permissions { sequence, ..Permissions::new(key, flags, &asker) };
        let moments = Moments { changed: call.now(), creator: call.process().pid, ..Moments::default() };
        Ok(Segment::new(permissions, size, file, moments))
    };
    segments.table.find_or_make(key, flags, MOST, check, make).map(u64::from)
}

/// shmat(id, address, flags)
pub fn shmat(call: &Call) -> Result<u64> {
    const READ_ONLY: u32 = 0o10000;
    const ROUND: u32 = 0o20000;
    const REPLACE: u32 = 0o40000;
    const EXECUTE: u32 = 0o100000;
    let (address, flags) = (call.word(1), call.half(2));
    let segment = call.server.ipc.shared.borrow().table.get(call.half(0))?;
    let place = match (address, flags & ROUND != 0) {
        (0, _) if flags & REPLACE != 0 => return Err(Errno::EINVAL),
        (0, _) => Place::Hint(0),
        (address, false) if !address.is_multiple_of(PAGE) => return Err(Errno::EINVAL),
        (address, _) if flags & REPLACE != 0 => Place::Exactly(page_down(address)),
        (address, _) => Place::IfFree(page_down(address)),
    };
    let (mut protection, mut access, mut behaviour) = (Protection::READ, READ, Behaviour::SHARED);
    if flags & READ_ONLY == 0 {
        protection |= Protection::WRITE;
        access |= WRITE;
    } else {
        behaviour |= Behaviour::READ_ONLY_FILE;
    }
    if flags & EXECUTE != 0 {
        protection |= Protection::EXECUTE;
        access |= 1;
    }
    segment.permissions().check(&call.asker(), access)?;
    let location = segment.file().ok_or(Errno::EIDRM)?;
    let shown = Shown::File { location, offset: 0, writes: None };
    let length = segment.size();
    let start = call.space().map(MapRequest { place, length, protection, behaviour, shown });
    // What is in the way is EINVAL here.
    let start = start.map_err(|error| if error == Errno::EEXIST { Errno::EINVAL } else { error })?;
    let (now, process) = (call.now(), call.process().pid);
    segment.set_moments(|moments| (moments.attached, moments.last) = (now, process));
    Ok(start)
}

/// shmdt(address): all that is still mapped of what shmat put there.
pub fn shmdt(call: &Call) -> Result<u64> {
    let address = call.word(0);
    let (space, mut found, mut parts) = (call.space(), None, Vec::new());
    let segments = call.server.ipc.shared.borrow().table.iter().map(|(_, segment)| segment.clone()).collect::<Vec<_>>();
    // There may be many areas, and many segments.
    let files: BTreeMap<*const Location, usize> =
        (0..).zip(&segments).filter_map(|(index, segment)| Some((Rc::as_ptr(&segment.file()?), index))).collect();
    space.each_area(|range, area, _| {
        let Shown::File { location, offset, .. } = &area.shown else { return };
        let Some(&index) = files.get(&Rc::as_ptr(location)) else { return };
        if range.start.checked_sub(*offset) == Some(address) && found.is_none_or(|found| found == index) {
            found = Some(index);
            parts.push(range);
        }
    });
    let segment = found.and_then(|index| segments.get(index)).ok_or(Errno::EINVAL)?;
    for part in parts {
        space.unmap(part.start, part.end - part.start)?;
    }
    let (now, process) = (call.now(), call.process().pid);
    segment.set_moments(|moments| (moments.detached, moments.last) = (now, process));
    call.server.ipc.shared.borrow_mut().sweep();
    Ok(0)
}

/// `struct shmid64_ds`.
fn encode(segment: &Segment) -> Vec<u8> {
    let mut bytes = segment.permissions().encode();
    let Moments { attached, detached, changed, creator, last } = segment.moments();
    for word in [segment.size(), attached, detached, changed] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&creator.to_le_bytes());
    bytes.extend_from_slice(&last.to_le_bytes());
    bytes.extend_from_slice(&(segment.attachments() as u64).to_le_bytes());
    bytes.resize(112, 0);
    bytes
}

/// shmctl(id, command, buffer)
pub fn shmctl(call: &Call) -> Result<Outcome> {
    let (id, buffer, space) = (call.half(0), call.word(2), call.space());
    let ipc = &call.server.ipc.shared;
    ipc.borrow_mut().sweep();
    let put = |words: &[u64]| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        space.write(buffer, &bytes)
    };
    match call.half(1) {
        command::INFORMATION => {
            let most = most_pages(call.server);
            put(&[i64::MAX as u64 & !(PAGE - 1), 1, MOST as u64, MOST as u64, most, 0, 0, 0, 0])?;
            return Ok(Outcome::value(ipc.borrow().table.last_index()));
        }
        own::USE => {
            let segments = ipc.borrow();
            let present: u64 = segments
                .table
                .iter()
                .filter_map(|(_, segment)| Some(segment.file()?.inode().metadata().blocks * 512 / PAGE))
                .sum();
            put(&[segments.table.len() as u64, segments.pages(), present, 0, 0, 0])?;
            return Ok(Outcome::value(segments.table.last_index()));
        }
        _ => {}
    }
    let status_at = matches!(call.half(1), own::STATUS_AT | own::STATUS_AT_ANY);
    let (id, segment) = if status_at { ipc.borrow().table.at(id)? } else { (id, ipc.borrow().table.get(id)?) };
    let asker = call.asker();
    match call.half(1) {
        command::STATUS | own::STATUS_AT | own::STATUS_AT_ANY => {
            if call.half(1) != own::STATUS_AT_ANY {
                segment.permissions().check(&asker, READ)?;
            }
            space.write(buffer, &encode(&segment))?;
            return Ok(Outcome::value(if status_at { id } else { 0 }));
        }
        command::SET => {
            let mut bytes = [0; 48];
            space.read(buffer, &mut bytes)?;
            let mut permissions = segment.permissions();
            permissions.check_owner(&asker)?;
            permissions.set(&bytes);
            segment.set_permissions(permissions);
            let now = call.now();
            segment.set_moments(|moments| moments.changed = now);
        }
        command::REMOVE => {
            segment.permissions().check_owner(&asker)?;
            ipc.borrow_mut().doom(&segment);
        }
        // Its pages never leave memory: this is told, and brings nothing in, as on Linux.
        locking @ (own::LOCK | own::UNLOCK) => {
            let mut permissions = segment.permissions();
            if !call.can(IPC_LOCK) {
                permissions.check_owner(&asker)?;
            }
            permissions.mode = permissions.mode & !LOCKED | if locking == own::LOCK { LOCKED } else { 0 };
            segment.set_permissions(permissions);
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(Outcome::value(0u64))
}
