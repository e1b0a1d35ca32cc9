//! What a hostile thread does: random system calls, one after the other, for ever.
//!
//! Most are invocations with arguments that could be meant: a capability of the right kind at the place where [`super::loot`] puts one, words that fit the
//! invocation's table in `abi`. The rest is less and less sensible, down to any number in every register. The thread has an IPC buffer that ends where
//! its memory ends, a stack, and [`Hammer`]; it reads the program's constants and nothing else.

use super::loot::{self, SLOTS};
use chestnut_abi::invocation::{INVOCATIONS, Invocation};
use chestnut_abi::ipc_buffer::{CAPS_WORD, MSG_WORD, RECEIVE_CNODE_WORD};
use chestnut_abi::{MessageInfo, ObjectType};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// What a hostile thread and the witness share.
#[repr(C)]
pub struct Hammer {
    /// System calls made.
    pub count: AtomicU64,
    /// What the next random number comes from.
    pub random: AtomicU64,
    /// How often each invocation succeeded, in the order of `abi`'s table.
    pub successes: [AtomicU32; ROWS],
}

/// What an argument is, and so what it could sensibly be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Filled,
    Empty,
    Depth,
    Type,
    SizeBits,
    Count,
    Address,
    Time,
    Few,
    None,
    Small,
    Node,
    AddressSpace,
    Thread,
    Context,
    Endpoint,
    Notification,
    Frame,
    Untyped,
}

impl Class {
    /// Of these, one that leads nowhere is a fault rather than an error: the thread waits for an answer.
    const fn is_capability(self) -> bool {
        matches!(
            self,
            Self::Node
                | Self::AddressSpace
                | Self::Thread
                | Self::Context
                | Self::Endpoint
                | Self::Notification
                | Self::Frame
                | Self::Untyped
        )
    }
}

const fn is_one_of(name: &str, names: &[&str]) -> bool {
    let mut which = 0;
    while which < names.len() {
        let (a, b) = (name.as_bytes(), names[which].as_bytes());
        let mut same = a.len() == b.len();
        let mut index = 0;
        while same && index < a.len() {
            same = a[index] == b[index];
            index += 1;
        }
        if same {
            return true;
        }
        which += 1;
    }
    false
}

const fn class(name: &str) -> Class {
    if is_one_of(name, &["index", "src_index", "pivot_index"]) {
        Class::Filled
    } else if is_one_of(name, &["dest_index", "node_offset"]) {
        Class::Empty
    } else if is_one_of(name, &["depth", "dest_depth", "src_depth", "pivot_depth"]) {
        Class::Depth
    } else if is_one_of(name, &["type"]) {
        Class::Type
    } else if is_one_of(name, &["size_bits"]) {
        Class::SizeBits
    } else if is_one_of(name, &["num_objects"]) {
        Class::Count
    } else if is_one_of(name, &["vaddr", "buffer", "base", "entry"]) {
        Class::Address
    } else if is_one_of(name, &["budget", "period"]) {
        Class::Time
    } else if is_one_of(
        name,
        &["extra_refills", "flags", "domain", "ioapic", "level", "polarity", "pci_dev", "pci_func"],
    ) {
        Class::Few
    } else if is_one_of(name, &["node_index", "node_depth"]) {
        Class::None
    } else if is_one_of(name, &["root", "src_root", "pivot_root", "cspace_root"]) {
        Class::Node
    } else if is_one_of(name, &["vspace", "pml4", "vspace_root"]) {
        Class::AddressSpace
    } else if is_one_of(name, &["authority", "source", "thread", "cap"]) {
        Class::Thread
    } else if is_one_of(name, &["schedcontext", "sched_context"]) {
        Class::Context
    } else if is_one_of(name, &["fault_ep", "timeout_fault_ep"]) {
        Class::Endpoint
    } else if is_one_of(name, &["notification"]) {
        Class::Notification
    } else if is_one_of(name, &["buffer_frame"]) {
        Class::Frame
    } else if is_one_of(name, &["untyped"]) {
        Class::Untyped
    } else {
        Class::Small
    }
}

const WORDS: usize = 8;
const CAPS: usize = 3;
pub const ROWS: usize = INVOCATIONS.len();

/// An invocation, ready to be used.
#[derive(Clone, Copy)]
struct Row {
    label: u64,
    /// Slots with the objects that it is made on.
    places: (u64, u64),
    words: [Class; WORDS],
    length: usize,
    caps: [Class; CAPS],
    extra: usize,
}

