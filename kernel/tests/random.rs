//! Random system calls by several threads, through the whole kernel, with every invariant checked on the way.
//!
//! The threads share one CSpace full of capabilities and one IPC buffer, so that everything meets everything: deletes race with waits,
//! budgets end in the middle of calls, CNodes come to hold themselves.

mod machine;

use chestnut_abi::bootinfo::slot;
use chestnut_abi::registers::Register;
use chestnut_abi::{Label, MessageInfo, ObjectType, Syscall, invocation::INVOCATIONS, ipc_buffer};
use chestnut_kernel::{arch, entry};
use machine::*;

/// xorshift64*: the sequence is the test's name for what it did.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Slots that the threads play with.
const SLOTS: u64 = 64;

fn any_slot(random: &mut Random) -> u64 {
    match random.below(10) {
        0 => random.below(slot::FIRST_FREE + 1),
        1 => UNTYPED + random.below(2),
        _ => FREE + random.below(SLOTS),
    }
}

fn argument(random: &mut Random, name: &str) -> u64 {
    let depth = |random: &mut Random| if random.one_in(12) { random.below(70) } else { 64 };
    match name {
        "type" => random.below(ObjectType::COUNT + 1),
        "size_bits" => random.pick(&[0, 1, 2, 4, 7, 8, 10, 12, 14, 20, 63]),
        "num_objects" => random.below(5),
        "node_index" | "node_depth" => 0,
        "node_offset" | "index" | "dest_index" | "src_index" | "pivot_index" => any_slot(random),
        "depth" | "dest_depth" | "src_depth" | "pivot_depth" => depth(random),
        "rights" => random.below(16),
        "priority" | "mcp" => random.pick(&[0, 1, 1, 2, 2, 3, 255]),
        "budget" => random.pick(&[20, 50, 1000, 1000, 5000]),
        "period" => random.pick(&[50, 1000, 1000, 5000, 100_000]),
        "extra_refills" => random.below(6),
        "vaddr" | "buffer" => random.pick(&[0, 0x1000, 0x40_0000, 0x40_0000, 0x8000_0000, 0x7fff_ffff_f000, u64::MAX]),
        "badge" | "dest_badge" | "pivot_badge" => random.below(4),
        "flags" => random.below(16),
        "count" => random.below(22),
        "vector" | "irq" | "pin" => random.below(5),
        "ioapic" | "level" | "polarity" | "cspace_root_data" | "vspace_root_data" | "length" => 0,
        _ => random.below(8),
    }
}

fn write_caps(m: Machine, random: &mut Random, count: u64) {
    for index in 0..count {
        // Often one that fits many arguments.
        let cap = match random.below(4) {
            0 => slot::INIT_CNODE,
            1 => slot::INIT_VSPACE,
            _ => any_slot(random),
        };
        m.write_buffer(ipc_buffer::CAPS_WORD + index as usize, cap);
    }
}

