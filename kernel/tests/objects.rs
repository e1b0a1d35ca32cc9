//! Objects and capabilities through the whole kernel, on the simulated machine: retype, the derivation tree, delete, revoke.

mod machine;

use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CapRights, Error, Label, MessageInfo, ObjectType, Syscall};
use chestnut_kernel::arch;
use chestnut_kernel::cap::Kind;
use machine::*;

fn label(error: Error) -> u64 {
    error as u64
}

#[test]
fn retype_makes_objects_side_by_side() {
    let m = Machine::boot();
    assert_eq!(m.retype(UNTYPED, ObjectType::Endpoint, 0, FREE, 3).label, 0);
    let first = m.cap(FREE).address();
    assert_eq!([1, 2].map(|i| m.cap(FREE + i).address()), [first + 16, first + 32]);
    assert_eq!(m.cap(FREE).kind(), Kind::Endpoint);
    assert!(m.cap(FREE + 3).is_null());
}

#[test]
fn retype_aligns_to_the_objects_size() {
    let m = Machine::boot();
    m.make(ObjectType::Endpoint, 0, FREE);
    m.make(ObjectType::X864K, 0, FREE + 1);
    assert_eq!(m.cap(FREE + 1).address() % 4096, 0);
}

#[test]
fn retype_refuses_what_does_not_fit() {
    let m = Machine::boot();
    assert_eq!(m.retype(UNTYPED, ObjectType::Untyped, 26, FREE, 1).label, label(Error::NotEnoughMemory));
    assert_eq!(m.retype(UNTYPED, ObjectType::Untyped, 24, FREE, 3).label, label(Error::NotEnoughMemory));
    assert_eq!(m.retype(UNTYPED, ObjectType::Untyped, 3, FREE, 1).label, label(Error::RangeError));
    assert_eq!(m.retype(UNTYPED, ObjectType::CapTable, 0, FREE, 1).label, label(Error::InvalidArgument));
    assert_eq!(m.retype(UNTYPED, ObjectType::Endpoint, 0, FREE, 257).label, label(Error::RangeError));
    assert_eq!(m.retype(UNTYPED, ObjectType::Endpoint, 0, FREE, 0).label, label(Error::RangeError));
    assert_eq!(m.invoke(UNTYPED, Label::UntypedRetype, &[99, 0, 0, 0, FREE, 1], &[slot::INIT_CNODE]).label, 1);
    assert_eq!(m.retype(UNTYPED, ObjectType::Endpoint, 0, slot::INIT_TCB, 1).label, label(Error::DeleteFirst));
    assert_eq!(m.retype(DEVICE, ObjectType::Endpoint, 0, FREE, 1).label, label(Error::InvalidArgument));
    assert_eq!(m.retype(DEVICE, ObjectType::X864K, 0, FREE, 1).label, 0);
}

#[test]
fn an_untyped_is_free_again_when_its_children_are_gone() {
    let m = Machine::boot();
    m.make(ObjectType::Untyped, 24, FREE);
    m.make(ObjectType::Untyped, 24, FREE + 1);
    assert_eq!(m.retype(UNTYPED, ObjectType::Endpoint, 0, FREE + 2, 1).label, label(Error::NotEnoughMemory));
    assert_eq!(m.revoke(UNTYPED).label, 0);
    assert!(m.cap(FREE).is_null() && m.cap(FREE + 1).is_null());
    m.make(ObjectType::Untyped, 25, FREE + 2);
}

#[test]
fn memory_is_cleared_before_it_is_used_again() {
    let m = Machine::boot();
    m.make(ObjectType::X864K, 0, FREE);
    let word = core::ptr::with_exposed_provenance_mut::<u64>(m.window + m.cap(FREE).address() as usize);
    // SAFETY: a frame that a user program would write.
    unsafe { word.write_volatile(0xdead) };
    assert_eq!(m.delete(FREE).label, 0);
    m.make(ObjectType::X864K, 0, FREE);
    // SAFETY: as above.
    assert_eq!(unsafe { word.read_volatile() }, 0);
}

#[test]
fn memory_that_was_used_through_a_copy_of_the_untyped_is_cleared_too() {
    let m = Machine::boot();
    m.make(ObjectType::Untyped, 12, FREE);
    assert_eq!(m.copy(FREE, FREE + 1, CapRights::ALL).label, 0);
    assert_eq!(m.retype(FREE + 1, ObjectType::X864K, 0, FREE + 2, 1).label, 0);
    let word = core::ptr::with_exposed_provenance_mut::<u64>(m.window + m.cap(FREE + 2).address() as usize);
    // SAFETY: a frame that a user program would write.
    unsafe { word.write_volatile(0xdead) };
    assert_eq!(m.retype(FREE, ObjectType::X864K, 0, FREE + 3, 1).label, label(Error::NotEnoughMemory));
    assert_eq!(m.revoke(FREE).label, 0);
    assert_eq!(m.retype(FREE, ObjectType::X864K, 0, FREE + 3, 1).label, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { word.read_volatile() }, 0);
}

