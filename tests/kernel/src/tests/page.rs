//! Frames: mapping with rights and attributes, anew and twice, unmapping, and pages of 2 MiB and 1 GiB.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::{invoke, must, refused};
use crate::scene::memory::{read, write};
use crate::scene::message::{recv, send};
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::fault::label;
use chestnut_abi::object::VmAttributes;
use chestnut_abi::{CapRights, Error, Label, ObjectType};

const VSPACE: u64 = slot::INIT_VSPACE;
const LARGE: u64 = 1 << 21;

fn map(frame: u64, address: u64) {
    must(frame, Label::X86PageMap, &[address, 3, 0], &[VSPACE]);
}

/// The address at which a thread that reads there faults; 0 if it doesn't.
fn fault_at(t: &Scene, address: u64) -> u64 {
    let (faults, reply) = (t.endpoint(), t.reply());
    shared::set(20, 0);
    let badged = t.mint(faults, 1);
    t.spawn_handled(ABOVE, badged, move || {
        read(address);
        shared::set(20, 1);
    });
    if shared::get(20) == 1 {
        return 0;
    }
    let fault = recv(faults, reply);
    equal(fault.label(), label::VM, "the fault");
    fault.word(1)
}

pub fn one_frame_seen_at_two_addresses(t: &Scene) {
    t.open_window();
    let (frame, first) = t.mapped_frame(0, CapRights::READ_WRITE, 0);
    let copy = t.copy(frame);
    map(copy, WINDOW + 0x7000);
    write(first + 16, 0x1234);
    equal(read(WINDOW + 0x7000 + 16), 0x1234, "what was written through the other mapping");
}

pub fn a_copy_taken_with_fewer_rights_cannot_be_written(t: &Scene) {
    t.open_window();
    let reader = t.copy_with(t.frame(), CapRights::READ);
    map(reader, WINDOW);
    let (faults, reply) = (t.endpoint(), t.reply());
    t.spawn_handled(ABOVE, faults, || write(WINDOW, 1));
    let fault = recv(faults, reply);
    equal(
        (fault.label(), fault.word(1), fault.word(3)),
        (label::VM, WINDOW, 7),
        "a write fault on a page that is there",
    );
}

pub fn unmap_takes_the_page_away(t: &Scene) {
    t.open_window();
    let (frame, address) = t.mapped_frame(2, CapRights::READ_WRITE, 0);
    equal(fault_at(t, address), 0, "whether a thread faults");
    must(frame, Label::X86PageUnmap, &[], &[]);
    equal(fault_at(t, address), address, "where a thread faults when it is unmapped");
    must(frame, Label::X86PageUnmap, &[], &[]);
    map(frame, address + 0x1000);
    equal(fault_at(t, address + 0x1000), 0, "whether a thread faults at its new place");
}

pub fn delete_takes_the_page_away(t: &Scene) {
    t.open_window();
    let (frame, address) = t.mapped_frame(2, CapRights::READ_WRITE, 0);
    write(address, 1);
    t.delete(frame);
    equal(fault_at(t, address), address, "where a thread faults");
}

pub fn a_copys_mapping_stays_when_the_other_is_unmapped(t: &Scene) {
    t.open_window();
    let (frame, first) = t.mapped_frame(0, CapRights::READ_WRITE, 0);
    let copy = t.copy(frame);
    map(copy, first + 0x1000);
    must(frame, Label::X86PageUnmap, &[], &[]);
    equal(fault_at(t, first + 0x1000), 0, "whether a thread faults at the copy's place");
    equal(fault_at(t, first), first, "where a thread faults at the other's");
}

pub fn mapping_anew_changes_rights_at_once(t: &Scene) {
    t.open_window();
    let (frame, address) = t.mapped_frame(0, CapRights::READ_WRITE, 0);
    write(address, 3);
    must(frame, Label::X86PageMap, &[address, CapRights::READ.0, 0], &[VSPACE]);
    let (faults, reply) = (t.endpoint(), t.reply());
    t.spawn_handled(ABOVE, faults, move || write(address, 4));
    equal(recv(faults, reply).word(3), 7, "the code of a write fault on a page that is there");
    map(frame, address);
    send(reply, 0, &[]);
    equal(read(address), 4, "what was written then");
}

