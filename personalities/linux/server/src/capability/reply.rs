//! Reply objects: one for each call that the server has not answered yet.

use super::kernel::Kernel;
use super::{Count, OutOfMemory, Slot};
#[cfg(doc)]
use crate::process::thread::FLAGS;
use alloc::boxed::Box;
use alloc::vec::Vec;
use chestnut_abi::MessageInfo;
use core::cell::{Cell, RefCell};

/// Reply objects that hold no caller.
pub struct Replies {
    kernel: &'static Kernel,
    idle: RefCell<Vec<&'static Object>>,
    made: Cell<usize>,
}

/// The kernel's object. It stays for ever.
struct Object {
    slot: Slot,
    replies: &'static Replies,
}

/// A reply object: handed to a receive, it holds the caller until it is answered or the caller is suspended. One word, as it is handed on at every
/// call.
pub struct Reply(&'static Object);

/// A reply object that is kept for later. To be taken up again once.
#[derive(Clone, Copy)]
pub struct Kept(&'static Object);

impl Kept {
    #[inline(always)]
    pub const fn take_up(self) -> Reply {
        Reply(self.0)
    }
}

impl Replies {
    pub fn new(kernel: &'static Kernel) -> Self {
        Self { kernel, idle: RefCell::new(Vec::new()), made: Cell::new(0) }
    }

    pub fn allocate(&'static self) -> Result<Reply, OutOfMemory> {
        let idle = self.idle.borrow_mut().pop();
        let object = match idle {
            Some(object) => object,
            None => {
                let slot = self.kernel.make_reply()?;
                self.made.set(self.made.get() + 1);
                Box::leak(Box::new(Object { slot, replies: self }))
            }
        };
        Ok(Reply(object))
    }

    pub(super) fn counts(&self) -> Count {
        Count { made: self.made.get(), used: self.made.get() - self.idle.borrow().len() }
    }
}

impl Reply {
    pub(super) const fn slot(&self) -> Slot {
        self.0.slot
    }

    #[inline(always)]
    pub const fn keep(self) -> Kept {
        let kept = Kept(self.0);
        core::mem::forget(self);
        kept
    }

    /// Answers the caller, if there is one still, with these first words and [`FLAGS`].
    pub fn send(&self, info: MessageInfo, words: [u64; 2]) {
        self.0.replies.kernel.reply(self.0.slot, info, words);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.0.replies.idle.borrow_mut().push(self.0);
    }
}
