//! The end: a fault in kernel mode is a bug of the kernel (or of the machine), and nothing after it can be trusted.
//!
//! It is said on COM1 in every build, with the registers, and the machine stops; a debug build also asks the emulator
//! to exit.

use super::console::console_put;
use super::context::Context;
use super::instructions::{fault_address, halt};
use crate::print::{Hex, Print};
use crate::print_line;
use chestnut_abi::registers::UNKNOWN_SYSCALL_REGISTERS;

/// Port of the emulator's exit device in debug builds.
#[cfg(feature = "debug")]
const EXIT_PORT: u16 = 0xf4;

/// Stops the machine.
pub fn stop() -> ! {
    #[cfg(feature = "debug")]
    super::instructions::port_out(EXIT_PORT, 4, 0x7f);
    halt()
}

/// In the order of [`UNKNOWN_SYSCALL_REGISTERS`].
const NAMES: [&str; 18] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
    "rsp", "rflags",
];

/// Where a register access that may fault goes on; 0 outside of one.
#[cfg(feature = "bench")]
static RECOVERY: super::single_core::SingleCore<core::cell::Cell<u64>> =
    super::single_core::SingleCore(core::cell::Cell::new(0));

/// Reads a model-specific register for a benchmark; 0 if the processor refuses.
#[cfg(feature = "bench")]
pub fn read_msr(register: u32) -> u64 {
    dangerous_msr(register, None).unwrap_or(0)
}

/// Writes a model-specific register for a benchmark; nothing if the processor refuses.
#[cfg(feature = "bench")]
pub fn write_msr(register: u32, value: u64) {
    dangerous_msr(register, Some(value));
}

/// Reads, or with a value writes, a model-specific register; `None` if the processor refuses.
///
/// For the benchmark system calls only: their caller can change anything about the processor and is trusted with it.
#[cfg(feature = "bench")]
fn dangerous_msr(register: u32, new_value: Option<u64>) -> Option<u64> {
    let value = new_value.unwrap_or(0);
    let (mut low, mut high) = (value as u32, (value >> 32) as u32);
    let refused: u64;
    // SAFETY: a fault is caught: the handler continues at the label, where only the declared outputs have changed. What
    // a write does to the processor is the answerable caller's.
    unsafe {
        core::arch::asm!(
            "lea {refused}, [rip + 3f]",
            "mov [{recovery}], {refused}",
            "test {write}, {write}",
            "jnz 2f",
            "rdmsr",
            "jmp 4f",
            "2:",
            "wrmsr",
            "4:",
            "xor {refused:e}, {refused:e}",
            "3:",
            "mov qword ptr [{recovery}], 0",
            refused = out(reg) refused,
            recovery = in(reg) RECOVERY.0.as_ptr(),
            write = in(reg) u64::from(new_value.is_some()),
            in("ecx") register,
            inout("eax") low,
            inout("edx") high,
            options(nostack),
        );
    }
    (refused == 0).then_some(u64::from(high) << 32 | u64::from(low))
}

/// Whether a fault in kernel mode was expected; then the frame says where to go on.
#[cfg(feature = "bench")]
pub fn recover(frame: &mut [u64; Context::FRAME_WORDS]) -> bool {
    let recovery = RECOVERY.0.replace(0);
    let [.., rip, _, _, _, _] = frame;
    if recovery != 0 {
        *rip = recovery;
    }
    recovery != 0
}

/// Reports an exception in kernel mode, an NMI or a machine check, and stops. `frame` is what stub and processor pushed.
pub fn kernel_fault(frame: &[u64; Context::FRAME_WORDS], vector: u64, code: u64) -> ! {
    let registers = Context::from_frame(frame);
    let what = match vector {
        2 => "non-maskable interrupt",
        8 => "double fault",
        18 => "machine check",
        _ => "exception in kernel mode",
    };
    print_line!("chestnut: ", what, ": vector ", vector, ", code ", Hex(code), ", address ", Hex(fault_address()));
    for (index, (name, register)) in (1..).zip(NAMES.into_iter().zip(UNKNOWN_SYSCALL_REGISTERS)) {
        name.print(console_put);
        " ".print(console_put);
        Hex(registers.get(register)).print(console_put);
        console_put(if index % 6 == 0 { b'\n' } else { b' ' });
    }
    stop()
}