pub fn mapping_anew_elsewhere_returns_invalid_argument(t: &Scene) {
    t.open_window();
    let (frame, address) = t.mapped_frame(0, CapRights::READ_WRITE, 0);
    let answer = refused(Error::InvalidArgument, frame, Label::X86PageMap, &[address + 0x1000, 3, 0], &[VSPACE]);
    equal(answer.words[0], 0, "which argument");
}

pub fn mapping_anew_in_another_vspace_returns_invalid_capability(t: &Scene) {
    t.open_window();
    let (frame, address) = t.mapped_frame(0, CapRights::READ_WRITE, 0);
    let other = t.vspace();
    let answer = refused(Error::InvalidCapability, frame, Label::X86PageMap, &[address, 3, 0], &[other]);
    equal(answer.words[0], 1, "which capability");
}

pub fn another_page_in_the_way_returns_delete_first(t: &Scene) {
    t.open_window();
    let (_, address) = t.mapped_frame(0, CapRights::READ_WRITE, 0);
    refused(Error::DeleteFirst, t.frame(), Label::X86PageMap, &[address, 3, 0], &[VSPACE]);
}

pub fn unaligned_addresses_return_alignment_error(t: &Scene) {
    t.open_window();
    for offset in [1, 8, 0x800, 0xfff] {
        refused(Error::AlignmentError, t.frame(), Label::X86PageMap, &[WINDOW + offset, 3, 0], &[VSPACE]);
    }
    let large = t.make(ObjectType::X86LargePage);
    for offset in [0x1000, LARGE / 2] {
        refused(Error::AlignmentError, large, Label::X86PageMap, &[WINDOW + LARGE + offset, 3, 0], &[VSPACE]);
    }
}

pub fn kernel_addresses_return_invalid_argument(t: &Scene) {
    for address in [0xffff_ff80_0000_0000, 0x8000_0000_0000, 0x7fff_ffff_f000, !0xfff] {
        let answer = refused(Error::InvalidArgument, t.frame(), Label::X86PageMap, &[address, 3, 0], &[VSPACE]);
        equal(answer.words[0], 0, "which argument");
    }
}

pub fn what_is_no_vspace_returns_invalid_capability(t: &Scene) {
    let table = t.open_window();
    for wrong in [t.endpoint(), table, NOTHING, t.make(ObjectType::X64Pml4)] {
        let answer = refused(Error::InvalidCapability, t.frame(), Label::X86PageMap, &[WINDOW, 3, 0], &[wrong]);
        equal(answer.words[0], 1, "which capability");
    }
    refused(Error::TruncatedMessage, t.frame(), Label::X86PageMap, &[WINDOW, 3], &[VSPACE]);
    refused(Error::TruncatedMessage, t.frame(), Label::X86PageMap, &[WINDOW, 3, 0], &[]);
}

pub fn all_attributes_are_taken(t: &Scene) {
    t.open_window();
    let attributes = [
        VmAttributes::WRITE_BACK,
        VmAttributes::WRITE_THROUGH,
        VmAttributes::CACHE_DISABLED,
        VmAttributes::UNCACHEABLE,
        VmAttributes::WRITE_COMBINING,
        VmAttributes::EXECUTE_NEVER,
    ];
    for (page, attribute) in attributes.into_iter().enumerate() {
        let (_, address) = t.mapped_frame(page as u64, CapRights::READ_WRITE, attribute);
        write(address, 77 + attribute);
        equal(read(address), 77 + attribute, "what was written");
    }
}

pub fn get_address_says_where_a_frame_is(t: &Scene) {
    let (frame, large) = (t.frame(), t.make(ObjectType::X86LargePage));
    let copy = t.copy(frame);
    equal(t.physical(frame), t.physical(copy), "addresses of a frame and its copy");
    equal((t.physical(frame) % 4096, t.physical(large) % LARGE), (0, 0), "offsets in a page");
    check(t.physical(frame) != t.physical(large), "they are two");
}

