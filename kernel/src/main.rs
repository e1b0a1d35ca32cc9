//! The bare-metal binary: boot, the processor's entries, and the kernel library between them.
//!
//! The entry stubs (`main/stubs.rs`) call the functions below with the current thread's registers saved; each hands on to
//! the library's entrance for what happened, and the stub restores whoever is current afterwards.
#![no_std]
#![no_main]

#[path = "main/start.rs"]
mod start;
#[path = "main/stubs.rs"]
mod stubs;

use chestnut_abi::layout::{IRQ_VECTOR_BASE, MAX_USER_IRQ};
use chestnut_kernel::arch::{self, Context};
use chestnut_kernel::{boot, entry, print_line};

/// What the processor pushed together with the stub.
type Frame = [u64; Context::FRAME_WORDS];

const NON_MASKABLE: u64 = 2;
const DEVICE_NOT_AVAILABLE: u64 = 7;
const PAGE_FAULT: u64 = 14;
const MACHINE_CHECK: u64 = 18;

/// Boots; the root task is current when this returns. `info` is the physical address that the boot loader passed.
extern "C" fn start(info: u64) {
    arch::console_init();
    if let Err(message) = boot_root_task(info) {
        print_line!("chestnut: boot failed: ", message);
        arch::stop();
    }
}

fn boot_root_task(info: u64) -> Result<(), &'static str> {
    let given = boot::discover(info, &stubs::entry_points())?;
    let verbose = given.options.verbose;
    let k = entry::enter();
    let made = boot::root_task::create(k, given)?;
    if verbose {
        boot::report(&made);
    }
    entry::leave(k);
    Ok(())
}

extern "C" fn system_call() {
    entry::system_call();
}

/// An exception in user mode; NMI and machine check wherever they come.
extern "C" fn exception(vector: u64, code: u64, frame: &Frame) {
    match vector {
        NON_MASKABLE | MACHINE_CHECK => arch::kernel_fault(frame, vector, code),
        DEVICE_NOT_AVAILABLE => entry::fpu_unavailable(),
        PAGE_FAULT => entry::page_fault(arch::fault_address(), code),
        _ => entry::exception(vector, code),
    }
}

/// An exception in kernel mode. Only a benchmark's access to a register that isn't there is expected.
extern "C" fn kernel_exception(vector: u64, code: u64, frame: &mut Frame) {
    #[cfg(feature = "bench")]
    if arch::recover(frame) {
        return;
    }
    arch::kernel_fault(frame, vector, code)
}

extern "C" fn interrupt(vector: u64) {
    match vector.checked_sub(IRQ_VECTOR_BASE) {
        Some(irq) if irq <= MAX_USER_IRQ => entry::interrupt(irq as usize),
        _ => arch::unexpected_vector(vector),
    }
}

extern "C" fn timer() {
    if arch::timer_fired() {
        entry::timer();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    print_line!("chestnut: panic");
    arch::stop()
}
