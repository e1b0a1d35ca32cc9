//! Copy, Mint, Move, Mutate and Rotate: what they put where, and each of their errors.

use crate::check::{check, equal};
use crate::scene::Scene;
use crate::scene::fixed::NOTHING;
use crate::scene::invoke::{must, refused};
use crate::scene::message::{nb_wait, signal};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CNodeCapData, CapRights, Error, Label, LookupFailure};

const ROOT: u64 = slot::INIT_CNODE;

/// The invocations that take a destination and a source: label, and words behind the two places.
const TWO_PLACES: [(Label, usize); 4] =
    [(Label::CNodeCopy, 1), (Label::CNodeMint, 2), (Label::CNodeMove, 0), (Label::CNodeMutate, 1)];

/// Makes each of the four with these places and a source root; each has to be refused.
#[track_caller]
fn refuse_all(error: Error, places: [u64; 4], source_root: u64) {
    for (label, more) in TWO_PLACES {
        let [a, b, c, d] = places;
        // Mutate's last word is a badge, the others' first is the rights.
        let last = if label == Label::CNodeMutate { 0 } else { 15 };
        let words = [a, b, c, d, last, 0];
        refused(error, ROOT, label, &words[..4 + more], &[source_root]);
    }
}

pub fn copy_gives_the_same_object(t: &Scene) {
    let notification = t.notification();
    let badged = t.mint(notification, 4);
    let copy = t.slot();
    must(ROOT, Label::CNodeCopy, &[copy, 64, badged, 64, 15], &[ROOT]);
    signal(copy);
    equal(nb_wait(notification).badge, 4, "the copy's badge");
    check(!t.is_empty(badged), "the source is still there");
}

pub fn copy_takes_rights_away(t: &Scene) {
    let notification = t.notification();
    let badged = t.mint(notification, 4);
    let reader = t.copy_with(badged, CapRights::READ);
    refused(Error::InvalidCapability, reader, Label::TcbSuspend, &[], &[]);
    signal(reader);
    equal(nb_wait(notification).badge, 0, "no signal comes through a capability without the write right");
    // Rights that were taken do not come back.
    signal(t.copy_with(reader, CapRights::ALL));
    equal(nb_wait(notification).badge, 0, "nor through a copy with all rights of that");
}

pub fn mint_gives_a_badge_and_rights(t: &Scene) {
    let notification = t.notification();
    let minted = t.slot();
    must(ROOT, Label::CNodeMint, &[minted, 64, notification, 64, CapRights::WRITE.0, u64::MAX], &[ROOT]);
    signal(minted);
    equal(nb_wait(notification).badge, u64::MAX, "all 64 bits of the badge");
}

pub fn mint_gives_a_cnode_a_guard(t: &Scene) {
    let node = t.cnode(4);
    let notification = t.notification();
    must(node, Label::CNodeCopy, &[3, 4, notification, 64, 15], &[ROOT]);
    let guarded = t.mint(node, CNodeCapData::new(0b101, 3).0);
    must(ROOT, Label::CNodeCopy, &[t.slot(), 64, 0b101_0011, 7, 15], &[guarded]);
    let answer = refused(Error::FailedLookup, ROOT, Label::CNodeCopy, &[t.slot(), 64, 0b111_0011, 7, 15], &[guarded]);
    let expected = LookupFailure::GuardMismatch { bits_left: 7, guard: 0b101, guard_bits: 3 };
    equal((answer.words[0], answer.lookup_failure()), (1, Some(expected)), "the source's lookup");
}

pub fn mint_of_a_second_badge_is_refused(t: &Scene) {
    for object in [t.endpoint(), t.notification()] {
        let badged = t.mint(object, 7);
        let words = [t.slot(), 64, badged, 64, 15, 8];
        refused(Error::IllegalOperation, ROOT, Label::CNodeMint, &words, &[ROOT]);
    }
}

pub fn mint_of_an_impossible_guard_is_refused(t: &Scene) {
    let node = t.cnode(4);
    let words = [t.slot(), 64, node, 64, 15, CNodeCapData::new(0, 61).0];
    refused(Error::IllegalOperation, ROOT, Label::CNodeMint, &words, &[ROOT]);
}

pub fn move_leaves_the_source_empty(t: &Scene) {
    let (from, to) = (t.mint(t.notification(), 2), t.slot());
    must(ROOT, Label::CNodeMove, &[to, 64, from, 64], &[ROOT]);
    check(t.is_empty(from), "the source is empty");
    check(!t.is_empty(to), "the capability is at its new place");
}

pub fn move_keeps_the_place_in_the_derivation_tree(t: &Scene) {
    let notification = t.notification();
    let (child, to) = (t.mint(notification, 2), t.slot());
    must(ROOT, Label::CNodeMove, &[to, 64, child, 64], &[ROOT]);
    t.revoke(notification);
    check(t.is_empty(to), "the moved child went with its parent's other children");
}

