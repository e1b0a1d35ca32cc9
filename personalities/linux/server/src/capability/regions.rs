//! Memory that root has mapped for the server: rings, the timer's page, the boot archive. Only in the guest.

use crate::boot::Entropy;
use crate::devices::Wire;
use alloc::boxed::Box;
use chestnut_manifest::{StartInfo, slots};
use chestnut_runtime::cap::Notification;
use chestnut_runtime::clock::Deadline;
use chestnut_runtime::ring::HEADER_BYTES;
use chestnut_runtime::ring::{ByteConsumer, ByteProducer, Memory};
use core::cell::RefCell;

/// The region of a name that the manifest promises.
fn region(start: &StartInfo, name: &str) -> (u64, u64) {
    match start.region(name) {
        Some(region) => (region.address, region.bytes),
        None => panic!("the start information has no region \"{name}\""),
    }
}
fn notification(start: &StartInfo, name: &str) -> Notification {
    match start.capability(name) {
        Some(cptr) => Notification(cptr),
        None => panic!("the start information has no capability \"{name}\""),
    }
}

fn ring(start: &StartInfo, name: &str) -> Memory {
    let (address, bytes) = region(start, name);
    // SAFETY: root has mapped the ring there for the server's lifetime, and each ring is attached to once.
    unsafe { Memory::new(address as *mut u8, bytes as usize) }
}

/// A ring each way and the capability to wake the other side.
struct RingWire {
    input: RefCell<ByteConsumer>,
    output: RefCell<ByteProducer>,
    /// Bytes that the output ring holds when it is full.
    capacity: usize,
    peer: Notification,
}

/// The wire to a driver: rings "NAME input" and "NAME output", signal "NAME".
pub fn wire(start: &StartInfo, name: &str) -> Box<dyn Wire> {
    let (_, bytes) = region(start, &alloc::format!("{name} output"));
    let capacity = 1 << (bytes as usize - HEADER_BYTES).ilog2();
    Box::new(RingWire {
        input: RefCell::new(ByteConsumer::attach(ring(start, &alloc::format!("{name} input")))),
        output: RefCell::new(ByteProducer::attach(ring(start, &alloc::format!("{name} output")))),
        capacity,
        peer: notification(start, name),
    })
}

impl Wire for RingWire {
    fn read(&self, into: &mut [u8]) -> usize {
        let mut input = self.input.borrow_mut();
        loop {
            let count = input.read(into).unwrap_or(0);
            if count > 0 {
                if input.wakes() {
                    self.peer.signal();
                }
                return count;
            }
            // A broken ring is as good as an empty one: the driver's restart mends it.
            if input.sleeps().unwrap_or(true) {
                return 0;
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> usize {
        let mut output = self.output.borrow_mut();
        let mut done = 0;
        while done < bytes.len() {
            let count = output.write(&bytes[done..]).unwrap_or(0);
            done += count;
            if count == 0 && output.sleeps().unwrap_or(true) {
                break;
            }
        }
        if done > 0 && output.wakes() {
            self.peer.signal();
        }
        done
    }

    fn driver(&self) -> u32 {
        self.input.borrow().producers()
    }

    fn unread(&self) -> usize {
        self.capacity.saturating_sub(self.output.borrow().room().unwrap_or(self.capacity))
    }
}

/// What tells the timer service of a deadline in ticks.
pub fn alarm(start: &StartInfo) -> Box<dyn Fn(u64)> {
    let (address, _) = region(start, "deadline");
    // SAFETY: root has mapped the page there for the server's lifetime, and only this value accesses it.
    let deadline = unsafe { Deadline::new(address as *mut u64) };
    let timer = notification(start, "timer");
    Box::new(move |ticks| {
        deadline.set(ticks);
        timer.signal();
    })
}

/// Random bytes from the entropy service: as many as there are, or if `all` are wanted, waits for them.
pub fn entropy(start: &StartInfo) -> Entropy {
    let ring = RefCell::new(ByteConsumer::attach(ring(start, "entropy")));
    let service = notification(start, "entropy");
    Box::new(move |bytes, all| {
        let mut ring = ring.borrow_mut();
        let mut done = 0;
        loop {
            // Nobody can go on without randomness: a broken ring is a reason to stop.
            done += ring.read(&mut bytes[done..]).unwrap_or_else(|broken| panic!("entropy: {broken}"));
            if ring.wakes() {
                service.signal();
            }
            if done == bytes.len() || !all {
                return done;
            }
            if ring.sleeps().unwrap_or(true) {
                // The notification is also everybody else's: what they say is looked for at the start anyway.
                Notification(slots::NOTIFICATION).wait();
            }
        }
    })
}

/// The boot archive: a tar file.
pub fn archive(start: &StartInfo) -> &'static [u8] {
    let (address, bytes) = region(start, "archive");
    // SAFETY: root has mapped the archive there, read-only, and nobody ever changes it.
    unsafe { core::slice::from_raw_parts(address as *const u8, bytes as usize) }
}
