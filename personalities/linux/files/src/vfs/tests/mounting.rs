//! Bind mounts and unmounting by mount(2) and umount2(2).

use alloc::rc::Rc;

use crate::open::OpenFlags;
use crate::testing::{World, get, put};
use crate::vfs::{At, Location, UnmountFlags};
use crate::{Errno, Result, inotify, tmpfs};

fn place(world: &World, path: &str) -> Rc<Location> {
    world.find(path).unwrap()
}

fn bind(world: &World, source: &str, target: &str) -> Result<()> {
    world.vfs.bind(&world.caller, &place(world, source), &place(world, target), false).map(drop)
}

fn unmount(world: &World, path: &str) -> Result<()> {
    world.vfs.unmount(&world.caller, &place(world, path), UnmountFlags::empty())
}

/// Directories /a (with a file f) and /b.
fn world() -> World {
    let world = World::new();
    world.mkdir("/a");
    world.mkdir("/b");
    world.write("/a/f", "text");
    world
}

#[test]
fn a_directory_in_two_places() {
    let world = world();
    world.write("/b/hidden", "");
    bind(&world, "/a", "/b").unwrap();
    assert_eq!(world.list("/b"), [".", "..", "f"]);
    assert_eq!(world.read("/b/f").unwrap(), b"text");
    // Whatever happens on one side is seen on the other, also under names that are in use there.
    let held = place(&world, "/b/f");
    world.rename("/a/f", "/a/g").unwrap();
    world.write("/a/f", "other");
    assert_eq!((world.read("/b/f").unwrap(), world.read("/b/g").unwrap()), (b"other".to_vec(), b"text".to_vec()));
    world.unlink("/b/f").unwrap();
    assert_eq!(world.find("/a/f").err(), Some(Errno::ENOENT));
    assert_eq!(place(&world, "/b/g").path(&world.vfs.root()), b"/b/g");
    assert!(Rc::ptr_eq(&place(&world, "/b/.."), &world.vfs.root()));
    assert_eq!(world.vfs.mounts(&world.vfs.root()).last().unwrap().path, b"/b");
    assert_eq!(unmount(&world, "/b"), Err(Errno::EBUSY));
    drop(held);
    unmount(&world, "/b").unwrap();
    assert_eq!(world.list("/b"), [".", "..", "hidden"]);
}

#[test]
fn names_do_not_cross_mounts() {
    let world = world();
    bind(&world, "/a", "/b").unwrap();
    assert_eq!(world.rename("/a/f", "/b/g"), Err(Errno::EXDEV));
    assert_eq!(world.vfs.link(&world.caller, &place(&world, "/a/f"), At::WorkingDirectory, b"/b/g"), Err(Errno::EXDEV));
    assert_eq!((world.rmdir("/b"), world.rename("/b", "/c")), (Err(Errno::EBUSY), Err(Errno::EBUSY)));
}

#[test]
fn a_file_over_a_file() {
    let world = world();
    world.write("/b/f", "covered");
    bind(&world, "/a/f", "/b/f").unwrap();
    assert_eq!(world.read("/b/f").unwrap(), b"text");
    assert_eq!(world.unlink("/b/f"), Err(Errno::EBUSY));
    assert_eq!((bind(&world, "/a", "/b/f"), bind(&world, "/a/f", "/a")), (Err(Errno::ENOTDIR), Err(Errno::ENOTDIR)));
    unmount(&world, "/b/f").unwrap();
    assert_eq!(world.read("/b/f").unwrap(), b"covered");
}

#[test]
fn what_is_removed_through_another_place_takes_no_names() {
    let world = world();
    world.mkdir("/a/d");
    bind(&world, "/a", "/b").unwrap();
    let inside = place(&world, "/b/d");
    world.rmdir("/a/d").unwrap();
    let made = world.vfs.open(&world.caller, At::Location(inside), b"x", OpenFlags::CREATE, 0o644);
    assert_eq!(made.err(), Some(Errno::ENOENT));
}

#[test]
fn binding_with_what_is_mounted_below() {
    let world = world();
    world.mkdir("/a/m");
    let inner = tmpfs::filesystem(9, world.clock.clone(), world.store.clone());
    world.vfs.mount(&place(&world, "/a/m"), tmpfs::root(&inner, 0o755)).unwrap();
    world.write("/a/m/deep", "");
    bind(&world, "/a", "/b").unwrap();
    assert_eq!(world.list("/b/m"), [".", ".."]);
    unmount(&world, "/b").unwrap();
    world.vfs.bind(&world.caller, &place(&world, "/a"), &place(&world, "/b"), true).unwrap();
    assert_eq!(world.list("/b/m"), [".", "..", "deep"]);
    assert_eq!(unmount(&world, "/b"), Err(Errno::EBUSY));
    unmount(&world, "/b/m").unwrap();
    unmount(&world, "/b").unwrap();
    assert_eq!(world.list("/a/m"), [".", "..", "deep"]);
}

