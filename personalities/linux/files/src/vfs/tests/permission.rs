use crate::Errno;
use crate::caller::Caller;
use crate::inode::{Access, TimeUpdate};
use crate::open::OpenFlags;
use crate::testing::World;
use crate::vfs::{At, Follow, Location};
use alloc::rc::Rc;

/// /d (0755 of 5:50) with the file /d/f (0640 of 5:50).
fn tree() -> (World, Caller, Caller, Caller) {
    let world = World::new();
    world.mkdir("/d");
    world.write("/d/f", "text");
    let file = world.find("/d/f").unwrap();
    let owner = world.user(5, 50);
    let mut member = world.user(6, 60);
    member.credentials.supplementary.push(50);
    let other = world.user(7, 70);
    for path in [world.find("/d").unwrap(), file.clone()] {
        world.vfs.change_owner(&world.caller, &path, Some(5), Some(50)).unwrap();
    }
    world.vfs.change_mode(&owner, &file, 0o640).unwrap();
    (world, owner, member, other)
}

fn file(world: &World) -> Rc<Location> {
    world.find("/d/f").unwrap()
}

#[test]
fn one_class_of_bits_counts() {
    let (world, owner, member, other) = tree();
    let open = |caller: &Caller, flags| world.open_as(caller, "/d/f", flags).err();
    assert_eq!(open(&owner, OpenFlags::READ_WRITE), None);
    assert_eq!(open(&member, OpenFlags::empty()), None);
    assert_eq!(open(&member, OpenFlags::WRITE_ONLY), Some(Errno::EACCES));
    assert_eq!(open(&other, OpenFlags::empty()), Some(Errno::EACCES));
    // The owner isn't helped by what the group may.
    world.vfs.change_mode(&owner, &file(&world), 0o070).unwrap();
    assert_eq!(open(&owner, OpenFlags::empty()), Some(Errno::EACCES));
    assert_eq!(open(&member, OpenFlags::READ_WRITE), None);
    // Truncating is writing, whatever the access mode says.
    world.vfs.change_mode(&owner, &file(&world), 0o400).unwrap();
    assert_eq!(open(&owner, OpenFlags::TRUNCATE), Some(Errno::EACCES));
}

#[test]
fn the_privileged_may_all_but_execute_what_nobody_may() {
    let (world, owner, ..) = tree();
    world.vfs.change_mode(&owner, &file(&world), 0).unwrap();
    let check = |access| world.vfs.check_access(&world.caller, &file(&world), access);
    assert_eq!(check(Access::READ | Access::WRITE), Ok(()));
    assert_eq!(check(Access::EXECUTE), Err(Errno::EACCES));
    world.vfs.change_mode(&owner, &file(&world), 0o001).unwrap();
    assert_eq!(check(Access::EXECUTE), Ok(()));
}

#[test]
fn directories_are_searched_read_and_written() {
    let (world, owner, _, other) = tree();
    let directory = world.find("/d").unwrap();
    let find = |path: &[u8]| world.vfs.lookup(&other, At::WorkingDirectory, path, Follow::Yes).err();
    let unlink = |caller: &Caller| world.vfs.unlink(caller, At::WorkingDirectory, b"/d/f");
    assert_eq!(unlink(&other), Err(Errno::EACCES));
    world.vfs.change_mode(&owner, &directory, 0o751).unwrap();
    assert_eq!(find(b"/d/f"), None);
    assert_eq!(world.open_as(&other, "/d", OpenFlags::empty()).err(), Some(Errno::EACCES));
    world.vfs.change_mode(&owner, &directory, 0o754).unwrap();
    assert_eq!(find(b"/d/f"), Some(Errno::EACCES));
    assert_eq!(find(b"/d/none"), Some(Errno::EACCES));
    assert_eq!(find(b"/d/.."), Some(Errno::EACCES));
    assert_eq!(world.vfs.check_directory(&other, &directory), Err(Errno::EACCES));
    // Removing needs the directory's permission, not the file's.
    world.vfs.change_mode(&owner, &directory, 0o757).unwrap();
    assert_eq!(unlink(&other), Ok(()));
}

#[test]
fn sticky_directories_protect_what_others_own() {
    let (world, owner, _, other) = tree();
    world.vfs.change_owner(&world.caller, &world.find("/d").unwrap(), Some(0), None).unwrap();
    world.vfs.change_mode(&world.caller, &world.find("/d").unwrap(), 0o1777).unwrap();
    let at = At::WorkingDirectory;
    assert_eq!(world.vfs.unlink(&other, at.clone(), b"/d/f"), Err(Errno::EPERM));
    let rename = world.vfs.rename(&other, at.clone(), b"/d/f", at.clone(), b"/d/g", Default::default());
    assert_eq!(rename, Err(Errno::EPERM));
    assert_eq!(world.vfs.unlink(&owner, at, b"/d/f"), Ok(()));
}

