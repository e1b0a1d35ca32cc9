//! What the kernel tells and gives the root task at boot.

use crate::check::{between, check, equal};
use crate::driver::boot_info;
use crate::scene::Scene;
use crate::scene::fixed::*;
use crate::scene::invoke::{must, refused};
use crate::scene::memory::{read, write};
use chestnut_abi::bootinfo::{SlotRegion, UntypedDesc, slot};
use chestnut_abi::object::{MAX_UNTYPED_BITS, MIN_UNTYPED_BITS};
use chestnut_abi::{CapRights, Error, Label, ObjectType};

fn untypeds() -> &'static [UntypedDesc] {
    let info = boot_info();
    &info.untyped_list[..(info.untyped.end - info.untyped.start) as usize]
}

pub fn one_node_one_domain_no_iommu(_: &Scene) {
    let info = boot_info();
    equal((info.node_id, info.num_nodes), (0, 1), "this node and the number of nodes");
    equal(info.num_iopt_levels, u64::MAX, "levels of I/O page tables");
    equal(info.init_domain, 0, "the initial domain");
}

pub fn the_fixed_slots_hold_what_they_should(t: &Scene) {
    // Each answers to an invocation of its kind, or is empty.
    must(slot::INIT_TCB, Label::TcbSetFlags, &[0, 0], &[]);
    must(slot::INIT_CNODE, Label::CNodeDelete, &[NOTHING, 64], &[]);
    must(slot::INIT_SCHED_CONTEXT, Label::SchedContextConsumed, &[], &[]);
    must(slot::BOOT_INFO_FRAME, Label::X86PageGetAddress, &[], &[]);
    must(slot::INIT_IPC_BUFFER, Label::X86PageGetAddress, &[], &[]);
    must(slot::DOMAIN, Label::DomainSetSet, &[0], &[t.tcb()]);
    let full = [slot::INIT_VSPACE, slot::IRQ_CONTROL, slot::ASID_CONTROL, slot::INIT_ASID_POOL, slot::IO_PORT_CONTROL];
    for cap in full {
        refused(Error::IllegalOperation, cap, Label::TcbSuspend, &[], &[]);
    }
    for empty in [slot::NULL, slot::IO_SPACE, slot::SMMU_SID_CONTROL, slot::SMMU_CB_CONTROL, slot::SMC] {
        refused(Error::InvalidCapability, empty, Label::TcbSuspend, &[], &[]);
    }
}

pub fn regions_of_slots_lie_in_the_root_cnode_apart_from_each_other(_: &Scene) {
    let info = boot_info();
    let regions = [
        info.empty,
        info.user_image_frames,
        info.user_image_paging,
        info.extra_bi_pages,
        info.sched_control,
        info.untyped,
        info.shared_frames,
        info.io_space_caps,
    ];
    let filled = |region: &SlotRegion| region.start < region.end;
    for (index, region) in regions.iter().enumerate().filter(|(_, region)| filled(region)) {
        check(region.start >= slot::FIRST_FREE || region.end <= slot::FIRST_FREE, "the fixed slots are apart");
        check(region.end <= 1 << info.init_cnode_size_bits, "the region ends in the CNode");
        for other in regions[index + 1..].iter().filter(|region| filled(region)) {
            check(region.end <= other.start || other.end <= region.start, "two regions are apart");
        }
    }
    equal(info.empty.end, 1 << info.init_cnode_size_bits, "where the empty slots end");
    equal(info.sched_control.end - info.sched_control.start, 1, "scheduling controls");
}

pub fn untypeds_are_aligned_and_apart(_: &Scene) {
    let list = untypeds();
    check(!list.is_empty(), "there are some");
    for (index, one) in list.iter().enumerate() {
        between(one.size_bits.into(), MIN_UNTYPED_BITS, MAX_UNTYPED_BITS, "size in bits");
        equal(one.paddr & ((1 << one.size_bits) - 1), 0, "the address's offset in a piece of that size");
        for other in &list[index + 1..] {
            let apart =
                one.paddr + (1 << one.size_bits) <= other.paddr || other.paddr + (1 << other.size_bits) <= one.paddr;
            check(apart, "two untypeds are apart");
        }
    }
}

