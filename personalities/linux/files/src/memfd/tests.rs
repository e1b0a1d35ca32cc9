//! memfd_create(2), fcntl(2) on seals.

use alloc::rc::Rc;

use super::{Seals, create};
use crate::Errno;
use crate::open::{OpenFile, OpenFlags};
use crate::testing::{World, get, put};

const ALLOW: u32 = 2;

fn memfd(world: &World, flags: u32) -> Rc<OpenFile> {
    create(&world.filesystem, &world.caller, b"name", flags).unwrap()
}

#[test]
fn a_file_without_a_name() {
    let world = World::new();
    let file = memfd(&world, 1);
    assert_eq!(put(&file, b"contents"), Ok(8));
    assert_eq!((file.metadata().mode(), file.metadata().links, file.metadata().size), (0o100777, 0, 8));
    assert_eq!(file.location().path(&world.vfs.root()), b"/memfd:name (deleted)");
    file.seek(crate::open::Whence::Start, 0).unwrap();
    assert_eq!(get(&file, 99).unwrap(), b"contents");
    drop(file);
    assert_eq!(world.store.used(), 0);
    let make = |name: &[u8], flags| create(&world.filesystem, &world.caller, name, flags).err();
    assert_eq!((make(&[b'x'; 249], 0), make(&[b'x'; 250], 0)), (None, Some(Errno::EINVAL)));
    assert_eq!((make(b"", 0x20), make(b"", 0x18), make(b"", 4)), {
        (Some(Errno::EINVAL), Some(Errno::EINVAL), Some(Errno::ENODEV))
    });
}

#[test]
fn only_some_files_take_seals() {
    let world = World::new();
    world.write("/f", "");
    for file in [memfd(&world, 0), world.open("/f", OpenFlags::READ_WRITE).unwrap()] {
        assert_eq!((file.seals(), file.add_seals(2)), (Ok(Seals::SEAL), Err(Errno::EPERM)));
    }
    assert_eq!(world.open("/", OpenFlags::empty()).unwrap().seals(), Err(Errno::EINVAL));
    let file = memfd(&world, ALLOW);
    assert_eq!((file.seals(), file.add_seals(0x40)), (Ok(Seals::empty()), Err(Errno::EINVAL)));
    let reader = world.vfs.open_location(&world.caller, file.location(), OpenFlags::empty()).unwrap();
    assert_eq!(reader.add_seals(2), Err(Errno::EPERM));
    assert_eq!((file.add_seals(2), file.add_seals(1), file.add_seals(4)), (Ok(()), Ok(()), Err(Errno::EPERM)));
    assert_eq!(file.seals(), Ok(Seals::SHRINK | Seals::SEAL));
}

#[test]
fn sealed_sizes() {
    let world = World::new();
    let file = memfd(&world, ALLOW);
    put(&file, b"0123456789").unwrap();
    file.add_seals(2).unwrap();
    assert_eq!((file.truncate(9), file.truncate(10), file.truncate(12)), (Err(Errno::EPERM), Ok(()), Ok(())));
    file.add_seals(4).unwrap();
    assert_eq!(
        (file.truncate(13), put(&file, b"xyz"), put(&file, b"xy")),
        (Err(Errno::EPERM), Err(Errno::EPERM), Ok(2))
    );
    assert_eq!((file.allocate(0, 0, 13), file.allocate(1, 0, 13)), (Err(Errno::EPERM), Ok(())));
    assert_eq!(file.allocate(3, 0, 4), Ok(()));
}

#[test]
fn sealed_contents() {
    let world = World::new();
    let file = memfd(&world, ALLOW);
    put(&file, b"0123456789").unwrap();
    let mapping = file.inode().map_for_writing().unwrap();
    let copy = mapping.clone();
    drop(mapping);
    assert_eq!(file.add_seals(8), Err(Errno::EBUSY));
    assert_eq!(file.add_seals(16), Ok(()));
    assert!(file.inode().map_for_writing().is_err_and(|error| error == Errno::EPERM));
    drop(copy);
    assert_eq!(file.add_seals(8), Ok(()));
    assert_eq!((put(&file, b"x"), file.allocate(3, 0, 4)), (Err(Errno::EPERM), Err(Errno::EPERM)));
    assert_eq!(file.truncate(5), Ok(()));
}

#[test]
fn sealed_permissions() {
    let world = World::new();
    let file = memfd(&world, 8);
    assert_eq!((file.metadata().permissions, file.seals()), (0o666, Ok(Seals::EXECUTE)));
    let change = |mode| world.vfs.change_mode(&world.caller, file.location(), mode);
    assert_eq!((change(0o644), change(0o744)), (Ok(()), Err(Errno::EPERM)));
}
