//! Capabilities: the derivation tree is a list in both directions, no two objects share memory, what lies in an untyped's memory
//! descends from it, and families of badges don't run into each other.

use crate::machine::{CNODE_BITS, Machine};
use chestnut_kernel::cap::{Cap, CapRef, Kind};
use chestnut_kernel::object::Tcb;
use std::collections::BTreeMap;

/// Which slots were met in this check; those outside the machine's memory (the kernel's own) aren't kept.
pub struct Seen {
    window: usize,
    check: u32,
    slots: Vec<u32>,
}

impl Seen {
    pub fn new(m: Machine) -> Self {
        Self { window: m.window, check: 0, slots: vec![0; (64 << 20) / 32] }
    }
    fn has(&self, slot: CapRef) -> bool {
        self.slots.get(slot.address().wrapping_sub(self.window) / 32) == Some(&self.check)
    }
    /// Notes a slot; false if it was met before.
    fn add(&mut self, slot: CapRef) -> bool {
        match self.slots.get_mut(slot.address().wrapping_sub(self.window) / 32) {
            Some(seen) => std::mem::replace(seen, self.check) != self.check,
            None => true,
        }
    }
}

/// All capabilities, in the tree's order, and the objects that they name.
pub struct Caps {
    pub slots: Vec<CapRef<'static>>,
    pub caps: Vec<Cap>,
    /// By where their memory begins.
    objects: Vec<(u64, Cap)>,
    window: usize,
}

impl Caps {
    /// Reads every list that begins or passes in the root CNode, or in a container found on the way.
    pub fn read(m: Machine, seen: &mut Seen) -> Self {
        seen.check += 1;
        let mut slots = Vec::new();
        for index in 0..1 << CNODE_BITS {
            let slot = m.slot(index);
            if !slot.is_empty() && !seen.has(slot) {
                read_list(slot, seen, &mut slots);
            }
        }
        let mut read = 0;
        while read < slots.len() {
            let (start, count) = inner_slots(slots[read].cap());
            read += 1;
            // Copies of the root CNode's capability are many, and it has been read.
            for index in (0..count).take_while(|_| start != m.slot(0).physical(m.kernel())) {
                let slot = m.slot_at(start + index * 32);
                if !slot.is_empty() && !seen.has(slot) {
                    read_list(slot, seen, &mut slots);
                }
            }
        }
        let caps: Vec<Cap> = slots.iter().map(|slot| slot.cap()).collect();
        let objects = objects(&caps);
        Self { slots, caps, objects, window: m.window }
    }

    /// The object whose memory begins at a physical address.
    pub fn object(&self, start: u64) -> Option<Cap> {
        let index = self.objects.binary_search_by_key(&start, |(start, _)| *start).ok()?;
        Some(self.objects[index].1)
    }

    /// Whether an object of this kind, or what a deletion has left of one, lives at an address in the window.
    pub fn is_live(&self, address: usize, kind: Kind) -> bool {
        let object = self.object(address.wrapping_sub(self.window) as u64);
        object.is_some_and(|cap| cap.kind() == kind || cap.kind() == Kind::Zombie)
    }

    pub fn objects(&self) -> impl Iterator<Item = Cap> {
        self.objects.iter().map(|(_, cap)| *cap)
    }

    /// Capabilities of a kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = Cap> {
        self.caps.iter().copied().filter(move |cap| cap.kind() == kind)
    }

    /// Each slot in the tree is one of a live container's, or of the kernel's own. Of a container under deletion only the first slots
    /// that its zombie counts are left.
    pub fn check_containers(&self) {
        for slot in &self.slots {
            let Some(at) = slot.address().checked_sub(self.window).filter(|&at| at < 64 << 20) else { continue };
            let index = self.objects.partition_point(|(start, _)| *start <= at as u64);
            let container = index.checked_sub(1).map(|index| self.objects[index].1);
            let inside = container.is_some_and(|cap| match cap.kind() {
                Kind::CNode | Kind::Tcb => (at as u64) < bounds(cap).1,
                Kind::Zombie => (at as u64) < cap.address() + cap.zombie_count() * 32,
                _ => false,
            });
            assert!(inside, "{:?} is in a slot of no container; before it in memory is {container:?}", slot.cap());
        }
    }

    /// What lies in an untyped's memory follows it in the order without a gap, and ends where its free memory begins.
    pub fn check_untypeds(&self) {
        let bounds: Vec<Option<(u64, u64)>> =
            self.caps.iter().map(|cap| cap.memory_bits().is_some().then(|| bounds(*cap))).collect();
        for (index, &untyped) in self.caps.iter().enumerate() {
            let Some((start, end)) = bounds[index].filter(|_| untyped.kind() == Kind::Untyped) else { continue };
            let free = start + untyped.untyped_free();
            assert!(free <= end, "{untyped:?} has used more than it has");
            let covers = |other: Option<(u64, u64)>| other.is_some_and(|(from, to)| start <= from && to <= end);
            // A copy of the untyped itself is in its place wherever it stands.
            let inside = |other| covers(other) && other != Some((start, end));
            let run = bounds[index + 1..].iter().take_while(|other| covers(**other)).count();
            let descendants = bounds[index + 1..][..run].iter().filter(|other| inside(**other)).count();
            let all = bounds.iter().filter(|other| inside(**other)).count();
            assert_eq!(descendants, all, "something in the memory of {untyped:?} doesn't descend from it");
            for (other, bounds) in self.caps[index + 1..][..run].iter().zip(&bounds[index + 1..]) {
                let below = bounds.is_some_and(|(_, end)| end <= free) || !inside(*bounds);
                assert!(below, "{other:?} lies in free memory of {untyped:?}");
            }
        }
    }
}

