//! Paging structures: PDPTs, page directories and page tables, level by level.

use crate::check::equal;
use crate::scene::Scene;
use crate::scene::fixed::*;
use crate::scene::invoke::{must, refused};
use crate::scene::memory::{read, write};
use chestnut_abi::layout::{KERNEL_WINDOW, USER_END};
use chestnut_abi::{Error, Label, LookupFailure, ObjectType};

const PDPT: ObjectType = ObjectType::X86Pdpt;
const DIRECTORY: ObjectType = ObjectType::X86PageDirectory;
const TABLE: ObjectType = ObjectType::X86PageTable;

/// The structures from the top: type, Map, Unmap.
const LEVELS: [(ObjectType, Label, Label); 3] = [
    (PDPT, Label::X86PdptMap, Label::X86PdptUnmap),
    (DIRECTORY, Label::X86PageDirectoryMap, Label::X86PageDirectoryUnmap),
    (TABLE, Label::X86PageTableMap, Label::X86PageTableUnmap),
];

/// Maps the first `count` structures for `address`; returns their capabilities.
#[track_caller]
fn build(t: &Scene, vspace: u64, address: u64, count: usize) -> [u64; 3] {
    let mut made = [0; 3];
    for (index, (kind, map, _)) in LEVELS.into_iter().enumerate().take(count) {
        made[index] = t.make(kind);
        must(made[index], map, &[address, 0], &[vspace]);
    }
    made
}

pub fn all_levels_are_mapped_in_order(t: &Scene) {
    let vspace = chestnut_abi::bootinfo::slot::INIT_VSPACE;
    build(t, vspace, FAR, 3);
    let frame = t.frame();
    must(frame, Label::X86PageMap, &[FAR + 0x5000, 3, 0], &[vspace]);
    write(FAR + 0x5008, 99);
    equal(read(FAR + 0x5008), 99, "what was written far away");
}

pub fn a_missing_level_returns_failed_lookup(t: &Scene) {
    let vspace = t.vspace();
    // How many address bits are left to translate where the walk ends.
    for (present, bits_left) in [(0, 39), (1, 30), (2, 21)] {
        let address = FAR + (1 << 39) * (present as u64 + 1);
        build(t, vspace, address, present);
        let failure = Some(LookupFailure::MissingCapability { bits_left });
        for (kind, map, _) in LEVELS.into_iter().skip(present + 1) {
            let answer = refused(Error::FailedLookup, t.make(kind), map, &[address, 0], &[vspace]);
            equal((answer.words[0], answer.lookup_failure()), (0, failure), "which lookup, and how far it came");
        }
        let answer = refused(Error::FailedLookup, t.frame(), Label::X86PageMap, &[address, 3, 0], &[vspace]);
        equal(answer.lookup_failure(), failure, "how far the frame's lookup came");
    }
}

pub fn a_structure_in_the_way_returns_delete_first(t: &Scene) {
    let vspace = t.vspace();
    build(t, vspace, FAR, 3);
    for (kind, map, _) in LEVELS {
        refused(Error::DeleteFirst, t.make(kind), map, &[FAR, 0], &[vspace]);
        refused(Error::DeleteFirst, t.make(kind), map, &[FAR + 0x1000, 0], &[vspace]);
    }
}

pub fn a_large_page_in_the_way_returns_delete_first(t: &Scene) {
    let vspace = t.vspace();
    build(t, vspace, FAR, 2);
    must(t.make(ObjectType::X86LargePage), Label::X86PageMap, &[FAR, 3, 0], &[vspace]);
    refused(Error::DeleteFirst, t.make(TABLE), Label::X86PageTableMap, &[FAR, 0], &[vspace]);
    refused(Error::DeleteFirst, t.frame(), Label::X86PageMap, &[FAR, 3, 0], &[vspace]);
    refused(Error::DeleteFirst, t.make(ObjectType::X86LargePage), Label::X86PageMap, &[FAR, 3, 0], &[vspace]);
}

pub fn kernel_addresses_return_invalid_argument(t: &Scene) {
    let vspace = t.vspace();
    for address in [KERNEL_WINDOW, 0xffff_ffff_8000_0000, 0x8000_0000_0000, u64::MAX] {
        for (kind, map, _) in LEVELS {
            let answer = refused(Error::InvalidArgument, t.make(kind), map, &[address, 0], &[vspace]);
            equal(answer.words[0], 0, "which argument");
        }
    }
}

