use std::format;
use std::string::String;

use crate::caller::Caller;
use crate::inode::Kind;
use crate::open::OpenFlags;
use crate::testing::World;
use crate::vfs::{At, Follow};
use crate::{Errno, tmpfs};

fn tree() -> World {
    let world = World::new();
    world.mkdir("/a");
    world.mkdir("/a/b");
    world.write("/a/b/f", "text");
    world
}

fn number(world: &World, path: &str) -> u64 {
    world.find(path).unwrap().inode().number
}

#[test]
fn dots_and_slashes_lead_nowhere_else() {
    let world = tree();
    for path in ["/a/b/f", "//a///b/./f", "/a/b/../b/f", "/../../a/b/f", "a/b/f"] {
        assert_eq!(number(&world, path), number(&world, "/a/b/f"), "{path}");
    }
    assert_eq!(number(&world, "/"), number(&world, "/a/.."));
    assert_eq!(number(&world, "///"), number(&world, "/.."));
}

#[test]
fn the_usual_errors() {
    let world = tree();
    for (path, error) in [
        ("", Errno::ENOENT),
        ("/a/x", Errno::ENOENT),
        ("/a/x/y", Errno::ENOENT),
        ("/a/b/f/x", Errno::ENOTDIR),
        ("/a/b/f/", Errno::ENOTDIR),
        ("/a/b/f/.", Errno::ENOTDIR),
        ("/a/b/f/..", Errno::ENOTDIR),
    ] {
        assert_eq!(world.find(path).err(), Some(error), "{path}");
    }
}

#[test]
fn names_of_255_bytes_and_paths_of_4095() {
    let world = tree();
    let name = "n".repeat(255);
    world.mkdir(&format!("/{name}"));
    assert_eq!(world.find(&format!("/{name}n")).err(), Some(Errno::ENAMETOOLONG));
    let path = "/.".repeat(2047) + "/";
    assert!(world.find(&path).is_ok());
    assert_eq!(world.find(&(path + "a")).err(), Some(Errno::ENAMETOOLONG));
}

#[test]
fn symbolic_links_are_followed_on_the_way_and_at_the_end_if_asked() {
    let world = tree();
    world.symlink("b", "/a/l");
    world.symlink("/a/l/f", "/absolute");
    assert_eq!(number(&world, "/a/l/f"), number(&world, "/a/b/f"));
    assert_eq!(number(&world, "/absolute"), number(&world, "/a/b/f"));
    assert_eq!(world.find_link("/a/l").unwrap().inode().kind(), Kind::Symlink);
    // A slash behind a link asks for what it leads to.
    assert_eq!(world.find_link("/a/l/").unwrap().inode().kind(), Kind::Directory);
    assert_eq!(world.find_link("/absolute/").err(), Some(Errno::ENOTDIR));
    assert_eq!(world.find("/a/l/../..").unwrap().inode().number, number(&world, "/"));
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let world = tree();
    world.symlink("/a/b/f", "/l0");
    for at in 1..=40 {
        world.symlink(&format!("l{}", at - 1), &format!("/l{at}"));
    }
    assert!(world.find("/l39").is_ok());
    assert_eq!(world.find("/l40").err(), Some(Errno::ELOOP));
    world.symlink("loop", "/loop");
    assert_eq!(world.find("/loop").err(), Some(Errno::ELOOP));
    world.symlink("grow/x", "/grow");
    assert_eq!(world.find("/grow").err(), Some(Errno::ELOOP));
}

#[test]
fn a_dangling_link_is_there_but_leads_nowhere() {
    let world = tree();
    world.symlink("nowhere", "/dangling");
    assert!(world.find_link("/dangling").is_ok());
    assert_eq!(world.find("/dangling").err(), Some(Errno::ENOENT));
}

