//! A directory in memory: names in the order of their making, found by a tree.

use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use core::cell::{Cell, RefCell};

use crate::inode::{Body, Directory, FIRST_COOKIE, Filesystem, Inode, Listed, Template, TemplateBody};
use crate::page::Contents;
use crate::pipe::Pipe;
use crate::{Errno, Result};

pub(super) struct TmpDirectory {
    filesystem: Weak<Filesystem>,
    names: RefCell<BTreeMap<Rc<[u8]>, Entry>>,
    cookies: RefCell<BTreeMap<u64, Named>>,
    next_cookie: Cell<u64>,
}

/// A cookie, and what has the name.
type Entry = (u64, Rc<Inode>);

/// What a cookie stands for.
type Named = (Rc<[u8]>, Rc<Inode>);

impl TmpDirectory {
    pub(super) fn new(filesystem: &Rc<Filesystem>) -> Self {
        TmpDirectory {
            filesystem: Rc::downgrade(filesystem),
            names: RefCell::default(),
            cookies: RefCell::default(),
            next_cookie: Cell::new(FIRST_COOKIE),
        }
    }
}

impl Directory for TmpDirectory {
    fn lookup(&self, name: &[u8]) -> Result<Rc<Inode>> {
        self.names.borrow().get(name).map(|(_, inode)| inode.clone()).ok_or(Errno::ENOENT)
    }

    fn list(&self, after: u64, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        for (&cookie, (name, inode)) in self.cookies.borrow().range(after.saturating_add(1)..) {
            if !emit(&Listed { name, number: inode.number, kind: inode.kind(), cookie }) {
                break;
            }
        }
        Ok(())
    }

    fn new_inode(&self, template: Template) -> Result<Rc<Inode>> {
        let filesystem = self.filesystem.upgrade().ok_or(Errno::ENOENT)?;
        filesystem.check_room()?;
        let body = match template.body {
            TemplateBody::Regular => Body::Regular(Contents::new(filesystem.store.clone())),
            TemplateBody::Directory => Body::Directory(alloc::boxed::Box::new(TmpDirectory::new(&filesystem))),
            TemplateBody::Symlink(text) => Body::Symlink(text),
            TemplateBody::Fifo => Body::Fifo(Pipe::new()),
            TemplateBody::Device { number, block } => Body::Device { number, block },
            TemplateBody::Socket => Body::Socket(RefCell::new(None)),
        };
        Ok(Inode::new(&filesystem, body, template.permissions, template.user, template.group))
    }

    fn insert(&self, name: &[u8], inode: Rc<Inode>) -> Result<()> {
        let mut names = self.names.borrow_mut();
        if let Some((cookie, old)) = names.get_mut(name) {
            if let Some((_, listed)) = self.cookies.borrow_mut().get_mut(cookie) {
                *listed = inode.clone();
            }
            *old = inode;
            return Ok(());
        }
        let filesystem = self.filesystem.upgrade().ok_or(Errno::ENOENT)?;
        filesystem.check_room()?;
        filesystem.count_names(1);
        let cookie = self.next_cookie.get();
        self.next_cookie.set(cookie + 1);
        let name: Rc<[u8]> = name.into();
        names.insert(name.clone(), (cookie, inode.clone()));
        self.cookies.borrow_mut().insert(cookie, (name, inode));
        Ok(())
    }

    fn remove(&self, name: &[u8]) -> Result<Rc<Inode>> {
        let (cookie, inode) = self.names.borrow_mut().remove(name).ok_or(Errno::ENOENT)?;
        self.cookies.borrow_mut().remove(&cookie);
        if let Some(filesystem) = self.filesystem.upgrade() {
            filesystem.count_names(-1);
        }
        Ok(inode)
    }

    fn is_empty(&self) -> bool {
        self.names.borrow().is_empty()
    }
}
