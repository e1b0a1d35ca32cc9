//! Inodes: what a name stands for, without the name.
//!
//! One concrete type holds what all inodes have (number, mode, owner, times, number of links); [`Body`] holds what differs.
//! The server builds its own file systems (/proc) from the same type, with bodies that it implements:
//! [`Body::Directory`], [`Body::Link`] and [`Body::Generated`].

mod attributes;
mod permission;

pub use attributes::{Attributes, Kind, Metadata, TimeUpdate, mode};
pub use permission::Access;

use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{Cell, OnceCell, RefCell};

use crate::attribute::ExtendedAttributes;
use crate::caller::Caller;
use crate::clock::{Clock, Timestamp};
use crate::inotify::{Load, Watches};
use crate::lock::Locks;
use crate::memfd::Seals;
use crate::open::{File, OpenFlags};
use crate::page::{Contents, PageStore};
use crate::pipe::Pipe;
use crate::vfs::{Location, RecentLocations};
use crate::{Errno, Result};

/// What all inodes of one file system share.
pub struct Filesystem {
    /// Its type, as /proc/mounts names it ("tmpfs").
    pub name: &'static str,
    /// `f_type` of statfs(2).
    pub magic: u64,
    /// `st_dev` of its inodes.
    pub device: u64,
    /// False if names come and go by themselves (/proc): then every lookup asks the directory again.
    pub stable_names: bool,
    pub clock: Rc<dyn Clock>,
    /// Where regular files' pages come from.
    pub store: Rc<dyn PageStore>,
    next_number: Cell<u64>,
    inodes: Cell<u64>,
    names: Cell<u64>,
    /// What extended attributes cost in all.
    pub(crate) attribute_bytes: Cell<usize>,
    /// How many inotify watches there are on its inodes.
    pub(crate) watches: Cell<u32>,
    /// Told when there are some, and when there are none any more.
    watch_listener: OnceCell<Box<dyn Fn(bool)>>,
    next_cookie: Cell<u32>,
    /// Of all epoll and inotify instances that are files of it: what they keep in the server's memory is bounded together.
    pub(crate) epoll_load: Rc<crate::epoll::Load>,
    pub(crate) inotify_load: Rc<Load>,
    /// Record locks on its inodes.
    pub(crate) lock_records: Rc<Cell<usize>>,
    /// The inodes that have had watches since there were none.
    pub(crate) watched: RefCell<Vec<Weak<Inode>>>,
    /// Parts of it are seen in more than one place, so that names change behind a location's back.
    pub(crate) has_aliases: Cell<bool>,
    /// A mount of it doesn't let everything through, or didn't at some time.
    pub(crate) restricted: Cell<bool>,
    pub(crate) recent: RecentLocations,
}

impl Filesystem {
    pub fn new(
        name: &'static str,
        magic: u64,
        device: u64,
        stable_names: bool,
        clock: Rc<dyn Clock>,
        store: Rc<dyn PageStore>,
    ) -> Rc<Self> {
        let next_number = Cell::new(2);
        Rc::new(Filesystem {
            name,
            magic,
            device,
            stable_names,
            clock,
            store,
            next_number,
            inodes: Cell::new(0),
            names: Cell::new(0),
            attribute_bytes: Cell::default(),
            watches: Cell::default(),
            watch_listener: OnceCell::new(),
            next_cookie: Cell::default(),
            epoll_load: Rc::default(),
            inotify_load: Rc::default(),
            lock_records: Rc::default(),
            watched: RefCell::default(),
            has_aliases: Cell::default(),
            restricted: Cell::default(),
            recent: RecentLocations::default(),
        })
    }

    /// Inodes in use.
    pub fn inodes(&self) -> u64 {
        self.inodes.get()
    }

    /// Charges for one more inode or name, each of which takes server memory: there may be as many of either as there are
    /// pages. `ENOSPC` beyond that.
    pub(crate) fn check_room(&self) -> Result<()> {
        let most = self.store.total();
        let room = self.inodes.get() < most && self.names.get() < most && self.store.takes_names();
        if room { Ok(()) } else { Err(Errno::ENOSPC) }
    }

    /// Is the inode of a name the same as long as a location has it?
    pub(crate) fn names_last(&self) -> bool {
        self.stable_names && !self.has_aliases.get()
    }

    /// Calls a function whenever inotify watches begin to be, and when they no longer are; now, if there are some already. What
    /// is plain to read and write ([`OpenFile::plain`](crate::open::OpenFile::plain)) is so only where somebody has asked for this.
    pub fn tell_of_watches(&self, listener: Box<dyn Fn(bool)>) {
        if self.watches.get() > 0 {
            listener(true);
        }
        // Who has asked first is told.
        let _ = self.watch_listener.set(listener);
    }

