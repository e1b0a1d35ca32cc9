//! Page faults: what the handler is told, and that a reply makes the instruction run again.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::memory::{read, write};
use crate::scene::message::{Message, recv, send};
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::fault::{label, vm};
use chestnut_abi::object::VmAttributes;
use chestnut_abi::{CapRights, Label, UserContext};

/// Bits of the processor's page-fault error code.
const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const USER: u64 = 4;
const FETCH: u64 = 16;

/// Runs `body` in a thread that has to page-fault; returns the fault and the reply object that the thread waits on.
fn fault_in<F: FnOnce() + 'static>(t: &Scene, body: F) -> (Message, u64) {
    let (faults, reply) = (t.endpoint(), t.reply());
    t.spawn_handled(ABOVE, faults, body);
    let fault = recv(faults, reply);
    equal((fault.label(), fault.length()), (label::VM, vm::LENGTH), "label and length of the fault");
    (fault, reply)
}

#[track_caller]
fn expect(fault: Message, address: u64, code: u64) {
    equal(fault.word(vm::ADDRESS), address, "the address");
    equal(fault.word(vm::FSR), code, "the error code");
    equal(fault.word(vm::PREFETCH), (code & FETCH != 0) as u64, "whether it was an instruction fetch");
}

fn map(frame: u64, address: u64, rights: CapRights, attributes: u64) {
    must(frame, Label::X86PageMap, &[address, rights.0, attributes], &[slot::INIT_VSPACE]);
}

pub fn reading_what_is_not_mapped(t: &Scene) {
    t.open_window();
    let frame = t.frame();
    let (fault, reply) = fault_in(t, || shared::set(0, read(WINDOW + 8) + 1));
    expect(fault, WINDOW + 8, USER);
    map(frame, WINDOW, CapRights::READ_WRITE, 0);
    write(WINDOW + 8, 41);
    send(reply, 0, &[]);
    equal(shared::get(0), 42, "what the thread read when it was answered");
}

pub fn writing_what_is_not_mapped(t: &Scene) {
    t.open_window();
    let frame = t.frame();
    let (fault, reply) = fault_in(t, || write(WINDOW + 16, 7));
    expect(fault, WINDOW + 16, USER | WRITE);
    map(frame, WINDOW, CapRights::READ_WRITE, 0);
    send(reply, 0, &[]);
    equal(read(WINDOW + 16), 7, "what the thread wrote when it was answered");
}

pub fn writing_a_read_only_page(t: &Scene) {
    t.open_window();
    let (frame, address) = t.mapped_frame(3, CapRights::READ, 0);
    let (fault, reply) = fault_in(t, move || write(address, read(address) + 9));
    expect(fault, address, USER | WRITE | PRESENT);
    map(frame, address, CapRights::READ_WRITE, 0);
    send(reply, 0, &[]);
    equal(read(address), 9, "what the thread wrote when the page was mapped anew");
}

pub fn a_page_mapped_without_rights_cannot_be_read(t: &Scene) {
    t.open_window();
    let (frame, address) = t.mapped_frame(3, CapRights::NONE, 0);
    let (fault, reply) = fault_in(t, move || shared::set(0, read(address) + 1));
    equal(fault.word(vm::ADDRESS), address, "the address");
    map(frame, address, CapRights::READ, 0);
    send(reply, 0, &[]);
    equal(shared::get(0), 1, "whether it could be read when it was mapped anew");
}

pub fn executing_what_is_not_mapped(t: &Scene) {
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    thread.set_handler(faults);
    thread.start_with(&UserContext { rip: FAR + 0x123, ..Default::default() });
    let fault = recv(faults, reply);
    equal(fault.label(), label::VM, "the fault");
    equal((fault.word(vm::IP), fault.word(vm::ADDRESS)), (FAR + 0x123, FAR + 0x123), "IP and address");
    equal(fault.word(vm::PREFETCH), 1, "whether it was an instruction fetch");
}

/// A page with `ret` in it.
fn code_page(t: &Scene, attributes: u64) -> (u64, u64) {
    let (frame, address) = t.mapped_frame(5, CapRights::READ_WRITE, 0);
    const RETURN: u64 = 0xc3;
    write(address, RETURN);
    map(frame, address, CapRights::READ, attributes);
    (frame, address)
}

/// Calls what is at an address.
fn jump(address: u64) {
    // SAFETY: the tests put a `ret` there or expect a fault.
    unsafe { core::arch::asm!("call {}", in(reg) address, clobber_abi("C")) };
}

