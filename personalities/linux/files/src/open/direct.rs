//! Reads and writes that are over at once: of what is in a file's pages ([`crate::page::Part`]), without a [`super::File`] and a sink or a source in
//! between. They do what [`OpenFile::try_read_at`] and [`OpenFile::try_write_at`] do, or nothing that those wouldn't do again.

use super::traits::Traits;
use super::{OpenFile, OpenFlags};
use crate::page::{Page, Part};

impl OpenFile {
    /// pread(2) of at most `length` bytes, which `copy` takes from pages. `None`: by the long way, which also tells of errors. `copy` doesn't come
    /// back to any file.
    #[inline(always)]
    pub fn read_pages(&self, offset: u64, length: usize, copy: impl FnMut(&dyn Page, Part) -> bool) -> Option<usize> {
        if !self.traits.contains(Traits::READS_PAGES) {
            return None;
        }
        let count = self.inode().contents()?.read_pages(offset, length, copy)?;
        self.has_been_read(count);
        Some(count)
    }

    /// pwrite(2) of `length` bytes, which `copy` puts into pages; `size_limit` is RLIMIT_FSIZE. `None`: by the long way.
    #[inline(always)]
    pub fn write_pages(
        &self,
        offset: u64,
        length: usize,
        size_limit: Option<u64>,
        copy: impl FnMut(&dyn Page, Part) -> bool,
    ) -> Option<usize> {
        if !self.traits.contains(Traits::WRITES_PAGES) || self.flags().contains(OpenFlags::APPEND) || length == 0 {
            return None;
        }
        let end = offset.checked_add(length as u64)?;
        if size_limit.is_some_and(|limit| end > limit) || self.inode().has_seals() {
            return None;
        }
        let count = self.inode().contents()?.write_pages(offset, length, copy)?;
        self.was_written();
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, get, put};
    use core::time::Duration;

    /// All that a read or a write by pages can be told from by the file itself.
    fn times(file: &OpenFile) -> [i64; 3] {
        let metadata = file.metadata();
        [metadata.accessed, metadata.modified, metadata.changed].map(|time| time.seconds)
    }

    #[test]
    fn pages_are_read_and_written_as_files_are() {
        let world = World::new();
        let file = world.open("/file", OpenFlags::READ_WRITE | OpenFlags::CREATE).unwrap();
        put(&file, b"0123456789").unwrap();
        let start = times(&file)[0];
        world.clock.advance(Duration::from_secs(10));
        let mut seen = [0; 4];
        let read = file.read_pages(3, 4, |page, part| {
            page.read(part.within, &mut seen[part.done..part.done + part.length]);
            true
        });
        assert_eq!((read, &seen), (Some(4), b"3456"));
        assert_eq!(times(&file), [start + 10, start, start]);
        // Younger than the last change, and not a day old.
        world.clock.advance(Duration::from_secs(10));
        assert_eq!(file.read_pages(10, 4, |_, _| false), Some(0));
        assert_eq!(times(&file), [start + 10, start, start]);
        let written = file.write_pages(8, 4, None, |page, part| {
            page.write(part.within, b"abcd");
            true
        });
        assert_eq!((written, times(&file)), (Some(4), [start + 10, start + 20, start + 20]));
        file.seek(super::super::Whence::Start, 0).unwrap();
        assert_eq!(get(&file, 20).unwrap(), b"01234567abcd");
    }

    #[test]
    fn what_may_not_be_is_left_to_the_long_way() {
        let world = World::new();
        let open = |flags| world.open("/file", flags | OpenFlags::CREATE).unwrap();
        let (reader, writer) = (open(OpenFlags::empty()), open(OpenFlags::WRITE_ONLY));
        let (appender, path) = (open(OpenFlags::READ_WRITE | OpenFlags::APPEND), open(OpenFlags::PATH));
        put(&writer, b"abc").unwrap();
        let nothing = |_: &dyn Page, _| panic!("nothing is to be copied");
        assert_eq!(writer.read_pages(0, 1, nothing), None);
        assert_eq!(path.read_pages(0, 1, nothing), None);
        assert_eq!(reader.read_pages(4, 1, nothing), None);
        for file in [&reader, &appender, &path] {
            assert_eq!(file.write_pages(0, 1, None, nothing), None);
        }
        assert_eq!(writer.write_pages(0, 3, Some(2), nothing), None);
        assert_eq!(writer.write_pages(u64::MAX, 1, None, nothing), None);
        assert_eq!(writer.write_pages(i64::MAX as u64, 1, None, nothing), None);
        // A file that may not be written any more.
        let memory = crate::memfd::create(&world.filesystem, &world.caller, b"m", 2).unwrap();
        put(&memory, b"abc").unwrap();
        assert_eq!(memory.write_pages(0, 1, None, |_, _| true), Some(1));
        memory.add_seals(8).unwrap();
        assert_eq!(memory.write_pages(0, 1, None, nothing), None);
        assert_eq!(memory.read_pages(0, 1, |_, _| true), Some(1));
    }

    #[test]
    fn a_file_that_was_cut_has_no_pages_behind_its_end() {
        let world = World::new();
        let (one, two) = (
            world.open("/file", OpenFlags::READ_WRITE | OpenFlags::CREATE).unwrap(),
            world.open("/file", OpenFlags::READ_WRITE).unwrap(),
        );
        put(&one, &[7; 9000]).unwrap();
        assert_eq!(two.read_pages(8192, 4096, |_, _| true), Some(808));
        one.truncate(4096).unwrap();
        assert_eq!(two.read_pages(8192, 4096, |_, _| true), None);
        assert_eq!(two.read_pages(0, 8192, |_, part| part.length == 4096), Some(4096));
        one.truncate(9000).unwrap();
        // A hole: the long way.
        assert_eq!(two.read_pages(4096, 4096, |_, _| true), None);
    }
}
