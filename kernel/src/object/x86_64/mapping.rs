//! Taking mappings away: of frames, of tables, of whole address spaces. What is no longer there was taken away before; that is no
//! error.
#![forbid(unsafe_code)]

use super::vspace::{Entry, LEVELS, index};
use super::walk::{Walk, walk};
use crate::arch;
use crate::cap::{Cap, FrameSize};
use crate::object::Kernel;

/// Unmaps the frame where its capability says that it is mapped, if it still is.
pub fn unmap_frame(k: Kernel, cap: Cap) {
    match cap.frame_size() {
        FrameSize::Small => unmap_frame_of(k, cap, FrameSize::Small),
        size => unmap_large_frame(k, cap, size),
    }
}

#[inline(never)]
fn unmap_large_frame(k: Kernel, cap: Cap, size: FrameSize) {
    unmap_frame_of(k, cap, size);
}

/// Unmaps a frame of this size: where the compiler knows it, the walk through the tables is short.
#[inline(always)]
fn unmap_frame_of(k: Kernel, cap: Cap, size: FrameSize) {
    let Some(root) = k.vspace(cap.asid()) else { return };
    let (address, level) = (cap.mapped_at(), size.level());
    let Walk { table, level: reached } = walk(k, root, address, level);
    if reached != level {
        return;
    }
    let entry = table.entry(index(address, level));
    if entry.is_present() && entry.is_leaf(level) && entry.address(level) == cap.address() {
        table.set(index(address, level), Entry::EMPTY);
        if arch::active_vspace() == root.physical(k) {
            arch::invalidate_page(address);
        }
    }
}

/// Takes a table out of the one above it, or ends an address space if it is a root.
pub fn unmap_table(k: Kernel, cap: Cap) {
    let Some(root) = k.vspace(cap.asid()) else { return };
    let level = cap.table_level();
    if level == LEVELS {
        if root.physical(k) == cap.address() {
            if let Some(pool) = k.asids.pool(cap.asid()).get(k) {
                pool.entry(cap.asid()).clear();
                root.set_loadable(0);
            }
            leave(k, cap.address());
        }
        return;
    }
    let Walk { table, level: reached } = walk(k, root, cap.mapped_at(), level + 1);
    let place = index(cap.mapped_at(), level + 1);
    let entry = table.entry(place);
    if reached == level + 1 && entry.is_present() && !entry.is_leaf(reached) && entry.address(reached) == cap.address()
    {
        table.set(place, Entry::EMPTY);
        if arch::active_vspace() == root.physical(k) {
            arch::invalidate_all();
        }
    }
}

/// A pool goes away, and with it all its address spaces.
pub fn end_asid_pool(k: Kernel, cap: Cap) {
    let Some(pool) = cap.as_asid_pool(k) else { return };
    let base = cap.asid_base();
    for root in pool.get().entries().filter_map(|entry| entry.take(k)) {
        root.set_loadable(0);
        leave(k, root.physical(k));
    }
    if k.asids.pool(base).is(pool) {
        k.asids.pool(base).clear();
    }
}

/// The processor must not go on with an address space that has ended.
fn leave(k: Kernel, root: u64) {
    let _ = k;
    if arch::active_vspace() == root {
        arch::activate_vspace(0);
    }
}
