//! Random sequences: the threads of a scene make system calls and cause faults, time passes, devices interrupt, memory is written;
//! after each step everything is checked.
//!
//! The threads share one CSpace full of capabilities, so that everything meets everything: deletes race with waits, budgets end
//! in the middle of calls, CNodes come to hold themselves.

use super::arguments::{self, Call, any_slot};
use super::choices::Choices;
use super::coverage::Coverage;
use super::invariants::Checker;
use super::scene::{PLAYGROUND, PLAYGROUNDS, SLOTS, scene};
use super::{FREE, Machine};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::invocation::INVOCATIONS;
use chestnut_abi::registers::Register;
use chestnut_abi::{Label, LookupFailure, MessageInfo, Syscall, ipc_buffer};
use chestnut_kernel::cap::{Cap, Kind, lookup};
use chestnut_kernel::mem::Ref;
use chestnut_kernel::object::{Above, Fault, Place, Tcb, TcbSlot, ThreadState};
use chestnut_kernel::{arch, entry, ipc, time};

/// Where a thread's `syscall` is, and where redirection can find it native.
const CODE: [u64; 2] = [0x40_0000, 0x1000];
/// Pattern that "user code" leaves in memory.
const DIRT: u64 = 0x6469_7274_6469_7274;
const TICKS_PER_US: u64 = 1000;
pub const FAULT: i64 = 100;
pub const INTERRUPT: i64 = 101;

pub struct Player<'b> {
    pub m: Machine,
    choices: Choices<'b>,
    checker: Checker,
    pub coverage: Coverage,
    /// What the last step did, for the message of a failure.
    pub last: String,
    /// The number of the system call that it made; [`FAULT`] or [`INTERRUPT`]; else 0.
    pub kind: i64,
    /// Makes messages more often than invocations.
    pub talks: bool,
    idle: u32,
}

type Thread = Ref<'static, Tcb>;

impl<'b> Player<'b> {
    pub fn new(choices: Choices<'b>) -> Self {
        let m = scene();
        let coverage = Coverage::default();
        Self { m, choices, checker: Checker::new(m), coverage, last: String::new(), kind: 0, talks: false, idle: 0 }
    }

    /// What the machine is doing: the time, who runs, and what time it has.
    pub fn describe(&self) -> String {
        let k = self.m.kernel();
        let thread = self.m.current().map_or(0, |thread| thread.physical(k));
        let time = k.current_sc.get(k).map(|context| {
            let (flags, refills) = (context.sporadic.get(), context.refills().map(|r| (r.time, r.amount)));
            (context.physical(k), flags, refills.collect::<Vec<_>>())
        });
        format!(
            "now {}, {thread:#x} runs on {time:?}, {} used, deadline {}",
            k.now.get(),
            k.consumed.get(),
            arch::deadline()
        )
    }

    /// Whether nothing more can happen.
    pub fn is_over(&self) -> bool {
        self.idle > 60 || self.choices.is_over()
    }

    /// Does something, and checks everything.
    pub fn step(&mut self) {
        let moved = self.act();
        self.checker.check(self.m, moved);
        self.after_step();
    }

    /// Does something, and leaves it to the caller to look at what came of it.
    pub fn step_unchecked(&mut self) {
        self.act();
        self.after_step();
    }

    fn after_step(&mut self) {
        self.observe();
        self.idle = if self.m.current().is_none() { self.idle + 1 } else { 0 };
    }

    /// Returns whether capabilities may have changed places.
    fn act(&mut self) -> bool {
        self.kind = 0;
        let Some(thread) = self.m.current() else {
            self.wait();
            return false;
        };
        let passes = match self.choices.below(24) {
            0 => self.choices.below(3000),
            1 => self.choices.below(300),
            _ => 1,
        };
        if self.pass(passes * TICKS_PER_US) {
            return false;
        }
        match self.choices.below(40) {
            0 => self.interrupt(),
            1 => self.fault(thread, |choices| entry::page_fault(choices.below(1 << 40), choices.below(32))),
            2 => self.fault(thread, |choices| entry::exception(choices.below(20), 0)),
            3 => self.use_fpu(thread),
            4 => self.write_memory(),
            5 => self.look_up(thread),
            _ => {
                // A preempted call is often made again.
                let code = thread.context.get(Register::Rip);
                let again = CODE.contains(&code) && code == thread.context.fault_ip() && self.choices.one_in(2);
                if again {
                    return self.make(thread, code, "again");
                }
                let code = CODE[usize::from(self.choices.one_in(8))];
                let communicates = self.choices.one_in(3) || self.talks && self.choices.one_in(2);
                return if communicates { self.communicate(thread, code) } else { self.invoke(thread, code) };
            }
        }
        false
    }

