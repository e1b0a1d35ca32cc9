//! Who asks: what a system call's outcome depends on besides its arguments.

use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::terminal::Terminal;
use crate::vfs::Location;

/// The ids that file permission checks look at: the *file system* user and group ids (credentials(7)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    pub user: u32,
    pub group: u32,
    pub supplementary: Vec<u32>,
    /// The file capabilities (capabilities(7): CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, MKNOD) taken together;
    /// true for user 0 unless the server says otherwise.
    pub privileged: bool,
}

impl Credentials {
    pub fn root() -> Self {
        Credentials { user: 0, group: 0, supplementary: Vec::new(), privileged: true }
    }

    pub fn user(user: u32, group: u32) -> Self {
        Credentials { user, group, supplementary: Vec::new(), privileged: user == 0 }
    }

    pub fn in_group(&self, group: u32) -> bool {
        self.group == group || self.supplementary.contains(&group)
    }
}

/// A process as far as files are concerned. The server keeps one per process (or per sharer of CLONE_FS) and lends it.
#[derive(Clone)]
pub struct Caller {
    pub credentials: Credentials,
    /// Mode bits that a new file doesn't get.
    pub umask: u32,
    /// Where absolute paths begin and `..` ends.
    pub root: Rc<Location>,
    /// Where relative paths begin.
    pub working_directory: Rc<Location>,
    /// Process, process group and session ids, for terminals.
    pub process: u32,
    pub process_group: u32,
    pub session: u32,
    /// What /dev/tty opens.
    pub controlling_terminal: Option<Rc<Terminal>>,
}

impl Caller {
    /// A process of user 0 at the root of a tree, umask 022; process, group and session 1.
    pub fn root(root: Rc<Location>) -> Self {
        Caller {
            credentials: Credentials::root(),
            umask: 0o022,
            working_directory: root.clone(),
            root,
            process: 1,
            process_group: 1,
            session: 1,
            controlling_terminal: None,
        }
    }
}
