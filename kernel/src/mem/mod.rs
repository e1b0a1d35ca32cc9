//! Memory as the kernel sees it: the window through which it reaches physical memory, and the two kinds of reference to
//! objects that live there.
//!
//! **The invariant that makes `Ref` and `Link` sound.** One thread of control is in the kernel at a time. An object comes
//! into being when Retype clears its memory and makes the first capability to it; it ends when `lifecycle` deletes the
//! last one, which also clears every link to it. Its memory is used for something else only by a later Retype of the same
//! untyped, which needs every capability to the object gone and happens in an invocation of its own. So a reference
//! obtained from a capability or from a link of a live object stays readable until the kernel is left, even when the object
//! is deleted meanwhile; and fields are `Cell`s, so any number of such references may exist.
mod link;
mod window;

pub use link::{Link, Ref};
pub use window::{Entry, PhysAddr, copy_in, zero};
