//! What a manifest must satisfy, checked on the host before anything boots.

use crate::{Manifest, Manner, Memory, PortRange, QUESTION_BIT, Restart, Service};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

const PAGE_BYTES: u64 = 4096;
/// Microseconds: the shortest time for an answer.
const LEAST_FOR_AN_ANSWER: u64 = 10_000;

/// Something wrong with a manifest: which entry, what about it, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The entry, for example `service "serial"`.
    pub entry: String,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.entry, self.what)
    }
}

impl core::error::Error for Problem {}

impl Manifest {
    /// All that is wrong with it; nothing if root can make it, given enough memory.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut checker = Checker { manifest: self, problems: Vec::new() };
        checker.services();
        checker.ports();
        checker.pins();
        checker.shared_memory();
        checker.signals();
        checker.capability_names();
        checker.failures();
        if checker.problems.is_empty() { Ok(()) } else { Err(checker.problems) }
    }
}

struct Checker<'m> {
    manifest: &'m Manifest,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, entry: impl fmt::Display, what: impl fmt::Display) {
        self.problems.push(Problem { entry: entry.to_string(), what: what.to_string() });
    }

    fn services(&mut self) {
        let mut names = BTreeSet::new();
        let mut takes_rest: Option<&str> = None;
        for service in &self.manifest.services {
            let entry = entry(service);
            if service.name.is_empty() || service.binary.is_empty() || service.binary.contains('/') {
                self.report(&entry, "name and binary must not be empty, and binary must not contain '/'");
            }
            if !names.insert(&service.name) {
                self.report(&entry, "the name is used twice");
            }
            if service.priority == u8::MAX {
                self.report(&entry, "priority 255 is root's; use 0 to 254");
            }
            if service.budget == 0 || service.budget > service.period {
                self.report(
                    &entry,
                    format!(
                        "budget {} must be above 0 and at most the period {} (microseconds)",
                        service.budget, service.period
                    ),
                );
            }
            self.whole_pages(&entry, "heap", service.heap);
            self.whole_pages(&entry, "stack", service.stack);
            if service.stack == 0 {
                self.report(&entry, "stack must not be 0");
            }
            if !(5..=20).contains(&service.cnode_radix) {
                self.report(&entry, format!("cnode_radix {} must be 5 to 20", service.cnode_radix));
            }
            if let Some(time) = service.answers_within
                && time < LEAST_FOR_AN_ANSWER
            {
                self.report(
                    &entry,
                    format!("answers_within {time} must be at least {LEAST_FOR_AN_ANSWER} microseconds"),
                );
            }
            if service.memory == Memory::Rest
                && let Some(other) = takes_rest.replace(&service.name)
            {
                self.report(&entry, format!("only one service may have the rest of memory, and \"{other}\" has it"));
            }
        }
    }

    fn whole_pages(&mut self, entry: &str, field: &str, bytes: u64) {
        if !bytes.is_multiple_of(PAGE_BYTES) {
            self.report(entry, format!("{field} {bytes} must be a multiple of {PAGE_BYTES} bytes"));
        }
    }

    fn ports(&mut self) {
        let mut seen: Vec<(&Service, &PortRange)> = Vec::new();
        for service in &self.manifest.services {
            for range in &service.ports {
                if range.first > range.last {
                    self.report(
                        entry(service),
                        format!("ports \"{}\": first {:#x} is above last {:#x}", range.name, range.first, range.last),
                    );
                }
                for (other, earlier) in &seen {
                    let overlaps = range.first <= earlier.last && earlier.first <= range.last;
                    if overlaps && !(range.shared && earlier.shared) {
                        self.report(
                            entry(service),
                            format!(
                                "ports \"{}\" ({:#x} to {:#x}) overlap ports \"{}\" ({:#x} to {:#x}) of service \"{}\"",
                                range.name,
                                range.first,
                                range.last,
                                earlier.name,
                                earlier.first,
                                earlier.last,
                                other.name
                            ),
                        );
                    }
                }
                seen.push((service, range));
            }
        }
    }

    fn pins(&mut self) {
        let mut users: BTreeMap<u8, &str> = BTreeMap::new();
        for service in &self.manifest.services {
            for interrupt in &service.interrupts {
                if interrupt.pin > 23 {
                    self.report(
                        entry(service),
                        format!("interrupt \"{}\": pin {} must be 0 to 23", interrupt.name, interrupt.pin),
                    );
                }
                if let Some(other) = users.insert(interrupt.pin, &service.name) {
                    self.report(
                        entry(service),
                        format!(
                            "interrupt \"{}\": pin {} is used by service \"{other}\"",
                            interrupt.name, interrupt.pin
                        ),
                    );
                }
            }
        }
    }

    fn known(&mut self, entry: &str, role: &str, name: &str) {
        if !self.manifest.services.iter().any(|service| service.name == name) {
            self.report(entry, format!("{role} \"{name}\" is not a service of this manifest"));
        }
    }

    fn shared_memory(&mut self) {
        let mut names = BTreeSet::from(["archive", "hpet"]);
        let manifest = self.manifest;
        for ring in &manifest.rings {
            let entry = format!("ring \"{}\"", ring.name);
            if !names.insert(&ring.name) {
                self.report(&entry, "the name is taken by another region");
            }
            self.known(&entry, "producer", &ring.producer);
            self.known(&entry, "consumer", &ring.consumer);
            if ring.producer == ring.consumer {
                self.report(&entry, "producer and consumer must be two services");
            }
            self.whole_pages(&entry, "bytes", ring.bytes);
            if ring.bytes == 0 {
                self.report(&entry, "bytes must not be 0");
            }
        }
        for deadline in &manifest.deadlines {
            let entry = format!("deadline \"{}\"", deadline.name);
            if !names.insert(&deadline.name) {
                self.report(&entry, "the name is taken by another region");
            }
            self.known(&entry, "client", &deadline.client);
            self.known(&entry, "timer", &deadline.timer);
            if deadline.client == deadline.timer {
                self.report(&entry, "client and timer must be two services");
            }
        }
    }

    fn signals(&mut self) {
        let manifest = self.manifest;
        // Who uses which bit of whose notification.
        let mut bits: BTreeMap<(&str, u8), String> = BTreeMap::new();
        for service in &manifest.services {
            for interrupt in &service.interrupts {
                let user = format!("interrupt \"{}\"", interrupt.name);
                self.claim_bit(&mut bits, &service.name, interrupt.bit, user);
            }
        }
        for signal in &manifest.signals {
            let entry = format!("signal \"{}\"", signal.name);
            self.known(&entry, "from", &signal.from);
            self.known(&entry, "to", &signal.to);
            self.claim_bit(&mut bits, &signal.to, signal.bit, entry);
        }
    }

    fn claim_bit<'m>(&mut self, bits: &mut BTreeMap<(&'m str, u8), String>, of: &'m str, bit: u8, user: String) {
        if bit >= QUESTION_BIT {
            self.report(&user, format!("bit {bit} must be 0 to {}", QUESTION_BIT - 1));
        }
        if let Some(other) = bits.insert((of, bit), user.clone()) {
            self.report(user, format!("bit {bit} of service \"{of}\" is used by {other}"));
        }
    }

    fn failures(&mut self) {
        let manifest = self.manifest;
        for failure in &manifest.failures {
            let entry = format!("failure of \"{}\"", failure.service);
            self.known(&entry, "service", &failure.service);
            let service = manifest.services.iter().find(|service| service.name == failure.service);
            if service.is_some_and(|service| service.restart == Restart::Never) {
                self.report(&entry, "the system can't go on without this service (restart = \"never\")");
            }
            if failure.manner != Manner::Crash && service.is_some_and(|service| service.answers_within.is_none()) {
                self.report(&entry, "nobody would notice, as this service isn't asked (it has no answers_within)");
            }
            if failure.every == 0 {
                self.report(&entry, "every must not be 0 microseconds");
            }
        }
    }

    fn capability_names(&mut self) {
        let manifest = self.manifest;
        for service in &manifest.services {
            let mut names = BTreeSet::new();
            let ports = service.ports.iter().map(|range| &range.name);
            let interrupts = service.interrupts.iter().map(|interrupt| &interrupt.name);
            let signals =
                manifest.signals.iter().filter(|signal| signal.from == service.name).map(|signal| &signal.name);
            for name in ports.chain(interrupts).chain(signals) {
                if !names.insert(name) {
                    self.report(entry(service), format!("two of its capabilities are named \"{name}\""));
                }
            }
        }
    }
}

fn entry(service: &Service) -> String {
    format!("service \"{}\"", service.name)
}
