//! A thread's spaces: CSpace, VSpace, IPC buffer and fault handler, by Configure, SetSpace and SetIPCBuffer.

use crate::check::equal;
use crate::scene::fixed::{ABOVE, DEVICE, FAULTS, MAIN, NOTHING};
use crate::scene::invoke::{must, refused};
use crate::scene::message::{self, recv, signal, wait};
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CNodeCapData, CapRights, Error, Label, ObjectType, UserContext, fault};

const ROOT: u64 = slot::INIT_CNODE;
const VSPACE: u64 = slot::INIT_VSPACE;

/// A CNode of 16 slots with a notification in slot 1, and that notification.
fn small_cspace(t: &Scene) -> (u64, u64) {
    let (node, notification) = (t.cnode(4), t.notification());
    let badged = t.mint(notification, 0x10);
    must(node, Label::CNodeMove, &[1, 4, badged, 64], &[ROOT]);
    (node, notification)
}

/// Executes nothing more.
fn stop() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Guard that makes indices of a CNode of 16 slots capability pointers.
const PLAIN: u64 = CNodeCapData::new(0, 60).0;

pub fn configure_gives_a_thread_its_own_cspace(t: &Scene) {
    let (node, notification) = small_cspace(t);
    let thread = t.thread(MAIN);
    let buffer = t.frame();
    must(thread.tcb, Label::TcbConfigure, &[PLAIN, 0, thread.block], &[node, VSPACE, buffer]);
    thread.start(|| {
        signal(1);
        // Nothing else is in its CSpace: it has to stop here.
        stop();
    });
    equal(wait(notification).badge, 0x10, "what the thread signalled through its capability pointer 1");
}

pub fn configure_checks_the_cspace(t: &Scene) {
    let (tcb, frame) = (t.tcb(), t.frame());
    let (node, _) = small_cspace(t);
    for root in [t.endpoint(), frame, NOTHING] {
        refused(Error::IllegalOperation, tcb, Label::TcbConfigure, &[0, 0, 0], &[root, VSPACE, frame]);
    }
    let too_long = CNodeCapData::new(0, 61).0;
    refused(Error::IllegalOperation, tcb, Label::TcbConfigure, &[too_long, 0, 0], &[node, VSPACE, frame]);
    // An untyped with children can't be derived from.
    refused(Error::RevokeFirst, tcb, Label::TcbConfigure, &[0, 0, 0], &[t.untyped, VSPACE, frame]);
}

pub fn configure_checks_the_vspace(t: &Scene) {
    let (tcb, frame) = (t.tcb(), t.frame());
    let without_asid = t.make(ObjectType::X64Pml4);
    for vspace in [t.endpoint(), frame, t.make(ObjectType::X86PageTable), without_asid, NOTHING] {
        refused(Error::IllegalOperation, tcb, Label::TcbConfigure, &[0, 0, 0], &[ROOT, vspace, frame]);
    }
    refused(Error::RevokeFirst, tcb, Label::TcbConfigure, &[0, 0, 0], &[ROOT, t.untyped, frame]);
}

pub fn configure_checks_the_buffer(t: &Scene) {
    let (tcb, frame, address) = (t.tcb(), t.frame(), 0x3000_0000);
    let device = t.slot();
    must(DEVICE, Label::UntypedRetype, &[ObjectType::X864K as u64, 0, 0, 0, device, 1], &[ROOT]);
    for buffer in [t.endpoint(), device, NOTHING] {
        refused(Error::IllegalOperation, tcb, Label::TcbConfigure, &[0, 0, address], &[ROOT, VSPACE, buffer]);
    }
    refused(Error::RevokeFirst, tcb, Label::TcbConfigure, &[0, 0, address], &[ROOT, VSPACE, t.untyped]);
    for wrong in [1, 8, 512, 1023] {
        let words = [0, 0, address + wrong];
        refused(Error::AlignmentError, tcb, Label::TcbConfigure, &words, &[ROOT, VSPACE, frame]);
    }
    must(tcb, Label::TcbConfigure, &[0, 0, address + 1024], &[ROOT, VSPACE, frame]);
}

pub fn configure_returns_truncated_message(t: &Scene) {
    let (tcb, frame) = (t.tcb(), t.frame());
    refused(Error::TruncatedMessage, tcb, Label::TcbConfigure, &[0, 0], &[ROOT, VSPACE, frame]);
    refused(Error::TruncatedMessage, tcb, Label::TcbConfigure, &[0, 0, 0], &[ROOT, VSPACE]);
    refused(Error::TruncatedMessage, tcb, Label::TcbSetSpace, &[0, 0], &[FAULTS, ROOT]);
    refused(Error::TruncatedMessage, tcb, Label::TcbSetIpcBuffer, &[0x3000_0000], &[]);
}

pub fn set_space_sends_faults_to_the_handler(t: &Scene) {
    let (faults, reply) = (t.endpoint(), t.reply());
    let badged = t.mint(faults, 9);
    let thread = t.thread(ABOVE);
    must(thread.tcb, Label::TcbSetSpace, &[0, 0], &[badged, ROOT, VSPACE]);
    thread.start(|| chestnut_runtime::start::fault());
    let message = recv(faults, reply);
    equal((message.badge, message.label()), (9, fault::label::USER_EXCEPTION), "badge and label of the fault");
}

pub fn set_space_takes_no_handler_for_none(t: &Scene) {
    let thread = t.thread(ABOVE);
    must(thread.tcb, Label::TcbSetSpace, &[0, 0], &[NOTHING, ROOT, VSPACE]);
    thread.start(|| {
        shared::set(0, 1);
        chestnut_runtime::start::fault()
    });
    // The thread faulted and stopped; this one, below it, goes on.
    equal(shared::get(0), 1, "whether the thread ran");
}

