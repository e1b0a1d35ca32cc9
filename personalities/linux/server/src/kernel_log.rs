//! What `dmesg` shows: the last lines of the log, and what programs add to it (syslog(2), /dev/kmsg).
//!
//! The server's lines come from the same place as those on the debug console, by way of [`chestnut_runtime::logger::listen`]. Bounded:
//! the oldest lines go.

use crate::capability::ticks;
use crate::server::Server;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::rc::{Rc, Weak};
use alloc::string::String;
use alloc::vec::Vec;
use chestnut_linux_files::buffer::{Sink, Source};
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::devfs::device_number;
use chestnut_linux_files::inode::{OpenRequest, Openable};
use chestnut_linux_files::open::{Attempt, File, Whence};
use chestnut_linux_files::vfs::{At, NodeKind};
use chestnut_linux_files::wait::{Alarm, Events, WaitQueue};
use chestnut_linux_files::{Errno, Result};
use core::cell::Cell;
use core::fmt;
use core::time::Duration;
use spinning_top::Spinlock;

/// Bytes that are kept (SYSLOG_ACTION_SIZE_BUFFER), and what a line counts beside its text.
pub const CAPACITY: usize = 64 << 10;
const RECORD: usize = 48;
/// Bytes of a line that a program writes.
const LINE_MAX: usize = 976;
/// Lines of programs are the user's (facility 1), and at least notices.
const USER: u8 = 1 << 3;
const DEFAULT_LEVEL: u8 = 4;
/// How often those who wait for lines look again: nobody tells when the server itself has logged something.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// Facility and level.
    priority: u8,
    micros: u64,
    text: String,
}

/// All that are kept.
pub struct Ring {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Number of the first line that is kept.
    first: u64,
    /// Number of the first line that SYSLOG_ACTION_CLEAR has not hidden.
    cleared: u64,
    /// Where SYSLOG_ACTION_READ goes on: a line, and a byte of what it is shown as.
    read: (u64, usize),
    ticks_per_micro: u64,
}

/// The log. There is one server, with one thread: nobody ever waits for this lock.
static LOG: Spinlock<Ring> = Spinlock::new(Ring::new());

/// The log, for a moment.
pub fn with<T>(look: impl FnOnce(&mut Ring) -> T) -> T {
    look(&mut LOG.lock())
}

/// Begins to keep lines.
pub fn start(ticks_per_micro: u64) {
    with(|ring| ring.ticks_per_micro = ticks_per_micro.max(1));
    chestnut_runtime::logger::listen(|level, text| {
        let priority = match level {
            log::Level::Error => 3,
            log::Level::Warn => 4,
            _ => 6,
        };
        add(priority, text);
    });
}

/// Adds a line.
pub fn add(priority: u8, text: fmt::Arguments<'_>) {
    let text = format!("{text}");
    with(|ring| {
        let micros = ticks() / ring.ticks_per_micro;
        ring.push(Line { priority, micros, text });
    });
}

impl Ring {
    const fn new() -> Self {
        Self { lines: VecDeque::new(), bytes: 0, first: 0, cleared: 0, read: (0, 0), ticks_per_micro: 1 }
    }

