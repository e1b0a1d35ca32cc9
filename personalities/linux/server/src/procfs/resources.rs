//! /proc/chestnut/resources: what the server holds, a line each.
//!
//! `NAME USED MADE` counts kernel objects and frames: those that a program or a file has, and those ever made, of which the other ones wait
//! for their next use. `NAME NUMBER` counts what has no such store. After the same work twice, every number is what it was: what isn't, leaks.
//! The spaces of ended programs that are kept for their next runs are given up before it is counted.

use crate::server::Server;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

pub fn text(server: &'static Server) -> Vec<u8> {
    server.memory.kept.forget();
    let holdings = server.capabilities.holdings();
    let mut text = String::new();
    let counted = [
        ("frames", holdings.frames),
        ("spaces", holdings.spaces),
        ("structures", holdings.structures),
        ("threads", holdings.threads),
        ("replies", holdings.replies),
        ("slots", holdings.slots),
    ];
    for (name, count) in counted {
        let _ = writeln!(text, "{name} {} {}", count.used, count.made);
    }
    let numbers = [
        ("mappings", holdings.mappings),
        ("untyped_bytes", holdings.untyped_bytes),
        ("heap_bytes", holdings.heap_used),
        ("heap_pieces", holdings.heap_pieces),
        ("heap_claimed", holdings.heap_claimed),
        ("processes", server.table.processes().len()),
        ("pending_calls", server.executor.len()),
        ("file_pages", server.memory.store.used() as usize),
    ];
    for (name, number) in numbers {
        let _ = writeln!(text, "{name} {number}");
    }
    text.into_bytes()
}

/// /proc/chestnut/longest: the longest stretch that the server has worked without looking whether anybody else wants something, in ticks of the
/// time-stamp counter, since this was read last; and for which call.
pub fn longest(server: &'static Server) -> Vec<u8> {
    let (ticks, call) = server.turns.take_longest();
    let name = call.map_or("none", |number| crate::syscall::table::name(number).unwrap_or("other"));
    alloc::format!("{ticks} {name}\n").into_bytes()
}
