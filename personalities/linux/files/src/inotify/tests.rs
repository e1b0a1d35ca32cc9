//! inotify by inotify(7) and inotify_add_watch(2), and as Linux was seen to behave where these are silent.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::task::Poll;
use std::format;
use std::string::String;

use super::queue::EVENTS_MAX;
use super::{Mask, create};
use crate::buffer::SliceSink;
use crate::open::{OpenFile, OpenFlags, Whence};
use crate::testing::{Task, World, get, put};
use crate::vfs::{At, RenameFlags};
use crate::wait::Events;
use crate::{Errno, Result};

const ALL: u32 = 0xfff;

struct Ear {
    world: World,
    file: Rc<OpenFile>,
}

impl Ear {
    /// Watches /a (1), /b (2) and /a/f (3).
    fn new() -> Self {
        let world = World::new();
        world.mkdir("/a");
        world.mkdir("/b");
        world.write("/a/f", "");
        let file = create(&world.filesystem, OpenFlags::NONBLOCKING.bits()).unwrap();
        let ear = Ear { world, file };
        for (number, path) in [(1, "/a"), (2, "/b"), (3, "/a/f")] {
            assert_eq!(ear.add(path, ALL), Ok(number));
        }
        ear
    }

    fn add(&self, path: &str, mask: u32) -> Result<i32> {
        self.file.inotify().unwrap().add(&self.world.caller, &self.world.find(path).unwrap(), mask)
    }

