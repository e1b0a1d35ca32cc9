//! Calls on attributes: stat(2) and relatives, access(2), chmod(2), chown(2), utimensat(2), statfs(2).

use super::Call;
use crate::clock::duration_of;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::caller::{Caller, Credentials};
use chestnut_linux_files::clock::Timestamp;
use chestnut_linux_files::inode::{Access, Metadata, TimeUpdate};
use chestnut_linux_files::vfs::{At, Follow, Location, Statistics};
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

const CWD: At = At::WorkingDirectory;

/// The location that `at`, `path` and the AT_… flags of `allowed` name.
fn find(call: &Call, at: At, path: &[u8], flags: u32, allowed: u32) -> Result<Rc<Location>> {
    // AT_NO_AUTOMOUNT means nothing without automounts.
    if flags & !(allowed | linux::AT_NO_AUTOMOUNT) != 0 {
        return Err(Errno::EINVAL);
    }
    let follow = if flags & linux::AT_SYMLINK_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
    if flags & linux::AT_EMPTY_PATH != 0 {
        call.server.vfs.lookup_or_self(&call.caller(), at, path, follow)
    } else {
        call.server.vfs.lookup(&call.caller(), at, path, follow)
    }
}

/// Bytes of `struct stat`.
const STAT_BYTES: usize = 144;

/// `struct stat` of x86_64.
#[inline]
fn encode(metadata: &Metadata) -> [u64; 18] {
    let time = |stamp: Timestamp| [stamp.seconds as u64, stamp.nanoseconds.into()];
    let [accessed, modified, changed] = [metadata.accessed, metadata.modified, metadata.changed].map(time);
    [
        metadata.device,
        metadata.number,
        metadata.links.into(),
        u64::from(metadata.mode()) | u64::from(metadata.user) << 32,
        metadata.group.into(),
        metadata.represents,
        metadata.size,
        metadata.block_size.into(),
        metadata.blocks,
        accessed[0],
        accessed[1],
        modified[0],
        modified[1],
        changed[0],
        changed[1],
        0,
        0,
        0,
    ]
}

fn put(call: &Call, address: u64, metadata: &Metadata) -> Result<u64> {
    let structure: [u8; STAT_BYTES] = zerocopy::transmute!(encode(metadata));
    call.process().space.borrow().write_array(address, structure)?;
    Ok(0)
}

/// stat(path, buf)
pub fn stat(call: &Call) -> Result<u64> {
    let location = find(call, CWD, &call.path(0)?, 0, 0)?;
    put(call, call.word(1), &location.inode().metadata())
}
/// lstat(path, buf)
pub fn lstat(call: &Call) -> Result<u64> {
    let flags = linux::AT_SYMLINK_NOFOLLOW;
    let location = find(call, CWD, &call.path(0)?, flags, flags)?;
    put(call, call.word(1), &location.inode().metadata())
}
/// fstat(fd, buf)
pub fn fstat(call: &Call) -> Result<u64> {
    put(call, call.word(1), &call.file(0)?.metadata())
}
/// newfstatat(dirfd, path, buf, flags)
pub fn newfstatat(call: &Call) -> Result<u64> {
    // The C library's fstat.
    if call.half(3) == linux::AT_EMPTY_PATH
        && call.int(0) >= 0
        && call.process().space.borrow().is_empty_string(call.word(1))
    {
        return put(call, call.word(2), &call.file(0)?.metadata());
    }
    let path = call.path(1)?;
    let at = call.at(0, &path)?;
    let location = find(call, at, &path, call.half(3), linux::AT_SYMLINK_NOFOLLOW | linux::AT_EMPTY_PATH)?;
    put(call, call.word(2), &location.inode().metadata())
}

