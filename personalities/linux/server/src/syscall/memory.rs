//! Calls on memory: mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), brk(2) and their relatives.

use super::files::shared_memory;
use super::{Call, Outcome, locking, pieces};
use crate::memory::{Behaviour, FutureLocks, MapRequest, PAGE, Place, Protection, Remap, Shown, page_down};
use crate::process::capabilities::SYS_NICE;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::inode::Kind;
use chestnut_linux_files::vfs::Restrictions;
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

/// mmap(addr, length, prot, flags, fd, offset)
pub fn mmap(call: &Call) -> Result<Outcome> {
    let (address, length, flags, offset) = (call.word(0), call.word(1), call.half(3), call.word(5));
    let protection = protection(call.half(2))?;
    if length == 0 || !offset.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let shared = match flags & linux::MAP_TYPE {
        linux::MAP_SHARED | linux::MAP_SHARED_VALIDATE => true,
        linux::MAP_PRIVATE => false,
        _ => return Err(Errno::EINVAL),
    };
    let known = linux::MAP_TYPE
        | linux::MAP_FIXED
        | linux::MAP_ANONYMOUS
        | linux::MAP_32BIT
        | linux::MAP_GROWSDOWN
        | linux::MAP_DENYWRITE
        | linux::MAP_EXECUTABLE
        | linux::MAP_LOCKED
        | linux::MAP_NORESERVE
        | linux::MAP_POPULATE
        | linux::MAP_NONBLOCK
        | linux::MAP_STACK
        | linux::MAP_FIXED_NOREPLACE;
    if flags & linux::MAP_TYPE == linux::MAP_SHARED_VALIDATE && flags & !known != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if flags & linux::MAP_HUGETLB != 0 {
        return Err(Errno::ENOMEM);
    }
    let place = if flags & linux::MAP_FIXED_NOREPLACE != 0 {
        Place::IfFree(address)
    } else if flags & linux::MAP_FIXED != 0 {
        Place::Exactly(address)
    } else if flags & linux::MAP_32BIT != 0 {
        Place::Low
    } else {
        Place::Hint(address)
    };
    let mut behaviour = Behaviour::empty();
    behaviour.set(Behaviour::SHARED, shared);
    let shown = if flags & linux::MAP_ANONYMOUS != 0 {
        behaviour.set(Behaviour::GROWS_DOWN, flags & linux::MAP_GROWSDOWN != 0 && !shared);
        let reserves = !shared && flags & linux::MAP_NORESERVE == 0 && protection.contains(Protection::WRITE);
        // As Linux's heuristic: what exceeds all memory can't be meant.
        if reserves && length / PAGE > call.server.capabilities.frames.total() as u64 {
            return Err(Errno::ENOMEM);
        }
        if shared { anonymous_shared(call, length)? } else { Shown::Zeros }
    } else {
        let file = call.file(4)?;
        if file.is_path() {
            return Err(Errno::EBADF);
        }
        if !file.is_readable() {
            return Err(Errno::EACCES);
        }
        if file.location().restrictions().contains(Restrictions::NO_EXECUTION) {
            if protection.contains(Protection::EXECUTE) {
                return Err(Errno::EPERM);
            }
            behaviour |= Behaviour::NO_EXECUTION;
        }
        if shared && !file.is_writable() {
            if protection.contains(Protection::WRITE) {
                return Err(Errno::EACCES);
            }
            behaviour |= Behaviour::READ_ONLY_FILE;
        }
        if offset.checked_add(length).is_none_or(|end| end > i64::MAX as u64) {
            return Err(Errno::EOVERFLOW);
        }
        match file.inode().kind() {
            Kind::Regular if file.inode().contents().is_some() => {
                let mut writes = None;
                if shared && file.is_writable() {
                    match file.inode().map_for_writing() {
                        Ok(mapping) => writes = Some(mapping),
                        Err(error) if protection.contains(Protection::WRITE) => return Err(error),
                        // Sealed: it can be read, and never be made writable.
                        Err(_) => behaviour |= Behaviour::READ_ONLY_FILE,
                    }
                }
                Shown::File { location: file.location().clone(), offset, writes }
            }
            // /dev/zero: memory.
            Kind::CharacterDevice if file.metadata().represents == ZERO_DEVICE => {
                if shared {
                    anonymous_shared(call, length)?
                } else {
                    Shown::Zeros
                }
            }
            _ => return Err(Errno::ENODEV),
        }
    };
    let space = call.space();
    let locks = locking::for_mapping(call, flags & linux::MAP_LOCKED != 0, length)?;
    behaviour.set(Behaviour::LOCKED, locks != FutureLocks::None);
    let start = space.map(MapRequest { place, length, protection, behaviour, shown })?;
    let populates = flags & linux::MAP_POPULATE != 0 && flags & linux::MAP_NONBLOCK == 0;
    if populates || locks == FutureLocks::Present {
        return Ok(pieces::populate(call, start..start + length.next_multiple_of(PAGE), start));
    }
    Ok(Outcome::value(start))
}

