//! A thread's registers and the orders in which messages carry them.

/// One of the 20 registers that belong to a thread, numbered in [`UserContext`] order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Register {
    Rip = 0,
    Rsp,
    Rflags,
    Rax,
    Rbx,
    Rcx,
    Rdx,
    Rsi,
    Rdi,
    Rbp,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    FsBase,
    GsBase,
}

/// Number of registers in a [`UserContext`].
pub const COUNT: usize = 20;

/// The registers as ReadRegisters and WriteRegisters carry them, from the first: as many as asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct UserContext {
    pub rip: u64,
    pub rsp: u64,
    pub rflags: u64,
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
    pub fs_base: u64,
    pub gs_base: u64,
}

impl UserContext {
    /// The registers in order.
    pub const fn to_words(self) -> [u64; COUNT] {
        [
            self.rip,
            self.rsp,
            self.rflags,
            self.rax,
            self.rbx,
            self.rcx,
            self.rdx,
            self.rsi,
            self.rdi,
            self.rbp,
            self.r8,
            self.r9,
            self.r10,
            self.r11,
            self.r12,
            self.r13,
            self.r14,
            self.r15,
            self.fs_base,
            self.gs_base,
        ]
    }
    pub const fn from_words(w: [u64; COUNT]) -> Self {
        let [
            rip,
            rsp,
            rflags,
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
            fs_base,
            gs_base,
        ] = w;
        Self {
            rip,
            rsp,
            rflags,
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
            fs_base,
            gs_base,
        }
    }
}

use Register::*;

/// Registers of an unknown-system-call fault, by message word; a reply may set all of them. The fault's IP (word 15) is
/// that of the `syscall` instruction; a reply's word 15 is where the thread goes on.
pub const UNKNOWN_SYSCALL_REGISTERS: [Register; 18] =
    [Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rbp, R8, R9, R10, R11, R12, R13, R14, R15, Rip, Rsp, Rflags];

/// Registers of a user exception, by message word; a reply may set them.
pub const USER_EXCEPTION_REGISTERS: [Register; 3] = [Rip, Rsp, Rflags];

/// Registers that the reply to a timeout fault may set, by message word.
pub const TIMEOUT_REPLY_REGISTERS: [Register; 19] =
    [Rip, Rsp, Rflags, Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rbp, R8, R9, R10, R11, R12, R13, R14, R15, FsBase];
