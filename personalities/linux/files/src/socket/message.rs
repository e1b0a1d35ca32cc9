//! Messages in a socket's queue, and who pays for them.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use super::ProcessCredentials;
use super::address::Name;
use super::flight::Rights;
use crate::buffer::Source;
use crate::wait::{Events, WaitQueue};
use crate::{Errno, Result};

/// What a message costs besides its bytes.
const OVERHEAD: usize = 512;
/// Bytes of one message of a stream; neighbours are joined up to this.
pub(super) const STREAM_MESSAGE: usize = 16384;

/// The memory of all messages together.
pub(super) struct Pool {
    used: Cell<usize>,
    pub(super) most: Cell<usize>,
}

impl Pool {
    pub(super) fn new(most: usize) -> Rc<Self> {
        Rc::new(Pool { used: Cell::default(), most: Cell::new(most) })
    }

    /// Bytes, overheads included.
    pub(super) fn used(&self) -> usize {
        self.used.get()
    }
}

/// What a socket has sent and nobody has read yet.
pub(super) struct Account {
    pool: Rc<Pool>,
    used: Cell<usize>,
    /// The sender's: who waits for room.
    waiters: WaitQueue,
}

impl Account {
    pub(super) fn new(pool: &Rc<Pool>, waiters: WaitQueue) -> Self {
        Account { pool: pool.clone(), used: Cell::default(), waiters }
    }

    /// Bytes, overheads included.
    pub(super) fn used(&self) -> usize {
        self.used.get()
    }

    /// `ENOBUFS` if all messages together have what they may.
    fn add(&self, amount: usize) -> Result<()> {
        let all = self.pool.used.get() + amount;
        if all > self.pool.most.get() {
            return Err(Errno::ENOBUFS);
        }
        self.pool.used.set(all);
        self.used.set(self.used.get() + amount);
        Ok(())
    }
}

/// A part of an account, given back when dropped.
struct Charge {
    account: Rc<Account>,
    amount: usize,
}

impl Charge {
    fn new(account: &Rc<Account>, amount: usize) -> Result<Self> {
        account.add(amount)?;
        Ok(Charge { account: account.clone(), amount })
    }

    fn grow(&mut self, amount: usize) -> Result<()> {
        self.account.add(amount)?;
        self.amount += amount;
        Ok(())
    }

    fn shrink(&mut self, amount: usize) {
        self.account.pool.used.set(self.account.pool.used.get() - amount);
        self.account.used.set(self.account.used.get() - amount);
        self.amount -= amount;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink(self.amount);
        self.account.waiters.wake(Events::WRITABLE);
    }
}

/// One message: what one send brought, or a part of it for streams.
pub(super) struct Message {
    bytes: Vec<u8>,
    /// How many of them have been read (streams).
    done: usize,
    pub(super) sender: ProcessCredentials,
    pub(super) from: Option<Name>,
    pub(super) rights: Option<Rights>,
    charge: Charge,
}

impl Message {
    /// Takes `length` bytes from the source. `ENOBUFS` without memory, `EFAULT` if they aren't all there.
    pub(super) fn new(
        account: &Rc<Account>,
        sender: ProcessCredentials,
        from: Option<Name>,
        source: &mut dyn Source,
        length: usize,
    ) -> Result<Self> {
        let charge = Charge::new(account, length + OVERHEAD)?;
        let mut bytes = Vec::new();
        fill(&mut bytes, source, length)?;
        Ok(Message { bytes, done: 0, sender, from, rights: None, charge })
    }

    /// May a further send of a stream be joined to this message?
    pub(super) fn takes_more(&self, account: &Rc<Account>, sender: ProcessCredentials, length: usize) -> bool {
        // Files mark a place in the stream: what comes after them isn't read with them.
        let fits = self.bytes.len() + length <= STREAM_MESSAGE;
        fits && self.rights.is_none() && self.sender == sender && Rc::ptr_eq(&self.charge.account, account)
    }

    pub(super) fn extend(&mut self, source: &mut dyn Source, length: usize) -> Result<()> {
        self.charge.grow(length)?;
        let filled = fill(&mut self.bytes, source, length);
        if filled.is_err() {
            self.charge.shrink(length);
        }
        filled
    }

    /// The bytes that haven't been read.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.done..]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.done += count;
    }
}

fn fill(bytes: &mut Vec<u8>, source: &mut dyn Source, length: usize) -> Result<()> {
    let start = bytes.len();
    bytes.try_reserve(length).map_err(|_| Errno::ENOBUFS)?;
    let taken = source.append_to(bytes, length);
    if taken != Ok(length) {
        bytes.truncate(start);
        return Err(taken.err().unwrap_or(Errno::EFAULT));
    }
    Ok(())
}