const ZERO_DEVICE: u64 = chestnut_linux_files::devfs::device_number(1, 5);

fn anonymous_shared(call: &Call, length: u64) -> Result<Shown> {
    let location = shared_memory(call, b"/dev/zero (deleted)");
    location.inode().truncate(length.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?)?;
    Ok(Shown::File { location, offset: 0, writes: None })
}

fn protection(bits: u32) -> Result<Protection> {
    // PROT_SEM is accepted by Linux and means nothing on x86.
    const SEM: u32 = 8;
    Protection::from_bits((bits & !SEM) as u8).filter(|_| bits < 256).ok_or(Errno::EINVAL)
}

/// munmap(addr, length)
pub fn munmap(call: &Call) -> Result<u64> {
    call.space().unmap(call.word(0), call.word(1))?;
    Ok(0)
}

/// mprotect(addr, length, prot)
pub fn mprotect(call: &Call) -> Result<u64> {
    if call.half(2) & (linux::PROT_GROWSDOWN | linux::PROT_GROWSUP) != 0 {
        return Err(Errno::EINVAL);
    }
    call.space().protect(call.word(0), call.word(1), protection(call.half(2))?)?;
    Ok(0)
}

/// brk(addr)
pub fn brk(call: &Call) -> Outcome {
    let space = call.space();
    if space.future_locks.get() == FutureLocks::None {
        return Outcome::value(space.set_break(call.word(0)));
    }
    let old = space.set_break(0);
    if call.word(0) > old && locking::for_mapping(call, false, call.word(0) - old).is_err() {
        return Outcome::value(old);
    }
    let new = space.set_break(call.word(0));
    match space.future_locks.get() {
        FutureLocks::Present if new > old => pieces::populate(call, page_down(old)..new, new),
        _ => Outcome::value(new),
    }
}

/// mremap(old, old length, new length, flags, new)
pub fn mremap(call: &Call) -> Result<u64> {
    let remap = match call.half(3) {
        0 => Remap::InPlace,
        linux::MREMAP_MAYMOVE => Remap::MayMove,
        flags if flags == linux::MREMAP_MAYMOVE | linux::MREMAP_FIXED => Remap::To(call.word(4)),
        // MREMAP_DONTUNMAP among others.
        _ => return Err(Errno::EINVAL),
    };
    call.space().remap(call.word(0), call.word(1), call.word(2), remap)
}

