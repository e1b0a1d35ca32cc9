use crate::Errno;
use crate::testing::World;
use crate::vfs::RenameFlags;

fn tree() -> World {
    let world = World::new();
    for directory in ["/d", "/d/e", "/empty", "/full"] {
        world.mkdir(directory);
    }
    for file in ["/f", "/g", "/full/x"] {
        world.write(file, file);
    }
    world
}

#[test]
fn a_file_moves_and_replaces() {
    let world = tree();
    world.rename("/f", "/d/f").unwrap();
    assert_eq!(world.read("/d/f").unwrap(), b"/f");
    assert_eq!(world.find("/f").err(), Some(Errno::ENOENT));
    world.rename("/d/f", "/g").unwrap();
    assert_eq!(world.read("/g").unwrap(), b"/f");
    assert_eq!(world.list("/d"), [".", "..", "e"]);
}

#[test]
fn what_cannot_be_renamed() {
    let world = tree();
    for (old, new, error) in [
        ("/x", "/y", Errno::ENOENT),
        ("/f", "/no/y", Errno::ENOENT),
        ("/d", "/d/e/d", Errno::EINVAL),
        ("/d", "/d/x", Errno::EINVAL),
        ("/d/e", "/d", Errno::ENOTEMPTY),
        ("/f", "/empty", Errno::EISDIR),
        ("/empty", "/f", Errno::ENOTDIR),
        ("/empty", "/full", Errno::ENOTEMPTY),
        ("/f/", "/y", Errno::ENOTDIR),
        ("/f", "/y/", Errno::ENOTDIR),
        ("/d/.", "/y", Errno::EBUSY),
        ("/d", "/empty/..", Errno::EBUSY),
        ("/", "/y", Errno::EBUSY),
    ] {
        assert_eq!(world.rename(old, new), Err(error), "{old} {new}");
    }
}

#[test]
fn a_directory_replaces_an_empty_one() {
    let world = tree();
    world.rename("/full/", "/empty/").unwrap();
    assert_eq!(world.read("/empty/x").unwrap(), b"/full/x");
    assert_eq!(world.find("/full").err(), Some(Errno::ENOENT));
    assert_eq!(world.vfs.root().inode().links(), 4);
}

#[test]
fn two_names_of_one_file_stay() {
    let world = tree();
    let f = world.find("/f").unwrap();
    world.vfs.link(&world.caller, &f, crate::vfs::At::WorkingDirectory, b"/h").unwrap();
    assert_eq!(world.rename("/f", "/h"), Ok(()));
    assert_eq!(world.rename("/f", "/f"), Ok(()));
    assert!(world.find("/f").is_ok() && world.find("/h").is_ok());
}

#[test]
fn no_replace() {
    let world = tree();
    assert_eq!(world.rename_with("/f", "/g", RenameFlags::NO_REPLACE), Err(Errno::EEXIST));
    assert_eq!(world.rename_with("/f", "/h", RenameFlags::NO_REPLACE), Ok(()));
    assert_eq!(world.rename_with("/h", "/g", RenameFlags::all()), Err(Errno::EINVAL));
}

#[test]
fn exchange() {
    let world = tree();
    let open = world.find("/d/e").unwrap();
    assert_eq!(world.rename_with("/f", "/d/e", RenameFlags::EXCHANGE), Ok(()));
    assert_eq!(world.read("/d/e").unwrap(), b"/f");
    assert_eq!(open.path(&world.vfs.root()), b"/f");
    assert_eq!(world.find("/f").unwrap().inode().number, open.inode().number);
    assert_eq!((world.vfs.root().inode().links(), world.find("/d").unwrap().inode().links()), (6, 2));
    assert_eq!(world.rename_with("/g", "/none", RenameFlags::EXCHANGE), Err(Errno::ENOENT));
    assert_eq!(world.rename_with("/full/x", "/full", RenameFlags::EXCHANGE), Err(Errno::EINVAL));
}

#[test]
fn a_held_directory_moves_with_what_is_in_it() {
    let world = tree();
    let inside = world.find("/d/e").unwrap();
    world.rename("/d", "/full/d").unwrap();
    assert_eq!(inside.path(&world.vfs.root()), b"/full/d/e");
    assert_eq!(world.rename("/full", "/full/d/e/full"), Err(Errno::EINVAL));
}
