//! Reply objects: one for each call that the server has not answered yet.

use super::kernel::Kernel;
use super::{Count, OutOfMemory, Slot};
use alloc::vec::Vec;
use chestnut_abi::MessageInfo;
use core::cell::{Cell, RefCell};

/// Reply objects that hold no caller.
pub struct Replies {
    kernel: &'static Kernel,
    idle: RefCell<Vec<Slot>>,
    made: Cell<usize>,
}

/// A reply object: handed to a receive, it holds the caller until it is answered or the caller is suspended.
pub struct Reply {
    replies: &'static Replies,
    slot: Slot,
}

impl Replies {
    pub fn new(kernel: &'static Kernel) -> Self {
        Self { kernel, idle: RefCell::new(Vec::new()), made: Cell::new(0) }
    }

    pub fn allocate(&'static self) -> Result<Reply, OutOfMemory> {
        let idle = self.idle.borrow_mut().pop();
        let slot = match idle {
            Some(slot) => slot,
            None => {
                let slot = self.kernel.make_reply()?;
                self.made.set(self.made.get() + 1);
                slot
            }
        };
        Ok(Reply { replies: self, slot })
    }

    pub(super) fn counts(&self) -> Count {
        Count { made: self.made.get(), used: self.made.get() - self.idle.borrow().len() }
    }
}

impl Reply {
    pub(super) const fn slot(&self) -> Slot {
        self.slot
    }

    /// Answers the caller, if there is one still.
    pub fn send(&self, info: MessageInfo, word: u64) {
        self.replies.kernel.reply(self.slot, info, word);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.replies.idle.borrow_mut().push(self.slot);
    }
}
