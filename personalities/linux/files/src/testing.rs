//! A small world for this crate's tests: pages in the heap, a clock that is set by hand, a terminal line that remembers.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::task::Wake;

use crate::buffer::{SliceSink, SliceSource};
use crate::caller::{Caller, Credentials};
use crate::clock::{Clock, Timestamp};
use crate::inode::Filesystem;
use crate::open::{Attempt, OpenFile, OpenFlags};
use crate::page::{PAGE_SIZE, Page, PageRef, PageStore};
use crate::terminal::{JobControl, Line, Terminal};
use crate::vfs::{At, Follow, Location, Vfs};
use crate::{Errno, Result, tmpfs};

/// At most so many pages.
pub struct TestStore {
    total: u64,
    used: Rc<Cell<u64>>,
    next: Cell<u64>,
}

impl TestStore {
    pub fn new(total: u64) -> Rc<Self> {
        Rc::new(TestStore { total, used: Rc::default(), next: Cell::new(1) })
    }

    pub fn used(&self) -> u64 {
        self.used.get()
    }
}

impl PageStore for TestStore {
    fn allocate(&self) -> Result<PageRef> {
        if self.used.get() == self.total {
            return Err(Errno::ENOMEM);
        }
        self.used.set(self.used.get() + 1);
        self.next.set(self.next.get() + 1);
        let bytes = RefCell::new(vec![0; PAGE_SIZE]);
        Ok(Rc::new(TestPage { id: self.next.get(), bytes, used: self.used.clone() }))
    }

    fn available(&self) -> u64 {
        self.total - self.used.get()
    }

    fn total(&self) -> u64 {
        self.total
    }
}

struct TestPage {
    id: u64,
    bytes: RefCell<Vec<u8>>,
    used: Rc<Cell<u64>>,
}

impl Page for TestPage {
    fn id(&self) -> u64 {
        self.id
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        into.copy_from_slice(&self.bytes.borrow()[offset..offset + into.len()]);
    }

