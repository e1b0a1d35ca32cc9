use crate::Errno;
use crate::open::{OpenFile, OpenFlags};
use crate::testing::World;
use crate::vfs::{At, NodeKind};
use crate::{buffer::SliceSink, inode::Kind};

fn mkdir(world: &World, path: &str) -> crate::Result<()> {
    world.vfs.make_directory(&world.caller, At::WorkingDirectory, path.as_bytes(), 0o755).map(drop)
}

#[test]
fn making_directories() {
    let world = World::new();
    assert_eq!(mkdir(&world, "/d/"), Ok(()));
    world.symlink("nowhere", "/l");
    for (path, error) in [
        ("/d", Errno::EEXIST),
        ("/", Errno::EEXIST),
        ("/d/.", Errno::EEXIST),
        ("/l", Errno::EEXIST),
        ("/x/y", Errno::ENOENT),
    ] {
        assert_eq!(mkdir(&world, path), Err(error), "{path}");
    }
}

#[test]
fn directories_count_their_links() {
    let world = World::new();
    let links = |path: &str| world.find(path).unwrap().inode().links();
    mkdir(&world, "/d").unwrap();
    mkdir(&world, "/d/e").unwrap();
    mkdir(&world, "/x").unwrap();
    assert_eq!((links("/d"), links("/d/e"), links("/x")), (3, 2, 2));
    world.rename("/d/e", "/x/e").unwrap();
    assert_eq!((links("/d"), links("/x")), (2, 3));
    world.rmdir("/x/e").unwrap();
    assert_eq!(links("/x"), 2);
}

#[test]
fn removing_directories() {
    let world = World::new();
    mkdir(&world, "/d").unwrap();
    mkdir(&world, "/d/e").unwrap();
    world.write("/f", "");
    for (path, error) in [
        ("/d", Errno::ENOTEMPTY),
        ("/d/e/.", Errno::EINVAL),
        ("/d/e/..", Errno::ENOTEMPTY),
        ("/", Errno::EBUSY),
        ("/f", Errno::ENOTDIR),
        ("/x", Errno::ENOENT),
    ] {
        assert_eq!(world.rmdir(path), Err(error), "{path}");
    }
    assert_eq!(world.rmdir("/d/e/"), Ok(()));
    assert_eq!(world.rmdir("/d"), Ok(()));
}

#[test]
fn unlinking() {
    let world = World::new();
    mkdir(&world, "/d").unwrap();
    world.write("/f", "");
    world.symlink("d", "/l");
    for (path, error) in [
        ("/d", Errno::EISDIR),
        ("/d/", Errno::EISDIR),
        ("/d/.", Errno::EISDIR),
        ("/f/", Errno::ENOTDIR),
        ("/x", Errno::ENOENT),
    ] {
        assert_eq!(world.unlink(path), Err(error), "{path}");
    }
    assert_eq!(world.unlink("/l"), Ok(()));
    assert!(world.find("/d").is_ok());
}

#[test]
fn hard_links_are_equal_names() {
    let world = World::new();
    mkdir(&world, "/d").unwrap();
    world.write("/f", "text");
    let link = |old: &str, new: &str| {
        world.vfs.link(&world.caller, &world.find_link(old)?, At::WorkingDirectory, new.as_bytes())
    };
    assert_eq!(link("/f", "/d/g"), Ok(()));
    assert_eq!(world.find("/f").unwrap().inode().links(), 2);
    world.unlink("/f").unwrap();
    assert_eq!(world.read("/d/g").unwrap(), b"text");
    assert_eq!(world.find("/d/g").unwrap().inode().links(), 1);
    assert_eq!(link("/d", "/e"), Err(Errno::EPERM));
    assert_eq!(link("/d/g", "/d"), Err(Errno::EEXIST));
    assert_eq!(link("/d/g", "/new/"), Err(Errno::ENOENT));
    assert_eq!(link("/f", "/x"), Err(Errno::ENOENT));
}

