//! Locations: an inode seen under one of its names (Linux's dentry and mount in one).
//!
//! A location knows its directory and its name in it, so `..`, getcwd(2) and /proc/PID/exe need no search, and an open file keeps
//! its name through renames. Every live location is known to its parent by a weak reference, so the same name always
//! leads to the same location while anybody holds it. Parents are held by children and never the other way round:
//! no cycles, except where a mount covers a directory, which unmounting undoes.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::Restrictions;
use super::recent::{RecentPlace, is_same_name};
use crate::Result;
use crate::inode::Inode;

/// A place in the tree of names.
pub struct Location {
    inode: Rc<Inode>,
    link: RefCell<Link>,
    /// Live locations in this directory.
    children: RefCell<BTreeMap<Box<[u8]>, Weak<Location>>>,
    /// The root of what is mounted here.
    covered_by: RefCell<Option<Rc<Location>>>,
    /// Of the mount whose root it is.
    restrictions: Cell<Restrictions>,
    pub(super) recent: RecentPlace,
}

/// How a location hangs in the tree.
enum Link {
    /// Under a name in a directory.
    Name { parent: Rc<Location>, name: Box<[u8]> },
    /// It had this name, and lost it.
    Removed { parent: Rc<Location>, name: Box<[u8]> },
    /// The root of a mount, and what it covers.
    Root { covers: Option<Rc<Location>> },
    /// Never had a name; a label for /proc/self/fd.
    Detached { label: Box<[u8]> },
}

impl Location {
    /// The root of a mount.
    pub(super) fn mounted(inode: Rc<Inode>, covers: Option<Rc<Location>>) -> Rc<Self> {
        Self::with_link(inode, Link::Root { covers })
    }

    /// Something without a name: a pipe (`pipe:[17]`), an eventfd.
    pub fn detached(inode: Rc<Inode>, label: &[u8]) -> Rc<Self> {
        Self::with_link(inode, Link::Detached { label: label.into() })
    }

    fn with_link(inode: Rc<Inode>, link: Link) -> Rc<Self> {
        Rc::new(Location {
            inode,
            link: RefCell::new(link),
            children: RefCell::default(),
            covered_by: RefCell::default(),
            restrictions: Cell::default(),
            recent: RecentPlace::default(),
        })
    }

    pub fn inode(&self) -> &Rc<Inode> {
        &self.inode
    }

    /// The directory it is in, across mounts; `None` at the root of all and for what has no name.
    pub fn parent(&self) -> Option<Rc<Location>> {
        match &*self.link.borrow() {
            Link::Name { parent, .. } | Link::Removed { parent, .. } => Some(parent.clone()),
            Link::Root { covers: Some(covers) } => covers.parent(),
            Link::Root { covers: None } | Link::Detached { .. } => None,
        }
    }

    /// Its name in its directory.
    pub fn name(&self) -> Option<Vec<u8>> {
        match &*self.link.borrow() {
            Link::Name { name, .. } | Link::Removed { name, .. } => Some(name.to_vec()),
            Link::Root { covers: Some(covers) } => covers.name(),
            _ => None,
        }
    }

    /// Its last name has been removed (or it never had one).
    pub fn is_removed(&self) -> bool {
        matches!(&*self.link.borrow(), Link::Removed { .. })
    }

    /// Has it a place in the tree, or had it one?
    pub fn is_detached(&self) -> bool {
        matches!(&*self.link.borrow(), Link::Detached { .. })
    }

    /// A root of a mount?
    pub fn is_mount_root(&self) -> bool {
        matches!(&*self.link.borrow(), Link::Root { .. })
    }

    /// The root of the mount that it is in; itself if it is in none.
    pub fn mount(self: &Rc<Self>) -> Rc<Location> {
        let mut here = self.clone();
        while let Some(directory) = here.directory() {
            here = directory;
        }
        here
    }

    /// The directory that it is or was in, of the same mount.
    #[inline]
    fn directory(&self) -> Option<Rc<Location>> {
        match &*self.link.borrow() {
            Link::Name { parent, .. } | Link::Removed { parent, .. } => Some(parent.clone()),
            Link::Root { .. } | Link::Detached { .. } => None,
        }
    }

    /// See [`Location::restrictions`].
    pub(super) fn look_up_restrictions(&self) -> Restrictions {
        self.directory().map_or_else(|| self.restrictions.get(), |directory| directory.mount().restrictions.get())
    }

    pub(super) fn set_restrictions(&self, restrictions: Restrictions) {
        self.restrictions.set(restrictions);
    }

    /// Is `self` below `ancestor`, or the same?
    pub fn is_within(self: &Rc<Self>, ancestor: &Rc<Location>) -> bool {
        let mut here = Some(self.clone());
        while let Some(location) = here {
            if Rc::ptr_eq(&location, ancestor) {
                return true;
            }
            here = location.parent();
        }
        false
    }

    /// The path from `root`, as /proc shows it: " (deleted)" after the name of what is gone, "(unreachable)" before what isn't
    /// below `root`, the label of what has no name.
    pub fn path(self: &Rc<Self>, root: &Rc<Location>) -> Vec<u8> {
        if let Link::Detached { label } = &*self.link.borrow() {
            return label.to_vec();
        }
        let (mut path, reachable) = self.names_from(root);
        if !reachable {
            path.splice(0..0, *b"(unreachable)");
        }
        if self.is_removed() {
            path.extend_from_slice(b" (deleted)");
        }
        path
    }

    /// getcwd(2): `ENOENT` if the directory has been removed; "(unreachable)" before a path that doesn't begin at `root`.
    pub fn working_directory_path(self: &Rc<Self>, root: &Rc<Location>) -> Result<Vec<u8>> {
        if self.is_removed() { Err(crate::Errno::ENOENT) } else { Ok(self.path(root)) }
    }

