//! Descriptor tables: small numbers for open file descriptions.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::file::check_number;
use super::{Board, OpenFile, Plain, Weight};
use crate::{Errno, Result};

/// Descriptors of a table that are looked at to tell what it weighs.
const WEIGHED: usize = 512;

/// Where a number is in a table: beyond every table's end if it is negative.
#[inline]
const fn index(number: i32) -> usize {
    number as u32 as usize
}

/// One entry of a table.
#[derive(Clone)]
pub struct Descriptor {
    pub file: Rc<OpenFile>,
    /// FD_CLOEXEC.
    pub close_on_exec: bool,
}

/// A process's descriptors (shared by threads, and by processes under CLONE_FILES). `clone` is what fork does.
pub struct Descriptors {
    entries: Vec<Option<Descriptor>>,
    /// All numbers below are taken.
    free_from: usize,
    limit: usize,
    showing: Showing,
}

/// Where it is told which of them are plain to read and write.
enum Showing {
    /// Nowhere yet.
    No,
    On(Rc<dyn Board>),
    /// Nowhere ever: the table is more than one process's.
    Never,
}

impl Clone for Descriptors {
    fn clone(&self) -> Self {
        Descriptors {
            entries: self.entries.clone(),
            free_from: self.free_from,
            limit: self.limit,
            showing: Showing::No,
        }
    }
}

impl Descriptors {
    /// An empty table; `limit` is RLIMIT_NOFILE.
    pub fn new(limit: usize) -> Self {
        Descriptors { entries: Vec::new(), free_from: 0, limit, showing: Showing::No }
    }

    /// From now on `board`, which is empty, shows which are plain to read and write; not if the table is more than one process's.
    pub fn show_on(&mut self, board: Rc<dyn Board>) {
        if matches!(self.showing, Showing::Never) {
            return;
        }
        for (number, descriptor) in self.iter().filter(|(_, descriptor)| !descriptor.file.plain().is_empty()) {
            board.show(number as usize, descriptor.file.plain());
        }
        self.showing = Showing::On(board);
    }

    /// It is more than one process's from now on (CLONE_FILES), and no board can be all of theirs: what was shown is taken back.
    pub fn stop_showing(&mut self) {
        for (number, descriptor) in self.iter() {
            self.hide(number as usize, &descriptor.file);
        }
        self.showing = Showing::Never;
    }

    fn hide(&self, index: usize, file: &OpenFile) {
        if !file.plain().is_empty()
            && let Showing::On(board) = &self.showing
        {
            board.show(index, Plain::empty());
        }
    }

    /// Follows RLIMIT_NOFILE. Descriptors beyond it stay open.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// `EBADF` if there is no such descriptor.
    pub fn get(&self, number: i32) -> Result<&Rc<OpenFile>> {
        self.entry(number).map(|descriptor| &descriptor.file)
    }

