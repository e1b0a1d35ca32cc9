//! What the driver makes once of the root task's capabilities.
//!
//! A capability that can't be made here is a kernel on which no test could run: that is said on the debug console and by the fault that follows.

use super::console::{COM1, DEBUG_PORT, EXIT_PORT};
use crate::scene::fixed::*;
use crate::scene::invoke::invoke;
use crate::scene::shared;
use chestnut_abi::bootinfo::{ChunkHeader, UntypedDesc, chunk, slot};
use chestnut_abi::{BootInfo, CapRights, Label, ObjectType};
use chestnut_runtime::cap::{CNode, IoPort, IoPortControl, PageTable, Slot, Untyped, VSpace};
use chestnut_runtime::logger;

const PAGE: u64 = 4096;

/// Makes everything that [`crate::scene::fixed`] names.
pub fn capabilities(info: &'static BootInfo) {
    let ports = IoPortControl(slot::IO_PORT_CONTROL);
    for (first, last, at) in
        [(DEBUG_PORT, DEBUG_PORT, DEBUG_CONSOLE), (COM1, COM1 + 7, CONSOLE), (EXIT_PORT, EXIT_PORT, EXIT)]
    {
        ports.issue(first, last, Slot::own(at)).expect("issuing the driver's ports");
        if at == DEBUG_CONSOLE {
            logger::init(IoPort(at));
        }
    }
    assert!(info.empty.start <= SCHED_CONTROL && TEST_SLOTS.end <= info.empty.end, "the root CNode is large enough");
    copy(info.sched_control.start, SCHED_CONTROL);
    let piece = |bits: u64, device: bool| {
        let list = &info.untyped_list[..(info.untyped.end - info.untyped.start) as usize];
        let fits = |untyped: &&UntypedDesc| untyped.size_bits as u64 >= bits && (untyped.is_device != 0) == device;
        let best = list.iter().filter(fits).min_by_key(|untyped| untyped.size_bits).expect("an untyped of that size");
        let place = list.iter().position(|untyped| untyped.paddr == best.paddr).unwrap_or(0);
        info.untyped.start + place as u64
    };
    let make = |from: u64, kind: ObjectType, bits: u64, at: u64| {
        Untyped(from).retype(kind, bits, CNode::OWN, at, 1).expect("making one of the driver's objects");
    };
    // The larger one first: both may come from the same untyped.
    make(piece(ARENA_BITS + 1, false), ObjectType::Untyped, ARENA_BITS, ARENA);
    make(piece(DRIVER_UNTYPED_BITS + 1, false), ObjectType::Untyped, DRIVER_UNTYPED_BITS, DRIVER_UNTYPED);
    make(piece(31, true), ObjectType::Untyped, 31, DEVICE);
    make(DRIVER_UNTYPED, ObjectType::Endpoint, 0, DRIVER);
    make(DRIVER_UNTYPED, ObjectType::Reply, 0, DRIVER_REPLY);
    make(DRIVER_UNTYPED, ObjectType::Notification, 0, PARK);
    for (at, badge) in [(FINISHED, BADGE_FINISHED), (FAULTS, BADGE_FAULT), (TIME_IS_UP, BADGE_TIME)] {
        Slot::own(at).mint_from(Slot::own(DRIVER), CapRights::ALL, badge).expect("badging the driver's endpoint");
    }
    let table = DRIVER_SLOTS.start;
    make(DRIVER_UNTYPED, ObjectType::X86PageTable, 0, table);
    PageTable(table).map(VSpace::OWN, BLOCKS, 0).expect("mapping the page table of the threads' memory");
    shared::set_ticks_per_us(ticks_per_us(info));
    invoke(
        slot::INIT_TCB,
        Label::TcbSetSchedParams,
        &[HIGHEST, HIGHEST],
        &[slot::INIT_TCB, slot::INIT_SCHED_CONTEXT, 0],
    );
}

fn copy(from: u64, to: u64) {
    Slot::own(to).copy_from(Slot::own(from), CapRights::ALL).expect("copying one of the root task's capabilities");
}

/// The time-stamp counter's rate, from the chunks behind bootinfo.
fn ticks_per_us(info: &'static BootInfo) -> u64 {
    let base = core::ptr::from_ref(info).addr() as u64 + PAGE;
    let mut offset = 0;
    while offset + size_of::<ChunkHeader>() as u64 <= info.extra_len {
        // SAFETY: the kernel maps `extra_len` bytes of chunks behind bootinfo's page, each with a header.
        let header = unsafe { ((base + offset) as *const ChunkHeader).read_unaligned() };
        if header.id == chunk::X86_TSC_FREQ {
            // SAFETY: this chunk is a u32 behind its header.
            return unsafe { ((base + offset + size_of::<ChunkHeader>() as u64) as *const u32).read_unaligned() }
                .into();
        }
        assert!(header.len >= size_of::<ChunkHeader>() as u64, "a chunk of extra bootinfo has a length");
        offset += header.len;
    }
    panic!("bootinfo doesn't say how fast the time-stamp counter is")
}