    fn next(&self) -> u64 {
        self.first + self.lines.len() as u64
    }
    fn get(&self, number: u64) -> Option<&Line> {
        self.lines.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn push(&mut self, line: Line) {
        self.bytes += line.text.len() + RECORD;
        self.lines.push_back(line);
        while self.bytes > CAPACITY {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.text.len() + RECORD;
            self.first += 1;
        }
        if self.read.0 < self.first {
            self.read = (self.first, 0);
        }
    }

    /// Nothing before now is shown by [`Ring::last`] any more.
    pub fn clear(&mut self) {
        self.cleared = self.next();
    }

    /// The last lines that fit into so many bytes, of those that weren't cleared.
    pub fn last(&self, most: usize) -> Vec<u8> {
        let mut shown: Vec<Vec<u8>> = Vec::new();
        let mut left = most;
        for number in (self.cleared.max(self.first)..self.next()).rev() {
            let Some(line) = self.get(number).map(Line::shown).filter(|line| line.len() <= left) else { break };
            left -= line.len();
            shown.push(line);
        }
        shown.into_iter().rev().flatten().collect()
    }

    /// Bytes that nobody has read by [`Ring::read`].
    pub fn unread(&self) -> usize {
        let (number, done) = self.read;
        let all: usize =
            (number..self.next()).filter_map(|number| self.get(number)).map(|line| line.shown().len()).sum();
        all.saturating_sub(done)
    }

    /// Takes up to so many bytes that nobody has read.
    pub fn read(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(line) = self.get(self.read.0).map(Line::shown) {
            let rest = line.get(self.read.1..).unwrap_or_default();
            let part = rest.len().min(most - bytes.len());
            bytes.extend_from_slice(&rest[..part]);
            if part < rest.len() {
                self.read.1 += part;
                break;
            }
            self.read = (self.read.0 + 1, 0);
        }
        bytes
    }
}

impl Line {
    /// As syslog(2) gives it.
    fn shown(&self) -> Vec<u8> {
        let (seconds, micros) = (self.micros / 1_000_000, self.micros % 1_000_000);
        format!("<{}>[{seconds:5}.{micros:06}] {}\n", self.priority, self.text).into_bytes()
    }
    /// As a read of /dev/kmsg gives it.
    fn record(&self, number: u64) -> Vec<u8> {
        let mut bytes = format!("{},{number},{},-;", self.priority, self.micros).into_bytes();
        for byte in self.text.bytes() {
            match byte {
                b' '..=b'~' if byte != b'\\' => bytes.push(byte),
                128.. => bytes.push(byte),
                _ => bytes.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            }
        }
        bytes.push(b'\n');
        bytes
    }
}

/// /dev/kmsg.
struct Device {
    changed: WaitQueue,
    _alarm: Rc<LookAgain>,
}

struct LookAgain(Rc<dyn Clock>);

impl Alarm for LookAgain {
    fn next(&self) -> Option<(Rc<dyn Clock>, Duration)> {
        Some((self.0.clone(), self.0.monotonic() + LOOK_AGAIN))
    }
}

/// A queue that wakes whoever waits on it again and again.
fn restless_queue(clock: Rc<dyn Clock>) -> (WaitQueue, Rc<LookAgain>) {
    let (queue, alarm) = (WaitQueue::new(), Rc::new(LookAgain(clock)));
    let weak: Weak<LookAgain> = Rc::downgrade(&alarm);
    queue.set_alarm(weak);
    (queue, alarm)
}

/// Waits until there is something that [`Ring::read`] would give.
pub async fn unread(clock: Rc<dyn Clock>) {
    let (queue, _alarm) = restless_queue(clock);
    while with(|ring| ring.unread()) == 0 {
        queue.wait(Events::READABLE).await;
    }
}

/// Makes /dev/kmsg.
pub fn mount(server: &Server, caller: &chestnut_linux_files::caller::Caller) -> Result<()> {
    const NUMBER: u64 = device_number(1, 11);
    let (changed, alarm) = restless_queue(server.clock.clone());
    server.vfs.register_device(false, NUMBER, Rc::new(Device { changed, _alarm: alarm }));
    let kind = NodeKind::CharacterDevice(NUMBER);
    server.vfs.make_node(caller, At::WorkingDirectory, b"/dev/kmsg", kind, 0o644).map(drop)
}

impl Openable for Device {
    fn open(&self, _: &OpenRequest<'_>) -> Result<Rc<dyn File>> {
        let first = with(|ring| ring.first);
        Ok(Rc::new(Reader { changed: self.changed.clone(), next: Cell::new(first) }))
    }
}

/// /dev/kmsg, open: each read gives one line, each write adds one.
struct Reader {
    changed: WaitQueue,
    next: Cell<u64>,
}

impl File for Reader {
    fn read(&self, _: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        let number = self.next.get();
        let record = with(|ring| {
            if number < ring.first {
                self.next.set(ring.first);
                return Err(Errno::EPIPE);
            }
            Ok(ring.get(number).ok_or(Errno::EAGAIN)?.record(number))
        })?;
        if record.len() > sink.remaining() {
            return Err(Errno::EINVAL);
        }
        let put = sink.put(&record)?;
        self.next.set(number + 1);
        Ok(put)
    }

