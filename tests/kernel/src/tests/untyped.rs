//! Untyped memory: what Retype makes of it, when it refuses, and that memory comes back clean.

use crate::check::{check, equal};
use crate::scene::fixed::DEVICE;
use crate::scene::invoke::{Answer, invoke, must, refused};
use crate::scene::{Scene, memory};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CNodeCapData, CapRights, Error, Label, LookupFailure, ObjectType};

/// Retype into the root CNode.
fn retype(untyped: u64, kind: ObjectType, bits: u64, at: u64, count: u64) -> Answer {
    let words = [kind as u64, bits, 0, 0, at, count];
    invoke(untyped, Label::UntypedRetype, &words, &[slot::INIT_CNODE])
}

#[track_caller]
fn refuse(error: Error, untyped: u64, kind: ObjectType, bits: u64, at: u64, count: u64) -> Answer {
    let words = [kind as u64, bits, 0, 0, at, count];
    refused(error, untyped, Label::UntypedRetype, &words, &[slot::INIT_CNODE])
}

pub fn retype_places_objects_side_by_side(t: &Scene) {
    let first = t.slots(3);
    equal(retype(t.untyped, ObjectType::X864K, 0, first, 3).label, 0, "retype");
    let addresses = [0, 1, 2].map(|index| t.physical(first + index));
    equal([addresses[1], addresses[2]], [addresses[0] + 4096, addresses[0] + 8192], "where frames are");
}

pub fn retype_aligns_objects_to_their_size(t: &Scene) {
    let untyped = t.small_untyped(14);
    let at = t.slots(2);
    equal(retype(untyped, ObjectType::Endpoint, 0, at, 1).label, 0, "an endpoint");
    equal(retype(untyped, ObjectType::X864K, 0, at + 1, 1).label, 0, "a frame");
    equal(t.physical(at + 1) % 4096, 0, "the frame's offset in its page");
    // Three pages are behind the first, which the endpoint spoilt: the frame took one of them.
    let more = t.slots(3);
    equal(retype(untyped, ObjectType::X864K, 0, more, 2).label, 0, "two more frames");
    equal(retype(untyped, ObjectType::X864K, 0, more + 2, 1).label, Error::NotEnoughMemory as u64, "a fourth");
}

pub fn retype_makes_every_kind_of_object(t: &Scene) {
    let kinds = [
        (ObjectType::Untyped, 12),
        (ObjectType::Tcb, 0),
        (ObjectType::Endpoint, 0),
        (ObjectType::Notification, 0),
        (ObjectType::CapTable, 1),
        (ObjectType::SchedContext, 7),
        (ObjectType::Reply, 0),
        (ObjectType::X86Pdpt, 0),
        (ObjectType::X64Pml4, 0),
        (ObjectType::X864K, 0),
        (ObjectType::X86LargePage, 0),
        (ObjectType::X86PageTable, 0),
        (ObjectType::X86PageDirectory, 0),
    ];
    for (kind, bits) in kinds {
        let at = t.make_sized(kind, bits);
        check(!t.is_empty(at), "the slot holds the object's capability");
    }
}

pub fn retype_fills_256_slots_at_once(t: &Scene) {
    let first = t.slots(257);
    equal(retype(t.untyped, ObjectType::Endpoint, 0, first, 256).label, 0, "256 endpoints");
    check(!t.is_empty(first) && !t.is_empty(first + 255), "the first and the last are there");
    check(t.is_empty(first + 256), "there is no 257th");
}

pub fn retype_reaches_a_cnode_below_the_root(t: &Scene) {
    let node = t.cnode(4);
    let words = [ObjectType::Endpoint as u64, 0, node, 64, 5, 2];
    must(t.untyped, Label::UntypedRetype, &words, &[slot::INIT_CNODE]);
    for index in [5, 6] {
        must(slot::INIT_CNODE, Label::CNodeCopy, &[t.slot(), 64, index, 4, 15], &[node]);
    }
    refused(Error::FailedLookup, slot::INIT_CNODE, Label::CNodeCopy, &[t.slot(), 64, 7, 4, 15], &[node]);
}

pub fn retype_returns_delete_first(t: &Scene) {
    let first = t.slots(3);
    equal(retype(t.untyped, ObjectType::Endpoint, 0, first + 1, 1).label, 0, "the one in the way");
    refuse(Error::DeleteFirst, t.untyped, ObjectType::Endpoint, 0, first + 1, 1);
    refuse(Error::DeleteFirst, t.untyped, ObjectType::Endpoint, 0, first, 3);
    check(t.is_empty(first) && t.is_empty(first + 2), "nothing was made beside it");
}

