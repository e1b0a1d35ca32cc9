//! One emulated machine: started with its wires, and never left behind.
//!
//! Guarantees: the emulator process ends when its [`Machine`] is dropped (by its process id, with SIGKILL, as an idle
//! guest under icount ignores SIGTERM), and when the thread that started it dies, however that happens. Relies on the
//! caller keeping the machine in the thread that started it.

use crate::setup::EMULATOR;
use crate::tail::Tail;
use anyhow::{Context, Result};
use command_fds::{CommandFdExt, FdMapping};
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::str::FromStr;

/// The machine's wires, by the descriptor that the emulator finds them at.
const WIRES: [(&str, i32); 3] = [("com1", 10), ("com2", 11), ("log", 12)];

/// The CPU that Linux programs get by default. Linux programs return from signals by `iretq` in user mode, which QEMU 7.2 emulates wrongly
/// under SMAP: it reads the frame as the kernel would, and the processor faults. A real processor doesn't mind.
/// AVX isn't offered, because the kernel doesn't save its registers: the processor says so where a program has to ask, but some look
/// only at CPUID.
pub const DEFAULT_CPU: &str = "max,-smap,-avx,-avx2,-f16c,-fma";

/// What machine to start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// QEMU's name of the CPU model.
    pub cpu: String,
    pub memory: MemorySize,
    /// Count instructions: time advances by one nanosecond for each.
    pub icount: bool,
    /// Further arguments of the emulator; later ones win over those made here.
    pub emulator_arguments: Vec<OsString>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            cpu: DEFAULT_CPU.to_owned(),
            memory: MemorySize::default(),
            icount: false,
            emulator_arguments: Vec::new(),
        }
    }
}

/// RAM of the machine, in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySize(pub u32);

impl Default for MemorySize {
    fn default() -> MemorySize {
        MemorySize(512)
    }
}

impl FromStr for MemorySize {
    type Err = String;

    /// Such as `512M` or `3G`.
    fn from_str(text: &str) -> Result<MemorySize, String> {
        let wrong = || format!("\"{text}\" must be a number followed by M or G, 64M to 64G, for example 512M");
        let (number, mebibytes) = match text.to_ascii_uppercase().strip_suffix('G') {
            Some(number) => (number.to_owned(), 1024),
            None => (text.to_ascii_uppercase().trim_end_matches('M').to_owned(), 1),
        };
        let size = number.parse::<u32>().ok().and_then(|number| number.checked_mul(mebibytes)).ok_or_else(wrong)?;
        if (64..=65_536).contains(&size) { Ok(MemorySize(size)) } else { Err(wrong()) }
    }
}

/// A running emulator.
#[derive(Debug)]
pub struct Machine {
    process: Child,
    /// What the emulator itself says.
    complaints: File,
    /// The boot files, which the emulator may read until it ends.
    _files: Vec<tempfile::TempPath>,
}

/// The host's ends of a machine's wires.
#[derive(Debug)]
pub struct Wires {
    pub com1: UnixStream,
    pub com2: UnixStream,
    pub log: UnixStream,
}

impl Machine {
    /// Starts the emulator.
    pub fn start(settings: &Settings, medium: Medium) -> Result<(Machine, Wires)> {
        let mut files = Vec::new();
        let mut command = Command::new(EMULATOR);
        command.args(arguments(settings)).args(medium.arguments(&mut files)?).args(&settings.emulator_arguments);
        let complaints = tempfile::tempfile().context("making a temporary file")?;
        command.stdin(Stdio::null()).stdout(complaints.try_clone()?).stderr(complaints.try_clone()?);
        // Ctrl-C is for the guest or the launcher; the launcher ends the emulator.
        command.process_group(0);
        let (com1, ours1) = UnixStream::pair()?;
        let (com2, ours2) = UnixStream::pair()?;
        let (log, ours3) = UnixStream::pair()?;
        let mappings = [com1, com2, log]
            .into_iter()
            .zip(WIRES)
            .map(|(stream, (_, child_fd))| FdMapping { parent_fd: stream.into(), child_fd });
        command.fd_mappings(mappings.collect()).context("giving the emulator its wires")?;
        die_with_parent(&mut command);
        let process = command.spawn().with_context(|| format!("starting {EMULATOR}"))?;
        let wires = Wires { com1: ours1, com2: ours2, log: ours3 };
        Ok((Machine { process, complaints, _files: files }, wires))
    }

    /// The emulator has closed its wires: waits until it has ended, and says why.
    pub fn wait(&mut self) -> Result<Ending> {
        let status = self.process.wait().context("waiting for the emulator")?;
        Ok(Ending::new(status, &self.complaints()))
    }

