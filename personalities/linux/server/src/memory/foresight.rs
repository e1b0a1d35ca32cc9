//! Which pages will be written to soon after a fork: those that were after the last ones.
//!
//! A page that parent and child share until one of them writes to it costs two faults if both do, and the parent's page is shown anew twice. Most of
//! what a shell's child writes to — the stack's top, the allocator's own data — it has written to after every fork, and so has its parent. So
//! a space remembers some pages of which either side took a copy, and its next children get theirs at once.
//!
//! This changes nothing that a program could see, and takes no more memory than the writes would. A page is forgotten after some forks, and
//! remembered anew if it is written to again.

use super::space::{AddressSpace, Page};
use crate::capability::Frame;
use alloc::vec::Vec;
use core::cell::RefCell;

/// Most pages that are remembered.
const MOST: usize = 16;
/// So many forks are enough to forget one.
const FORKS: u8 = 8;
/// Frames that have to be left for copies that nobody has asked for.
const ENOUGH: usize = 2048;

/// The pages, and how many forks each is remembered for.
#[derive(Default)]
pub(super) struct Foresight(RefCell<Vec<(u64, u8)>>);

impl Foresight {
    fn remember(&self, page: u64) {
        let mut pages = self.0.borrow_mut();
        // Those that are written to first are the surest.
        if pages.len() < MOST && pages.iter().all(|(known, _)| *known != page) {
            pages.push((page, FORKS));
        }
    }

    /// For one fork: the pages in order.
    fn recall(&self) -> Vec<u64> {
        let mut pages = self.0.borrow_mut();
        let mut recalled: Vec<u64> = pages.iter().map(|(page, _)| *page).collect();
        recalled.sort_unstable();
        pages.retain_mut(|(_, forks)| {
            *forks -= 1;
            *forks > 0
        });
        recalled
    }
}

/// What is to be copied in one fork, asked for by ascending addresses.
pub(super) struct Copies {
    pages: Vec<u64>,
    next: usize,
}

impl Copies {
    /// A copy of a parent's page for its child, if it will be wanted.
    pub fn take(&mut self, space: &AddressSpace, address: u64, page: &Page) -> Option<Frame> {
        while *self.pages.get(self.next)? < address {
            self.next += 1;
        }
        let is_wanted = self.pages.get(self.next) == Some(&address) && page.frame.holders() == 1;
        if is_wanted { space.copy_of(&page.frame).ok() } else { None }
    }
}

impl AddressSpace {
    /// A page that was shared since a fork is about to be written to.
    pub(super) fn foresee(&self, address: u64, page: &Page) {
        if page.of_file || page.frame == self.memory.zero {
            return;
        }
        self.foresight.remember(address);
        if let Some(parent) = self.parent.get().and_then(|parent| parent.upgrade()) {
            parent.foresight.remember(address);
        }
    }

    /// For one fork of this space.
    pub(super) fn copies(&self) -> Copies {
        let is_enough = self.memory.capabilities.frames.available() >= ENOUGH;
        Copies { pages: if is_enough { self.foresight.recall() } else { Vec::new() }, next: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{byte, in_use, memory};
    use super::super::{Behaviour, Intent, MapRequest, PAGE, Place, Protection, Shown};
    use super::*;
    use alloc::rc::Rc;
    use proptest::prelude::*;

    const AT: u64 = 0x40_0000;

    fn program(memory: &Rc<super::super::Memory>) -> Rc<AddressSpace> {
        let space = AddressSpace::new(memory).unwrap();
        space
            .map(MapRequest {
                place: Place::Exactly(AT),
                length: 8 * PAGE,
                protection: Protection::READ | Protection::WRITE,
                behaviour: Behaviour::empty(),
                shown: Shown::Zeros,
            })
            .unwrap();
        space
    }
    fn write(space: &AddressSpace, page: u64, value: u8) {
        space.fault(AT + page * PAGE, Intent::Write).unwrap();
        space.write(AT + page * PAGE, &[value]).unwrap();
    }
    fn writable(space: &AddressSpace) -> usize {
        space.capability().mappings().values().filter(|access| access.write).count()
    }

    #[test]
    fn what_a_child_has_written_the_next_one_may_write_at_once() {
        let memory = memory(8000);
        let parent = program(&memory);
        (0..4).for_each(|page| write(&parent, page, 1));
        let first = parent.fork().unwrap();
        assert_eq!((writable(&parent), writable(&first)), (0, 0));
        write(&first, 2, 9);
        drop(first);
        write(&parent, 2, 3);
        for _ in 1..FORKS {
            let child = parent.fork().unwrap();
            // The page, and nothing else, belongs to each alone.
            assert_eq!((writable(&parent), writable(&child), byte(&child, AT + 2 * PAGE)), (1, 1, 3));
            write(&child, 2, 7);
            assert_eq!((byte(&parent, AT + 2 * PAGE), byte(&child, AT + 2 * PAGE)), (3, 7));
        }
        drop(parent.fork().unwrap());
        // Forgotten by now: the last one has to ask again.
        let child = parent.fork().unwrap();
        assert_eq!((writable(&parent), writable(&child)), (0, 0));
    }

    #[test]
    fn what_may_not_be_written_or_seen_is_not_shown_ahead() {
        let memory = memory(8000);
        let parent = program(&memory);
        (0..2).for_each(|page| write(&parent, page, 1));
        let first = parent.fork().unwrap();
        (0..2).for_each(|page| write(&first, page, 2));
        drop(first);
        parent.protect(AT, PAGE, Protection::empty()).unwrap();
        parent.protect(AT + PAGE, PAGE, Protection::READ).unwrap();
        let child = parent.fork().unwrap();
        assert!(child.capability().mappings().is_empty());
        child.protect(AT, PAGE, Protection::READ).unwrap();
        assert_eq!(byte(&child, AT), 1);
    }

    #[test]
    fn little_memory_is_not_spent_ahead() {
        let memory = memory(100);
        let parent = program(&memory);
        write(&parent, 0, 1);
        write(&parent.fork().unwrap(), 0, 2);
        let before = in_use(&memory);
        let child = parent.fork().unwrap();
        assert_eq!((in_use(&memory), writable(&child)), (before, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
        /// Whoever forks, writes and goes: each sees its own bytes.
        #[test]
        fn each_sees_what_it_has_written(acts in proptest::collection::vec((0..4u8, 0..4usize, 0..8u64, 1..255u8), 1..60)) {
            let memory = memory(8000);
            let mut all = alloc::vec![(program(&memory), [0u8; 8])];
            for (act, who, page, value) in acts {
                let who = who % all.len();
                match act {
                    0 if all.len() < 6 => {
                        let child = (all[who].0.fork().unwrap(), all[who].1);
                        all.push(child);
                    }
                    1 if all.len() > 1 => drop(all.remove(who)),
                    _ => {
                        write(&all[who].0, page, value);
                        all[who].1[page as usize] = value;
                    }
                }
                for (space, model) in &all {
                    for (page, value) in model.iter().enumerate() {
                        prop_assert_eq!(byte(space, AT + page as u64 * PAGE), *value);
                    }
                }
            }
            drop(all);
            prop_assert_eq!(in_use(&memory), 1);
        }
    }
}
