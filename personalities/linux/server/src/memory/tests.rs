//! Address spaces over the hosted kernel: what is shared, copied, brought in, refused and given back.

use super::*;
use crate::capability::Kernel;
use chestnut_linux_files::Errno;
use chestnut_linux_files::buffer::{SliceSink, SliceSource};
use chestnut_linux_files::clock::{Clock, Timestamp};
use chestnut_linux_files::inode::{Body, Filesystem, Inode};
use chestnut_linux_files::page::Contents;
use chestnut_linux_files::vfs::Location;
use core::task::Waker;
use core::time::Duration;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

struct Still;
impl Clock for Still {
    fn realtime(&self) -> Timestamp {
        Timestamp::default()
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
    fn wake_at(&self, _: Duration, _: &Waker) -> u64 {
        0
    }
    fn forget(&self, _: Duration, _: u64) {}
}

pub(super) fn memory(frames: usize) -> Rc<Memory> {
    let capabilities = Box::leak(Box::new(Capabilities::new(Kernel::hosted(frames))));
    Memory::new(capabilities).unwrap()
}
pub(super) fn in_use(memory: &Memory) -> usize {
    memory.capabilities.frames.in_use()
}
fn new_space(memory: &Rc<Memory>) -> Rc<AddressSpace> {
    let space = AddressSpace::new(memory).unwrap();
    space.map_top.set(0x7000_0000_0000);
    space
}
fn read_write() -> Protection {
    Protection::READ | Protection::WRITE
}

fn map(space: &AddressSpace, place: Place, pages: u64, behaviour: Behaviour, shown: Shown) -> u64 {
    let request = MapRequest { place, length: pages * PAGE, protection: read_write(), behaviour, shown };
    space.map(request).unwrap()
}
fn zeros(space: &AddressSpace, pages: u64) -> u64 {
    map(space, Place::Hint(0), pages, Behaviour::empty(), Shown::Zeros)
}
pub(super) fn byte(space: &AddressSpace, address: u64) -> u8 {
    let mut bytes = [0];
    space.read(address, &mut bytes).unwrap();
    bytes[0]
}

/// A file with these bytes, and where it is.
pub(super) fn file(memory: &Rc<Memory>, bytes: &[u8]) -> Rc<Location> {
    let filesystem = Filesystem::new("tmpfs", 1, 1, true, Rc::new(Still), memory.store.clone());
    let contents = Contents::new(memory.store.clone());
    contents.write(0, &mut SliceSource::new(bytes)).unwrap();
    Location::detached(Inode::new(&filesystem, Body::Regular(contents), 0o644, 0, 0), b"file")
}

#[test]
fn reading_fresh_memory_costs_no_frame_and_writing_one() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let start = zeros(&space, 100);
    let before = in_use(&memory);
    for page in 0..100 {
        space.fault(start + page * PAGE, Intent::Read).unwrap();
    }
    assert_eq!((in_use(&memory), space.resident()), (before, 100));
    space.fault(start + 5 * PAGE, Intent::Write).unwrap();
    assert_eq!(in_use(&memory), before + 1);
}

#[test]
fn faults_are_refused_with_their_reason() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let start = zeros(&space, 1);
    assert_eq!(space.fault(start - PAGE, Intent::Read), Err(Fault::Unmapped));
    assert_eq!(space.fault(start, Intent::Execute), Err(Fault::Forbidden));
    space.protect(start, PAGE, Protection::READ).unwrap();
    assert_eq!(space.fault(start, Intent::Write), Err(Fault::Forbidden));
    assert_eq!(space.write(start, b"x"), Err(Errno::EFAULT));
    space.protect(start, PAGE, Protection::empty()).unwrap();
    assert_eq!(space.fault(start, Intent::Read), Err(Fault::Forbidden));
}

#[test]
fn a_fork_shares_until_either_side_writes() {
    let memory = memory(10_000);
    let parent = new_space(&memory);
    let start = zeros(&parent, 4);
    parent.write(start, b"parent").unwrap();
    let before = in_use(&memory);
    let child = parent.fork().unwrap();
    assert_eq!(in_use(&memory), before);
    assert_eq!(byte(&child, start), b'p');
    child.write(start, b"c").unwrap();
    assert_eq!((byte(&parent, start), byte(&child, start), in_use(&memory)), (b'p', b'c', before + 1));
    // The parent is alone now with its frame, and writes in place.
    parent.write(start, b"P").unwrap();
    assert_eq!(in_use(&memory), before + 1);
    drop(child);
    assert_eq!(in_use(&memory), before);
}