#[test]
fn what_is_in_use_stays_unless_detached() {
    let world = world();
    let inner = tmpfs::filesystem(9, world.clock.clone(), world.store.clone());
    world.vfs.mount(&place(&world, "/b"), tmpfs::root(&inner, 0o755)).unwrap();
    let flags = OpenFlags::CREATE | OpenFlags::READ_WRITE;
    let file = world.open("/b/f", flags).unwrap();
    assert_eq!(unmount(&world, "/b"), Err(Errno::EBUSY));
    let mounts = || world.vfs.mounts(&world.vfs.root()).len();
    assert_eq!(mounts(), 2);
    let detach = UnmountFlags::from_argument(2).unwrap();
    world.vfs.unmount(&world.caller, &place(&world, "/b"), detach).unwrap();
    assert_eq!((mounts(), world.list("/b").len()), (1, 2));
    assert_eq!(put(&file, b"still"), Ok(5));
    file.seek(crate::open::Whence::Start, 0).unwrap();
    assert_eq!(get(&file, 9).unwrap(), b"still");
    assert_eq!(file.location().path(&world.vfs.root()), b"(unreachable)/f");
    drop(file);
    assert_eq!(world.store.used(), 1);
}

#[test]
fn who_may_not_and_what_cannot() {
    let world = world();
    let user = world.user(5, 5);
    bind(&world, "/a", "/b").unwrap();
    assert_eq!(world.vfs.unmount(&user, &place(&world, "/b"), UnmountFlags::empty()), Err(Errno::EPERM));
    assert_eq!(world.vfs.bind(&user, &place(&world, "/a"), &place(&world, "/b"), false).map(drop), Err(Errno::EPERM));
    assert_eq!((unmount(&world, "/a"), unmount(&world, "/")), (Err(Errno::EINVAL), Err(Errno::EBUSY)));
    assert_eq!(UnmountFlags::from_argument(4), Err(Errno::EINVAL));
}

#[test]
fn watches_hear_of_the_end() {
    let world = world();
    let inner = tmpfs::filesystem(9, world.clock.clone(), world.store.clone());
    world.vfs.mount(&place(&world, "/b"), tmpfs::root(&inner, 0o755)).unwrap();
    let file = inotify::create(&world.filesystem, 0).unwrap();
    assert_eq!(file.inotify().unwrap().add(&world.caller, &place(&world, "/b"), 0xfff), Ok(1));
    unmount(&world, "/b").unwrap();
    let bytes = get(&file, 999).unwrap();
    let mask = |at: usize| u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap());
    assert_eq!((bytes.len(), mask(0), mask(16)), (32, 0x2000, 0x8000));
}

#[test]
fn a_mount_moves() {
    let world = world();
    world.mkdir("/c");
    bind(&world, "/a", "/b").unwrap();
    let move_to = |from: &str, to: &str| world.vfs.move_mount(&world.caller, &place(&world, from), &place(&world, to));
    assert_eq!(move_to("/a", "/c"), Err(Errno::EINVAL));
    assert_eq!(move_to("/", "/c"), Err(Errno::EINVAL));
    assert_eq!(move_to("/b", "/a/f"), Err(Errno::ENOTDIR));
    assert_eq!(move_to("/b", "/b"), Err(Errno::ELOOP));
    move_to("/b", "/c").unwrap();
    assert_eq!(world.list("/b"), [".", ".."]);
    assert_eq!(world.read("/c/f").unwrap(), b"text");
    assert!(Rc::ptr_eq(&place(&world, "/c/.."), &world.vfs.root()));
    unmount(&world, "/c").unwrap();
    assert_eq!(world.list("/c"), [".", ".."]);
}

#[test]
fn another_root() {
    let world = world();
    world.mkdir("/a/old");
    bind(&world, "/a", "/b").unwrap();
    let pivot = |new: &str, old: &str| world.vfs.pivot(&world.caller, &place(&world, new), &place(&world, old));
    assert_eq!(pivot("/a", "/a/old").err(), Some(Errno::EINVAL));
    assert_eq!(pivot("/b", "/a").err(), Some(Errno::EINVAL));
    assert_eq!(pivot("/", "/a").err(), Some(Errno::EBUSY));
    let old = pivot("/b", "/b/old").unwrap();
    let new = world.vfs.root();
    assert!(!Rc::ptr_eq(&old, &new));
    let inside = crate::caller::Caller { root: new.clone(), working_directory: new.clone(), ..world.caller.clone() };
    let find = |path: &[u8]| world.vfs.lookup(&inside, At::WorkingDirectory, path, crate::vfs::Follow::Yes);
    assert_eq!(find(b"/f").unwrap().path(&new), b"/f");
    assert_eq!(find(b"/old/a/f").unwrap().path(&new), b"/old/a/f");
    assert!(Rc::ptr_eq(&find(b"/old/..").unwrap(), &new));
    assert!(Rc::ptr_eq(&find(b"/..").unwrap(), &new));
}
