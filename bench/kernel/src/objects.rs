//! Invocations of the kernel's objects: threads, capabilities, memory.

use crate::report::{Took, between, row, rows};
use crate::shot::Shot;
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CapRights, Label, ObjectType, Syscall, UserContext};
use chestnut_kernel_tests::check::equal;
use chestnut_kernel_tests::scene::Scene;
use chestnut_kernel_tests::scene::fixed::{BELOW, SCHED_CONTROL, SLICE_US, WINDOW};
use chestnut_kernel_tests::scene::invoke::must;
use chestnut_kernel_tests::scene::message::encode;

static SHOT: Shot = Shot::new();
const ROOT: u64 = slot::INIT_CNODE;

/// Makes an invocation that has to succeed and says how long it took.
#[track_caller]
pub fn timed(cap: u64, label: Label, words: &[u64], caps: &[u64]) -> Took {
    let (info, registers) = encode(label as u64, words, caps);
    SHOT.aim(Syscall::Call, cap, info, registers);
    SHOT.fire();
    equal(SHOT.result().label(), 0, "the error of a measured invocation");
    between(SHOT.before(), SHOT.after())
}

pub fn threads(t: &Scene) {
    let thread = t.thread(BELOW);
    thread.start_with(&UserContext { rip: 0x1000, rsp: thread.stack(), ..Default::default() });
    let mut priority = BELOW;
    row(format_args!("set-priority.ready"), || {
        priority = 2 * BELOW - 1 - priority;
        timed(thread.tcb, Label::TcbSetPriority, &[priority], &[slot::INIT_TCB])
    });
    rows(format_args!("ready"), ["suspend", "resume"], || {
        [timed(thread.tcb, Label::TcbSuspend, &[], &[]), timed(thread.tcb, Label::TcbResume, &[], &[])]
    });
    thread.suspend();
    row(format_args!("read-registers"), || timed(thread.tcb, Label::TcbReadRegisters, &[0, 20], &[]));
    let mut words = [0; 22];
    words[1] = 20;
    words[2..].copy_from_slice(&thread.read().to_words());
    row(format_args!("write-registers"), || timed(thread.tcb, Label::TcbWriteRegisters, &words, &[]));
    create_and_destroy(t);
}

/// All that a thread needs but memory for its stack: the sum of the invocations.
fn create_and_destroy(t: &Scene) {
    let untyped = t.small_untyped(12);
    let (tcb, context) = (t.slot(), t.slot());
    let retype =
        |kind: ObjectType, bits, at| timed(untyped, Label::UntypedRetype, &[kind as u64, bits, 0, 0, at, 1], &[ROOT]);
    let mut words = [0; 22];
    words[1] = 20;
    rows(format_args!("thread"), ["create", "destroy"], || {
        let mut create = retype(ObjectType::Tcb, 0, tcb) + retype(ObjectType::SchedContext, 8, context);
        create += timed(tcb, Label::TcbConfigure, &[0, 0, 0], &[ROOT, slot::INIT_VSPACE, slot::NULL]);
        create += timed(tcb, Label::TcbSetPriority, &[BELOW], &[slot::INIT_TCB]);
        let budget = [SLICE_US, SLICE_US, 0, 0, 0];
        create += timed(SCHED_CONTROL, Label::SchedControlConfigureFlags, &budget, &[context]);
        create += timed(context, Label::SchedContextBind, &[], &[tcb]);
        create += timed(tcb, Label::TcbWriteRegisters, &words, &[]);
        create += timed(tcb, Label::TcbResume, &[], &[]);
        let destroy = delete(tcb) + delete(context);
        [create, destroy]
    });
}

fn delete(at: u64) -> Took {
    timed(ROOT, Label::CNodeDelete, &[at, 64], &[])
}

pub fn copy(from: u64, to: u64) -> Took {
    timed(ROOT, Label::CNodeCopy, &[to, 64, from, 64, CapRights::ALL.0], &[ROOT])
}

pub fn capabilities(t: &Scene) {
    let (endpoint, to, third) = (t.endpoint(), t.slot(), t.slot());
    rows(format_args!("capability"), ["copy", "move", "delete"], || {
        let copied = copy(endpoint, to);
        let moved = timed(ROOT, Label::CNodeMove, &[third, 64, to, 64], &[ROOT]);
        [copied, moved, delete(third)]
    });
    row(format_args!("mint.capability"), || {
        let words = [to, 64, endpoint, 64, CapRights::ALL.0, 5];
        let took = timed(ROOT, Label::CNodeMint, &words, &[ROOT]);
        delete(to);
        took
    });
    let untyped = t.small_untyped(5);
    row(format_args!("delete.endpoint"), || {
        must(untyped, Label::UntypedRetype, &[ObjectType::Endpoint as u64, 0, 0, 0, to, 1], &[ROOT]);
        delete(to)
    });
    t.open_window();
    let frame = t.frame();
    row(format_args!("delete.mapped-frame"), || {
        copy(frame, to);
        must(to, Label::X86PageMap, &[WINDOW, 3, 0], &[slot::INIT_VSPACE]);
        delete(to)
    });
    let first = t.slots(1000);
    row(format_args!("revoke.1000"), || {
        for at in first..first + 1000 {
            copy(endpoint, at);
        }
        timed(ROOT, Label::CNodeRevoke, &[endpoint, 64], &[])
    });
}

pub fn retype(t: &Scene) {
    let first = t.slots(256);
    for (kind, name, bits) in
        [(ObjectType::Endpoint, "endpoint", 13), (ObjectType::Tcb, "tcb", 20), (ObjectType::X864K, "frame", 21)]
    {
        let untyped = t.small_untyped(bits);
        for count in [1, 256] {
            row(format_args!("retype.{name}.{count}"), || {
                let words = [kind as u64, 0, 0, 0, first, count];
                let took = timed(untyped, Label::UntypedRetype, &words, &[ROOT]);
                must(ROOT, Label::CNodeRevoke, &[untyped, 64], &[]);
                took
            });
        }
    }
}

/// Pages are mapped one by one, as the interface has it: the sums.
pub fn pages(t: &Scene) {
    const MOST: u64 = 2048;
    for window in 0..MOST / 512 {
        let table = t.make(ObjectType::X86PageTable);
        must(table, Label::X86PageTableMap, &[WINDOW + (window << 21), 0], &[slot::INIT_VSPACE]);
    }
    let first = t.slots(MOST);
    for at in (first..first + MOST).step_by(256) {
        must(t.untyped, Label::UntypedRetype, &[ObjectType::X864K as u64, 0, 0, 0, at, 256], &[ROOT]);
    }
    for count in [1, 512, 2048] {
        let each =
            |once: &dyn Fn(u64, u64) -> Took| (0..count).map(|page| once(first + page, WINDOW + page * 4096)).sum();
        rows(format_args!("{count}"), ["map", "protect", "unmap"], || {
            [
                each(&|frame, address| timed(frame, Label::X86PageMap, &[address, 3, 0], &[slot::INIT_VSPACE])),
                each(&|frame, address| timed(frame, Label::X86PageMap, &[address, 2, 0], &[slot::INIT_VSPACE])),
                each(&|frame, _| timed(frame, Label::X86PageUnmap, &[], &[])),
            ]
        });
    }
}