    /// The entry itself, for F_GETFD.
    #[inline]
    pub fn entry(&self, number: i32) -> Result<&Descriptor> {
        self.entries.get(index(number)).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    /// F_SETFD.
    pub fn set_close_on_exec(&mut self, number: i32, close_on_exec: bool) -> Result<()> {
        let entry = self.entries.get_mut(index(number)).and_then(Option::as_mut);
        entry.ok_or(Errno::EBADF)?.close_on_exec = close_on_exec;
        Ok(())
    }

    /// `EMFILE` if there is no free number.
    pub fn check_room(&self) -> Result<()> {
        if self.lowest_free(0) < self.limit { Ok(()) } else { Err(Errno::EMFILE) }
    }

    /// The lowest free number. `EMFILE` if there is none below the limit, `ENFILE` if there are too many open files in all.
    pub fn insert(&mut self, file: Rc<OpenFile>, close_on_exec: bool) -> Result<i32> {
        self.insert_from(0, file, close_on_exec)
    }

    /// The lowest free number from `least` on (F_DUPFD). `EINVAL` if `least` is negative or not below the limit.
    pub fn insert_from(&mut self, least: i32, file: Rc<OpenFile>, close_on_exec: bool) -> Result<i32> {
        // Another number for what is open already costs little.
        if Rc::strong_count(&file) == 1 {
            check_number()?;
        }
        let least = usize::try_from(least).map_err(|_| Errno::EINVAL)?;
        if least >= self.limit {
            return Err(if least == 0 { Errno::EMFILE } else { Errno::EINVAL });
        }
        let index = self.lowest_free(least);
        if index >= self.limit {
            return Err(Errno::EMFILE);
        }
        self.put(index, Descriptor { file, close_on_exec })?;
        if least <= self.free_from {
            self.free_from = index + 1;
        }
        Ok(index as i32)
    }

    /// The lowest number from `least` on that is free: the table's length at most, if `least` isn't beyond.
    fn lowest_free(&self, least: usize) -> usize {
        let mut index = least.max(self.free_from);
        while self.entries.get(index).is_some_and(Option::is_some) {
            index += 1;
        }
        index
    }

    /// Takes what a number stands for.
    fn take(&mut self, index: usize) -> Option<Descriptor> {
        let taken = self.entries.get_mut(index)?.take()?;
        self.hide(index, &taken.file);
        self.free_from = self.free_from.min(index);
        Some(taken)
    }

    /// Two numbers at once, or none (pipe, socketpair).
    pub fn insert_pair(&mut self, files: [Rc<OpenFile>; 2], close_on_exec: bool) -> Result<[i32; 2]> {
        let [first, second] = files;
        let first = self.insert(first, close_on_exec)?;
        match self.insert(second, close_on_exec) {
            Ok(second) => Ok([first, second]),
            Err(error) => {
                self.close(first)?;
                Err(error)
            }
        }
    }

    /// dup(2).
    #[inline]
    pub fn duplicate(&mut self, number: i32) -> Result<i32> {
        let file = self.get(number)?;
        // Mostly the lowest free number has been taken before, and there is nothing to be shown.
        if let Some(None) = self.entries.get(self.free_from)
            && self.free_from < self.limit
            && file.plain().is_empty()
        {
            let (file, new) = (file.clone(), self.free_from);
            self.entries[new] = Some(Descriptor { file, close_on_exec: false });
            self.free_from = new + 1;
            return Ok(new as i32);
        }
        let file = file.clone();
        self.insert(file, false)
    }

    /// dup2(2) and, with `different` (equal numbers are `EINVAL`), dup3(2). Returns what was open under `target` before, which
    /// is closed when the caller drops it.
    pub fn duplicate_to(
        &mut self,
        number: i32,
        target: i32,
        close_on_exec: bool,
        different: bool,
    ) -> Result<Option<Rc<OpenFile>>> {
        if different && number == target {
            return Err(Errno::EINVAL);
        }
        let file = self.get(number)?.clone();
        let index = usize::try_from(target).map_err(|_| Errno::EBADF)?;
        if index >= self.limit {
            return Err(Errno::EBADF);
        }
        if number == target {
            return Ok(None);
        }
        let old = self.take(index);
        self.put(index, Descriptor { file, close_on_exec })?;
        Ok(old.map(|descriptor| descriptor.file))
    }

    /// close(2). Returns the file, which is closed when nobody holds it any more.
    pub fn close(&mut self, number: i32) -> Result<Rc<OpenFile>> {
        Ok(self.take(index(number)).ok_or(Errno::EBADF)?.file)
    }

    /// The same if that only takes the number away: others hold the file, nobody has locks on it, and no board shows it. `None` if there may be more to it,
    /// and nothing has been done.
    #[inline]
    pub fn close_held(&mut self, number: i32) -> Option<()> {
        let index = index(number);
        let entry = self.entries.get_mut(index)?;
        let file = &entry.as_ref()?.file;
        if Rc::strong_count(file) == 1 || file.may_be_locked() || !file.plain().is_empty() {
            return None;
        }
        *entry = None;
        self.free_from = self.free_from.min(index);
        Some(())
    }

    /// Closes all that have FD_CLOEXEC (execve).
    pub fn close_on_exec(&mut self) -> Vec<Rc<OpenFile>> {
        let mut closed = Vec::new();
        for index in 0..self.entries.len() {
            if self.entries[index].as_ref().is_some_and(|descriptor| descriptor.close_on_exec) {
                closed.extend(self.take(index).map(|descriptor| descriptor.file));
            }
        }
        closed
    }

    /// close_range(2) from `first` to `last`; with `only_mark` sets FD_CLOEXEC instead.
    pub fn close_range(&mut self, first: u32, last: u32, only_mark: bool) -> Result<Vec<Rc<OpenFile>>> {
        if first > last {
            return Err(Errno::EINVAL);
        }
        let mut closed = Vec::new();
        let end = self.entries.len().min((last as usize).saturating_add(1));
        for index in first as usize..end {
            if only_mark {
                if let Some(descriptor) = &mut self.entries[index] {
                    descriptor.close_on_exec = true;
                }
            } else if let Some(descriptor) = self.take(index) {
                closed.push(descriptor.file);
            }
        }
        Ok(closed)
    }

    /// Numbers that there is a place for: what a copy takes.
    pub fn places(&self) -> usize {
        self.entries.len()
    }

    /// Bytes that go when the table does, about: of a description that others have too, this one's share. What a large table weighs
    /// is told from a part of it, since somebody waits for the answer.
    pub fn weight(&self) -> Weight {
        let step = self.entries.len().div_ceil(WEIGHED).max(1) as u64;
        let mut sum = Weight::default();
        for entry in self.entries.iter().step_by(step as usize).flatten() {
            let (weight, holders) = (entry.file.weight(), Rc::strong_count(&entry.file) as u64);
            sum.bytes += weight.bytes / holders;
            sum.pages += weight.pages / holders;
        }
        let table = (self.entries.len() * size_of::<Option<Descriptor>>()) as u64;
        Weight { bytes: sum.bytes * step + table, pages: sum.pages * step }
    }

    /// All open descriptors in order (/proc/self/fd).
    pub fn iter(&self) -> impl Iterator<Item = (i32, &Descriptor)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| Some((index as i32, entry.as_ref()?)))
    }

    #[inline]
    fn put(&mut self, index: usize, descriptor: Descriptor) -> Result<()> {
        let plain = descriptor.file.plain();
        self.place(index, descriptor)?;
        if !plain.is_empty()
            && let Showing::On(board) = &self.showing
        {
            board.show(index, plain);
        }
        Ok(())
    }

    /// There was nothing at the number before.
    fn place(&mut self, index: usize, descriptor: Descriptor) -> Result<()> {
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = Some(descriptor);
            return Ok(());
        }
        self.put_beyond(index, descriptor)
    }

    /// The same for a number that there is no place for yet.
    #[cold]
    fn put_beyond(&mut self, index: usize, descriptor: Descriptor) -> Result<()> {
        self.entries.try_reserve(index + 1 - self.entries.len()).map_err(|_| Errno::ENOMEM)?;
        self.entries.resize_with(index, || None);
        self.entries.push(Some(descriptor));
        Ok(())
    }
}