#[test]
fn only_owners_change_modes() {
    let (world, owner, member, _) = tree();
    assert_eq!(world.vfs.change_mode(&member, &file(&world), 0o777), Err(Errno::EPERM));
    world.vfs.change_mode(&owner, &file(&world), 0o107_777).unwrap();
    assert_eq!(file(&world).inode().permissions(), 0o7777);
    // An owner outside the file's group can't make it set-group-id.
    world.vfs.change_owner(&world.caller, &file(&world), None, Some(99)).unwrap();
    world.vfs.change_mode(&owner, &file(&world), 0o2755).unwrap();
    assert_eq!(file(&world).inode().permissions(), 0o755);
}

#[test]
fn only_the_privileged_give_files_away() {
    let (world, owner, member, _) = tree();
    let change = |caller: &Caller, user, group| world.vfs.change_owner(caller, &file(&world), user, group);
    assert_eq!(change(&owner, Some(7), None), Err(Errno::EPERM));
    assert_eq!(change(&owner, None, Some(70)), Err(Errno::EPERM));
    assert_eq!(change(&owner, Some(5), Some(50)), Ok(()));
    assert_eq!(change(&member, None, Some(50)), Err(Errno::EPERM));
    assert_eq!(change(&member, None, None), Ok(()));
    world.vfs.change_mode(&owner, &file(&world), 0o6755).unwrap();
    assert_eq!(change(&world.caller, Some(7), Some(70)), Ok(()));
    let metadata = file(&world).inode().metadata();
    assert_eq!((metadata.user, metadata.group, metadata.permissions), (7, 70, 0o755));
}

#[test]
fn times_are_set_by_owners_or_to_now_by_writers() {
    let (world, owner, member, other) = tree();
    world.vfs.change_mode(&owner, &file(&world), 0o660).unwrap();
    let past = TimeUpdate::To(crate::clock::Timestamp { seconds: -5, nanoseconds: 7 });
    let change =
        |caller: &Caller, accessed, modified| world.vfs.change_times(caller, &file(&world), accessed, modified);
    assert_eq!(change(&member, TimeUpdate::Now, TimeUpdate::Now), Ok(()));
    assert_eq!(change(&member, past, TimeUpdate::Now), Err(Errno::EPERM));
    assert_eq!(change(&member, TimeUpdate::Keep, TimeUpdate::Now), Err(Errno::EPERM));
    assert_eq!(change(&other, TimeUpdate::Now, TimeUpdate::Now), Err(Errno::EACCES));
    assert_eq!(change(&other, TimeUpdate::Keep, TimeUpdate::Keep), Ok(()));
    let before = file(&world).inode().metadata();
    world.clock.advance(core::time::Duration::from_secs(10));
    assert_eq!(change(&owner, TimeUpdate::Keep, past), Ok(()));
    let after = file(&world).inode().metadata();
    assert_eq!((after.accessed, after.modified.seconds), (before.accessed, -5));
    assert_eq!(after.changed.seconds, before.changed.seconds + 10);
}

#[test]
fn a_set_group_id_directory_hands_its_group_on() {
    let (world, owner, member, _) = tree();
    world.vfs.change_mode(&owner, &world.find("/d").unwrap(), 0o2777).unwrap();
    let made = world.vfs.make_directory(&member, At::WorkingDirectory, b"/d/sub", 0o755).unwrap();
    assert_eq!((made.inode().group(), made.inode().permissions()), (50, 0o2755));
    let file = world.open_as(&member, "/d/new", OpenFlags::CREATE | OpenFlags::WRITE_ONLY).unwrap();
    assert_eq!((file.metadata().group, file.metadata().permissions), (50, 0o644));
}

#[test]
fn moving_a_directory_needs_leave_to_change_its_parent() {
    let (world, _, _, other) = tree();
    for path in ["/a", "/b", "/a/sub"] {
        world.mkdir(path);
    }
    for path in ["/a", "/b"] {
        world.vfs.change_mode(&world.caller, &world.find(path).unwrap(), 0o777).unwrap();
    }
    let at = At::WorkingDirectory;
    let rename = |new: &[u8]| world.vfs.rename(&other, at.clone(), b"/a/sub", at.clone(), new, Default::default());
    assert_eq!(rename(b"/b/sub"), Err(Errno::EACCES));
    assert_eq!(rename(b"/a/other"), Ok(()));
}
