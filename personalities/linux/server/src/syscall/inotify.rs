//! inotify(7): inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2).

use super::Call;
use chestnut_linux_files::inotify::{self, Mask};
use chestnut_linux_files::vfs::{At, Follow};
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general::O_CLOEXEC;

/// inotify_init()
pub fn inotify_init(call: &Call) -> Result<u64> {
    call.install(inotify::create(&call.server.nameless, 0)?, false)
}

/// inotify_init1(flags)
pub fn inotify_init1(call: &Call) -> Result<u64> {
    let flags = call.half(0);
    call.install(inotify::create(&call.server.nameless, flags)?, flags & O_CLOEXEC != 0)
}

/// inotify_add_watch(fd, path, mask)
pub fn inotify_add_watch(call: &Call) -> Result<u64> {
    let mask = call.half(2);
    let follow = if mask & Mask::DO_NOT_FOLLOW.bits() != 0 { Follow::No } else { Follow::Yes };
    let file = call.file(0)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    let inotify = file.inotify()?;
    let path = call.path(1)?;
    let caller = call.caller();
    let place = call.server.vfs.lookup(&caller, At::WorkingDirectory, &path, follow)?;
    inotify.add(&caller, &place, mask).map(|number| number as u64)
}

/// inotify_rm_watch(fd, watch)
pub fn inotify_rm_watch(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    file.inotify()?.remove(call.int(1))?;
    Ok(0)
}