    pub(crate) fn tells_of_watches(&self) -> bool {
        self.watch_listener.get().is_some()
    }

    /// There is a watch more.
    pub(crate) fn add_watch(&self) {
        self.watches.set(self.watches.get() + 1);
        if let (1, Some(listener)) = (self.watches.get(), self.watch_listener.get()) {
            listener(true);
        }
    }

    /// There is one less.
    pub(crate) fn remove_watch(&self) {
        self.watches.set(self.watches.get() - 1);
        if let (0, Some(listener)) = (self.watches.get(), self.watch_listener.get()) {
            listener(false);
        }
    }

    /// No mount of it is left.
    pub(crate) fn unmounted(&self) {
        self.recent.close();
        let watched = self.watched.take();
        watched.iter().filter_map(Weak::upgrade).for_each(|inode| inode.watches.unmounted());
    }

    /// What joins the two halves of a renaming (inotify(7)); never 0.
    pub(crate) fn cookie(&self) -> u32 {
        let cookie = self.next_cookie.get().wrapping_add(1).max(1);
        self.next_cookie.set(cookie);
        cookie
    }

    /// Names were made (+1) or removed (−1).
    pub(crate) fn count_names(&self, change: i64) {
        self.names.set(self.names.get().saturating_add_signed(change));
    }
}

/// What an inode is.
pub enum Body {
    Regular(Contents),
    Directory(Box<dyn Directory>),
    Symlink(Box<[u8]>),
    /// A symbolic link whose target is found when it is followed: /proc/self, /proc/self/fd/0.
    Link(Box<dyn Link>),
    Fifo(Rc<Pipe>),
    /// A device node: what opens it is looked up by kind and number (see [`crate::vfs::Vfs::register_device`]).
    Device {
        number: u64,
        block: bool,
    },
    /// A socket's name; the server puts the bound socket here.
    Socket(RefCell<Option<Rc<dyn Any>>>),
    /// Looks like a regular file, but its contents are made on opening (/proc).
    Generated(Rc<dyn Openable>),
    /// Has no type at all: eventfd, epoll and their kind.
    Anonymous,
}

/// The names in a directory. `.` and `..` are not among them; the path walk and directory reading supply those.
///
/// Only `lookup` and `list` must be there. A directory whose names can't be changed leaves the others out.
pub trait Directory {
    /// `ENOENT` if there is no such name.
    fn lookup(&self, name: &[u8]) -> Result<Rc<Inode>>;

    /// Calls `emit` for each name whose cookie is greater than `after`, in the order of cookies, until it returns false. A
    /// cookie (at least [`FIRST_COOKIE`]) never changes while the name exists. `emit` doesn't come back to the directory.
    fn list(&self, after: u64, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()>;

    /// Makes an inode in this directory's file system, still without a name.
    fn new_inode(&self, template: Template) -> Result<Rc<Inode>> {
        let _ = template;
        Err(Errno::ENOENT)
    }

    /// Gives an inode a name, in place of whatever had it.
    fn insert(&self, name: &[u8], inode: Rc<Inode>) -> Result<()> {
        let _ = (name, inode);
        Err(Errno::EPERM)
    }

    /// Takes a name away. `ENOENT` if it isn't there.
    fn remove(&self, name: &[u8]) -> Result<Rc<Inode>> {
        let _ = name;
        Err(Errno::EPERM)
    }

    fn is_empty(&self) -> bool {
        false
    }

    /// For the server, to find its own kinds of directory again.
    fn as_any(&self) -> Option<&dyn core::any::Any> {
        None
    }
}

/// The least cookie of a real name; smaller ones belong to `.` and `..`.
pub const FIRST_COOKIE: u64 = 3;

/// One name, as getdents64(2) tells it.
pub struct Listed<'a> {
    pub name: &'a [u8],
    pub number: u64,
    pub kind: Kind,
    /// Where reading goes on after this name.
    pub cookie: u64,
}

/// What a new inode shall be; owner and mode are decided by the caller of [`Directory::new_inode`].
pub struct Template {
    pub body: TemplateBody,
    /// Permission bits (07777).
    pub permissions: u32,
    pub user: u32,
    pub group: u32,
}

/// See [`Template`].
pub enum TemplateBody {
    Regular,
    Directory,
    Symlink(Box<[u8]>),
    Fifo,
    Device { number: u64, block: bool },
    Socket,
}

/// A symbolic link that the server makes up.
pub trait Link {
    /// What readlink(2) returns.
    fn text(&self, caller: &Caller) -> Result<Vec<u8>>;

    /// Where following it leads; by default the text is a path.
    fn target(&self, caller: &Caller) -> Result<Target> {
        self.text(caller).map(Target::Path)
    }
}

