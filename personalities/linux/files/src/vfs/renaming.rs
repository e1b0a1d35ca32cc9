//! rename(2) and renameat2(2).

use alloc::rc::Rc;

use bitflags::bitflags;

use super::lookup::{Last, Walk};
use super::naming::check_insert;
use super::{At, Location, Vfs};
use crate::caller::Caller;
use crate::inode::{Access, Inode};
use crate::inotify::{self, Mask};
use crate::{Errno, Result};

bitflags! {
    /// RENAME_… of renameat2(2).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct RenameFlags: u32 {
        const NO_REPLACE = 1;
        const EXCHANGE = 2;
    }
}

/// One side of a renaming: a directory, a name in it, and what has that name.
struct Side<'a> {
    directory: Rc<Location>,
    last: Last<'a>,
    found: Result<Rc<Location>>,
}

impl Vfs {
    /// renameat2(2).
    pub fn rename(
        &self,
        caller: &Caller,
        old_at: At,
        old: &[u8],
        new_at: At,
        new: &[u8],
        flags: RenameFlags,
    ) -> Result<()> {
        if flags.contains(RenameFlags::NO_REPLACE | RenameFlags::EXCHANGE) {
            return Err(Errno::EINVAL);
        }
        let old = Side::find(caller, old_at, old, Errno::EBUSY)?;
        let taken = if flags.contains(RenameFlags::NO_REPLACE) { Errno::EEXIST } else { Errno::EBUSY };
        let new = Side::find(caller, new_at, new, taken)?;
        if !Rc::ptr_eq(&old.directory.mount(), &new.directory.mount()) {
            return Err(Errno::EXDEV);
        }
        old.directory.check_writable()?;
        let moved = old.found.clone()?;
        let target = match &new.found {
            Ok(_) if flags.contains(RenameFlags::NO_REPLACE) => return Err(Errno::EEXIST),
            Ok(target) => Some(target.clone()),
            Err(Errno::ENOENT) if !flags.contains(RenameFlags::EXCHANGE) => None,
            Err(error) => return Err(*error),
        };
        check_shape(&old, &new, &moved, target.as_ref(), flags)?;
        if target.as_ref().is_some_and(|target| Rc::ptr_eq(target.inode(), moved.inode())) {
            return Ok(());
        }
        check_move(caller, &old.directory, &moved, &new.directory)?;
        match target {
            Some(target) if flags.contains(RenameFlags::EXCHANGE) => {
                check_move(caller, &new.directory, &target, &old.directory)?;
                exchange(&old, &moved, &new, &target)
            }
            Some(target) => {
                new.directory.inode().check_remove(&caller.credentials, target.inode())?;
                check_replace(&moved, &target)?;
                move_over(&old, &moved, &new, Some(&target))
            }
            None => {
                check_insert(caller, &new.directory)?;
                move_over(&old, &moved, &new, None)
            }
        }
    }
}

impl<'a> Side<'a> {
    /// `not_plain` is the error for `.`, `..` and `/`.
    fn find(caller: &'a Caller, at: At, path: &'a [u8], not_plain: Errno) -> Result<Self> {
        let mut walk = Walk::new(caller, at, path)?;
        let last = walk.reach_last()?;
        if !last.is_plain() {
            return Err(not_plain);
        }
        let found = walk.step(&last.name);
        Ok(Side { directory: walk.here, last, found })
    }
}

/// What a renaming may never do, whoever asks: make a directory its own descendant, treat a file as a directory.
fn check_shape(
    old: &Side<'_>,
    new: &Side<'_>,
    moved: &Rc<Location>,
    target: Option<&Rc<Location>>,
    flags: RenameFlags,
) -> Result<()> {
    let exchange = flags.contains(RenameFlags::EXCHANGE);
    let is_directory = moved.inode().is_directory();
    if !is_directory && (old.last.slash || (new.last.slash && !exchange)) {
        return Err(Errno::ENOTDIR);
    }
    if exchange && new.last.slash && target.is_some_and(|target| !target.inode().is_directory()) {
        return Err(Errno::ENOTDIR);
    }
    if new.directory.is_within(moved) {
        return Err(Errno::EINVAL);
    }
    if target.is_some_and(|target| old.directory.is_within(target)) {
        return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
    }
    if moved.is_mount_root() || target.is_some_and(|target| target.is_mount_root()) {
        return Err(Errno::EBUSY);
    }
    Ok(())
}