#[test]
fn symbolic_links_keep_their_text() {
    let world = World::new();
    world.symlink("any text at all", "/l");
    let link = world.find_link("/l").unwrap();
    assert_eq!(world.vfs.read_link(&world.caller, &link).unwrap(), b"any text at all");
    assert_eq!(link.inode().metadata().size, 15);
    assert_eq!(world.vfs.read_link(&world.caller, &world.vfs.root()), Err(Errno::EINVAL));
    let make =
        |target: &[u8], path: &[u8]| world.vfs.make_symlink(&world.caller, target, At::WorkingDirectory, path).err();
    assert_eq!(make(b"", b"/e"), Some(Errno::ENOENT));
    assert_eq!(make(b"x", b"/l"), Some(Errno::EEXIST));
    assert_eq!(make(&[b'x'; 4096], b"/e"), Some(Errno::ENAMETOOLONG));
}

#[test]
fn devices_need_privilege() {
    let world = World::new();
    world.vfs.change_mode(&world.caller, &world.vfs.root(), 0o777).unwrap();
    let user = world.user(5, 5);
    let make =
        |kind| world.vfs.make_node(&user, At::WorkingDirectory, b"/n", kind, 0o666).map(|made| made.inode().kind());
    assert_eq!(make(NodeKind::CharacterDevice(1)), Err(Errno::EPERM));
    assert_eq!(make(NodeKind::Fifo), Ok(Kind::Fifo));
}

/// The names in order, reading with a buffer of `size` bytes.
fn encoded_names(file: &OpenFile, size: usize) -> alloc::vec::Vec<alloc::vec::Vec<u8>> {
    let mut names = alloc::vec::Vec::new();
    loop {
        let mut bytes = alloc::vec![0; size];
        let count = file.list_encoded(&mut SliceSink::new(&mut bytes)).unwrap();
        let mut at = 0;
        while at < count {
            let length = u16::from_le_bytes([bytes[at + 16], bytes[at + 17]]) as usize;
            let name = &bytes[at + 19..at + length];
            names.push(name.split(|&byte| byte == 0).next().unwrap().to_vec());
            at += length;
        }
        if count == 0 {
            return names;
        }
    }
}

#[test]
fn reading_directories_in_pieces() {
    let world = World::new();
    for at in 0..50 {
        world.write(&std::format!("/file{at}"), "");
    }
    let file = world.open("/", OpenFlags::DIRECTORY).unwrap();
    let names = encoded_names(&file, 100);
    assert_eq!(names.len(), 52);
    assert_eq!((&names[0][..], &names[1][..], &names[51][..]), (&b"."[..], &b".."[..], &b"file49"[..]));
    assert_eq!(file.list_encoded(&mut SliceSink::new(&mut [0; 100])), Ok(0));
    let again = world.open("/", OpenFlags::DIRECTORY).unwrap();
    assert_eq!(again.list_encoded(&mut SliceSink::new(&mut [0; 20])), Err(Errno::EINVAL));
}

/// Memory that ends after so many bytes, whatever was asked for.
struct Ending(usize, alloc::vec::Vec<u8>);

impl crate::buffer::Sink for Ending {
    fn remaining(&self) -> usize {
        10_000
    }
    fn put(&mut self, bytes: &[u8]) -> crate::Result<usize> {
        let stored = bytes.len().min(self.0);
        self.0 -= stored;
        self.1.extend_from_slice(&bytes[..stored]);
        if stored == 0 { Err(Errno::EFAULT) } else { Ok(stored) }
    }
}

#[test]
fn reading_into_memory_that_ends_loses_no_name() {
    let world = World::new();
    for at in 0..300 {
        world.write(&std::format!("/file{at}"), "");
    }
    // 24 bytes for each of the first two, 32 for each name.
    for (bytes, whole) in [(0, 0), (23, 0), (24, 24), (100, 80), (5000, 4976), (9000, 8976)] {
        let file = world.open("/", OpenFlags::DIRECTORY).unwrap();
        let expected = if whole == 0 { Err(Errno::EFAULT) } else { Ok(whole) };
        assert_eq!(file.list_encoded(&mut Ending(bytes, alloc::vec::Vec::new())), expected);
        let rest = encoded_names(&file, 1000).len();
        let read = [0, 24, 48].iter().filter(|&&at| at < whole).count().min(2) + whole.saturating_sub(48) / 32;
        assert_eq!(rest + read, 302, "{bytes}");
    }
}

