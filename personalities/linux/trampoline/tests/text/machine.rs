//! Runs the trampoline's text on the host's processor, with the test in the kernel's and the server's place.
//!
//! A [`Machine`] is one Linux thread of Chestnut: copies of the text and of the shared pages. Each native `syscall` of the text's copy
//! is replaced by an undefined instruction of the same length; the signal handler that it raises lets the test's `server`
//! closure answer, and clobbers what the kernel clobbers. Accesses that fault go where the fix-up table says. A breakpoint,
//! the same instruction put anywhere, stops the thread as a signal for it would.
//!
//! The handlers run in the thread that runs the text, on an alternate stack, since RSP is in the thread page then.

use core::cell::{Cell, RefCell};
use core::ffi::c_void;
use core::ptr::NonNull;

use chestnut_linux_trampoline::pages::PAGE;
use chestnut_linux_trampoline::view::{Addresses, Ids, stack_pointer};
use chestnut_linux_trampoline::{MmPage, ProcessPage, ThreadPage, TimePage, View, text};

/// The program's registers before and after a system call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Program {
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rbp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    /// Before: those it gets. After: those it has.
    pub rflags: u64,
    /// After: how far RSP moved. Set by `enter`.
    pub rsp: u64,
    /// Where it goes in and R11 there: `Machine::run` fills them in; 0 for everybody else.
    pub target: u64,
    pub word: u64,
    pub xmm5: [u64; 2],
    pub mxcsr: u32,
}

/// MXCSR as programs begin with it.
pub const MXCSR: u32 = 0x1f80;

impl Program {
    /// Something else in each register, arithmetic flags and the direction flag in all patterns.
    pub fn pattern(number: u64) -> Self {
        let mut words = [0u64; 15];
        for (i, word) in words.iter_mut().enumerate() {
            *word = 0x1111_1111_1111_1111u64.wrapping_mul(i as u64 + 1) ^ number << 32;
        }
        let [_, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15] = words;
        let rflags = 0x202 | if number & 1 == 0 { 0x8d5 } else { 0x400 };
        let rax = number;
        Self {
            rax,
            rbx,
            rcx,
            rdx,
            rsi,
            rdi,
            rbp,
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
            rflags,
            xmm5: [rbx, rbp],
            mxcsr: MXCSR,
            ..Self::default()
        }
    }
    /// A system call with these arguments, everything else a pattern.
    pub fn call(number: u64, arguments: &[u64]) -> Self {
        let mut program = Self::pattern(number);
        let places =
            [&mut program.rdi, &mut program.rsi, &mut program.rdx, &mut program.r10, &mut program.r8, &mut program.r9];
        for (place, &value) in places.into_iter().zip(arguments) {
            *place = value;
        }
        program
    }
}

core::arch::global_asm!(
    // enter(RDI = Program): goes to its target as if the kernel had redirected a system call there.
    "chestnut_test_enter:",
    "push rbx; push rbp; push r12; push r13; push r14; push r15",
    "push rdi",
    "mov [rdi + 128], rsp",
    "mov rcx, [rdi + 136]; mov [rsp - 8], rcx",
    "movups xmm5, [rdi + 152]; ldmxcsr [rdi + 168]",
    "push [rdi + 120]; popfq",
    "mov rax, [rdi]; mov rbx, [rdi + 8]; mov rdx, [rdi + 24]; mov rsi, [rdi + 32]; mov rbp, [rdi + 48]",
    "mov r8, [rdi + 56]; mov r9, [rdi + 64]; mov r10, [rdi + 72]; mov r11, [rdi + 144]",
    "mov r12, [rdi + 88]; mov r13, [rdi + 96]; mov r14, [rdi + 104]; mov r15, [rdi + 112]",
    "lea rcx, [rip + chestnut_test_return]",
    // popfq took the slot that the target is in: write it again, with a move that changes no flag.
    "push [rdi + 136]; lea rsp, [rsp + 8]",
    "mov rdi, [rdi + 40]",
    "jmp [rsp - 8]",
    "nop; nop",
    ".globl chestnut_test_return",
    "chestnut_test_return:",
    "mov [rsp - 8], rdi",
    "mov rdi, [rsp]",
    "mov [rdi], rax; mov [rdi + 8], rbx; mov [rdi + 16], rcx; mov [rdi + 24], rdx; mov [rdi + 32], rsi",
    "mov rax, [rsp - 8]; mov [rdi + 40], rax; mov [rdi + 48], rbp",
    "mov [rdi + 56], r8; mov [rdi + 64], r9; mov [rdi + 72], r10; mov [rdi + 80], r11",
    "mov [rdi + 88], r12; mov [rdi + 96], r13; mov [rdi + 104], r14; mov [rdi + 112], r15",
    "pushfq; pop [rdi + 120]; cld",
    "movups [rdi + 152], xmm5; stmxcsr [rdi + 168]; ldmxcsr [rip + chestnut_test_mxcsr]",
    "mov rax, rsp; sub [rdi + 128], rax",
    "pop rdi",
    "pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx",
    "ret",
    "chestnut_test_mxcsr: .long {MXCSR}",
    // A place that a changed RIP can lead to: two bytes into a fake `syscall`, then as above.
    ".globl chestnut_test_elsewhere",
    "chestnut_test_elsewhere:",
    "jmp chestnut_test_return",
    MXCSR = const MXCSR,
);

