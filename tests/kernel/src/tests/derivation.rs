//! The derivation tree: what Delete and Revoke take along, however deep or tangled it is.

use crate::check::{check, equal};
use crate::scene::fixed::{ABOVE, BELOW, NOTHING};
use crate::scene::invoke::{must, refused};
use crate::scene::message::{recv, send, wait};
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CNodeCapData, CapRights, Error, Label, ObjectType};

const ROOT: u64 = slot::INIT_CNODE;

pub fn delete_empties_a_slot_and_leaves_copies(t: &Scene) {
    let endpoint = t.endpoint();
    let copy = t.copy(endpoint);
    must(ROOT, Label::CNodeDelete, &[endpoint, 64], &[]);
    check(t.is_empty(endpoint), "the slot is empty");
    check(!t.is_empty(copy), "the copy stays");
}

pub fn delete_of_an_empty_slot_succeeds(t: &Scene) {
    must(ROOT, Label::CNodeDelete, &[t.slot(), 64], &[]);
    must(ROOT, Label::CNodeRevoke, &[t.slot(), 64], &[]);
}

pub fn slots_that_lead_nowhere_return_failed_lookup(t: &Scene) {
    let node = t.cnode(4);
    let guarded = t.mint(node, CNodeCapData::new(1, 4).0);
    for label in [Label::CNodeDelete, Label::CNodeRevoke, Label::CNodeCancelBadgedSends] {
        let answer = refused(Error::FailedLookup, node, label, &[0, 8], &[]);
        equal(answer.words[0], 0, "it is no source that failed");
        refused(Error::FailedLookup, node, label, &[0, 3], &[]);
        refused(Error::FailedLookup, guarded, label, &[0, 8], &[]);
        refused(Error::FailedLookup, ROOT, label, &[NOTHING, 63], &[]);
    }
}

pub fn impossible_depths_return_range_error(t: &Scene) {
    let endpoint = t.endpoint();
    for label in [Label::CNodeDelete, Label::CNodeRevoke, Label::CNodeCancelBadgedSends] {
        for depth in [0, 65] {
            let answer = refused(Error::RangeError, ROOT, label, &[endpoint, depth], &[]);
            equal([answer.words[0], answer.words[1]], [1, 64], "allowed depths");
        }
        refused(Error::TruncatedMessage, ROOT, label, &[endpoint], &[]);
    }
}

pub fn revoke_takes_copies_and_leaves_the_capability(t: &Scene) {
    let endpoint = t.endpoint();
    let copies = [t.copy(endpoint), t.mint(endpoint, 5), t.copy_with(endpoint, CapRights::READ)];
    let of_a_copy = t.copy(copies[0]);
    must(ROOT, Label::CNodeRevoke, &[endpoint, 64], &[]);
    check(!t.is_empty(endpoint), "the capability itself stays");
    check(copies.iter().all(|&copy| t.is_empty(copy)), "its copies are gone");
    check(t.is_empty(of_a_copy), "so is the copy of a copy");
}

pub fn revoke_of_a_badged_capability_takes_its_own_copies_only(t: &Scene) {
    let endpoint = t.endpoint();
    let (badged, other) = (t.mint(endpoint, 5), t.mint(endpoint, 5));
    let copy = t.copy(badged);
    t.revoke(badged);
    check(t.is_empty(copy), "the copy of the badged capability is gone");
    check(!t.is_empty(other), "another with the same badge stays");
    check(!t.is_empty(endpoint), "so does the original");
}

pub fn revoke_of_a_copy_takes_nothing_of_its_siblings(t: &Scene) {
    let endpoint = t.endpoint();
    let (a, b) = (t.copy(endpoint), t.copy(endpoint));
    t.revoke(a);
    check(!t.is_empty(b), "a sibling is no child");
}

