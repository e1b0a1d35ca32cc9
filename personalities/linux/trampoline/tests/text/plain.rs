//! Reads and writes whose answers depend on their arguments alone.

use chestnut_abi::layout::USER_END;
use chestnut_linux_trampoline::pages::{PAGE, PLAIN_DESCRIPTORS, plain};

use crate::machine::{Machine, Program};
use crate::requests::{assert_kept, local, remote, take_signals_once};

const READ: u64 = 0;
const WRITE: u64 = 1;
const EFAULT: i64 = -14;

/// Descriptor 3 is like null, 4 like zero.
fn machine() -> Box<Machine> {
    let machine = Machine::new();
    assert!(machine.process.set_plain(3, plain::READS_END | plain::DISCARDS));
    assert!(machine.process.set_plain(4, plain::READS_ZEROS | plain::DISCARDS));
    machine
}

fn fill(machine: &Machine) {
    (0..PAGE / 8).for_each(|index| machine.set_scratch_word(index, u64::MAX));
}

#[test]
fn null_and_zero_are_answered_here() {
    let machine = machine();
    let buffer = machine.scratch_address();
    assert_eq!(local(&machine, READ, &[3, buffer, 8]), 0);
    assert_eq!(local(&machine, READ, &[1 << 32 | 3, buffer, 8]), 0);
    for descriptor in [3, 4] {
        assert_eq!(local(&machine, WRITE, &[descriptor, buffer, 8]), 8);
        // Nobody looks whether there is anything.
        assert_eq!(local(&machine, WRITE, &[descriptor, 0, 0x7fff_f000]), 0x7fff_f000);
        assert_eq!(local(&machine, WRITE, &[descriptor, USER_END - 8, 8]), 8);
    }
    for (offset, count) in [(0, 0), (0, 1), (3, 4), (5, 20), (8, 24), (1, PAGE as u64 - 1), (0, PAGE as u64)] {
        fill(&machine);
        assert_eq!(local(&machine, READ, &[4, buffer + offset, count]), count as i64);
        for at in 0..PAGE as u64 {
            let byte = machine.scratch_word(at as usize / 8) >> (at % 8 * 8) & 0xff;
            assert_eq!(byte == 0, (offset..offset + count).contains(&at), "{offset} {count} {at}");
        }
    }
}

#[test]
fn zeros_end_where_memory_does() {
    let machine = machine();
    for before in [1, 7, 8, 9, 100, 4096] {
        fill(&machine);
        assert_eq!(local(&machine, READ, &[4, machine.hole() - before, 10_000]), before as i64);
        assert_eq!(machine.scratch_word(PAGE / 8 - 1) >> 56, 0);
    }
    assert_eq!(local(&machine, READ, &[4, machine.hole(), 1]), EFAULT);
    assert_eq!(local(&machine, READ, &[4, machine.hole() + 3, 5]), EFAULT);
}

#[test]
fn a_signal_ends_a_long_read_after_a_page() {
    let machine = machine();
    machine.thread.set_attention(true);
    let taken = take_signals_once(&machine, |_| {});
    let before = Program::call(READ, &[4, machine.scratch_address() + 8, 1 << 20]);
    // From the first whole word on.
    let after = machine.run(Program { rdx: PAGE as u64 - 8, ..before });
    assert_kept(Program { rdx: PAGE as u64 - 8, ..before }, after, PAGE as i64 - 8);
    assert_eq!(taken.get(), 1);
    machine.thread.set_attention(true);
    let after = machine.run(Program { rsi: machine.scratch_address(), ..before });
    assert_kept(Program { rsi: machine.scratch_address(), ..before }, after, PAGE as i64);
}

#[test]
fn what_needs_more_is_the_server_s() {
    let machine = machine();
    let buffer = machine.scratch_address();
    let beyond = PLAIN_DESCRIPTORS as u64;
    assert!(!machine.process.set_plain(PLAIN_DESCRIPTORS, plain::DISCARDS));
    for number in [READ, WRITE] {
        for descriptor in [0, 5, beyond - 1, beyond, u64::MAX, 1 << 31] {
            remote(&machine, number, &[descriptor, buffer, 8]);
        }
        for descriptor in [3, 4] {
            remote(&machine, number, &[descriptor, USER_END - 7, 8]);
            remote(&machine, number, &[descriptor, u64::MAX, 8]);
            remote(&machine, number, &[descriptor, u64::MAX - 7, 8]);
            remote(&machine, number, &[descriptor, buffer, 0x7fff_f001]);
            remote(&machine, number, &[descriptor, buffer, u64::MAX]);
        }
    }
    // Opened for one of the two.
    machine.process.set_plain(3, plain::READS_END);
    machine.process.set_plain(4, plain::DISCARDS);
    assert_eq!(local(&machine, READ, &[3, buffer, 8]), 0);
    assert_eq!(local(&machine, WRITE, &[4, buffer, 8]), 8);
    remote(&machine, WRITE, &[3, buffer, 8]);
    remote(&machine, READ, &[4, buffer, 8]);
    // Closed.
    machine.process.set_plain(3, 0);
    machine.process.set_plain(4, 0);
    remote(&machine, READ, &[3, buffer, 8]);
    remote(&machine, WRITE, &[4, buffer, 8]);
}

#[test]
fn whoever_watches_devices_hears_of_them() {
    let machine = machine();
    let buffer = machine.scratch_address();
    machine.time.set_devices_watched(true);
    remote(&machine, READ, &[4, buffer, 8]);
    remote(&machine, WRITE, &[3, buffer, 8]);
    // A read of nothing is nothing to hear of.
    assert_eq!(local(&machine, READ, &[3, buffer, 8]), 0);
    machine.time.set_devices_watched(false);
    assert_eq!(local(&machine, WRITE, &[3, buffer, 8]), 8);
    machine.thread.set_traced(machine.addresses().process, true);
    remote(&machine, READ, &[3, buffer, 8]);
    remote(&machine, WRITE, &[3, buffer, 8]);
}
