//! tmpfs against a model that a reader can check at a glance: a map from paths to contents.

use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use crate::buffer::SliceSource;
use crate::open::{Attempt, OpenFlags, Whence};
use crate::testing::World;
use crate::vfs::At;

/// Directories have no contents.
type Model = BTreeMap<String, Option<Vec<u8>>>;

#[derive(Clone, Debug)]
enum Step {
    MakeDirectory(String),
    RemoveDirectory(String),
    Write { path: String, offset: usize, bytes: Vec<u8> },
    Truncate(String, usize),
    Unlink(String),
    Rename(String, String),
}

/// Two levels of three names: collisions are likely.
fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..=3)
        .prop_map(|names| format!("/{}", names.join("/")))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        path().prop_map(Step::MakeDirectory),
        path().prop_map(Step::RemoveDirectory),
        (path(), 0usize..9000, prop::collection::vec(1u8.., 0..300)).prop_map(|(path, offset, bytes)| Step::Write {
            path,
            offset,
            bytes
        }),
        (path(), 0usize..9000).prop_map(|(path, size)| Step::Truncate(path, size)),
        path().prop_map(Step::Unlink),
        (path(), path()).prop_map(|(old, new)| Step::Rename(old, new)),
    ]
}

fn parent_exists(model: &Model, path: &str) -> bool {
    let parent = &path[..path.rfind('/').unwrap()];
    parent.is_empty() || model.get(parent).is_some_and(|entry| entry.is_none())
}

fn has_children(model: &Model, path: &str) -> bool {
    model.keys().any(|other| other.starts_with(&format!("{path}/")))
}

/// Does the step in the model; whether it succeeds.
fn model_step(model: &mut Model, step: &Step) -> bool {
    match step {
        Step::MakeDirectory(path) => {
            let possible = parent_exists(model, path) && !model.contains_key(path);
            if possible {
                model.insert(path.clone(), None);
            }
            possible
        }
        Step::RemoveDirectory(path) => {
            let possible = model.get(path) == Some(&None) && !has_children(model, path);
            if possible {
                model.remove(path);
            }
            possible
        }
        Step::Write { path, offset, bytes } => {
            if !parent_exists(model, path) || model.get(path) == Some(&None) {
                return false;
            }
            let contents = model.entry(path.clone()).or_insert(Some(Vec::new())).as_mut().unwrap();
            if !bytes.is_empty() {
                contents.resize(contents.len().max(offset + bytes.len()), 0);
                contents[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            true
        }
        Step::Truncate(path, size) => match model.get_mut(path) {
            Some(Some(contents)) => {
                contents.resize(*size, 0);
                true
            }
            _ => false,
        },
        Step::Unlink(path) => {
            let possible = matches!(model.get(path), Some(Some(_)));
            if possible {
                model.remove(path);
            }
            possible
        }
        Step::Rename(old, new) => model_rename(model, old, new),
    }
}

fn model_rename(model: &mut Model, old: &str, new: &str) -> bool {
    let Some(moved) = model.get(old).cloned() else { return false };
    if !parent_exists(model, new) || new.starts_with(&format!("{old}/")) {
        return false;
    }
    if old == new {
        return true;
    }
    let fits = match (&moved, model.get(new)) {
        (_, None) => true,
        (Some(_), Some(Some(_))) => true,
        (None, Some(None)) => !has_children(model, new),
        _ => false,
    };
    if fits {
        let below = format!("{old}/");
        let moving: Vec<String> =
            model.keys().filter(|path| *path == old || path.starts_with(&below)).cloned().collect();
        for path in moving {
            let entry = model.remove(&path).unwrap();
            model.insert(format!("{new}{}", &path[old.len()..]), entry);
        }
    }
    fits
}

fn real_step(world: &World, step: &Step) -> bool {
    let caller = &world.caller;
    match step {
        Step::MakeDirectory(path) => {
            world.vfs.make_directory(caller, At::WorkingDirectory, path.as_bytes(), 0o755).is_ok()
        }
        Step::RemoveDirectory(path) => world.rmdir(path).is_ok(),
        Step::Write { path, offset, bytes } => {
            let Ok(file) = world.open(path, OpenFlags::CREATE | OpenFlags::WRITE_ONLY) else { return false };
            file.seek(Whence::Start, *offset as i64).unwrap();
            file.try_write(&mut Attempt::once(), &mut SliceSource::new(bytes)) == Ok(bytes.len())
        }
        Step::Truncate(path, size) => {
            world.find(path).is_ok_and(|found| world.vfs.truncate(caller, &found, *size as u64).is_ok())
        }
        Step::Unlink(path) => world.unlink(path).is_ok(),
        Step::Rename(old, new) => world.rename(old, new).is_ok(),
    }
}

/// Everything below a directory, by reading it.
fn collect(world: &World, directory: &str, into: &mut Model) {
    for name in world.list(if directory.is_empty() { "/" } else { directory }) {
        if name == "." || name == ".." {
            continue;
        }
        let path = format!("{directory}/{name}");
        let is_directory = world.find(&path).unwrap().inode().is_directory();
        into.insert(path.clone(), if is_directory { None } else { Some(world.read(&path).unwrap()) });
        if is_directory {
            collect(world, &path, into);
        }
    }
}

proptest! {
    #[test]
    fn tmpfs_is_a_map_from_paths_to_contents(steps in prop::collection::vec(step(), 1..60)) {
        let world = World::new();
        let mut model = Model::new();
        // Some places are held all the time, as working directories are, so that names are found by way of them too.
        let mut held = Vec::new();
        for step in &steps {
            let expected = model_step(&mut model, step);
            prop_assert_eq!(real_step(&world, step), expected, "{:?}", step);
            held.extend(model.keys().next().and_then(|path| world.find(path).ok()));
            let mut real = Model::new();
            collect(&world, "", &mut real);
            prop_assert_eq!(&real, &model, "after {:?}", step);
        }
        for location in held.iter().filter(|location| !location.is_removed()) {
            let path = String::from_utf8(location.path(&world.vfs.root())).unwrap();
            let found = world.find(&path).map(|found| found.inode().number);
            prop_assert_eq!(found, Ok(location.inode().number), "{}", path.to_string());
        }
        drop(held);
        for path in model.keys().rev() {
            let removed = if model[path].is_some() { world.unlink(path) } else { world.rmdir(path) };
            prop_assert_eq!(removed, Ok(()));
        }
        prop_assert_eq!((world.store.used(), world.filesystem.inodes()), (0, 1));
    }
}
