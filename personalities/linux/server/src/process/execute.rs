//! execve(2): a process becomes another program.

use super::signal::SignalSet;
use super::thread::{Activity, Thread};
use super::{Ids, OwnPages, persona};
use crate::exec::load::{self, Circumstances, Program};
use crate::memory::AddressSpace;
use crate::process::limits;
use crate::server::Server;
use crate::syscall::capabilities::become_capable;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::caller::Caller;
use chestnut_linux_files::inode::{Access, Inode, Kind, mode};
use chestnut_linux_files::vfs::{At, Follow, Location, Restrictions};
use chestnut_linux_files::wait::Events;
use chestnut_linux_files::{Errno, Result};
use chestnut_linux_trampoline::Frame;
use chestnut_linux_trampoline::pages::{AltStack, FxArea};
use core::cell::RefCell;

/// What an execve asks for, its strings copied.
pub struct ExecRequest {
    pub at: At,
    pub path: Vec<u8>,
    pub follow: Follow,
    pub arguments: Vec<Vec<u8>>,
    pub environment: Vec<Vec<u8>>,
}

impl Server {
    /// What a path leads to, if the caller may execute it.
    fn find_executable(&self, caller: &Caller, at: At, path: &[u8], follow: Follow) -> Result<Rc<Location>> {
        let location = self.vfs.lookup_or_self(caller, at, path, follow)?;
        if location.inode().is_symlink() {
            return Err(Errno::ELOOP);
        }
        if location.inode().kind() != Kind::Regular {
            return Err(Errno::EACCES);
        }
        location.inode().check(&caller.credentials, Access::EXECUTE)?;
        if location.restrictions().contains(Restrictions::NO_EXECUTION) {
            return Err(Errno::EACCES);
        }
        Ok(location)
    }

