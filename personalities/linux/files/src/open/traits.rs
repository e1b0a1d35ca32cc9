//! What an open file is like, asked once when it is opened: reads and writes need it each time.

use bitflags::bitflags;

use super::{File, OpenFlags};
use crate::inode::{Body, Inode};

bitflags! {
    /// What never changes about an open file description.
    #[derive(Clone, Copy)]
    pub(super) struct Traits: u8 {
        /// O_PATH.
        const PATH = 1;
        /// [`File::is_seekable`]
        const SEEKABLE = 2;
        /// [`File::keeps_times`]
        const KEEPS_TIMES = 4;
        /// A terminal or a socket, which aren't read and written like all others.
        const SPECIAL = 8;
        /// [`File::seeks_plainly`], and it isn't O_PATH.
        const SEEKS_PLAINLY = 16;
    }
}

impl Traits {
    pub(super) fn of(file: &dyn File, inode: &Inode, flags: OpenFlags) -> Self {
        let is_special = file.terminal().is_some() || matches!(inode.body, Body::Socket(_));
        let all = [
            (Traits::PATH, flags.contains(OpenFlags::PATH)),
            (Traits::SEEKABLE, file.is_seekable()),
            (Traits::KEEPS_TIMES, file.keeps_times()),
            (Traits::SPECIAL, is_special),
            (Traits::SEEKS_PLAINLY, file.seeks_plainly() && !flags.contains(OpenFlags::PATH)),
        ];
        all.into_iter().filter(|(_, holds)| *holds).map(|(one, _)| one).collect()
    }
}