#[test]
fn copies_are_revoked_with_their_original_and_siblings_are_not() {
    let m = Machine::boot();
    m.make(ObjectType::Endpoint, 0, FREE);
    m.mint(FREE, FREE + 1, 5);
    m.copy(FREE + 1, FREE + 2, CapRights::ALL);
    m.mint(FREE, FREE + 3, 5);
    assert_eq!(m.revoke(FREE + 1).label, 0);
    assert!(m.cap(FREE + 2).is_null(), "the copy of the badged one goes");
    assert!(!m.cap(FREE + 3).is_null(), "another family with the same badge stays");
    assert_eq!(m.revoke(FREE).label, 0);
    assert!(m.cap(FREE + 1).is_null() && m.cap(FREE + 3).is_null());
    assert!(!m.cap(FREE).is_null());
}

#[test]
fn deleting_the_head_of_a_badge_family_does_not_merge_families() {
    let m = Machine::boot();
    m.make(ObjectType::Endpoint, 0, FREE);
    m.mint(FREE, FREE + 1, 5);
    m.copy(FREE + 1, FREE + 2, CapRights::ALL);
    m.mint(FREE, FREE + 3, 5);
    m.delete(FREE + 1);
    m.revoke(FREE + 3);
    assert!(!m.cap(FREE + 2).is_null(), "the orphaned copy isn't the other family's");
}

#[test]
fn rights_only_shrink() {
    let m = Machine::boot();
    m.make(ObjectType::Endpoint, 0, FREE);
    m.copy(FREE, FREE + 1, CapRights::READ);
    m.copy(FREE + 1, FREE + 2, CapRights::ALL);
    assert_eq!(m.cap(FREE + 2).rights(), CapRights::READ);
}

#[test]
fn a_badge_is_given_once() {
    let m = Machine::boot();
    m.make(ObjectType::Endpoint, 0, FREE);
    assert_eq!(m.mint(FREE, FREE + 1, 7).label, 0);
    assert_eq!(m.mint(FREE + 1, FREE + 2, 8).label, label(Error::IllegalOperation));
}

#[test]
fn move_and_rotate_keep_the_place_in_the_tree() {
    let m = Machine::boot();
    m.make(ObjectType::Endpoint, 0, FREE);
    m.mint(FREE, FREE + 1, 1);
    let words = [FREE + 10, 64, FREE + 1, 64];
    m.must(slot::INIT_CNODE, Label::CNodeMove, &words, &[slot::INIT_CNODE]);
    assert!(m.cap(FREE + 1).is_null());
    m.make(ObjectType::Tcb, 0, FREE + 2);
    // Swap the endpoint capability with the TCB's.
    let words = [FREE + 10, 64, 0, FREE + 2, 64, 0, FREE + 10, 64];
    m.must(slot::INIT_CNODE, Label::CNodeRotate, &words, &[slot::INIT_CNODE, slot::INIT_CNODE]);
    assert_eq!((m.cap(FREE + 10).kind(), m.cap(FREE + 2).kind()), (Kind::Tcb, Kind::Endpoint));
    m.revoke(FREE);
    assert!(m.cap(FREE + 2).is_null());
    assert_eq!(m.cap(FREE + 10).kind(), Kind::Tcb);
}

#[test]
fn deleting_a_cnode_deletes_what_is_in_it() {
    let m = Machine::boot();
    m.make(ObjectType::CapTable, 4, FREE);
    m.make(ObjectType::Endpoint, 0, FREE + 1);
    // Into the CNode: depth 4 within it.
    let words = [3, 4, FREE + 1, 64, 15];
    m.must(FREE, Label::CNodeCopy, &words, &[slot::INIT_CNODE]);
    assert!(m.slot(FREE + 1).first_descendant().is_some());
    m.must(slot::INIT_CNODE, Label::CNodeDelete, &[FREE, 64], &[]);
    assert!(m.cap(FREE).is_null());
    assert!(m.slot(FREE + 1).first_descendant().is_none());
}

