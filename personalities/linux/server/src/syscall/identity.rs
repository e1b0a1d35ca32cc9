//! Calls on ids (credentials(7)): who a process is, and who it becomes.

use super::Call;
use super::capabilities::become_capable;
use crate::process::Ids;
use crate::process::capabilities::{SETGID, SETUID};
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};

/// −1 leaves an id as it is.
const KEEP: u32 = u32::MAX;

pub fn getpid(call: &Call) -> Result<u64> {
    Ok(call.process().pid.into())
}
pub fn getppid(call: &Call) -> Result<u64> {
    Ok(call.process().visible_parent().into())
}
pub fn gettid(call: &Call) -> Result<u64> {
    Ok(call.thread.tid.get().into())
}
pub fn getuid(call: &Call) -> Result<u64> {
    Ok(call.process().ids.get().user.into())
}
pub fn geteuid(call: &Call) -> Result<u64> {
    Ok(call.process().ids.get().effective_user.into())
}
pub fn getgid(call: &Call) -> Result<u64> {
    Ok(call.process().ids.get().group.into())
}
pub fn getegid(call: &Call) -> Result<u64> {
    Ok(call.process().ids.get().effective_group.into())
}

/// Makes new ids hold, for the caller, for file permissions and for the trampoline.
fn become_ids(call: &Call, ids: Ids) {
    let process = call.process();
    let old = process.ids.replace(ids);
    {
        let mut caller = process.caller.borrow_mut();
        caller.credentials.user = ids.effective_user;
        caller.credentials.group = ids.effective_group;
    }
    become_capable(process, process.capabilities.get().after_ids(old, ids));
    if (old.effective_user, old.effective_group) != (ids.effective_user, ids.effective_group) {
        process.dumpable.set(0);
        process.parent_death_signal.set(0);
    }
    process.publish_ids();
}

/// setuid(id)
pub fn setuid(call: &Call) -> Result<u64> {
    let (id, ids) = (call.half(0), call.process().ids.get());
    if id == KEEP {
        return Err(Errno::EINVAL);
    }
    let new = if call.can(SETUID) {
        Ids { user: id, effective_user: id, saved_user: id, ..ids }
    } else if id == ids.user || id == ids.saved_user {
        Ids { effective_user: id, ..ids }
    } else {
        return Err(Errno::EPERM);
    };
    become_ids(call, new);
    Ok(0)
}

/// setgid(id)
pub fn setgid(call: &Call) -> Result<u64> {
    let (id, ids) = (call.half(0), call.process().ids.get());
    if id == KEEP {
        return Err(Errno::EINVAL);
    }
    let new = if call.can(SETGID) {
        Ids { group: id, effective_group: id, saved_group: id, ..ids }
    } else if id == ids.group || id == ids.saved_group {
        Ids { effective_group: id, ..ids }
    } else {
        return Err(Errno::EPERM);
    };
    become_ids(call, new);
    Ok(0)
}

/// New real, effective and saved id from three arguments; the unprivileged choose among the old ones.
fn choose(privileged: bool, old: [u32; 3], wanted: [u32; 3]) -> Result<[u32; 3]> {
    let allowed = |id: u32| privileged || id == KEEP || old.contains(&id);
    if !wanted.iter().all(|&id| allowed(id)) {
        return Err(Errno::EPERM);
    }
    Ok(core::array::from_fn(|index| if wanted[index] == KEEP { old[index] } else { wanted[index] }))
}