pub fn retype_returns_failed_lookup(t: &Scene) {
    let (endpoint, empty) = (t.endpoint(), t.slot());
    let words = |index, depth| [ObjectType::Endpoint as u64, 0, index, depth, 0, 1];
    // The root itself is no CNode.
    refused(Error::FailedLookup, t.untyped, Label::UntypedRetype, &words(0, 0), &[endpoint]);
    // What the index leads to is empty, or no CNode.
    let answer = refused(Error::FailedLookup, t.untyped, Label::UntypedRetype, &words(empty, 64), &[slot::INIT_CNODE]);
    equal(answer.words[0], 0, "it is the destination that failed");
    refused(Error::FailedLookup, t.untyped, Label::UntypedRetype, &words(endpoint, 64), &[slot::INIT_CNODE]);
    // A guard that does not match.
    let node = t.cnode(2);
    let guarded = t.mint(node, CNodeCapData::new(1, 8).0);
    let answer = refused(Error::FailedLookup, t.untyped, Label::UntypedRetype, &words(2 << 2, 10), &[guarded]);
    let expected = LookupFailure::GuardMismatch { bits_left: 10, guard: 1, guard_bits: 8 };
    equal(answer.lookup_failure(), Some(expected), "why");
}

pub fn retype_returns_invalid_argument_for_an_unknown_type(t: &Scene) {
    for kind in [ObjectType::COUNT, ObjectType::COUNT + 1, u64::MAX] {
        let words = [kind, 12, 0, 0, t.slot(), 1];
        let answer = refused(Error::InvalidArgument, t.untyped, Label::UntypedRetype, &words, &[slot::INIT_CNODE]);
        equal(answer.words[0], 0, "which argument");
    }
}

pub fn retype_returns_invalid_argument_for_a_size_that_is_too_small(t: &Scene) {
    let at = t.slot();
    equal(refuse(Error::InvalidArgument, t.untyped, ObjectType::CapTable, 0, at, 1).words[0], 1, "which argument");
    equal(refuse(Error::InvalidArgument, t.untyped, ObjectType::SchedContext, 6, at, 1).words[0], 1, "which argument");
    check(t.is_empty(at), "nothing was made");
}

pub fn retype_returns_range_error_outside_the_cnode(t: &Scene) {
    let node = t.cnode(4);
    let into = |offset, count| [ObjectType::Endpoint as u64, 0, node, 64, offset, count];
    for (offset, count) in [(16, 1), (15, 2), (0, 17), (u64::MAX, 1)] {
        refused(Error::RangeError, t.untyped, Label::UntypedRetype, &into(offset, count), &[slot::INIT_CNODE]);
    }
    must(t.untyped, Label::UntypedRetype, &into(15, 1), &[slot::INIT_CNODE]);
}

pub fn retype_returns_range_error_for_too_many_objects(t: &Scene) {
    let first = t.slots(300);
    for count in [0, 257, u64::MAX] {
        let answer = refuse(Error::RangeError, t.untyped, ObjectType::Endpoint, 0, first, count);
        equal([answer.words[0], answer.words[1]], [1, 256], "what is allowed");
    }
}

pub fn retype_returns_range_error_for_an_untyped_of_impossible_size(t: &Scene) {
    let at = t.slot();
    for bits in [0, 3, 48, 64, u64::MAX] {
        refuse(Error::RangeError, t.untyped, ObjectType::Untyped, bits, at, 1);
    }
    refuse(Error::RangeError, t.untyped, ObjectType::CapTable, 60, at, 1);
    equal(retype(t.untyped, ObjectType::Untyped, 4, at, 1).label, 0, "the smallest untyped");
}

pub fn retype_returns_not_enough_memory(t: &Scene) {
    let untyped = t.small_untyped(13);
    let at = t.slots(3);
    let answer = refuse(Error::NotEnoughMemory, untyped, ObjectType::X864K, 0, at, 3);
    equal(answer.words[0], 1 << 13, "bytes left of a whole untyped");
    equal(retype(untyped, ObjectType::X864K, 0, at, 1).label, 0, "the first frame");
    let answer = refuse(Error::NotEnoughMemory, untyped, ObjectType::X864K, 0, at + 1, 2);
    equal(answer.words[0], 1 << 12, "bytes left beside a frame");
    refuse(Error::NotEnoughMemory, untyped, ObjectType::Untyped, 20, at + 1, 1);
    equal(retype(untyped, ObjectType::X864K, 0, at + 1, 1).label, 0, "the second frame");
}