#[test]
fn a_run_of_writes_brings_pages_in_ahead_and_single_ones_dont() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let start = zeros(&space, 40);
    for page in [30, 10, 20] {
        space.fault(start + page * PAGE, Intent::Write).unwrap();
    }
    assert_eq!(space.resident(), 3);
    let mut faults = 0;
    for page in 0..40 {
        if !space.is_present(start + page * PAGE) {
            space.fault(start + page * PAGE, Intent::Write).unwrap();
            faults += 1;
        }
        space.write(start + page * PAGE, &[page as u8 + 1]).unwrap();
    }
    assert!(faults < 20, "{faults} faults");
    // Nothing beyond the area, and each page is one of its own.
    assert_eq!(space.resident(), 40);
    assert!((0..40).all(|page| byte(&space, start + page * PAGE) == page as u8 + 1));
    assert_eq!(byte(&space, start + 39 * PAGE + 1), 0);
    // Reading brings nothing ahead.
    let start = zeros(&space, 16);
    for page in 0..8 {
        space.fault(start + page * PAGE, Intent::Read).unwrap();
    }
    assert_eq!(space.resident(), 48);
}

#[test]
fn a_program_can_write_a_page_again_after_the_fork() {
    let memory = memory(10_000);
    let parent = new_space(&memory);
    let start = zeros(&parent, 1);
    parent.fault(start, Intent::Write).unwrap();
    let child = parent.fork().unwrap();
    parent.fault(start, Intent::Write).unwrap();
    child.fault(start, Intent::Write).unwrap();
    parent.write(start, b"a").unwrap();
    assert_eq!(byte(&child, start), 0);
}

#[test]
fn shared_mappings_and_the_file_see_the_same_bytes() {
    let memory = memory(10_000);
    let location = file(&memory, &[7; 6000]);
    let shown = || Shown::File { location: location.clone(), offset: 0, writes: None };
    let (one, two) = (new_space(&memory), new_space(&memory));
    let first = map(&one, Place::Hint(0), 2, Behaviour::SHARED, shown());
    let second = map(&two, Place::Hint(0), 2, Behaviour::SHARED, shown());
    let private = map(&two, Place::Hint(0), 2, Behaviour::empty(), shown());
    assert_eq!((byte(&one, first + 5999), byte(&one, first + 6000)), (7, 0));
    one.write(first + 10, b"!").unwrap();
    let mut bytes = [0; 11];
    location.inode().contents().unwrap().read(0, &mut SliceSink::new(&mut bytes)).unwrap();
    assert_eq!((byte(&two, second + 10), byte(&two, private + 10), bytes[10]), (b'!', b'!', b'!'));
    two.write(private + 10, b"?").unwrap();
    assert_eq!((byte(&one, first + 10), byte(&two, private + 10)), (b'!', b'?'));
    // A child shares the shared one and has its own copy of the private one.
    let child = two.fork().unwrap();
    child.write(second + 10, b"s").unwrap();
    child.write(private + 10, b"p").unwrap();
    assert_eq!((byte(&one, first + 10), byte(&two, private + 10)), (b's', b'?'));
}

#[test]
fn beyond_the_end_of_a_file_is_a_bus_error_also_after_it_was_cut() {
    let memory = memory(10_000);
    let location = file(&memory, &[7; 3 * 4096]);
    let space = new_space(&memory);
    let shown = Shown::File { location: location.clone(), offset: 0, writes: None };
    let start = map(&space, Place::Hint(0), 5, Behaviour::SHARED, shown);
    assert_eq!(space.fault(start + 3 * PAGE, Intent::Read), Err(Fault::PastEnd));
    space.fault(start + 2 * PAGE, Intent::Write).unwrap();
    location.inode().truncate(5000).unwrap();
    assert_eq!(space.fault(start + 2 * PAGE, Intent::Read), Err(Fault::PastEnd));
    assert_eq!((byte(&space, start + 4999), byte(&space, start + 5000)), (7, 0));
}

#[test]
fn the_break_moves_both_ways_and_gives_its_pages_back() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    space.set_break_start(0x60_0000);
    assert_eq!(space.set_break(0), 0x60_0000);
    assert_eq!(space.set_break(0x60_2800), 0x60_2800);
    let before = in_use(&memory);
    space.write(0x60_2000, b"heap").unwrap();
    assert_eq!(space.set_break(0x60_1000), 0x60_1000);
    assert_eq!(in_use(&memory), before);
    assert_eq!(space.set_break(0x60_3000), 0x60_3000);
    assert_eq!(byte(&space, 0x60_2000), 0);
    // Something in the way.
    map(&space, Place::Exactly(0x60_4000), 1, Behaviour::empty(), Shown::Zeros);
    assert_eq!(space.set_break(0x60_5000), 0x60_3000);
    assert_eq!(space.set_break(0x5f_0000), 0x60_3000);
}

