//! Copying an address space lazily: both sides keep the same frames until one of them writes.

use super::area::{Behaviour, Protection};
use super::pages::GROUP_RECORD;
use super::space::{AddressSpace, Page, Shown};
use crate::pressure;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::Errno;

/// Heap bytes that an area takes in the child, with what is needed while it is copied.
const AREA_RECORD: usize = 256;

impl AddressSpace {
    /// A child's space: the same areas except the server's own, the same private pages, none of them shown yet. The
    /// parent's pages can be written again after a fault, which copies them while the child has them too.
    pub fn fork(&self) -> Result<Rc<Self>, Errno> {
        let groups = self.state.borrow().pages.groups();
        let bytes = groups * GROUP_RECORD + self.area_count() * AREA_RECORD;
        if !pressure::allows(self.memory.capabilities, bytes) {
            return Err(Errno::ENOMEM);
        }
        let main = Self::main_file(&self.state.borrow());
        let child = Self::for_program(&self.memory, main.as_ref())?;
        child.is_forked.set(true);
        let _ = child.parent.set(self.this.clone());
        let mut copies = self.copies();
        let mut mapped_files = Vec::new();
        {
            let mut state = self.state.borrow_mut();
            let mut new = child.state.borrow_mut();
            let left_out = Behaviour::FIXED.union(Behaviour::NOT_FORKED);
            new.areas = state.areas.clone_those(|area| !area.behaviour.intersects(left_out));
            if state.areas.iter().any(|(_, area)| area.behaviour.contains(Behaviour::LOCKED)) {
                new.areas.change(0..super::USER_END, super::locked::without_lock);
            }
            let areas = core::mem::take(&mut new.areas);
            for (start, area) in areas.iter() {
                child.adopt(&mut new, start, area);
                if let Shown::File { location, .. } = &area.shown {
                    mapped_files.push(location.inode().clone());
                }
                if area.behaviour.intersects(Behaviour::SHARED.union(Behaviour::WIPED_BY_FORK)) {
                    continue;
                }
                // What is the file's or all zeros the child finds by itself, and nobody writes to it where it is.
                state.pages.each_unusual_mut(start..area.end, |address, page| {
                    if page.of_file || page.frame == self.memory.zero {
                        return;
                    }
                    let of_child = |frame| Page { frame, shown: None, may_write: false, of_file: false };
                    if area.protection.contains(Protection::WRITE)
                        && let Some(copy) = copies.take(self, address, page)
                    {
                        if let Some(mut adopted) = new.pages.insert(address, of_child(copy)) {
                            child.hide(&mut adopted);
                        }
                        if let Some(own) = new.pages.get_mut(address) {
                            // A page that can't be shown now will be when it is asked for.
                            let _ = child.show(area, address, own);
                        }
                        return;
                    }
                    if let Some(mut adopted) = new.pages.insert(address, of_child(page.frame.clone())) {
                        child.hide(&mut adopted);
                    }
                    if let Some((mapping, now)) = &mut page.shown
                        && now.write
                    {
                        now.write = false;
                        self.space.protect(mapping, address, *now);
                    }
                });
            }
            new.areas = areas;
            new.break_start = state.break_start;
            new.break_end = state.break_end;
        }
        child.settle();
        for inode in mapped_files {
            child.watch(&inode);
        }
        child.map_top.set(self.map_top.get());
        child.stack_limit.set(self.stack_limit.get());
        child.size_limit.set(self.size_limit.get());
        child.data_limit.set(self.data_limit.get());
        child.marks.set(self.marks.get());
        child.expects_barriers.set(self.expects_barriers.get());
        Ok(child)
    }
}