/// Address and number of a container's slots.
fn inner_slots(cap: Cap) -> (u64, u64) {
    match cap.kind() {
        Kind::CNode => (cap.address(), 1 << cap.cnode_bits()),
        Kind::Tcb => (cap.address() + Tcb::SLOTS_OFFSET, Tcb::SLOTS),
        Kind::Zombie => (cap.address(), cap.zombie_count()),
        _ => (0, 0),
    }
}

/// Where an object's memory begins and ends.
fn bounds(cap: Cap) -> (u64, u64) {
    (cap.memory_start(), cap.memory_start() + (1 << cap.memory_bits().unwrap_or(0)))
}

/// The whole list that a slot stands in.
fn read_list(slot: CapRef<'static>, seen: &mut Seen, slots: &mut Vec<CapRef<'static>>) {
    let mut head = slot;
    let mut steps = 0;
    while let Some(prev) = head.prev() {
        assert!(prev.next() == Some(head), "a slot's neighbour before it doesn't know it");
        head = prev;
        steps += 1;
        assert!(steps < 1 << 20, "the derivation tree runs in a circle");
    }
    let mut next = Some(head);
    while let Some(slot) = next {
        assert!(seen.add(slot), "the derivation tree runs in a circle");
        assert!(!slot.is_empty(), "an empty slot is in the derivation tree");
        if let Some(after) = slot.next() {
            assert!(after.prev() == Some(slot), "a slot's neighbour behind it doesn't know it");
        }
        slots.push(slot);
        next = slot.next();
    }
}

/// No two objects overlap, untypeds aside; capabilities of one object stand together in the tree.
fn objects(caps: &[Cap]) -> Vec<(u64, Cap)> {
    let mut objects: Vec<(u64, Cap)> = Vec::with_capacity(caps.len());
    let mut last: Option<Cap> = None;
    for &cap in caps {
        if cap.kind() != Kind::Untyped && cap.memory_bits().is_some() {
            // A copy of the one before it is no further object.
            if !last.is_some_and(|last| last.same_object(cap)) {
                objects.push((cap.memory_start(), cap));
            }
        }
        last = Some(cap);
    }
    objects.sort_unstable_by_key(|(start, _)| *start);
    for pair in objects.windows(2) {
        let (first, second) = (pair[0].1, pair[1].1);
        assert!(!first.same_object(second), "capabilities to {first:?} are apart in the tree");
        assert!(bounds(first).1 <= bounds(second).0, "{second:?} overlaps {first:?}");
    }
    objects
}

/// Families of one badge: what revoking one of them takes along. Two never become one.
#[derive(Default)]
pub struct Families {
    next: u64,
    /// By slot: what it held, and its family's number.
    known: BTreeMap<usize, (Cap, u64)>,
}

impl Families {
    pub fn check(&mut self, caps: &Caps, moved: bool) {
        let mut now = BTreeMap::new();
        let mut at = 0;
        while at < caps.slots.len() {
            let first = caps.caps[at];
            let end = at + 1 + caps.slots[at + 1..].iter().take_while(|slot| continues(first, **slot)).count();
            let group = at..end;
            at = end;
            if !is_badged(first) {
                continue;
            }
            let mut number = None;
            for index in group.clone() {
                let before = self.known.get(&caps.slots[index].address());
                if let Some(&(_, before)) = before.filter(|(cap, _)| *cap == caps.caps[index]) {
                    let same = number.is_none_or(|number| number == before);
                    assert!(same || moved, "two families of {first:?} have become one");
                    number = Some(before);
                }
            }
            let number = number.unwrap_or_else(|| {
                self.next += 1;
                self.next
            });
            for index in group {
                now.insert(caps.slots[index].address(), (caps.caps[index], number));
            }
        }
        self.known = now;
    }
}

fn is_badged(cap: Cap) -> bool {
    matches!(cap.kind(), Kind::Endpoint | Kind::Notification) && cap.badge() != 0
}

/// Whether a slot goes on with the family of the capability before it.
fn continues(first: Cap, slot: CapRef) -> bool {
    let cap = slot.cap();
    is_badged(first) && cap.same_object(first) && cap.badge() == first.badge() && !slot.is_first_badged()
}