pub fn what_is_no_vspace_returns_invalid_capability(t: &Scene) {
    let vspace = t.vspace();
    let [pdpt, ..] = build(t, vspace, FAR, 1);
    for wrong in [t.endpoint(), pdpt, NOTHING, t.make(ObjectType::X64Pml4)] {
        for (kind, map, _) in LEVELS {
            let answer = refused(Error::InvalidCapability, t.make(kind), map, &[FAR, 0], &[wrong]);
            equal(answer.words[0], 1, "which capability");
        }
    }
}

pub fn a_structure_that_is_mapped_already_returns_invalid_capability(t: &Scene) {
    let vspace = t.vspace();
    let made = build(t, vspace, FAR, 3);
    for (cap, (_, map, _)) in made.into_iter().zip(LEVELS) {
        let answer = refused(Error::InvalidCapability, cap, map, &[FAR + (1 << 40), 0], &[vspace]);
        equal(answer.words[0], 0, "which capability");
    }
}

pub fn a_vspace_whose_asid_pool_is_gone_returns_failed_lookup(t: &Scene) {
    let (untyped, pool, root) = (t.small_untyped(12), t.slot(), t.make(ObjectType::X64Pml4));
    let cnode = chestnut_abi::bootinfo::slot::INIT_CNODE;
    let control = chestnut_abi::bootinfo::slot::ASID_CONTROL;
    must(control, Label::X86AsidControlMakePool, &[pool, 64], &[untyped, cnode]);
    must(pool, Label::X86AsidPoolAssign, &[], &[root]);
    build(t, root, FAR, 2);
    t.delete(pool);
    for (kind, map, _) in LEVELS {
        refused(Error::FailedLookup, t.make(kind), map, &[FAR + (1 << 40), 0], &[root]);
    }
    refused(Error::FailedLookup, t.frame(), Label::X86PageMap, &[FAR, 3, 0], &[root]);
}

pub fn unmapping_makes_room_for_another(t: &Scene) {
    let vspace = t.vspace();
    let made = build(t, vspace, FAR, 3);
    for (cap, (kind, map, unmap)) in made.into_iter().zip(LEVELS).rev() {
        must(cap, unmap, &[], &[]);
        let other = t.make(kind);
        must(other, map, &[FAR, 0], &[vspace]);
        must(other, unmap, &[], &[]);
        must(cap, map, &[FAR, 0], &[vspace]);
        must(cap, unmap, &[], &[]);
    }
}

pub fn unmapping_what_is_not_mapped_succeeds(t: &Scene) {
    for (kind, _, unmap) in LEVELS {
        must(t.make(kind), unmap, &[], &[]);
    }
}

pub fn unmapping_with_a_copy_returns_revoke_first(t: &Scene) {
    let vspace = t.vspace();
    let made = build(t, vspace, FAR, 3);
    for (cap, (_, _, unmap)) in made.into_iter().zip(LEVELS).rev() {
        let copy = t.copy(cap);
        refused(Error::RevokeFirst, cap, unmap, &[], &[]);
        refused(Error::RevokeFirst, copy, unmap, &[], &[]);
        t.delete(copy);
        must(cap, unmap, &[], &[]);
    }
}

pub fn deleting_a_page_table_unmaps_what_is_below(t: &Scene) {
    let vspace = chestnut_abi::bootinfo::slot::INIT_VSPACE;
    let (faults, reply) = (t.endpoint(), t.reply());
    let table = t.open_window();
    let (_, address) = t.mapped_frame(0, chestnut_abi::CapRights::READ_WRITE, 0);
    write(address, 5);
    t.delete(table);
    t.spawn_handled(ABOVE, faults, move || {
        read(address);
    });
    let fault = crate::scene::message::recv(faults, reply);
    equal((fault.label(), fault.word(1)), (chestnut_abi::fault::label::VM, address), "the fault");
    // Another table begins empty.
    t.open_window();
    let frame = t.frame();
    must(frame, Label::X86PageMap, &[address, 3, 0], &[vspace]);
    equal(read(address), 0, "a word of the other frame");
}

pub fn the_last_user_page_is_never_mapped(t: &Scene) {
    let vspace = t.vspace();
    build(t, vspace, USER_END - 0x1000, 3);
    must(t.frame(), Label::X86PageMap, &[USER_END - 0x1000, 3, 0], &[vspace]);
    refused(Error::InvalidArgument, t.frame(), Label::X86PageMap, &[USER_END, 3, 0], &[vspace]);
}

pub fn missing_arguments_return_truncated_message(t: &Scene) {
    let vspace = t.vspace();
    for (kind, map, _) in LEVELS {
        refused(Error::TruncatedMessage, t.make(kind), map, &[FAR], &[vspace]);
        refused(Error::TruncatedMessage, t.make(kind), map, &[FAR, 0], &[]);
    }
}
