//! System V's objects for processes to meet at (sysvipc(7)): shared memory, semaphores, message queues; and POSIX's message queues,
//! which are alike in that they stay when their processes have gone.
//!
//! They have keys and ids, no names and no descriptors, belong to nobody's process and stay until they are removed. What that can take
//! of the server's memory is bounded by the limits here, which `/proc/sys/kernel` shows. The calls are in `syscall::shared_memory`,
//! `syscall::semaphores` and `syscall::message_queues`.

pub mod messages;
pub mod named;
pub mod semaphores;
pub mod shared;

use crate::process::Ids;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};
use core::cell::RefCell;
use messages::Queues;
use named::NamedQueues;
use semaphores::Sets;
use shared::Segments;

/// All there are.
#[derive(Default)]
pub struct Ipc {
    pub shared: RefCell<Segments>,
    pub semaphores: RefCell<Sets>,
    pub queues: RefCell<Queues>,
    /// POSIX ones.
    pub named: RefCell<NamedQueues>,
}

/// IPC_PRIVATE: an object that no key leads to.
pub const PRIVATE: u32 = 0;

/// Flags of the …get calls, beside nine bits of permissions.
pub mod flag {
    pub const CREATE: u32 = 0o1000;
    pub const EXCLUSIVE: u32 = 0o2000;
    pub const NO_WAIT: u32 = 0o4000;
}

/// Bits of permissions for an access: read, write (alter).
pub const READ: u32 = 0o4;
pub const WRITE: u32 = 0o2;

/// `struct ipc_perm`: whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    pub key: u32,
    pub user: u32,
    pub group: u32,
    pub creator: u32,
    pub creator_group: u32,
    /// Nine bits, and flags of the kind of object.
    pub mode: u32,
    pub sequence: u16,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Asker {
    pub ids: Ids,
    pub supplementary: Vec<u32>,
    /// CAP_IPC_OWNER: permissions don't matter.
    pub owns_all: bool,
    /// CAP_SYS_ADMIN: may change and remove everything.
    pub administers: bool,
}

impl Permissions {
    /// What an object of this key gets that `asker` makes.
    pub fn new(key: u32, flags: u32, asker: &Asker) -> Self {
        let (user, group) = (asker.ids.effective_user, asker.ids.effective_group);
        Self { key, user, group, creator: user, creator_group: group, mode: flags & 0o777, sequence: 0 }
    }

    /// `EACCES` unless `wanted` (of [`READ`] and [`WRITE`]) is allowed.
    pub fn check(&self, asker: &Asker, wanted: u32) -> Result<()> {
        let is_in = |group| group == asker.ids.effective_group || asker.supplementary.contains(&group);
        let granted = if [self.user, self.creator].contains(&asker.ids.effective_user) {
            self.mode >> 6
        } else if is_in(self.group) || is_in(self.creator_group) {
            self.mode >> 3
        } else {
            self.mode
        };
        if wanted & !granted & 0o7 == 0 || asker.owns_all { Ok(()) } else { Err(Errno::EACCES) }
    }
    /// `EPERM` unless the owner, the creator or an administrator asks (IPC_SET, IPC_RMID).
    pub fn check_owner(&self, asker: &Asker) -> Result<()> {
        let own = [self.user, self.creator].contains(&asker.ids.effective_user);
        if own || asker.administers { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// The 48 bytes of `struct ipc64_perm`.
    pub fn encode(&self) -> Vec<u8> {
        let words =
            [self.key, self.user, self.group, self.creator, self.creator_group, self.mode, self.sequence.into()];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(48, 0);
        bytes
    }
    /// What IPC_SET takes from such a structure: owner, group and nine bits.
    pub fn set(&mut self, bytes: &[u8; 48]) {
        let word = |index: usize| u32::from_le_bytes(core::array::from_fn(|byte| bytes[index * 4 + byte]));
        (self.user, self.group) = (word(1), word(2));
        self.mode = self.mode & !0o777 | word(5) & 0o777;
    }
}

/// What every kind of object has.
pub trait Object {
    fn permissions(&self) -> Permissions;
}

/// Objects of one kind, by index; an id is an index and a number that is another one each time the index is used again.
pub struct Table<T> {
    objects: BTreeMap<u16, (u16, T)>,
    sequence: u16,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), sequence: 0 }
    }
}

/// Ids of one index differ by this (IPCMNI).
const INDICES: u32 = 32768;