const fn places(object: &str) -> (u64, u64) {
    let mut index = 0;
    while index < loot::KINDS.len() {
        let (name, first, count) = loot::KINDS[index];
        if is_one_of(object, &[name]) {
            return (first, count);
        }
        index += 1;
    }
    // What is made by others: where that could be.
    (SLOTS / 2, SLOTS / 2)
}

const fn row(invocation: &Invocation) -> Row {
    let (length, extra) = (invocation.words.len(), invocation.caps.len());
    assert!(length <= WORDS && extra <= CAPS);
    let (mut words, mut caps) = ([Class::Small; WORDS], [Class::Small; CAPS]);
    let mut index = 0;
    while index < length {
        words[index] = class(invocation.words[index]);
        index += 1;
    }
    index = 0;
    while index < extra {
        caps[index] = class(invocation.caps[index]);
        index += 1;
    }
    Row { label: invocation.label as u64, places: places(invocation.object), words, length, caps, extra }
}

static TABLE: [Row; ROWS] = {
    let mut table = [row(&INVOCATIONS[0]); ROWS];
    let mut index = 0;
    while index < ROWS {
        table[index] = row(&INVOCATIONS[index]);
        index += 1;
    }
    table
};

/// A source of random numbers (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Less than `end`, which is small.
    fn below(&mut self, end: u64) -> u64 {
        ((self.next() >> 32) * end) >> 32
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<const N: usize>(&mut self, values: [u64; N]) -> u64 {
        values[self.below(N as u64) as usize % N]
    }

    /// A capability pointer: of one of the places, most of the time.
    fn slot(&mut self, places: (u64, u64)) -> u64 {
        match self.below(256) {
            0 => self.next(),
            1..=20 => self.below(SLOTS),
            21..=40 => self.below(loot::END),
            _ => places.0 + self.below(places.1),
        }
    }

    /// Numbers at which something may end.
    fn edge(&mut self) -> u64 {
        let bit = 1 << self.below(64);
        match self.below(6) {
            0 => bit,
            1 => bit - 1,
            2 => u64::MAX - self.below(4096),
            3 => 0x7fff_ffff_f000,
            4 => 0xffff_8000_0000_0000,
            _ => self.next(),
        }
    }

    fn argument(&mut self, class: Class) -> u64 {
        if self.one_in(if class.is_capability() { 200 } else { 24 }) {
            return self.edge();
        }
        match class {
            Class::Filled | Class::Empty if self.one_in(3) => self.below(SLOTS),
            Class::Filled => self.below(loot::END),
            Class::Empty => loot::END + self.below(SLOTS - loot::END),
            Class::Depth => self.pick([64, 64, 64, 64, 64, 64, loot::SLOT_BITS, 4]),
            Class::Type => self.below(ObjectType::COUNT),
            Class::SizeBits => 4 + self.below(12),
            Class::Count => self.pick([1, 1, 1, 1, 2, 3, 8, 256]),
            Class::Address => loot::FREE_ADDRESS + self.below(16) * 4096 + (self.below(4) / 3) * (1 << 21),
            Class::Time => 20 << self.below(12),
            Class::Few => self.below(3),
            Class::None => self.below(16) / 15,
            Class::Small => self.below(64),
            Class::Node => self.slot(places("CNode")),
            Class::AddressSpace => self.slot(places("VSpace")),
            Class::Thread => self.slot(places("TCB")),
            Class::Context => self.slot(places("SchedContext")),
            Class::Endpoint => self.slot(places("Endpoint")),
            Class::Notification => self.slot(places("Notification")),
            Class::Frame => self.slot(places("Page")),
            Class::Untyped => self.slot(places("Untyped")),
        }
    }
}

/// Registers of a system call.
struct Registers {
    number: i64,
    cap: u64,
    info: u64,
    words: [u64; 4],
    reply: u64,
    destination: u64,
}

