//! Filling a tmpfs from the boot archive, and its limits.

use super::{ArchiveEntry, ArchiveKind, populate};
use crate::Errno;
use crate::clock::Timestamp;
use crate::open::OpenFlags;
use crate::testing::{World, put};
use crate::vfs::{At, NodeKind};

fn entry<'a>(path: &'a str, kind: ArchiveKind<'a>) -> ArchiveEntry<'a> {
    let modified = Timestamp { seconds: 77, nanoseconds: 0 };
    ArchiveEntry { path: path.as_bytes(), kind, permissions: 0o751, user: 3, group: 4, modified }
}

fn add(world: &World, path: &str, kind: ArchiveKind<'_>) -> crate::Result<()> {
    populate(&world.vfs, &world.caller, &entry(path, kind))
}

#[test]
fn an_archive_becomes_a_tree() {
    let world = World::new();
    add(&world, "./", ArchiveKind::Directory).unwrap();
    add(&world, "./bin/busybox", ArchiveKind::Regular(b"ELF")).unwrap();
    add(&world, "bin/sh", ArchiveKind::Symlink(b"busybox")).unwrap();
    add(&world, "/bin/ls", ArchiveKind::HardLink(b"./bin/busybox")).unwrap();
    add(&world, "run/pipe", ArchiveKind::Node(NodeKind::Fifo)).unwrap();
    add(&world, "tmp/", ArchiveKind::Directory).unwrap();
    assert_eq!(world.list("/"), [".", "..", "bin", "run", "tmp"]);
    assert_eq!(world.read("/bin/sh").unwrap(), b"ELF");
    let file = world.find("/bin/ls").unwrap().inode().metadata();
    assert_eq!((file.permissions, file.user, file.group, file.links, file.modified.seconds), (0o751, 3, 4, 2, 77));
    // Made because something was in it, not because the archive says so.
    assert_eq!(world.find("/run").unwrap().inode().permissions(), 0o755);
    assert_eq!(world.find("/tmp").unwrap().inode().permissions(), 0o751);
    assert_eq!(world.store.used(), 0);
}

#[test]
fn later_entries_win() {
    let world = World::new();
    add(&world, "d/f", ArchiveKind::Regular(b"old")).unwrap();
    add(&world, "d", ArchiveKind::Directory).unwrap();
    add(&world, "d/f", ArchiveKind::Regular(b"new")).unwrap();
    assert_eq!(world.read("/d/f").unwrap(), b"new");
    assert_eq!(world.list("/d"), [".", "..", "f"]);
    assert_eq!(add(&world, "d/f/x", ArchiveKind::Directory), Err(Errno::ENOTDIR));
    assert_eq!(add(&world, "d", ArchiveKind::Regular(b"")), Err(Errno::EISDIR));
}

#[test]
fn archived_files_can_be_written() {
    let world = World::new();
    add(&world, "f", ArchiveKind::Regular(b"hello")).unwrap();
    put(&world.open("/f", OpenFlags::WRITE_ONLY | OpenFlags::APPEND).unwrap(), b"!").unwrap();
    assert_eq!(world.read("/f").unwrap(), b"hello!");
}

#[test]
fn names_and_inodes_are_limited() {
    let world = World::with_pages(20);
    let make = |name: &str| world.open(name, OpenFlags::CREATE | OpenFlags::WRITE_ONLY).err();
    let failure = (0..30).find_map(|at| make(&std::format!("/f{at}")));
    assert_eq!(failure, Some(Errno::ENOSPC));
    let link = |at: i32| {
        let name = std::format!("/l{at}");
        world.vfs.link(&world.caller, &world.find("/f0").unwrap(), At::WorkingDirectory, name.as_bytes()).err()
    };
    assert_eq!((0..30).find_map(link), Some(Errno::ENOSPC));
    world.unlink("/f1").unwrap();
    assert_eq!(make("/again"), None);
}

#[test]
fn statistics_count_pages_and_inodes() {
    let world = World::with_pages(100);
    put(&world.open("/f", OpenFlags::CREATE | OpenFlags::WRITE_ONLY).unwrap(), &[1; 5000]).unwrap();
    let statistics = world.vfs.statistics(&world.vfs.root());
    assert_eq!((statistics.magic, statistics.block_size, statistics.name_length), (0x0102_1994, 4096, 255));
    assert_eq!((statistics.blocks, statistics.blocks_free), (100, 98));
    assert_eq!((statistics.inodes, statistics.inodes_free), (100, 98));
}
