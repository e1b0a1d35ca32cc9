//! Long operations while something more important wants to run every fraction of a millisecond: they take longer, and come to the same.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{Label, ObjectType};
use chestnut_runtime::sys;

const ROOT: u64 = slot::INIT_CNODE;

/// A thread above this one that runs again and again, counting in word 0.
fn disturb(t: &Scene) {
    let thread = t.thread_with_budget(ABOVE, 40, 150);
    thread.start(|| {
        loop {
            shared::add(0, 1);
            sys::yield_now();
        }
    });
}

pub fn revoking_thousands_of_capabilities(t: &Scene) {
    const COPIES: u64 = 3000;
    let endpoint = t.endpoint();
    let first = t.slots(COPIES);
    for at in first..first + COPIES {
        must(ROOT, Label::CNodeCopy, &[at, 64, endpoint, 64, 15], &[ROOT]);
    }
    disturb(t);
    t.revoke(endpoint);
    check(!t.is_empty(endpoint), "the capability itself stays");
    for at in (first..first + COPIES).step_by(100) {
        check(t.is_empty(at), "a copy is gone");
    }
    check(shared::get(0) > 0, "the other thread ran");
}

pub fn resetting_megabytes_of_untyped_memory(t: &Scene) {
    const BITS: u64 = 22;
    let untyped = t.small_untyped(BITS);
    let frames = t.slots(2);
    let large = |at| must(untyped, Label::UntypedRetype, &[ObjectType::X86LargePage as u64, 0, 0, 0, at, 1], &[ROOT]);
    (0..2).for_each(|index| _ = large(frames + index));
    let address = WINDOW + (1 << 21);
    must(frames, Label::X86PageMap, &[address, 3, 0], &[slot::INIT_VSPACE]);
    for offset in (0..1 << 21).step_by(4096) {
        crate::scene::memory::write(address + offset, u64::MAX);
    }
    t.revoke(untyped);
    disturb(t);
    let before = shared::get(0);
    large(frames);
    check(shared::get(0) >= before, "the other thread goes on");
    must(frames, Label::X86PageMap, &[address, 3, 0], &[slot::INIT_VSPACE]);
    for offset in (0..1 << 21).step_by(4096) {
        equal(crate::scene::memory::read(address + offset), 0, "a word of the new page");
    }
}

pub fn deleting_a_large_cnode(t: &Scene) {
    const BITS: u64 = 14;
    let untyped = t.small_untyped(BITS + 5);
    let node = t.slot();
    must(untyped, Label::UntypedRetype, &[ObjectType::CapTable as u64, BITS, 0, 0, node, 1], &[ROOT]);
    let endpoint = t.endpoint();
    for index in (0..1 << BITS).step_by(64) {
        must(node, Label::CNodeCopy, &[index, BITS, endpoint, 64, 15], &[ROOT]);
    }
    disturb(t);
    t.delete(node);
    must(untyped, Label::UntypedRetype, &[ObjectType::Untyped as u64, BITS + 5, 0, 0, node, 1], &[ROOT]);
    check(!t.is_empty(endpoint), "the endpoint that its slots named stays");
}

pub fn deleting_a_chain_of_cnodes_with_a_waiting_thread_at_its_end(t: &Scene) {
    const DEPTH: u64 = 200;
    let (node, next) = (t.slot(), t.slot());
    let untyped = t.small_untyped(16);
    let make = |at| must(untyped, Label::UntypedRetype, &[ObjectType::CapTable as u64, 1, 0, 0, at, 1], &[ROOT]);
    let victim = t.spawn(ABOVE, || {
        crate::scene::message::wait(PARK);
    });
    make(node);
    must(node, Label::CNodeMove, &[1, 1, victim.tcb, 64], &[ROOT]);
    for _ in 0..DEPTH {
        make(next);
        must(next, Label::CNodeMove, &[1, 1, node, 64], &[ROOT]);
        must(ROOT, Label::CNodeMove, &[node, 64, next, 64], &[ROOT]);
    }
    disturb(t);
    t.delete(node);
    must(untyped, Label::UntypedRetype, &[ObjectType::Untyped as u64, 16, 0, 0, node, 1], &[ROOT]);
    // The thread's scheduling context is free again.
    must(victim.context, Label::SchedContextBind, &[], &[t.tcb()]);
}

pub fn clearing_badged_sends_of_many_threads(t: &Scene) {
    let endpoint = t.endpoint();
    let badged = t.mint(endpoint, 9);
    let other = t.mint(endpoint, 10);
    for _ in 0..8 {
        t.spawn(ABOVE + 1, move || crate::scene::message::send(badged, 9, &[]));
    }
    t.spawn(ABOVE + 1, move || crate::scene::message::send(other, 10, &[]));
    disturb(t);
    t.revoke(badged);
    must(ROOT, Label::CNodeCancelBadgedSends, &[badged, 64], &[]);
    // All of them send again, behind the other one.
    equal(crate::scene::message::wait(endpoint).badge, 10, "the first");
    for _ in 0..8 {
        equal(crate::scene::message::wait(endpoint).badge, 9, "the next");
    }
}
