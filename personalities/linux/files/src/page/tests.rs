//! Contents of files: sparse pages, images, truncation (truncate(2), fallocate(2), lseek(2)).

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::{Contents, Observer, PAGE_SIZE};
use crate::Errno;
use crate::buffer::{SliceSink, SliceSource};
use crate::testing::TestStore;

const PAGE: u64 = PAGE_SIZE as u64;

fn read(contents: &Contents, offset: u64, most: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; most];
    let count = contents.read(offset, &mut SliceSink::new(&mut bytes)).unwrap();
    bytes.truncate(count);
    bytes
}

fn write(contents: &Contents, offset: u64, bytes: &[u8]) -> crate::Result<usize> {
    contents.write(offset, &mut SliceSource::new(bytes))
}

#[test]
fn a_gap_reads_as_zeros_and_takes_no_memory() {
    let store = TestStore::new(10);
    let contents = Contents::new(store.clone());
    assert_eq!(write(&contents, 3 * PAGE + 5, b"end"), Ok(3));
    assert_eq!(contents.size(), 3 * PAGE + 8);
    assert_eq!(store.used(), 1);
    assert_eq!(read(&contents, 0, PAGE_SIZE), vec![0; PAGE_SIZE]);
    assert_eq!(read(&contents, 3 * PAGE + 3, 100), b"\0\0end");
    assert_eq!(read(&contents, 4 * PAGE, 1), b"");
}

#[test]
fn an_image_is_read_in_place_and_copied_when_written() {
    static IMAGE: [u8; 5000] = [7; 5000];
    let store = TestStore::new(10);
    let contents = Contents::from_image(store.clone(), &IMAGE);
    assert_eq!(read(&contents, 4000, 2000), vec![7; 1000]);
    assert_eq!((store.used(), contents.resident_pages()), (0, 2));
    assert_eq!(write(&contents, 10, b"new"), Ok(3));
    assert_eq!(store.used(), 1);
    assert_eq!(read(&contents, 9, 5), [7, b'n', b'e', b'w', 7]);
    assert_eq!(IMAGE[10], 7);
}

#[test]
fn growing_after_a_cut_shows_zeros_not_old_bytes() {
    static IMAGE: [u8; 5000] = [7; 5000];
    for contents in [Contents::from_image(TestStore::new(10), &IMAGE), Contents::new(TestStore::new(10))] {
        write(&contents, 0, &[7; 5000]).unwrap();
        contents.set_size(4500).unwrap();
        contents.set_size(2 * PAGE).unwrap();
        assert_eq!(read(&contents, 4499, 3), [7, 0, 0]);
        contents.set_size(100).unwrap();
        contents.set_size(300).unwrap();
        assert_eq!(read(&contents, 99, 3), [7, 0, 0]);
    }
}

#[test]
fn bytes_mapped_behind_the_end_never_show_up() {
    let contents = Contents::new(TestStore::new(10));
    write(&contents, 0, b"abc").unwrap();
    contents.page(0, true).unwrap().unwrap().write(3, b"garbage");
    write(&contents, 8, b"x").unwrap();
    assert_eq!(read(&contents, 0, 20), b"abc\0\0\0\0\0x");
}

#[test]
fn a_page_is_shared_with_its_mappings() {
    let contents = Contents::new(TestStore::new(10));
    write(&contents, 0, b"abc").unwrap();
    let page = contents.page(0, false).unwrap().unwrap();
    page.write(1, b"X");
    assert_eq!(read(&contents, 0, 3), b"aXc");
    assert_eq!(contents.page(0, true).unwrap().unwrap().id(), page.id());
}

#[test]
fn holes_and_pages_past_the_end() {
    let contents = Contents::new(TestStore::new(10));
    contents.set_size(PAGE + 1).unwrap();
    assert!(contents.page(1, false).unwrap().is_none());
    assert!(contents.page(1, true).unwrap().is_some());
    assert_eq!(contents.page(2, false).err(), Some(Errno::EFAULT));
}

