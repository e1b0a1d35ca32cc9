//! The same paths with many other threads, capabilities and queued senders about: what should cost the same at any size.

use crate::objects::{copy, timed};
use crate::report::{between, row, rows};
use crate::shot::Shot;
use chestnut_abi::bootinfo::{UntypedDesc, slot};
use chestnut_abi::{CapRights, Label, MessageInfo, ObjectType, Syscall, UserContext};
use chestnut_kernel_tests::driver::boot_info;
use chestnut_kernel_tests::scene::Scene;
use chestnut_kernel_tests::scene::fixed::{ABOVE, BELOW, SCHED_CONTROL, SLICE_US};
use chestnut_kernel_tests::scene::invoke::must;
use chestnut_runtime::sys;

static CLIENT: Shot = Shot::new();
static SERVER: Shot = Shot::new();
const ROOT: u64 = slot::INIT_CNODE;
/// How many there are, one step after the other.
const SIZES: [u64; 3] = [10, 1_000, 10_000];
/// Slots of the CNode that holds what is many, as a power of two; their capabilities are used through copies in the root CNode.
const CROWD_BITS: u64 = 15;
const CONTEXT_BITS: u64 = 8;
/// Room for the CNode, the threads and their scheduling contexts.
const MEMORY_BITS: u64 = 26;

/// Many objects, in a CNode of their own.
struct Crowd<'a> {
    t: &'a Scene,
    memory: u64,
    cnode: u64,
    /// Where copies of their capabilities go to be used.
    thread: u64,
    context: u64,
}

impl<'a> Crowd<'a> {
    fn new(t: &'a Scene) -> Self {
        let info = boot_info();
        let list = &info.untyped_list[..(info.untyped.end - info.untyped.start) as usize];
        let fits = |untyped: &&UntypedDesc| u64::from(untyped.size_bits) > MEMORY_BITS && untyped.is_device == 0;
        let place = list.iter().position(|untyped| fits(&untyped)).unwrap_or(0);
        let memory = t.slot();
        let words = [ObjectType::Untyped as u64, MEMORY_BITS, 0, 0, memory, 1];
        must(info.untyped.start + place as u64, Label::UntypedRetype, &words, &[ROOT]);
        let cnode = t.slot();
        must(memory, Label::UntypedRetype, &[ObjectType::CapTable as u64, CROWD_BITS, 0, 0, cnode, 1], &[ROOT]);
        Self { t, memory, cnode, thread: t.slot(), context: t.slot() }
    }

    /// Makes objects in slots `first..last` of the crowd's CNode.
    fn make(&self, kind: ObjectType, bits: u64, first: u64, last: u64) {
        for at in (first..last).step_by(256) {
            let words = [kind as u64, bits, 0, 0, at, (last - at).min(256)];
            must(self.memory, Label::UntypedRetype, &words, &[self.cnode]);
        }
    }

    /// Copies a capability from the crowd's CNode to a slot of the root CNode; the last one there goes.
    fn take(&self, at: u64, to: u64) {
        self.t.delete(to);
        must(ROOT, Label::CNodeCopy, &[to, 64, at, CROWD_BITS, CapRights::ALL.0], &[self.cnode]);
    }

    /// Thread `index` with a scheduling context, ready to be resumed with these registers.
    fn prepare(&self, index: u64, context: u64, priority: u64, registers: &UserContext) {
        self.take(index, self.thread);
        self.take(context, self.context);
        must(self.thread, Label::TcbConfigure, &[0, 0, 0], &[ROOT, slot::INIT_VSPACE, slot::NULL]);
        must(self.thread, Label::TcbSetPriority, &[priority], &[slot::INIT_TCB]);
        must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[SLICE_US, SLICE_US, 0, 0, 0], &[self.context]);
        must(self.context, Label::SchedContextBind, &[], &[self.thread]);
        let mut words = [0; 22];
        words[1] = 20;
        words[2..].copy_from_slice(&registers.to_words());
        must(self.thread, Label::TcbWriteRegisters, &words, &[]);
        must(self.thread, Label::TcbResume, &[], &[]);
    }
}

impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        self.t.revoke(self.memory);
        self.t.delete(self.memory);
    }
}

