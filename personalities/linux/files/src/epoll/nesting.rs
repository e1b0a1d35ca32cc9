//! Instances in instances: no circles, and at most five in a row (ELOOP), so that a wake-up's way up is short.

use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;

use super::{Epoll, instance};
use crate::{Errno, Result};

/// Instances in a row, the outermost and the innermost included.
const DEPTH_MAX: usize = 5;

/// May `inner` become a member of `outer`?
pub(super) fn check(outer: &Rc<Epoll>, inner: &Rc<Epoll>) -> Result<()> {
    let mut reached = BTreeMap::new();
    let below = depth(inner, &children, &mut reached)?;
    let above = depth(outer, &parents, &mut BTreeMap::new())?;
    let circle = reached.contains_key(&Rc::as_ptr(outer).addr());
    if below + above > DEPTH_MAX || circle { Err(Errno::ELOOP) } else { Ok(()) }
}

/// `inner` is a member of `outer` now.
pub(super) fn join(outer: &Rc<Epoll>, inner: &Rc<Epoll>) {
    let mut parents = inner.parents.borrow_mut();
    parents.retain(|parent| parent.strong_count() > 0);
    parents.push(Rc::downgrade(outer));
}

/// `inner` is no member of `outer` any more (or one time less).
pub(super) fn leave(outer: &Rc<Epoll>, inner: &Rc<Epoll>) {
    let mut parents = inner.parents.borrow_mut();
    if let Some(at) = parents.iter().position(|parent| core::ptr::eq(parent.as_ptr(), Rc::as_ptr(outer))) {
        parents.swap_remove(at);
    }
}

/// The length of the longest row that begins here. Each instance is looked at once, however many ways lead to it.
fn depth(
    epoll: &Rc<Epoll>,
    next: &dyn Fn(&Epoll) -> Vec<Rc<Epoll>>,
    known: &mut BTreeMap<usize, usize>,
) -> Result<usize> {
    let key = Rc::as_ptr(epoll).addr();
    if let Some(&depth) = known.get(&key) {
        return Ok(depth);
    }
    // What is there already has no row longer than the limit, so this doesn't go deeper than that.
    let mut longest = 0;
    for other in next(epoll) {
        longest = longest.max(depth(&other, next, known)?);
    }
    known.insert(key, longest + 1);
    if longest + 1 > DEPTH_MAX { Err(Errno::ELOOP) } else { Ok(longest + 1) }
}

fn children(epoll: &Epoll) -> Vec<Rc<Epoll>> {
    let members = epoll.members.borrow();
    members.values().filter_map(|member| instance(&*member.file.upgrade()?)).collect()
}

fn parents(epoll: &Epoll) -> Vec<Rc<Epoll>> {
    epoll.parents.borrow().iter().filter_map(Weak::upgrade).collect()
}
