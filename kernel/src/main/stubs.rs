//! How the processor enters the kernel, and how it leaves.
//!
//! Each stub saves the current thread's registers into its context (`arch::Context` says how that costs no copy), takes
//! the one kernel stack, empty, and calls the entrance; then the thread that is current by then is restored. A thread
//! that entered by `syscall` leaves by `sysretq`, which loses RCX and R11 as the interface says; every other one leaves
//! by `iretq`, complete. Interrupts are off throughout.
//!
//! A `syscall` that the thread's redirection (`object::Redirect`) sends to the thread's own entry goes no further than its stub: no register
//! is saved that isn't changed, nothing but the return address, stack pointer and flags is written, and no state of the kernel is different
//! afterwards. What the context says of how the kernel was entered is then out of date, and read by nobody: the thread runs, and its next
//! entry says it anew. RIP is the entry, which SetRedirect took only below the user's end; RFLAGS are those that the processor had in user mode.
//!
//! The one upward symbol of the kernel is here: the stubs' addresses, handed down to `arch` at boot.

use chestnut_abi::Syscall;
use chestnut_kernel::arch::{self, Context, EntryPoints, Resumed};
use chestnut_kernel::entry;
use chestnut_kernel::object::{Redirect, Tcb};
use core::arch::global_asm;

/// Pushes what the processor didn't, in the order of [`Context`], from its `entered` word down.
macro_rules! save_registers {
    () => {
        concat!("push rcx\npush r11\n", save_but_rcx_and_r11!())
    };
}

/// The same below R11: what a `syscall` leaves as the thread had it.
macro_rules! save_but_rcx_and_r11 {
    () => {
        "push r14
        push rbp
        push rbx
        push rax
        push r13
        push r12
        push r15
        push r9
        push r8
        push r10
        push rdx
        push rsi
        push rdi"
    };
}

/// Pops what that pushed.
macro_rules! restore_but_rcx_and_r11 {
    () => {
        "pop rdi
        pop rsi
        pop rdx
        pop r10
        pop r8
        pop r9
        pop r15
        pop r12
        pop r13
        pop rax
        pop rbx
        pop rbp
        pop r14"
    };
}

/// Clears the direction flag, and AC, which SMAP heeds and interrupts leave on.
macro_rules! kernel_flags {
    () => {
        "push 2
        popfq"
    };
}

/// The user's stack pointer between the first instruction of `system_call_stub` and its place in the context.
static USER_RSP: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

// SAFETY: the label below is code that never returns.
unsafe extern "C" {
    /// Restores the current thread, or the idle loop. Doesn't return to its caller.
    pub fn return_to_thread() -> !;
    /// The same of the context in RAX: what the entrances of system calls return to.
    pub fn leave() -> !;
}

