use crate::Errno;
use crate::inode::Kind;
use crate::open::{OpenFlags, Whence};
use crate::testing::{World, get, put};
use crate::vfs::{At, NodeKind, Resolve};

const READ: OpenFlags = OpenFlags::empty();
const WRITE: OpenFlags = OpenFlags::WRITE_ONLY;
const BOTH: OpenFlags = OpenFlags::READ_WRITE;
const CREATE: OpenFlags = OpenFlags::CREATE;
const EXCLUSIVE: OpenFlags = OpenFlags::EXCLUSIVE;

#[test]
fn creating() {
    let world = World::new();
    world.mkdir("/d");
    assert_eq!(world.open("/f", WRITE).err(), Some(Errno::ENOENT));
    assert!(world.open("/f", WRITE | CREATE | EXCLUSIVE).is_ok());
    assert_eq!(world.open("/f", WRITE | CREATE | EXCLUSIVE).err(), Some(Errno::EEXIST));
    assert!(world.open("/f", WRITE | CREATE).is_ok());
    for (path, error) in [
        ("/d", Errno::EISDIR),
        ("/", Errno::EISDIR),
        ("/new/", Errno::EISDIR),
        ("/no/new", Errno::ENOENT),
        ("/f/new", Errno::ENOTDIR),
    ] {
        assert_eq!(world.open(path, WRITE | CREATE).err(), Some(error), "{path}");
    }
    assert_eq!(world.open("/d", READ | CREATE | OpenFlags::DIRECTORY).err(), Some(Errno::EINVAL));
}

#[test]
fn creating_through_links() {
    let world = World::new();
    world.symlink("target", "/link");
    assert_eq!(world.open("/link", WRITE | CREATE | EXCLUSIVE).err(), Some(Errno::EEXIST));
    assert_eq!(world.open("/link", WRITE | CREATE | OpenFlags::NO_FOLLOW).err(), Some(Errno::ELOOP));
    assert!(world.open("/link", WRITE | CREATE).is_ok());
    assert_eq!(world.find_link("/target").unwrap().inode().kind(), Kind::Regular);
}

#[test]
fn the_umask_takes_bits_and_owners_are_the_callers() {
    let world = World::new();
    world.vfs.change_mode(&world.caller, &world.vfs.root(), 0o777).unwrap();
    let mut user = world.user(5, 6);
    user.umask = 0o027;
    let file = world.vfs.open(&user, At::WorkingDirectory, b"/f", WRITE | CREATE, 0o666).unwrap();
    let metadata = file.metadata();
    assert_eq!((metadata.permissions, metadata.user, metadata.group), (0o640, 5, 6));
}

#[test]
fn directories_open_only_for_reading() {
    let world = World::new();
    world.mkdir("/d");
    world.write("/f", "");
    assert_eq!(world.open("/d", WRITE).err(), Some(Errno::EISDIR));
    assert_eq!(world.open("/d", OpenFlags::TRUNCATE).err(), Some(Errno::EISDIR));
    let directory = world.open("/d", READ).unwrap();
    assert_eq!(get(&directory, 10).err(), Some(Errno::EISDIR));
    assert_eq!(world.open("/f", OpenFlags::DIRECTORY).err(), Some(Errno::ENOTDIR));
    assert_eq!(world.open("/f/", READ).err(), Some(Errno::ENOTDIR));
}

#[test]
fn truncating_appending_and_modes() {
    let world = World::new();
    world.write("/f", "hello");
    let append = world.open("/f", WRITE | OpenFlags::APPEND).unwrap();
    assert_eq!(append.seek(Whence::Start, 1), Ok(1));
    put(&append, b"!").unwrap();
    assert_eq!(append.offset(), 6);
    assert_eq!(world.read("/f").unwrap(), b"hello!");
    assert_eq!(get(&append, 1).err(), Some(Errno::EBADF));
    let reader = world.open("/f", READ).unwrap();
    assert_eq!(put(&reader, b"x").err(), Some(Errno::EBADF));
    assert_eq!(reader.truncate(0), Err(Errno::EINVAL));
    world.open("/f", WRITE | OpenFlags::TRUNCATE).unwrap();
    assert_eq!(world.read("/f").unwrap(), b"");
}

#[test]
fn a_path_descriptor_is_a_place_not_a_file() {
    let world = World::new();
    world.write("/f", "x");
    world.symlink("f", "/l");
    let file = world.open("/f", OpenFlags::PATH | BOTH).unwrap();
    assert_eq!(get(&file, 1).err(), Some(Errno::EBADF));
    assert_eq!(put(&file, b"x").err(), Some(Errno::EBADF));
    assert_eq!(file.seek(Whence::Start, 0), Err(Errno::EBADF));
    assert_eq!(file.set_flags(OpenFlags::APPEND), Err(Errno::EBADF));
    assert_eq!(file.metadata().size, 1);
    let link = world.open("/l", OpenFlags::PATH | OpenFlags::NO_FOLLOW).unwrap();
    assert_eq!(link.metadata().kind, Kind::Symlink);
    assert_eq!(world.open("/l", OpenFlags::NO_FOLLOW).err(), Some(Errno::ELOOP));
}