unsafe extern "C" {
    fn chestnut_test_enter(program: *mut Program);
    safe static chestnut_test_return: u8;
    safe static chestnut_test_elsewhere: u8;
}

/// Where the program is after its `syscall`.
pub fn return_address() -> u64 {
    &raw const chestnut_test_return as u64
}
/// Another address at which the program can be made to go on.
pub fn elsewhere() -> u64 {
    &raw const chestnut_test_elsewhere as u64
}

/// A native system call of the text: registers as the kernel would see them, and as it would leave them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Native {
    /// Byte offset of the `syscall` in the text.
    pub position: u64,
    pub number: i64,
    pub rdi: u64,
    pub info: u64,
    pub words: [u64; 4],
}

type Server = Box<dyn FnMut(Native) -> (u64, [u64; 4])>;

/// What a breakpoint does: gets the thread's RSP, returns the position that it is sent to, if it is.
type Stop = Box<dyn FnMut(u64) -> Option<u64>>;

pub struct Machine {
    memory: NonNull<u8>,
    /// Memory of the program: one page, readable and writable, with an unmapped page after it.
    pub scratch: NonNull<u64>,
    pub thread: View<ThreadPage>,
    pub process: View<ProcessPage>,
    pub time: View<TimePage>,
    pub mm: View<MmPage>,
    server: RefCell<Server>,
    breakpoint: Cell<Option<(u64, [u8; 2])>>,
    stop: RefCell<Option<Stop>>,
    /// Positions of the native system calls.
    pub sites: Vec<u64>,
    alt_stack: Box<[u8]>,
}

/// Pages of a machine's memory, in order: text, thread, process, time, mm, scratch, a hole.
const PAGES: usize = 7;

thread_local! {
    static RUNNING: Cell<*const Machine> = const { Cell::new(core::ptr::null()) };
}

pub const IDS: Ids = Ids { pid: 101, ppid: 102, uid: 103, euid: 104, gid: 105, egid: 106 };
pub const TID: u32 = 107;
pub const UNDEFINED: [u8; 2] = [0x0f, 0x0b];

