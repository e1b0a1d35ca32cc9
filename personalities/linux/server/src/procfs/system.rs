//! Texts about the machine (proc(5)).

use crate::capability::MemoryUse;
use crate::exec::load::TICKS_PER_SECOND;
use crate::load::ONE;
use crate::memory::PAGE;
use crate::process::Usage;
use crate::server::Server;
use crate::syscall::system::{RELEASE, VERSION};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::devfs::split_device_number;
use chestnut_linux_files::vfs::Mount;
use core::fmt::Write;

const TICK_MICROS: u64 = 1_000_000 / TICKS_PER_SECOND;

pub fn command_line(_: &'static Server) -> Vec<u8> {
    b"chestnut\n".to_vec()
}
pub fn version(_: &'static Server) -> Vec<u8> {
    format!("Linux version {RELEASE} (chestnut) {VERSION}\n").into_bytes()
}
pub fn release(_: &'static Server) -> Vec<u8> {
    format!("{RELEASE}\n").into_bytes()
}
pub fn system_type(_: &'static Server) -> Vec<u8> {
    b"Linux\n".to_vec()
}
pub fn host_name(server: &'static Server) -> Vec<u8> {
    let mut name = server.host_name.borrow().clone();
    name.push(b'\n');
    name
}
pub fn pid_max(_: &'static Server) -> Vec<u8> {
    b"32768\n".to_vec()
}
pub fn overcommit(_: &'static Server) -> Vec<u8> {
    b"0\n".to_vec()
}
pub fn filesystems(_: &'static Server) -> Vec<u8> {
    b"nodev\tsysfs\nnodev\tproc\nnodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tpipefs\n".to_vec()
}

pub fn mounts(server: &'static Server) -> Vec<u8> {
    let mut text = Vec::new();
    for mount in server.vfs.mounts(&server.vfs.root()) {
        text.extend_from_slice(mount.filesystem.as_bytes());
        text.push(b' ');
        put_path(&mut text, &mount.path);
        text.extend_from_slice(format!(" {} {} 0 0\n", mount.filesystem, options(&mount)).as_bytes());
    }
    text
}

/// The id of the first mount.
const FIRST_MOUNT: usize = 20;

/// The id of the mount whose file system has this device number; of those that nothing shows (pipes), one below all.
pub fn mount_of(server: &Server, device: u64) -> usize {
    let mounts = server.vfs.mounts(&server.vfs.root());
    mounts.iter().position(|mount| mount.device == device).map_or(FIRST_MOUNT - 1, |place| place + FIRST_MOUNT)
}

/// /proc/PID/mountinfo. Nothing propagates, and what is bound is not told from what is mounted.
pub fn mount_information(server: &'static Server) -> Vec<u8> {
    let mut text = Vec::new();
    for (place, mount) in server.vfs.mounts(&server.vfs.root()).iter().enumerate() {
        let (major, minor) = split_device_number(mount.device);
        let inside = if mount.inside == place { 0 } else { mount.inside + FIRST_MOUNT };
        text.extend_from_slice(format!("{} {inside} {major}:{minor} / ", place + FIRST_MOUNT).as_bytes());
        put_path(&mut text, &mount.path);
        let name = mount.filesystem;
        text.extend_from_slice(format!(" {} - {name} {name} rw\n", options(mount)).as_bytes());
    }
    text
}

/// Blanks in names are written in octal.
fn put_path(text: &mut Vec<u8>, path: &[u8]) {
    for &byte in path {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => text.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            _ => text.push(byte),
        }
    }
}

fn options(mount: &Mount) -> String {
    mount.restrictions.names().chain(["relatime"]).collect::<Vec<_>>().join(",")
}

/// Processor time of all processes there have been, in microseconds.
fn used(server: &Server) -> u64 {
    server
        .table
        .processes()
        .iter()
        .map(|process| process.total_usage().time() + process.children_usage.get().time())
        .sum()
}

