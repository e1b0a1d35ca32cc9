//! All of a machine that somebody could come to see, as a list that can be compared with another machine's: addresses are physical, and what is left
//! over in a field that means nothing now doesn't count.

use super::Machine;
use super::invariants::tree::{Caps, Seen};
use chestnut_abi::registers::Register::{self, *};
use chestnut_kernel::cap::{Cap, Kind};
use chestnut_kernel::mem::{Link, Ref};
use chestnut_kernel::object::{
    Above, Endpoint, Kernel, Notification, Queue, Reply, SchedContext, Tcb, TcbSlot, ThreadState,
};
use chestnut_kernel::{arch, time};

/// Words of an IPC buffer.
const BUFFER_WORDS: u64 = 128;
/// Bytes of the machine's memory.
const MEMORY: u64 = 64 << 20;

#[rustfmt::skip]
const REGISTERS: [(&str, Register); 20] = [
    ("Rip", Rip), ("Rsp", Rsp), ("Rflags", Rflags), ("Rax", Rax), ("Rbx", Rbx),
    ("Rcx", Rcx), ("Rdx", Rdx), ("Rsi", Rsi), ("Rdi", Rdi), ("Rbp", Rbp),
    ("R8", R8), ("R9", R9), ("R10", R10), ("R11", R11), ("R12", R12),
    ("R13", R13), ("R14", R14), ("R15", R15), ("FsBase", FsBase), ("GsBase", GsBase),
];