pub fn a_page_can_be_executed(t: &Scene) {
    t.open_window();
    let (_, address) = code_page(t, 0);
    t.spawn(ABOVE, move || {
        jump(address);
        shared::set(0, 1);
    });
    equal(shared::get(0), 1, "whether the thread came back");
}

pub fn an_execute_never_page_cannot_be_executed(t: &Scene) {
    t.open_window();
    let (frame, address) = code_page(t, VmAttributes::EXECUTE_NEVER);
    equal(read(address) & 0xff, 0xc3, "what can be read there");
    let (fault, reply) = fault_in(t, move || {
        jump(address);
        shared::set(0, 1);
    });
    expect(fault, address, USER | PRESENT | FETCH);
    equal(fault.word(vm::IP), address, "IP");
    map(frame, address, CapRights::READ, 0);
    send(reply, 0, &[]);
    equal(shared::get(0), 1, "whether the thread came back when the page was mapped anew");
}

pub fn kernel_memory_cannot_be_read(t: &Scene) {
    for address in [0xffff_ff80_0000_0000, 0xffff_ffff_8010_0000, 0xffff_ffff_ffff_fff8] {
        let (fault, _) = fault_in(t, move || shared::set(0, read(address) | 1));
        equal(fault.word(vm::ADDRESS), address, "the address");
        check(fault.word(vm::FSR) & USER != 0, "the access was a user's");
        equal(shared::get(0), 0, "what was read");
    }
}

pub fn kernel_memory_cannot_be_written(t: &Scene) {
    for address in [0xffff_ff80_0000_0000, 0xffff_ffff_8010_0000] {
        let (fault, _) = fault_in(t, move || write(address, 1));
        equal(fault.word(vm::ADDRESS), address, "the address");
        check(fault.word(vm::FSR) & (USER | WRITE) == USER | WRITE, "the access was a user's write");
    }
}

pub fn the_fault_ip_is_that_of_the_instruction(t: &Scene) {
    #[unsafe(naked)]
    extern "C" fn body() {
        core::arch::naked_asm!("nop", "nop", "mov rax, [rdi]", "ud2")
    }
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    thread.set_handler(faults);
    let begin = body as *const () as u64;
    thread.start_with(&UserContext { rip: begin, rdi: FAR, ..Default::default() });
    let fault = recv(faults, reply);
    equal((fault.word(vm::IP), fault.word(vm::ADDRESS)), (begin + 2, FAR), "IP and address");
}

pub fn a_fault_without_a_handler_stops_the_thread_alone(t: &Scene) {
    let thread = t.thread(ABOVE);
    thread.set_handler(NOTHING);
    thread.start(|| {
        shared::set(0, 1);
        read(FAR);
        shared::set(0, 2);
    });
    equal(shared::get(0), 1, "how far it came");
    // It isn't runnable: nothing happens when time passes.
    shared::spin_us(10_000);
    equal(shared::get(0), 1, "how far it came");
}

pub fn a_handler_that_is_deleted_is_no_handler(t: &Scene) {
    let faults = t.endpoint();
    let thread = t.thread(BELOW);
    thread.set_handler(faults);
    t.revoke(faults);
    t.delete(faults);
    thread.start(|| {
        shared::set(0, 1);
        read(FAR);
        shared::set(0, 2);
    });
    crate::scene::thread::set_main_priority(BELOW - 1);
    equal(shared::get(0), 1, "how far it came");
}

pub fn a_fault_that_nobody_hears_of_leaves_the_thread_stopped_until_it_is_resumed(t: &Scene) {
    let (nobody, faults, reply) = (t.endpoint(), t.endpoint(), t.reply());
    let thread = t.spawn_handled(ABOVE, nobody, || {
        read(FAR);
    });
    // Its fault waits for a receiver; with the endpoint it goes away.
    t.delete(nobody);
    thread.set_handler(faults);
    equal(crate::scene::message::nb_recv(faults, reply).label(), 0, "what the new handler hears");
    thread.resume();
    equal(recv(faults, reply).word(vm::ADDRESS), FAR, "the fault when the thread is resumed");
}

pub fn a_thread_can_be_sent_elsewhere_before_the_reply(t: &Scene) {
    extern "C" fn elsewhere() -> ! {
        shared::set(0, 5);
        crate::scene::thread::rest()
    }
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.spawn_handled(ABOVE, faults, || shared::set(0, read(FAR)));
    recv(faults, reply);
    let context = UserContext { rip: elsewhere as *const () as u64, rsp: thread.stack(), ..Default::default() };
    thread.write(&context);
    send(reply, 0, &[]);
    equal(shared::get(0), 5, "what it did when it was answered");
}
