//! Every invocation, made on a capability that it does not fit: `IllegalOperation` on one of another kind, `InvalidCapability` on an empty slot.

use crate::check::{check, equal, fail};
use crate::scene::Scene;
use crate::scene::fixed::NOTHING;
use crate::scene::invoke::{Answer, invoke};
use chestnut_abi::Error;
use chestnut_abi::bootinfo::slot;
use chestnut_abi::invocation::{INVOCATIONS, Invocation};

/// Makes all invocations of an object where they don't belong.
fn refuse_all(t: &Scene, object: &str) {
    let other = if object == "CNode" { t.tcb() } else { t.cnode(2) };
    let mut made = 0;
    for row in INVOCATIONS.iter().filter(|row| row.object == object) {
        let words = [0; 24];
        let caps = [slot::INIT_CNODE; 3];
        let attempt = |cap| -> Answer { invoke(cap, row.label, &words, &caps[..row.caps.len()]) };
        expect(row, attempt(other), Error::IllegalOperation);
        expect(row, attempt(NOTHING), Error::InvalidCapability);
        equal(attempt(NOTHING).words[0], 0, "which capability");
        made += 1;
    }
    check(made > 0, "the object has invocations");
}

fn expect(row: &Invocation, answer: Answer, error: Error) {
    if !answer.is(error) {
        fail(format_args!("{}_{}: label {}, expected {error:?}", row.object, row.method, answer.label));
    }
}

macro_rules! objects {
    ($($name:ident: $object:literal,)*) => {
        $(pub fn $name(t: &Scene) {
            refuse_all(t, $object);
        })*
    };
}

objects! {
    untyped_invocations: "Untyped",
    tcb_invocations: "TCB",
    cnode_invocations: "CNode",
    irq_control_invocations: "IRQControl",
    irq_handler_invocations: "IRQHandler",
    domain_set_invocations: "DomainSet",
    sched_control_invocations: "SchedControl",
    sched_context_invocations: "SchedContext",
    pdpt_invocations: "PDPT",
    page_directory_invocations: "PageDirectory",
    page_table_invocations: "PageTable",
    page_invocations: "Page",
    asid_control_invocations: "ASIDControl",
    asid_pool_invocations: "ASIDPool",
    io_port_control_invocations: "IOPortControl",
    io_port_invocations: "IOPort",
}

pub fn an_unknown_label_is_an_illegal_operation(t: &Scene) {
    let objects = [t.untyped, t.tcb(), t.cnode(2), t.sched_context(), t.frame(), slot::INIT_VSPACE, slot::IRQ_CONTROL];
    for cap in objects {
        for label in [0, 59, 0xfff, 0x1001, u64::MAX >> 12] {
            let answer = crate::scene::invoke::invoke_label(cap, label, &[0; 8], &[]);
            check(answer.is(Error::IllegalOperation), "a label that names nothing is refused");
        }
    }
}