    /// Nobody runs: the next deadline comes, a device interrupts, or somebody outside starts those who stopped.
    fn wait(&mut self) {
        match self.choices.below(4) {
            0 => self.interrupt(),
            1 | 2 => {
                self.last = "revive".to_owned();
                self.revive();
            }
            _ if arch::deadline() != u64::MAX => {
                arch::set_now(arch::deadline().max(arch::now()));
                self.last = "the deadline".to_owned();
                entry::timer();
            }
            _ => arch::set_now(arch::now() + 1000 * TICKS_PER_US),
        }
    }

    /// Lets time pass. The timer interrupts at its deadline; true if it did.
    fn pass(&mut self, ticks: u64) -> bool {
        let until = arch::now() + ticks;
        if until < arch::deadline() {
            arch::set_now(until);
            return false;
        }
        arch::set_now(arch::deadline().max(arch::now()));
        self.last = "the timer".to_owned();
        entry::timer();
        true
    }

    fn interrupt(&mut self) {
        let irq = self.choices.below(7);
        self.last = format!("interrupt {irq}");
        self.kind = INTERRUPT;
        let k = self.m.kernel();
        let signals = k.state().irqs.slot(irq).is_some_and(|slot| slot.cap().as_notification(k).is_some());
        entry::interrupt(irq as usize);
        if signals {
            self.coverage.event("an interrupt became a signal");
        }
    }