/// Where a symbolic link leads.
pub enum Target {
    Path(Vec<u8>),
    /// Straight to an inode, whatever its name is by now (/proc/self/fd/0, /proc/self/exe, /proc/self/root).
    Location(Rc<Location>),
}

/// Something that is opened by code: devices and generated files.
pub trait Openable {
    fn open(&self, request: &OpenRequest<'_>) -> Result<Rc<dyn File>>;

    /// `st_size`; 0 for nearly all.
    fn size(&self) -> u64 {
        0
    }
}

/// An `open` on its way to an [`Openable`].
pub struct OpenRequest<'a> {
    pub caller: &'a Caller,
    pub flags: OpenFlags,
    pub location: &'a Rc<Location>,
}

/// One inode. Attributes are cells: everybody holds shared references.
pub struct Inode {
    pub filesystem: Rc<Filesystem>,
    /// `st_ino`.
    pub number: u64,
    pub body: Body,
    permissions: Cell<u32>,
    user: Cell<u32>,
    group: Cell<u32>,
    links: Cell<u32>,
    /// Made by O_TMPFILE without O_EXCL: may get its first name by link(2).
    linkable: Cell<bool>,
    /// F_SEAL_… (see [`crate::memfd`]).
    pub(crate) seals: Cell<Seals>,
    /// Shared mappings that may be written.
    pub(crate) writable_mappings: Cell<u32>,
    pub(crate) watches: Watches,
    pub(crate) extended_attributes: ExtendedAttributes,
    /// Made when the first lock is asked for.
    pub(crate) locks: RefCell<Option<Rc<Locks>>>,
    accessed: Cell<Timestamp>,
    modified: Cell<Timestamp>,
    changed: Cell<Timestamp>,
    created: Timestamp,
}

impl Inode {
    /// A new inode with the next free number, all times now, and one link (directories: two).
    pub fn new(filesystem: &Rc<Filesystem>, body: Body, permissions: u32, user: u32, group: u32) -> Rc<Self> {
        let number = filesystem.next_number.get();
        filesystem.next_number.set(number + 1);
        Self::numbered(filesystem, number, body, permissions, user, group)
    }

    /// The same with a number of the caller's choice, for file systems whose inodes are made afresh at each lookup.
    pub fn numbered(
        filesystem: &Rc<Filesystem>,
        number: u64,
        body: Body,
        permissions: u32,
        user: u32,
        group: u32,
    ) -> Rc<Self> {
        filesystem.inodes.set(filesystem.inodes.get() + 1);
        let now = filesystem.clock.stamp();
        let links = if matches!(body, Body::Directory(_)) { 2 } else { 1 };
        Rc::new(Inode {
            filesystem: filesystem.clone(),
            number,
            body,
            permissions: Cell::new(permissions & 0o7777),
            user: Cell::new(user),
            group: Cell::new(group),
            links: Cell::new(links),
            linkable: Cell::new(false),
            seals: Cell::new(Seals::SEAL),
            writable_mappings: Cell::default(),
            watches: Watches::default(),
            extended_attributes: ExtendedAttributes::default(),
            locks: RefCell::default(),
            accessed: Cell::new(now),
            modified: Cell::new(now),
            changed: Cell::new(now),
            created: now,
        })
    }

    pub fn kind(&self) -> Kind {
        match &self.body {
            Body::Regular(_) | Body::Generated(_) => Kind::Regular,
            Body::Directory(_) => Kind::Directory,
            Body::Symlink(_) | Body::Link(_) => Kind::Symlink,
            Body::Fifo(_) => Kind::Fifo,
            Body::Device { block: true, .. } => Kind::BlockDevice,
            Body::Device { block: false, .. } => Kind::CharacterDevice,
            Body::Socket(_) => Kind::Socket,
            Body::Anonymous => Kind::Anonymous,
        }
    }

    /// The names in it; `ENOTDIR` if it isn't a directory.
    pub fn directory(&self) -> Result<&dyn Directory> {
        match &self.body {
            Body::Directory(directory) => Ok(&**directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The bytes of a regular file that lives in pages, and so can be mapped.
    pub fn contents(&self) -> Option<&Contents> {
        match &self.body {
            Body::Regular(contents) => Some(contents),
            _ => None,
        }
    }

    pub fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }

    pub fn is_symlink(&self) -> bool {
        matches!(self.body, Body::Symlink(_) | Body::Link(_))
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        self.filesystem.inodes.set(self.filesystem.inodes.get() - 1);
        let attributes = self.filesystem.attribute_bytes.get() - self.extended_attributes.cost();
        self.filesystem.attribute_bytes.set(attributes);
        if self.filesystem.watches.get() > 0 {
            self.watches.inode_dropped(self.links.get() == 0);
        }
    }
}
