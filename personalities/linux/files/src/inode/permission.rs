//! Who may do what with an inode (path_resolution(7), credentials(7)).

use bitflags::bitflags;

use super::{Inode, Kind, mode};
use crate::caller::Credentials;
use crate::{Errno, Result};

bitflags! {
    /// What is asked for; the bits of access(2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Access: u32 {
        const EXECUTE = 1;
        const WRITE = 2;
        const READ = 4;
    }
}

impl Inode {
    /// `EACCES` unless all of `access` is allowed. For directories EXECUTE means search.
    ///
    /// Exactly one class of bits counts: owner, else group, else others. The privileged may all, except execute a file that
    /// nobody may execute.
    pub fn check(&self, credentials: &Credentials, access: Access) -> Result<()> {
        let permissions = self.permissions();
        if credentials.privileged {
            let executable = self.kind() == Kind::Directory || permissions & 0o111 != 0;
            return if access.contains(Access::EXECUTE) && !executable { Err(Errno::EACCES) } else { Ok(()) };
        }
        let class = if credentials.user == self.user() {
            permissions >> 6
        } else if credentials.in_group(self.group()) {
            permissions >> 3
        } else {
            permissions
        };
        if access.bits() & !class == 0 { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Owners and the privileged only (chmod, utimensat): `EPERM` for others.
    pub fn check_owner(&self, credentials: &Credentials) -> Result<()> {
        if credentials.privileged || credentials.user == self.user() { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// May `inode` be removed from or renamed in this directory? Write and search permission, and in a sticky directory
    /// ownership of either: `EACCES`, or `EPERM` for the sticky bit.
    pub fn check_remove(&self, credentials: &Credentials, inode: &Inode) -> Result<()> {
        self.check(credentials, Access::WRITE | Access::EXECUTE)?;
        let sticky = self.permissions() & mode::STICKY != 0;
        if sticky && !credentials.privileged && credentials.user != inode.user() && credentials.user != self.user() {
            return Err(Errno::EPERM);
        }
        Ok(())
    }
}
