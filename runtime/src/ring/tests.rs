//! Rings against a queue, against a peer that lies, and with both sides on threads of their own.

use super::*;
use proptest::prelude::*;
use std::{
    alloc::{Layout, alloc_zeroed},
    collections::VecDeque,
    sync::mpsc,
    thread, vec,
    vec::Vec,
};

/// Zeroed memory of a ring, leaked: tests are short.
fn memory(bytes: usize) -> Memory {
    let layout = Layout::from_size_align(bytes, 4096).unwrap();
    // SAFETY: the layout is not empty; the memory is never freed and used as a ring only.
    unsafe { Memory::new(alloc_zeroed(layout), bytes) }
}

fn bytes(memory: Memory) -> (ByteProducer, ByteConsumer) {
    (ByteProducer::attach(memory), ByteConsumer::attach(memory))
}

#[test]
fn capacity_is_the_largest_power_of_two_that_fits() {
    assert_eq!(bytes(memory(4096)).0.room(), Ok(2048));
    assert_eq!(bytes(memory(8192)).0.room(), Ok(4096));
    assert_eq!(bytes(memory(4096 + 128)).0.room(), Ok(4096));
}

#[test]
fn a_full_ring_takes_no_more_and_loses_nothing() {
    let (mut producer, mut consumer) = bytes(memory(128 + 16));
    assert_eq!(producer.write(b"0123456789abcdefXYZ"), Ok(16));
    assert_eq!(producer.write(b"X"), Ok(0));
    let mut data = [0; 32];
    assert_eq!(consumer.read(&mut data), Ok(16));
    assert_eq!(&data[..16], b"0123456789abcdef");
}

#[test]
fn what_was_peeked_but_not_acknowledged_is_there_after_a_restart() {
    let memory = memory(4096);
    let (mut producer, mut consumer) = bytes(memory);
    producer.write(b"abcdef").unwrap();
    let mut data = [0; 4];
    assert_eq!(consumer.peek(&mut data), Ok(4));
    consumer.acknowledge(2).unwrap();
    let mut restarted = ByteConsumer::attach(memory);
    assert_eq!(restarted.read(&mut data), Ok(4));
    assert_eq!(&data, b"cdef");
    producer = ByteProducer::attach(memory);
    producer.write(b"g").unwrap();
    assert_eq!(restarted.read(&mut data), Ok(1));
    assert_eq!((data[0], restarted.producers()), (b'g', 2));
}

#[test]
fn a_sleeper_is_woken_once() {
    let (mut producer, mut consumer) = bytes(memory(128 + 16));
    assert!(!producer.wakes());
    assert_eq!(consumer.sleeps(), Ok(true));
    producer.write(b"x").unwrap();
    assert!(producer.wakes());
    assert!(!producer.wakes());
    assert_eq!(consumer.sleeps(), Ok(false), "there is a byte");
    producer.write(&[0; 15]).unwrap();
    assert_eq!(producer.sleeps(), Ok(true));
    consumer.read(&mut [0]).unwrap();
    assert!(consumer.wakes());
    assert_eq!(producer.sleeps(), Ok(false), "there is room");
}

#[test]
fn indices_that_can_not_be_are_noticed() {
    let memory = memory(4096);
    let (mut producer, mut consumer) = bytes(memory);
    producer.write(b"abc").unwrap();
    memory.word(HEAD).store(4, SeqCst);
    assert_eq!(producer.write(b"d"), Err(Broken));
    assert_eq!(producer.sleeps(), Err(Broken));
    memory.word(TAIL).store(2049, SeqCst);
    assert_eq!(consumer.read(&mut [0; 8]), Err(Broken));
    assert_eq!(consumer.acknowledge(1), Err(Broken));
    assert_eq!(consumer.sleeps(), Err(Broken));
}

#[test]
fn descriptors_arrive_whole_and_in_order() {
    let memory = memory(128 + 64);
    let mut producer = DescriptorProducer::attach(memory).unwrap();
    let mut consumer = DescriptorConsumer::attach(memory).unwrap();
    for round in 0..10 {
        let made = |tag| Descriptor { offset: u64::MAX - round, length: 1500, tag };
        for tag in 0..4 {
            assert_eq!(producer.put(made(tag)), Ok(true));
        }
        assert_eq!(producer.put(made(9)), Ok(false));
        for tag in 0..4 {
            assert_eq!(consumer.take(), Ok(Some(made(tag))));
        }
        assert_eq!(consumer.take(), Ok(None));
    }
    memory.word(TAIL).fetch_add(3, SeqCst);
    assert_eq!(consumer.take(), Err(Broken));
    assert_eq!(DescriptorProducer::attach(memory).unwrap_err(), Broken);
}