/// One thing to be seen: where (0: in the kernel itself), what, and its value.
pub type Item = (u64, &'static str, u64);

struct Reader {
    k: Kernel<'static>,
    m: Machine,
    items: Vec<Item>,
}

/// Everything, the running thread's time up to now included.
pub fn snapshot(m: Machine, seen: &mut Seen) -> Vec<Item> {
    let k = m.kernel();
    time::read_clock(k);
    let caps = Caps::read(m, seen);
    let mut reader = Reader { k, m, items: Vec::with_capacity(4096) };
    reader.kernel();
    for slot in &caps.slots {
        let place = slot.physical(k);
        // The kernel's own slots are elsewhere in each machine.
        if place < MEMORY {
            reader.note(place, "capability", m.read_word(place));
            reader.note(place, "capability's second word", m.read_word(place + 8));
        }
    }
    caps.objects().for_each(|cap| reader.object(cap));
    reader.items
}

impl Reader {
    fn note(&mut self, place: u64, what: &'static str, value: u64) {
        self.items.push((place, what, value));
    }

    fn link<T: 'static>(&mut self, place: u64, what: &'static str, link: &Link<T>) {
        let address = link.get(self.k).map_or(0, |object| object.physical(self.k));
        self.note(place, what, address);
    }

    fn queue(&mut self, place: u64, what: &'static str, queue: &Queue) {
        let threads: Vec<u64> = queue.iter(self.k).map(|thread| thread.physical(self.k)).collect();
        threads.into_iter().for_each(|thread| self.note(place, what, thread));
    }

    fn kernel(&mut self) {
        let k = self.k;
        let state = k.state();
        self.link(0, "current thread", &state.current);
        self.link(0, "current scheduling context", &state.current_sc);
        self.link(0, "FPU owner", &state.fpu_owner);
        self.note(0, "now", k.now.get());
        self.note(0, "consumed", k.consumed.get());
        self.note(0, "quiet until", k.quiet_until.get());
        self.note(0, "resumes", k.resumes().into());
        self.note(0, "next release", k.next_release.get());
        self.note(0, "deadline", arch::deadline());
        self.note(0, "address space", arch::active_vspace());
        self.note(0, "highest ready", k.ready_highest.get().into());
        state.ready_words.iter().for_each(|word| self.note(0, "ready", word.get()));
        state.ready.iter().for_each(|queue| self.queue(0, "ready thread", queue));
        self.queue(0, "thread without budget", &state.release);
    }

    fn object(&mut self, cap: Cap) {
        let (k, place) = (self.k, cap.memory_start());
        match cap.kind() {
            Kind::Tcb => cap.as_tcb(k).into_iter().for_each(|thread| self.thread(place, thread)),
            Kind::SchedContext => cap.as_sched_context(k).into_iter().for_each(|context| self.context(place, context)),
            Kind::Reply => cap.as_reply(k).into_iter().for_each(|reply| self.reply(place, reply)),
            Kind::Endpoint => cap.as_endpoint(k).into_iter().for_each(|endpoint| self.endpoint(place, endpoint)),
            Kind::Notification => {
                cap.as_notification(k).into_iter().for_each(|notification| self.notification(place, notification));
            }
            _ => {}
        }
    }

    fn thread(&mut self, place: u64, thread: Ref<'static, Tcb>) {
        let state = thread.state.get();
        self.note(place, "state", state as u64);
        self.note(place, "place", thread.place.get() as u64);
        self.note(place, "priority", thread.priority.get().into());
        self.note(place, "maximum priority", thread.mcp.get().into());
        self.note(place, "flags", thread.flags.get().into());
        for (name, register) in REGISTERS {
            self.note(place, name, thread.context.get(register));
        }
        self.note(place, "fault IP", thread.context.fault_ip());
        self.link(place, "bound notification", &thread.bound_notification);
        self.link(place, "scheduling context", &thread.sched_context);
        self.link(place, "yields to", &thread.yield_to);
        self.link(place, "reply", &thread.reply);
        self.link(place, "endpoint", &thread.endpoint);
        self.link(place, "waits on", &thread.waiting_on);
        let fault = thread.fault.get().map_or(String::new(), |fault| format!("{fault:?}"));
        fault.bytes().for_each(|byte| self.note(place, "fault", byte.into()));
        if matches!(state, ThreadState::BlockedOnSend | ThreadState::BlockedOnReceive) {
            self.note(place, "rights", thread.blocked_rights.get().0);
        }
        if state == ThreadState::BlockedOnSend {
            self.note(place, "badge", thread.blocked_badge.get());
            self.note(place, "is a call", thread.is_call.get().into());
        }
        let buffer = thread.slot(TcbSlot::IpcBuffer).cap();
        if buffer.kind() == Kind::Frame && !buffer.frame_is_device() {
            let offset = thread.ipc_buffer.get() & ((1 << buffer.frame_size().bits()) - 1);
            for word in 0..BUFFER_WORDS {
                let address = buffer.address() + offset + word * 8;
                self.note(place, "buffer", self.m.read_word(address));
            }
        }
    }

    fn context(&mut self, place: u64, context: Ref<'static, SchedContext>) {
        self.note(place, "period", context.period.get());
        self.note(place, "budget", context.budget.get());
        self.note(place, "consumed", context.consumed.get());
        self.link(place, "thread", &context.tcb);
        self.link(place, "top reply", &context.reply);
        self.link(place, "notification", &context.notification);
        self.link(place, "yielded from", &context.yield_from);
        for refill in context.refills() {
            self.note(place, "refill's time", refill.time);
            self.note(place, "refill's amount", refill.amount);
        }
    }

    fn reply(&mut self, place: u64, reply: Ref<'static, Reply>) {
        self.link(place, "caller", &reply.tcb);
        self.link(place, "below", &reply.below);
        let above = match reply.above(self.k) {
            Above::Nothing => 0,
            Above::Reply(above) => above.physical(self.k),
            Above::SchedContext(context) => context.physical(self.k),
        };
        self.note(place, "above", above);
    }

    fn endpoint(&mut self, place: u64, endpoint: Ref<'static, Endpoint>) {
        self.queue(place, "thread at an endpoint", &endpoint.get().queue);
    }

    fn notification(&mut self, place: u64, notification: Ref<'static, Notification>) {
        self.queue(place, "thread at a notification", &notification.get().queue);
        self.note(place, "signals", notification.badge.get());
        self.note(place, "active", notification.active.get().into());
        self.link(place, "bound thread", &notification.bound_tcb);
        self.link(place, "scheduling context", &notification.sched_context);
    }
}
