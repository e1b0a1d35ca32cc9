//! Folders of fixed names, from a table of paths: most of /proc, and all of /sys.
//!
//! Nothing is stored: directories are made afresh at each lookup, files when they are opened.

use crate::server::Server;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::caller::Caller;
use chestnut_linux_files::inode::{
    Body, Directory, FIRST_COOKIE, Filesystem, Inode, Kind, Listed, OpenRequest, Openable, Template,
};
use chestnut_linux_files::open::{File, GeneratedFile};
use chestnut_linux_files::vfs::{At, Follow};
use chestnut_linux_files::{Errno, Result};

/// A file's bytes, when it is opened.
pub type Text = fn(&'static Server) -> Vec<u8>;

/// Files by path below the file system's root, in the order in which they are listed. Folders come of themselves; a path that ends
/// with a slash is an empty one.
pub type Files = &'static [(&'static str, Text)];

/// Mounts a file system at a path, where a folder is made if there is none.
pub fn mount(server: &'static Server, path: &[u8], root: Rc<Inode>) -> Result<()> {
    let caller = Caller::root(server.vfs.root());
    let place = match server.vfs.make_directory(&caller, At::WorkingDirectory, path, 0o555) {
        Err(Errno::EEXIST) => server.vfs.lookup(&caller, At::WorkingDirectory, path, Follow::Yes)?,
        made => made?,
    };
    server.vfs.mount(&place, root).map(drop)
}

struct Generated<F>(F);

impl<F: Fn() -> Result<Vec<u8>>> Openable for Generated<F> {
    fn open(&self, _: &OpenRequest<'_>) -> Result<Rc<dyn File>> {
        Ok(Rc::new(GeneratedFile::new((self.0)()?)))
    }
}

/// A file whose bytes are made when it is opened.
pub fn file(
    filesystem: &Rc<Filesystem>,
    number: u64,
    permissions: u32,
    owner: (u32, u32),
    text: impl Fn() -> Result<Vec<u8>> + 'static,
) -> Rc<Inode> {
    let body = Body::Generated(Rc::new(Generated(text)));
    Inode::numbered(filesystem, number, body, permissions, owner.0, owner.1)
}

/// A directory that everybody may list and nobody may change.
pub fn directory(
    filesystem: &Rc<Filesystem>,
    number: u64,
    owner: (u32, u32),
    directory: impl Directory + 'static,
) -> Rc<Inode> {
    let body = Body::Directory(Box::new(directory));
    Inode::numbered(filesystem, number, body, 0o555, owner.0, owner.1)
}

/// A folder of fixed files.
#[derive(Clone)]
pub struct Folder {
    server: &'static Server,
    filesystem: Rc<Filesystem>,
    files: Files,
    /// What making a name fails with: not the same in all such file systems of Linux.
    refusal: Errno,
    /// Its path below the root, with a slash at its end; the root's is empty.
    prefix: Vec<u8>,
}

/// What a name in a folder of fixed files is.
enum Fixed {
    File(Text),
    Folder,
}

impl Folder {
    pub const fn root(server: &'static Server, filesystem: Rc<Filesystem>, files: Files, refusal: Errno) -> Self {
        Self { server, filesystem, files, refusal, prefix: Vec::new() }
    }

    /// Names right below the prefix, in order, with the place in the table where each is found first.
    fn names(&self) -> Vec<(&'static [u8], usize, Fixed)> {
        let mut names: Vec<(&'static [u8], usize, Fixed)> = Vec::new();
        for (index, &(path, text)) in self.files.iter().enumerate() {
            let Some(rest) = path.as_bytes().strip_prefix(&self.prefix[..]) else { continue };
            match rest.iter().position(|&byte| byte == b'/') {
                None if rest.is_empty() => {}
                None => names.push((rest, index, Fixed::File(text))),
                Some(end) if names.iter().all(|(name, ..)| *name != &rest[..end]) => {
                    names.push((&rest[..end], index, Fixed::Folder));
                }
                Some(_) => {}
            }
        }
        names
    }
    fn number(&self, index: usize, folder: bool) -> u64 {
        // Deeper folders of one file have longer prefixes.
        16 + index as u64 * 64 + if folder { 1 + self.prefix.len() as u64 } else { 0 }
    }

    /// The file or folder of this name.
    pub fn find(&self, name: &[u8]) -> Option<Rc<Inode>> {
        let (index, fixed) = self.files.iter().enumerate().find_map(|(index, &(path, text))| {
            // Mostly the first byte differs.
            if path.as_bytes().get(self.prefix.len()) != name.first() {
                return None;
            }
            let rest = path.as_bytes().strip_prefix(&self.prefix[..])?.strip_prefix(name)?;
            match rest {
                [] => Some((index, Fixed::File(text))),
                [b'/', ..] => Some((index, Fixed::Folder)),
                _ => None,
            }
        })?;
        let server = self.server;
        Some(match fixed {
            Fixed::File(text) => {
                file(&self.filesystem, self.number(index, false), 0o444, (0, 0), move || Ok(text(server)))
            }
            Fixed::Folder => {
                let folder = Self { prefix: [&self.prefix[..], name, b"/"].concat(), ..self.clone() };
                directory(&self.filesystem, self.number(index, true), (0, 0), folder)
            }
        })
    }

    /// Lists what comes after a cookie. Whether `emit` took all.
    pub fn emit(&self, after: u64, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> bool {
        self.names().into_iter().enumerate().all(|(position, (name, index, fixed))| {
            let (kind, folder) = match fixed {
                Fixed::File(_) => (Kind::Regular, false),
                Fixed::Folder => (Kind::Directory, true),
            };
            let cookie = FIRST_COOKIE + position as u64;
            cookie <= after || emit(&Listed { name, number: self.number(index, folder), kind, cookie })
        })
    }
}

impl Directory for Folder {
    fn lookup(&self, name: &[u8]) -> Result<Rc<Inode>> {
        self.find(name).ok_or(Errno::ENOENT)
    }
    fn list(&self, after: u64, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        self.emit(after, emit);
        Ok(())
    }
    fn new_inode(&self, _: Template) -> Result<Rc<Inode>> {
        Err(self.refusal)
    }
}
