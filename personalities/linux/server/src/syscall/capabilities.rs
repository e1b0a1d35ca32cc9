//! Calls on Linux's capabilities: capget(2), capset(2), and what prctl(2) has of them.

use super::Call;
use crate::process::Process;
use crate::process::capabilities::{ALL, Capabilities, LAST, SETPCAP};
use alloc::rc::Rc;
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::prctl;

const VERSION_1: u32 = 0x1998_0330;
const VERSION_2: u32 = 0x2007_1026;
const VERSION_3: u32 = 0x2008_0522;

/// How many words of 32 bits each set has in the header's version, and the process that it names. `None`: the version isn't
/// known and has been corrected.
fn header(call: &Call) -> Result<Option<(usize, u32)>> {
    let space = call.space();
    let parts = match space.read_u32(call.word(0))? {
        VERSION_1 => 1,
        VERSION_2 | VERSION_3 => 2,
        _ => {
            space.write_u32(call.word(0), VERSION_3)?;
            return Ok(None);
        }
    };
    Ok(Some((parts, space.read_u32(call.word(0).wrapping_add(4))?)))
}

/// capget(header, data)
pub fn capget(call: &Call) -> Result<u64> {
    let Some((parts, pid)) = header(call)? else {
        return if call.word(1) == 0 { Ok(0) } else { Err(Errno::EINVAL) };
    };
    if (pid as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    let process = match pid {
        0 => call.process().clone(),
        _ => call.server.table.thread(pid).map(|thread| thread.process.clone()).ok_or(Errno::ESRCH)?,
    };
    let sets = process.capabilities.get();
    for part in 0..parts {
        let fields = [sets.effective, sets.permitted, sets.inheritable];
        for (field, set) in fields.into_iter().enumerate() {
            let address = call.word(1).wrapping_add((part * 12 + field * 4) as u64);
            call.space().write_u32(address, (set >> (32 * part)) as u32)?;
        }
    }
    Ok(0)
}

/// capset(header, data)
pub fn capset(call: &Call) -> Result<u64> {
    let (parts, pid) = header(call)?.ok_or(Errno::EINVAL)?;
    if pid != 0 && pid != call.thread.tid.get() {
        return Err(Errno::EPERM);
    }
    let mut sets = [0; 3];
    for part in 0..parts {
        for (field, set) in sets.iter_mut().enumerate() {
            let address = call.word(1).wrapping_add((part * 12 + field * 4) as u64);
            *set |= u64::from(call.space().read_u32(address)?) << (32 * part);
        }
    }
    let [effective, permitted, inheritable] = sets;
    let old = call.process().capabilities.get();
    let new = old.changed(permitted, effective, inheritable).ok_or(Errno::EPERM)?;
    become_capable(call.process(), new);
    Ok(0)
}

/// Makes the sets hold, also for the file systems.
pub fn become_capable(process: &Rc<Process>, new: Capabilities) {
    process.capabilities.set(new);
    process.caller.borrow_mut().credentials.privileged = new.can(crate::process::capabilities::DAC_OVERRIDE);
}

fn known(capability: u64) -> Result<u64> {
    if capability <= u64::from(LAST) { Ok(1 << capability) } else { Err(Errno::EINVAL) }
}

/// The options of prctl that are about capabilities; `None` for others.
pub fn control(call: &Call) -> Option<Result<u64>> {
    let process = call.process();
    let old = process.capabilities.get();
    let change = |new| {
        process.capabilities.set(new);
        Ok(0)
    };
    Some(match call.half(0) {
        prctl::PR_GET_KEEPCAPS => Ok(old.keep.into()),
        prctl::PR_SET_KEEPCAPS if call.word(1) <= 1 => change(Capabilities { keep: call.word(1) == 1, ..old }),
        prctl::PR_CAPBSET_READ => known(call.word(1)).map(|bit| u64::from(old.bounding & bit != 0)),
        prctl::PR_CAPBSET_DROP => known(call.word(1)).and_then(|bit| {
            if !old.can(SETPCAP) {
                return Err(Errno::EPERM);
            }
            change(Capabilities { bounding: old.bounding & !bit, ..old })
        }),
        prctl::PR_CAP_AMBIENT => ambient(call, old).and_then(|(new, value)| change(new).map(|_| value)),
        // The bits that change what user 0 means can't be set.
        prctl::PR_GET_SECUREBITS => Ok(if old.keep { KEEP_CAPS_BIT } else { 0 }),
        prctl::PR_SET_SECUREBITS if !old.can(SETPCAP) => Err(Errno::EPERM),
        prctl::PR_SET_SECUREBITS if call.word(1) & !KEEP_CAPS_BIT == 0 => {
            change(Capabilities { keep: call.word(1) != 0, ..old })
        }
        _ => return None,
    })
}

/// SECBIT_KEEP_CAPS
const KEEP_CAPS_BIT: u64 = 1 << 4;

/// PR_CAP_AMBIENT: the sets afterwards and the call's value.
fn ambient(call: &Call, old: Capabilities) -> Result<(Capabilities, u64)> {
    let (what, capability) = (call.half(1), call.word(2));
    if what == prctl::PR_CAP_AMBIENT_CLEAR_ALL {
        return if capability == 0 { Ok((Capabilities { ambient: 0, ..old }, 0)) } else { Err(Errno::EINVAL) };
    }
    let bit = known(capability)? & ALL;
    match what {
        prctl::PR_CAP_AMBIENT_IS_SET => Ok((old, u64::from(old.ambient & bit != 0))),
        prctl::PR_CAP_AMBIENT_RAISE if old.permitted & old.inheritable & bit == 0 => Err(Errno::EPERM),
        prctl::PR_CAP_AMBIENT_RAISE => Ok((Capabilities { ambient: old.ambient | bit, ..old }, 0)),
        prctl::PR_CAP_AMBIENT_LOWER => Ok((Capabilities { ambient: old.ambient & !bit, ..old }, 0)),
        _ => Err(Errno::EINVAL),
    }
}
