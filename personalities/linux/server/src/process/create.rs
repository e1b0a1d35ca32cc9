//! New processes and threads: fork(2), vfork(2), clone(2), clone3(2), and the first program of all.

use super::limits;
use super::signal::Signal;
use super::thread::Thread;
use super::{Beginning, Ids, OwnPages, Process};
use crate::capability::{Frame, SharedPage};
use crate::exec::load::OWN_PAGES;
use crate::memory::{AddressSpace, PAGE, Place, Protection};
use crate::pressure;
use crate::server::Server;
use alloc::rc::Rc;
use chestnut_linux_files::caller::Caller;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::open::{Descriptor, Descriptors, OpenFlags};
use chestnut_linux_files::{Errno, Result};
use chestnut_linux_trampoline::pages::AltStack;
use chestnut_linux_trampoline::view::Addresses;
use chestnut_linux_trampoline::{MmPage, ThreadPage};
use core::cell::RefCell;
use linux_raw_sys::general as linux;

/// What clone(2) asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloneRequest {
    /// CLONE_… without the exit signal.
    pub flags: u64,
    pub exit_signal: u8,
    /// 0: the parent's.
    pub stack: u64,
    pub parent_tid: u64,
    pub child_tid: u64,
    pub tls: u64,
    /// Where CLONE_PIDFD writes.
    pub pidfd: u64,
    /// The id that it shall have; 0: any.
    pub tid: u32,
}

const VM: u64 = linux::CLONE_VM as u64;
const FS: u64 = linux::CLONE_FS as u64;
const FILES: u64 = linux::CLONE_FILES as u64;
const SIGHAND: u64 = linux::CLONE_SIGHAND as u64;
const VFORK: u64 = linux::CLONE_VFORK as u64;
const PARENT: u64 = linux::CLONE_PARENT as u64;
const THREAD: u64 = linux::CLONE_THREAD as u64;
const SYSVSEM: u64 = linux::CLONE_SYSVSEM as u64;
const SETTLS: u64 = linux::CLONE_SETTLS as u64;
const PARENT_SETTID: u64 = linux::CLONE_PARENT_SETTID as u64;
const CHILD_CLEARTID: u64 = linux::CLONE_CHILD_CLEARTID as u64;
const DETACHED: u64 = linux::CLONE_DETACHED as u64;
const UNTRACED: u64 = linux::CLONE_UNTRACED as u64;
const PTRACE: u64 = linux::CLONE_PTRACE as u64;
const CHILD_SETTID: u64 = linux::CLONE_CHILD_SETTID as u64;
const PIDFD: u64 = linux::CLONE_PIDFD as u64;
const IO: u64 = linux::CLONE_IO as u64;
const CLEAR_SIGHAND: u64 = 1 << 32;
/// What works. UNTRACED and PTRACE have no effect where nobody is traced, nor IO without an I/O scheduler; SYSVSEM only among threads.
const KNOWN: u64 = VM
    | FS
    | FILES
    | SIGHAND
    | VFORK
    | PARENT
    | THREAD
    | SYSVSEM
    | SETTLS
    | PARENT_SETTID
    | CHILD_CLEARTID
    | DETACHED
    | UNTRACED
    | PTRACE
    | CHILD_SETTID
    | CLEAR_SIGHAND
    | PIDFD
    | IO;

/// `EINVAL` for combinations that clone(2) refuses, or that don't work here: namespaces, pidfds, and sharing memory or directories
/// with a process that is not a thread, unless the parent waits (vfork). `EPERM` for a thread area that no program can have.
fn check(request: &CloneRequest) -> Result<()> {
    let has = |flag| request.flags & flag != 0;
    let wrong = request.flags & !KNOWN != 0
        || (has(THREAD) && !has(SIGHAND))
        || (has(SIGHAND) && !has(VM))
        || (has(SIGHAND) && has(CLEAR_SIGHAND))
        || (has(PIDFD) && (has(THREAD) || has(DETACHED)))
        || request.exit_signal > Signal::COUNT as u8;
    // Threads share the directories and umask of their process; another process has its own.
    let half = if has(THREAD) { !(has(FILES) && has(FS)) } else { has(FS) };
    match () {
        () if wrong || half => Err(Errno::EINVAL),
        () if has(SETTLS) && request.tls > crate::memory::USER_END => Err(Errno::EPERM),
        () => Ok(()),
    }
}