    fn write(&self, offset: usize, bytes: &[u8]) {
        self.bytes.borrow_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

impl Drop for TestPage {
    fn drop(&mut self) {
        self.used.set(self.used.get() - 1);
    }
}

/// Time passes when told to.
#[derive(Default)]
pub struct TestClock {
    now: Cell<Duration>,
    timers: RefCell<Vec<(Duration, u64, Waker)>>,
    next: Cell<u64>,
}

impl TestClock {
    pub fn advance(&self, by: Duration) {
        self.now.set(self.now.get() + by);
        let (due, later): (Vec<_>, Vec<_>) =
            self.timers.take().into_iter().partition(|(deadline, ..)| *deadline <= self.now.get());
        *self.timers.borrow_mut() = later;
        due.into_iter().for_each(|(.., waker)| waker.wake());
    }

    /// How many are to be woken.
    pub fn sleepers(&self) -> usize {
        self.timers.borrow().len()
    }
}

impl Clock for TestClock {
    fn realtime(&self) -> Timestamp {
        let now = self.now.get();
        Timestamp { seconds: 1_000_000 + now.as_secs() as i64, nanoseconds: now.subsec_nanos() }
    }

    fn monotonic(&self) -> Duration {
        self.now.get()
    }

    fn wake_at(&self, deadline: Duration, waker: &Waker) -> u64 {
        let number = self.next.replace(self.next.get() + 1);
        self.timers.borrow_mut().push((deadline, number, waker.clone()));
        number
    }

    fn forget(&self, deadline: Duration, number: u64) {
        self.timers.borrow_mut().retain(|(known, other, _)| (*known, *other) != (deadline, number));
    }
}

/// A tree with an empty tmpfs, and its user 0.
pub struct World {
    pub vfs: Vfs,
    pub caller: Caller,
    pub clock: Rc<TestClock>,
    pub store: Rc<TestStore>,
    pub filesystem: Rc<Filesystem>,
}

impl World {
    pub fn new() -> Self {
        Self::with_pages(4096)
    }

    pub fn with_pages(pages: u64) -> Self {
        let (clock, store) = (Rc::new(TestClock::default()), TestStore::new(pages));
        let filesystem = tmpfs::filesystem(1, clock.clone(), store.clone());
        let vfs = Vfs::new(tmpfs::root(&filesystem, 0o755));
        let caller = Caller::root(vfs.root());
        World { vfs, caller, clock, store, filesystem }
    }

    /// Another process in the same tree.
    pub fn user(&self, user: u32, group: u32) -> Caller {
        Caller { credentials: Credentials::user(user, group), ..self.caller.clone() }
    }

    pub fn mkdir(&self, path: &str) {
        self.vfs.make_directory(&self.caller, At::WorkingDirectory, path.as_bytes(), 0o755).unwrap();
    }

    pub fn symlink(&self, target: &str, path: &str) {
        self.vfs.make_symlink(&self.caller, target.as_bytes(), At::WorkingDirectory, path.as_bytes()).unwrap();
    }

    pub fn open(&self, path: &str, flags: OpenFlags) -> Result<Rc<OpenFile>> {
        self.open_as(&self.caller, path, flags)
    }

    pub fn open_as(&self, caller: &Caller, path: &str, flags: OpenFlags) -> Result<Rc<OpenFile>> {
        self.vfs.open(caller, At::WorkingDirectory, path.as_bytes(), flags, 0o644)
    }

    /// Makes a file with these bytes.
    pub fn write(&self, path: &str, bytes: &str) {
        let flags = OpenFlags::CREATE | OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE;
        let file = self.open(path, flags).unwrap();
        assert_eq!(put(&file, bytes.as_bytes()), Ok(bytes.len()));
    }

    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let file = self.open(path, OpenFlags::empty())?;
        get(&file, 1 << 20)
    }

    pub fn find(&self, path: &str) -> Result<Rc<Location>> {
        self.vfs.lookup(&self.caller, At::WorkingDirectory, path.as_bytes(), Follow::Yes)
    }

    pub fn find_link(&self, path: &str) -> Result<Rc<Location>> {
        self.vfs.lookup(&self.caller, At::WorkingDirectory, path.as_bytes(), Follow::No)
    }

    pub fn unlink(&self, path: &str) -> Result<()> {
        self.vfs.unlink(&self.caller, At::WorkingDirectory, path.as_bytes())
    }

    pub fn rmdir(&self, path: &str) -> Result<()> {
        self.vfs.remove_directory(&self.caller, At::WorkingDirectory, path.as_bytes())
    }

    pub fn rename(&self, old: &str, new: &str) -> Result<()> {
        self.rename_with(old, new, Default::default())
    }

    pub fn rename_with(&self, old: &str, new: &str, flags: crate::vfs::RenameFlags) -> Result<()> {
        let at = At::WorkingDirectory;
        self.vfs.rename(&self.caller, at.clone(), old.as_bytes(), at, new.as_bytes(), flags)
    }

    pub fn list(&self, path: &str) -> Vec<std::string::String> {
        let file = self.open(path, OpenFlags::DIRECTORY).unwrap();
        let mut names = Vec::new();
        file.list(&mut |listed| {
            names.push(std::string::String::from_utf8_lossy(listed.name).into_owned());
            true
        })
        .unwrap();
        names
    }
}

/// One try at writing.
pub fn put(file: &OpenFile, bytes: &[u8]) -> Result<usize> {
    file.try_write(&mut Attempt::once(), &mut SliceSource::new(bytes))
}

/// One try at reading at most `most` bytes.
pub fn get(file: &OpenFile, most: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let count = file.try_read(&mut Attempt::once(), &mut SliceSink::new(&mut bytes))?;
    bytes.truncate(count);
    Ok(bytes)
}

/// A future that is polled by hand, and how often it was woken.
pub struct Task<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<'a, T> Task<'a, T> {
    pub fn new(future: impl Future<Output = T> + 'a) -> Self {
        Task { future: Box::pin(future), wakes: Arc::default() }
    }

