//! ASID pools: made of untyped memory, and what they give to address spaces.

use crate::check::equal;
use crate::scene::Scene;
use crate::scene::fixed::{ABOVE, DEVICE, FAR, NOTHING};
use crate::scene::invoke::{must, refused};
use crate::scene::message::recv;
use chestnut_abi::bootinfo::slot;
use chestnut_abi::object::{ASID_POOL_COUNT_BITS, ASID_POOL_INDEX_BITS};
use chestnut_abi::{CNodeCapData, Error, Label, ObjectType, UserContext, fault};

const CONTROL: u64 = slot::ASID_CONTROL;
const POOL: u64 = slot::INIT_ASID_POOL;
const ROOT: u64 = slot::INIT_CNODE;

/// A pool of its own.
fn pool(t: &Scene) -> u64 {
    let (untyped, at) = (t.small_untyped(12), t.slot());
    must(CONTROL, Label::X86AsidControlMakePool, &[at, 64], &[untyped, ROOT]);
    at
}

pub fn make_pool_makes_a_pool_that_assigns(t: &Scene) {
    let (pool, vspace) = (pool(t), t.make(ObjectType::X64Pml4));
    must(pool, Label::X86AsidPoolAssign, &[], &[vspace]);
    must(t.make(ObjectType::X86Pdpt), Label::X86PdptMap, &[FAR, 0], &[vspace]);
}

pub fn make_pool_takes_an_untyped_of_4_kib_only(t: &Scene) {
    let device = t.slot();
    must(DEVICE, Label::UntypedRetype, &[ObjectType::Untyped as u64, 12, 0, 0, device, 1], &[ROOT]);
    for wrong in [t.small_untyped(11), t.small_untyped(13), t.frame(), NOTHING, device] {
        let words = [t.slot(), 64];
        let answer = refused(Error::InvalidCapability, CONTROL, Label::X86AsidControlMakePool, &words, &[wrong, ROOT]);
        equal(answer.words[0], 1, "which capability");
    }
}

pub fn make_pool_of_a_used_untyped_returns_revoke_first(t: &Scene) {
    let (untyped, child) = (t.small_untyped(12), t.slot());
    must(untyped, Label::UntypedRetype, &[ObjectType::Endpoint as u64, 0, 0, 0, child, 1], &[ROOT]);
    let words = [t.slot(), 64];
    refused(Error::RevokeFirst, CONTROL, Label::X86AsidControlMakePool, &words, &[untyped, ROOT]);
    t.delete(child);
    must(CONTROL, Label::X86AsidControlMakePool, &words, &[untyped, ROOT]);
}

pub fn make_pool_checks_its_destination(t: &Scene) {
    let (untyped, endpoint) = (t.small_untyped(12), t.endpoint());
    let label = Label::X86AsidControlMakePool;
    refused(Error::DeleteFirst, CONTROL, label, &[endpoint, 64], &[untyped, ROOT]);
    refused(Error::FailedLookup, CONTROL, label, &[t.slot(), 64], &[untyped, endpoint]);
    refused(Error::FailedLookup, CONTROL, label, &[t.slot(), 63], &[untyped, ROOT]);
    let guarded = t.mint(t.cnode(2), CNodeCapData::new(1, 2).0);
    refused(Error::FailedLookup, CONTROL, label, &[0, 4], &[untyped, guarded]);
    for depth in [0, 65] {
        let answer = refused(Error::RangeError, CONTROL, label, &[t.slot(), depth], &[untyped, ROOT]);
        equal([answer.words[0], answer.words[1]], [1, 64], "allowed depths");
    }
    refused(Error::TruncatedMessage, CONTROL, label, &[t.slot()], &[untyped, ROOT]);
    refused(Error::TruncatedMessage, CONTROL, label, &[t.slot(), 64], &[untyped]);
}

pub fn make_pool_returns_delete_first_when_there_are_no_more(t: &Scene) {
    // The initial thread's pool is one of them.
    (1..1 << ASID_POOL_COUNT_BITS).for_each(|_| _ = pool(t));
    let words = [t.slot(), 64];
    refused(Error::DeleteFirst, CONTROL, Label::X86AsidControlMakePool, &words, &[t.small_untyped(12), ROOT]);
}

pub fn a_deleted_pool_makes_room_for_another(t: &Scene) {
    let mut last = 0;
    (1..1 << ASID_POOL_COUNT_BITS).for_each(|_| last = pool(t));
    t.delete(last);
    pool(t);
}

pub fn assign_takes_a_vspace_without_an_asid_only(t: &Scene) {
    let assigned = t.vspace();
    for wrong in [assigned, slot::INIT_VSPACE, t.frame(), t.make(ObjectType::X86Pdpt), NOTHING] {
        let answer = refused(Error::InvalidCapability, POOL, Label::X86AsidPoolAssign, &[], &[wrong]);
        equal(answer.words[0], 1, "which capability");
    }
    refused(Error::TruncatedMessage, POOL, Label::X86AsidPoolAssign, &[], &[]);
}

pub fn assign_returns_delete_first_when_the_pool_is_full(t: &Scene) {
    let pool = pool(t);
    let count = 1u64 << ASID_POOL_INDEX_BITS;
    // ASID 0 stands for none: whichever pool has it gives one less.
    let first = t.slots(count + 1);
    for half in [0, count / 2] {
        let words = [ObjectType::X64Pml4 as u64, 0, 0, 0, first + half, count / 2];
        must(t.untyped, Label::UntypedRetype, &words, &[ROOT]);
    }
    must(t.untyped, Label::UntypedRetype, &[ObjectType::X64Pml4 as u64, 0, 0, 0, first + count, 1], &[ROOT]);
    (0..count).for_each(|index| _ = must(pool, Label::X86AsidPoolAssign, &[], &[first + index]));
    refused(Error::DeleteFirst, pool, Label::X86AsidPoolAssign, &[], &[first + count]);
    t.delete(first);
    must(pool, Label::X86AsidPoolAssign, &[], &[first + count]);
}

pub fn a_thread_whose_asid_pool_is_deleted_faults(t: &Scene) {
    let (pool, vspace) = (pool(t), t.make(ObjectType::X64Pml4));
    must(pool, Label::X86AsidPoolAssign, &[], &[vspace]);
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    must(thread.tcb, Label::TcbSetSpace, &[0, 0], &[faults, ROOT, vspace]);
    t.delete(pool);
    thread.start_with(&UserContext { rip: FAR, ..Default::default() });
    let fault = recv(faults, reply);
    equal((fault.label(), fault.word(0)), (fault::label::VM, FAR), "the fault and where");
}