/// Where a process's own pages are.
#[derive(Clone, Copy)]
struct PageAddresses {
    text: u64,
    /// The vDSO is on the page above.
    time: u64,
    mm: u64,
    process: u64,
}

/// Maps a page of the server's own, shown at once: it is used before a fault could be served.
fn put_page(
    space: &AddressSpace,
    address: u64,
    label: &'static str,
    frame: &Frame,
    protection: Protection,
) -> Result<()> {
    space.map_pages(Place::IfFree(address), label, Rc::new([frame.clone()]), protection)?;
    space.show_all(address..address + PAGE).map_err(|_| Errno::ENOMEM)
}

impl Server {
    /// clone(2) by a thread whose whole state is in its page. Returns the new thread, which has started.
    pub fn clone_thread(&'static self, parent: &Rc<Thread>, request: CloneRequest) -> Result<Rc<Thread>> {
        check(&request)?;
        let has = |flag| request.flags & flag != 0;
        let process_limit = parent.process.limits.borrow().soft(limits::PROCESSES);
        if self.table.is_full(process_limit) {
            return Err(Errno::EAGAIN);
        }
        let tid = match request.tid {
            0 => self.table.new_id().ok_or(Errno::EAGAIN)?,
            chosen if self.table.is_free(chosen) => chosen,
            _ => return Err(Errno::EEXIST),
        };
        if has(THREAD) {
            parent.process.keep_actions();
        }
        let process = if has(THREAD) { parent.process.clone() } else { self.fork_process(parent, &request, tid)? };
        let pidfd = if has(PIDFD) { Some(self.give_pidfd(parent, &process, request.pidfd)?) } else { None };
        let thread = self.add_thread(&process, tid).inspect_err(|_| {
            if let Some(pidfd) = pidfd {
                drop(parent.process.descriptors().borrow_mut().close(pidfd as i32));
            }
        })?;
        thread.set_schedule(parent.schedule.get().inherited());
        thread.io_priority.set(parent.io_priority.get());
        let (slack, _) = parent.timer_slack.get();
        thread.timer_slack.set((slack, slack));
        thread.restrict(parent.seccomp().clone());
        if !has(THREAD) {
            self.table.add_process(&process);
            if let Some(owner) = self.table.process(process.parent.get()) {
                owner.children.borrow_mut().push(process.clone());
            }
        }

        let (page, parent_page) = (thread.page(), parent.page());
        let mut frame = parent_page.frame();
        frame.rax = 0;
        // What the program sees in them after a system call.
        frame.rcx = frame.rip;
        frame.r11 = frame.rflags;
        if request.stack != 0 {
            frame.rsp = request.stack;
        }
        page.set_frame(&frame);
        page.set_fx(&parent_page.fx());
        thread.set_mask(parent.mask());
        if !has(VM) || has(VFORK) {
            page.set_alt_stack(parent_page.alt_stack());
        } else {
            page.set_alt_stack(AltStack::default());
        }
        thread.name.set(parent.name.get());
        // Failing to write these ids is not an error of clone.
        if has(PARENT_SETTID) {
            let _ = parent.space().write_u32(request.parent_tid, tid);
        }
        if has(CHILD_SETTID) {
            let _ = thread.space().write_u32(request.child_tid, tid);
        }
        if has(CHILD_CLEARTID) {
            thread.clear_tid_address.set(request.child_tid);
        }
        let registers = parent.machine.registers();
        thread.start(if has(SETTLS) { request.tls } else { registers.fs_base }, registers.gs_base);
        Ok(thread)
    }

