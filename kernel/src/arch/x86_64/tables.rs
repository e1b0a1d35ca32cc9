//! The tables that the processor walks by itself on an entry: GDT, IDT, task-state segment, and the kernel's stacks.
//!
//! The task-state segment's RSP0 doubles as the pointer to the current thread's context (see `context`).

use super::interrupts::TIMER_VECTOR;
use super::single_core::SingleCore;
use chestnut_abi::layout::{IRQ_VECTOR_BASE, MAX_USER_IRQ};
use core::arch::asm;
use core::cell::{Cell, UnsafeCell};

/// Selectors of the GDT. `syscall` and `sysretq` fix their order.
pub mod selector {
    pub const KERNEL_CODE: u64 = 0x08;
    pub const KERNEL_DATA: u64 = 0x10;
    pub const USER_DATA: u64 = 0x18 | 3;
    pub const USER_CODE: u64 = 0x20 | 3;
    pub const TSS: u64 = 0x28;
}

/// Where the processor enters the kernel: the stubs of the bare-metal binary.
pub struct EntryPoints {
    pub system_call: u64,
    /// 32 stubs, [`EntryPoints::SPACING`] bytes apart, by vector.
    pub exceptions: u64,
    /// Likewise, for the external interrupts from the first vector on.
    pub interrupts: u64,
    /// For each vector that is neither.
    pub other: u64,
    /// For the LAPIC's timer.
    pub timer: u64,
    /// A loop that halts with interrupts on.
    pub idle: u64,
}

impl EntryPoints {
    pub const SPACING: u64 = 16;
}

/// Task-state segment. The padding in front lets each 64-bit field be aligned; the segment begins after it.
#[repr(C, align(128))]
pub struct TaskState {
    padding: u32,
    reserved: u32,
    rsp: [Cell<u64>; 3],
    reserved_1: u64,
    ist: [Cell<u64>; 7],
    reserved_2: [u32; 2],
    reserved_3: u16,
    /// Beyond the limit: there is no I/O permission bitmap.
    io_bitmap: Cell<u16>,
}

impl TaskState {
    /// Offset in [`TASK_STATE`] of RSP0, for the stubs.
    pub const RSP0: usize = core::mem::offset_of!(TaskState, rsp);
}

const TASK_STATE_SIZE: u64 = 104;
const STACK_SIZE: usize = 32 * 1024;
const EMERGENCY_STACK_SIZE: usize = 4096;
/// Interrupt stack of what may come while the kernel's stack pointer is elsewhere: NMI, double fault, machine check.
const EMERGENCY_STACK: u64 = 1;

#[repr(C, align(4096))]
pub struct Stack<const SIZE: usize>(UnsafeCell<[u8; SIZE]>);

impl<const SIZE: usize> Stack<SIZE> {
    /// Distance from the stack's address to its top, for the stubs.
    pub const SIZE: usize = SIZE;

    fn top(&self) -> u64 {
        self.0.get() as u64 + SIZE as u64
    }
}

/// The one stack of the event kernel: empty at each entry. The page below it is never mapped.
#[unsafe(link_section = ".bss.stack")]
pub static KERNEL_STACK: SingleCore<Stack<STACK_SIZE>> = SingleCore(Stack(UnsafeCell::new([0; STACK_SIZE])));
/// Bytes of [`KERNEL_STACK`].
pub const KERNEL_STACK_SIZE: usize = STACK_SIZE;

static EMERGENCY: SingleCore<Stack<EMERGENCY_STACK_SIZE>> =
    SingleCore(Stack(UnsafeCell::new([0; EMERGENCY_STACK_SIZE])));

pub static TASK_STATE: SingleCore<TaskState> = SingleCore(TaskState {
    padding: 0,
    reserved: 0,
    rsp: [const { Cell::new(0) }; 3],
    reserved_1: 0,
    ist: [const { Cell::new(0) }; 7],
    reserved_2: [0; 2],
    reserved_3: 0,
    io_bitmap: Cell::new(TASK_STATE_SIZE as u16),
});

