//! The Linux server: processes, memory, signals and system calls of unmodified Linux programs.
#![no_std]
#![no_main]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
