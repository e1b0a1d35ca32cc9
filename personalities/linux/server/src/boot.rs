//! Makes the server: clock, file systems, terminal, init; then the message loop.

use crate::agenda::Agenda;
use crate::archive::{self, Archive};
use crate::capability::{Capabilities, Kernel, SharedPage, features};
use crate::clock::SystemClock;
use crate::devices::{Devices, HostChannel, TerminalLine, Wire};
use crate::memory::{Memory, NamelessStore};
use crate::process::jobs::Jobs;
use crate::process::{INIT, limits};
use crate::server::{Parts, Server};
use crate::session::Session;
use crate::syscall::system::{RELEASE, VERSION};
use crate::trace::Tracer;
use crate::{fixed, kernel_log, procfs, session, sysfs};
use alloc::boxed::Box;
use alloc::rc::Rc;
use chestnut_linux_files::caller::Caller;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::devfs::{self, Generator};
use chestnut_linux_files::inode::Filesystem;
use chestnut_linux_files::page::PageStore;
use chestnut_linux_files::pty;
use chestnut_linux_files::terminal::{Line, Terminal, WindowSize};
use chestnut_linux_files::tmpfs;
use chestnut_linux_files::vfs::Vfs;
use chestnut_manifest::{RunRequest, archive::RUN};
use core::cell::OnceCell;

/// What the server is given to start with.
pub struct Given {
    pub kernel: &'static Kernel,
    pub tsc_mhz: u32,
    /// The tar file.
    pub archive: &'static [u8],
    pub terminal: Box<dyn Wire>,
    pub host: Box<dyn Wire>,
    /// Tells the timer service the next deadline in ticks.
    pub alarm: Box<dyn Fn(u64)>,
    pub entropy: Entropy,
}

/// Takes random bytes from the entropy service: all of them, or if the flag is not set, as many as there are; says how many.
pub type Entropy = Box<dyn Fn(&mut [u8], bool) -> usize>;

/// Device numbers of file systems (st_dev): minor numbers of major 0.
const ROOT_DEVICE: u64 = 1;
const NAMELESS_DEVICE: u64 = 2;
const DEV_DEVICE: u64 = 3;
const PROC_DEVICE: u64 = 4;
const PTS_DEVICE: u64 = 5;
const SYS_DEVICE: u64 = 7;

/// `f_type` of the file system of pipes and the like.
const NAMELESS_MAGIC: u64 = 0x5049_5045;

/// The terminal's size until the launcher tells it.
const FIRST_SIZE: WindowSize = WindowSize { rows: 24, columns: 80, width: 0, height: 0 };

/// Makes the server and everything around it. What fails here is the boot image's fault or want of memory: it ends the
/// server with its reason in the log.
pub fn make(given: Given) -> (&'static Server, Devices) {
    let Given { kernel, tsc_mhz, archive, terminal, host, alarm, entropy } = given;
    let archive = Archive::new(archive).expect("the boot archive is a tar file");
    let request = archive.file(RUN).expect("the boot archive says what to run");
    let request: RunRequest = postcard::from_bytes(request).expect("the run request is of the same build");

    let capabilities: &'static Capabilities = Box::leak(Box::new(Capabilities::new(kernel)));
    let memory = Memory::new(capabilities).expect("memory for a page");
    limits::set_by_memory(capabilities);
    let time_page = SharedPage::allocate(capabilities.frames).expect("memory for a page");
    // The time-stamp counter was 0 when the machine was started.
    let since_start = crate::capability::ticks() / u64::from(tsc_mhz.max(1));
    let wall = (request.started + since_start) * 1000;
    let agenda = Agenda::default();
    let clock = SystemClock::new(time_page, tsc_mhz, wall, alarm, agenda.clone());

    let files_clock: Rc<dyn Clock> = clock.clone();
    let store: Rc<dyn PageStore> = memory.store.clone();
    let root_filesystem = tmpfs::filesystem(ROOT_DEVICE, files_clock.clone(), store.clone());
    let vfs = Vfs::new(tmpfs::root(&root_filesystem, 0o755));
    let nameless_store = Rc::new(NamelessStore(memory.store.clone()));
    let nameless =
        Filesystem::new("pipefs", NAMELESS_MAGIC, NAMELESS_DEVICE, true, files_clock.clone(), nameless_store);
    archive::fill(&vfs, &archive).expect("the archive's files go into the root file system");

    let mut seed = [0; 32];
    entropy(&mut seed, true);
    let generator = Rc::new(Generator::new(seed, Box::new(move |bytes| entropy(bytes, false))));
    let parts = Parts {
        kernel,
        agenda: agenda.clone(),
        capabilities,
        memory,
        clock: clock.clone(),
        generator: generator.clone(),
        vfs,
        nameless,
        features: features(),
    };
    let server = Server::new(parts).expect("memory for the server");
    kernel_log::start(tsc_mhz.into());
    kernel_log::add(6, format_args!("Linux version {RELEASE} (chestnut) {VERSION}"));
    let whole = capabilities.memory();
    kernel_log::add(6, format_args!("Memory: {}K/{}K available", whole.available >> 10, whole.total >> 10));

    let line = TerminalLine::new(terminal, agenda.clone());
    let files_line: Rc<dyn Line> = line.clone();
    let console = Terminal::new(devfs::CONSOLE, files_line, Rc::new(Jobs(server)), files_clock.clone());
    console.set_window_size(FIRST_SIZE);
    let _ = server.console.set(console.clone());
    let devices = devfs::mount(&server.vfs, DEV_DEVICE, files_clock.clone(), store.clone(), generator, console.clone());
    let time = clock.clone();
    let told = move |watched| time.time_page().view().set_devices_watched(watched);
    devices.expect("/dev can be made").tell_of_watches(Box::new(told));
    kernel_log::mount(server, &Caller::root(server.vfs.root())).expect("/dev/kmsg can be made");
    pty::mount(&server.vfs, PTS_DEVICE, files_clock, store, Rc::new(Jobs(server))).expect("/dev/pts can be made");
    fixed::mount(server, b"/proc", procfs::root(server, PROC_DEVICE)).expect("/proc can be made");
    fixed::mount(server, b"/sys", sysfs::root(server, SYS_DEVICE)).expect("/sys can be made");
    server.new_process(INIT, 0, Caller::root(server.vfs.root())).expect("memory for init");

    server.executor.start(server.files.follow_clock(server.clock.clone()));

    let host = HostChannel::new(host, agenda);
    server.tracing.set(request.trace);
    let _ = server.tracer.set(Tracer::new(host.clone()));
    let devices = Devices { line: line.clone(), host: host.clone(), terminal: OnceCell::from(console), clock };
    let session = Session { server, host, line };
    server.executor.start(session::run(Rc::new(session), request.commands));
    server.executor.start(server.sample_load());
    // Both drivers may have sent something before anybody listened.
    devices.notified(u64::MAX);
    (server, devices)
}
