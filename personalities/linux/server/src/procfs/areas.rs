//! What a process has mapped: /proc/PID/maps, and with its pages smaps and smaps_rollup.

use crate::memory::area::Area;
use crate::memory::inspect::{PageUse, letters};
use crate::memory::{Behaviour, Protection, Shown};
use crate::process::Process;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use chestnut_linux_files::vfs::Location;
use core::fmt::Write;
use core::ops::Range;

/// The name begins in this column.
const NAME_COLUMN: usize = 73;

/// One line of maps.
fn line(root: &Rc<Location>, range: &Range<u64>, area: &Area<Shown>) -> Vec<u8> {
    let flag = |bit, sign| if area.protection.contains(bit) { sign } else { '-' };
    let is_shared = area.behaviour.contains(Behaviour::SHARED) && !area.behaviour.contains(Behaviour::FIXED);
    let shared = if is_shared { 's' } else { 'p' };
    let (offset, device, number, label) = match &area.shown {
        Shown::File { location, offset, .. } => {
            let metadata = location.inode().metadata();
            (*offset, metadata.device, metadata.number, location.path(root))
        }
        Shown::Pages { label, .. } => (0, 0, 0, label.as_bytes().to_vec()),
        Shown::Zeros if area.behaviour.contains(Behaviour::HEAP) => (0, 0, 0, b"[heap]".to_vec()),
        Shown::Zeros if area.behaviour.contains(Behaviour::GROWS_DOWN) => (0, 0, 0, b"[stack]".to_vec()),
        Shown::Zeros => (0, 0, 0, Vec::new()),
    };
    let mut text = format!(
        "{:x}-{:x} {}{}{}{shared} {offset:08x} {:02x}:{:02x} {number}",
        range.start,
        range.end,
        flag(Protection::READ, 'r'),
        flag(Protection::WRITE, 'w'),
        flag(Protection::EXECUTE, 'x'),
        device >> 8,
        device & 0xff,
    )
    .into_bytes();
    if !label.is_empty() {
        text.resize(text.len().max(NAME_COLUMN - 1) + 1, b' ');
        text.extend_from_slice(&label);
    }
    text.push(b'\n');
    text
}

pub fn maps(process: &Process) -> Vec<u8> {
    let mut text = Vec::new();
    let root = process.caller.borrow().root.clone();
    process.space().each_area(|range, area, _| text.extend_from_slice(&line(&root, &range, area)));
    text
}

/// The rows about pages that both files have.
fn rows(used: &PageUse) -> String {
    let rows = [
        ("Rss", used.present),
        ("Pss", used.proportional),
        ("Shared_Clean", used.shared_clean),
        ("Shared_Dirty", used.shared_dirty),
        ("Private_Clean", used.private_clean),
        ("Private_Dirty", used.private_dirty),
        // Whether a page is used isn't known.
        ("Referenced", used.present),
        ("Anonymous", used.anonymous),
        ("AnonHugePages", 0),
        ("Swap", 0),
        ("SwapPss", 0),
        ("Locked", used.locked),
    ];
    let mut text = String::new();
    for (name, bytes) in rows {
        let _ = writeln!(text, "{:<16}{:8} kB", format!("{name}:"), bytes / 1024);
    }
    text
}

/// smaps
pub fn with_pages(process: &Process) -> Vec<u8> {
    let mut text = Vec::new();
    let root = process.caller.borrow().root.clone();
    process.space().inspect(|range, area, used| {
        text.extend_from_slice(&line(&root, &range, area));
        let size = (range.end - range.start) / 1024;
        let sizes = format!("Size:           {size:8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n");
        text.extend_from_slice(sizes.as_bytes());
        text.extend_from_slice(rows(&used).as_bytes());
        text.extend_from_slice(b"THPeligible:           0\nVmFlags: ");
        for letters in letters(area) {
            text.extend_from_slice(letters.as_bytes());
            text.push(b' ');
        }
        text.push(b'\n');
    });
    text
}

/// smaps_rollup: all of it added up.
pub fn in_all(process: &Process) -> Vec<u8> {
    let (mut all, mut whole) = (PageUse::default(), None::<Range<u64>>);
    process.space().inspect(|range, _, used| {
        all = all.plus(used);
        whole = Some(whole.as_ref().map_or(range.start, |whole| whole.start)..range.end);
    });
    let Range { start, end } = whole.unwrap_or_default();
    let first = format!("{start:08x}-{end:08x} ---p 00000000 00:00 0");
    format!("{first:<73}[rollup]\n{}", rows(&all)).into_bytes()
}