#[test]
fn relative_paths_begin_at_the_working_directory_or_a_descriptor() {
    let world = tree();
    let caller = Caller { working_directory: world.find("/a/b").unwrap(), ..world.caller.clone() };
    assert!(world.vfs.lookup(&caller, At::WorkingDirectory, b"f", Follow::Yes).is_ok());
    let at = At::Location(world.find("/a").unwrap());
    assert!(world.vfs.lookup(&caller, at, b"b/f", Follow::Yes).is_ok());
    let file = At::Location(world.find("/a/b/f").unwrap());
    assert_eq!(world.vfs.lookup(&caller, file.clone(), b"x", Follow::Yes).err(), Some(Errno::ENOTDIR));
    assert!(world.vfs.lookup_or_self(&caller, file, b"", Follow::Yes).is_ok());
}

#[test]
fn a_changed_root_is_the_top_of_everything() {
    let world = tree();
    world.symlink("/b/f", "/a/inside");
    let caller = Caller { root: world.find("/a").unwrap(), ..world.caller.clone() };
    let find = |path: &[u8]| world.vfs.lookup(&caller, At::WorkingDirectory, path, Follow::Yes);
    assert!(find(b"/b/f").is_ok());
    assert!(find(b"/../../b/f").is_ok());
    assert!(find(b"/inside").is_ok());
    assert_eq!(find(b"/a").err(), Some(Errno::ENOENT));
    assert_eq!(find(b"/b").unwrap().path(&caller.root), b"/b");
    assert_eq!(world.vfs.root().path(&caller.root), b"(unreachable)/");
}

#[test]
fn a_mount_covers_a_directory_and_its_parent_is_below() {
    let world = tree();
    let other = tmpfs::filesystem(2, world.clock.clone(), world.store.clone());
    world.vfs.mount(&world.find("/a/b").unwrap(), tmpfs::root(&other, 0o755)).unwrap();
    assert_eq!(world.find("/a/b/f").err(), Some(Errno::ENOENT));
    world.write("/a/b/new", "x");
    let new = world.find("/a/b/new").unwrap();
    assert_eq!(new.inode().metadata().device, 2);
    assert_eq!(new.path(&world.vfs.root()), b"/a/b/new");
    assert_eq!(number(&world, "/a/b/.."), number(&world, "/a"));
    assert_eq!(world.rename("/a/b/new", "/a/new"), Err(Errno::EXDEV));
    assert_eq!(world.rmdir("/a/b"), Err(Errno::EBUSY));
    assert_eq!(world.vfs.mounts(&world.vfs.root())[1].path, b"/a/b");
}

#[test]
fn paths_follow_renames_and_say_what_is_gone() {
    let world = tree();
    let file = world.open("/a/b/f", OpenFlags::empty()).unwrap();
    let path = || String::from_utf8(file.location().path(&world.vfs.root())).unwrap();
    assert_eq!(path(), "/a/b/f");
    world.rename("/a/b", "/c").unwrap();
    assert_eq!(path(), "/c/f");
    world.unlink("/c/f").unwrap();
    assert_eq!(path(), "/c/f (deleted)");
}

#[test]
fn the_working_directory_may_be_gone() {
    let world = tree();
    world.mkdir("/gone");
    let directory = world.find("/gone").unwrap();
    assert_eq!(directory.working_directory_path(&world.vfs.root()).unwrap(), b"/gone");
    world.rmdir("/gone").unwrap();
    assert_eq!(directory.working_directory_path(&world.vfs.root()), Err(Errno::ENOENT));
    let caller = Caller { working_directory: directory, ..world.caller.clone() };
    let open = world.vfs.open(&caller, At::WorkingDirectory, b"f", OpenFlags::CREATE | OpenFlags::WRITE_ONLY, 0o644);
    assert_eq!(open.err(), Some(Errno::ENOENT));
    assert!(world.vfs.lookup(&caller, At::WorkingDirectory, b"..", Follow::Yes).is_ok());
    assert_eq!(world.vfs.make_directory(&caller, At::WorkingDirectory, b"d", 0o755).err(), Some(Errno::ENOENT));
}
