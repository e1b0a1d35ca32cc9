//! devpts: the names in /dev/pts, which come and go with the pairs.

use alloc::format;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;

use super::PseudoTerminals;
use crate::inode::{Directory, FIRST_COOKIE, Inode, Kind, Listed, Template};
use crate::{Errno, Result};

/// The root directory. The pairs own it by way of the mount, so it only knows them weakly.
pub(super) struct Names(pub(super) Weak<PseudoTerminals>);

impl Directory for Names {
    fn lookup(&self, name: &[u8]) -> Result<Rc<Inode>> {
        let all = self.0.upgrade().ok_or(Errno::ENOENT)?;
        if name == b"ptmx" {
            return all.multiplexer.borrow().clone().ok_or(Errno::ENOENT);
        }
        let number = core::str::from_utf8(name).ok().and_then(|name| name.parse::<u32>().ok());
        // "01" and "+1" are numbers, but nobody's name.
        let number = number.filter(|number| format!("{number}").as_bytes() == name);
        let pair = number.and_then(|number| all.find(number)).ok_or(Errno::ENOENT)?;
        Ok(pair.inode.clone())
    }

    fn list(&self, after: u64, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        let Some(all) = self.0.upgrade() else { return Ok(()) };
        let mut names: Vec<(u64, Vec<u8>)> = Vec::from([(FIRST_COOKIE, b"ptmx".to_vec())]);
        for &number in all.pairs.borrow().keys() {
            names.push((FIRST_COOKIE + 1 + u64::from(number), format!("{number}").into_bytes()));
        }
        for (cookie, name) in names.into_iter().filter(|(cookie, _)| *cookie > after) {
            let Ok(inode) = self.lookup(&name) else { continue };
            if !emit(&Listed { name: &name, number: inode.number, kind: Kind::CharacterDevice, cookie }) {
                break;
            }
        }
        Ok(())
    }

    fn new_inode(&self, _: Template) -> Result<Rc<Inode>> {
        Err(Errno::EPERM)
    }
}