#[test]
fn a_temporary_file_has_no_name_until_it_is_linked() {
    let world = World::new();
    world.mkdir("/d");
    let temporary = OpenFlags::TEMPORARY | OpenFlags::DIRECTORY;
    assert_eq!(world.open("/d", temporary).err(), Some(Errno::EINVAL));
    let file = world.open("/d", temporary | BOTH).unwrap();
    put(&file, b"text").unwrap();
    assert_eq!(file.metadata().links, 0);
    assert_eq!(world.list("/d"), [".", ".."]);
    world.vfs.link(&world.caller, file.location(), At::WorkingDirectory, b"/d/named").unwrap();
    assert_eq!(world.read("/d/named").unwrap(), b"text");
    assert_eq!(file.metadata().links, 1);
    world.unlink("/d/named").unwrap();
    let again = world.vfs.link(&world.caller, file.location(), At::WorkingDirectory, b"/d/again");
    assert_eq!(again, Err(Errno::ENOENT));
    let secret = world.open("/d", temporary | BOTH | EXCLUSIVE).unwrap();
    let linked = world.vfs.link(&world.caller, secret.location(), At::WorkingDirectory, b"/d/other");
    assert_eq!(linked, Err(Errno::ENOENT));
}

#[test]
fn what_has_no_driver_cannot_be_opened() {
    let world = World::new();
    let make = |path: &[u8], kind| world.vfs.make_node(&world.caller, At::WorkingDirectory, path, kind, 0o666);
    make(b"/device", NodeKind::CharacterDevice(0x1234)).unwrap();
    make(b"/socket", NodeKind::Socket).unwrap();
    assert_eq!(world.open("/device", READ).err(), Some(Errno::ENXIO));
    assert_eq!(world.open("/socket", READ).err(), Some(Errno::ENXIO));
}

#[test]
fn an_unlinked_file_lives_while_it_is_open() {
    let world = World::new();
    world.write("/f", "text");
    let (inodes, used) = (world.filesystem.inodes(), world.store.used());
    let file = world.open("/f", BOTH).unwrap();
    world.unlink("/f").unwrap();
    assert_eq!(world.find("/f").err(), Some(Errno::ENOENT));
    assert_eq!(get(&file, 10).unwrap(), b"text");
    assert_eq!(file.metadata().links, 0);
    world.write("/f", "another");
    assert_ne!(world.find("/f").unwrap().inode().number, file.metadata().number);
    world.unlink("/f").unwrap();
    drop(file);
    assert_eq!((world.filesystem.inodes(), world.store.used()), (inodes - 1, used - 1));
}

#[test]
fn restricted_lookups() {
    let world = World::new();
    world.mkdir("/a");
    world.mkdir("/a/b");
    world.write("/a/b/f", "f");
    world.write("/f", "outside");
    world.symlink("/f", "/a/b/absolute");
    world.symlink("../../f", "/a/b/up");
    world.symlink("f", "/a/b/beside");
    let base = || At::Location(world.find("/a/b").unwrap());
    let open = |path: &str, resolve: Resolve| {
        let flags = OpenFlags::empty();
        let opened = world.vfs.open_restricted(&world.caller, base(), path.as_bytes(), flags, 0, resolve);
        opened.map(|file| crate::testing::get(&file, 10).unwrap())
    };
    let (inside, outside) = (Ok(b"f".to_vec()), Ok(b"outside".to_vec()));
    assert_eq!(open("absolute", Resolve::empty()), outside);
    assert_eq!(open("beside", Resolve::BENEATH), inside);
    assert_eq!(open("../b/f", Resolve::BENEATH), Err(Errno::EXDEV));
    assert_eq!(open("up", Resolve::BENEATH), Err(Errno::EXDEV));
    assert_eq!(open("absolute", Resolve::BENEATH), Err(Errno::EXDEV));
    assert_eq!(open("/f", Resolve::BENEATH), Err(Errno::EXDEV));
    assert_eq!(open("/f", Resolve::IN_ROOT), inside);
    assert_eq!(open("absolute", Resolve::IN_ROOT), inside);
    assert_eq!(open("up", Resolve::IN_ROOT), inside);
    assert_eq!(open("../../f", Resolve::IN_ROOT), inside);
    assert_eq!(open("beside", Resolve::NO_LINKS), Err(Errno::ELOOP));
    assert_eq!(open("f", Resolve::NO_LINKS | Resolve::NO_CROSSING), inside);
    world.mkdir("/a/b/m");
    let place = world.find("/a/b/m").unwrap();
    world
        .vfs
        .mount(
            &place,
            crate::tmpfs::root(&crate::tmpfs::filesystem(9, world.clock.clone(), world.store.clone()), 0o755),
        )
        .unwrap();
    assert_eq!(open("m/../f", Resolve::empty()), inside);
    assert_eq!(open("m/../f", Resolve::NO_CROSSING), Err(Errno::EXDEV));
}