/// statx(dirfd, path, flags, mask, buf)
pub fn statx(call: &Call) -> Result<u64> {
    let flags = call.half(2);
    if call.half(3) & linux::STATX__RESERVED != 0 {
        return Err(Errno::EINVAL);
    }
    // Everything is known at once: "force sync" and "don't sync" are the same.
    let allowed = linux::AT_SYMLINK_NOFOLLOW | linux::AT_EMPTY_PATH | linux::AT_STATX_SYNC_TYPE;
    if flags & linux::AT_STATX_SYNC_TYPE == linux::AT_STATX_SYNC_TYPE {
        return Err(Errno::EINVAL);
    }
    let path = if call.word(1) == 0 && flags & linux::AT_EMPTY_PATH != 0 { Vec::new() } else { call.path(1)? };
    let at = call.at(0, &path)?;
    let metadata = find(call, at, &path, flags, allowed)?.inode().metadata();
    let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let time = |stamp: Timestamp| [stamp.seconds as u64, stamp.nanoseconds.into()];
    let device = |number: u64| {
        let major = (number >> 8) as u32 & 0xfff | (number >> 32) as u32 & 0xffff_f000;
        let minor = number as u32 & 0xff | (number >> 12) as u32 & 0xffff_ff00;
        pair(major, minor)
    };
    let mut words = [0; 32];
    words[0] = pair(linux::STATX_BASIC_STATS | linux::STATX_BTIME, metadata.block_size);
    words[2] = pair(metadata.links, metadata.user);
    words[3] = pair(metadata.group, metadata.mode());
    words[4] = metadata.number;
    words[5] = metadata.size;
    words[6] = metadata.blocks;
    let stamps = [metadata.accessed, metadata.created, metadata.changed, metadata.modified];
    for (index, stamp) in stamps.into_iter().enumerate() {
        words[8 + 2 * index..10 + 2 * index].copy_from_slice(&time(stamp));
    }
    words[16] = device(metadata.represents);
    words[17] = device(metadata.device);
    call.space().write_words(call.word(4), &words)?;
    Ok(0)
}

/// access(path, mode)
pub fn access(call: &Call) -> Result<u64> {
    check_access(call, CWD, call.path(0)?, call.half(1), 0)
}
/// faccessat(dirfd, path, mode)
pub fn faccessat(call: &Call) -> Result<u64> {
    let path = call.path(1)?;
    check_access(call, call.at(0, &path)?, path, call.half(2), 0)
}
/// faccessat2(dirfd, path, mode, flags)
pub fn faccessat2(call: &Call) -> Result<u64> {
    let path = call.path(1)?;
    check_access(call, call.at(0, &path)?, path, call.half(2), call.half(3))
}
fn check_access(call: &Call, at: At, path: Vec<u8>, mode: u32, flags: u32) -> Result<u64> {
    let wanted = Access::from_bits(mode).ok_or(Errno::EINVAL)?;
    let allowed = linux::AT_SYMLINK_NOFOLLOW | linux::AT_EMPTY_PATH | linux::AT_EACCESS;
    let location = find(call, at, &path, flags, allowed)?;
    let caller = if flags & linux::AT_EACCESS != 0 { call.caller_copy() } else { with_real_ids(call) };
    call.server.vfs.check_access(&caller, &location, wanted)?;
    Ok(0)
}

/// The caller with its real ids, by which access(2) checks.
fn with_real_ids(call: &Call) -> Caller {
    let caller = call.caller_copy();
    let ids = call.process().ids.get();
    let credentials =
        Credentials { user: ids.user, group: ids.group, privileged: ids.user == 0, ..caller.credentials.clone() };
    Caller { credentials, ..caller }
}