pub fn revoke_of_an_untyped_takes_objects_with_all_their_copies(t: &Scene) {
    let untyped = t.small_untyped(14);
    let made = t.slots(2);
    for (index, kind) in [ObjectType::Endpoint, ObjectType::Tcb].into_iter().enumerate() {
        let words = [kind as u64, 0, 0, 0, made + index as u64, 1];
        must(untyped, Label::UntypedRetype, &words, &[ROOT]);
    }
    let copies = [t.copy(made), t.mint(made, 3), t.copy(made + 1)];
    t.revoke(untyped);
    check(t.is_empty(made) && t.is_empty(made + 1), "the objects are gone");
    check(copies.iter().all(|&copy| t.is_empty(copy)), "so are the copies");
}

pub fn deleting_the_last_capability_of_a_cnode_deletes_what_is_in_it(t: &Scene) {
    let node = t.cnode(3);
    // The endpoint's only capability moves into the CNode and goes with it: memory is free afterwards.
    let untyped = t.small_untyped(12);
    let at = t.slot();
    must(untyped, Label::UntypedRetype, &[ObjectType::Endpoint as u64, 0, 0, 0, at, 1], &[ROOT]);
    must(node, Label::CNodeMove, &[1, 3, at, 64], &[ROOT]);
    t.delete(node);
    must(untyped, Label::UntypedRetype, &[ObjectType::X864K as u64, 0, 0, 0, at, 1], &[ROOT]);
}

pub fn a_cnode_with_another_capability_keeps_its_contents(t: &Scene) {
    let node = t.cnode(3);
    let copy = t.copy(node);
    let endpoint = t.endpoint();
    must(node, Label::CNodeCopy, &[1, 3, endpoint, 64, 15], &[ROOT]);
    t.delete(node);
    must(ROOT, Label::CNodeCopy, &[t.slot(), 64, 1, 3, 15], &[copy]);
}

pub fn a_deep_chain_of_cnodes_is_deleted(t: &Scene) {
    const DEPTH: u64 = 400;
    let untyped = t.small_untyped(18);
    let (chain, next) = (t.slot(), t.slot());
    let make = |at| must(untyped, Label::UntypedRetype, &[ObjectType::CapTable as u64, 1, 0, 0, at, 1], &[ROOT]);
    make(chain);
    for _ in 1..DEPTH {
        make(next);
        must(next, Label::CNodeMove, &[1, 1, chain, 64], &[ROOT]);
        must(ROOT, Label::CNodeMove, &[chain, 64, next, 64], &[ROOT]);
    }
    t.delete(chain);
    // All of it is gone: the untyped has no children.
    must(untyped, Label::UntypedRetype, &[ObjectType::Untyped as u64, 18, 0, 0, chain, 1], &[ROOT]);
}

pub fn a_cnode_that_holds_itself_is_deleted(t: &Scene) {
    let untyped = t.small_untyped(10);
    let node = t.slot();
    must(untyped, Label::UntypedRetype, &[ObjectType::CapTable as u64, 2, 0, 0, node, 1], &[ROOT]);
    for index in 0..3 {
        must(node, Label::CNodeCopy, &[index, 2, node, 64, 15], &[ROOT]);
    }
    // Moved into itself, no slot outside names it any more; only revoking its untyped reaches it.
    must(node, Label::CNodeMove, &[3, 2, node, 64], &[ROOT]);
    t.revoke(untyped);
    must(untyped, Label::UntypedRetype, &[ObjectType::Untyped as u64, 10, 0, 0, node, 1], &[ROOT]);
}

pub fn cnodes_that_hold_each_other_are_deleted(t: &Scene) {
    let untyped = t.small_untyped(12);
    let (a, b) = (t.slot(), t.slot());
    for at in [a, b] {
        must(untyped, Label::UntypedRetype, &[ObjectType::CapTable as u64, 3, 0, 0, at, 1], &[ROOT]);
    }
    for index in 0..4 {
        must(a, Label::CNodeCopy, &[index, 3, b, 64, 15], &[ROOT]);
        must(b, Label::CNodeCopy, &[index, 3, a, 64, 15], &[ROOT]);
    }
    t.revoke(a);
    t.revoke(b);
    t.delete(a);
    t.delete(b);
    t.revoke(untyped);
    must(untyped, Label::UntypedRetype, &[ObjectType::Untyped as u64, 12, 0, 0, a, 1], &[ROOT]);
}

