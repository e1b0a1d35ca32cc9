//! Domains. There is one; its schedule has nothing to choose from, and the invocations check what they are given.

use super::{Arguments, Error, Outcome};
use crate::cap::Kind;
use chestnut_abi::{DOMAIN_SCHEDULE_ENTRIES, DOMAINS, Label};

pub fn invoke(call: &Arguments, label: Label) -> Outcome {
    match label {
        Label::DomainSetSet => {
            let [domain] = call.words()?;
            let thread = call.cap(0)?;
            if domain & 0xff >= DOMAINS as u64 {
                return Err(Error::InvalidArgument(0).into());
            }
            if thread.kind() != Kind::Tcb {
                return Err(Error::InvalidCapability(1).into());
            }
            Ok(())
        }
        Label::DomainScheduleConfigure => {
            let [index, domain, _duration] = call.words()?;
            if index >= DOMAIN_SCHEDULE_ENTRIES as u64 {
                return Err(Error::Range(0, DOMAIN_SCHEDULE_ENTRIES as u64 - 1).into());
            }
            if domain & 0xff >= DOMAINS as u64 {
                return Err(Error::InvalidArgument(1).into());
            }
            Ok(())
        }
        Label::DomainScheduleSetStart => {
            let [index] = call.words()?;
            if index >= DOMAIN_SCHEDULE_ENTRIES as u64 {
                return Err(Error::Range(0, DOMAIN_SCHEDULE_ENTRIES as u64 - 1).into());
            }
            Ok(())
        }
        _ => Err(Error::IllegalOperation.into()),
    }
}
