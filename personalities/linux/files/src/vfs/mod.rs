//! The tree of names: mounts, path lookup, and the system calls that take paths.
//!
//! One file per family of calls: [`lookup`](Vfs::lookup) walks (`recent` spares it steps), `opening` opens, `naming` and `renaming` make and
//! remove names, `changing` changes attributes. Each call takes the [`Caller`](crate::caller::Caller) and does every permission check that its manual page names, so that the
//! server only fetches arguments and encodes results.

mod changing;
mod location;
mod lookup;
mod mounting;
mod naming;
mod opening;
mod recent;
mod renaming;
mod restriction;
mod statistics;
#[cfg(test)]
mod tests;

pub use location::Location;
pub use lookup::{At, Follow, Resolve};
pub use mounting::UnmountFlags;
pub use naming::NodeKind;
pub(crate) use recent::RecentLocations;
pub use renaming::RenameFlags;
pub use restriction::Restrictions;
pub use statistics::{Mount, Statistics};

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::inode::{Inode, Openable};
use crate::{Errno, Result};

/// Bytes in a path, the terminating zero included.
pub const PATH_MAX: usize = 4096;
/// Bytes in one name.
pub const NAME_MAX: usize = 255;

/// All mounts, seen as one tree.
pub struct Vfs {
    root: RefCell<Rc<Location>>,
    mounts: RefCell<Vec<Rc<Location>>>,
    /// By (is a block device, number).
    devices: RefCell<BTreeMap<(bool, u64), Rc<dyn Openable>>>,
    /// The same for all character devices of a major number.
    drivers: RefCell<BTreeMap<u32, Rc<dyn Openable>>>,
}

impl Vfs {
    /// A tree whose root is a directory of some file system.
    pub fn new(root: Rc<Inode>) -> Self {
        let root = Location::mounted(root, None);
        Vfs {
            mounts: RefCell::new(Vec::from([root.clone()])),
            root: RefCell::new(root),
            devices: RefCell::default(),
            drivers: RefCell::default(),
        }
    }

    pub fn root(&self) -> Rc<Location> {
        self.root.borrow().clone()
    }

    /// Covers a directory with the root of a file system, whose place is returned. `ENOTDIR` if either is no directory.
    pub fn mount(&self, place: &Rc<Location>, root: Rc<Inode>) -> Result<Rc<Location>> {
        if !place.inode().is_directory() || !root.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        let mounted = Location::mounted(root, Some(place.clone()));
        place.cover(Some(mounted.clone()));
        self.mounts.borrow_mut().push(mounted.clone());
        Ok(mounted)
    }

    /// Says what opens the device nodes of a kind and number. Others answer `ENXIO`.
    pub fn register_device(&self, block: bool, number: u64, device: Rc<dyn Openable>) {
        self.devices.borrow_mut().insert((block, number), device);
    }

    /// Says what opens all character devices of a major number that have nothing of their own.
    pub fn register_driver(&self, major: u32, driver: Rc<dyn Openable>) {
        self.drivers.borrow_mut().insert(major, driver);
    }

    fn device(&self, block: bool, number: u64) -> Result<Rc<dyn Openable>> {
        if let Some(device) = self.devices.borrow().get(&(block, number)) {
            return Ok(device.clone());
        }
        let (major, _) = crate::devfs::split_device_number(number);
        let driver = self.drivers.borrow().get(&major).cloned();
        driver.filter(|_| !block).ok_or(Errno::ENXIO)
    }
}