pub fn mutate_moves_and_sets_a_guard(t: &Scene) {
    let (node, to) = (t.cnode(4), t.slot());
    let notification = t.notification();
    must(node, Label::CNodeCopy, &[3, 4, notification, 64, 15], &[ROOT]);
    must(ROOT, Label::CNodeMutate, &[to, 64, node, 64, CNodeCapData::new(1, 2).0], &[ROOT]);
    check(t.is_empty(node), "the source is empty");
    must(ROOT, Label::CNodeCopy, &[t.slot(), 64, 0b01_0011, 6, 15], &[to]);
    refused(Error::FailedLookup, ROOT, Label::CNodeCopy, &[t.slot(), 64, 0b11_0011, 6, 15], &[to]);
}

pub fn mutate_of_an_impossible_guard_is_refused(t: &Scene) {
    let (node, to) = (t.cnode(4), t.slot());
    let words = [to, 64, node, 64, CNodeCapData::new(0, 61).0];
    refused(Error::IllegalOperation, ROOT, Label::CNodeMutate, &words, &[ROOT]);
    check(!t.is_empty(node), "the capability stayed where it was");
}

pub fn rotate_moves_pivot_to_destination_and_source_to_pivot(t: &Scene) {
    let (pivot, source, destination) = (t.mint(t.notification(), 1), t.endpoint(), t.slot());
    must(ROOT, Label::CNodeRotate, &[destination, 64, 0, pivot, 64, 0, source, 64], &[ROOT, ROOT]);
    check(t.is_empty(source), "the source is empty");
    signal(destination);
    // What was the source is in the pivot's slot: an endpoint has badged sends to cancel.
    must(ROOT, Label::CNodeCancelBadgedSends, &[pivot, 64], &[]);
}

pub fn rotate_swaps_when_source_is_destination(t: &Scene) {
    let (notification, endpoint) = (t.notification(), t.endpoint());
    must(ROOT, Label::CNodeRotate, &[endpoint, 64, 0, notification, 64, 0, endpoint, 64], &[ROOT, ROOT]);
    must(ROOT, Label::CNodeCancelBadgedSends, &[notification, 64], &[]);
    refused(Error::IllegalOperation, ROOT, Label::CNodeCancelBadgedSends, &[endpoint, 64], &[]);
}

pub fn rotate_sets_guards(t: &Scene) {
    let (pivot, source, destination) = (t.cnode(2), t.cnode(3), t.slot());
    let data = |guard| CNodeCapData::new(guard, 2).0;
    let words = [destination, 64, data(1), pivot, 64, data(2), source, 64];
    must(ROOT, Label::CNodeRotate, &words, &[ROOT, ROOT]);
    let failure = |at, depth| {
        let words = [t.slot(), 64, 0, depth, 15];
        refused(Error::FailedLookup, ROOT, Label::CNodeCopy, &words, &[at]).lookup_failure()
    };
    let expected = |bits_left, guard| Some(LookupFailure::GuardMismatch { bits_left, guard, guard_bits: 2 });
    equal(failure(destination, 4), expected(4, 1), "the guard at the destination");
    equal(failure(pivot, 5), expected(5, 2), "the guard at the pivot's place");
}

pub fn rotate_of_impossible_guards_is_refused(t: &Scene) {
    let (pivot, source, destination) = (t.cnode(4), t.cnode(4), t.slot());
    let bad = CNodeCapData::new(0, 61).0;
    for (at_destination, at_pivot) in [(bad, 0), (0, bad)] {
        let words = [destination, 64, at_destination, pivot, 64, at_pivot, source, 64];
        refused(Error::IllegalOperation, ROOT, Label::CNodeRotate, &words, &[ROOT, ROOT]);
    }
    check(!t.is_empty(pivot) && !t.is_empty(source) && t.is_empty(destination), "all stayed where they were");
}

pub fn rotate_refuses_a_pivot_that_is_source_or_destination(t: &Scene) {
    let (a, b) = (t.endpoint(), t.slot());
    for (destination, pivot, source) in [(b, a, a), (a, a, t.endpoint())] {
        let words = [destination, 64, 0, pivot, 64, 0, source, 64];
        refused(Error::IllegalOperation, ROOT, Label::CNodeRotate, &words, &[ROOT, ROOT]);
    }
}

pub fn rotate_returns_delete_first(t: &Scene) {
    let words = [t.endpoint(), 64, 0, t.endpoint(), 64, 0, t.endpoint(), 64];
    refused(Error::DeleteFirst, ROOT, Label::CNodeRotate, &words, &[ROOT, ROOT]);
}

