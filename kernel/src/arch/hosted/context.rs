//! A thread's registers on the simulated machine; the same rules of what a user may set as on the real one.

use chestnut_abi::registers::{COUNT, Register};
use core::cell::Cell;

pub struct Context {
    registers: [Cell<u64>; COUNT],
    fault_ip: Cell<u64>,
    /// What a switch from or to the thread concerns beside its registers; here, nothing does.
    pub extended: Cell<u64>,
}

/// Bytes in a `syscall` instruction.
pub const SYSTEM_CALL_LENGTH: u64 = 2;
const INTERRUPT_FLAG: u64 = 1 << 9;
const ALWAYS_ONE: u64 = 1 << 1;
/// CF PF AF ZF SF TF DF OF RF AC ID.
const USER_FLAGS: u64 = 0x0025_0dd5;

impl Context {
    pub const FPU: u64 = 1;
    pub const FS: u64 = 2;
    pub const BASES: u64 = 4;

    pub fn initialise(&self) {
        for register in &self.registers {
            register.set(0);
        }
        self.set(Register::Rflags, 0);
        self.fault_ip.set(0);
    }
    pub fn get(&self, register: Register) -> u64 {
        self.registers[register as usize].get()
    }
    pub fn set(&self, register: Register, value: u64) {
        let value = match register {
            Register::Rip | Register::FsBase | Register::GsBase if value >= chestnut_abi::layout::USER_END => 0,
            Register::Rflags => value & USER_FLAGS | INTERRUPT_FLAG | ALWAYS_ONE,
            _ => value,
        };
        self.registers[register as usize].set(value);
        if register == Register::Rip {
            self.fault_ip.set(value);
        }
    }
    pub fn fault_ip(&self) -> u64 {
        self.fault_ip.get()
    }
    pub fn set_fault_ip(&self, ip: u64) {
        self.fault_ip.set(ip);
    }
    pub fn restart(&self) {
        self.set(Register::Rip, self.fault_ip.get());
    }
    pub fn system_call_number(&self) -> i64 {
        self.get(Register::Rdx) as i64
    }
    pub fn capability_register(&self) -> u64 {
        self.get(Register::Rdi)
    }
    pub fn set_badge(&self, badge: u64) {
        self.set(Register::Rdi, badge);
    }
    pub fn message_info(&self) -> u64 {
        self.get(Register::Rsi)
    }
    pub fn set_message_info(&self, info: u64) {
        self.set(Register::Rsi, info);
    }
    pub fn message_register(&self, index: usize) -> u64 {
        self.get(Self::MESSAGE[index & 3])
    }
    pub fn set_message_register(&self, index: usize, value: u64) {
        self.set(Self::MESSAGE[index & 3], value);
    }
    /// Copies the message words to another thread's registers.
    pub fn copy_message(&self, to: &Self) {
        self.copy_some_message(to, 4);
    }
    /// The first `length` of them, at most all.
    pub fn copy_some_message(&self, to: &Self, length: usize) {
        for index in 0..4 {
            if index >= length {
                break;
            }
            to.set_message_register(index, self.message_register(index));
        }
    }
    pub fn reply_register(&self) -> u64 {
        self.get(Register::R12)
    }
    pub fn destination_register(&self) -> u64 {
        self.get(Register::R13)
    }
    const MESSAGE: [Register; 4] = [Register::R10, Register::R8, Register::R9, Register::R15];
}

#[repr(C, align(16))]
pub struct FpuState([Cell<u64>; 64]);

impl FpuState {
    pub fn initialise(&self) {
        for word in &self.0 {
            word.set(0);
        }
    }
}