    /// What was heard since, as "watch:EVENT|EVENT name", cookies as "~".
    fn heard(&self) -> String {
        let Ok(bytes) = get(&self.file, 1 << 20) else { return String::new() };
        let mut events = Vec::new();
        let mut rest = &bytes[..];
        while let Some((header, more)) = rest.split_first_chunk::<16>() {
            let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
            let (name, more) = more.split_at(word(12) as usize);
            assert!(name.is_empty() || name.len() % 16 == 0 && name.last() == Some(&0));
            let end = name.iter().position(|&byte| byte == 0).unwrap_or(0);
            let names = Mask::from_bits(word(4)).unwrap().iter_names().map(|(name, _)| name).collect::<Vec<_>>();
            let cookie = if word(8) > 0 { "~" } else { "" };
            let name = String::from_utf8_lossy(&name[..end]);
            events.push(format!("{}:{}{cookie} {name}", word(0) as i32, names.join("|")));
            rest = more;
        }
        events.iter().map(|event| event.trim_end()).collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn what_happens_to_a_file() {
    let ear = Ear::new();
    let file = ear.world.open("/a/f", OpenFlags::READ_WRITE).unwrap();
    assert_eq!(ear.heard(), "1:OPEN f, 3:OPEN");
    put(&file, b"x").unwrap();
    put(&file, b"y").unwrap();
    assert_eq!(ear.heard(), "1:MODIFY f, 3:MODIFY, 1:MODIFY f, 3:MODIFY");
    file.seek(Whence::Start, 0).unwrap();
    assert_eq!((get(&file, 9).unwrap().len(), get(&file, 9).unwrap().len()), (2, 0));
    assert_eq!(ear.heard(), "1:ACCESS f, 3:ACCESS");
    file.truncate(0).unwrap();
    assert_eq!(ear.heard(), "1:MODIFY f, 3:MODIFY");
    ear.world.vfs.change_mode(&ear.world.caller, file.location(), 0o600).unwrap();
    assert_eq!(ear.heard(), "1:ATTRIBUTES f, 3:ATTRIBUTES");
    file.allocate(0, 0, 10).unwrap();
    assert_eq!(ear.heard(), "1:MODIFY f, 3:MODIFY");
    drop(file);
    assert_eq!(ear.heard(), "1:CLOSE_WRITE f, 3:CLOSE_WRITE");
    let flags = OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE;
    drop(ear.world.open("/a/f", flags).unwrap());
    assert_eq!(ear.heard(), "1:OPEN f, 3:OPEN, 1:MODIFY f, 3:MODIFY, 1:CLOSE_WRITE f, 3:CLOSE_WRITE");
    drop(ear.world.open("/a/f", OpenFlags::PATH).unwrap());
    assert_eq!(ear.heard(), "");
}

#[test]
fn what_happens_to_names() {
    let ear = Ear::new();
    let world = &ear.world;
    drop(world.open("/a/new", OpenFlags::CREATE).unwrap());
    assert_eq!(ear.heard(), "1:CREATE new, 1:OPEN new, 1:CLOSE_NO_WRITE new");
    world.mkdir("/a/dir");
    world.rmdir("/a/dir").unwrap();
    world.symlink("x", "/a/l");
    assert_eq!(ear.heard(), "1:CREATE|IS_DIRECTORY dir, 1:DELETE|IS_DIRECTORY dir, 1:CREATE l");
    world.vfs.link(&world.caller, &world.find("/a/f").unwrap(), At::WorkingDirectory, b"/b/g").unwrap();
    assert_eq!(ear.heard(), "3:ATTRIBUTES, 2:CREATE g");
    world.rename("/a/new", "/a/n2").unwrap();
    assert_eq!(ear.heard(), "1:MOVED_FROM~ new, 1:MOVED_TO~ n2");
    world.rename("/a/f", "/b/h").unwrap();
    assert_eq!(ear.heard(), "1:MOVED_FROM~ f, 2:MOVED_TO~ h, 3:MOVE_SELF");
    world.list("/a");
    assert_eq!(ear.heard(), "1:OPEN|IS_DIRECTORY, 1:ACCESS|IS_DIRECTORY, 1:CLOSE_NO_WRITE|IS_DIRECTORY");
    world.unlink("/b/g").unwrap();
    assert_eq!(ear.heard(), "3:ATTRIBUTES, 2:DELETE g");
    let file = world.open("/b/h", OpenFlags::empty()).unwrap();
    world.unlink("/b/h").unwrap();
    assert_eq!(ear.heard(), "2:OPEN h, 3:OPEN, 3:ATTRIBUTES, 2:DELETE h");
    drop(file);
    assert_eq!(ear.heard(), "2:CLOSE_NO_WRITE h, 3:CLOSE_NO_WRITE, 3:DELETE_SELF, 3:IGNORED");
    assert_eq!(ear.file.inotify().unwrap().remove(3), Err(Errno::EINVAL));
}

#[test]
fn renames_over_and_exchanges() {
    let ear = Ear::new();
    let world = &ear.world;
    world.write("/a/x", "");
    ear.heard();
    world.rename("/a/x", "/a/f").unwrap();
    assert_eq!(ear.heard(), "1:MOVED_FROM~ x, 1:MOVED_TO~ f, 3:ATTRIBUTES, 3:DELETE_SELF, 3:IGNORED");
    world.mkdir("/b/sub");
    assert_eq!(ear.add("/b/sub", ALL), Ok(4));
    ear.heard();
    world.rename("/b/sub", "/a/sub").unwrap();
    assert_eq!(ear.heard(), "2:MOVED_FROM|IS_DIRECTORY~ sub, 1:MOVED_TO|IS_DIRECTORY~ sub, 4:MOVE_SELF");
    world.rename_with("/a/f", "/a/sub", RenameFlags::EXCHANGE).unwrap();
    assert_eq!(
        ear.heard(),
        "1:MOVED_FROM~ f, 1:MOVED_TO~ sub, 1:MOVED_FROM|IS_DIRECTORY~ sub, 1:MOVED_TO|IS_DIRECTORY~ f, 4:MOVE_SELF"
    );
    world.rename("/a/f", "/a/f").unwrap();
    assert_eq!(ear.heard(), "");
    world.rmdir("/a/f").unwrap();
    assert_eq!(ear.heard(), "4:DELETE_SELF, 4:IGNORED, 1:DELETE|IS_DIRECTORY f");
}

#[test]
fn cookies_join_the_halves_of_a_move() {
    let ear = Ear::new();
    ear.world.rename("/a/f", "/b/f").unwrap();
    ear.world.rename("/b/f", "/a/f").unwrap();
    let bytes = get(&ear.file, 9999).unwrap();
    let cookies: Vec<u32> =
        [0, 32, 80, 112].map(|at| u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap())).into();
    assert_eq!((cookies[0], cookies[2]), (cookies[1], cookies[3]));
    assert_ne!(cookies[0], cookies[2]);
}

#[test]
fn removed_files_are_told_by_name_unless_excluded() {
    let ear = Ear::new();
    let file = ear.world.open("/a/f", OpenFlags::WRITE_ONLY).unwrap();
    ear.world.unlink("/a/f").unwrap();
    ear.heard();
    put(&file, b"x").unwrap();
    assert_eq!(ear.heard(), "1:MODIFY f, 3:MODIFY");
    ear.add("/a", Mask::EXCLUDE_UNLINKED.bits() | ALL).unwrap();
    put(&file, b"x").unwrap();
    assert_eq!(ear.heard(), "3:MODIFY");
}

#[test]
fn masks_are_replaced_or_added_to() {
    let ear = Ear::new();
    let modify = Mask::MODIFY.bits();
    assert_eq!(ear.add("/a", modify), Ok(1));
    ear.world.write("/a/x", "x");
    assert_eq!(ear.heard(), "1:MODIFY x");
    assert_eq!(ear.add("/a", Mask::CREATE.bits() | Mask::ADD_TO_MASK.bits()), Ok(1));
    ear.world.write("/a/y", "y");
    assert_eq!(ear.heard(), "1:CREATE y, 1:MODIFY y");
    assert_eq!(ear.add("/a", Mask::CREATE_WATCH.bits() | modify), Err(Errno::EEXIST));
    assert_eq!(ear.add("/a", (Mask::CREATE_WATCH | Mask::ADD_TO_MASK).bits() | modify), Err(Errno::EINVAL));
    assert_eq!(ear.add("/a", 0), Err(Errno::EINVAL));
    assert_eq!(ear.add("/a/x", Mask::ONLY_DIRECTORY.bits() | modify), Err(Errno::ENOTDIR));
    assert_eq!(ear.add("/b", Mask::ONE_SHOT.bits() | Mask::CREATE.bits()), Ok(2));
    ear.world.write("/b/x", "");
    ear.world.write("/b/y", "");
    assert_eq!(ear.heard(), "2:CREATE x, 2:IGNORED");
    let place = ear.world.find("/a").unwrap();
    ear.world.vfs.change_mode(&ear.world.caller, &place, 0o700).unwrap();
    let denied = ear.file.inotify().unwrap().add(&ear.world.user(5, 5), &place, ALL);
    assert_eq!(denied, Err(Errno::EACCES));
}

#[test]
fn removing_a_watch_is_told() {
    let ear = Ear::new();
    ear.file.inotify().unwrap().remove(1).unwrap();
    ear.world.write("/a/x", "");
    assert_eq!(ear.heard(), "1:IGNORED");
    assert_eq!(ear.add("/a", ALL), Ok(4));
    drop(ear.file);
    assert_eq!(ear.world.filesystem.watches.get(), 0);
    ear.world.write("/a/y", "");
}

#[test]
fn equal_events_in_a_row_are_one() {
    let ear = Ear::new();
    ear.file.inotify().unwrap().remove(1).unwrap();
    let file = ear.world.open("/a/f", OpenFlags::WRITE_ONLY).unwrap();
    ear.heard();
    for _ in 0..5 {
        put(&file, b"x").unwrap();
    }
    assert_eq!(ear.heard(), "3:MODIFY");
}

#[test]
fn too_many_events_overflow() {
    let ear = Ear::new();
    let file = ear.world.open("/a/f", OpenFlags::WRITE_ONLY).unwrap();
    for _ in 0..EVENTS_MAX {
        put(&file, b"x").unwrap();
    }
    let heard = ear.heard();
    assert_eq!(heard.split(", ").count(), EVENTS_MAX + 1);
    assert!(heard.ends_with(", -1:OVERFLOW"));
    put(&file, b"x").unwrap();
    assert_eq!(ear.heard(), "1:MODIFY f, 3:MODIFY");
}

#[test]
fn reading_takes_whole_events() {
    let ear = Ear::new();
    assert_eq!((get(&ear.file, 99), ear.file.readiness()), (Err(Errno::EAGAIN), Events::empty()));
    drop(ear.world.open("/a/f", OpenFlags::empty()).unwrap());
    assert_eq!(ear.file.readiness(), Events::READABLE);
    assert_eq!(get(&ear.file, 31), Err(Errno::EINVAL));
    assert_eq!((get(&ear.file, 47).unwrap().len(), get(&ear.file, 48).unwrap().len()), (32, 48));
    let bit = create(&ear.world.filesystem, 1).err();
    assert_eq!(bit, Some(Errno::EINVAL));
}

#[test]
fn readers_wait() {
    let ear = Ear::new();
    ear.file.set_flags(OpenFlags::empty()).unwrap();
    let mut bytes = [0; 99];
    let mut sink = SliceSink::new(&mut bytes);
    let mut read = Task::new(ear.file.read(&mut sink));
    assert!(read.poll().is_pending());
    ear.world.unlink("/a/f").unwrap();
    assert!(matches!(read.poll_if_woken(), Poll::Ready(Ok(80))));
}
