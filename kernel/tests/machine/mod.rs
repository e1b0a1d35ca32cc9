//! A simulated machine with a running root task, whose system calls tests make by setting its registers.
#![allow(dead_code)]

pub mod arguments;
pub mod choices;
pub mod coverage;
pub mod invariants;
pub mod play;
pub mod scene;
pub mod snapshot;

use chestnut_abi::bootinfo::slot;
use chestnut_abi::registers::Register;
use chestnut_abi::{CNodeCapData, CapRights, Label, MessageInfo, ObjectType, Syscall, ipc_buffer};
use chestnut_kernel::cap::{Cap, CapRef, FrameSize, Slot, VmRights};
use chestnut_kernel::mem::{Entry, Ref};
use chestnut_kernel::object::{Kernel, State, Tcb, TcbSlot, ThreadState};
use chestnut_kernel::{arch, entry, lifecycle, time};

pub const CNODE_BITS: u64 = 9;
/// Slot of a 32 MiB untyped of RAM.
pub const UNTYPED: u64 = 100;
/// Slot of a 2 GiB untyped of device memory.
pub const DEVICE: u64 = 101;
/// First slot that is free for tests.
pub const FREE: u64 = 200;

const CNODE: u64 = 0x20_0000;
const TCB: u64 = 0x30_0000;
const CONTEXT: u64 = 0x30_1000;
const BUFFER: u64 = 0x30_2000;
const PML4: u64 = 0x30_3000;
const POOL: u64 = 0x30_4000;
const RAM: u64 = 0x200_0000;

#[derive(Clone, Copy)]
pub struct Machine {
    pub state: &'static State,
    pub window: usize,
}

/// What a call came back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub label: u64,
    pub length: usize,
    pub words: [u64; 4],
}

impl Machine {
    /// A machine whose root task runs with priority 255 and the capabilities that boot would give it.
    pub fn boot() -> Self {
        let (state, window) = entry::install();
        arch::reset();
        let machine = Self { state, window };
        arch::set_now(1_000_000);
        let k = machine.kernel();
        k.now.set(arch::now());
        let thread = machine.tcb_at(TCB);
        thread.initialise();
        // SAFETY: fresh memory of this size that nothing else uses.
        let context = unsafe { Ref::<chestnut_kernel::object::SchedContext>::at(k.entry(), CONTEXT) };
        // SAFETY: as above.
        unsafe { context.set_size(8) };
        let put = |index, cap| machine.slot(index).fill_root(cap);
        put(slot::INIT_TCB, Cap::tcb(TCB));
        put(slot::INIT_CNODE, Cap::cnode(CNODE, CNODE_BITS, CNodeCapData::new(0, 64 - CNODE_BITS)));
        put(slot::INIT_VSPACE, Cap::page_table(PML4, 4));
        put(slot::IRQ_CONTROL, Cap::irq_control());
        put(slot::ASID_CONTROL, Cap::asid_control());
        put(slot::INIT_ASID_POOL, Cap::asid_pool(POOL, 0));
        put(slot::IO_PORT_CONTROL, Cap::io_port_control());
        put(slot::INIT_IPC_BUFFER, Cap::frame(BUFFER, FrameSize::Small, VmRights::ReadWrite, false));
        put(slot::DOMAIN, Cap::domain());
        put(slot::INIT_SCHED_CONTEXT, Cap::sched_context(CONTEXT, 8));
        put(slot::FIRST_FREE, Cap::sched_control());
        put(UNTYPED, Cap::untyped(RAM, 25, false));
        put(DEVICE, Cap::untyped(1 << 40, 31, true));
        // SAFETY: fresh memory for a pool.
        k.asids.pool(0).set(Some(unsafe { Ref::at(k.entry(), POOL) }));
        let cnode = machine.slot(slot::INIT_CNODE);
        lifecycle::install(k, thread, TcbSlot::CSpace, cnode.cap(), cnode);
        let buffer = machine.slot(slot::INIT_IPC_BUFFER);
        lifecycle::install(k, thread, TcbSlot::IpcBuffer, buffer.cap(), buffer);
        thread.priority.set(255);
        thread.mcp.set(255);
        context.limit_refills(2);
        time::configure_refills(k, context, None, 5_000_000, 5_000_000);
        thread.sched_context.set(Some(context));
        context.tcb.set(Some(thread));
        thread.state.set(ThreadState::Running);
        time::wake(k, thread);
        entry::leave(k);
        assert!(k.current.is(thread), "the root task runs");
        let answer = machine.invoke(slot::INIT_ASID_POOL, Label::X86AsidPoolAssign, &[], &[slot::INIT_VSPACE]);
        assert_eq!(answer.label, 0, "assigning an ASID to the root task: {answer:?}");
        let vspace = machine.slot(slot::INIT_VSPACE);
        lifecycle::install(k, thread, TcbSlot::VSpace, vspace.cap(), vspace);
        machine
    }