    /// Ends the emulator now.
    pub fn end(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// What the emulator itself said, such as why it refused to start.
    pub fn complaints(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = self.complaints.rewind().and_then(|()| self.complaints.read_to_end(&mut bytes));
        let mut tail = Tail::new(4096);
        tail.push(&bytes);
        match read {
            Ok(_) => tail.text(),
            Err(error) => format!("(what the emulator said can't be read: {error})"),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end();
    }
}

/// The image of the first process.
#[derive(Clone, Debug)]
pub enum RootTask {
    File(PathBuf),
    Image(Vec<u8>),
}

/// What the machine starts from.
#[derive(Clone, Debug)]
pub enum Medium {
    /// The emulator is the boot loader: it loads a kernel file and a root task as the boot module.
    Direct { kernel: PathBuf, root_task: RootTask },
    /// A disc with a boot loader on it; the file of the firmware, if it isn't the emulator's BIOS.
    Disc { image: PathBuf, firmware: Option<PathBuf> },
}

/// Slots of the root task's CNode, as a power of two, unless the kernel is told otherwise.
const USUAL_CNODE_BITS: u32 = 15;

/// Each page of the image (4 KiB) has a capability, and one more where a service sees it too; as many again are left for
/// everything else.
fn cnode_bits(image_bytes: usize) -> u32 {
    let pages = image_bytes.div_ceil(4096);
    (4 * pages).next_power_of_two().ilog2().max(USUAL_CNODE_BITS)
}

impl Medium {
    /// The emulator's arguments. `files` gets what must exist until the emulator has ended.
    fn arguments(self, files: &mut Vec<tempfile::TempPath>) -> Result<Vec<OsString>> {
        let mut arguments: Vec<OsString> = Vec::new();
        match self {
            Medium::Direct { kernel, root_task } => {
                let root_task = match root_task {
                    RootTask::File(path) => path,
                    RootTask::Image(image) => {
                        let bits = cnode_bits(image.len());
                        if bits > USUAL_CNODE_BITS {
                            arguments.extend(["-append".into(), format!("cnode_bits={bits}").into()]);
                        }
                        let mut file = tempfile::NamedTempFile::new().context("making a file for the boot image")?;
                        std::io::Write::write_all(&mut file, &image).context("writing the boot image")?;
                        let path = file.into_temp_path();
                        let name = path.to_path_buf();
                        files.push(path);
                        name
                    }
                };
                arguments.extend(["-kernel".into(), kernel.into(), "-initrd".into(), root_task.into()]);
            }
            Medium::Disc { image, firmware } => {
                arguments.extend(["-cdrom".into(), image.into()]);
                arguments.extend(firmware.into_iter().flat_map(|file| ["-bios".into(), file.into()]));
            }
        }
        Ok(arguments)
    }
}

fn arguments(settings: &Settings) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
    if !settings.emulator_arguments.iter().any(|word| word == "-accel") {
        add(&["-accel", "tcg"]);
    }
    add(&["-machine", "pc", "-cpu", &settings.cpu, "-m", &format!("{}M", settings.memory.0)]);
    add(&["-nodefaults", "-display", "none", "-vga", "none", "-nic", "none", "-no-reboot"]);
    for (name, descriptor) in WIRES {
        add(&["-chardev", &format!("socket,id={name},fd={descriptor}")]);
    }
    add(&["-serial", "chardev:com1", "-serial", "chardev:com2"]);
    add(&["-device", "isa-debugcon,iobase=0xe9,chardev=log"]);
    add(&["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
    if settings.icount {
        // The processor's random numbers are to be the same each time, too.
        add(&["-icount", "shift=0,align=off,sleep=off", "-seed", "1"]);
    }
    arguments
}

/// The kernel ends the child when the thread that started it is gone.
fn die_with_parent(command: &mut Command) {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    let parent = rustix::process::getpid();
    let tie = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the call.
        if getppid() == Some(parent) { Ok(()) } else { Err(std::io::ErrorKind::NotFound.into()) }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; `tie` makes two bare system calls and
    // allocates nothing.
    unsafe { command.pre_exec(tie) };
}

/// Why an emulator has ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The guest wrote this to the isa-debug-exit port.
    DebugExit(u8),
    /// The machine was reset (by a triple fault, usually) or switched off.
    Reset,
    /// The emulator itself failed, or somebody ended it.
    Failed(ExitStatus),
}

impl Ending {
    fn new(status: ExitStatus, complaints: &str) -> Ending {
        // isa-debug-exit makes it twice the value plus one; for the value 0 that is also the emulator's own failure.
        let failed = || complaints.lines().any(|line| !line.contains("warning:"));
        match status.code() {
            Some(0) => Ending::Reset,
            Some(1) if failed() => Ending::Failed(status),
            Some(code) if code & 1 == 1 => Ending::DebugExit(u8::try_from(code >> 1).unwrap_or(u8::MAX)),
            _ => Ending::Failed(status),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::DebugExit(value) => write!(f, "the guest ended the machine with status {value}"),
            Ending::Reset => f.write_str("the machine was reset (a triple fault?) or switched off"),
            Ending::Failed(status) => write!(f, "the emulator failed ({status})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_sizes() {
        assert_eq!("512M".parse(), Ok(MemorySize(512)));
        assert_eq!("512".parse(), Ok(MemorySize(512)));
        assert_eq!("3g".parse(), Ok(MemorySize(3072)));
        for wrong in ["", "G", "12K", "1M", "65G", "99999999G", "-5M"] {
            assert!(wrong.parse::<MemorySize>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn big_images_get_big_cnodes() {
        assert_eq!(cnode_bits(0), 15);
        assert_eq!(cnode_bits(32 << 20), 15);
        assert_eq!(cnode_bits((32 << 20) + 1), 16);
        assert_eq!(cnode_bits(100 << 20), 17);
    }
}