/// madvise(addr, length, advice)
pub fn madvise(call: &Call) -> Result<Outcome> {
    let (address, length) = (call.word(0), call.word(1));
    let space = call.space();
    match call.half(2) {
        // What is freed lazily may be freed at once.
        linux::MADV_DONTNEED | linux::MADV_FREE => {
            space.check_unlocked(address, length)?;
            space.forget(address, length)?;
        }
        linux::MADV_DONTNEED_LOCKED => space.forget(address, length)?,
        linux::MADV_DONTFORK => space.set_fork_advice(address, length, Behaviour::NOT_FORKED, true)?,
        linux::MADV_DOFORK => space.set_fork_advice(address, length, Behaviour::NOT_FORKED, false)?,
        linux::MADV_WIPEONFORK => space.set_fork_advice(address, length, Behaviour::WIPED_BY_FORK, true)?,
        linux::MADV_KEEPONFORK => space.set_fork_advice(address, length, Behaviour::WIPED_BY_FORK, false)?,
        linux::MADV_REMOVE => {
            for (location, part) in space.shared_parts(address, length)? {
                let contents = location.inode().contents().ok_or(Errno::EINVAL)?;
                contents.punch(part.start, part.end - part.start)?;
            }
        }
        linux::MADV_WILLNEED | linux::MADV_POPULATE_READ | linux::MADV_POPULATE_WRITE => {
            return Ok(pieces::populate(call, space.check_covered(address, length)?, 0));
        }
        // Advice about how pages will be used, merged, made large, dumped or reclaimed: there is nothing to do.
        linux::MADV_NORMAL
        | linux::MADV_RANDOM
        | linux::MADV_SEQUENTIAL
        | linux::MADV_HUGEPAGE
        | linux::MADV_NOHUGEPAGE
        | linux::MADV_DONTDUMP
        | linux::MADV_DODUMP
        | linux::MADV_COLD
        | linux::MADV_PAGEOUT => {
            space.check_covered(address, length)?;
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(Outcome::value(0u64))
}

/// process_madvise(pidfd, vector, count, advice, flags): advice about another process's pages; there is little to do.
pub fn process_madvise(call: &Call) -> Result<u64> {
    if call.half(4) != 0 {
        return Err(Errno::EINVAL);
    }
    let pieces = call.space().read_vector(call.word(1), call.word(2))?;
    let process = call.server.living_process_of_file(&*call.file(0)?)?;
    let own = Rc::ptr_eq(&process, call.process());
    match call.half(3) {
        linux::MADV_WILLNEED | linux::MADV_COLD | linux::MADV_PAGEOUT | linux::MADV_COLLAPSE => {}
        linux::MADV_DONTNEED | linux::MADV_FREE if own => {}
        _ => return Err(Errno::EINVAL),
    }
    super::foreign::may_look_into(call, &process)?;
    if !own && !call.can(SYS_NICE) {
        return Err(Errno::EPERM);
    }
    let space = process.space();
    let mut done = 0;
    for piece in pieces {
        let advised = match call.half(3) {
            linux::MADV_DONTNEED | linux::MADV_FREE => space.forget(piece.base, piece.length),
            linux::MADV_WILLNEED => {
                space.check_covered(piece.base, piece.length).map(|range| _ = space.populate(range))
            }
            _ => space.check_covered(piece.base, piece.length).map(drop),
        };
        match advised {
            Ok(()) => done += piece.length,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// msync(addr, length, flags): mappings and files share their pages, so nothing is ever out of step.
pub fn msync(call: &Call) -> Result<u64> {
    let flags = call.half(2);
    let both = linux::MS_ASYNC | linux::MS_SYNC;
    if flags & !(both | linux::MS_INVALIDATE) != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    call.space().check_covered(call.word(0), call.word(1))?;
    Ok(0)
}

/// mincore(addr, length, vec)
pub fn mincore(call: &Call) -> Result<u64> {
    let space = call.space();
    let range = space.check_covered(call.word(0), call.word(1))?;
    // In pieces: a range may have more pages than the server has bytes.
    const PIECE: u64 = 4096 * PAGE;
    let (mut at, mut answer) = (range.start, call.word(2));
    while at < range.end {
        let end = range.end.min(at + PIECE);
        let present: Vec<u8> = (at..end).step_by(PAGE as usize).map(|page| space.is_present(page).into()).collect();
        space.write(answer, &present)?;
        answer = answer.wrapping_add(present.len() as u64);
        at = end;
    }
    Ok(0)
}

/// membarrier(command, flags, cpu): one processor, so every thread that doesn't run has passed a barrier.
pub fn membarrier(call: &Call) -> Result<u64> {
    const GLOBAL: u32 = 1;
    const GLOBAL_EXPEDITED: u32 = 2;
    const REGISTER_GLOBAL_EXPEDITED: u32 = 4;
    const PRIVATE_EXPEDITED: u32 = 8;
    const REGISTER_PRIVATE_EXPEDITED: u32 = 16;
    if call.half(1) != 0 {
        return Err(Errno::EINVAL);
    }
    let registered = &call.space().expects_barriers;
    match call.half(0) {
        0 => Ok(0b1_1111),
        GLOBAL | GLOBAL_EXPEDITED | REGISTER_GLOBAL_EXPEDITED => Ok(0),
        REGISTER_PRIVATE_EXPEDITED => {
            registered.set(true);
            Ok(0)
        }
        PRIVATE_EXPEDITED if registered.get() => Ok(0),
        PRIVATE_EXPEDITED => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}