pub fn a_page_of_2_mib(t: &Scene) {
    let large = t.make(ObjectType::X86LargePage);
    let address = WINDOW + LARGE;
    map(large, address);
    for offset in [0, 0x1000, LARGE / 2, LARGE - 8] {
        write(address + offset, offset + 1);
    }
    for offset in [0, 0x1000, LARGE / 2, LARGE - 8] {
        equal(read(address + offset), offset + 1, "what was written");
    }
    must(large, Label::X86PageUnmap, &[], &[]);
    equal(fault_at(t, address + 0x3000), address + 0x3000, "where a thread faults when it is unmapped");
}

pub fn a_page_of_2_mib_under_a_page_table_returns_delete_first(t: &Scene) {
    t.open_window();
    let large = t.make(ObjectType::X86LargePage);
    refused(Error::DeleteFirst, large, Label::X86PageMap, &[WINDOW, 3, 0], &[VSPACE]);
}

/// Whether the processor has pages of 1 GiB.
fn has_huge_pages() -> bool {
    core::arch::x86_64::__cpuid(0x8000_0001).edx & 1 << 26 != 0
}

pub fn a_page_of_1_gib_where_the_processor_has_them(t: &Scene) {
    let (huge, vspace) = (t.slot(), t.vspace());
    let words = [ObjectType::X64HugePage as u64, 0, 0, 0, huge, 1];
    let made = invoke(DEVICE, Label::UntypedRetype, &words, &[slot::INIT_CNODE]);
    must(t.make(ObjectType::X86Pdpt), Label::X86PdptMap, &[FAR, 0], &[vspace]);
    let mapped = if made.label == 0 {
        invoke(huge, Label::X86PageMap, &[FAR, 3, 0], &[vspace])
    } else {
        check(made.is(Error::InvalidArgument), "an object that there is not is an invalid argument");
        made
    };
    equal(mapped.label == 0, has_huge_pages(), "whether such a page was mapped, and whether the processor has them");
    if mapped.label == 0 {
        let directory = t.make(ObjectType::X86PageDirectory);
        refused(Error::DeleteFirst, directory, Label::X86PageDirectoryMap, &[FAR, 0], &[vspace]);
        must(huge, Label::X86PageUnmap, &[], &[]);
        must(directory, Label::X86PageDirectoryMap, &[FAR, 0], &[vspace]);
    }
}

pub fn a_thread_in_another_vspace_sees_only_its_own_pages(t: &Scene) {
    // One page of code and data at an address that the root task's VSpace does not have.
    let (vspace, frame) = (t.vspace(), t.frame());
    for (kind, label) in [
        (ObjectType::X86Pdpt, Label::X86PdptMap),
        (ObjectType::X86PageDirectory, Label::X86PageDirectoryMap),
        (ObjectType::X86PageTable, Label::X86PageTableMap),
    ] {
        must(t.make(kind), label, &[FAR, 0], &[vspace]);
    }
    t.open_window();
    map(frame, WINDOW);
    // inc qword ptr [rip + 0x79] (7 bytes); ud2: the counter is at offset 0x80.
    write(WINDOW, u64::from_le_bytes([0x48, 0xff, 0x05, 0x79, 0, 0, 0, 0x0f]));
    write(WINDOW + 8, 0x0b);
    let copy = t.copy(frame);
    must(copy, Label::X86PageMap, &[FAR, 3, 0], &[vspace]);
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    must(thread.tcb, Label::TcbSetSpace, &[0, 0], &[faults, slot::INIT_CNODE, vspace]);
    thread.start_with(&chestnut_abi::UserContext { rip: FAR, ..Default::default() });
    let fault = recv(faults, reply);
    equal((fault.label(), fault.word(0)), (label::USER_EXCEPTION, FAR + 7), "the fault of its `ud2`");
    equal(read(WINDOW + 0x80), 1, "what it counted, seen from here");
    // The image is not mapped there.
    thread.write(&chestnut_abi::UserContext { rip: 0x40_0000, ..Default::default() });
    send(reply, 0, &[]);
    equal(recv(faults, reply).label(), label::VM, "the fault where only the root task has a page");
}