    /// A descriptor of the parent's for its new child.
    fn give_pidfd(&self, parent: &Rc<Thread>, child: &Rc<Process>, address: u64) -> Result<u32> {
        let pidfd = self.open_process(&parent.process, child, OpenFlags::empty())?;
        parent.space().write_u32(address, pidfd).inspect_err(|_| {
            drop(parent.process.descriptors().borrow_mut().close(pidfd as i32));
        })?;
        Ok(pidfd)
    }

    fn fork_process(&'static self, parent: &Rc<Thread>, request: &CloneRequest, pid: u32) -> Result<Rc<Process>> {
        let has = |flag| request.flags & flag != 0;
        let old = &parent.process;
        let table = old.descriptors().borrow().places() * size_of::<Option<Descriptor>>();
        if !pressure::allows(self.capabilities, table) {
            return Err(Errno::ENOMEM);
        }
        let (space, own_pages) = if has(VM) {
            let space = old.space();
            let pages = self.own_pages_beside(&space, &old.own_pages.borrow())?;
            (space, pages)
        } else {
            let space = old.space().fork()?;
            let pages = self.own_pages_like(&space, &old.own_pages.borrow())?;
            (space, pages)
        };
        let files = if has(FILES) {
            old.descriptors().borrow_mut().stop_showing();
            old.descriptors()
        } else {
            Rc::new(RefCell::new(old.descriptors().borrow().clone()))
        };
        let actions = if has(SIGHAND) {
            old.share_actions()
        } else {
            let mut actions = old.all_actions();
            if has(CLEAR_SIGHAND) {
                actions.reset_handlers();
            }
            Rc::new(RefCell::new(actions))
        };
        let mut caller = old.caller.borrow().clone();
        caller.process = pid;
        let parent_pid = if has(PARENT) { old.parent.get() } else { old.pid };
        let exit_signal = if has(PARENT) { old.exit_signal.get() } else { request.exit_signal };
        let process = Process::new(Beginning {
            pid,
            parent: parent_pid,
            group: old.group.get(),
            session: old.session.get(),
            space,
            own_pages,
            files,
            caller,
            ids: old.ids.get(),
            actions,
            limits: old.limits.borrow().clone(),
            exit_signal,
            name: old.name.get(),
            started: self.clock.monotonic(),
        });
        *process.executable.borrow_mut() = old.executable.borrow().clone();
        process.dumpable.set(old.dumpable.get());
        process.no_new_privileges.set(old.no_new_privileges.get());
        process.capabilities.set(old.capabilities.get());
        process.persona.set(old.persona.get());
        process.oom_adjustment.set(old.oom_adjustment.get());
        process.holds_much.set(old.holds_much.get());
        self.begin_page(&process);
        if process.limits.borrow().soft(limits::PROCESSOR) != limits::INFINITY {
            self.watch_limit(&process);
        }
        Ok(process)
    }

    /// A process without program or threads: the one that stands for init, and the launcher's before their execve.
    pub fn new_process(&self, pid: u32, parent: u32, caller: Caller) -> Result<Rc<Process>> {
        let space = AddressSpace::new(&self.memory)?;
        let own_pages = self.own_pages_in(&space, true)?;
        let limits = limits::Limits::default();
        let files = Rc::new(RefCell::new(Descriptors::new(limits.soft(limits::FILES) as usize)));
        let process = Process::new(Beginning {
            pid,
            parent,
            group: pid,
            session: pid,
            space,
            own_pages,
            files,
            caller,
            ids: Ids::default(),
            actions: Rc::default(),
            limits,
            exit_signal: Signal::CHLD.number(),
            name: *b"init\0\0\0\0\0\0\0\0\0\0\0\0",
            started: self.clock.monotonic(),
        });
        self.table.add_process(&process);
        Ok(process)
    }

    /// A thread of a process, entered into its space but not started.
    pub fn add_thread(&self, process: &Rc<Process>, tid: u32) -> Result<Rc<Thread>> {
        let machine = self.capabilities.threads.allocate().map_err(|_| Errno::EAGAIN)?;
        let (page, address) = self.thread_page(process, &process.space(), tid)?;
        let thread = Thread::new(process, tid, machine, page, address, self.clock.tsc_mhz());
        thread.enter();
        process.threads.borrow_mut().push(thread.clone());
        self.table.add_thread(&thread);
        self.publish_pending(process);
        Ok(thread)
    }

