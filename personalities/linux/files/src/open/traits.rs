//! What an open file is like, asked once when it is opened: reads and writes need it each time.

use bitflags::bitflags;

use super::{File, OpenFlags, Plain};
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
        /// A terminal, a socket or a pipe, which aren't read and written like all others.
        const SPECIAL = 8;
        /// A regular file in pages that is open for reading, and for writing.
        const READS_PAGES = 16;
        const WRITES_PAGES = 32;
        /// [`File::seeks_plainly`], and it isn't O_PATH.
        const SEEKS_PLAINLY = 64;
    }
}

impl Traits {
    pub(super) fn of(file: &dyn File, inode: &Inode, flags: OpenFlags) -> Self {
        let is_special = file.terminal().is_some() || matches!(inode.body, Body::Socket(_) | Body::Fifo(_));
        let in_pages = inode.contents().is_some() && !flags.contains(OpenFlags::PATH);
        let all = [
            (Traits::PATH, flags.contains(OpenFlags::PATH)),
            (Traits::SEEKABLE, file.is_seekable()),
            (Traits::KEEPS_TIMES, file.keeps_times()),
            (Traits::SPECIAL, is_special),
            (Traits::READS_PAGES, in_pages && flags.readable()),
            (Traits::WRITES_PAGES, in_pages && flags.writable()),
            (Traits::SEEKS_PLAINLY, file.seeks_plainly() && !flags.contains(OpenFlags::PATH)),
        ];
        all.into_iter().filter(|(_, holds)| *holds).map(|(one, _)| one).collect()
    }

    /// How such a file is read and written, if that needs nothing else: see [`super::OpenFile::plain`].
    pub(super) fn plain(self, file: &dyn File, inode: &Inode, flags: OpenFlags) -> Plain {
        if self.intersects(Traits::KEEPS_TIMES | Traits::PATH) || !inode.filesystem.tells_of_watches() {
            return Plain::empty();
        }
        let mut plain = file.plain();
        if !flags.readable() {
            plain -= Plain::READS;
        }
        if !flags.writable() {
            plain -= Plain::DISCARDS;
        }
        plain
    }
}
