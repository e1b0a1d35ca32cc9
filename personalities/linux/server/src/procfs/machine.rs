//! Texts about what the machine has and hasn't (proc(5)): devices, disks, swap, pages.
//!
//! There are no disks and no swap, which programs such as vmstat, lsblk and swapon find out here.

use crate::process::Usage;
use crate::server::Server;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// A list without anything in it.
pub fn nothing(_: &'static Server) -> Vec<u8> {
    Vec::new()
}

pub fn partitions(_: &'static Server) -> Vec<u8> {
    b"major minor  #blocks  name\n\n".to_vec()
}

pub fn swaps(_: &'static Server) -> Vec<u8> {
    b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".to_vec()
}

/// The major numbers that have a driver.
pub fn devices(_: &'static Server) -> Vec<u8> {
    b"Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n"
        .to_vec()
}

/// vmstat: pages by use, and what has happened to them. What can't happen here, as there is no disk, counts 0.
pub fn pages(server: &'static Server) -> Vec<u8> {
    let frames = server.capabilities.frames;
    let processes = server.table.processes();
    let usages = processes.iter().map(|process| process.total_usage().plus(process.children_usage.get()));
    let all = usages.fold(Usage::default(), Usage::plus);
    let mut anonymous = 0;
    for process in &processes {
        process.space().each_area(|_, area, present| {
            if matches!(area.shown, crate::memory::Shown::Zeros) {
                anonymous += present;
            }
        });
    }
    let cached = frames.in_use().saturating_sub(anonymous);
    let rows = [
        ("nr_free_pages", frames.available() as u64),
        ("nr_anon_pages", anonymous as u64),
        ("nr_mapped", 0),
        ("nr_file_pages", cached as u64),
        ("nr_dirty", 0),
        ("nr_writeback", 0),
        ("nr_shmem", cached as u64),
        ("pgpgin", 0),
        ("pgpgout", 0),
        ("pswpin", 0),
        ("pswpout", 0),
        ("pgfault", all.faults),
        ("pgmajfault", 0),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name} {value}");
    }
    text.into_bytes()
}