    fn names_from(self: &Rc<Self>, root: &Rc<Location>) -> (Vec<u8>, bool) {
        let mut names = Vec::new();
        let mut here = self.clone();
        let reachable = loop {
            if Rc::ptr_eq(&here, root) {
                break true;
            }
            match (here.name(), here.parent()) {
                (Some(name), Some(parent)) => {
                    names.push(name);
                    here = parent;
                }
                _ => break false,
            }
        };
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        (path, reachable)
    }

    /// What covers this place, all the way up; itself if nothing does.
    pub(super) fn top(self: &Rc<Self>) -> Rc<Location> {
        let mut here = self.clone();
        loop {
            let Some(above) = here.covered_by.borrow().clone() else { break };
            here = above;
        }
        here
    }

    /// The same, giving this handle up.
    #[inline]
    pub(super) fn into_top(self: Rc<Self>) -> Rc<Location> {
        if self.is_covered() { self.top() } else { self }
    }

    /// Is something mounted here?
    #[inline]
    pub fn is_covered(&self) -> bool {
        self.covered_by.borrow().is_some()
    }

    pub(super) fn cover(&self, with: Option<Rc<Location>>) {
        *self.covered_by.borrow_mut() = with;
    }

    /// The root of a mount leaves what it covers: it is the root of a tree of its own then.
    pub(super) fn uncover(self: &Rc<Self>) {
        let old = self.link.replace(Link::Root { covers: None });
        if let Link::Root { covers: Some(covers) } = old {
            covers.cover(None);
        }
    }

    /// The root of a mount that covers nothing covers this place.
    pub(super) fn cover_place(self: &Rc<Self>, place: &Rc<Location>) {
        *self.link.borrow_mut() = Link::Root { covers: Some(place.clone()) };
        place.cover(Some(self.clone()));
    }

    /// Whether this is its name now, in this directory.
    #[inline]
    pub(super) fn is_named(&self, directory: &Rc<Location>, name: &[u8]) -> bool {
        match &*self.link.borrow() {
            Link::Name { parent, name: own } => Rc::ptr_eq(parent, directory) && is_same_name(own, name),
            _ => false,
        }
    }

    /// The location that a live holder already has of a name in this directory.
    pub(super) fn child(&self, name: &[u8]) -> Option<Rc<Location>> {
        self.children.borrow().get(name)?.upgrade()
    }

    /// The location of `inode` under `name` here, made or found.
    pub(crate) fn adopt(self: &Rc<Self>, name: &[u8], inode: Rc<Inode>) -> Rc<Location> {
        if let Some(known) = self.child(name).filter(|known| Rc::ptr_eq(known.inode(), &inode)) {
            return known;
        }
        let child = Self::with_link(inode, Link::Name { parent: self.clone(), name: name.into() });
        self.children.borrow_mut().insert(name.into(), Rc::downgrade(&child));
        child
    }

    /// A file made without a name in this directory (O_TMPFILE): shown as "/tmp/#17 (deleted)".
    pub(super) fn nameless(self: &Rc<Self>, inode: Rc<Inode>) -> Rc<Location> {
        let name = alloc::format!("#{}", inode.number).into_bytes().into_boxed_slice();
        Self::with_link(inode, Link::Removed { parent: self.clone(), name })
    }

    /// `name` is gone from this directory.
    pub(super) fn forget(self: &Rc<Self>, name: &[u8]) {
        let child = self.children.borrow_mut().remove(name);
        if let Some(child) = child.and_then(|child| child.upgrade()) {
            child.inode.filesystem.recent.forget(&child);
            *child.link.borrow_mut() = Link::Removed { parent: self.clone(), name: name.to_owned().into() };
        }
    }

    /// This location now has another name in another directory.
    pub(super) fn move_to(self: &Rc<Self>, parent: &Rc<Location>, name: &[u8]) {
        let old = self.link.replace(Link::Name { parent: parent.clone(), name: name.into() });
        if let Link::Name { parent, name } = old {
            parent.children.borrow_mut().remove(&name);
        }
        parent.children.borrow_mut().insert(name.into(), Rc::downgrade(self));
    }

    /// Two locations swap their places.
    pub(super) fn exchange(self: &Rc<Self>, other: &Rc<Location>) {
        self.link.swap(&other.link);
        for location in [self, other] {
            if let Link::Name { parent, name } = &*location.link.borrow() {
                parent.children.borrow_mut().insert(name.clone(), Rc::downgrade(location));
            }
        }
    }
}

impl Drop for Location {
    fn drop(&mut self) {
        // A program may nest directories as deep as it likes, so parents are let go in a loop and not by recursion.
        let mut parent = self.leave();
        while let Some(mut location) = parent.and_then(Rc::into_inner) {
            parent = location.leave();
        }
    }
}

impl Location {
    /// Dies: takes itself out of its parent's children, and gives the parent's handle back.
    fn leave(&mut self) -> Option<Rc<Location>> {
        let nothing = Link::Detached { label: Box::default() };
        match core::mem::replace(self.link.get_mut(), nothing) {
            Link::Name { parent, name } => {
                let mut children = parent.children.borrow_mut();
                // A newer location may have taken the name over.
                if children.get(&name).is_some_and(|child| child.strong_count() == 0) {
                    children.remove(&name);
                }
                drop(children);
                Some(parent)
            }
            Link::Removed { parent, .. } => Some(parent),
            Link::Root { covers } => covers,
            Link::Detached { .. } => None,
        }
    }
}
