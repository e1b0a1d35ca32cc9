//! poll(2), ppoll(2), select(2), pselect6(2).

use super::signals::attention_if_deliverable;
use super::{Call, Outcome};
use crate::clock::{duration_of, timespec_of};
use crate::pressure;
use crate::process::limits;
use crate::process::signal::SignalSet;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::wait::{Events, PollEntry, poll_files};
use chestnut_linux_files::{Errno, Result};
use core::time::Duration;

/// poll(fds, count, milliseconds)
pub fn poll(call: &Call) -> Result<Outcome> {
    let millis = call.int(2);
    let timeout = u64::try_from(millis).ok().map(Duration::from_millis);
    poll_until(call, timeout, 0)
}

/// ppoll(fds, count, timeout, mask, set size)
pub fn ppoll(call: &Call) -> Result<Outcome> {
    let timeout = read_timeout(call, call.word(2))?;
    with_mask(call, call.word(3), call.word(4), || poll_until(call, timeout, call.word(2)))
}

/// The `struct timespec` that a call's timeout argument points at; null is no timeout.
pub fn read_timeout(call: &Call, address: u64) -> Result<Option<Duration>> {
    if address == 0 {
        return Ok(None);
    }
    duration_of(call.space().read_words(address)?).map(Some).ok_or(Errno::EINVAL)
}

/// Sets the mask that holds while the call waits; a call that is refused leaves none behind.
pub fn with_mask(call: &Call, address: u64, bytes: u64, begin: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
    if address == 0 {
        return begin();
    }
    if bytes != 8 {
        return Err(Errno::EINVAL);
    }
    let mask = SignalSet(call.space().read_u64(address)?);
    call.thread.set_temporary_mask(mask);
    let outcome = begin();
    match outcome {
        Ok(Outcome::Later(_)) => attention_if_deliverable(call),
        _ => call.thread.restore_mask(),
    }
    outcome
}

fn entry_of(call: &Call, descriptor: i32, events: Events) -> PollEntry {
    if descriptor < 0 {
        return PollEntry { file: None, events, ready: Events::empty() };
    }
    match call.file_of(descriptor) {
        Ok(file) if !file.is_path() => PollEntry::new(file, events),
        _ => PollEntry { file: None, events, ready: Events::NVAL },
    }
}

fn poll_until(call: &Call, timeout: Option<Duration>, remaining: u64) -> Result<Outcome> {
    let (address, count) = (call.word(0), call.half(1) as usize);
    if count as u64 > call.process().limits.borrow().soft(limits::FILES) {
        return Err(Errno::EINVAL);
    }
    // Row, entry, and what waits for it.
    if !pressure::allows(call.server.capabilities, count * (8 + 2 * size_of::<PollEntry>())) {
        return Err(Errno::ENOMEM);
    }
    let space = call.space();
    let mut bytes = vec![0; count * 8];
    space.read(address, &mut bytes)?;
    let mut entries: Vec<PollEntry> = bytes
        .chunks_exact(8)
        .map(|row| {
            let descriptor = i32::from_le_bytes([row[0], row[1], row[2], row[3]]);
            let events = Events::from_bits_truncate(u16::from_le_bytes([row[4], row[5]]));
            entry_of(call, descriptor, events)
        })
        .collect();
    let clock = call.server.clock.clone();
    let deadline = timeout.map(|timeout| clock.monotonic() + timeout);
    Ok(call.wait_once(async move {
        let files_clock: Rc<dyn Clock> = clock.clone();
        let ready = poll_files(&mut entries, deadline, &files_clock).await;
        for (row, entry) in bytes.chunks_exact_mut(8).zip(&entries) {
            row[6..].copy_from_slice(&entry.ready.bits().to_le_bytes());
        }
        space.write(address, &bytes)?;
        put_remaining(&space, remaining, deadline, &clock);
        Ok(ready as u64)
    }))
}

/// ppoll and pselect6 tell how much of the timeout is left; a place that can't be written is left alone.
fn put_remaining(
    space: &crate::memory::AddressSpace,
    address: u64,
    deadline: Option<Duration>,
    clock: &crate::clock::SystemClock,
) {
    if let (Some(deadline), true) = (deadline, address != 0) {
        let _ = space.write_words(address, &timespec_of(deadline.saturating_sub(clock.monotonic())));
    }
}