#[test]
fn a_descriptor_outside_of_the_data_has_no_range() {
    let range = |offset, length| Descriptor { offset, length, tag: 0 }.range(4096);
    assert_eq!(range(4000, 96), Some(4000..4096));
    assert_eq!(range(4000, 97), None);
    assert_eq!(range(u64::MAX, 2), None);
}

#[test]
fn two_threads_that_sleep_and_wake_each_other_lose_no_byte() {
    struct Shared(Memory);
    // SAFETY: a ring's memory is made to be used from two sides, which only use atomics.
    unsafe impl Send for Shared {}
    const COUNT: u32 = 100_000;
    let ring = memory(128 + 64);
    let (wake_consumer, consumer_waits) = mpsc::channel();
    let (wake_producer, producer_waits) = mpsc::channel();
    let shared = Shared(ring);
    let writer = thread::spawn(move || {
        let shared = shared;
        let mut producer = ByteProducer::attach(shared.0);
        let mut next = 0;
        while next < COUNT {
            let chunk: Vec<u8> = (next..COUNT.min(next + 50)).map(|number| number as u8).collect();
            let written = producer.write(&chunk).unwrap();
            next += written as u32;
            if written > 0 && producer.wakes() {
                wake_consumer.send(()).unwrap();
            }
            if written < chunk.len() && producer.sleeps().unwrap() {
                producer_waits.recv().unwrap();
            }
        }
    });
    let mut consumer = ByteConsumer::attach(ring);
    let (mut next, mut data) = (0u32, [0; 33]);
    while next < COUNT {
        let count = consumer.read(&mut data).unwrap();
        for &byte in &data[..count] {
            assert_eq!(byte, next as u8);
            next += 1;
        }
        if count > 0 && consumer.wakes() {
            // The writer may have ended with its last bytes.
            let _ = wake_producer.send(());
        }
        if count == 0 && consumer.sleeps().unwrap() {
            consumer_waits.recv().unwrap();
        }
    }
    writer.join().unwrap();
}

proptest! {
    #[test]
    fn a_ring_is_a_bounded_queue(
        start in any::<u32>(),
        steps in prop::collection::vec((any::<bool>(), 0usize..40, any::<u8>()), 1..200),
    ) {
        let memory = memory(128 + 32);
        memory.word(HEAD).store(start, SeqCst);
        memory.word(TAIL).store(start, SeqCst);
        let (mut producer, mut consumer) = bytes(memory);
        let mut queue = VecDeque::new();
        for (write, count, seed) in steps {
            if write {
                let data: Vec<u8> = (0..count).map(|index| seed.wrapping_add(index as u8)).collect();
                let written = producer.write(&data).unwrap();
                prop_assert_eq!(written, count.min(32 - queue.len()));
                queue.extend(&data[..written]);
            } else {
                let mut data = vec![0; count];
                let taken = consumer.read(&mut data).unwrap();
                prop_assert_eq!(taken, count.min(queue.len()));
                prop_assert_eq!(&data[..taken], &queue.drain(..taken).collect::<Vec<_>>()[..]);
            }
            prop_assert_eq!(consumer.available().unwrap(), queue.len());
        }
    }

    #[test]
    fn a_lying_peer_never_makes_the_honest_side_panic_or_leave_the_ring(
        lies in prop::collection::vec((any::<u32>(), any::<u32>(), 0usize..64), 1..100),
    ) {
        let memory = memory(128 + 32);
        let (mut producer, mut consumer) = bytes(memory);
        for (head, tail, count) in lies {
            memory.word(HEAD).store(head, SeqCst);
            let data = vec![7; count];
            if let Ok(written) = producer.write(&data) {
                prop_assert!(written <= 32);
            }
            memory.word(TAIL).store(tail, SeqCst);
            let mut data = vec![0; count];
            if let Ok(taken) = consumer.read(&mut data) {
                prop_assert!(taken <= 32);
            }
            let _ = (consumer.acknowledge(count), consumer.sleeps(), producer.sleeps());
        }
    }
}