#[derive(Default)]
struct Log(RefCell<Vec<(&'static str, u64)>>);

impl Observer for Log {
    fn truncated(&self, size: u64) {
        self.0.borrow_mut().push(("truncated", size));
    }

    fn punched(&self, first: u64, _: u64) {
        self.0.borrow_mut().push(("punched", first));
    }

    fn replaced(&self, index: u64) {
        self.0.borrow_mut().push(("replaced", index));
    }
}

#[test]
fn observers_hear_of_cuts_holes_and_filled_holes() {
    let contents = Contents::new(TestStore::new(10));
    let log = Rc::new(Log::default());
    let observer: Rc<dyn Observer> = log.clone();
    contents.observe(&observer);
    contents.set_size(4 * PAGE).unwrap();
    write(&contents, 2 * PAGE, b"x").unwrap();
    contents.punch(2 * PAGE, PAGE).unwrap();
    contents.set_size(PAGE).unwrap();
    assert_eq!(*log.0.borrow(), [("replaced", 2), ("punched", 2), ("truncated", PAGE)]);
    drop((observer, log));
    contents.set_size(0).unwrap();
}

#[test]
fn cut_pages_are_given_back() {
    let store = TestStore::new(10);
    let contents = Contents::new(store.clone());
    write(&contents, 0, &[1; 5 * PAGE_SIZE]).unwrap();
    contents.set_size(PAGE + 1).unwrap();
    assert_eq!(store.used(), 2);
    drop(contents);
    assert_eq!(store.used(), 0);
}

#[test]
fn a_full_store_gives_a_short_write_and_then_enospc() {
    let contents = Contents::new(TestStore::new(2));
    assert_eq!(write(&contents, 0, &[1; 3 * PAGE_SIZE]), Ok(2 * PAGE_SIZE));
    assert_eq!(write(&contents, 2 * PAGE, b"x"), Err(Errno::ENOSPC));
    assert_eq!(contents.size(), 2 * PAGE);
}

#[test]
fn allocate_gives_memory_or_changes_nothing() {
    let store = TestStore::new(4);
    let contents = Contents::new(store.clone());
    assert_eq!(contents.allocate(0, 5 * PAGE, false), Err(Errno::ENOSPC));
    assert_eq!((store.used(), contents.size()), (0, 0));
    contents.allocate(PAGE, PAGE, true).unwrap();
    assert_eq!((store.used(), contents.size()), (1, 0));
    contents.allocate(0, PAGE + 1, false).unwrap();
    assert_eq!((store.used(), contents.size()), (2, PAGE + 1));
}

#[test]
fn punching_zeroes_and_frees_whole_pages() {
    let store = TestStore::new(10);
    let contents = Contents::new(store.clone());
    write(&contents, 0, &[1; 4 * PAGE_SIZE]).unwrap();
    contents.punch(PAGE - 1, PAGE + 2).unwrap();
    assert_eq!(store.used(), 3);
    assert_eq!(read(&contents, PAGE - 2, 3), [1, 0, 0]);
    assert_eq!(read(&contents, 2 * PAGE, 2), [0, 1]);
    assert_eq!(contents.size(), 4 * PAGE);
}

#[test]
fn data_and_holes_are_found() {
    let contents = Contents::new(TestStore::new(10));
    contents.set_size(6 * PAGE).unwrap();
    write(&contents, 2 * PAGE + 7, b"x").unwrap();
    assert_eq!(contents.next_data(0), Ok(2 * PAGE));
    assert_eq!(contents.next_data(2 * PAGE + 9), Ok(2 * PAGE + 9));
    assert_eq!(contents.next_data(3 * PAGE), Err(Errno::ENXIO));
    assert_eq!(contents.next_hole(5), Ok(5));
    assert_eq!(contents.next_hole(2 * PAGE + 1), Ok(3 * PAGE));
    assert_eq!(contents.next_hole(6 * PAGE), Err(Errno::ENXIO));
    let full = Contents::new(TestStore::new(10));
    write(&full, 0, b"abc").unwrap();
    assert_eq!(full.next_hole(1), Ok(3));
}

#[test]
fn sizes_end_at_two_to_the_63() {
    let contents = Contents::new(TestStore::new(10));
    assert_eq!(contents.set_size(1 << 63), Err(Errno::EFBIG));
    assert_eq!(write(&contents, i64::MAX as u64, b"x"), Err(Errno::EFBIG));
    assert_eq!(write(&contents, i64::MAX as u64 - 2, b"xyz"), Ok(2));
}

#[test]
fn punching_a_huge_sparse_file_is_quick_and_the_image_can_be_punched() {
    static IMAGE: [u8; 5000] = [7; 5000];
    let contents = Contents::from_image(TestStore::new(10), &IMAGE);
    contents.set_size(1 << 60).unwrap();
    write(&contents, 1 << 50, b"far").unwrap();
    assert_eq!(contents.resident_pages(), 3);
    contents.punch(4090, (1 << 60) - 4090).unwrap();
    assert_eq!(read(&contents, 4089, 3), [7, 0, 0]);
    assert_eq!(read(&contents, 1 << 50, 3), [0; 3]);
    assert_eq!(contents.resident_pages(), 2);
    assert_eq!(contents.allocate(0, 1 << 60, true), Err(Errno::ENOSPC));
    contents.set_size(1).unwrap();
    assert_eq!(contents.resident_pages(), 1);
}

#[test]
fn each_page_of_a_range_that_the_file_has_is_shown() {
    static IMAGE: [u8; 2 * PAGE_SIZE + 1] = [7; 2 * PAGE_SIZE + 1];
    let store = TestStore::new(10);
    let contents = Contents::from_image(store.clone(), &IMAGE);
    write(&contents, 5 * PAGE, b"far").unwrap();
    let shown = |range| {
        let mut shown = Vec::new();
        contents.each_page(range, |index, page| {
            let mut byte = [0];
            page.read(0, &mut byte);
            shown.push((index, byte[0]));
        });
        shown
    };
    assert_eq!(shown(3..5), []);
    assert_eq!(store.used(), 1);
    assert_eq!(shown(1..9), [(1, 7), (2, 7), (5, b'f')]);
    assert_eq!(
        (store.used(), contents.has_hole(3), contents.has_hole(5), contents.has_hole(6)),
        (3, true, false, false)
    );
    assert_eq!(shown(7..7), []);
}