/// chmod(path, mode)
pub fn chmod(call: &Call) -> Result<u64> {
    let location = find(call, CWD, &call.path(0)?, 0, 0)?;
    change_mode(call, &location, call.half(1))
}
/// fchmod(fd, mode)
pub fn fchmod(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    change_mode(call, file.location(), call.half(1))
}
/// fchmodat(dirfd, path, mode)
pub fn fchmodat(call: &Call) -> Result<u64> {
    let path = call.path(1)?;
    let location = find(call, call.at(0, &path)?, &path, 0, 0)?;
    change_mode(call, &location, call.half(2))
}
/// fchmodat2(dirfd, path, mode, flags)
pub fn fchmodat2(call: &Call) -> Result<u64> {
    let path = call.path(1)?;
    let allowed = linux::AT_SYMLINK_NOFOLLOW | linux::AT_EMPTY_PATH;
    let location = find(call, call.at(0, &path)?, &path, call.half(3), allowed)?;
    change_mode(call, &location, call.half(2))
}
fn change_mode(call: &Call, location: &Location, mode: u32) -> Result<u64> {
    call.server.vfs.change_mode(&call.caller(), location, mode & 0o7777)?;
    Ok(0)
}

/// chown(path, owner, group)
pub fn chown(call: &Call) -> Result<u64> {
    let location = find(call, CWD, &call.path(0)?, 0, 0)?;
    change_owner(call, &location, call.half(1), call.half(2))
}
/// lchown(path, owner, group)
pub fn lchown(call: &Call) -> Result<u64> {
    let flags = linux::AT_SYMLINK_NOFOLLOW;
    let location = find(call, CWD, &call.path(0)?, flags, flags)?;
    change_owner(call, &location, call.half(1), call.half(2))
}
/// fchown(fd, owner, group)
pub fn fchown(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    change_owner(call, file.location(), call.half(1), call.half(2))
}
/// fchownat(dirfd, path, owner, group, flags)
pub fn fchownat(call: &Call) -> Result<u64> {
    let path = call.path(1)?;
    let allowed = linux::AT_SYMLINK_NOFOLLOW | linux::AT_EMPTY_PATH;
    let location = find(call, call.at(0, &path)?, &path, call.half(4), allowed)?;
    change_owner(call, &location, call.half(2), call.half(3))
}
fn change_owner(call: &Call, location: &Location, owner: u32, group: u32) -> Result<u64> {
    let some = |id: u32| (id != u32::MAX).then_some(id);
    call.server.vfs.change_owner(&call.caller(), location, some(owner), some(group))?;
    Ok(0)
}

/// utimensat(dirfd, path, times, flags)
pub fn utimensat(call: &Call) -> Result<u64> {
    let times = match call.word(2) {
        0 => [TimeUpdate::Now; 2],
        address => {
            let words: [u64; 4] = call.space().read_words(address)?;
            [update([words[0], words[1]])?, update([words[2], words[3]])?]
        }
    };
    if times == [TimeUpdate::Keep; 2] {
        return Ok(0);
    }
    let location = if call.word(1) == 0 {
        // futimens: the descriptor itself.
        if call.int(0) == linux::AT_FDCWD {
            return Err(Errno::EFAULT);
        }
        call.file(0)?.location().clone()
    } else {
        let path = call.path(1)?;
        let allowed = linux::AT_SYMLINK_NOFOLLOW | linux::AT_EMPTY_PATH;
        find(call, call.at(0, &path)?, &path, call.half(3), allowed)?
    };
    call.server.vfs.change_times(&call.caller(), &location, times[0], times[1])?;
    Ok(0)
}

fn update([seconds, nanoseconds]: [u64; 2]) -> Result<TimeUpdate> {
    const NOW: u64 = 0x3fff_ffff;
    const OMIT: u64 = 0x3fff_fffe;
    Ok(match nanoseconds {
        NOW => TimeUpdate::Now,
        OMIT => TimeUpdate::Keep,
        0..1_000_000_000 => TimeUpdate::To(Timestamp { seconds: seconds as i64, nanoseconds: nanoseconds as u32 }),
        _ => return Err(Errno::EINVAL),
    })
}