/// May it leave its directory? A directory that gets another parent must be writable itself, for its `..`.
fn check_move(caller: &Caller, from: &Rc<Location>, moved: &Rc<Location>, to: &Rc<Location>) -> Result<()> {
    from.inode().check_remove(&caller.credentials, moved.inode())?;
    if moved.inode().is_directory() && !Rc::ptr_eq(from.inode(), to.inode()) {
        moved.inode().check(&caller.credentials, Access::WRITE)?;
    }
    Ok(())
}

fn check_replace(moved: &Rc<Location>, target: &Rc<Location>) -> Result<()> {
    match (moved.inode().is_directory(), target.inode().directory()) {
        (true, Err(error)) => Err(error),
        (false, Ok(_)) => Err(Errno::EISDIR),
        (true, Ok(names)) if !names.is_empty() => Err(Errno::ENOTEMPTY),
        _ => Ok(()),
    }
}

fn move_over(old: &Side<'_>, moved: &Rc<Location>, new: &Side<'_>, target: Option<&Rc<Location>>) -> Result<()> {
    let names = old.directory.inode().directory()?;
    new.directory.inode().directory()?.insert(&new.last.name, moved.inode().clone())?;
    names.remove(&old.last.name)?;
    if let Some(target) = target {
        new.directory.forget(&new.last.name);
        let left = if target.inode().is_directory() { 0 } else { target.inode().links().saturating_sub(1) };
        target.inode().set_links(left);
        target.inode().stamp_changed();
        if target.inode().is_directory() {
            add_links(new.directory.inode(), -1);
        }
    }
    moved.move_to(&new.directory, &new.last.name);
    if moved.inode().is_directory() {
        add_links(old.directory.inode(), -1);
        add_links(new.directory.inode(), 1);
    }
    stamp(old, moved, new);
    tell_move(old, moved.inode(), new);
    if let Some(target) = target {
        inotify::tell_self(target.inode(), Mask::ATTRIBUTES);
    }
    inotify::tell_self(moved.inode(), Mask::MOVE_SELF);
    Ok(())
}

/// Both halves of a move, joined by a cookie.
fn tell_move(from: &Side<'_>, inode: &Inode, to: &Side<'_>) {
    let cookie = inode.filesystem.cookie();
    inotify::tell_name(from.directory.inode(), inode, &from.last.name, Mask::MOVED_FROM, cookie);
    inotify::tell_name(to.directory.inode(), inode, &to.last.name, Mask::MOVED_TO, cookie);
}

fn exchange(old: &Side<'_>, moved: &Rc<Location>, new: &Side<'_>, target: &Rc<Location>) -> Result<()> {
    old.directory.inode().directory()?.insert(&old.last.name, target.inode().clone())?;
    new.directory.inode().directory()?.insert(&new.last.name, moved.inode().clone())?;
    moved.exchange(target);
    let change = i32::from(moved.inode().is_directory()) - i32::from(target.inode().is_directory());
    add_links(old.directory.inode(), -change);
    add_links(new.directory.inode(), change);
    target.inode().stamp_changed();
    stamp(old, moved, new);
    tell_move(old, moved.inode(), new);
    inotify::tell_self(moved.inode(), Mask::MOVE_SELF);
    tell_move(new, target.inode(), old);
    inotify::tell_self(target.inode(), Mask::MOVE_SELF);
    Ok(())
}

fn add_links(inode: &Inode, change: i32) {
    inode.set_links(inode.links().saturating_add_signed(change));
}

fn stamp(old: &Side<'_>, moved: &Rc<Location>, new: &Side<'_>) {
    moved.inode().stamp_changed();
    old.directory.inode().stamp_modified();
    new.directory.inode().stamp_modified();
}
