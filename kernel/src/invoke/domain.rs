//! Domains. There is one; its schedule has nothing to choose from, and the invocations check what they are given.

use super::{Arguments, Error, Outcome};
use crate::cap::Kind;
use crate::object::MAX_DURATION;
use chestnut_abi::{DOMAIN_SCHEDULE_ENTRIES, DOMAINS, Label};

const LAST_ENTRY: u64 = DOMAIN_SCHEDULE_ENTRIES as u64 - 1;
const LAST_DOMAIN: u64 = DOMAINS as u64 - 1;

pub fn invoke(call: &Arguments, label: Label) -> Outcome {
    match label {
        Label::DomainSetSet => {
            let [domain] = call.words()?;
            let thread = call.cap(0)?;
            if domain & 0xff > LAST_DOMAIN {
                return Err(Error::InvalidArgument(0).into());
            }
            if thread.kind() != Kind::Tcb {
                return Err(Error::InvalidArgument(1).into());
            }
            Ok(())
        }
        Label::DomainScheduleConfigure => configure(call),
        Label::DomainScheduleSetStart => set_start(call),
        _ => Err(Error::IllegalOperation.into()),
    }
}

/// A duration of 0, in domain 0, makes the entry an end marker, which the one that the schedule starts with can't be.
fn configure(call: &Arguments) -> Outcome {
    let [index, domain, duration] = call.words()?;
    let schedule = &call.k.domains;
    let domain = domain & 0xff;
    let Some(entry) = schedule.duration(index) else { return Err(Error::Range(0, LAST_ENTRY).into()) };
    if domain > LAST_DOMAIN {
        return Err(Error::Range(0, LAST_DOMAIN).into());
    }
    if duration > MAX_DURATION || duration == 0 && (domain != 0 || schedule.start().get() == index) {
        return Err(Error::InvalidArgument(2).into());
    }
    entry.set(duration);
    Ok(())
}

fn set_start(call: &Arguments) -> Outcome {
    let [index] = call.words()?;
    let schedule = &call.k.domains;
    match schedule.duration(index) {
        None => Err(Error::Range(0, LAST_ENTRY).into()),
        Some(entry) if entry.get() == 0 => Err(Error::InvalidArgument(0).into()),
        Some(_) => {
            schedule.start().set(index);
            Ok(())
        }
    }
}