#[test]
fn mapping_at_an_address() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let at = 0x1000_0000;
    assert_eq!(map(&space, Place::Hint(at + 5), 2, Behaviour::empty(), Shown::Zeros), at);
    space.write(at, b"old").unwrap();
    assert_ne!(map(&space, Place::Hint(at), 1, Behaviour::empty(), Shown::Zeros), at);
    let request = |place| MapRequest {
        place,
        length: PAGE,
        protection: read_write(),
        behaviour: Behaviour::empty(),
        shown: Shown::Zeros,
    };
    assert_eq!(space.map(request(Place::IfFree(at + PAGE))), Err(Errno::EEXIST));
    assert_eq!(space.map(request(Place::Exactly(0))), Err(Errno::EPERM));
    assert_eq!(space.map(request(Place::Exactly(at + 1))), Err(Errno::EINVAL));
    assert_eq!(space.map(request(Place::Exactly(at))), Ok(at));
    assert_eq!(byte(&space, at), 0);
    assert!(space.map(request(Place::Low)).unwrap() < 1 << 31);
}

#[test]
fn moving_an_area_takes_its_bytes_along() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let start = zeros(&space, 2);
    space.write(start + PAGE, b"moved").unwrap();
    // In the way of growing.
    let behind = start + 2 * PAGE;
    if space.frame(behind, Intent::Read).is_err() {
        map(&space, Place::Exactly(behind), 1, Behaviour::empty(), Shown::Zeros);
    }
    assert_eq!(space.remap(start, 2 * PAGE, 4 * PAGE, Remap::InPlace), Err(Errno::ENOMEM));
    let moved = space.remap(start, 2 * PAGE, 4 * PAGE, Remap::MayMove).unwrap();
    assert_ne!(moved, start);
    assert_eq!((byte(&space, moved + PAGE), byte(&space, moved + 3 * PAGE)), (b'm', 0));
    assert_eq!(space.fault(start, Intent::Read), Err(Fault::Unmapped));
    assert_eq!(space.remap(moved, 4 * PAGE, PAGE, Remap::InPlace), Ok(moved));
    assert_eq!(space.fault(moved + PAGE, Intent::Read), Err(Fault::Unmapped));
}

#[test]
fn forgotten_memory_is_zero_again() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let start = zeros(&space, 2);
    space.write(start, b"x").unwrap();
    space.forget(start, PAGE).unwrap();
    assert_eq!(byte(&space, start), 0);
    assert_eq!(space.forget(start, 100 * PAGE), Err(Errno::ENOMEM));
}

#[test]
fn a_stack_grows_to_its_limit_and_keeps_a_gap() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    space.stack_limit.set(16 * PAGE);
    let top = 0x7000_0000;
    map(&space, Place::Exactly(top - PAGE), 1, Behaviour::GROWS_DOWN, Shown::Zeros);
    space.write(top - 10 * PAGE, b"deep").unwrap();
    assert_eq!(space.fault(top - 17 * PAGE, Intent::Write), Err(Fault::Unmapped));
    map(&space, Place::Exactly(top - 300 * PAGE), 50, Behaviour::empty(), Shown::Zeros);
    assert_eq!(space.fault(top - 11 * PAGE, Intent::Write), Err(Fault::Unmapped));
}

#[test]
fn copies_stop_where_memory_ends() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let start = zeros(&space, 1);
    let bytes = vec![3; 5000];
    assert_eq!(space.write_some(start + 100, &bytes), 3996);
    let mut back = vec![0; 5000];
    assert_eq!(space.read_some(start + 100, &mut back), 3996);
    assert_eq!(back[..3996], bytes[..3996]);
    assert_eq!(space.read_some(u64::MAX - 3, &mut back), 0);
}

#[test]
fn strings_end_at_their_zero_or_are_too_long() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let start = zeros(&space, 1);
    // Up to the last byte of the last page.
    space.write(start + 4090, b"abcde\0").unwrap();
    assert_eq!(space.read_string(start + 4090, 100, Errno::E2BIG), Ok(b"abcde".to_vec()));
    assert_eq!(space.read_string(start + 4090, 5, Errno::E2BIG), Err(Errno::E2BIG));
    space.write(start + 4095, b"f").unwrap();
    assert_eq!(space.read_string(start + 4090, 100, Errno::E2BIG), Err(Errno::EFAULT));
}

#[test]
fn vectors_are_checked_and_cut() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let start = zeros(&space, 1);
    space.write_words(start, &[1, 10, 2, 0x7fff_ffff]).unwrap();
    let vector: Vec<(u64, u64)> =
        space.read_vector(start, 2).unwrap().iter().map(|piece| (piece.base, piece.length)).collect();
    assert_eq!(vector, [(1, 10), (2, 0x7fff_f000 - 10)]);
    assert_eq!(space.read_vector(start, 1025), Err(Errno::EINVAL));
    space.write_words(start, &[1, u64::MAX]).unwrap();
    assert_eq!(space.read_vector(start, 1), Err(Errno::EINVAL));
}

