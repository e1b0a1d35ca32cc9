//! What a process wants done on signals, and where its trampoline reads and changes that.
//!
//! posix_spawn asks for the action of every signal there is, so who asks once is shown all of them, on the process page. Who changes
//! more than one gets the whole table onto the thread page, where the trampoline changes it without the server: that page is
//! the program's to write, so what is found there is what the process wants and nothing else, and SIGKILL and SIGSTOP are
//! not looked up there.
//!
//! Either is for a process whose table is its own: one that another process shares (CLONE_SIGHAND) stays here, since each of them
//! would have to be told of the other's changes. And the second is for one with a single thread that no filter restricts: its
//! server looks while that thread is stopped, and no two change the table at a time.

use super::signal::{Signal, SignalAction, SignalActions, SignalSet};
use super::{Process, Thread};
use alloc::rc::Rc;
use chestnut_linux_trampoline::{ThreadPage, View};
use core::cell::{Cell, RefCell};
use core::iter;

/// A table of actions that is a process's own, or several processes'.
pub type SharedActions = Rc<RefCell<SignalActions>>;

/// Where a process's actions are.
pub struct Actions {
    /// They are here, unless the thread has them.
    kept: RefCell<SharedActions>,
    /// The page of the thread that has them.
    given: Cell<Option<View<ThreadPage>>>,
    /// The server has changed one: at the next time the thread gets them.
    changed: Cell<bool>,
}

impl Actions {
    pub fn new(kept: SharedActions) -> Self {
        Self { kept: RefCell::new(kept), given: Cell::new(None), changed: Cell::new(false) }
    }
}

impl Process {
    #[inline]
    pub fn action(&self, signal: Signal) -> SignalAction {
        match self.actions.given.get() {
            None => self.actions.kept.borrow().borrow().get(signal),
            Some(page) => given(page, signal),
        }
    }
    /// Whether the signal, if it is not blocked, is thrown away when sent.
    #[inline]
    pub fn ignores(&self, signal: Signal) -> bool {
        self.action(signal).ignores(signal)
    }

    pub fn set_action(&self, signal: Signal, action: SignalAction) {
        if let Some(page) = self.actions.given.get() {
            return page.set_action(signal.number().into(), action.to_words());
        }
        self.actions.kept.borrow().borrow_mut().set(signal, action);
        let page = self.own_pages.borrow().process.view();
        if page.shows_actions() {
            page.show_actions(usize::from(signal.number()) - 1, iter::once(action.to_words()));
        }
    }

    /// All of them, as they are now.
    pub fn all_actions(&self) -> SignalActions {
        let mut all = self.actions.kept.borrow().borrow().clone();
        if let Some(page) = self.actions.given.get() {
            for signal in Signal::all() {
                all.set(signal, given(page, signal));
            }
        }
        all
    }

    /// A program has changed one by asking the server. Whoever does so again may do it alone from then on.
    pub fn action_was_set(&self, thread: &Thread) {
        let alone = self.threads.borrow().len() == 1 && Rc::strong_count(&self.actions.kept.borrow()) == 1;
        let is_given = self.actions.given.get().is_some();
        if !self.actions.changed.replace(true) || is_given || !alone || thread.is_restricted() || thread.ended.get() {
            return;
        }
        let page = thread.page();
        page.give_actions(self.actions.kept.borrow().borrow().all().iter().map(|action| action.to_words()));
        self.actions.given.set(Some(page));
        self.hide_actions();
    }

    /// They are the server's again: another thread comes, or another process that shares them, or a filter.
    pub fn keep_actions(&self) {
        if let Some(page) = self.actions.given.get() {
            let all = self.all_actions();
            *self.actions.kept.borrow().borrow_mut() = all;
            self.actions.given.set(None);
            page.keep_actions();
        }
        self.actions.changed.set(false);
    }
    /// The thread that has them, if one does, ends, and nobody will ask again.
    pub fn forget_actions(&self) {
        self.actions.given.set(None);
    }
    /// execve: handlers are gone, the table is nobody else's, and the thread gets another page.
    pub fn reset_actions(&self) {
        let mut actions = self.all_actions();
        actions.reset_handlers();
        self.actions.given.set(None);
        self.actions.changed.set(false);
        *self.actions.kept.borrow_mut() = Rc::new(RefCell::new(actions));
    }
    /// For a process that shall share them.
    pub fn share_actions(&self) -> SharedActions {
        self.keep_actions();
        self.hide_actions();
        self.actions.kept.borrow().clone()
    }
    /// What is told apart by kcmp(2).
    pub fn actions_key(&self) -> usize {
        Rc::as_ptr(&self.actions.kept.borrow()).addr()
    }

    /// From now on the trampoline tells of them, unless they are shared.
    pub fn show_actions(&self) {
        let kept = self.actions.kept.borrow();
        let page = self.own_pages.borrow().process.view();
        if Rc::strong_count(&kept) == 1 && self.actions.given.get().is_none() && !page.shows_actions() {
            page.show_actions(0, kept.borrow().all().iter().map(|action| action.to_words()));
        }
    }

    fn hide_actions(&self) {
        self.own_pages.borrow().process.view().hide_actions();
    }
}

/// What a thread's page says, as far as a process may want it.
#[inline(never)]
fn given(page: View<ThreadPage>, signal: Signal) -> SignalAction {
    if SignalSet::UNBLOCKABLE.contains(signal) {
        return SignalAction::default();
    }
    let action = SignalAction::from_words(page.action(signal.number().into()));
    SignalAction { mask: action.mask.without(SignalSet::UNBLOCKABLE), ..action }
}