fn step(m: Machine, random: &mut Random) {
    let Some(thread) = m.current() else {
        // Idle: time passes, a device interrupts, or somebody outside starts the dead again.
        arch::set_now(arch::now() + random.below(2_000_000));
        return match random.below(4) {
            0 => entry::interrupt(random.below(6) as usize),
            1 => revive(m),
            _ => entry::timer(),
        };
    };
    let registers = &thread.context;
    // Sometimes a preempted call is simply made again.
    if registers.get(Register::Rip) == 0x40_0000 && !random.one_in(3) {
        arch::set_interrupt_pending(false);
        return m.enter_again();
    }
    arch::set_interrupt_pending(random.one_in(4));
    match random.below(20) {
        0 => {
            arch::set_now(arch::now() + random.below(3_000_000));
            return entry::timer();
        }
        1 => return entry::interrupt(random.below(6) as usize),
        2 => return entry::page_fault(random.below(1 << 40), random.below(32)),
        3 => return entry::exception(random.below(20), 0),
        4 => return entry::fpu_unavailable(),
        _ => {}
    }
    registers.set(Register::R12, any_slot(random));
    registers.set(Register::R13, any_slot(random));
    if random.one_in(3) {
        let calls = [-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -33, -12, 5];
        registers.set(Register::Rdx, random.pick(&calls) as u64);
        registers.set(Register::Rdi, any_slot(random));
        let caps = random.below(4);
        write_caps(m, random, caps);
        registers.set(Register::Rsi, MessageInfo::new(random.below(3), 0, caps, random.below(121)).0);
        return m.enter_again();
    }
    // An invocation with plausible arguments; the commonest one makes objects, so that there is something to play with.
    let row = match random.below(6) {
        0 => &INVOCATIONS[0],
        _ => &INVOCATIONS[random.below(INVOCATIONS.len() as u64) as usize],
    };
    let capability = if row.label == Label::UntypedRetype && !random.one_in(4) {
        UNTYPED
    } else if row.object == "CNode" && !random.one_in(4) {
        slot::INIT_CNODE
    } else {
        any_slot(random)
    };
    for (index, name) in row.words.iter().enumerate() {
        let value = argument(random, name);
        match index {
            0..4 => registers.set_message_register(index, value),
            _ => m.write_buffer(ipc_buffer::MSG_WORD + index, value),
        }
    }
    write_caps(m, random, row.caps.len() as u64);
    registers.set(Register::Rdx, Syscall::Call as i64 as u64);
    registers.set(Register::Rdi, capability);
    registers
        .set(Register::Rsi, MessageInfo::new(row.label as u64, 0, row.caps.len() as u64, row.words.len() as u64).0);
    m.enter_again();
}

/// Starts every thread that isn't running, so that a random sequence doesn't end when the last one has faulted.
fn revive(m: Machine) {
    let k = m.kernel();
    let threads = (0..SLOTS).map(|index| FREE + index).chain([slot::INIT_TCB]);
    for thread in threads.filter_map(|index| m.cap(index).as_tcb(k)) {
        chestnut_kernel::ipc::restart(k, thread);
    }
    entry::leave(k);
}

/// A machine with a few threads, endpoints, replies and contexts at hand.
fn scene() -> Machine {
    let m = Machine::boot();
    for index in 0..4 {
        m.thread(FREE + 4 * index, 1 + index % 2, 1000);
        m.make(ObjectType::Endpoint, 0, FREE + 4 * index + 2);
        m.make(ObjectType::Reply, 0, FREE + 4 * index + 3);
        let buffer = [0x10_0000];
        m.must(FREE + 4 * index, Label::TcbSetIpcBuffer, &buffer, &[slot::INIT_IPC_BUFFER]);
    }
    m.make(ObjectType::Notification, 0, FREE + 20);
    m.make(ObjectType::CapTable, 2, FREE + 21);
    m.must(slot::INIT_TCB, Label::TcbSetPriority, &[1], &[slot::INIT_TCB]);
    m
}

fn run(seed: u64, steps: usize) {
    let m = scene();
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut idle = 0;
    for step_number in 0..steps {
        let before = m.current().map(|thread| (thread.context.fault_ip(), thread.address()));
        step(m, &mut random);
        if std::env::var_os("CHESTNUT_RANDOM_TRACE").is_some() {
            let registers = m.current().map(|t| &t.get().context);
            let words = registers.map(|r| {
                (
                    r.get(Register::Rdx) as i64,
                    r.get(Register::Rdi),
                    MessageInfo(r.message_info()).label(),
                    r.message_register(0),
                )
            });
            eprintln!("{step_number}: before {before:x?}, now {:x?} {words:x?}", m.current().map(|t| t.address()));
        }
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| invariants::check(m)));
        if let Err(why) = checked {
            eprintln!("seed {seed}, after step {step_number}");
            std::panic::resume_unwind(why);
        }
        idle = if m.current().is_none() { idle + 1 } else { 0 };
        if idle > 100 {
            return; // Everybody has been killed.
        }
    }
}

#[test]
fn random_system_calls_keep_every_invariant() {
    let seeds: u64 = std::env::var("CHESTNUT_RANDOM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    for seed in 0..seeds {
        run(seed, 3000);
    }
}
