//! Copying an address space lazily: both sides keep the same frames until one of them writes.

use super::area::Behaviour;
use super::space::{AddressSpace, Page, Shown};
use crate::pressure;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::Errno;

/// Heap bytes that a page and an area take in the child, with what is needed while they are copied.
const PAGE_RECORD: usize = 160;
const AREA_RECORD: usize = 256;

impl AddressSpace {
    /// A child's space: the same areas except the server's own, the same private pages, none of them shown yet. The
    /// parent's pages can be written again after a fault, which copies them while the child has them too.
    pub fn fork(&self) -> Result<Rc<Self>, Errno> {
        let bytes = self.resident() * PAGE_RECORD + self.area_count() * AREA_RECORD;
        if !pressure::allows(self.memory.capabilities.headroom(), bytes) {
            return Err(Errno::ENOMEM);
        }
        let child = Self::new(&self.memory)?;
        let mut mapped_files = Vec::new();
        {
            let mut state = self.state.borrow_mut();
            let mut new = child.state.borrow_mut();
            new.areas = state.areas.clone_those(|area| !area.behaviour.contains(Behaviour::FIXED));
            // In order, so that the tree of pages is built at once.
            let mut pages = Vec::with_capacity(state.pages.len());
            for (start, area) in new.areas.iter() {
                if let Shown::File { location, .. } = &area.shown {
                    mapped_files.push(location.inode().clone());
                }
                if area.behaviour.contains(Behaviour::SHARED) {
                    continue;
                }
                pages.extend(state.pages.range(start..area.end).map(|(&address, page)| {
                    (address, Page { frame: page.frame.clone(), shown: None, may_write: false })
                }));
            }
            new.pages = BTreeMap::from_iter(pages);
            new.break_start = state.break_start;
            new.break_end = state.break_end;
            self.refresh(&mut state, 0..u64::MAX);
        }
        for inode in mapped_files {
            child.watch(&inode);
        }
        child.map_top.set(self.map_top.get());
        child.stack_limit.set(self.stack_limit.get());
        child.size_limit.set(self.size_limit.get());
        child.data_limit.set(self.data_limit.get());
        child.marks.set(self.marks.get());
        Ok(child)
    }
}