pub fn deleting_a_tcb_ends_its_thread(t: &Scene) {
    let thread = t.spawn(BELOW, move || {
        loop {
            shared::add(0, 1);
        }
    });
    crate::scene::thread::set_main_priority(BELOW);
    while shared::get(0) == 0 {
        chestnut_runtime::sys::yield_now();
    }
    t.delete(thread.tcb);
    let before = shared::get(0);
    chestnut_runtime::sys::yield_now();
    shared::spin_us(20_000);
    equal(shared::get(0), before, "turns of the thread after it was deleted");
}

pub fn a_tcb_in_its_own_cspace_is_deleted_with_it(t: &Scene) {
    let untyped = t.small_untyped(14);
    let (node, tcb) = (t.slot(), t.slot());
    must(untyped, Label::UntypedRetype, &[ObjectType::CapTable as u64, 4, 0, 0, node, 1], &[ROOT]);
    must(untyped, Label::UntypedRetype, &[ObjectType::Tcb as u64, 0, 0, 0, tcb, 1], &[ROOT]);
    must(node, Label::CNodeCopy, &[1, 4, tcb, 64, 15], &[ROOT]);
    must(node, Label::CNodeCopy, &[2, 4, node, 64, 15], &[ROOT]);
    must(tcb, Label::TcbSetSpace, &[0, 0], &[slot::NULL, node, slot::INIT_VSPACE]);
    t.delete(tcb);
    t.delete(node);
    t.revoke(untyped);
    must(untyped, Label::UntypedRetype, &[ObjectType::Untyped as u64, 14, 0, 0, node, 1], &[ROOT]);
}

pub fn cancel_badged_sends_cancels_that_badge_only(t: &Scene) {
    let endpoint = t.endpoint();
    let (five, six) = (t.mint(endpoint, 5), t.mint(endpoint, 6));
    for badged in [five, six] {
        t.spawn(ABOVE, move || send(badged, 1, &[]));
    }
    // Both wait. The one with badge 5 is made to begin its Send again, now behind the other one.
    must(ROOT, Label::CNodeCancelBadgedSends, &[five, 64], &[]);
    equal(wait(endpoint).badge, 6, "the first that waits");
    equal(wait(endpoint).badge, 5, "the second: its send was begun again");
}

pub fn cancel_badged_sends_needs_all_rights(t: &Scene) {
    let endpoint = t.endpoint();
    let badged = t.mint_with(endpoint, CapRights::READ_WRITE, 5);
    refused(Error::IllegalOperation, ROOT, Label::CNodeCancelBadgedSends, &[badged, 64], &[]);
}

pub fn a_sender_begins_again_when_its_endpoint_is_deleted(t: &Scene) {
    let endpoint = t.endpoint();
    t.spawn(ABOVE, move || {
        send(endpoint, 1, &[]);
        shared::set(0, 1);
    });
    t.delete(endpoint);
    // Sending again, it comes upon a null capability. That is an error which Send does not report.
    equal(shared::get(0), 1, "whether the thread came back from Send");
}

pub fn a_receiver_begins_again_when_its_endpoint_is_deleted(t: &Scene) {
    let (endpoint, faults, reply) = (t.endpoint(), t.endpoint(), t.reply());
    t.spawn_handled(ABOVE, faults, move || {
        wait(endpoint);
    });
    t.delete(endpoint);
    // Receiving again, it comes upon a null capability: a fault in the receive phase.
    let fault = recv(faults, reply);
    equal(fault.label(), chestnut_abi::fault::label::CAP, "the fault");
    equal((fault.word(1), fault.word(2)), (endpoint, 1), "address, and that it was in the receive phase");
}
