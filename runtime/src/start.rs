//! How a program of the runtime begins and how it ends when it can't go on.
//!
//! [`entry!`](crate::entry) makes a service of a function, [`root_entry!`](crate::root_entry) a root task. Both bring
//! a heap, the panic handler (which logs, then faults, so that root hears of it) and the address of the IPC buffer.
//!
//! A service starts with RDI = address of its [`StartInfo`], RSI = its length in bytes, RDX = address of the IPC buffer
//! and RSP = its stack. A root task starts with RDI = address of [`BootInfo`](chestnut_abi::BootInfo) and nothing else,
//! so its stack and its heap are part of its image.

use crate::heap::{Heap, More, Usage};
use crate::{cap::IoPort, ipc_buffer, logger};
use alloc::boxed::Box;
use chestnut_abi::BootInfo;
use chestnut_manifest::StartInfo;

#[cfg(target_os = "none")]
#[global_allocator]
static HEAP: Heap = Heap::new();
#[cfg(not(target_os = "none"))]
static HEAP: Heap = Heap::new();

/// Gives memory to the allocator.
///
/// # Safety
/// The memory is mapped, readable and writable, and used by nobody else from now on.
pub unsafe fn claim_heap(start: *mut u8, bytes: usize) {
    if bytes > 0 {
        // SAFETY: passed on.
        let claimed = unsafe { HEAP.claim(start, bytes) };
        assert!(claimed, "a heap of {bytes} bytes is too small");
    }
}

/// Asks `more` from now on when an allocation finds no room.
///
/// # Safety
/// `more` allocates nothing and frees nothing, and what it returns is mapped, readable and writable, and used by nobody else.
pub unsafe fn grow_heap_by(more: More) {
    // SAFETY: passed on.
    unsafe { HEAP.grow_by(more) };
}

/// What the program's heap holds.
pub fn heap_usage() -> Usage {
    HEAP.usage()
}

/// Bytes of the program's heap that are free.
pub fn heap_free() -> usize {
    HEAP.free_bytes()
}

/// What a service does before its own code: heap, IPC buffer, log.
///
/// # Safety
/// The arguments are what root's convention says of RDI, RSI and RDX; called once.
pub unsafe fn begin_service(info: *const u8, info_bytes: usize, buffer: usize) -> &'static StartInfo {
    // SAFETY: root maps the start information read-only for the life of the service.
    let bytes = unsafe { core::slice::from_raw_parts(info, info_bytes) };
    // SAFETY: root mapped an IPC buffer there, for the runtime alone.
    unsafe { ipc_buffer::set_address(buffer) };
    let (heap, heap_bytes) = StartInfo::heap(bytes).expect("the start information begins with the heap");
    // SAFETY: root maps the heap for the allocator alone.
    unsafe { claim_heap(heap as *mut u8, heap_bytes as usize) };
    let info = StartInfo::decode(bytes).expect("root encodes the start information of the same build");
    if let Some(port) = info.capability(logger::CAPABILITY) {
        logger::init(IoPort(port));
    }
    Box::leak(Box::new(info))
}

/// What a root task does before its own code.
///
/// # Safety
/// `info` is what the kernel passed in RDI; `heap` is memory for the allocator alone; called once.
pub unsafe fn begin_root(info: *const BootInfo, heap: *mut u8, heap_bytes: usize) -> &'static BootInfo {
    // SAFETY: the kernel maps the structure for the life of the root task and never writes it again.
    let info = unsafe { &*info };
    // SAFETY: the kernel says where it mapped the initial thread's IPC buffer.
    unsafe { ipc_buffer::set_address(info.ipc_buffer as usize) };
    // SAFETY: passed on.
    unsafe { claim_heap(heap, heap_bytes) };
    info
}

/// Ends the program by a fault that its fault handler sees: an invalid instruction.
pub fn fault() -> ! {
    #[cfg(target_os = "none")]
    // SAFETY: `ud2` raises an exception and goes no further.
    unsafe {
        core::arch::asm!("ud2", options(noreturn, nomem, nostack))
    }
    #[cfg(not(target_os = "none"))]
    panic!("fault")
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    logger::print(format_args!("{info}\n"));
    fault()
}

/// Makes `fn(&'static StartInfo) -> !` the program.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        ::core::arch::global_asm!(
            ".globl _start",
            "_start:",
            "xor ebp, ebp",
            "and rsp, -16",
            "call {begin}",
            "ud2",
            // Nobody comes here, unless root wants the service to go round in circles (`Manner::Spin`).
            "2:",
            "jmp 2b",
            begin = sym chestnut_begin,
        );

        unsafe extern "C" fn chestnut_begin(info: *const u8, info_bytes: usize, buffer: usize) -> ! {
            let main: fn(&'static $crate::StartInfo) -> ! = $main;
            // SAFETY: root starts each service with these registers, and `_start` runs once.
            main(unsafe { $crate::start::begin_service(info, info_bytes, buffer) })
        }
    };
}

/// Makes `fn(&'static BootInfo) -> !` the root task, with a stack and a heap of so many bytes in its image.
#[macro_export]
macro_rules! root_entry {
    ($main:path, stack: $stack:expr, heap: $heap:expr) => {
        #[repr(C, align(4096))]
        struct ChestnutMemory<const BYTES: usize>(::core::cell::UnsafeCell<[u8; BYTES]>);
        // SAFETY: only `_start` and `chestnut_begin` take the address, each for one purpose and once.
        unsafe impl<const BYTES: usize> Sync for ChestnutMemory<BYTES> {}
        static CHESTNUT_STACK: ChestnutMemory<{ $stack }> =
            ChestnutMemory(::core::cell::UnsafeCell::new([0; { $stack }]));
        static CHESTNUT_HEAP: ChestnutMemory<{ $heap }> =
            ChestnutMemory(::core::cell::UnsafeCell::new([0; { $heap }]));

        ::core::arch::global_asm!(
            ".globl _start",
            "_start:",
            "xor ebp, ebp",
            "lea rsp, [rip + {stack} + {bytes}]",
            "call {begin}",
            "ud2",
            stack = sym CHESTNUT_STACK,
            bytes = const $stack,
            begin = sym chestnut_begin,
        );

        unsafe extern "C" fn chestnut_begin(info: *const $crate::abi::BootInfo) -> ! {
            let main: fn(&'static $crate::abi::BootInfo) -> ! = $main;
            // SAFETY: the kernel passes bootinfo in RDI; the heap is used for nothing else, and `_start` runs once.
            main(unsafe { $crate::start::begin_root(info, CHESTNUT_HEAP.0.get().cast(), { $heap }) })
        }
    };
}
