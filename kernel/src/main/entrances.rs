//! What the stubs call: which of the library's entrances deals with a vector.

use chestnut_abi::layout::{IRQ_VECTOR_BASE, MAX_USER_IRQ};
use chestnut_kernel::arch::{self, Context};
use chestnut_kernel::entry;

/// What the processor pushed together with the stub.
type Frame = [u64; Context::FRAME_WORDS];

const NON_MASKABLE: u64 = 2;
const DEVICE_NOT_AVAILABLE: u64 = 7;
const PAGE_FAULT: u64 = 14;
const MACHINE_CHECK: u64 = 18;

/// An exception in user mode; NMI and machine check wherever they come.
pub extern "C" fn exception(vector: u64, code: u64, frame: &Frame) {
    match vector {
        NON_MASKABLE | MACHINE_CHECK => arch::kernel_fault(frame, vector, code),
        DEVICE_NOT_AVAILABLE => entry::fpu_unavailable(),
        PAGE_FAULT => entry::page_fault(arch::fault_address(), code),
        _ => entry::exception(vector, code),
    }
}

/// An exception in kernel mode. Only a benchmark's access to a register that isn't there is expected.
pub extern "C" fn kernel_exception(vector: u64, code: u64, frame: &mut Frame) {
    #[cfg(feature = "bench")]
    if arch::recover(frame) {
        return;
    }
    arch::kernel_fault(frame, vector, code)
}

pub extern "C" fn interrupt(vector: u64) {
    match vector.checked_sub(IRQ_VECTOR_BASE) {
        Some(irq) if irq <= MAX_USER_IRQ => entry::interrupt(irq as usize),
        _ => arch::unexpected_vector(vector),
    }
}

pub extern "C" fn timer() {
    if arch::timer_fired() {
        entry::timer();
    }
}