    pub fn poll(&mut self) -> Poll<T> {
        let waker = Waker::from(self.wakes.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    pub fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    /// Polls as an executor would: only if it was woken since.
    pub fn poll_if_woken(&mut self) -> Poll<T> {
        if self.wakes.0.swap(0, Ordering::Relaxed) > 0 { self.poll() } else { Poll::Pending }
    }
}

/// The result of a future that doesn't wait.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// A line that keeps what it is sent, up to `room` bytes.
pub struct TestLine {
    pub sent: RefCell<Vec<u8>>,
    pub room: Cell<usize>,
    pub pending: Cell<usize>,
    pub wanted: Cell<usize>,
}

impl TestLine {
    /// What was sent since the last time.
    pub fn take(&self) -> std::string::String {
        std::string::String::from_utf8(self.sent.take()).unwrap()
    }
}

impl Line for TestLine {
    fn send(&self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room.get());
        self.room.set(self.room.get() - count);
        self.sent.borrow_mut().extend_from_slice(&bytes[..count]);
        count
    }

    fn pending(&self) -> usize {
        self.pending.get()
    }

    fn input_wanted(&self) {
        self.wanted.set(self.wanted.get() + 1);
    }
}

/// Processes as a terminal sees them: groups 1–9 are in session 1, 10–19 in session 10.
#[derive(Default)]
pub struct TestJobs {
    pub signals: RefCell<Vec<(u32, u32)>>,
    pub hung_up: RefCell<Vec<u32>>,
    pub controlling: RefCell<Vec<(u32, bool)>>,
    pub left: RefCell<Vec<u32>>,
}

impl JobControl for TestJobs {
    fn signal_group(&self, group: u32, signal: u32) {
        self.signals.borrow_mut().push((group, signal));
    }

    fn session_of_group(&self, group: u32) -> Option<u32> {
        match group {
            1..10 => Some(1),
            10..20 => Some(10),
            _ => None,
        }
    }

    fn set_controlling_terminal(&self, session: u32, terminal: Option<Rc<Terminal>>) {
        self.controlling.borrow_mut().push((session, terminal.is_some()));
    }

    fn leave_terminal(&self, process: u32) {
        self.left.borrow_mut().push(process);
    }

    fn hang_up_leader(&self, session: u32) {
        self.hung_up.borrow_mut().push(session);
    }
}

/// A terminal, its line and its processes.
pub struct Desk {
    pub terminal: Rc<Terminal>,
    pub line: Rc<TestLine>,
    pub jobs: Rc<TestJobs>,
    pub clock: Rc<TestClock>,
    pub file: Rc<OpenFile>,
    pub caller: Caller,
}

impl Desk {
    /// Its caller leads session 1, which the terminal controls.
    pub fn new() -> Self {
        let world = World::new();
        let line = Rc::new(TestLine {
            sent: RefCell::default(),
            room: Cell::new(usize::MAX),
            pending: Cell::default(),
            wanted: Cell::default(),
        });
        let jobs = Rc::new(TestJobs::default());
        let terminal = Terminal::new(0x440, line.clone(), jobs.clone(), world.clock.clone());
        let mut caller = world.caller.clone();
        terminal.opened_by(&caller);
        caller.controlling_terminal = Some(terminal.clone());
        let file = OpenFile::anonymous(&world.filesystem, terminal.open(), b"tty", OpenFlags::READ_WRITE);
        Desk { terminal, line, jobs, clock: world.clock.clone(), file, caller }
    }

    pub fn type_in(&self, keys: &str) {
        assert_eq!(self.terminal.receive(keys.as_bytes()), keys.len());
    }

    pub fn read(&self) -> Result<std::string::String> {
        get(&self.file, 8192).map(|bytes| std::string::String::from_utf8(bytes).unwrap())
    }

    /// Changes the settings.
    pub fn set(&self, change: impl FnOnce(&mut crate::terminal::Settings)) {
        let mut settings = self.terminal.settings();
        change(&mut settings);
        self.terminal.set_settings(settings);
    }
}