pub fn uptime(server: &'static Server) -> Vec<u8> {
    let up = server.clock.monotonic();
    let idle = (up.as_micros() as u64).saturating_sub(used(server));
    let hundredths = |micros: u64| (micros / 1_000_000, micros % 1_000_000 / 10_000);
    let ((a, b), (c, d)) = (hundredths(up.as_micros() as u64), hundredths(idle));
    format!("{a}.{b:02} {c}.{d:02}\n").into_bytes()
}

pub fn load(server: &'static Server) -> Vec<u8> {
    // Who reads this is being served, and counts.
    let now = server.running_threads() + 1;
    let threads = server.table.thread_count();
    let [one, five, fifteen] = server.load.averages().map(|average| {
        // Rounded to hundredths.
        let hundredths = (average * 100 + ONE / 2) / ONE;
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    });
    format!("{one} {five} {fifteen} {now}/{threads} {}\n", server.table.last_id()).into_bytes()
}

pub fn statistics(server: &'static Server) -> Vec<u8> {
    let up = server.clock.monotonic().as_micros() as u64;
    let usages =
        server.table.processes().into_iter().map(|process| process.total_usage().plus(process.children_usage.get()));
    let all = usages.fold(Usage::default(), Usage::plus);
    let idle = up.saturating_sub(all.time());
    let line = format!("{} 0 {} {} 0 0 0 0 0 0", all.user / TICK_MICROS, all.system / TICK_MICROS, idle / TICK_MICROS);
    let boot = server.clock.wall().as_secs() - up / 1_000_000;
    format!(
        "cpu  {line}\ncpu0 {line}\nintr 0\nctxt 0\nbtime {boot}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\n",
        server.table.made.get(),
        server.running_threads() + 1,
    )
    .into_bytes()
}

pub fn memory(server: &'static Server) -> Vec<u8> {
    let frames = server.capabilities.frames;
    let kilobytes = |pages: usize| pages as u64 * PAGE / 1024;
    let MemoryUse { total, free, available } = server.capabilities.memory();
    let (total, free, available) = (total / 1024, free / 1024, available / 1024);
    let mut anonymous = 0;
    for process in server.table.processes() {
        process.space().each_area(|_, area, present| {
            if matches!(area.shown, crate::memory::Shown::Zeros) {
                anonymous += present;
            }
        });
    }
    let cached = kilobytes(frames.in_use().saturating_sub(anonymous));
    let mut text = String::new();
    let rows = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", available),
        ("Buffers", 0),
        ("Cached", cached),
        ("SwapCached", 0),
        ("Active", 0),
        ("Inactive", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", kilobytes(anonymous)),
        ("Mapped", 0),
        ("Shmem", cached),
        ("Slab", 0),
        ("SReclaimable", 0),
        ("SUnreclaim", 0),
        ("PageTables", 0),
        ("CommitLimit", total),
        ("Committed_AS", kilobytes(anonymous)),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "{:<15}{value:>9} kB", format!("{name}:"));
    }
    text.into_bytes()
}

pub fn processors(server: &'static Server) -> Vec<u8> {
    let processor = crate::capability::processor();
    let mut flags = String::new();
    // By bit of CPUID 1 EDX, as Linux names them.
    const NAMES: [(u32, &str); 15] = [
        (0, "fpu"),
        (3, "pse"),
        (4, "tsc"),
        (5, "msr"),
        (6, "pae"),
        (8, "cx8"),
        (9, "apic"),
        (13, "pge"),
        (15, "cmov"),
        (16, "pat"),
        (19, "clflush"),
        (23, "mmx"),
        (24, "fxsr"),
        (25, "sse"),
        (26, "sse2"),
    ];
    for (bit, name) in NAMES {
        if server.features[0] >> bit & 1 != 0 {
            flags.push_str(name);
            flags.push(' ');
        }
    }
    format!(
        "processor\t: 0\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: {}\nstepping\t: {}\ncpu MHz\t\t: {}.000\n\
         physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\nflags\t\t: {}lm\naddress sizes\t: 40 bits physical, 48 bits virtual\n\n",
        processor.vendor,
        processor.family,
        processor.model,
        processor.name,
        processor.stepping,
        server.clock.tsc_mhz(),
        flags,
    )
    .into_bytes()
}