    /// Gives the machine's memory back.
    ///
    /// # Safety
    /// Nothing that came from the machine is used any more.
    pub unsafe fn end(self) {
        // SAFETY: the caller says so.
        unsafe { entry::uninstall() }
    }

    pub fn kernel(self) -> Kernel<'static> {
        // SAFETY: tests use the token between entries, on the thread that the machine belongs to.
        Kernel::new(unsafe { Entry::new(self.window) }, self.state)
    }

    fn tcb_at(self, address: u64) -> Ref<'static, Tcb> {
        // SAFETY: memory that is used for TCBs only.
        unsafe { Ref::at(self.kernel().entry(), address) }
    }

    /// A slot of the root CNode.
    pub fn slot(self, index: u64) -> CapRef<'static> {
        assert!(index < 1 << CNODE_BITS);
        // SAFETY: the root CNode has this slot.
        unsafe { Ref::<Slot>::at(self.kernel().entry(), CNODE + index * 32) }
    }

    /// The slot at a physical address in a CNode.
    pub fn slot_at(self, address: u64) -> CapRef<'static> {
        // SAFETY: the caller found the address in a CNode.
        unsafe { Ref::<Slot>::at(self.kernel().entry(), address) }
    }

    /// The capability in a slot of the root CNode; none for an address that isn't one.
    pub fn try_cap(self, index: u64) -> Cap {
        if index < 1 << CNODE_BITS { self.cap(index) } else { Cap::NULL }
    }

    pub fn read_word(self, address: u64) -> u64 {
        // SAFETY: a word of the machine's memory.
        unsafe { core::ptr::with_exposed_provenance::<u64>(self.window + address as usize).read_volatile() }
    }

    pub fn write_word(self, address: u64, value: u64) {
        // SAFETY: a word of a frame of the machine.
        unsafe { core::ptr::with_exposed_provenance_mut::<u64>(self.window + address as usize).write_volatile(value) }
    }

    pub fn cap(self, index: u64) -> Cap {
        self.slot(index).cap()
    }

    pub fn current(self) -> Option<Ref<'static, Tcb>> {
        self.state.current.get(self.kernel())
    }

    pub fn root_thread(self) -> Ref<'static, Tcb> {
        self.tcb_at(TCB)
    }

    pub fn tcb(self, index: u64) -> Ref<'static, Tcb> {
        self.cap(index).as_tcb(self.kernel()).expect("a TCB")
    }

    fn buffer_word(self, index: usize) -> *mut u64 {
        core::ptr::with_exposed_provenance_mut(self.window + BUFFER as usize + index * 8)
    }

    pub fn write_buffer(self, index: usize, value: u64) {
        // SAFETY: a word of the root task's IPC buffer.
        unsafe { self.buffer_word(index).write_volatile(value) }
    }

    pub fn read_buffer(self, index: usize) -> u64 {
        // SAFETY: as above.
        unsafe { self.buffer_word(index).read_volatile() }
    }

    /// Lets the running thread make a system call with these registers, one microsecond after the last.
    pub fn system_call(self, call: Syscall, capability: u64, info: MessageInfo, words: [u64; 4], reply: u64) {
        let thread = self.current().expect("a running thread");
        let registers = &thread.context;
        registers.set(Register::Rdx, call as i64 as u64);
        registers.set(Register::Rdi, capability);
        registers.set(Register::Rsi, info.0);
        for (index, word) in words.into_iter().enumerate() {
            registers.set_message_register(index, word);
        }
        registers.set(Register::R12, reply);
        self.enter_again();
    }

    /// Executes `syscall` with the registers as they are.
    pub fn enter_again(self) {
        let thread = self.current().expect("a running thread");
        thread.context.set(Register::Rip, 0x40_0002);
        thread.context.set_fault_ip(0x40_0000);
        arch::set_now(arch::now() + 1000);
        entry::system_call();
    }

    /// Calls a capability as the root task, again while it is preempted, and reads the answer.
    pub fn invoke_raw(self, capability: u64, label: u64, words: &[u64], caps: &[u64]) -> Answer {
        let root = self.root_thread();
        assert!(self.state.current.is(root), "the root task runs");
        for (index, &cap) in caps.iter().enumerate() {
            self.write_buffer(ipc_buffer::CAPS_WORD + index, cap);
        }
        let mut registers = [0; 4];
        for (index, &word) in words.iter().enumerate() {
            match registers.get_mut(index) {
                Some(register) => *register = word,
                None => self.write_buffer(ipc_buffer::MSG_WORD + index, word),
            }
        }
        let info = MessageInfo::new(label, 0, caps.len() as u64, words.len() as u64);
        self.system_call(Syscall::Call, capability, info, registers, 0);
        while self.state.current.is(root) && root.context.get(Register::Rip) == 0x40_0000 {
            self.enter_again();
        }
        self.answer()
    }

    /// The message in the root task's registers.
    pub fn answer(self) -> Answer {
        let registers = &self.root_thread().context;
        let info = MessageInfo(registers.message_info());
        Answer {
            label: info.label(),
            length: info.length(),
            words: [0, 1, 2, 3].map(|index| registers.message_register(index)),
        }
    }

    pub fn invoke(self, capability: u64, label: Label, words: &[u64], caps: &[u64]) -> Answer {
        self.invoke_raw(capability, label as u64, words, caps)
    }

    /// An invocation that must succeed.
    #[track_caller]
    pub fn must(self, capability: u64, label: Label, words: &[u64], caps: &[u64]) -> Answer {
        let answer = self.invoke(capability, label, words, caps);
        assert_eq!(answer.label, 0, "{label:?} {words:x?} {caps:x?}: {answer:x?}");
        answer
    }

    pub fn retype(self, untyped: u64, kind: ObjectType, bits: u64, to: u64, count: u64) -> Answer {
        self.invoke(untyped, Label::UntypedRetype, &[kind as u64, bits, 0, 0, to, count], &[slot::INIT_CNODE])
    }

    #[track_caller]
    pub fn make(self, kind: ObjectType, bits: u64, to: u64) {
        let answer = self.retype(UNTYPED, kind, bits, to, 1);
        assert_eq!(answer.label, 0, "retype of {kind:?}: {answer:x?}");
    }

    pub fn copy(self, from: u64, to: u64, rights: CapRights) -> Answer {
        self.invoke(slot::INIT_CNODE, Label::CNodeCopy, &[to, 64, from, 64, rights.0], &[slot::INIT_CNODE])
    }

    pub fn mint(self, from: u64, to: u64, badge: u64) -> Answer {
        let words = [to, 64, from, 64, CapRights::ALL.0, badge];
        self.invoke(slot::INIT_CNODE, Label::CNodeMint, &words, &[slot::INIT_CNODE])
    }

    pub fn delete(self, index: u64) -> Answer {
        self.invoke(slot::INIT_CNODE, Label::CNodeDelete, &[index, 64], &[])
    }

    pub fn revoke(self, index: u64) -> Answer {
        self.invoke(slot::INIT_CNODE, Label::CNodeRevoke, &[index, 64], &[])
    }

    /// Makes a thread share the root task's IPC buffer.
    #[track_caller]
    pub fn share_buffer(self, thread: u64) {
        self.must(thread, Label::TcbSetIpcBuffer, &[0x10_0000], &[slot::INIT_IPC_BUFFER]);
    }

    /// A thread in the root task's CSpace, with this priority and its own scheduling context (slot + 1) if `budget` isn't 0.
    #[track_caller]
    pub fn thread(self, at: u64, priority: u64, budget_us: u64) {
        self.make(ObjectType::Tcb, 0, at);
        let spaces = [slot::INIT_CNODE, slot::INIT_VSPACE, 0];
        self.must(at, Label::TcbConfigure, &[0, 0, 0], &spaces);
        self.must(at, Label::TcbSetPriority, &[priority], &[slot::INIT_TCB]);
        if budget_us != 0 {
            self.make(ObjectType::SchedContext, 8, at + 1);
            self.must(slot::FIRST_FREE, Label::SchedControlConfigureFlags, &[budget_us, budget_us, 0, 0, 0], &[at + 1]);
            self.must(at + 1, Label::SchedContextBind, &[], &[at]);
        }
        self.must(at, Label::TcbWriteRegisters, &[1, 1, 0x40_0000], &[]);
    }
}