impl Machine {
    pub fn new() -> Box<Self> {
        // SAFETY: a fresh anonymous mapping.
        let memory = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                PAGES * PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(memory, libc::MAP_FAILED);
        let memory = NonNull::new(memory.cast::<u8>()).expect("mapped");
        // SAFETY: page `n` is inside the mapping.
        let page = |n: usize| unsafe { memory.add(n * PAGE) };
        let mut bytes = *text::bytes();
        let sites: Vec<u64> =
            crate::scan::instructions(&bytes).filter(|i| i.is_syscall()).map(|i| i.position).collect();
        for &site in &sites {
            bytes[site as usize..][..2].copy_from_slice(&UNDEFINED);
        }
        // SAFETY: both are pages of the mapping; nobody has a reference to them.
        unsafe {
            page(0).cast::<[u8; PAGE]>().write(bytes);
            // Writable too, so that breakpoints can be set.
            libc::mprotect(page(0).as_ptr().cast(), PAGE, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC);
            libc::mprotect(page(6).as_ptr().cast(), PAGE, libc::PROT_NONE);
        }
        // SAFETY: each view has a page of its own, mapped until the machine is dropped; no references are made.
        let machine = unsafe {
            Self {
                memory,
                scratch: page(5).cast(),
                thread: View::new(page(1).cast()),
                process: View::new(page(2).cast()),
                time: View::new(page(3).cast()),
                mm: View::new(page(4).cast()),
                server: RefCell::new(Box::new(|native| panic!("unexpected {native:x?}"))),
                breakpoint: Cell::new(None),
                stop: RefCell::new(None),
                sites,
                alt_stack: vec![0; 64 << 10].into_boxed_slice(),
            }
        };
        machine.thread.initialise(TID, machine.addresses());
        machine.process.initialise(IDS);
        machine.time.initialise(0, 1000, 0);
        machine.mm.initialise();
        Box::new(machine)
    }
    pub fn addresses(&self) -> Addresses {
        Addresses { process: self.page(2), time: self.page(3), mm: self.page(4) }
    }
    fn page(&self, n: usize) -> u64 {
        self.memory.as_ptr() as u64 + (n * PAGE) as u64
    }
    pub fn text(&self) -> u64 {
        self.page(0)
    }
    pub fn thread_page(&self) -> u64 {
        self.page(1)
    }
    pub fn scratch_address(&self) -> u64 {
        self.page(5)
    }
    /// An address at which nothing is mapped.
    pub fn hole(&self) -> u64 {
        self.page(6)
    }
    /// Who answers native calls from now on: gets one, returns message info and words.
    pub fn serve(&self, server: impl FnMut(Native) -> (u64, [u64; 4]) + 'static) {
        *self.server.borrow_mut() = Box::new(server);
    }
    /// Stops the thread once when it comes to a position of the text. `stop` says where to send it, if anywhere.
    pub fn break_at(&self, position: u64, stop: impl FnMut(u64) -> Option<u64> + 'static) {
        let at = (self.text() + position) as *mut [u8; 2];
        // SAFETY: inside the text's writable copy, which nobody executes now.
        let was = unsafe { at.replace(UNDEFINED) };
        self.breakpoint.set(Some((position, was)));
        *self.stop.borrow_mut() = Some(Box::new(stop));
    }
    /// Removes a breakpoint that was not met.
    pub fn clear_breakpoint(&self) {
        if let Some((position, bytes)) = self.breakpoint.take() {
            // SAFETY: as in `break_at`.
            unsafe { ((self.text() + position) as *mut [u8; 2]).write(bytes) };
        }
    }
    /// Whether the breakpoint was met.
    pub fn stopped(&self) -> bool {
        self.breakpoint.get().is_none()
    }
    pub fn scratch_word(&self, index: usize) -> u64 {
        assert!(index < PAGE / 8);
        // SAFETY: inside the scratch page.
        unsafe { self.scratch.add(index).read_volatile() }
    }
    pub fn set_scratch_word(&self, index: usize, value: u64) {
        assert!(index < PAGE / 8);
        // SAFETY: inside the scratch page.
        unsafe { self.scratch.add(index).write_volatile(value) };
    }
    /// The program executes `syscall` with these registers.
    pub fn run(&self, program: Program) -> Program {
        let (target, word) = (self.text() + text::entry(), self.thread_page());
        Program { target: 0, word: 0, ..self.enter(Program { target, word, ..program }) }
    }
    fn enter(&self, mut program: Program) -> Program {
        let stack =
            libc::stack_t { ss_sp: self.alt_stack.as_ptr() as *mut c_void, ss_flags: 0, ss_size: self.alt_stack.len() };
        // SAFETY: zero is a valid sigset_t and stack_t.
        let (mut old_stack, mut action): (libc::stack_t, libc::sigaction) = unsafe { core::mem::zeroed() };
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        action.sa_sigaction = on_signal as *const () as usize;
        RUNNING.set(self);
        // SAFETY: the handler is right for any thread; the alternate stack is the machine's and not used otherwise. `enter` keeps what
        // the C convention asks for, whatever the text does to the program's registers.
        unsafe {
            assert_eq!(libc::sigaltstack(&stack, &mut old_stack), 0);
            for signal in [libc::SIGILL, libc::SIGSEGV, libc::SIGBUS] {
                assert_eq!(libc::sigaction(signal, &action, core::ptr::null_mut()), 0);
            }
            chestnut_test_enter(&mut program);
            libc::sigaltstack(&old_stack, core::ptr::null_mut());
        }
        RUNNING.set(core::ptr::null());
        program
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`; all views die with the machine's fields.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), PAGES * PAGE) };
    }
}

/// Ends the test run with a message: a handler on a foreign stack can't unwind.
fn give_up(what: &str, rip: u64) -> ! {
    eprintln!("{what} at text + {rip:#x}");
    std::process::abort()
}

extern "C" fn on_signal(signal: i32, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a ucontext to SA_SIGINFO handlers.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let registers = &mut context.uc_mcontext.gregs;
    // SAFETY: set by `enter`, which waits for the text to come back.
    let Some(machine) = (unsafe { RUNNING.get().as_ref() }) else { give_up("a signal outside the text", 0) };
    let reg = |r: i32| r as usize;
    let position = (registers[reg(libc::REG_RIP)] as u64).wrapping_sub(machine.text());
    if position >= text::LENGTH {
        give_up("a signal outside the text", position);
    }
    if signal != libc::SIGILL {
        match text::fixup(position) {
            Some(to) => registers[reg(libc::REG_RIP)] = (machine.text() + to) as i64,
            None => give_up("a fault without fix-up", position),
        }
        return;
    }
    if let Some((at, bytes)) = machine.breakpoint.get()
        && at == position
    {
        // SAFETY: as in `break_at`.
        unsafe { ((machine.text() + at) as *mut [u8; 2]).write(bytes) };
        machine.breakpoint.set(None);
        let stop = machine.stop.borrow_mut().take();
        if let Some(to) = stop.and_then(|mut stop| stop(registers[reg(libc::REG_RSP)] as u64)) {
            registers[reg(libc::REG_RIP)] = (machine.text() + to) as i64;
            registers[reg(libc::REG_RSP)] = stack_pointer(machine.thread_page()) as i64;
            // What `restore` must not rely on. The tails have all others as they were.
            if to == text::start() {
                for r in [libc::REG_RAX, libc::REG_RCX, libc::REG_RDX, libc::REG_RSI, libc::REG_RDI, libc::REG_R8] {
                    registers[reg(r)] = 0x6a6a;
                }
                for r in [libc::REG_R9, libc::REG_R10, libc::REG_R11, libc::REG_R15] {
                    registers[reg(r)] = 0x6b6b;
                }
            }
        }
        return;
    }
    if !machine.sites.contains(&position) {
        give_up("an undefined instruction", position);
    }
    let word_registers = [libc::REG_R10, libc::REG_R8, libc::REG_R9, libc::REG_R15];
    let native = Native {
        position,
        number: registers[reg(libc::REG_RDX)],
        rdi: registers[reg(libc::REG_RDI)] as u64,
        info: registers[reg(libc::REG_RSI)] as u64,
        words: word_registers.map(|r| registers[reg(r)] as u64),
    };
    let (info, words) = (machine.server.borrow_mut())(native);
    registers[reg(libc::REG_RCX)] = 0xc10b;
    registers[reg(libc::REG_R11)] = 0xc10b;
    if native.number == chestnut_abi::Syscall::Call as i64 {
        registers[reg(libc::REG_RDI)] = 0;
        registers[reg(libc::REG_RSI)] = info as i64;
        for (r, word) in word_registers.into_iter().zip(words) {
            registers[reg(r)] = word as i64;
        }
    }
    registers[reg(libc::REG_RIP)] += 2;
}