/// Null, kernel code, kernel data, user data, user code (64-bit), and two words for the task-state segment.
static GDT: SingleCore<[Cell<u64>; 7]> = SingleCore([
    Cell::new(0),
    Cell::new(0x00af_9b00_0000_ffff),
    Cell::new(0x00cf_9300_0000_ffff),
    Cell::new(0x00cf_f300_0000_ffff),
    Cell::new(0x00af_fb00_0000_ffff),
    Cell::new(0),
    Cell::new(0),
]);

static IDT: SingleCore<[[Cell<u64>; 2]; 256]> = SingleCore([const { [const { Cell::new(0) }; 2] }; 256]);

/// Where the current context ends.
#[inline(always)]
pub(super) fn current_end() -> u64 {
    TASK_STATE.0.rsp[0].get()
}

#[inline(always)]
pub(super) fn set_current_end(end: u64) {
    TASK_STATE.0.rsp[0].set(end);
}

/// An interrupt gate: present, interrupts off inside. Breakpoint and overflow may be raised by an instruction.
fn gate(vector: u64, handler: u64) -> [u64; 2] {
    let stack = if matches!(vector, 2 | 8 | 18) { EMERGENCY_STACK } else { 0 };
    let privilege: u64 = if matches!(vector, 3 | 4) { 3 } else { 0 };
    let access = 0x8e | privilege << 5;
    [
        handler & 0xffff | selector::KERNEL_CODE << 16 | stack << 32 | access << 40 | (handler >> 16 & 0xffff) << 48,
        handler >> 32,
    ]
}

fn handler(entries: &EntryPoints, vector: u64) -> u64 {
    let interrupts = IRQ_VECTOR_BASE..=IRQ_VECTOR_BASE + MAX_USER_IRQ;
    if vector < 32 {
        entries.exceptions + vector * EntryPoints::SPACING
    } else if interrupts.contains(&vector) {
        entries.interrupts + (vector - IRQ_VECTOR_BASE) * EntryPoints::SPACING
    } else if vector == TIMER_VECTOR {
        entries.timer
    } else {
        entries.other
    }
}

/// Fills the tables and makes the processor use them.
pub(super) fn load(entries: &EntryPoints) {
    for (vector, words) in (0..).zip(&IDT.0) {
        let [low, high] = gate(vector, handler(entries, vector));
        words[0].set(low);
        words[1].set(high);
    }
    TASK_STATE.0.ist[0].set(EMERGENCY.0.top());
    let base = (&raw const TASK_STATE.0.reserved) as u64;
    GDT.0[5].set((TASK_STATE_SIZE - 1) | (base & 0x00ff_ffff) << 16 | 0x89 << 40 | (base >> 24 & 0xff) << 56);
    GDT.0[6].set(base >> 32);

    #[repr(C, packed)]
    struct Pointer {
        limit: u16,
        base: u64,
    }
    let gdt = Pointer { limit: size_of_val(&GDT.0) as u16 - 1, base: (&raw const GDT.0) as u64 };
    let idt = Pointer { limit: size_of_val(&IDT.0) as u16 - 1, base: (&raw const IDT.0) as u64 };
    // SAFETY: both tables are static and were just filled; the selectors are the GDT's own. The far return replaces
    // the boot code segment by the kernel's, which is the same segment in another table.
    unsafe {
        asm!(
            "lgdt [{gdt}]",
            "lidt [{idt}]",
            "push {code}",
            "lea {scratch}, [rip + 2f]",
            "push {scratch}",
            "retfq",
            "2:",
            "mov ss, {data:e}",
            "mov ds, {null:e}",
            "mov es, {null:e}",
            "mov fs, {null:e}",
            "mov gs, {null:e}",
            "ltr {task:x}",
            gdt = in(reg) &raw const gdt,
            idt = in(reg) &raw const idt,
            code = const selector::KERNEL_CODE,
            data = in(reg) selector::KERNEL_DATA,
            null = in(reg) 0,
            task = in(reg) selector::TSS,
            scratch = out(reg) _,
        );
    }
}