/// Makes a chain of CNodes, each in slot 1 of the one before, and a self-reference in slot 0 of each.
fn chain(m: Machine, length: u64) {
    m.make(ObjectType::CapTable, 2, FREE);
    for _ in 1..length {
        m.make(ObjectType::CapTable, 2, FREE + 1);
        // The chain so far moves into slot 1 of the new one.
        m.must(FREE + 1, Label::CNodeMove, &[1, 2, FREE, 64], &[slot::INIT_CNODE]);
        m.must(FREE + 1, Label::CNodeCopy, &[0, 2, FREE + 1, 64, 15], &[slot::INIT_CNODE]);
        // With its self-reference the CNode would keep itself alive: take that away again every time but here keep one copy in 2.
        m.must(FREE + 1, Label::CNodeDelete, &[0, 2], &[]);
        m.must(slot::INIT_CNODE, Label::CNodeMove, &[FREE, 64, FREE + 1, 64], &[slot::INIT_CNODE]);
    }
}

#[test]
fn a_deep_chain_of_cnodes_is_deleted_without_recursion() {
    let m = Machine::boot();
    // Long enough for hundreds of preemption points, at each of which the call is left and made again.
    chain(m, 2000);
    assert_eq!(m.delete(FREE).label, 0);
    assert!(m.cap(FREE).is_null());
    assert!(m.slot(UNTYPED).first_descendant().is_none(), "nothing of the chain is left");
}

#[test]
fn cnodes_that_hold_each_other_are_deleted() {
    let m = Machine::boot();
    m.make(ObjectType::CapTable, 2, FREE);
    m.make(ObjectType::CapTable, 2, FREE + 1);
    m.must(FREE, Label::CNodeCopy, &[1, 2, FREE + 1, 64, 15], &[slot::INIT_CNODE]);
    m.must(FREE + 1, Label::CNodeCopy, &[1, 2, FREE, 64, 15], &[slot::INIT_CNODE]);
    m.delete(FREE);
    m.delete(FREE + 1);
    assert_eq!(m.revoke(UNTYPED).label, 0);
    assert!(m.slot(UNTYPED).first_descendant().is_none());
    m.make(ObjectType::Untyped, 25, FREE + 2);
}

#[test]
fn a_cnode_in_its_own_slot_is_reclaimed_by_revoking_the_untyped() {
    let m = Machine::boot();
    m.make(ObjectType::CapTable, 2, FREE);
    m.must(FREE, Label::CNodeMove, &[0, 2, FREE, 64], &[slot::INIT_CNODE]);
    assert!(m.slot(UNTYPED).first_descendant().is_some());
    assert_eq!(m.revoke(UNTYPED).label, 0);
    assert!(m.slot(UNTYPED).first_descendant().is_none());
}

#[test]
fn what_is_left_in_a_cnode_that_holds_itself_goes_too() {
    let m = Machine::boot();
    m.make(ObjectType::Untyped, 14, FREE);
    m.retype(FREE, ObjectType::CapTable, 2, FREE + 1, 1);
    // Below its own capability, in slot 2, are an endpoint that must end, and above it nothing.
    m.make(ObjectType::Endpoint, 0, FREE + 2);
    m.must(FREE + 1, Label::CNodeMove, &[1, 2, FREE + 2, 64], &[slot::INIT_CNODE]);
    m.must(FREE + 1, Label::CNodeMove, &[2, 2, FREE + 1, 64], &[slot::INIT_CNODE]);
    assert_eq!(m.revoke(FREE).label, 0);
    // The untyped that the endpoint was made of has only the smaller untyped left.
    m.delete(FREE);
    assert!(m.slot(UNTYPED).first_descendant().is_none());
}

/// A container that holds the last capability to itself can be reached by revoking only, which goes on until nothing descends from what is
/// revoked, however often it is preempted.
#[test]
fn large_cnodes_that_hold_themselves_and_each_other_go_in_a_revoke_that_is_preempted() {
    const BITS: u64 = 8;
    const LAST: u64 = (1 << BITS) - 1;
    // Whose slots hold whose capability: each its own, in a circle, and one that holds itself twice.
    for slots in [[(0, 0), (1, 1), (2, 2)], [(0, 1), (1, 2), (2, 0)], [(0, 0), (0, 1), (1, 2)]] {
        for place in [0, 1, LAST / 2, LAST] {
            let m = Machine::boot();
            m.make(ObjectType::Untyped, 20, FREE);
            m.retype(FREE, ObjectType::CapTable, BITS, FREE + 1, 3);
            m.make(ObjectType::Endpoint, 0, FREE + 4);
            for node in 0..3 {
                for index in (0..=LAST).filter(|&index| index != place && index != (place + 1) & LAST) {
                    let words = [index, BITS, FREE + 4, 64, 15];
                    m.must(FREE + 1 + node, Label::CNodeCopy, &words, &[slot::INIT_CNODE]);
                }
            }
            for (node, held) in slots {
                let empty = [place, (place + 1) & LAST].into_iter().find(|&index| {
                    let words = [index, BITS, FREE + 1 + held, 64, 15];
                    m.invoke(FREE + 1 + node, Label::CNodeCopy, &words, &[slot::INIT_CNODE]).label == 0
                });
                assert!(empty.is_some(), "there is a place for it");
            }
            (0..3).for_each(|node| assert_eq!(m.delete(FREE + 1 + node).label, 0));
            assert!(m.slot(FREE).first_descendant().is_some(), "they keep themselves alive");
            let before = arch::now();
            assert_eq!(m.revoke(FREE).label, 0);
            assert!(arch::now() - before > 10_000, "it was preempted more than ten times");
            assert!(m.slot(FREE).first_descendant().is_none(), "nothing is left");
            assert_eq!(m.retype(FREE, ObjectType::Untyped, 20, FREE + 1, 1).label, 0);
            // SAFETY: nothing of the machine is used any more.
            unsafe { m.end() };
        }
    }
}