/// Makes the system call, whatever it is; returns the message info that it left.
fn enter(registers: &Registers) -> u64 {
    let &Registers { number, cap, mut info, words: [w0, w1, w2, w3], reply, destination } = registers;
    // SAFETY: no memory of Rust's changes: the kernel writes the IPC buffer, which is accessed by volatile accesses only. If the call changes
    // this thread's registers or memory in another way, the witness starts it anew.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rdx") number => _,
            inlateout("rdi") cap => _,
            inlateout("rsi") info,
            inlateout("r10") w0 => _,
            inlateout("r8") w1 => _,
            inlateout("r9") w2 => _,
            inlateout("r15") w3 => _,
            inlateout("r12") reply => _,
            inlateout("r13") destination => _,
            lateout("rcx") _,
            lateout("r11") _,
            lateout("rax") _,
            lateout("r14") _,
            options(nostack),
        );
    }
    info
}

/// Where a hostile thread begins: RDI is its [`Hammer`], RSI its IPC buffer.
pub extern "C" fn run(hammer: &Hammer, buffer: *mut u64) -> ! {
    let write = |index: usize, value: u64| {
        // SAFETY: a word of this thread's IPC buffer, accessed by volatile accesses only.
        unsafe { buffer.add(index & 127).write_volatile(value) }
    };
    loop {
        let mut random = Random(hammer.random.load(Relaxed));
        random.next();
        hammer.random.store(random.0, Relaxed);
        hammer.count.fetch_add(1, Relaxed);
        let (registers, row) = choose(&mut random, write);
        let answer = enter(&registers);
        if let Some(row) = row
            && MessageInfo(answer).label() == 0
        {
            hammer.successes[row].fetch_add(1, Relaxed);
        }
    }
}

/// The next system call; the buffer is filled accordingly. If it is an invocation that is answered, its row comes along.
fn choose(random: &mut Random, write: impl Fn(usize, u64)) -> (Registers, Option<usize>) {
    let kind = random.below(64);
    let number = random.below(ROWS as u64) as usize % ROWS;
    let row = &TABLE[number];
    let is_invocation = kind < 50;
    let (length, extra) = match random.below(16) {
        0 => (random.pick([0, 1, 4, 5, 119, 120, 121, 127]), random.below(4)),
        _ if is_invocation => (row.length as u64, row.extra as u64),
        _ => (random.pick([0, 0, 1, 2, 4, 5, 8, 120]), random.below(8) / 5),
    };
    let mut words = [0; 4];
    for index in 0..row.length {
        let value = random.argument(row.words[index & 7]);
        match words.get_mut(index) {
            Some(word) => *word = value,
            None => write(MSG_WORD + index, value),
        }
    }
    for index in 0..extra.min(CAPS as u64) as usize {
        write(CAPS_WORD + index, random.argument(row.caps[index % CAPS]));
    }
    if random.one_in(16) {
        (0..3).for_each(|index| write(RECEIVE_CNODE_WORD + index, 0));
        write(RECEIVE_CNODE_WORD, random.slot(places("CNode")));
        write(RECEIVE_CNODE_WORD + 1, random.below(SLOTS));
        write(RECEIVE_CNODE_WORD + 2, 64);
    }
    let label = if random.one_in(32) { random.edge() } else { row.label };
    let mut registers = Registers {
        number: -1,
        cap: random.slot(row.places),
        info: MessageInfo::new(label, 0, extra, length).0,
        words,
        reply: random.slot(places("Reply")),
        destination: random.slot(places("Endpoint")),
    };
    let is_meant = (row.places.0..row.places.0 + row.places.1).contains(&registers.cap);
    match kind {
        0..50 => {}
        // The same, but nobody wants to know.
        50..54 => registers.number = random.pick([-5i64 as u64, -6i64 as u64, -6i64 as u64]) as i64,
        // Messages: more often such as don't wait.
        54..62 => {
            registers.number = -(random.pick([1, 2, 3, 4, 5, 6, 6, 6, 6, 7, 8, 8, 8, 8, 9, 10, 10, 10, 10, 11]) as i64);
            registers.cap = random.slot(loot::PARTNERS);
        }
        // Anything; SetTlsBase; numbers that name nothing.
        62 if random.one_in(4) => {
            registers.number = random.pick([-33i64 as u64, -34i64 as u64, 0, 1, -12i64 as u64, -31i64 as u64]) as i64;
            registers.cap = random.edge();
        }
        62 => registers.number = -11,
        _ => {
            registers.number = -1 - random.below(11) as i64;
            registers.info = random.next();
            registers.words = core::array::from_fn(|_| random.edge());
        }
    }
    (registers, (is_invocation && label == row.label && is_meant).then_some(number))
}
