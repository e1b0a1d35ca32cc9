//! The process page: what the trampoline answers a process's calls from, kept as the server's own tables change.
//!
//! Ids are here, and which descriptors lead to files whose reads and writes need nothing but their arguments. The latter is kept by
//! the descriptor table itself, which has the page as its board, and only while no other process shares that
//! table: each of them would have a page that the other's changes must reach. The actions on signals are kept by
//! [`actions`](super::actions).

use super::Process;
use crate::capability::SharedPage;
use crate::server::Server;
use alloc::rc::Rc;
use chestnut_linux_files::open::{Board, Plain};
use chestnut_linux_trampoline::ProcessPage;
use chestnut_linux_trampoline::pages::plain;
use chestnut_linux_trampoline::view::Ids;
use core::cell::RefCell;

// The same bits in both places.
const _: () = assert!(
    Plain::READS_END.bits() == plain::READS_END
        && Plain::READS_ZEROS.bits() == plain::READS_ZEROS
        && Plain::DISCARDS.bits() == plain::DISCARDS
);

impl Board for SharedPage<ProcessPage> {
    fn show(&self, number: usize, plain: Plain) {
        // Descriptors that have no place there are the server's.
        self.view().set_plain(number, plain.bits());
    }
}

impl Server {
    /// Fills the page of a process that is new or has begun another program.
    pub fn begin_page(&self, process: &Process) {
        let page = process.own_pages.borrow().process.clone();
        page.view().initialise(process.shared_ids());
        for &number in self.reported.borrow().iter() {
            page.view().retire(number);
        }
        process.show_descriptors();
    }
}

impl Process {
    /// Shows the ids to the trampoline.
    pub fn publish_ids(&self) {
        self.own_pages.borrow().process.view().set_ids(self.shared_ids());
    }

    /// Shows the descriptors to the trampoline, whose page says nothing of them yet, unless others share them.
    pub fn show_descriptors(&self) {
        let page = self.own_pages.borrow().process.clone();
        self.files.borrow().borrow_mut().show_on(page);
    }

    /// Gives the process a copy of the descriptors that it has, shared with nobody.
    pub fn separate_descriptors(&self) {
        let old = self.descriptors();
        let own = old.borrow().clone();
        // It may be looked at by a call still; the page is the new one's.
        old.borrow_mut().stop_showing();
        *self.files.borrow_mut() = Rc::new(RefCell::new(own));
        self.show_descriptors();
    }

    fn shared_ids(&self) -> Ids {
        let ids = self.ids.get();
        Ids {
            pid: self.pid,
            ppid: self.visible_parent(),
            uid: ids.user,
            euid: ids.effective_user,
            gid: ids.group,
            egid: ids.effective_group,
        }
    }
}