pub fn set_space_checks_the_handlers_rights(t: &Scene) {
    let (tcb, faults) = (t.tcb(), t.endpoint());
    let rights = |rights| t.copy_with(faults, rights);
    let bad = [
        rights(CapRights::READ.union(CapRights::GRANT)),
        rights(CapRights::READ_WRITE),
        rights(CapRights::WRITE),
        t.notification(),
        t.tcb(),
    ];
    for handler in bad {
        let answer = refused(Error::InvalidCapability, tcb, Label::TcbSetSpace, &[0, 0], &[handler, ROOT, VSPACE]);
        equal(answer.words[0], 1, "which capability");
    }
    for good in [CapRights::WRITE.union(CapRights::GRANT), CapRights::WRITE.union(CapRights::GRANT_REPLY)] {
        must(tcb, Label::TcbSetSpace, &[0, 0], &[rights(good), ROOT, VSPACE]);
    }
}

pub fn set_space_checks_cspace_and_vspace(t: &Scene) {
    let tcb = t.tcb();
    let (node, _) = small_cspace(t);
    for (cspace, vspace) in [(t.endpoint(), VSPACE), (ROOT, t.endpoint()), (ROOT, t.make(ObjectType::X64Pml4))] {
        refused(Error::IllegalOperation, tcb, Label::TcbSetSpace, &[0, 0], &[FAULTS, cspace, vspace]);
    }
    let too_long = CNodeCapData::new(0, 61).0;
    refused(Error::IllegalOperation, tcb, Label::TcbSetSpace, &[too_long, 0], &[FAULTS, node, VSPACE]);
    refused(Error::RevokeFirst, tcb, Label::TcbSetSpace, &[0, 0], &[FAULTS, t.untyped, VSPACE]);
    refused(Error::RevokeFirst, tcb, Label::TcbSetSpace, &[0, 0], &[FAULTS, ROOT, t.untyped]);
}

pub fn set_space_takes_effect_on_the_next_system_call(t: &Scene) {
    let (node, notification) = small_cspace(t);
    let go = t.notification();
    let thread = t.spawn(ABOVE, move || {
        wait(go);
        signal(1);
        // Nothing else is in its CSpace: it has to stop here.
        stop();
    });
    must(thread.tcb, Label::TcbSetSpace, &[PLAIN, 0], &[FAULTS, node, VSPACE]);
    thread.set_priority(MAIN);
    signal(go);
    equal(wait(notification).badge, 0x10, "what the thread signalled in its new CSpace");
}

pub fn set_ipc_buffer_moves_long_messages(t: &Scene) {
    t.open_window();
    let (frame, address) = t.mapped_frame(0, CapRights::READ_WRITE, 0);
    let (endpoint, buffer) = (t.endpoint(), t.copy(frame));
    let thread = t.thread(ABOVE);
    must(thread.tcb, Label::TcbSetIpcBuffer, &[address + 1024], &[buffer]);
    thread.start(move || {
        wait(endpoint);
    });
    message::send(endpoint, 1, &[0, 1, 2, 3, 44, 55]);
    let word = |index: u64| crate::scene::memory::read(address + 1024 + 8 + index * 8);
    equal([word(4), word(5)], [44, 55], "words 4 and 5 in the new buffer");
}

pub fn set_ipc_buffer_without_an_address_takes_the_buffer_away(t: &Scene) {
    let endpoint = t.endpoint();
    let thread = t.thread(ABOVE);
    must(thread.tcb, Label::TcbSetIpcBuffer, &[0], &[NOTHING]);
    thread.start(move || {
        let message = wait(endpoint);
        shared::set(0, message.length() as u64);
        shared::set(1, message.registers[3]);
    });
    message::send(endpoint, 1, &[10, 11, 12, 13, 14, 15]);
    equal((shared::get(0), shared::get(1)), (4, 13), "words that arrive without a buffer, and the fourth of them");
}

pub fn set_ipc_buffer_checks_frame_and_address(t: &Scene) {
    let (tcb, frame, address) = (t.tcb(), t.frame(), 0x3000_0000);
    let device = t.slot();
    must(DEVICE, Label::UntypedRetype, &[ObjectType::X864K as u64, 0, 0, 0, device, 1], &[ROOT]);
    for buffer in [t.endpoint(), device, NOTHING] {
        refused(Error::IllegalOperation, tcb, Label::TcbSetIpcBuffer, &[address], &[buffer]);
    }
    refused(Error::RevokeFirst, tcb, Label::TcbSetIpcBuffer, &[address], &[t.untyped]);
    refused(Error::AlignmentError, tcb, Label::TcbSetIpcBuffer, &[address + 4], &[frame]);
    must(tcb, Label::TcbSetIpcBuffer, &[address], &[frame]);
}

pub fn a_thread_whose_vspace_is_deleted_faults_at_its_next_instruction(t: &Scene) {
    let (faults, reply, root) = (t.endpoint(), t.reply(), t.vspace());
    let thread = t.thread(ABOVE);
    must(thread.tcb, Label::TcbSetSpace, &[0, 0], &[faults, ROOT, root]);
    t.delete(root);
    thread.start_with(&UserContext { rip: 0x1234_5000, ..Default::default() });
    let fault = recv(faults, reply);
    equal((fault.label(), fault.word(0)), (fault::label::VM, 0x1234_5000), "the fault and its address");
}