/// setresuid(real, effective, saved)
pub fn setresuid(call: &Call) -> Result<u64> {
    let ids = call.process().ids.get();
    let old = [ids.user, ids.effective_user, ids.saved_user];
    let [user, effective_user, saved_user] = choose(call.can(SETUID), old, [call.half(0), call.half(1), call.half(2)])?;
    become_ids(call, Ids { user, effective_user, saved_user, ..ids });
    Ok(0)
}
/// setresgid(real, effective, saved)
pub fn setresgid(call: &Call) -> Result<u64> {
    let ids = call.process().ids.get();
    let old = [ids.group, ids.effective_group, ids.saved_group];
    let [group, effective_group, saved_group] =
        choose(call.can(SETGID), old, [call.half(0), call.half(1), call.half(2)])?;
    become_ids(call, Ids { group, effective_group, saved_group, ..ids });
    Ok(0)
}
/// setreuid(real, effective)
pub fn setreuid(call: &Call) -> Result<u64> {
    let ids = call.process().ids.get();
    let old = [ids.user, ids.effective_user, ids.saved_user];
    let [user, effective_user, mut saved_user] = choose(call.can(SETUID), old, [call.half(0), call.half(1), KEEP])?;
    if call.half(0) != KEEP || (call.half(1) != KEEP && effective_user != ids.user) {
        saved_user = effective_user;
    }
    become_ids(call, Ids { user, effective_user, saved_user, ..ids });
    Ok(0)
}
/// setregid(real, effective)
pub fn setregid(call: &Call) -> Result<u64> {
    let ids = call.process().ids.get();
    let old = [ids.group, ids.effective_group, ids.saved_group];
    let [group, effective_group, mut saved_group] = choose(call.can(SETGID), old, [call.half(0), call.half(1), KEEP])?;
    if call.half(0) != KEEP || (call.half(1) != KEEP && effective_group != ids.group) {
        saved_group = effective_group;
    }
    become_ids(call, Ids { group, effective_group, saved_group, ..ids });
    Ok(0)
}
/// getresuid(real, effective, saved)
pub fn getresuid(call: &Call) -> Result<u64> {
    let ids = call.process().ids.get();
    put_three(call, [ids.user, ids.effective_user, ids.saved_user])
}
/// getresgid(real, effective, saved)
pub fn getresgid(call: &Call) -> Result<u64> {
    let ids = call.process().ids.get();
    put_three(call, [ids.group, ids.effective_group, ids.saved_group])
}
fn put_three(call: &Call, ids: [u32; 3]) -> Result<u64> {
    for (index, id) in ids.into_iter().enumerate() {
        call.space().write_u32(call.word(index), id)?;
    }
    Ok(0)
}

/// setfsuid(id): the user that file permissions are looked up for; whoever is not allowed to change it gets the old one all the same.
pub fn setfsuid(call: &Call) -> Result<u64> {
    let (id, ids, process) = (call.half(0), call.process().ids.get(), call.process());
    let old = call.caller().credentials.user;
    if id != old && id != KEEP && (call.can(SETUID) || [ids.user, ids.effective_user, ids.saved_user].contains(&id)) {
        process.caller.borrow_mut().credentials.user = id;
        become_capable(process, process.capabilities.get().after_file_user(old, id));
    }
    Ok(old.into())
}
/// setfsgid(id)
pub fn setfsgid(call: &Call) -> Result<u64> {
    let (id, ids) = (call.half(0), call.process().ids.get());
    let old = call.caller().credentials.group;
    if id != KEEP && (call.can(SETGID) || [ids.group, ids.effective_group, ids.saved_group].contains(&id)) {
        call.process().caller.borrow_mut().credentials.group = id;
    }
    Ok(old.into())
}

/// getgroups(count, list)
pub fn getgroups(call: &Call) -> Result<u64> {
    let groups = call.caller().credentials.supplementary.clone();
    let count = usize::try_from(call.int(0)).map_err(|_| Errno::EINVAL)?;
    if count == 0 {
        return Ok(groups.len() as u64);
    }
    if count < groups.len() {
        return Err(Errno::EINVAL);
    }
    let bytes: Vec<u8> = groups.iter().flat_map(|group| group.to_le_bytes()).collect();
    call.space().write(call.word(1), &bytes)?;
    Ok(groups.len() as u64)
}
/// setgroups(count, list)
pub fn setgroups(call: &Call) -> Result<u64> {
    const MOST: u64 = 65_536;
    if !call.can(SETGID) {
        return Err(Errno::EPERM);
    }
    let count = call.half(0);
    if u64::from(count) > MOST {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; count as usize * 4];
    call.space().read(call.word(1), &mut bytes)?;
    let groups = bytes.chunks_exact(4).map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]])).collect();
    call.process().caller.borrow_mut().credentials.supplementary = groups;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unprivileged_choose_among_their_ids() {
        assert_eq!(choose(false, [1, 2, 3], [KEEP, 3, KEEP]), Ok([1, 3, 3]));
        assert_eq!(choose(false, [1, 2, 3], [4, KEEP, KEEP]), Err(Errno::EPERM));
        assert_eq!(choose(true, [1, 2, 3], [4, 5, KEEP]), Ok([4, 5, 3]));
    }
}
