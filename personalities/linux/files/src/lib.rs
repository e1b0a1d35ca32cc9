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
//! let filesystem = tmpfs::filesystem(device, clock, store);
//! let vfs = Vfs::new(tmpfs::root(&filesystem, 0o755));       // one tree of mounts, a tmpfs at /
//! let caller = Caller::root(vfs.root());
//! tmpfs::populate(&vfs, &caller, entries)?;                  // from the boot archive
//! vfs.mount(&vfs.lookup(&caller, At::CWD, b"/dev", ..)?, devfs_root)?;   // likewise the server's own procfs at /proc
//! let file = vfs.open(&caller, at, path, flags, mode)?;      // Rc<OpenFile>; `caller` = who asks (ids, umask, cwd, root)
//! file.opened().await?;                                     // only FIFOs wait here
//! let fd = descriptors.insert(file, close_on_exec)?;
//! let n = descriptors.get(fd)?.read(&mut user_buffer).await?;  // a future; drop it when a signal arrives
//! ```
//!
//! * **Blocking.** Every operation that can block exists twice: `try_…` answers now (`EAGAIN` when it would block), and an
//!   `async` form waits on the file's [`wait::WaitQueue`] and tries again. Futures hold no borrow across an await and may be
//!   dropped at any time. A blocking write to a pipe or terminal may have written a part by then: as many bytes as its
//!   source no longer holds.
//! * **User memory** is behind [`buffer::Sink`] and [`buffer::Source`]; page-backed files hand pages over whole, so that the
//!   server copies once, from its window on the page to its window on the user's page.
//! * **Mapping.** [`inode::Inode::contents`] gives a regular file's [`page::Contents`]; `page(index, for_write)` is what a page
//!   fault asks for, and a [`page::Observer`] hears of truncation.
//! * **Job control** is asked for, not done: before `read`, `write` or a changing `ioctl` of a file whose
//!   [`open::File::terminal`] is `Some`, call [`terminal::Terminal::check_access`] and act on its verdict.
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
//! | [`vfs`] | mounts, names, path lookup, and the calls that take paths |
//! | [`tmpfs`] | the file system in memory, and filling it from the boot archive |
//! | [`devfs`] | /dev |
//! | [`open`] | open file descriptions, flags, descriptor tables, directory reading, eventfd |
//! | [`pipe`] | pipes and FIFOs |
//! | [`terminal`] | terminals: line discipline, termios, job control |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod buffer;
pub mod caller;
pub mod clock;
pub mod devfs;
pub mod error;
pub mod inode;
pub mod open;
pub mod page;
pub mod pipe;
mod ring;
pub mod terminal;
pub mod tmpfs;
pub mod vfs;
pub mod wait;

pub use error::{Errno, Result};