/// select(count, read, write, except, timeout)
pub fn select(call: &Call) -> Result<Outcome> {
    let timeout = match call.word(4) {
        0 => None,
        address => {
            let [seconds, micros] = call.space().read_words(address)?;
            if (micros as i64) < 0 || (seconds as i64) < 0 {
                return Err(Errno::EINVAL);
            }
            // select(2) takes more than a second of microseconds.
            Some(Duration::from_secs(seconds.min(1 << 40)) + Duration::from_micros(micros))
        }
    };
    select_until(call, timeout, call.word(4), true)
}

/// pselect6(count, read, write, except, timeout, { mask, size })
pub fn pselect6(call: &Call) -> Result<Outcome> {
    let timeout = read_timeout(call, call.word(4))?;
    let [address, bytes] = if call.word(5) == 0 { [0; 2] } else { call.space().read_words(call.word(5))? };
    with_mask(call, address, bytes, || select_until(call, timeout, call.word(4), false))
}

/// What each of the three sets asks for, and what sets its bits.
const SETS: [(Events, Events); 3] = [
    (Events::READABLE, Events::READABLE.union(Events::HUP).union(Events::ERR)),
    (Events::WRITABLE, Events::WRITABLE.union(Events::ERR)),
    (Events::PRI, Events::PRI),
];

fn select_until(call: &Call, timeout: Option<Duration>, remaining: u64, micros: bool) -> Result<Outcome> {
    let count = usize::try_from(call.int(0)).map_err(|_| Errno::EINVAL)?;
    let highest = call.process().descriptors().borrow().iter().last().map_or(0, |(number, _)| number as usize + 1);
    let space = call.space();
    let addresses = [call.word(1), call.word(2), call.word(3)];
    let words = count.div_ceil(64).min(1 << 14);
    let mut sets = [const { Vec::new() }; 3];
    for (set, &address) in sets.iter_mut().zip(&addresses) {
        *set = vec![0u64; words];
        if address != 0 {
            for (index, word) in set.iter_mut().enumerate() {
                *word = space.read_u64(address.wrapping_add(8 * index as u64))?;
            }
        }
    }
    let mut entries = Vec::new();
    let mut numbers = Vec::new();
    for number in 0..count.min(words * 64) {
        let mut events = Events::empty();
        for (set, (asked, _)) in sets.iter().zip(SETS) {
            if set[number / 64] >> (number % 64) & 1 != 0 {
                events |= asked;
            }
        }
        if events.is_empty() {
            continue;
        }
        if number >= highest {
            return Err(Errno::EBADF);
        }
        let entry = entry_of(call, number as i32, events);
        if entry.ready.contains(Events::NVAL) {
            return Err(Errno::EBADF);
        }
        entries.push(entry);
        numbers.push(number);
    }
    let clock = call.server.clock.clone();
    let deadline = timeout.map(|timeout| clock.monotonic() + timeout);
    Ok(call.wait_once(async move {
        let files_clock: Rc<dyn Clock> = clock.clone();
        wait_for_sets(&mut entries, deadline, &files_clock).await;
        let mut results = [const { Vec::new() }; 3];
        let mut total = 0;
        for ((result, asked), (_, sets_bit)) in results.iter_mut().zip(&sets).zip(SETS) {
            *result = vec![0u64; words];
            for (entry, &number) in entries.iter().zip(&numbers) {
                let bit = 1 << (number % 64);
                if asked[number / 64] & bit != 0 && entry.ready.intersects(sets_bit) {
                    result[number / 64] |= bit;
                    total += 1;
                }
            }
        }
        for (&address, result) in addresses.iter().zip(&results) {
            if address != 0 {
                space.write_words(address, result)?;
            }
        }
        match (micros, deadline) {
            (true, Some(deadline)) if remaining != 0 => {
                let left = deadline.saturating_sub(clock.monotonic());
                let _ = space.write_words(remaining, &[left.as_secs(), left.subsec_micros().into()]);
            }
            _ => put_remaining(&space, remaining, deadline, &clock),
        }
        Ok(total)
    }))
}

/// Waits until a set would have a bit: poll's unasked HUP counts only where a set wants it.
async fn wait_for_sets(entries: &mut [PollEntry], deadline: Option<Duration>, clock: &Rc<dyn Clock>) {
    poll_files(entries, deadline, clock).await;
}
