//! A machine with something of everything, for random sequences to play with.

use super::{DEVICE, FREE, Machine, UNTYPED};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CNodeCapData, CapRights, Label, ObjectType};

/// Slots from [`FREE`] on that the threads play with.
pub const SLOTS: u64 = 112;
/// Threads of the scene, each with its scheduling context in the slot behind.
pub const THREADS: u64 = 6;
/// Small untypeds, from which most objects are made, so that memory is used again and again.
pub const PLAYGROUNDS: u64 = 4;
/// Slot of the first of them.
pub const PLAYGROUND: u64 = FREE + 2 * THREADS;
/// Addresses at which things are mapped.
pub const PLACES: [u64; 8] =
    [0x40_0000, 0x40_1000, 0x40_2000, 0x60_0000, 0x80_0000, 0x4000_0000, 0x8000_0000, 0x7fff_ffff_e000];

pub fn scene() -> Machine {
    let m = Machine::boot();
    for index in 0..THREADS {
        m.thread(FREE + 2 * index, 1 + index % 2, 1000);
    }
    for index in 0..PLAYGROUNDS {
        m.make(ObjectType::Untyped, 15 + index, PLAYGROUND + index);
    }
    let mut next = PLAYGROUND + PLAYGROUNDS;
    let mut make = |kind, bits, count| {
        let first = next;
        for _ in 0..count {
            m.make(kind, bits, next);
            next += 1;
        }
        first
    };
    let endpoints = make(ObjectType::Endpoint, 0, 4);
    make(ObjectType::Reply, 0, 4);
    make(ObjectType::Notification, 0, 3);
    let contexts = make(ObjectType::SchedContext, 8, 2);
    let cnodes = make(ObjectType::CapTable, 4, 2);
    let frames = make(ObjectType::X864K, 0, 4);
    let roots = make(ObjectType::X64Pml4, 0, 2);
    let tables = make(ObjectType::X86Pdpt, 0, 1);
    make(ObjectType::X86PageDirectory, 0, 1);
    make(ObjectType::X86PageTable, 0, 1);
    let pools = make(ObjectType::Untyped, 12, 1);
    let (handler, ports, second_pool) = (pools + 1, pools + 2, pools + 3);

    // Two more address spaces, one of them with tables.
    let words = [second_pool, 64];
    m.must(slot::ASID_CONTROL, Label::X86AsidControlMakePool, &words, &[pools, slot::INIT_CNODE]);
    m.must(slot::INIT_ASID_POOL, Label::X86AsidPoolAssign, &[], &[roots]);
    m.must(second_pool, Label::X86AsidPoolAssign, &[], &[roots + 1]);
    let maps = [Label::X86PdptMap, Label::X86PageDirectoryMap, Label::X86PageTableMap];
    for (index, label) in maps.into_iter().enumerate() {
        m.must(tables + index as u64, label, &[PLACES[0], 0], &[roots]);
    }
    m.must(frames, Label::X86PageMap, &[PLACES[0], CapRights::READ_WRITE.0, 0], &[roots]);

    // A device.
    let words = [handler, 64, 0, 4, 0, 0, 4];
    m.must(slot::IRQ_CONTROL, Label::X86IrqIssueIrqHandlerIoApic, &words, &[slot::INIT_CNODE]);
    m.must(slot::IO_PORT_CONTROL, Label::X86IoPortControlIssue, &[8, 15, ports, 64], &[slot::INIT_CNODE]);
    m.retype(DEVICE, ObjectType::X864K, 0, second_pool + 1, 1);

    // A CNode in front of the root CNode, as the CSpace of two threads: the same addresses by two steps.
    let inner = CNodeCapData::new(0, 0).0;
    let words = [0, 4, slot::INIT_CNODE, 64, CapRights::ALL.0, inner];
    m.must(cnodes, Label::CNodeMint, &words, &[slot::INIT_CNODE]);
    let outer = CNodeCapData::new(0, 64 - 4 - super::CNODE_BITS).0;
    // Another, small one: a CSpace that can be taken away from the thread that has it.
    let small = CNodeCapData::new(0, 60).0;
    for (index, from) in [(1, slot::INIT_TCB), (2, slot::INIT_CNODE), (3, endpoints), (4, endpoints + 4)] {
        let words = [index, 4, from, 64, CapRights::ALL.0];
        m.must(cnodes + 1, Label::CNodeCopy, &words, &[slot::INIT_CNODE]);
    }
    for index in 0..THREADS {
        let at = FREE + 2 * index;
        let root = if index >= 4 { roots + index % 2 } else { slot::INIT_VSPACE };
        if index >= 4 {
            m.must(at, Label::TcbSetSpace, &[outer, 0], &[endpoints, cnodes, root]);
        } else if index == 3 {
            m.must(at, Label::TcbSetSpace, &[small, 0], &[endpoints, cnodes + 1, root]);
        } else {
            m.must(at, Label::TcbSetSpace, &[0, 0], &[endpoints + index % 2, slot::INIT_CNODE, root]);
        }
        let buffer = if index % 2 == 0 { slot::INIT_IPC_BUFFER } else { frames + index / 2 };
        m.must(at, Label::TcbSetIpcBuffer, &[PLACES[0] + 0x400 * (index % 4)], &[buffer]);
        m.must(at, Label::TcbSetMcpriority, &[3], &[slot::INIT_TCB]);
    }
    // One thread is sporadic, one reports the end of its budget, and one context is for notifications.
    m.must(slot::FIRST_FREE, Label::SchedControlConfigureFlags, &[300, 2000, 4, 7, 1], &[FREE + 3]);
    m.must(FREE + 4, Label::TcbSetTimeoutEndpoint, &[], &[endpoints + 2]);
    m.must(slot::FIRST_FREE, Label::SchedControlConfigureFlags, &[500, 3000, 2, 8, 0], &[contexts]);
    m.must(slot::INIT_TCB, Label::TcbSetPriority, &[1], &[slot::INIT_TCB]);
    debug_assert!(second_pool + 1 < FREE + SLOTS / 2 && m.cap(UNTYPED).untyped_free() > 0);
    m
}
