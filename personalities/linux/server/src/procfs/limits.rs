//! /proc/sys/fs: what there may be of things that take the server's memory (proc(5)). They can't be changed.

use crate::ipc::named;
use crate::memory::PAGE;
use crate::process::limits::MOST_FILES;
use crate::server::Server;
use alloc::format;
use alloc::vec::Vec;
use chestnut_linux_files::open::OpenFile;
use chestnut_linux_files::{epoll, inotify, pipe};
use core::fmt::Display;

fn line(value: impl Display) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

/// Open files of all processes.
pub fn files(_: &'static Server) -> Vec<u8> {
    line(OpenFile::most())
}
/// How many there are, how many of those are free (none are kept), and the limit.
pub fn open_files(_: &'static Server) -> Vec<u8> {
    format!("{}\t0\t{}\n", OpenFile::count(), OpenFile::most()).into_bytes()
}
/// Descriptors of one process.
pub fn descriptors(_: &'static Server) -> Vec<u8> {
    line(MOST_FILES)
}
pub fn pipe_size(_: &'static Server) -> Vec<u8> {
    line(pipe::MAX_CAPACITY)
}
pub fn soft_pipe_pages(_: &'static Server) -> Vec<u8> {
    line(pipe::soft_limit() as u64 / PAGE)
}
/// None but memory itself.
pub fn hard_pipe_pages(_: &'static Server) -> Vec<u8> {
    line(0)
}
pub fn epoll_watches(_: &'static Server) -> Vec<u8> {
    line(epoll::MEMBERS_MAX)
}
pub fn inotify_watches(_: &'static Server) -> Vec<u8> {
    line(inotify::WATCHES_MAX)
}
pub fn inotify_events(_: &'static Server) -> Vec<u8> {
    line(inotify::EVENTS_MAX)
}
pub fn inotify_instances(_: &'static Server) -> Vec<u8> {
    line(inotify::INSTANCES_MAX)
}
/// POSIX message queues, and how long they and their messages may be.
pub fn named_queues(_: &'static Server) -> Vec<u8> {
    line(named::MOST)
}
pub fn named_queue_messages(_: &'static Server) -> Vec<u8> {
    line(named::MOST_MESSAGES)
}
pub fn named_queue_bytes(_: &'static Server) -> Vec<u8> {
    line(named::MOST_IN_MESSAGE)
}
