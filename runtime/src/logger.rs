//! The log: lines of text on the emulator's debug console.
//!
//! The console is an I/O port (0xe9) that takes one byte at a time and never makes its writer wait. A service logs
//! if its manifest entry gives it the ports named `log`; without them its lines are dropped. Use the macros of
//! [`log`](mod@log).

use crate::cap::{IoPort, NULL};
use core::{
    fmt::{self, Write},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use spinning_top::Spinlock;

/// The debug console's I/O port.
pub const PORT: u16 = 0xe9;
/// The name under which a service has the port's capability.
pub const CAPABILITY: &str = "log";

static CONSOLE: AtomicU64 = AtomicU64::new(NULL);

/// Who else hears every line: its level and text.
pub type Listener = fn(log::Level, fmt::Arguments<'_>);

static LISTENER: Spinlock<Option<Listener>> = Spinlock::new(None);

/// From now on `listener` hears every line, too.
pub fn listen(listener: Listener) {
    *LISTENER.lock() = Some(listener);
}

/// Lines of [`log`](mod@log)'s macros, one by one on the debug console.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        CONSOLE.load(Relaxed) != NULL
    }

    fn log(&self, record: &log::Record<'_>) {
        let listener = *LISTENER.lock();
        if let Some(listener) = listener {
            listener(record.level(), *record.args());
        }
        let target = record.target();
        let target = target.strip_prefix("chestnut_").unwrap_or(target);
        let target = target.split("::").next().unwrap_or(target);
        match record.level() {
            log::Level::Error => print(format_args!("{target}: error: {}\n", record.args())),
            log::Level::Warn => print(format_args!("{target}: warning: {}\n", record.args())),
            _ => print(format_args!("{target}: {}\n", record.args())),
        }
    }

    fn flush(&self) {}
}

/// Sends the log to `port`, a capability that covers [`PORT`].
pub fn init(port: IoPort) {
    CONSOLE.store(port.0, Relaxed);
    // A second call finds the logger set, which is as good.
    let _ = log::set_logger(&Logger);
    log::set_max_level(log::LevelFilter::Info);
}

struct Console(IoPort);

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0.out8(PORT, byte).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}

/// Writes text as it is, without a level and a line's end.
pub fn print(arguments: fmt::Arguments<'_>) {
    let port = CONSOLE.load(Relaxed);
    if port != NULL {
        // What the console does not take is lost: there is nobody else to tell.
        let _ = Console(IoPort(port)).write_fmt(arguments);
    }
}