    /// Replaces the program of the thread's process. On success the thread's call is over: it starts anew.
    pub fn execute(&self, thread: &Rc<Thread>, request: ExecRequest) -> Result<()> {
        let process = &thread.process;
        let caller = process.caller.borrow().clone();
        let ExecRequest { at, path, follow, arguments, environment } = request;
        let location = self.find_executable(&caller, at, &path, follow)?;
        let keeps_ids = process.no_new_privileges.get() || location.restrictions().contains(Restrictions::NO_SET_ID);
        let ids = self.ids_after(process.ids.get(), location.inode(), keeps_ids);
        let name = base_name(&path);
        let old_ids = process.ids.get();
        let set_id = (ids.effective_user, ids.effective_group) != (old_ids.effective_user, old_ids.effective_group);
        let persona = process.persona.get() & if set_id { !persona::CLEARED_ON_SET_ID } else { !0 };
        let randomly = persona & persona::FIXED_ADDRESSES == 0;

        let mut own_pages: Option<OwnPages> = None;
        let mut map_own_pages = |space: &Rc<AddressSpace>| {
            let pages = self.own_pages_in(space, randomly)?;
            let vdso = pages.time_address + crate::memory::PAGE;
            own_pages = Some(pages);
            Ok(vdso)
        };
        let circumstances = Circumstances {
            find: &|path| self.find_executable(&caller, At::WorkingDirectory, path, Follow::Yes),
            random: &|bytes| self.generator.fill(bytes),
            randomly,
            ids: [ids.user, ids.effective_user, ids.group, ids.effective_group],
            secure: ids.user != ids.effective_user || ids.group != ids.effective_group,
            features: self.features,
            stack_limit: process.limits.borrow().soft(limits::STACK),
            map_own_pages: &mut map_own_pages,
        };
        let program = Program { location, file_name: path, arguments, environment };
        let loaded = load::load(&self.memory, program, circumstances)?;
        let own_pages = own_pages.ok_or(Errno::ENOMEM)?;
        loaded.space.size_limit.set(process.limits.borrow().soft(limits::SPACE));
        loaded.space.data_limit.set(process.limits.borrow().soft(limits::DATA));

        // From here on there is no way back.
        let others: Vec<Rc<Thread>> =
            process.threads.borrow().iter().filter(|other| !Rc::ptr_eq(other, thread)).cloned().collect();
        for other in others {
            self.end_thread(&other);
        }
        if thread.tid.get() != process.pid {
            self.table.rename_thread(thread, process.pid);
        }
        self.release_tid_word(thread);
        thread.robust_list.set((0, 0));
        self.pi_futexes.owner_ended(thread);
        thread.set_activity(Activity::Absent);
        thread.machine.suspend();

        process.timers.delete_posix();

        let mask = thread.mask();
        process.ids.set(ids);
        {
            let mut caller = process.caller.borrow_mut();
            caller.credentials.user = ids.effective_user;
            caller.credentials.group = ids.effective_group;
        }
        become_capable(process, process.capabilities.get().after_exec(ids, set_id));
        process.persona.set(persona);
        // Others of the same user may look into it, unless it can do more than they.
        process.dumpable.set(u32::from(ids.user == ids.effective_user && ids.group == ids.effective_group));
        if set_id {
            process.parent_death_signal.set(0);
        }
        let files = process.descriptors();
        let mut own_files = match Rc::strong_count(&files) {
            // The process's own and ours.
            1..=2 => None,
            _ => Some(files.borrow().clone()),
        };
        let closed = match &mut own_files {
            Some(own) => own.close_on_exec(),
            None => files.borrow_mut().close_on_exec(),
        };
        if let Some(own) = own_files {
            *process.files.borrow_mut() = Rc::new(RefCell::new(own));
        }
        closed.iter().for_each(|file| file.closed_by(process.pid));
        drop(closed);
        process.reset_actions();

        let old_space = process.space.replace(loaded.space.clone());
        let old_pages = process.own_pages.replace(own_pages);
        self.begin_page(process);
        let (page, address) = match self.thread_page(process, &loaded.space, thread.tid.get()) {
            Ok(page) => page,
            Err(_) => {
                self.end_process(process, super::Ending::Killed(super::signal::Signal::KILL));
                return Ok(());
            }
        };
        thread.replace_page(page, address);
        if thread.is_restricted() {
            thread.send_all_calls();
        }
        thread.enter();
        drop((old_space, old_pages));
        thread.page().set_frame(&Frame {
            rip: loaded.entry,
            rsp: loaded.stack_pointer,
            rflags: 0x202,
            number: u64::MAX,
            ..Frame::default()
        });
        thread.page().set_fx(&FxArea::INITIAL);
        thread.page().set_alt_stack(AltStack::default());
        thread.saved_mask.set(None);
        thread.awaited.set(SignalSet::EMPTY);
        thread.set_mask(mask);
        self.publish_pending(process);
        thread.name.set(name);
        *process.executable.borrow_mut() = Some(loaded.location);
        process.has_executed.set(true);
        process.has_left_parent.set(true);
        process.left_parent.wake(Events::all());
        if !thread.deliverable().is_empty() {
            thread.page().set_attention(true);
        }
        thread.start(0, 0);
        Ok(())
    }

    /// Set-id bits of the file.
    fn ids_after(&self, ids: Ids, inode: &Inode, keeps_ids: bool) -> Ids {
        let mut new = ids;
        if !keeps_ids {
            let bits = inode.permissions();
            if bits & mode::SET_USER != 0 {
                new.effective_user = inode.user();
            }
            if bits & mode::SET_GROUP != 0 && bits & mode::GROUP_EXECUTE != 0 {
                new.effective_group = inode.group();
            }
        }
        Ids { saved_user: new.effective_user, saved_group: new.effective_group, ..new }
    }
}

/// The thread's name after execve: the last part of the path, at most 15 bytes.
pub fn base_name(path: &[u8]) -> [u8; 16] {
    let base = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let mut name = [0; 16];
    let length = base.len().min(15);
    name[..length].copy_from_slice(&base[..length]);
    name
}