#[test]
fn the_end_of_memory_is_an_error_and_everything_comes_back() {
    let memory = memory(40);
    let space = new_space(&memory);
    let start = zeros(&space, 1000);
    let before = in_use(&memory);
    let mut failed = None;
    for page in 0..1000 {
        if let Err(fault) = space.fault(start + page * PAGE, Intent::Write) {
            failed = Some(fault);
            break;
        }
    }
    assert_eq!(failed, Some(Fault::OutOfMemory));
    drop(space);
    assert_eq!(in_use(&memory), before);
    let again = new_space(&memory);
    let start = zeros(&again, 10);
    again.fault(start, Intent::Write).unwrap();
}

/// A file of ten pages, of which the sixth is a hole, shared and written to page by page.
#[test]
fn a_shared_file_is_shown_ahead_of_a_run_of_writes_except_for_its_holes() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let location = file(&memory, &[7; 10 * PAGE as usize]);
    let contents = location.inode().contents().unwrap();
    contents.punch(5 * PAGE, PAGE).unwrap();
    let shown = Shown::File { location: location.clone(), offset: 0, writes: None };
    let start = map(&space, Place::Hint(0), 10, Behaviour::SHARED, shown);
    let mappings = || space.capability().mappings();
    for page in 0..3 {
        space.fault(start + page * PAGE, Intent::Write).unwrap();
    }
    assert!(mappings().len() > 3 && mappings().values().all(|access| access.write));
    let mut faults = 3;
    for page in 3..10 {
        let address = start + page * PAGE;
        if !mappings().contains_key(&address) {
            faults += 1;
            assert_eq!(contents.has_hole(5), page <= 5);
            space.fault(address, Intent::Write).unwrap();
        }
        space.write(address, b"w").unwrap();
    }
    assert!(!contents.has_hole(5) && mappings().len() == 10 && faults < 8, "{faults}");
    let mut bytes = [0; 2];
    contents.read(9 * PAGE, &mut SliceSink::new(&mut bytes)).unwrap();
    assert_eq!(bytes, [b'w', 7]);
}

/// One read of a file shows what is around it: its pages, and zeros for its holes; nothing behind its end.
#[test]
fn a_read_of_a_file_shows_its_neighbours() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let location = file(&memory, &[7; 6 * PAGE as usize]);
    location.inode().contents().unwrap().punch(2 * PAGE, PAGE).unwrap();
    let shown = Shown::File { location, offset: 0, writes: None };
    let place = Place::IfFree(0x1000_0000);
    let start = map(&space, place, 8, Behaviour::empty(), shown);
    space.fault(start + 4 * PAGE, Intent::Read).unwrap();
    let mappings = space.capability().mappings();
    assert_eq!(mappings.len(), 6);
    assert!(mappings.iter().all(|(&at, access)| at < start + 6 * PAGE && !access.write));
    assert_eq!((byte(&space, start + 2 * PAGE), byte(&space, start + 3 * PAGE)), (0, 7));
    assert_eq!(space.fault(start + 7 * PAGE, Intent::Read), Err(Fault::PastEnd));
}

/// Strings at all distances from the end of a page, and from where they are looked for.
#[test]
fn strings_end_at_their_zero_wherever_they_lie() {
    let memory = memory(10_000);
    let space = new_space(&memory);
    let start = zeros(&space, 2);
    let letters: Vec<u8> = (1..=40).collect();
    for before in 0..50 {
        for length in 0..40 {
            let at = start + PAGE - before;
            space.write(start + PAGE - 64, &[0xff; 128]).unwrap();
            space.write(at, &letters[..length]).unwrap();
            space.write(at + length as u64, &[0]).unwrap();
            assert_eq!(space.read_string(at, 4096, Errno::E2BIG).as_deref(), Ok(&letters[..length]));
        }
    }
    // The last one ends with the last byte of memory; without its zero it doesn't.
    let end = start + 2 * PAGE;
    space.write(end - 3, b"ab\0").unwrap();
    assert_eq!(space.read_string(end - 3, 4096, Errno::E2BIG).as_deref(), Ok(&b"ab"[..]));
    space.write(end - 3, b"abc").unwrap();
    assert_eq!(space.read_string(end - 3, 4096, Errno::E2BIG), Err(Errno::EFAULT));
    space.write(start, &[b'x'; 100]).unwrap();
    assert_eq!(space.read_string(start, 50, Errno::E2BIG), Err(Errno::E2BIG));
}
