//! Random bytes for other services: a ring that is always full of them.
//!
//! They come from ChaCha20, whose key is made anew each time that the ring is filled: from what the generator says, from
//! words of the processor's own generator where it has one, and from many readings of the time-stamp counter.
//! Without such a generator, on a machine whose time is counted in instructions, the counter tells nothing new, and whoever knows the
//! whole machine can tell what comes.
//!
//! A service that is made anew takes what it finds in the ring's memory for granted and adds to it.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod pool;
mod sources;

use chestnut_runtime::{
    StartInfo,
    cap::Notification,
    ring::{ByteProducer, Memory},
    signals,
};
use pool::Pool;

/// What the manifest calls the ring, and the signal to whoever reads it.
const RING: &str = "entropy";
/// Bytes that are put into the ring at a time.
const PORTION: usize = 256;

/// The program.
pub fn run(start: &'static StartInfo) -> ! {
    let (Some(region), Some(client)) = (start.region(RING), start.capability(RING)) else {
        panic!("the start information has no ring or no signal \"{RING}\"");
    };
    // SAFETY: root mapped the region for this program's life, and nothing but this ring's one side uses it here.
    let memory = unsafe { Memory::new(region.address as *mut u8, region.bytes as usize) };
    let mut ring = ByteProducer::attach(memory);
    let client = Notification(client);
    let mut pool = Pool::default();
    loop {
        pool.stir(sources::gather);
        match fill(&mut ring, &mut pool) {
            Ok(()) => {}
            Err(broken) => panic!("{broken}"),
        }
        if ring.wakes() {
            client.signal();
        }
        signals::wait();
    }
}

/// Fills the ring until its reader has to make room.
fn fill(ring: &mut ByteProducer, pool: &mut Pool) -> Result<(), chestnut_runtime::ring::Broken> {
    let mut portion = [0; PORTION];
    loop {
        let room = ring.room()?.min(PORTION);
        if room > 0 {
            pool.draw(&mut portion[..room]);
            ring.write(&portion[..room])?;
        } else if ring.sleeps()? {
            return Ok(());
        }
    }
}