#[test]
fn the_old_record_has_the_type_behind_the_name() {
    let world = World::new();
    world.write("/file", "");
    let file = world.open("/", OpenFlags::DIRECTORY).unwrap();
    let mut bytes = [0; 200];
    let count = file.list_encoded_old(&mut SliceSink::new(&mut bytes)).unwrap();
    let mut found = alloc::vec::Vec::new();
    let mut at = 0;
    while at < count {
        let length = u16::from_le_bytes([bytes[at + 16], bytes[at + 17]]) as usize;
        let name = bytes[at + 18..at + length].split(|&byte| byte == 0).next().unwrap();
        found.push((name.to_vec(), bytes[at + length - 1]));
        at += length;
    }
    let (directory, regular) = (4, 8);
    let expected = [(&b"."[..], directory), (b"..", directory), (b"file", regular)];
    assert_eq!(found, expected.map(|(name, kind)| (name.to_vec(), kind)));
    assert_eq!(file.list_encoded_old(&mut SliceSink::new(&mut bytes)), Ok(0));
}

#[test]
fn names_end_with_zeros_whatever_was_there_before() {
    let world = World::new();
    // Whatever lies in the server's memory behind a name of any length, zeros end it.
    for length in 1..40 {
        world.write(&std::format!("/{}", "x".repeat(length)), "");
    }
    let file_of_all = world.open("/", OpenFlags::DIRECTORY).unwrap();
    let names = encoded_names(&file_of_all, 4096);
    assert!((1..40).all(|length| names.contains(&alloc::vec![b'x'; length])));
    let old = world.open("/", OpenFlags::DIRECTORY).unwrap();
    let mut all = [0xff; 2600];
    let filled = old.list_encoded_old(&mut SliceSink::new(&mut all)).unwrap();
    let mut at = 0;
    while at < filled {
        let length = u16::from_le_bytes([all[at + 16], all[at + 17]]) as usize;
        let end = at + 18 + all[at + 18..at + length].iter().position(|&byte| byte == 0).unwrap();
        assert!(all[end..at + length - 1].iter().all(|&byte| byte == 0), "{:?}", &all[at..at + length]);
        at += length;
    }
}

#[test]
fn removing_while_reading_skips_nothing() {
    let world = World::new();
    for at in 0..50 {
        world.write(&std::format!("/file{at}"), "");
    }
    let file = world.open("/", OpenFlags::DIRECTORY).unwrap();
    let mut seen = 0;
    // As `rm -r` does: a few names, remove them, go on.
    loop {
        let mut names = alloc::vec::Vec::new();
        file.list(&mut |listed| {
            let wanted = names.len() < 3;
            if wanted {
                names.push(std::string::String::from_utf8(listed.name.to_vec()).unwrap());
            }
            wanted
        })
        .unwrap();
        if names.is_empty() {
            break;
        }
        for name in names.iter().filter(|name| !name.starts_with('.')) {
            world.unlink(name).unwrap();
            seen += 1;
        }
    }
    assert_eq!(seen, 50);
    assert_eq!(world.list("/"), [".", ".."]);
}

#[test]
fn directories_nest_deeper_than_any_stack() {
    let world = World::with_pages(40_000);
    let mut here = world.vfs.root();
    for _ in 0..30_000 {
        here = world.vfs.make_directory(&world.caller, At::Location(here), b"d", 0o755).unwrap();
    }
    assert_eq!(here.path(&world.vfs.root()).len(), 60_000);
    drop(here);
    // The test's own tree would be dropped by recursion, which no running system does.
    core::mem::forget(world);
}
