//! Where things are that driver and tests agree on: slots of the root CNode, addresses, priorities, times.

/// The initial thread's scheduling control, which the driver copies here.
pub const SCHED_CONTROL: u64 = 0x4000;
/// Endpoint of the driver: threads say here how the test ended.
pub const FINISHED: u64 = 0x4001;
/// Endpoint of the driver, as the fault handler of threads that are not expected to fault.
pub const FAULTS: u64 = 0x4002;
/// Endpoint of the driver, for the watchdog.
pub const TIME_IS_UP: u64 = 0x4003;
/// The driver's endpoint, all rights, no badge.
pub const DRIVER: u64 = 0x4004;
/// The driver's reply object.
pub const DRIVER_REPLY: u64 = 0x4005;
/// A notification that nobody ever signals: threads that are done wait here.
pub const PARK: u64 = 0x4006;
/// COM1's ports.
pub const CONSOLE: u64 = 0x4007;
/// The debug-exit port.
pub const EXIT: u64 = 0x4008;
/// The emulator's debug console.
pub const DEBUG_CONSOLE: u64 = 0x4009;
/// The untyped that tests use.
pub const ARENA: u64 = 0x400a;
/// The untyped that the driver makes its own objects of.
pub const DRIVER_UNTYPED: u64 = 0x400b;
/// The largest untyped of device memory.
pub const DEVICE: u64 = 0x400c;
/// Always empty, as is the next.
pub const NOTHING: u64 = 0x400e;
/// Slots of the driver's own objects.
pub const DRIVER_SLOTS: core::ops::Range<u64> = 0x4010..0x4080;
/// Slots of the running test.
pub const TEST_SLOTS: core::ops::Range<u64> = 0x5000..0x7000;
/// The TCB of the thread that runs the test: the first thing made. Behind it are the thread's frames, then its scheduling context.
pub const MAIN_TCB: u64 = TEST_SLOTS.start;
pub const MAIN_CONTEXT: u64 = TEST_SLOTS.start + STACK_PAGES + 2;

/// Badges of the driver's endpoint.
pub const BADGE_FINISHED: u64 = 1;
pub const BADGE_FAULT: u64 = 2;
pub const BADGE_TIME: u64 = 3;

/// 2^24 bytes: room for large pages.
pub const ARENA_BITS: u64 = 24;
pub const DRIVER_UNTYPED_BITS: u64 = 18;

/// Memory of threads begins here: blocks of 64 KiB, in one page table that the driver makes.
pub const BLOCKS: u64 = 0x2000_0000;
pub const BLOCK_BYTES: u64 = 0x1_0000;
pub const BLOCK_COUNT: u64 = 32;
/// A stack is at the top of its block, the IPC buffer at its bottom.
pub const STACK_PAGES: u64 = 6;
/// The block of the watchdog; those of tests come after it.
pub const WATCHDOG_BLOCK: u64 = 0;

/// Where tests map pages: a page directory covers it, no page table. 2 MiB aligned.
pub const WINDOW: u64 = 0x3000_0000;
/// An address for which nothing at all is mapped below the root table.
pub const FAR: u64 = 0x0100_0000_0000;

/// The driver's and the initial thread's priority.
pub const HIGHEST: u64 = 255;
pub const WATCHDOG_PRIORITY: u64 = 254;
/// The priority of the thread that runs a test; helpers are a little above or below.
pub const MAIN: u64 = 100;
pub const ABOVE: u64 = 110;
pub const BELOW: u64 = 90;

/// How long a test may take, in microseconds.
pub const TIME_LIMIT_US: u64 = 30_000_000;
/// The slice of threads that are given no other, in microseconds.
pub const SLICE_US: u64 = 5_000;