    fn fault(&mut self, thread: Thread, cause: impl FnOnce(&mut Choices<'b>)) {
        self.last = "a fault".to_owned();
        self.kind = FAULT;
        thread.context.set_fault_ip(CODE[0]);
        thread.context.set(Register::Rip, CODE[0]);
        cause(&mut self.choices);
    }

    fn use_fpu(&mut self, thread: Thread) {
        self.last = "FPU".to_owned();
        let k = self.m.kernel();
        if k.fpu_owner.is(thread) {
            return;
        }
        thread.context.set_fault_ip(CODE[0]);
        let had = !k.fpu_owner.is_none();
        entry::fpu_unavailable();
        if had && k.fpu_owner.is(thread) {
            self.coverage.event("the FPU changed hands");
        }
    }

    /// What user code leaves in its memory.
    fn write_memory(&mut self) {
        let start = self.choices.below(SLOTS);
        let frames = (0..SLOTS).map(|index| self.m.cap(FREE + (start + index) % SLOTS));
        let small = |cap: &Cap| cap.kind() == Kind::Frame && !cap.frame_is_device() && cap.frame_size().level() == 1;
        if let Some(frame) = frames.into_iter().find(small) {
            self.last = format!("write to {frame:?}");
            for word in 0..512 {
                self.m.write_word(frame.address() + word * 8, DIRT);
            }
        }
    }

    /// A look-up, beside what the manual says about it.
    fn look_up(&mut self, thread: Thread) {
        let address = match self.choices.below(3) {
            0 => any_slot(&mut self.choices),
            1 => any_slot(&mut self.choices) | self.choices.below(1 << 16) << self.choices.below(64),
            _ => self.choices.below(1 << 16) << 48 | self.choices.below(1 << 16),
        };
        let depth = if self.choices.one_in(2) { 64 } else { self.choices.below(65) };
        let root = thread.slot(TcbSlot::CSpace).cap();
        let kernels = lookup(self.m.kernel().entry(), root, address, depth);
        let kernels = kernels.map(|found| (found.slot.physical(self.m.kernel()), found.bits_left));
        let manuals = resolve(self.m, root, address, depth);
        self.last = format!("look-up of {address:#x}, {depth} bits");
        assert_eq!(kernels, manuals, "{}", self.last);
    }

    /// A message: one of the system calls on any capability.
    fn communicate(&mut self, thread: Thread, code: u64) -> bool {
        let awaited = if self.talks && self.choices.one_in(3) { self.awaited_reply() } else { None };
        let number = if awaited.is_some() {
            self.choices.pick(&[-2, -2, -2, -5, -6])
        } else {
            self.choices.pick(&[-1, -1, -2, -2, -3, -4, -5, -5, -6, -7, -7, -7, -8, -9, -9, -10, -11, -33, -12, 5])
        };
        let wanted = match number {
            -9 | -10 => Kind::Notification,
            _ => Kind::Endpoint,
        };
        let is_send = matches!(number, -5 | -6);
        let capability = awaited.filter(|_| is_send).unwrap_or_else(|| self.slot_of(wanted));
        let reply = awaited.unwrap_or_else(|| self.slot_of(Kind::Reply));
        let caps = if awaited.is_some() { 0 } else { self.choices.below(8).saturating_sub(4) };
        let length = if self.choices.one_in(4) { self.choices.below(128) } else { self.choices.below(5) };
        let registers = &thread.context;
        registers.set(Register::Rdx, number as u64);
        registers
            .set(Register::Rdi, if number == -33 { self.choices.pick(&[0, 1 << 20, u64::MAX]) } else { capability });
        registers.set(Register::Rsi, MessageInfo::new(self.choices.below(3), 0, caps, length).0);
        registers.set(Register::R12, reply);
        registers.set(Register::R13, if self.choices.one_in(2) { reply } else { capability });
        for index in 0..caps as usize {
            let cap = if self.choices.one_in(2) { capability } else { any_slot(&mut self.choices) };
            self.write_buffer(thread, ipc_buffer::CAPS_WORD + index, cap);
        }
        let receive_slot = FREE + self.choices.below(SLOTS);
        for (word, value) in [
            (ipc_buffer::RECEIVE_CNODE_WORD, slot::INIT_CNODE),
            (ipc_buffer::RECEIVE_INDEX_WORD, receive_slot),
            (ipc_buffer::RECEIVE_DEPTH_WORD, 64),
        ] {
            self.write_buffer(thread, word, value);
        }
        self.make(thread, code, "a message")
    }

    fn slot_of(&mut self, kind: Kind) -> u64 {
        if self.choices.one_in(6) {
            return any_slot(&mut self.choices);
        }
        let start = self.choices.below(SLOTS);
        let mut slots = (0..SLOTS).map(|index| FREE + (start + index) % SLOTS);
        slots.find(|&index| self.m.cap(index).kind() == kind).unwrap_or(FREE)
    }

    /// The slot of a reply object through which somebody waits for an answer.
    fn awaited_reply(&self) -> Option<u64> {
        let (m, k) = (self.m, self.m.kernel());
        let waits = |thread: Thread| thread.state.get() == ThreadState::BlockedOnReply;
        let is_awaited =
            |&index: &u64| m.cap(index).as_reply(k).is_some_and(|reply| reply.tcb.get(k).is_some_and(waits));
        (FREE..FREE + SLOTS).find(is_awaited)
    }

    /// The slot of a scheduling context whose thread waits for a message, with a reply object for whoever calls it.
    fn context_of_a_server(&self) -> Option<u64> {
        let (m, k) = (self.m, self.m.kernel());
        let waits = |thread: Thread| thread.state.get() == ThreadState::BlockedOnReceive && !thread.reply.is_none();
        let is_servers = |&index: &u64| {
            m.cap(index).as_sched_context(k).is_some_and(|context| context.tcb.get(k).is_some_and(waits))
        };
        (FREE..FREE + SLOTS).find(is_servers)
    }

    /// An invocation; the commonest one makes objects, so that there is something to play with.
    fn invoke(&mut self, thread: Thread, code: u64) -> bool {
        if self.talks
            && self.choices.one_in(4)
            && let Some(capability) = self.context_of_a_server()
        {
            let registers = &thread.context;
            registers.set(Register::Rdx, Syscall::Call as i64 as u64);
            registers.set(Register::Rdi, capability);
            registers.set(Register::Rsi, MessageInfo::new(Label::SchedContextUnbind as u64, 0, 0, 0).0);
            return self.make(thread, code, "a server becomes passive");
        }
        let mut row = match self.choices.below(6) {
            0 => &INVOCATIONS[0],
            _ => &INVOCATIONS[self.choices.below(INVOCATIONS.len() as u64) as usize],
        };
        // What takes apart succeeds more easily than what builds.
        let opposite = match row.label {
            Label::X86PdptUnmap => Some(Label::X86PdptMap),
            Label::X86PageDirectoryUnmap => Some(Label::X86PageDirectoryMap),
            Label::X86PageTableUnmap => Some(Label::X86PageTableMap),
            Label::X86PageUnmap | Label::X86PageGetAddress => Some(Label::X86PageMap),
            Label::SchedContextUnbind => Some(Label::SchedContextBind),
            Label::TcbSuspend => Some(Label::TcbResume),
            Label::IrqClearIrqHandler => Some(Label::IrqSetIrqHandler),
            _ => None,
        };
        if let Some(opposite) = opposite.filter(|_| !self.choices.one_in(6)) {
            row = INVOCATIONS.iter().find(|row| row.label == opposite).unwrap_or(row);
        }
        let mut call = arguments::call(self.m, &mut self.choices, row);
        // Taking everything back ends most of the play: rarely; what playgrounds were used for, often.
        if row.label == Label::CNodeRevoke && !self.choices.one_in(8) {
            call.words[0] = match self.choices.below(3) {
                0 => PLAYGROUND + self.choices.below(PLAYGROUNDS),
                _ => FREE + self.choices.below(SLOTS),
            };
        }
        let Call { capability, label, words, caps } = call;
        let registers = &thread.context;
        for (index, &word) in words.iter().enumerate() {
            match index {
                0..4 => registers.set_message_register(index, word),
                _ => self.write_buffer(thread, ipc_buffer::MSG_WORD + index, word),
            }
        }
        for (index, &cap) in caps.iter().enumerate() {
            self.write_buffer(thread, ipc_buffer::CAPS_WORD + index, cap);
        }
        // Now and then too little is given.
        let length = if self.choices.one_in(40) { words.len() / 2 } else { words.len() };
        registers.set(Register::Rdx, Syscall::Call as i64 as u64);
        registers.set(Register::Rdi, capability);
        registers.set(Register::Rsi, MessageInfo::new(label as u64, 0, caps.len() as u64, length as u64).0);
        self.make(thread, code, row.method)
    }

    /// Executes `syscall` with the registers as they are.
    fn make(&mut self, thread: Thread, code: u64, what: &str) -> bool {
        let registers = &thread.context;
        let (number, info) = (registers.get(Register::Rdx) as i64, MessageInfo(registers.message_info()));
        let capability = registers.capability_register();
        let words = [0, 1, 2, 3].map(|index| registers.message_register(index));
        self.last = format!(
            "{:#x}: {what}, call {number} on {capability:#x} {:?}, label {} length {} caps {} {words:x?}",
            thread.physical(self.m.kernel()),
            self.m.try_cap(capability),
            info.label(),
            info.length(),
            info.extra_caps(),
        );
        for (name, first, count) in [("words", ipc_buffer::MSG_WORD + 4, 4), ("caps", ipc_buffer::CAPS_WORD, 3)] {
            let words = (first..first + count).map(|index| self.read_buffer(thread, index).unwrap_or(0));
            self.last += &format!(", {name} {:x?}", words.collect::<Vec<_>>());
        }
        self.kind = number;
        let label = Label::from_number(info.label());
        let made = self.about_to_make(thread, number, label);
        registers.set(Register::Rip, code + 2);
        registers.set_fault_ip(code);
        entry::system_call();
        self.judge(thread, code, number, label, capability);
        if let Some(slots) = made {
            self.check_made(slots, thread);
        }
        use Label::*;
        matches!(label, Some(CNodeRotate | TcbSetSpace | TcbSetSchedParams | TcbSetTimeoutEndpoint | IrqSetIrqHandler))
    }

    /// Retype into the root CNode: the slots that it is to fill.
    fn about_to_make(&self, thread: Thread, number: i64, label: Option<Label>) -> Option<std::ops::Range<u64>> {
        let plain = number == -1 && label == Some(Label::UntypedRetype);
        let root = self.read_buffer(thread, ipc_buffer::CAPS_WORD)?;
        let (first, count) =
            (self.read_buffer(thread, ipc_buffer::MSG_WORD + 4)?, self.read_buffer(thread, ipc_buffer::MSG_WORD + 5)?);
        let inside = root == slot::INIT_CNODE && first < 512 && count <= 512 - first;
        (plain && inside && (first..first + count).all(|index| self.m.cap(index).is_null()))
            .then(|| first..first + count)
    }

    /// Memory of fresh objects is clear, except for what the kernel puts there.
    fn check_made(&self, slots: std::ops::Range<u64>, thread: Thread) {
        if MessageInfo(thread.context.message_info()).label() != 0 {
            return;
        }
        for cap in slots.map(|index| self.m.cap(index)) {
            let clear = match cap.kind() {
                Kind::Endpoint | Kind::Notification | Kind::Reply | Kind::CNode => true,
                Kind::Frame => !cap.frame_is_device(),
                Kind::PageTable => cap.table_level() < 4,
                _ => false,
            };
            let words = 1u64 << (cap.memory_bits().unwrap_or(3) - 3);
            if clear {
                let dirty = (0..words).find(|word| self.m.read_word(cap.address() + word * 8) != 0);
                assert_eq!(dirty, None, "{cap:?} is made of memory that isn't clear");
            }
        }
    }

    /// What became of a system call.
    fn judge(&mut self, thread: Thread, code: u64, number: i64, label: Option<Label>, capability: u64) {
        let registers = &thread.context;
        let rip = registers.get(Register::Rip);
        if rip == 0x50_0000 {
            self.coverage.event("a system call was redirected");
            return;
        }
        if thread.state.get() == ThreadState::Running && rip == code {
            self.coverage.event("a call was preempted");
            return;
        }
        if thread.fault.get().is_none() && thread.state.get() != ThreadState::Inactive {
            *self.coverage.calls.entry(number).or_default() += 1;
        }
        let row = label.and_then(|label| INVOCATIONS.iter().find(|row| row.label == label));
        if let Some(row) = row
            && number == -1
            && rip == code + 2
            && MessageInfo(registers.message_info()).label() == 0
            && !matches!(self.m.try_cap(capability).kind(), Kind::Endpoint | Kind::Notification | Kind::Reply)
        {
            *self.coverage.invocations.entry(row.label as u64).or_default() += 1;
        }
    }

    /// Counts what is to be seen in the machine now.
    fn observe(&mut self) {
        let k = self.m.kernel();
        for index in 0..SLOTS {
            let cap = self.m.cap(FREE + index);
            if let Some(thread) = cap.as_tcb(k) {
                self.observe_thread(thread);
            } else if let Some(reply) = cap.as_reply(k) {
                if matches!(reply.above(k), Above::SchedContext(_)) {
                    self.coverage.event("a scheduling context was lent by a call");
                }
            } else if let Some(notification) = cap.as_notification(k) {
                if notification.sched_context.get(k).is_some_and(|context| !context.tcb.is_none()) {
                    self.coverage.event("a scheduling context was lent by a notification");
                }
            } else if cap.kind() == Kind::Zombie {
                self.coverage.event("a container was half deleted");
            }
        }
    }

    fn observe_thread(&mut self, thread: Thread) {
        let info = MessageInfo(thread.context.message_info());
        if thread.place.get() == Place::Release {
            self.coverage.event("a thread waited for budget");
        }
        if !thread.yield_to.is_none() {
            self.coverage.event("a thread yielded to another");
        }
        if thread.state.get() == ThreadState::BlockedOnReply
            && let Some(fault) = thread.fault.get()
        {
            self.coverage.event(match fault {
                Fault::Cap { .. } => "a capability fault was delivered",
                Fault::UnknownSyscall { .. } => "an unknown system call was delivered",
                Fault::UserException { .. } => "a user exception was delivered",
                Fault::Vm { .. } => "a page fault was delivered",
                Fault::Timeout { .. } => "a timeout fault was delivered",
            });
            thread.context.set(Register::Rax, FAULTED);
        } else if thread.fault.get().is_none() && thread.context.get(Register::Rax) == FAULTED {
            thread.context.set(Register::Rax, 0);
            if thread.is_runnable() {
                self.coverage.event("a fault was answered");
            }
        }
        let received = matches!(thread.context.get(Register::Rdx) as i64, -10..=-7 | -4..=-2) && thread.is_runnable();
        if received && info.extra_caps() > 0 {
            self.coverage.event(match info.unwrapped() {
                0 => "a capability was transferred",
                _ => "a capability arrived as a badge",
            });
        }
        if received && info.length() > 4 {
            self.coverage.event("a long message arrived");
        }
    }

    /// Starts every thread that isn't running, so that a sequence doesn't end when the last one has faulted.
    fn revive(&mut self) {
        let k = self.m.kernel();
        time::read_clock(k);
        let threads = (0..SLOTS).map(|index| FREE + index).chain([slot::INIT_TCB]);
        for thread in threads.filter_map(|index| self.m.cap(index).as_tcb(k)) {
            ipc::restart(k, thread);
        }
        entry::leave(k);
    }

    /// The physical address of a word of a thread's IPC buffer.
    fn buffer_word(&self, thread: Thread, index: usize) -> Option<u64> {
        let frame = thread.slot(TcbSlot::IpcBuffer).cap();
        let in_memory = frame.kind() == Kind::Frame && !frame.frame_is_device();
        let offset = thread.ipc_buffer.get() & ((1 << frame.frame_size().bits()) - 1);
        in_memory.then(|| frame.address() + offset + index as u64 * 8)
    }

    fn write_buffer(&self, thread: Thread, index: usize, value: u64) {
        if let Some(address) = self.buffer_word(thread, index) {
            self.m.write_word(address, value);
        }
    }

    fn read_buffer(&self, thread: Thread, index: usize) -> Option<u64> {
        self.buffer_word(thread, index).map(|address| self.m.read_word(address))
    }
}

/// In RAX of a thread that was seen to wait for the answer to a fault.
const FAULTED: u64 = 0x6661_756c_7465_6421;

/// Resolves a capability address as the manual's chapter 3.3 describes it, one level after the other.
fn resolve(m: Machine, root: Cap, address: u64, depth: u64) -> Result<(u64, u64), LookupFailure> {
    if root.kind() != Kind::CNode {
        return Err(LookupFailure::InvalidRoot);
    }
    let bits: Vec<bool> = (0..depth).rev().map(|bit| address >> bit & 1 != 0).collect();
    let (guard, guard_bits, radix) = (root.guard().guard(), root.guard().guard_bits(), root.cnode_bits());
    let number = |bits: &[bool]| bits.iter().fold(0, |number, &bit| number << 1 | u64::from(bit));
    if bits.len() < guard_bits as usize || number(&bits[..guard_bits as usize]) != guard {
        return Err(LookupFailure::GuardMismatch { bits_left: depth, guard, guard_bits });
    }
    let used = guard_bits + radix;
    if used > depth {
        return Err(LookupFailure::DepthMismatch { bits_left: depth, bits_found: used });
    }
    let slot = root.address() + number(&bits[guard_bits as usize..used as usize]) * 32;
    let (left, cap) = (depth - used, m.slot_at(slot).cap());
    if left == 0 || cap.kind() != Kind::CNode {
        return Ok((slot, left));
    }
    if used == 0 {
        return Err(LookupFailure::DepthMismatch { bits_left: depth, bits_found: 0 });
    }
    resolve(m, cap, address, left)
}