    /// A thread page, mapped in the space of a process whose other pages are there already.
    pub fn thread_page(
        &self,
        process: &Process,
        space: &AddressSpace,
        tid: u32,
    ) -> Result<(SharedPage<ThreadPage>, u64)> {
        let page = SharedPage::<ThreadPage>::allocate(self.capabilities.frames).map_err(|_| Errno::ENOMEM)?;
        let pages = process.own_pages.borrow();
        page.view().initialise(
            tid,
            Addresses { process: pages.process_address, time: pages.time_address, mm: pages.mm_address },
        );
        page.view().set_traced(pages.process_address, self.tracing.get());
        let place = space.room_in(OWN_PAGES, PAGE).ok_or(Errno::ENOMEM)?;
        put_page(space, place, "[thread]", page.frame(), Protection::READ | Protection::WRITE)?;
        Ok((page, place))
    }

    /// Maps what every process shares with the server into a new program's space, somewhere else for each program.
    /// `randomly`; else always at the same place.
    pub fn own_pages_in(&self, space: &Rc<AddressSpace>, randomly: bool) -> Result<OwnPages> {
        let mut random = [0; 8];
        if randomly {
            self.generator.fill(&mut random);
        }
        // Text, vDSO, time page, mm page and process page, from the top; below are thread pages.
        const PAGES: u64 = 5;
        let top = OWN_PAGES.end - u64::from_le_bytes(random) % (1 << 17) * PAGE;
        let text_address = top - PAGE;
        let addresses = PageAddresses {
            text: text_address,
            time: text_address - 2 * PAGE,
            mm: text_address - 3 * PAGE,
            process: top - PAGES * PAGE,
        };
        self.map_own_pages(space, addresses)
    }

    /// The same where a forked child must find them: where its parent has them.
    fn own_pages_like(&self, space: &Rc<AddressSpace>, parent: &OwnPages) -> Result<OwnPages> {
        let OwnPages { text_address, time_address, mm_address, process_address, .. } = *parent;
        let addresses =
            PageAddresses { text: text_address, time: time_address, mm: mm_address, process: process_address };
        self.map_own_pages(space, addresses)
    }

    /// A process page beside those of a process that shares the space.
    fn own_pages_beside(&self, space: &Rc<AddressSpace>, other: &OwnPages) -> Result<OwnPages> {
        let process = Rc::new(SharedPage::allocate(self.capabilities.frames).map_err(|_| Errno::ENOMEM)?);
        let place = space.room_in(OWN_PAGES, PAGE).ok_or(Errno::ENOMEM)?;
        put_page(space, place, "[process]", process.frame(), Protection::READ)?;
        Ok(OwnPages { process, process_address: place, mm: other.mm.clone(), ..*other })
    }

    fn map_own_pages(&self, space: &Rc<AddressSpace>, at: PageAddresses) -> Result<OwnPages> {
        let frames = self.capabilities.frames;
        let no_memory = |_| Errno::ENOMEM;
        let process = Rc::new(SharedPage::allocate(frames).map_err(no_memory)?);
        // Full of zeros: nobody waits.
        let mm = Rc::new(SharedPage::<MmPage>::allocate(frames).map_err(no_memory)?);
        let (read, execute) = (Protection::READ, Protection::READ | Protection::EXECUTE);
        put_page(space, at.text, "[trampoline]", &self.text, execute)?;
        // The vDSO finds the time page just below itself.
        put_page(space, at.time, "[vvar]", self.clock.time_page().frame(), read)?;
        put_page(space, at.time + PAGE, "[vdso]", &self.vdso, execute)?;
        put_page(space, at.mm, "[mm]", mm.frame(), read)?;
        put_page(space, at.process, "[process]", process.frame(), read)?;
        Ok(OwnPages {
            process,
            process_address: at.process,
            mm,
            mm_address: at.mm,
            text_address: at.text,
            time_address: at.time,
        })
    }
}
