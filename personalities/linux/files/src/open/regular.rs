//! Regular files: in pages, or made up when opened.
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::{Attempt, File, Whence};
use crate::Result;
use crate::buffer::{Sink, Source};
use crate::inode::Inode;

/// An open regular file of a file system in memory.
pub struct RegularFile {
    inode: Rc<Inode>,
}

impl RegularFile {
    pub fn new(inode: Rc<Inode>) -> Self {
        RegularFile { inode }
    }
}

impl File for RegularFile {}

/// A file whose bytes were made when it was opened (/proc/meminfo).
pub struct GeneratedFile {
    bytes: Vec<u8>,
}

impl GeneratedFile {
    pub fn new(bytes: Vec<u8>) -> Self {
        GeneratedFile { bytes }
    }
}

impl File for GeneratedFile {}
