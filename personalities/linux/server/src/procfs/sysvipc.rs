//! /proc/sysvipc, and System V's limits in /proc/sys/kernel.

use crate::ipc::messages::{self, MOST_IN_MESSAGE, MOST_IN_QUEUE};
use crate::ipc::semaphores::{self, MOST_IN_ALL, MOST_IN_SET, MOST_OPERATIONS};
use crate::ipc::{Object, shared};
use crate::memory::PAGE;
use crate::server::Server;
use crate::syscall::shared_memory::most_pages;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

pub fn segments(server: &'static Server) -> Vec<u8> {
    let mut text = String::from(
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      \
         ctime                   rss                  swap\n",
    );
    server.ipc.shared.borrow_mut().sweep();
    for (id, segment) in server.ipc.shared.borrow().table.iter() {
        let (of, at) = (segment.permissions(), segment.moments());
        let present = segment.file().map_or(0, |file| file.inode().metadata().blocks * 512);
        let _ = writeln!(
            text,
            "{:10} {id:10}  {:4o} {:21} {:5} {:5}  {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10} {present:21} {:21}",
            of.key as i32,
            of.mode,
            segment.size(),
            at.creator,
            at.last,
            segment.attachments(),
            of.user,
            of.group,
            of.creator,
            of.creator_group,
            at.attached,
            at.detached,
            at.changed,
            0,
        );
    }
    text.into_bytes()
}

pub fn sets(server: &'static Server) -> Vec<u8> {
    let mut text =
        String::from("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
    for (id, set) in server.ipc.semaphores.borrow().table.iter() {
        let of = set.permissions();
        let _ = writeln!(
            text,
            "{:10} {id:10}  {:4o} {:10} {:5} {:5} {:5} {:5} {:10} {:10}",
            of.key as i32,
            of.mode,
            set.count(),
            of.user,
            of.group,
            of.creator,
            of.creator_group,
            set.operated.get(),
            set.changed.get(),
        );
    }
    text.into_bytes()
}

pub fn queues(server: &'static Server) -> Vec<u8> {
    let mut text = String::from(
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n",
    );
    for (id, queue) in server.ipc.queues.borrow().table.iter() {
        let (of, (sent, sender), (received, receiver)) = (queue.permissions(), queue.sent.get(), queue.received.get());
        let _ = writeln!(
            text,
            "{:10} {id:10}  {:4o}  {:10} {:10} {sender:5} {receiver:5} {:5} {:5} {:5} {:5} {sent:10} {received:10} {:10}",
            of.key as i32,
            of.mode,
            queue.bytes(),
            queue.count(),
            of.user,
            of.group,
            of.creator,
            of.creator_group,
            queue.changed.get(),
        );
    }
    text.into_bytes()
}

pub fn most_pages_of_segments(server: &'static Server) -> Vec<u8> {
    format!("{}\n", most_pages(server)).into_bytes()
}
pub fn longest_segment(_: &'static Server) -> Vec<u8> {
    format!("{}\n", i64::MAX as u64 & !(PAGE - 1)).into_bytes()
}
pub fn most_segments(_: &'static Server) -> Vec<u8> {
    format!("{}\n", shared::MOST).into_bytes()
}
pub fn semaphores(_: &'static Server) -> Vec<u8> {
    format!("{MOST_IN_SET}\t{MOST_IN_ALL}\t{MOST_OPERATIONS}\t{}\n", semaphores::MOST).into_bytes()
}
pub fn most_queues(_: &'static Server) -> Vec<u8> {
    format!("{}\n", messages::MOST).into_bytes()
}
pub fn longest_message(_: &'static Server) -> Vec<u8> {
    format!("{MOST_IN_MESSAGE}\n").into_bytes()
}
pub fn longest_queue(_: &'static Server) -> Vec<u8> {
    format!("{MOST_IN_QUEUE}\n").into_bytes()
}
