//! Reply object: a caller that waits, and its place in the stack of calls that a scheduling context has passed through.
//!
//! When A calls B and B calls C, A's scheduling context runs C. It names B's reply (the last call) as the top of its stack; below
//! that lies A's. A reply brings the context back to the caller of the topmost reply.

use super::data::{Reply, SchedContext};
use super::state::Kernel;
use crate::mem::{Link, Ref};

/// What stands above a reply in its stack.
#[derive(Clone, Copy, PartialEq)]
pub enum Above<'k> {
    /// It is in no stack, or cut off from what was above.
    Nothing,
    Reply(Ref<'k, Reply>),
    /// It is the top of this scheduling context's stack.
    SchedContext(Ref<'k, SchedContext>),
}

const IS_REPLY: usize = 1;

impl Reply {
    pub fn above<'k>(&self, k: Kernel<'k>) -> Above<'k> {
        let word = self.above.get();
        let link = Link::<Reply>::NONE;
        let context = Link::<SchedContext>::NONE;
        if word & IS_REPLY != 0 {
            link.set_word(word & !IS_REPLY);
            link.get(k).map_or(Above::Nothing, Above::Reply)
        } else {
            context.set_word(word);
            context.get(k).map_or(Above::Nothing, Above::SchedContext)
        }
    }

    /// Whether it is the top of this context's stack.
    #[inline(always)]
    pub fn is_top_of(&self, context: Ref<SchedContext>) -> bool {
        self.above.get() == context.address()
    }

    /// Whether nothing is above or below it.
    #[inline(always)]
    pub fn is_in_no_stack(&self) -> bool {
        self.above.get() == 0 && self.below.is_none()
    }

    pub fn set_above(&self, above: Above) {
        self.above.set(match above {
            Above::Nothing => 0,
            Above::Reply(reply) => reply.address().wrapping_add(IS_REPLY),
            Above::SchedContext(context) => context.address(),
        });
    }
}

impl<'k> Ref<'k, Reply> {
    /// Puts it on top of this context's stack.
    #[inline(always)]
    pub fn put_on_top(self, k: Kernel<'k>, context: Ref<'k, SchedContext>) {
        let below = context.reply.get(k);
        if let Some(below) = below {
            below.set_above(Above::Reply(self));
        }
        self.below.set(below);
        self.set_above(Above::SchedContext(context));
        context.reply.set(Some(self));
    }
}
