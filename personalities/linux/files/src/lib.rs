//! Files of the Linux personality: path lookup, tmpfs, pipes, terminals, devices, descriptors. Pure logic, tested on the host.
//!
//! The Linux server turns system calls into calls of this crate; nothing in here knows a capability, a process or a
//! message. What it guarantees is the behaviour that the manual pages (section 2, and `tty`, `pipe`, `fifo`,
//! `path_resolution`, `inode`, `termios`) promise to a program, errors included. What it relies on is handed in as four
//! small traits: a [`page::PageStore`] (memory that can be mapped), a [`clock::Clock`] (time and wake-ups), a
//! [`terminal::JobControl`] (sessions and signals), and a terminal's [`terminal::Line`] (where its output goes).
//!
//! # How a server uses it
//!
//! ```text
//! let filesystem = tmpfs::filesystem(device, clock, store);   // clock: Rc<dyn Clock>, store: Rc<dyn PageStore>
//! let vfs = Vfs::new(tmpfs::root(&filesystem, 0o755));        // one tree of mounts, a tmpfs at /
//! let caller = Caller::root(vfs.root());                      // user 0; one Caller per process from then on
//! tmpfs::populate(&vfs, &caller, &entry)?;                    // for each entry of the boot archive
//! let console = Terminal::new(devfs::CONSOLE, line, jobs, clock);
//! devfs::mount(&vfs, device, clock, store, generator, console)?;
//! vfs.mount(&vfs.lookup(&caller, At::WorkingDirectory, b"/proc", Follow::Yes)?, proc_root)?;
//!
//! let at = At::for_path(&descriptors, dirfd, path)?;          // openat(dirfd, path, flags, mode)
//! let file = vfs.open(&caller, at, path, OpenFlags::from_argument(flags), mode)?;
//! file.opened().await?;                                       // only FIFOs wait here
//! if let Some(terminal) = file.terminal() { terminal.opened_by(&caller) }   // unless O_NOCTTY
//! let number = descriptors.insert(file, flags & O_CLOEXEC != 0)?;
//!
//! let file = descriptors.get(number)?.clone();                // read(number, buffer, length)
//! let count = file.read(&mut sink).await?;                    // sink: &mut dyn Sink over the process's memory
//! ```
//!
//! Calls on names take a path ([`vfs::Vfs::unlink`]); calls on attributes take a [`vfs::Location`], which `lookup`,
//! `lookup_or_self` (AT_EMPTY_PATH) or [`open::OpenFile::location`] gives, so one function serves `chmod`, `fchmodat` and
//! `fchmod`. `stat` is `location.inode().metadata()`.
//!
//! * **Blocking.** Every operation that can block exists twice: `try_…` answers now (`EAGAIN` when it would block), and an
//!   `async` form waits on the file's [`wait::WaitQueue`] and tries again, or answers `EAGAIN` if O_NONBLOCK is set. Futures
//!   hold no `RefCell` borrow across an await and may be dropped at any time (a signal). A blocking write to a pipe or
//!   terminal may have written a part by then: as many bytes as its source no longer holds. Reads lose nothing.
//! * **Wakers** are called with nothing of this crate borrowed; a wake-up too many is harmless.
//! * **User memory** is behind [`buffer::Sink`] and [`buffer::Source`]; page-backed files hand pages over whole
//!   (`put_page`, `take_page`), so a server that overrides these copies once, from its window on the file's page to its window
//!   on the user's. How much one call moves is bounded by the sink: a server that must not spend long on one
//!   call gives a smaller one and asks again.
//! * **Mapping.** [`inode::Inode::contents`] gives a regular file's [`page::Contents`]; `page(index, for_write)` is what a page
//!   fault asks for (`None` is a hole that reads as zeros), and a [`page::Observer`] hears of truncation, of holes punched and
//!   of holes filled. Keep the `Rc<Inode>` as long as the mapping.
//! * **Signals** are the server's: SIGPIPE after `EPIPE`, SIGXFSZ, and job control: before a read, write or changing ioctl of a
//!   file whose [`open::OpenFile::terminal`] is `Some`, call [`terminal::Terminal::check_access`] and act on its verdict. The
//!   terminal's own (SIGINT, SIGWINCH, SIGHUP …) come through [`terminal::JobControl`].
//! * **A file system of the server's own** (/proc) is a [`inode::Filesystem`] with `stable_names: false` and inodes made by
//!   [`inode::Inode::numbered`] with the bodies [`inode::Body::Directory`], [`inode::Body::Link`] (magic links:
//!   [`inode::Target::Location`]) and [`inode::Body::Generated`], which opens an [`open::GeneratedFile`]. A file of its own
//!   (epoll, signalfd, sockets) implements [`open::File`] and is opened by [`open::OpenFile::anonymous`].
//!
//! * **What the server must tell.** After any descriptor of a process is closed (close, dup2, exec, exit):
//!   [`open::OpenFile::closed_by`], for record locks. Before a shared mapping that may be written:
//!   [`inode::Inode::map_for_writing`], kept as long as the mapping, for seals. When the wall clock is set:
//!   [`timer::TimerFile::clock_was_set`]. When a session leader ends: [`terminal::Terminal::session_ended`].
//! * **RLIMIT_FSIZE** goes into an [`open::Attempt`] for [`open::OpenFile::write_with`] and `write_at_with`; for ftruncate and
//!   fallocate the server compares sizes itself. Set-id bits go with a write unless who opened the file was privileged.
//! * **Time as readiness.** Whoever waits by a [`wait::WaitQueue`] is woken at its next alarm too (timerfd, also in epoll), by
//!   [`clock::Clock::wake_at`]; a server that waits in another way must ask [`wait::WaitQueue::next_alarm`].
//!
//! # Table of contents
//! | module | holds |
//! |---|---|
//! | [`error`] | `Errno`, `Result` |
//! | [`buffer`] | user memory as sinks and sources of bytes |
//! | [`clock`] | time, and who is woken when |
//! | [`page`] | pages, the contents of regular files |
//! | [`wait`] | wait queues, readiness events, waiting on many files |
//! | [`caller`] | who asks: credentials, umask, working and root directory |
//! | [`inode`] | inodes, their attributes and permission checks |
//! | [`attribute`] | extended attributes |
//! | [`vfs`] | mounts, names, path lookup, and the calls that take paths |
//! | [`tmpfs`] | the file system in memory, and filling it from the boot archive |
//! | [`devfs`] | /dev |
//! | [`open`] | open file descriptions, flags, descriptor tables, directory reading, eventfd |
//! | [`lock`] | file locks: flock, record locks of processes and of descriptions |
//! | [`pipe`] | pipes and FIFOs |
//! | [`transfer`] | between open files: sendfile, splice, tee, copy_file_range |
//! | [`memfd`] | files without a name, and seals |
//! | [`timer`] | timerfd |
//! | [`inotify`] | hearing of what happens to files |
//! | [`epoll`] | epoll instances |
//! | [`socket`] | sockets of the unix domain: streams, datagrams, sequences of packets, descriptor passing |
//! | [`terminal`] | terminals: line discipline, termios, job control |
//! | [`pty`] | pseudo-terminals: /dev/ptmx and /dev/pts |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod attribute;
pub mod buffer;
pub mod caller;
pub mod clock;
pub mod devfs;
pub mod epoll;
pub mod error;
pub mod inode;
pub mod inotify;
pub mod lock;
pub mod memfd;
pub mod open;
pub mod page;
pub mod pipe;
pub mod pty;
mod ring;
pub mod socket;
pub mod terminal;
#[cfg(test)]
mod testing;
pub mod timer;
pub mod tmpfs;
pub mod transfer;
pub mod vfs;
pub mod wait;

pub use error::{Errno, Result};