impl<T: Object + Clone> Table<T> {
    pub fn len(&self) -> usize {
        self.objects.len()
    }
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// All objects with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.objects.iter().map(|(&index, (sequence, object))| (id(index, *sequence), object))
    }
    /// The highest index in use (…_INFO's result).
    pub fn last_index(&self) -> u32 {
        self.objects.last_key_value().map_or(0, |(&index, _)| index.into())
    }

    /// The object of an id: `EINVAL` for ids that are none, `EIDRM` for one that is another's now.
    pub fn get(&self, wanted: u32) -> Result<T> {
        let index = u16::try_from(wanted % INDICES).map_err(|_| Errno::EINVAL)?;
        let (sequence, object) = self.objects.get(&index).filter(|_| wanted as i32 >= 0).ok_or(Errno::EINVAL)?;
        if id(index, *sequence) == wanted { Ok(object.clone()) } else { Err(Errno::EIDRM) }
    }
    /// The object at an index, with its id (…_STAT).
    pub fn at(&self, index: u32) -> Result<(u32, T)> {
        let index = u16::try_from(index).map_err(|_| Errno::EINVAL)?;
        let (sequence, object) = self.objects.get(&index).ok_or(Errno::EINVAL)?;
        Ok((id(index, *sequence), object.clone()))
    }

    /// What shmget(2) and its kin do with a key: the id of the object that has it, once `check` has seen it; or of one that `make` makes
    /// with this sequence number, `ENOSPC` if there are `most` already.
    pub fn find_or_make(
        &mut self,
        key: u32,
        flags: u32,
        most: usize,
        check: impl FnOnce(&T) -> Result<()>,
        make: impl FnOnce(u16) -> Result<T>,
    ) -> Result<u32> {
        if key != PRIVATE
            && let Some((id, object)) = self.iter().find(|(_, object)| object.permissions().key == key)
        {
            if flags & (flag::CREATE | flag::EXCLUSIVE) == flag::CREATE | flag::EXCLUSIVE {
                return Err(Errno::EEXIST);
            }
            return check(object).map(|()| id);
        }
        if key != PRIVATE && flags & flag::CREATE == 0 {
            return Err(Errno::ENOENT);
        }
        let free = (0..).zip(self.objects.keys()).find(|(place, index)| place != *index);
        let index = free.map_or(self.objects.len() as u16, |(place, _)| place);
        if self.objects.len() >= most {
            return Err(Errno::ENOSPC);
        }
        let object = make(self.sequence)?;
        self.objects.insert(index, (self.sequence, object));
        Ok(id(index, self.sequence))
    }

    /// Takes an object out: its id is nobody's from now on.
    pub fn remove(&mut self, wanted: u32) {
        let removed = u16::try_from(wanted % INDICES).ok().and_then(|index| self.objects.remove(&index));
        if removed.is_some() {
            // Ids stay positive.
            self.sequence = (self.sequence + 1) & 0x7fff;
        }
    }
}

fn id(index: u16, sequence: u16) -> u32 {
    u32::from(sequence) * INDICES + u32::from(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Object for Permissions {
        fn permissions(&self) -> Permissions {
            *self
        }
    }
    fn asker(user: u32, group: u32) -> Asker {
        let ids = Ids { effective_user: user, effective_group: group, ..Ids::default() };
        Asker { ids, supplementary: Vec::new(), owns_all: false, administers: false }
    }
    fn make(table: &mut Table<Permissions>, key: u32, flags: u32) -> Result<u32> {
        let new = Permissions::new(key, flags, &asker(5, 6));
        table.find_or_make(key, flags, 3, |_| Ok(()), |sequence| Ok(Permissions { sequence, ..new }))
    }

    #[test]
    fn a_key_leads_to_one_object_and_an_old_id_to_none() {
        let mut table = Table::default();
        assert_eq!(make(&mut table, 9, 0), Err(Errno::ENOENT));
        let first = make(&mut table, 9, flag::CREATE | 0o600).unwrap();
        assert_eq!(make(&mut table, 9, flag::CREATE), Ok(first));
        assert_eq!(make(&mut table, 9, flag::CREATE | flag::EXCLUSIVE), Err(Errno::EEXIST));
        let (second, third) = (make(&mut table, PRIVATE, 0).unwrap(), make(&mut table, PRIVATE, 0).unwrap());
        assert!(second != third && make(&mut table, PRIVATE, 0) == Err(Errno::ENOSPC));
        table.remove(second);
        assert_eq!(table.get(second), Err(Errno::EINVAL));
        let again = make(&mut table, PRIVATE, 0).unwrap();
        assert_eq!((again % INDICES, table.get(second)), (second % INDICES, Err(Errno::EIDRM)));
        assert_eq!((table.len(), table.last_index(), table.get(u32::MAX)), (3, 2, Err(Errno::EINVAL)));
    }

    #[test]
    fn permissions_are_the_owners_the_groups_and_the_others() {
        let object = Permissions::new(1, 0o640, &asker(5, 6));
        assert_eq!(object.check(&asker(5, 0), READ | WRITE), Ok(()));
        assert_eq!(object.check(&asker(7, 6), READ), Ok(()));
        assert_eq!(object.check(&asker(7, 6), WRITE), Err(Errno::EACCES));
        assert_eq!(object.check(&asker(7, 7), READ), Err(Errno::EACCES));
        assert_eq!(object.check(&Asker { owns_all: true, ..asker(7, 7) }, READ), Ok(()));
        assert_eq!((object.check_owner(&asker(5, 1)), object.check_owner(&asker(6, 6))), (Ok(()), Err(Errno::EPERM)));
        let mut bytes: [u8; 48] = object.encode().try_into().unwrap();
        bytes[4] = 77;
        let mut changed = object;
        changed.set(&bytes);
        assert_eq!(changed, Permissions { user: 77, ..object });
    }
}
