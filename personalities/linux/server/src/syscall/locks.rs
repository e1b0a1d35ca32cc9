//! Locks: flock(2), and the locking commands of fcntl(2).

use super::{Call, Outcome};
use alloc::rc::Rc;
use chestnut_linux_files::lock::{LockRequest, Owner};
use chestnut_linux_files::open::OpenFile;
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

/// flock(fd, operation)
pub fn flock(call: &Call) -> Result<Outcome> {
    let (file, operation) = (call.file(0)?, call.half(1));
    match file.try_flock(operation) {
        Err(Errno::EAGAIN) if operation & linux::LOCK_NB == 0 => Ok(call.wait(async move {
            file.flock(operation).await?;
            Ok(0)
        })),
        result => Ok(result.map(|()| 0).into()),
    }
}

/// What a locking command of fcntl(2) does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Find,
    Set,
    SetWaiting,
}

/// fcntl(fd, command, lock) for the commands that [`is_command`] names.
pub fn control(call: &Call, file: Rc<OpenFile>) -> Result<Outcome> {
    let (wish, owner) = match call.half(1) {
        linux::F_GETLK => (Wish::Find, Owner::Process(call.process().pid)),
        linux::F_SETLK => (Wish::Set, Owner::Process(call.process().pid)),
        linux::F_SETLKW => (Wish::SetWaiting, Owner::Process(call.process().pid)),
        linux::F_OFD_GETLK => (Wish::Find, file.own_locks()),
        linux::F_OFD_SETLK => (Wish::Set, file.own_locks()),
        linux::F_OFD_SETLKW => (Wish::SetWaiting, file.own_locks()),
        _ => return Err(Errno::EINVAL),
    };
    let (space, address) = (call.space(), call.word(2));
    let mut bytes = [0; LockRequest::SIZE];
    space.read(address, &mut bytes)?;
    if matches!(owner, Owner::Description(_)) {
        LockRequest::check_no_process(&bytes)?;
    }
    let request = LockRequest::decode(&bytes, &file)?;
    if wish == Wish::Find {
        file.conflicting_lock(owner, request)?.encode(&mut bytes);
        space.write(address, &bytes)?;
        return Ok(Outcome::value(0u64));
    }
    match file.set_lock(owner, request) {
        Err(Errno::EAGAIN) if wish == Wish::SetWaiting => {}
        result => return Ok(result.map(|()| 0).into()),
    }
    let (blocked, descriptors, number) = (call.server.files.blocked.clone(), call.process().descriptors(), call.int(0));
    Ok(call.wait(async move {
        file.wait_for_lock(&blocked, owner, request).await?;
        // Another thread may have closed the descriptor meanwhile, which lost the process its locks on the file.
        let still = descriptors.borrow().get(number).is_ok_and(|now| Rc::ptr_eq(now, &file));
        if !still && matches!(owner, Owner::Process(_)) {
            let mut release = request;
            release.kind = None;
            file.set_lock(owner, release)?;
            return Err(Errno::EBADF);
        }
        Ok(0)
    }))
}

/// Is it a command for [`control`]?
pub const fn is_command(command: u32) -> bool {
    matches!(
        command,
        linux::F_GETLK
            | linux::F_SETLK
            | linux::F_SETLKW
            | linux::F_OFD_GETLK
            | linux::F_OFD_SETLK
            | linux::F_OFD_SETLKW
    )
}