/// utimes(path, times): microseconds.
pub fn utimes(call: &Call) -> Result<u64> {
    set_micro_times(call, CWD, call.path(0)?, call.word(1))
}
/// futimesat(dirfd, path, times)
pub fn futimesat(call: &Call) -> Result<u64> {
    let path = call.path(1)?;
    set_micro_times(call, call.at(0, &path)?, path, call.word(2))
}
fn set_micro_times(call: &Call, at: At, path: Vec<u8>, address: u64) -> Result<u64> {
    let times = match address {
        0 => [TimeUpdate::Now; 2],
        address => {
            let words: [u64; 4] = call.space().read_words(address)?;
            let stamp = |seconds: u64, micros: u64| -> Result<TimeUpdate> {
                duration_of([0, micros.saturating_mul(1000)]).ok_or(Errno::EINVAL)?;
                Ok(TimeUpdate::To(Timestamp { seconds: seconds as i64, nanoseconds: micros as u32 * 1000 }))
            };
            [stamp(words[0], words[1])?, stamp(words[2], words[3])?]
        }
    };
    let location = find(call, at, &path, 0, 0)?;
    call.server.vfs.change_times(&call.caller(), &location, times[0], times[1])?;
    Ok(0)
}

/// utime(path, times): seconds.
pub fn utime(call: &Call) -> Result<u64> {
    let times = match call.word(1) {
        0 => [TimeUpdate::Now; 2],
        address => {
            let words: [u64; 2] = call.space().read_words(address)?;
            words.map(|seconds| TimeUpdate::To(Timestamp { seconds: seconds as i64, nanoseconds: 0 }))
        }
    };
    let location = find(call, CWD, &call.path(0)?, 0, 0)?;
    call.server.vfs.change_times(&call.caller(), &location, times[0], times[1])?;
    Ok(0)
}

/// statfs(path, buf)
pub fn statfs(call: &Call) -> Result<u64> {
    let location = find(call, CWD, &call.path(0)?, 0, 0)?;
    put_statistics(call, &call.server.vfs.statistics(&location))
}
/// fstatfs(fd, buf)
pub fn fstatfs(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    put_statistics(call, &call.server.vfs.statistics(file.location()))
}
fn put_statistics(call: &Call, statistics: &Statistics) -> Result<u64> {
    let words = [
        statistics.magic,
        statistics.block_size,
        statistics.blocks,
        statistics.blocks_free,
        statistics.blocks_free,
        statistics.inodes,
        statistics.inodes_free,
        statistics.device,
        statistics.name_length,
        statistics.block_size,
        // ST_VALID | ST_RELATIME, and what they share with mount(2).
        0x1020 | u64::from(statistics.restrictions.bits()),
        0,
        0,
        0,
        0,
    ];
    call.space().write_words(call.word(1), &words)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chestnut_linux_files::inode::Kind;

    #[test]
    fn stat_has_linux_offsets() {
        let stamp = |seconds| Timestamp { seconds, nanoseconds: seconds as u32 + 1 };
        let words = encode(&Metadata {
            device: 1,
            number: 2,
            kind: Kind::Regular,
            permissions: 0o644,
            links: 3,
            user: 4,
            group: 5,
            represents: 6,
            size: 7,
            blocks: 8,
            block_size: 4096,
            accessed: stamp(10),
            modified: stamp(20),
            changed: stamp(30),
            created: stamp(40),
        });
        assert_eq!(words[..6], [1, 2, 3, 0o100644 | 4 << 32, 5, 6]);
        assert_eq!(words[6..15], [7, 4096, 8, 10, 11, 20, 21, 30, 31]);
    }

    #[test]
    fn utimensat_knows_now_and_omit() {
        assert_eq!(update([5, 0x3fff_ffff]), Ok(TimeUpdate::Now));
        assert_eq!(update([5, 0x3fff_fffe]), Ok(TimeUpdate::Keep));
        assert_eq!(update([5, 7]), Ok(TimeUpdate::To(Timestamp { seconds: 5, nanoseconds: 7 })));
        assert_eq!(update([5, 1_000_000_000]), Err(Errno::EINVAL));
    }
}
