//! The Linux server's binary: takes over what root gives it, and serves.
#![no_std]
#![no_main]

use chestnut_linux_server::boot::{Given, make};
use chestnut_linux_server::capability::{Kernel, regions};
use chestnut_runtime::StartInfo;

chestnut_runtime::entry!(main);

fn main(start: &'static StartInfo) -> ! {
    let (server, devices) = make(Given {
        kernel: Kernel::new(start),
        tsc_mhz: start.tsc_mhz,
        archive: regions::archive(start),
        terminal: regions::wire(start, "terminal"),
        host: regions::wire(start, "host"),
        alarm: regions::alarm(start),
        entropy: regions::entropy(start),
    });
    server.serve(&devices)
}