#[test]
fn a_thread_and_its_cspace_that_hold_each_other_are_deleted_in_any_order() {
    for first in [ObjectType::CapTable, ObjectType::Tcb] {
        let m = Machine::boot();
        let second = if first == ObjectType::Tcb { ObjectType::CapTable } else { ObjectType::Tcb };
        m.make(ObjectType::Untyped, 14, FREE + 10);
        for kind in [first, second] {
            let at = if kind == ObjectType::Tcb { FREE } else { FREE + 5 };
            m.retype(FREE + 10, kind, 4, at, 1);
        }
        m.must(FREE, Label::TcbConfigure, &[0, 0, 0], &[FREE + 5, slot::INIT_VSPACE, 0]);
        m.must(FREE + 5, Label::CNodeMove, &[1, 4, FREE, 64], &[slot::INIT_CNODE]);
        m.delete(FREE + 5);
        assert_eq!(m.revoke(FREE + 10).label, 0);
        assert!(m.slot(FREE + 10).first_descendant().is_none());
    }
}

#[test]
fn deleting_a_tcb_empties_its_slots() {
    let m = Machine::boot();
    m.make(ObjectType::CapTable, 2, FREE + 5);
    m.thread(FREE, 10, 1000);
    m.must(FREE, Label::TcbConfigure, &[0, 0, 0], &[FREE + 5, slot::INIT_VSPACE, 0]);
    assert!(!m.slot(FREE + 5).is_final());
    m.delete(FREE);
    assert!(m.slot(FREE + 5).is_final());
    assert!(m.cap(FREE + 1).as_sched_context(m.kernel()).unwrap().tcb.is_none());
}

#[test]
fn a_thread_that_holds_its_own_cspace_goes_with_its_last_capability() {
    let m = Machine::boot();
    m.make(ObjectType::CapTable, 4, FREE + 5);
    m.thread(FREE, 10, 1000);
    m.must(FREE, Label::TcbConfigure, &[0, 0, 0], &[FREE + 5, slot::INIT_VSPACE, 0]);
    // The TCB's capability moves into the CNode that is its own CSpace, of which no other capability is left.
    m.must(FREE + 5, Label::CNodeMove, &[1, 4, FREE, 64], &[slot::INIT_CNODE]);
    m.delete(FREE + 5);
    assert_eq!(m.revoke(UNTYPED).label, 0);
    assert!(m.slot(UNTYPED).first_descendant().is_none());
}

#[test]
fn frames_are_mapped_remapped_and_unmapped() {
    let m = Machine::boot();
    let address = 0x1000_0000;
    m.make(ObjectType::X864K, 0, FREE);
    let map = |at: u64| m.invoke(FREE, Label::X86PageMap, &[at, CapRights::READ_WRITE.0, 0], &[slot::INIT_VSPACE]);
    let missing = map(address);
    assert_eq!((missing.label, missing.words[2]), (label(Error::FailedLookup), 39));
    for (index, (kind, label)) in [
        (ObjectType::X86Pdpt, Label::X86PdptMap),
        (ObjectType::X86PageDirectory, Label::X86PageDirectoryMap),
        (ObjectType::X86PageTable, Label::X86PageTableMap),
    ]
    .into_iter()
    .enumerate()
    {
        m.make(kind, 0, FREE + 1 + index as u64);
        m.must(FREE + 1 + index as u64, label, &[address, 0], &[slot::INIT_VSPACE]);
    }
    assert_eq!(map(address + 5).label, label(Error::AlignmentError));
    assert_eq!(map(address).label, 0);
    assert_eq!(map(address).label, 0, "with other rights perhaps");
    assert_eq!(map(address + 4096).label, label(Error::InvalidArgument), "it is mapped elsewhere");
    m.copy(FREE, FREE + 10, CapRights::ALL);
    let other = m.invoke(FREE + 10, Label::X86PageMap, &[address, 3, 0], &[slot::INIT_VSPACE]);
    assert_eq!(other.label, label(Error::DeleteFirst));
    m.delete(FREE);
    m.must(FREE + 10, Label::X86PageMap, &[address, 3, 0], &[slot::INIT_VSPACE]);
    assert_eq!(m.invoke(FREE + 10, Label::X86PageMap, &[1 << 47, 3, 0], &[slot::INIT_VSPACE]).label, 1);
}

