//! What random sequences have come upon: without this they could pass by doing nothing.

use chestnut_abi::Label;
use chestnut_abi::invocation::INVOCATIONS;
use std::collections::BTreeMap;

/// Things besides invocations and system calls that have to happen.
pub const EVENTS: [&str; 18] = [
    "a call was preempted",
    "a thread waited for budget",
    "a timeout fault was delivered",
    "a capability fault was delivered",
    "an unknown system call was delivered",
    "a user exception was delivered",
    "a page fault was delivered",
    "a fault was answered",
    "a scheduling context was lent by a call",
    "a scheduling context was lent by a notification",
    "a capability was transferred",
    "a capability arrived as a badge",
    "a long message arrived",
    "a system call was redirected",
    "the FPU changed hands",
    "a container was half deleted",
    "a thread yielded to another",
    "an interrupt became a signal",
];

#[derive(Default)]
pub struct Coverage {
    /// Successful invocations, by label.
    pub invocations: BTreeMap<u64, u64>,
    /// System calls that didn't end in a fault, by number.
    pub calls: BTreeMap<i64, u64>,
    pub events: BTreeMap<&'static str, u64>,
}

impl Coverage {
    pub fn event(&mut self, event: &'static str) {
        assert!(EVENTS.contains(&event), "{event}: not in the list");
        *self.events.entry(event).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (label, count) in &other.invocations {
            *self.invocations.entry(*label).or_default() += count;
        }
        for (call, count) in &other.calls {
            *self.calls.entry(*call).or_default() += count;
        }
        for (event, count) in &other.events {
            *self.events.entry(event).or_default() += count;
        }
    }

    /// What never happened.
    pub fn missing(&self) -> Vec<String> {
        // On x86 interrupts are asked for by where they come from; this one can't succeed.
        let possible = INVOCATIONS.iter().filter(|row| row.label != Label::IrqIssueIrqHandler);
        let invocations = possible
            .filter(|row| !self.invocations.contains_key(&(row.label as u64)))
            .map(|row| format!("{}_{} never succeeded", row.object, row.method));
        let calls = (-11..=-1).chain([-33]).filter(|call| !self.calls.contains_key(call));
        let calls = calls.map(|call| format!("system call {call} was never made"));
        let events =
            EVENTS.iter().filter(|event| !self.events.contains_key(*event)).map(|event| format!("never: {event}"));
        invocations.chain(calls).chain(events).collect()
    }

    /// A table of all counts.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for row in INVOCATIONS {
            let count = self.invocations.get(&(row.label as u64)).unwrap_or(&0);
            text += &format!("{count:8}  {}_{}\n", row.object, row.method);
        }
        for (call, count) in &self.calls {
            text += &format!("{count:8}  system call {call}\n");
        }
        for (event, count) in &self.events {
            text += &format!("{count:8}  {event}\n");
        }
        text
    }
}
