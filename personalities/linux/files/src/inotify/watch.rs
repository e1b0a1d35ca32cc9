//! Watches, and how what happens reaches them.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::{Inotify, Load, Mask};
use crate::inode::{Filesystem, Inode};
use crate::vfs::Location;

/// Watches that there are, of all instances: mostly none, and then nothing that happens needs a look at who might hear of it.
static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// One inode's place in one instance.
pub(super) struct Watch {
    owner: Weak<Inotify>,
    pub(super) number: i32,
    /// Weak: a watch doesn't keep a removed file, or its end could not be told.
    inode: Weak<Inode>,
    filesystem: Rc<Filesystem>,
    mask: Cell<Mask>,
    load: Rc<Load>,
}

impl Watch {
    pub(super) fn new(owner: &Weak<Inotify>, load: &Rc<Load>, number: i32, inode: &Rc<Inode>, mask: Mask) -> Rc<Self> {
        WATCHES.fetch_add(1, Ordering::Relaxed);
        load.watches.set(load.watches.get() + 1);
        let load = load.clone();
        let filesystem = inode.filesystem.clone();
        filesystem.add_watch();
        let mask = Cell::new(mask);
        let owner = owner.clone();
        let watch = Rc::new(Watch { owner, number, inode: Rc::downgrade(inode), filesystem, mask, load });
        inode.watches.0.borrow_mut().push(Rc::downgrade(&watch));
        watch.filesystem.watched.borrow_mut().push(Rc::downgrade(inode));
        watch
    }

    pub(super) fn change(&self, mask: Mask) {
        let old = if mask.contains(Mask::ADD_TO_MASK) { self.mask.get() } else { Mask::empty() };
        self.mask.set(old | mask);
    }

    /// It hears nothing more.
    pub(super) fn detach(&self) {
        self.mask.set(Mask::empty());
        if let Some(inode) = self.inode.upgrade() {
            inode
                .watches
                .0
                .borrow_mut()
                .retain(|watch| watch.strong_count() > 0 && !core::ptr::eq(watch.as_ptr(), self));
        }
    }

    fn hear(&self, mask: Mask, cookie: u32, name: &[u8]) {
        let Some(owner) = self.owner.upgrade() else { return };
        let wanted = self.mask.get() | Mask::ALWAYS;
        if self.mask.get().is_empty() || !wanted.intersects(mask - Mask::IS_DIRECTORY) {
            return;
        }
        owner.put(self.number, mask, cookie, name);
        if self.mask.get().contains(Mask::ONE_SHOT) {
            self.end(&owner);
        }
    }

    fn end(&self, owner: &Inotify) {
        // Whoever removes it first tells.
        let _ = owner.remove(self.number);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Ordering::Relaxed);
        self.load.watches.set(self.load.watches.get() - 1);
        self.filesystem.remove_watch();
        // Cleared now and then, so that the list isn't much longer than there are watches.
        let mut watched = self.filesystem.watched.borrow_mut();
        if watched.len() > 16 + 2 * self.filesystem.watches.get() as usize {
            watched.retain(|inode| inode.upgrade().is_some_and(|inode| !inode.watches.all().is_empty()));
        }
    }
}

/// The watches of an inode.
#[derive(Default)]
pub(crate) struct Watches(RefCell<Vec<Weak<Watch>>>);

impl Watches {
    pub(super) fn of(&self, owner: &Weak<Inotify>) -> Option<Rc<Watch>> {
        self.all().into_iter().find(|watch| Weak::ptr_eq(&watch.owner, owner))
    }

    fn all(&self) -> Vec<Rc<Watch>> {
        self.0.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    fn hear(&self, mask: Mask, cookie: u32, name: &[u8]) {
        self.all().iter().for_each(|watch| watch.hear(mask, cookie, name));
    }

    /// The inode is gone; `removed` says that it had lost its last name.
    pub(crate) fn inode_dropped(&self, removed: bool) {
        for watch in self.all() {
            if removed {
                watch.hear(Mask::DELETE_SELF, 0, b"");
            }
            watch.owner.upgrade().iter().for_each(|owner| watch.end(owner));
        }
    }

    /// The file system is gone.
    pub(crate) fn unmounted(&self) {
        for watch in self.all() {
            watch.hear(Mask::UNMOUNT, 0, b"");
            watch.owner.upgrade().iter().for_each(|owner| watch.end(owner));
        }
    }
}

/// Something happened to what is at `location`: tells the directory, with the name, and the file.
#[inline]
pub(crate) fn tell(location: &Location, mask: Mask) {
    if WATCHES.load(Ordering::Relaxed) > 0 {
        tell_both(location, mask);
    }
}

fn tell_both(location: &Location, mask: Mask) {
    let inode = location.inode();
    let parent = location.parent().filter(|_| !location.is_mount_root());
    let above = parent.as_ref().is_some_and(|parent| parent.inode().filesystem.watches.get() > 0);
    if inode.filesystem.watches.get() == 0 && !above {
        return;
    }
    let mask = mask | kind(inode);
    if let (Some(parent), Some(name)) = (parent, location.name()) {
        let removed = location.is_removed();
        for watch in parent.inode().watches.all() {
            if !(removed && watch.mask.get().contains(Mask::EXCLUDE_UNLINKED)) {
                watch.hear(mask, 0, &name);
            }
        }
    }
    inode.watches.hear(mask, 0, b"");
}

/// Something happened to a name in a directory; `inode` has or had it.
pub(crate) fn tell_name(directory: &Inode, inode: &Inode, name: &[u8], mask: Mask, cookie: u32) {
    if directory.filesystem.watches.get() > 0 {
        directory.watches.hear(mask | kind(inode), cookie, name);
    }
}

/// A name is gone from a directory, and with it perhaps the file, which then tells of its end first.
pub(crate) fn tell_removed(directory: &Inode, removed: Rc<Location>, name: &[u8]) {
    let kind = kind(removed.inode());
    drop(removed);
    if directory.filesystem.watches.get() > 0 {
        directory.watches.hear(Mask::DELETE | kind, 0, name);
    }
}

/// Something happened to a file that only its own watches hear.
pub(crate) fn tell_self(inode: &Inode, mask: Mask) {
    if inode.filesystem.watches.get() > 0 {
        inode.watches.hear(mask, 0, b"");
    }
}

fn kind(inode: &Inode) -> Mask {
    if inode.is_directory() { Mask::IS_DIRECTORY } else { Mask::empty() }
}