pub fn rotate_returns_failed_lookup(t: &Scene) {
    let (pivot, source, destination) = (t.endpoint(), t.endpoint(), t.slot());
    let words = [destination, 64, 0, pivot, 64, 0, source, 64];
    // A root that is no CNode.
    refused(Error::FailedLookup, ROOT, Label::CNodeRotate, &words, &[pivot, ROOT]);
    refused(Error::FailedLookup, ROOT, Label::CNodeRotate, &words, &[ROOT, pivot]);
    // Nothing in the pivot's or the source's slot.
    let words = [destination, 64, 0, NOTHING, 64, 0, source, 64];
    refused(Error::FailedLookup, ROOT, Label::CNodeRotate, &words, &[ROOT, ROOT]);
    let words = [destination, 64, 0, pivot, 64, 0, NOTHING, 64];
    refused(Error::FailedLookup, ROOT, Label::CNodeRotate, &words, &[ROOT, ROOT]);
    check(t.is_empty(destination), "nothing moved");
}

pub fn rotate_returns_range_error(t: &Scene) {
    let (pivot, source, destination) = (t.endpoint(), t.endpoint(), t.slot());
    for place in [1, 4, 7] {
        for depth in [0, 65] {
            let mut words = [destination, 64, 0, pivot, 64, 0, source, 64];
            words[place] = depth;
            let answer = refused(Error::RangeError, ROOT, Label::CNodeRotate, &words, &[ROOT, ROOT]);
            equal([answer.words[0], answer.words[1]], [1, 64], "allowed depths");
        }
    }
}

pub fn an_occupied_destination_returns_delete_first(t: &Scene) {
    refuse_all(Error::DeleteFirst, [t.endpoint(), 64, t.endpoint(), 64], ROOT);
}

pub fn an_impossible_depth_returns_range_error(t: &Scene) {
    let (to, from) = (t.slot(), t.endpoint());
    for depth in [0, 65, 255] {
        refuse_all(Error::RangeError, [to, depth, from, 64], ROOT);
        refuse_all(Error::RangeError, [to, 64, from, depth], ROOT);
    }
}

pub fn an_empty_source_returns_failed_lookup(t: &Scene) {
    refuse_all(Error::FailedLookup, [t.slot(), 64, t.slot(), 64], ROOT);
    let words = [t.slot(), 64, t.slot(), 64, 15];
    let answer = refused(Error::FailedLookup, ROOT, Label::CNodeCopy, &words, &[ROOT]);
    equal(answer.words[0], 1, "it is the source that failed");
    check(matches!(answer.lookup_failure(), Some(LookupFailure::MissingCapability { .. })), "a capability is missing");
}

pub fn a_source_root_that_is_no_cnode_returns_failed_lookup(t: &Scene) {
    let source = t.endpoint();
    refuse_all(Error::FailedLookup, [t.slot(), 64, source, 64], source);
    let words = [t.slot(), 64, source, 64, 15];
    let answer = refused(Error::FailedLookup, ROOT, Label::CNodeCopy, &words, &[source]);
    equal((answer.words[0], answer.lookup_failure()), (1, Some(LookupFailure::InvalidRoot)), "why");
}

pub fn too_small_a_depth_returns_failed_lookup(t: &Scene) {
    // The root CNode's guard and index take 64 bits.
    let (to, from) = (t.slot(), t.endpoint());
    refuse_all(Error::FailedLookup, [to, 63, from, 64], ROOT);
    refuse_all(Error::FailedLookup, [to, 64, from, 63], ROOT);
    let node = t.cnode(4);
    let answer = refused(Error::FailedLookup, ROOT, Label::CNodeCopy, &[to, 64, 0, 3, 15], &[node]);
    let expected = LookupFailure::DepthMismatch { bits_left: 3, bits_found: 4 };
    equal(answer.lookup_failure(), Some(expected), "a CNode of 4 bits, asked for 3");
}

pub fn bits_that_are_left_over_return_failed_lookup(t: &Scene) {
    let (node, to) = (t.cnode(4), t.slot());
    let answer = refused(Error::FailedLookup, ROOT, Label::CNodeCopy, &[to, 64, 0, 6, 15], &[node]);
    check(
        matches!(answer.lookup_failure(), Some(LookupFailure::MissingCapability { bits_left: 2 })),
        "the slot on the way has no CNode for the other two bits",
    );
}

pub fn what_cannot_be_derived_is_not_copied(t: &Scene) {
    let table = t.make(chestnut_abi::ObjectType::X86PageTable);
    for source in [slot::IRQ_CONTROL, table] {
        let words = [t.slot(), 64, source, 64, 15, 0];
        refused(Error::IllegalOperation, ROOT, Label::CNodeCopy, &words[..5], &[ROOT]);
        refused(Error::IllegalOperation, ROOT, Label::CNodeMint, &words, &[ROOT]);
    }
}

pub fn missing_arguments_return_truncated_message(t: &Scene) {
    let (to, from) = (t.slot(), t.endpoint());
    for (label, more) in TWO_PLACES {
        let words = [to, 64, from, 64, 15, 0];
        refused(Error::TruncatedMessage, ROOT, label, &words[..3 + more], &[ROOT]);
        refused(Error::TruncatedMessage, ROOT, label, &words[..4 + more], &[]);
    }
    check(t.is_empty(to) && !t.is_empty(from), "nothing happened");
}