    fn write(&self, _: &mut Attempt, _: u64, source: &mut dyn Source) -> Result<usize> {
        let length = source.remaining();
        if length > LINE_MAX {
            return Err(Errno::EINVAL);
        }
        let mut bytes = alloc::vec![0; length];
        let taken = source.take(&mut bytes)?;
        bytes.truncate(taken);
        let (priority, text) = priority_of(&bytes);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        add(priority, format_args!("{}", String::from_utf8_lossy(text)));
        self.changed.wake(Events::READABLE);
        Ok(taken)
    }

    fn seek(&self, whence: Whence, offset: i64, _: u64) -> Result<u64> {
        if offset != 0 {
            return Err(Errno::ESPIPE);
        }
        let place = with(|ring| match whence {
            Whence::Start => Ok(ring.first),
            Whence::End => Ok(ring.next()),
            Whence::Data => Ok(ring.cleared.max(ring.first)),
            _ => Err(Errno::EINVAL),
        })?;
        self.next.set(place);
        Ok(0)
    }

    fn readiness(&self) -> Events {
        let more = with(|ring| self.next.get() < ring.next());
        if more { Events::READABLE | Events::WRITABLE } else { Events::WRITABLE }
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.changed)
    }
}

/// What a line that a program writes begins with, `<N>`; nobody but the server is facility 0.
fn priority_of(bytes: &[u8]) -> (u8, &[u8]) {
    let given = || {
        let rest = bytes.strip_prefix(b"<")?;
        let end = rest.iter().take(4).position(|&byte| byte == b'>')?;
        let number: u16 = core::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
        let facility = (number & 0xf8) as u8;
        let level = (number & 7) as u8;
        Some((if facility == 0 { USER } else { facility } | level, &rest[end + 1..]))
    };
    given().unwrap_or((USER | DEFAULT_LEVEL, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(lines: &[&str]) -> Ring {
        let mut ring = Ring::new();
        lines.iter().for_each(|text| ring.push(Line { priority: 6, micros: 1_500_000, text: String::from(*text) }));
        ring
    }

    #[test]
    fn the_last_lines_that_fit_are_shown_until_they_are_cleared() {
        let mut ring = ring(&["one", "two"]);
        assert_eq!(ring.last(100), b"<6>[    1.500000] one\n<6>[    1.500000] two\n");
        assert_eq!(ring.last(25), b"<6>[    1.500000] two\n");
        ring.clear();
        assert_eq!(ring.last(100), b"");
        assert_eq!(ring.unread(), 44);
    }

    #[test]
    fn readers_take_bytes_where_the_last_one_left_off() {
        let mut ring = ring(&["one", "two"]);
        assert_eq!(ring.read(20), b"<6>[    1.500000] on");
        assert_eq!((ring.read(10), ring.unread()), (b"e\n<6>[    ".to_vec(), 14));
        assert_eq!((ring.read(100), ring.read(100)), (b"1.500000] two\n".to_vec(), Vec::new()));
    }

    #[test]
    fn the_oldest_lines_go() {
        let long = "x".repeat(10_000);
        let ring = ring(&[long.as_str(); 10]);
        assert_eq!((ring.first, ring.next(), ring.read), (4, 10, (4, 0)));
        assert!(ring.bytes <= CAPACITY);
    }

    #[test]
    fn programs_are_never_the_kernel() {
        assert_eq!(priority_of(b"<3>text"), (USER | 3, &b"text"[..]));
        assert_eq!(priority_of(b"<30>text"), (30, &b"text"[..]));
        assert_eq!(priority_of(b"<x>text"), (USER | DEFAULT_LEVEL, &b"<x>text"[..]));
        let line = Line { priority: 6, micros: 5, text: String::from("a\\b\u{e9}\n") };
        assert_eq!(line.record(7), "6,7,5,-;a\\x5cb\u{e9}\\x0a\n".as_bytes());
    }
}
