//! The bare-metal binary: boot, the processor's entries, and the kernel library between them.
#![no_std]
#![no_main]
// Stand-in until the core is here.
#![allow(clippy::undocumented_unsafe_blocks)]

#[path = "main/start.rs"]
mod start;
#[path = "main/stubs.rs"]
mod stubs;

use core::cell::Cell;
use kernel::arch::{self, Context, Hex};
use kernel::boot;
use kernel::print_line;

struct Standin {
    current: Context,
    faults: Cell<u64>,
    ticks: Cell<u64>,
}
unsafe impl Sync for Standin {}
static T: Standin = Standin { current: Context::new(), faults: Cell::new(0), ticks: Cell::new(0) };

extern "C" fn start(info: u64) {
    arch::console_init();
    match boot::discover(info, &stubs::entry_points()) {
        Ok(hardware) => standin(hardware),
        Err(message) => {
            print_line!("chestnut: boot failed: ", message);
            arch::stop()
        }
    }
}

core::arch::global_asm!(
    ".global user_blob",
    "user_blob:",
    "mov rbx, 0x1122334455667788",
    "mov r12, 0xbbb",
    "pushf",
    "mov rdx, 77",
    "mov rdi, 5",
    "syscall",
    "fld1",
    "fstp st(0)",
    "mov rdx, 78",
    "syscall",
    "mov rax, [0x123456]",
    "mov rdx, 79",
    "syscall",
    "1: jmp 1b",
    ".global user_blob_end",
    "user_blob_end:",
);

fn standin(hardware: boot::Hardware) {
    unsafe extern "C" {
        static user_blob: u8;
        static user_blob_end: u8;
    }
    let mut free = hardware.free.clone();
    let mut page = || {
        let p = free.take(4096, 12, u64::MAX).unwrap_or(0);
        let v = (p + abi::layout::KERNEL_WINDOW) as *mut u64;
        unsafe { v.write_bytes(0, 512) };
        (p, v)
    };
    let (pml4, a) = page();
    let (pdpt, b) = page();
    let (pd, c) = page();
    let (pt, d) = page();
    let (code, e) = page();
    unsafe {
        a.write(pdpt | 7);
        a.add(511).write(arch::kernel_pml4_entry());
        b.write(pd | 7);
        c.add(2).write(pt | 7);
        d.write(code | 7);
        core::ptr::copy_nonoverlapping(
            &raw const user_blob,
            e as *mut u8,
            (&raw const user_blob_end as usize) - (&raw const user_blob as usize),
        );
    }
    use abi::registers::Register;
    T.current.set(Register::Rip, 0x400000);
    T.current.set(Register::Rsp, 0x401000);
    T.current.set(Register::FsBase, 0x7777);
    arch::activate_vspace(pml4);
    arch::set_current_context(None);
    arch::set_deadline(arch::now() + hardware.tsc_mhz * 1000);
    arch::fpu_disable();
    arch::ioapic_route(0, 2, false, false, 5);
    arch::irq_unmask(5);
    // PIT channel 0, one-shot, 0.5 ms
    arch::port_out(0x43, 1, 0x30);
    arch::port_out(0x40, 1, 0x54);
    arch::port_out(0x40, 1, 2);
    #[cfg(feature = "bench")]
    {
        print_line!("msr c0000080 ", Hex(arch::dangerous_msr(0xc0000080, None).unwrap_or(99)));
        print_line!("msr 12345678 ", Hex(arch::dangerous_msr(0x12345678, None).unwrap_or(99)));
    }
    print_line!("going idle, 1 ms");
}

extern "C" fn system_call() {
    print_line!(
        "syscall ",
        Hex(T.current.system_call_number() as u64),
        " ip ",
        Hex(T.current.fault_ip()),
        " rsp ",
        Hex(T.current.get(abi::registers::Register::Rsp)),
        " rbx ",
        Hex(T.current.get(abi::registers::Register::Rbx)),
        " fs ",
        Hex(T.current.get(abi::registers::Register::FsBase)),
        " flags ",
        Hex(T.current.get(abi::registers::Register::Rflags))
    );
    if T.current.system_call_number() == 79 {
        arch::set_current_context(None);
        arch::set_deadline(arch::now() + 1_000_000);
    }
}

extern "C" fn exception(vector: u64, code: u64, frame: &[u64; Context::FRAME_WORDS]) {
    match vector {
        2 | 18 => arch::kernel_fault(frame, vector, code),
        7 => {
            print_line!("fpu");
            arch::fpu_enable();
        }
        14 => {
            T.faults.set(T.faults.get() + 1);
            print_line!(
                "page fault at ",
                Hex(arch::fault_address()),
                " code ",
                code,
                " ip ",
                Hex(T.current.fault_ip())
            );
            T.current.set(abi::registers::Register::Rip, T.current.fault_ip() + 8);
        }
        _ => {
            print_line!("exception ", vector, " ip ", Hex(T.current.fault_ip()));
            arch::stop();
        }
    }
}

extern "C" fn kernel_exception(vector: u64, code: u64, frame: &mut [u64; Context::FRAME_WORDS]) {
    #[cfg(feature = "bench")]
    if arch::recover(frame) {
        return;
    }
    arch::kernel_fault(frame, vector, code)
}

extern "C" fn interrupt(vector: u64) {
    print_line!("interrupt ", vector);
    arch::unexpected_vector(vector);
}

extern "C" fn timer() {
    if arch::timer_fired() {
        T.ticks.set(T.ticks.get() + 1);
        print_line!("timer ", T.ticks.get());
        arch::set_deadline(u64::MAX);
        if T.ticks.get() == 1 {
            arch::set_current_context(Some(&T.current));
        } else {
            unsafe {
                core::ptr::read_volatile(0x10 as *const u64);
            }
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    print_line!("panic");
    arch::stop()
}