pub fn retype_returns_truncated_message(t: &Scene) {
    let words = [ObjectType::Endpoint as u64, 0, 0, 0, t.slot()];
    refused(Error::TruncatedMessage, t.untyped, Label::UntypedRetype, &words, &[slot::INIT_CNODE]);
    let words = [ObjectType::Endpoint as u64, 0, 0, 0, t.slot(), 1];
    refused(Error::TruncatedMessage, t.untyped, Label::UntypedRetype, &words, &[]);
}

pub fn retype_of_device_memory_makes_frames_and_untypeds_only(t: &Scene) {
    let at = t.slots(4);
    for kind in [
        ObjectType::Tcb,
        ObjectType::Endpoint,
        ObjectType::Notification,
        ObjectType::Reply,
        ObjectType::X86PageTable,
        ObjectType::X86PageDirectory,
        ObjectType::X86Pdpt,
        ObjectType::X64Pml4,
    ] {
        refuse(Error::InvalidArgument, DEVICE, kind, 0, at, 1);
    }
    refuse(Error::InvalidArgument, DEVICE, ObjectType::CapTable, 4, at, 1);
    refuse(Error::InvalidArgument, DEVICE, ObjectType::SchedContext, 8, at, 1);
    equal(retype(DEVICE, ObjectType::Untyped, 20, at, 1).label, 0, "an untyped");
    equal(retype(at, ObjectType::X864K, 0, at + 1, 1).label, 0, "a frame of it");
    equal(retype(DEVICE, ObjectType::X86LargePage, 0, at + 2, 1).label, 0, "a large frame");
    refuse(Error::InvalidArgument, at, ObjectType::Endpoint, 0, at + 3, 1);
}

pub fn an_untyped_without_children_is_wholly_free_again(t: &Scene) {
    let untyped = t.small_untyped(13);
    let at = t.slots(3);
    equal(retype(untyped, ObjectType::X864K, 0, at, 2).label, 0, "two frames");
    refuse(Error::NotEnoughMemory, untyped, ObjectType::Untyped, 13, at + 2, 1);
    t.delete(at);
    refuse(Error::NotEnoughMemory, untyped, ObjectType::Untyped, 13, at + 2, 1);
    t.delete(at + 1);
    equal(retype(untyped, ObjectType::Untyped, 13, at + 2, 1).label, 0, "after both were deleted");
    t.revoke(untyped);
    check(t.is_empty(at + 2), "revoking took the child away");
    equal(retype(untyped, ObjectType::X864K, 0, at, 2).label, 0, "after it was revoked");
}

pub fn memory_is_cleared_before_it_is_used_again(t: &Scene) {
    t.open_window();
    let untyped = t.small_untyped(12);
    for round in 0..2 {
        let frame = t.slot();
        equal(retype(untyped, ObjectType::X864K, 0, frame, 1).label, 0, "a frame");
        let map = [crate::scene::fixed::WINDOW, CapRights::READ_WRITE.0, 0];
        must(frame, Label::X86PageMap, &map, &[slot::INIT_VSPACE]);
        for offset in [0, 8, 2048, 4088] {
            equal(memory::read(map[0] + offset), 0, "a word of a fresh frame");
            memory::write(map[0] + offset, 0xdead_0000 + round);
        }
        t.delete(frame);
    }
}

pub fn a_copy_is_refused_while_there_are_children(t: &Scene) {
    let untyped = t.small_untyped(12);
    let copy = t.copy(untyped);
    t.delete(copy);
    let (child, to) = (t.slot(), t.slot());
    equal(retype(untyped, ObjectType::Endpoint, 0, child, 1).label, 0, "a child");
    let words = [to, 64, untyped, 64, 15, 0];
    refused(Error::RevokeFirst, slot::INIT_CNODE, Label::CNodeCopy, &words[..5], &[slot::INIT_CNODE]);
    refused(Error::RevokeFirst, slot::INIT_CNODE, Label::CNodeMint, &words, &[slot::INIT_CNODE]);
}