pub fn untypeds_cover_most_of_ram_and_the_space_above_it(_: &Scene) {
    let sum =
        |device: u8| untypeds().iter().filter(|u| u.is_device == device).map(|u| 1u64 << u.size_bits).sum::<u64>();
    check(sum(0) > 64 << 20, "there are more than 64 MiB of RAM");
    check(sum(1) > 1 << 46, "device memory reaches far up");
    let first_mib =
        untypeds().iter().filter(|u| u.is_device == 1 && u.paddr < 1 << 20).map(|u| 1u64 << u.size_bits).sum::<u64>();
    equal(first_mib, 1 << 20, "bytes of the first MiB that are device memory");
}

pub fn an_untyped_gives_frames_where_it_says(t: &Scene) {
    // A child of device memory begins where the device untyped does, or behind what was made of it before.
    let (index, untyped) =
        untypeds().iter().enumerate().find(|(_, u)| u.is_device == 1 && u.paddr > 0).expect("device memory");
    let at = t.slot();
    let cap = boot_info().untyped.start + index as u64;
    must(cap, Label::UntypedRetype, &[ObjectType::X864K as u64, 0, 0, 0, at, 1], &[slot::INIT_CNODE]);
    let end = untyped.paddr + (1 << untyped.size_bits);
    between(t.physical(at), untyped.paddr, end - 4096, "the frame's address");
}

pub fn the_image_is_mapped_by_frames_of_the_root_task(t: &Scene) {
    // The frame capability that covers a static of this program, mapped a second time, shows the same memory.
    static PLACE: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);
    const IMAGE: u64 = 0x40_0000;
    let address = PLACE.as_ptr() as u64;
    let frame = boot_info().user_image_frames.start + (address - IMAGE) / 4096;
    t.open_window();
    let copy = t.copy(frame);
    must(copy, Label::X86PageMap, &[WINDOW, 3, 0], &[slot::INIT_VSPACE]);
    PLACE.store(0x1234_5678, core::sync::atomic::Ordering::SeqCst);
    equal(read(WINDOW + address % 4096), 0x1234_5678, "what the program wrote, seen through the other mapping");
    write(WINDOW + address % 4096, 5);
    equal(PLACE.load(core::sync::atomic::Ordering::SeqCst), 5, "what was written through it");
}

pub fn the_first_mib_can_be_read_for_tables(t: &Scene) {
    // Firmware tables are between 0xe0000 and 0xfffff: the BIOS's reset vector is there, too.
    let index = untypeds()
        .iter()
        .position(|u| u.is_device == 1 && u.paddr <= 0xf_f000 && u.paddr + (1 << u.size_bits) > 0xf_f000);
    let cap = boot_info().untyped.start + index.expect("an untyped with the firmware's memory") as u64;
    let untyped = untypeds()[index.unwrap_or(0)];
    let pages = (0xf_f000 - untyped.paddr) / 4096 + 1;
    let first = t.slots(pages);
    for page in 0..pages {
        must(cap, Label::UntypedRetype, &[ObjectType::X864K as u64, 0, 0, 0, first + page, 1], &[slot::INIT_CNODE]);
    }
    equal(t.physical(first + pages - 1), 0xf_f000, "the last page's address");
    t.open_window();
    must(first + pages - 1, Label::X86PageMap, &[WINDOW, CapRights::READ.0, 0], &[slot::INIT_VSPACE]);
    const FAR_JUMP: u64 = 0xea;
    equal(read(WINDOW + 0xff0) & 0xff, FAR_JUMP, "the first byte at the reset vector");
}
