//! The bare-metal binary: boot, the processor's entries, and the kernel library between them.
//!
//! The entry stubs (`main/stubs.rs`) call the functions in `main/entrances.rs` with the current thread's registers saved; each
//! hands on to the library's entrance for what happened, and the stub restores whoever is current afterwards.
#![no_std]
#![no_main]

#[path = "main/entrances.rs"]
mod entrances;
#[path = "main/start.rs"]
mod start;
#[path = "main/stubs.rs"]
mod stubs;

use chestnut_kernel::{arch, boot, entry, print_line};

/// Boots; the root task is current when this returns. `info` and `magic` are what the boot loader passed in EBX and EAX.
extern "C" fn start(info: u64, magic: u32) {
    arch::console_init();
    if let Err(message) = boot_root_task(info, magic) {
        print_line!("chestnut: boot failed: ", message);
        arch::stop();
    }
}

fn boot_root_task(info: u64, magic: u32) -> Result<(), &'static str> {
    let given = boot::discover(magic, info, &stubs::entry_points())?;
    let verbose = given.options.verbose;
    let k = entry::enter();
    let made = boot::root_task::create(k, given)?;
    if verbose {
        boot::report(&made);
    }
    entry::leave(k);
    Ok(())
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    print_line!("chestnut: panic");
    arch::stop()
}