#[test]
fn io_ports_are_issued_once() {
    let m = Machine::boot();
    let issue = |first: u64, last: u64, to: u64| {
        m.invoke(slot::IO_PORT_CONTROL, Label::X86IoPortControlIssue, &[first, last, to, 64], &[slot::INIT_CNODE])
    };
    assert_eq!(issue(0x3f8, 0x3ff, FREE).label, 0);
    assert_eq!(issue(0x3ff, 0x400, FREE + 1).label, label(Error::RevokeFirst));
    assert_eq!(issue(0x400, 0x3ff, FREE + 1).label, label(Error::InvalidArgument));
    assert_eq!(m.invoke(FREE, Label::X86IoPortIn8, &[0x3f7], &[]).label, label(Error::IllegalOperation));
    assert_eq!(m.must(FREE, Label::X86IoPortIn8, &[0x3f8], &[]).words[0], 0xff);
    m.delete(FREE);
    assert_eq!(issue(0x3ff, 0x400, FREE + 1).label, 0);
}

#[test]
fn interrupts_are_issued_once_and_signal() {
    let m = Machine::boot();
    let issue = |vector: u64, to: u64| {
        let words = [to, 64, 0, 4, 0, 0, vector];
        m.invoke(slot::IRQ_CONTROL, Label::X86IrqIssueIrqHandlerIoApic, &words, &[slot::INIT_CNODE])
    };
    assert_eq!(issue(4, FREE).label, 0);
    assert_eq!(issue(4, FREE + 1).label, label(Error::RevokeFirst));
    assert_eq!(issue(110, FREE + 1).label, label(Error::RangeError));
    m.make(ObjectType::Notification, 0, FREE + 2);
    m.mint(FREE + 2, FREE + 3, 0x40);
    m.must(FREE, Label::IrqSetIrqHandler, &[], &[FREE + 3]);
    chestnut_kernel::entry::interrupt(4);
    let notification = m.cap(FREE + 2).as_notification(m.kernel()).unwrap();
    assert!(notification.active.get());
    assert_eq!(notification.badge.get(), 0x40);
    m.delete(FREE);
    assert_eq!(issue(4, FREE + 1).label, 0);
}

#[test]
fn the_last_capability_to_a_notification_may_be_an_interrupts() {
    let m = Machine::boot();
    let words = [FREE, 64, 0, 4, 0, 0, 4];
    m.must(slot::IRQ_CONTROL, Label::X86IrqIssueIrqHandlerIoApic, &words, &[slot::INIT_CNODE]);
    for end in [Label::IrqClearIrqHandler, Label::CNodeDelete] {
        m.make(ObjectType::Notification, 0, FREE + 1);
        m.must(slot::INIT_TCB, Label::TcbBindNotification, &[], &[FREE + 1]);
        m.must(FREE, Label::IrqSetIrqHandler, &[], &[FREE + 1]);
        // Somebody waits for the interrupt.
        m.thread(FREE + 2, 254, 1000);
        m.must(slot::INIT_TCB, Label::TcbSetPriority, &[1], &[slot::INIT_TCB]);
        m.system_call(Syscall::Wait, FREE + 1, MessageInfo::new(0, 0, 0, 0), [0; 4], 0);
        m.must(slot::INIT_TCB, Label::TcbSetPriority, &[255], &[slot::INIT_TCB]);
        m.delete(FREE + 1);
        assert!(!m.root_thread().bound_notification.is_none());
        match end {
            Label::CNodeDelete => m.delete(FREE),
            end => m.must(FREE, end, &[], &[]),
        };
        assert!(m.root_thread().bound_notification.is_none(), "bound to a notification that is gone");
        assert!(m.tcb(FREE + 2).waiting_on.is_none(), "waits at a notification that is gone");
        m.delete(FREE + 2);
        m.delete(FREE + 3);
    }
}