global_asm!(
    ".pushsection .text.stubs, \"ax\"",
    // The `syscall` instruction: RCX = return address, R11 = RFLAGS, everything else as the thread had it.
    ".balign 64",
    "system_call_stub:",
    "mov [rip + {user_rsp}], rsp",
    "mov rsp, [rip + {task_state} + {rsp0}]",
    "mov [rsp + {rip} - {end}], rcx",
    "mov [rsp + {rflags} - {end}], r11",
    // Is it a native one? Both words are in the frame: RCX is free.
    "sub rcx, [rsp + {redirect_first} - {end}]",
    "cmp rcx, [rsp + {redirect_length} - {end}]",
    "mov rcx, [rip + {user_rsp}]",
    "mov [rsp + {rsp} - {end}], rcx",
    "jae redirect",
    "mov qword ptr [rsp + {entered} - {end}], -1",
    "lea rsp, [rsp + {r11} - {end}]",
    save_but_rcx_and_r11!(),
    // The entrance's last argument is the thread, which begins with what was just saved; it returns to `leave`, whose address stays on the stack.
    // The two commonest calls have entrances of their own, which keep the registers that they use few.
    "cmp rdx, {number_call}",
    "mov rdx, rsp",
    "lea rsp, [rip + {stack} + {stack_size} - 8]",
    "je {call}",
    "cmp qword ptr [rdx + {rdx}], {number_reply_recv}",
    "je {reply_recv}",
    "jmp {other_call}",
    // Returns from the frame that the processor would have pushed, to the thread's own entry.
    "redirect:",
    "lea rsp, [rsp + {rip} - {end}]",
    "pop rcx",
    "push qword ptr [rsp + {redirect_entry} - {rip} - 8]",
    "mov r11, [rsp + {redirect_word} - {rip}]",
    "iretq",
    ".global return_to_thread",
    "return_to_thread:",
    "mov rax, [rip + {task_state} + {rsp0}]",
    // RAX is the end of the context whose registers are restored.
    ".global leave",
    "leave:",
    "lea rsp, [rax - {end}]",
    "cmp qword ptr [rsp + {entered}], -1",
    "jne restore_all",
    restore_but_rcx_and_r11!(),
    "mov rcx, [rsp + {rip} - {r11}]",
    "mov r11, [rsp + {rflags} - {r11}]",
    "mov rsp, [rsp + {rsp} - {r11}]",
    "sysretq",
    "restore_all:",
    restore_but_rcx_and_r11!(),
    "pop r11",
    "pop rcx",
    "add rsp, 16",
    "iretq",
    // One stub per vector: an error code of 0 where the processor pushes none, then the vector. 0x68 is `push imm32`.
    ".set vector, 0",
    ".balign {spacing}",
    "exception_stubs:",
    ".rept 32",
    ".balign {spacing}",
    ".if ({with_code} >> vector) & 1",
    ".else",
    "push 0",
    ".endif",
    ".byte 0x68",
    ".long vector",
    "jmp exception_common",
    ".set vector, vector + 1",
    ".endr",
    ".set vector, {first_interrupt}",
    ".balign {spacing}",
    "interrupt_stubs:",
    ".rept {interrupts}",
    ".balign {spacing}",
    "push 0",
    ".byte 0x68",
    ".long vector",
    "jmp interrupt_common",
    ".set vector, vector + 1",
    ".endr",
    "other_stub:",
    "push 0",
    ".byte 0x68",
    ".long 0xff",
    "jmp interrupt_common",
    "timer_stub:",
    "push 0",
    ".byte 0x68",
    ".long {timer_vector}",
    save_registers!(),
    "lea rsp, [rip + {stack} + {stack_size} - 16]",
    kernel_flags!(),
    "call {timer}",
    "jmp return_to_thread",
    "exception_common:",
    save_registers!(),
    "mov rdi, [rsp + {entered}]",
    "mov rsi, [rsp + {error_code}]",
    "mov rdx, rsp",
    // In kernel mode only a bug, or an NMI or machine check, comes here: stay on the stack that it came on.
    "test byte ptr [rdx + {cs}], 3",
    "jz 2f",
    "lea rsp, [rip + {stack} + {stack_size} - 16]",
    kernel_flags!(),
    "call {exception}",
    "jmp return_to_thread",
    "2:",
    "mov rbx, rdx",
    "and rsp, -16",
    kernel_flags!(),
    "call {kernel_exception}",
    "mov rsp, rbx",
    "jmp restore_all",
    "interrupt_common:",
    save_registers!(),
    "mov rdi, [rsp + {entered}]",
    "lea rsp, [rip + {stack} + {stack_size} - 16]",
    kernel_flags!(),
    "call {interrupt}",
    "jmp return_to_thread",
    // Runs in kernel mode in the idle context; interrupts are on.
    "idle_loop:",
    "hlt",
    "jmp idle_loop",
    ".popsection",
    spacing = const EntryPoints::SPACING,
    // Double fault, invalid TSS, segment, stack, protection, page, alignment, control protection, VMM, security.
    with_code = const 0x6022_7d00,
    first_interrupt = const chestnut_abi::layout::IRQ_VECTOR_BASE,
    interrupts = const chestnut_abi::layout::MAX_USER_IRQ + 1,
    timer_vector = const arch::TIMER_VECTOR,
    entered = const Context::ENTERED,
    error_code = const Context::ERROR_CODE,
    cs = const Context::CS,
    user_rsp = sym USER_RSP,
    task_state = sym arch::TASK_STATE,
    rsp0 = const arch::TaskState::RSP0,
    rip = const Context::RIP,
    rflags = const Context::RFLAGS,
    rsp = const Context::RSP,
    rdx = const Context::RDX,
    r11 = const Context::R11,
    end = const Context::END,
    redirect_first = const Tcb::REDIRECT_OFFSET + Redirect::FIRST,
    redirect_length = const Tcb::REDIRECT_OFFSET + Redirect::LENGTH,
    redirect_entry = const Tcb::REDIRECT_OFFSET + Redirect::ENTRY,
    redirect_word = const Tcb::REDIRECT_OFFSET + Redirect::WORD,
    stack = sym arch::KERNEL_STACK,
    stack_size = const arch::KERNEL_STACK_SIZE,
    number_call = const Syscall::Call as i64,
    number_reply_recv = const Syscall::ReplyRecv as i64,
    call = sym call,
    reply_recv = sym reply_recv,
    other_call = sym other_call,
    exception = sym crate::entrances::exception,
    kernel_exception = sym crate::entrances::kernel_exception,
    interrupt = sym crate::entrances::interrupt,
    timer = sym crate::entrances::timer,
);

/// Makes the functions that the stub jumps to. RDI and RSI are still the thread's, and a function's first arguments.
macro_rules! entrances {
    ($($name:ident)*) => {
        $(extern "C" fn $name(capability: u64, info: u64, context: &'static Context) -> Resumed {
            let k = entry::enter();
            // SAFETY: a `syscall` comes from user mode, where a thread runs: the stub saved the registers at the beginning of its TCB.
            let thread = unsafe { Tcb::of_context(k, context) };
            entry::$name(k, thread, capability, info)
        })*
    };
}

entrances!(call reply_recv other_call);

/// Where the stubs are.
pub fn entry_points() -> EntryPoints {
    // SAFETY: labels of the code above; only their addresses are taken.
    unsafe extern "C" {
        static system_call_stub: u8;
        static exception_stubs: u8;
        static interrupt_stubs: u8;
        static other_stub: u8;
        static timer_stub: u8;
        static idle_loop: u8;
    }
    EntryPoints {
        system_call: (&raw const system_call_stub) as u64,
        exceptions: (&raw const exception_stubs) as u64,
        interrupts: (&raw const interrupt_stubs) as u64,
        other: (&raw const other_stub) as u64,
        timer: (&raw const timer_stub) as u64,
        idle: (&raw const idle_loop) as u64,
    }
}
