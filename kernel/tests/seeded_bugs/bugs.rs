//! The bugs: where each is, and what it does.

pub struct Bug {
    pub name: &'static str,
    pub what: &'static str,
    /// In `kernel/src`.
    pub file: &'static str,
    /// What stands there, once: an expression, or a statement with its semicolon or brace.
    pub right: &'static str,
    /// What stands there instead.
    pub wrong: &'static str,
}

pub const BUGS: &[Bug] = &[
    Bug {
        name: "queue-unlink",
        what: "a thread that stops being ready stays linked in the ready queue",
        file: "time/ready.rs",
        right: "queue.remove(k, thread);",
        wrong: "",
    },
    Bug {
        name: "refill-time",
        what: "time that was used comes back at once instead of a period later",
        file: "time/budget.rs",
        right: "Refill { time: head.time.saturating_add(period), amount: head.amount }",
        wrong: "Refill { time: head.time, amount: head.amount }",
    },
    Bug {
        name: "refill-amount",
        what: "a refill that is joined to the last one is lost",
        file: "time/budget.rs",
        right: "tail.amount + refill.amount",
        wrong: "tail.amount",
    },
    Bug {
        name: "budget-charge",
        what: "a switch to another scheduling context forgets what the last one used",
        file: "time/schedule.rs",
        right: "charge_current(k);\n    k.consumed.set(0);",
        wrong: "k.consumed.set(0);",
    },
    Bug {
        name: "release-order",
        what: "threads that await budget are queued latest first",
        file: "time/schedule.rs",
        right: "release_time(k, other) <= time",
        wrong: "release_time(k, other) >= time",
    },
    Bug {
        name: "priority-order",
        what: "threads wait at endpoints with the lowest priority first",
        file: "object/queue.rs",
        right: "other.priority.get() >= priority",
        wrong: "other.priority.get() <= priority",
    },
    Bug {
        name: "stale-binding",
        what: "a thread stays bound to a notification that is deleted",
        file: "lifecycle/finalise.rs",
        right: "if let Some(thread) = notification.bound_tcb.get(k) {\n        ipc::unbind(k, thread);\n    }",
        wrong: "",
    },
    Bug {
        name: "fpu-owner",
        what: "a deleted thread goes on owning the FPU",
        file: "lifecycle/finalise.rs",
        right: "k.fpu_owner.clear();",
        wrong: "",
    },
    Bug {
        name: "frame-unmap",
        what: "a deleted frame stays mapped",
        file: "lifecycle/finalise.rs",
        right: "x86_64::unmap_frame(k, cap)",
        wrong: "()",
    },
    Bug {
        name: "port-issue",
        what: "ports stay issued when their capability is deleted",
        file: "lifecycle/finalise.rs",
        right: "k.ports.set_issued(first, last, false);",
        wrong: "",
    },
    Bug {
        name: "asid-entry",
        what: "a deleted address space keeps its ASID",
        file: "object/x86_64/mapping.rs",
        right: "pool.entry(cap.asid()).clear();",
        wrong: "",
    },
    Bug {
        name: "stale-cache",
        what: "a TCB goes on with the CSpace root that it decoded from a slot now empty",
        file: "lifecycle/delete.rs",
        right: "thread.cspace.set(Default::default());",
        wrong: "",
    },
    Bug {
        name: "self-containing",
        what: "what a CNode that holds itself still holds is forgotten",
        file: "lifecycle/delete.rs",
        right: "slot.swap(first, outside_tcb(first.cap()), zombie);",
        wrong: "slot.clear();",
    },
    Bug {
        name: "reply-unlink",
        what: "a thread whose wait for a reply was ended still names the reply object",
        file: "ipc/call_stack.rs",
        right: "caller.reply.take(k)",
        wrong: "caller.reply.get(k)",
    },
    Bug {
        name: "badge-family",
        what: "deleting the first capability of a family of badges joins the family to its neighbour",
        file: "cap/slot.rs",
        right: "next.next.set(next.next.get() | self.next.get() & FIRST_BADGED);",
        wrong: "",
    },
    Bug {
        name: "guard",
        what: "a CNode's guard isn't compared",
        file: "cap/lookup.rs",
        right: "level_bits > bits_left || found != guard.guard()",
        wrong: "level_bits > bits_left",
    },
    Bug {
        name: "retype-offset",
        what: "an untyped counts one byte less as used than Retype has used",
        file: "lifecycle/retype.rs",
        right: "untyped.update(untyped.cap().with_untyped_free(at - cap.address()));",
        wrong: "untyped.update(untyped.cap().with_untyped_free(at - cap.address() - 1));",
    },
    Bug {
        name: "dirty-memory",
        what: "memory isn't cleared before it is used again",
        file: "lifecycle/retype.rs",
        right: "unsafe { mem::zero(k.entry(), cap.address() + left, chunk as usize) };",
        wrong: "",
    },
];