/// With many threads ready below the ones that are measured.
pub fn ready(t: &Scene) {
    let crowd = Crowd::new(t);
    let contexts = SIZES[2];
    crowd.make(ObjectType::Tcb, 0, 0, contexts);
    crowd.make(ObjectType::SchedContext, CONTEXT_BITS, contexts, 2 * contexts);
    let (endpoint, reply, notification) = (t.endpoint(), t.reply(), t.notification());
    let info = MessageInfo::new(7, 0, 0, 4);
    let server = t.spawn_passive(ABOVE, move || {
        SERVER.aim(Syscall::ReplyRecv, endpoint, info, [1, 2, 3, 4]);
        SERVER.with_reply(reply);
        sys::recv(endpoint, reply);
        loop {
            SERVER.fire();
        }
    });
    server.set_priority(ABOVE);
    static WAITER: Shot = Shot::new();
    WAITER.aim(Syscall::Wait, notification, MessageInfo::default(), [0; 4]);
    t.spawn(ABOVE, || {
        loop {
            WAITER.fire();
        }
    });
    let subject = t.thread(BELOW);
    subject.start_with(&UserContext { rip: 0x1000, ..Default::default() });
    let mut made = 0;
    for size in SIZES {
        // Where they would go on is nowhere: they never run.
        for index in made..size {
            crowd.prepare(index, contexts + index, BELOW, &UserContext { rip: 0x1000, ..Default::default() });
        }
        made = size;
        rows(format_args!("{size}-ready"), ["call", "reply-recv"], || {
            CLIENT.aim(Syscall::Call, endpoint, info, [1, 2, 3, 4]);
            CLIENT.fire();
            [between(CLIENT.before(), SERVER.after()), between(SERVER.before(), CLIENT.after())]
        });
        row(format_args!("signal.higher.{size}-ready"), || {
            CLIENT.aim(Syscall::Send, notification, MessageInfo::default(), [0; 4]);
            CLIENT.fire();
            between(CLIENT.before(), WAITER.after())
        });
        let mut priority = BELOW;
        row(format_args!("set-priority.{size}-ready"), || {
            priority = 2 * BELOW - 1 - priority;
            timed(subject.tcb, Label::TcbSetPriority, &[priority], &[slot::INIT_TCB])
        });
        rows(format_args!("{size}-ready"), ["suspend", "resume"], || {
            [timed(subject.tcb, Label::TcbSuspend, &[], &[]), timed(subject.tcb, Label::TcbResume, &[], &[])]
        });
    }
}

/// With many capabilities derived from the one that is copied.
pub fn derived(t: &Scene) {
    let crowd = Crowd::new(t);
    let (endpoint, to) = (t.endpoint(), t.slot());
    let mut made = 0;
    for size in SIZES {
        for at in made..size {
            must(crowd.cnode, Label::CNodeCopy, &[at, CROWD_BITS, endpoint, 64, CapRights::ALL.0], &[ROOT]);
        }
        made = size;
        rows(format_args!("{size}-derived"), ["copy", "delete"], || {
            [copy(endpoint, to), timed(ROOT, Label::CNodeDelete, &[to, 64], &[])]
        });
    }
}

/// Sends for ever: the registers are the system call's.
#[unsafe(naked)]
extern "C" fn send_for_ever() {
    core::arch::naked_asm!("2:", "syscall", "jmp 2b")
}

/// With many senders queued on the endpoint that is received from.
pub fn queued(t: &Scene) {
    let crowd = Crowd::new(t);
    let (endpoint, reply) = (t.endpoint(), t.reply());
    let contexts = SIZES[2];
    crowd.make(ObjectType::Tcb, 0, 0, contexts);
    crowd.make(ObjectType::SchedContext, CONTEXT_BITS, contexts, 2 * contexts);
    let registers = UserContext {
        rip: send_for_ever as *const () as u64,
        rdx: (Syscall::Send as i64).cast_unsigned(),
        rdi: endpoint,
        ..Default::default()
    };
    let mut made = 0;
    for size in SIZES {
        for index in made..size {
            // Above this thread it runs at once, and blocks.
            crowd.prepare(index, contexts + index, ABOVE, &registers);
        }
        made = size;
        row(format_args!("recv.{size}-queued"), || {
            // The sender whose message is taken runs on in the same entry, since it is the higher one, and queues again.
            CLIENT.aim(Syscall::Recv, endpoint, MessageInfo::default(), [0; 4]);
            CLIENT.with_reply(reply);
            CLIENT.fire();
            between(CLIENT.before(), CLIENT.after())
        });
    }
}
