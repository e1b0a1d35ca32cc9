//! What a process wants done on signals, and where its trampoline reads that.
//!
//! posix_spawn asks for the action of every signal there is, so who asks once is shown all of them, on the process page. What is shown
//! belongs to this process alone: a table of actions that another process shares (CLONE_SIGHAND) is never shown, since each of
//! them would have to be told of the other's changes.

use super::Process;
use super::signal::{Signal, SignalAction};
use alloc::rc::Rc;
use core::iter;

impl Process {
    pub fn action(&self, signal: Signal) -> SignalAction {
        self.actions.borrow().borrow().get(signal)
    }

    pub fn set_action(&self, signal: Signal, action: SignalAction) {
        self.actions.borrow().borrow_mut().set(signal, action);
        let page = self.own_pages.borrow().process.view();
        if page.shows_actions() {
            page.show_actions(usize::from(signal.number()) - 1, iter::once(action.to_words()));
        }
    }

    /// From now on the trampoline tells of them, unless they are shared.
    pub fn show_actions(&self) {
        let actions = self.actions.borrow();
        let page = self.own_pages.borrow().process.view();
        if Rc::strong_count(&actions) == 1 && !page.shows_actions() {
            page.show_actions(0, actions.borrow().all().iter().map(|action| action.to_words()));
        }
    }

    /// Another process shares them from now on.
    pub fn hide_actions(&self) {
        self.own_pages.borrow().process.view().hide_actions();
    }
}
