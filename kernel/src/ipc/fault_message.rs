//! Faults as messages: what a handler is told, and what its reply changes.

use super::Buffer;
use super::consumed::consumed_us;
use super::message::{self, set_message_word};
use crate::mem::Ref;
use crate::object::{Fault, Kernel, Tcb};
use chestnut_abi::MessageInfo;
use chestnut_abi::fault::{label, timeout as timeout_words, unknown_syscall, user_exception, vm};
use chestnut_abi::ipc_buffer::MSG_WORD;
use chestnut_abi::message::REGISTER_WORDS;
use chestnut_abi::registers::{TIMEOUT_REPLY_REGISTERS, UNKNOWN_SYSCALL_REGISTERS, USER_EXCEPTION_REGISTERS};

/// Whether the thread waits for the answer to a timeout fault.
pub fn is_timeout(thread: Ref<Tcb>) -> bool {
    matches!(thread.fault.get(), Some(Fault::Timeout { .. }))
}

/// Writes a fault's message into the receiver's registers and buffer.
pub fn write<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, receiver: Ref<'k, Tcb>, fault: Fault, badge: u64) {
    let registers = &thread.context;
    let mut length = 0;
    let mut put = |value| {
        if set_message_word(k, receiver, length, value) {
            length += 1;
        }
    };
    let label = match fault {
        Fault::Cap { address, in_receive_phase, failure } => {
            put(registers.fault_ip());
            put(address);
            put(in_receive_phase as u64);
            let (words, count) = failure.to_words();
            words.into_iter().take(count).for_each(put);
            label::CAP
        }
        Fault::UnknownSyscall { number } => {
            // They are many: where they go is looked up once.
            let buffer = Buffer::of(k, receiver, true);
            let count = if buffer.is_some() { UNKNOWN_SYSCALL_REGISTERS.len() } else { REGISTER_WORDS };
            for (index, &register) in UNKNOWN_SYSCALL_REGISTERS.iter().enumerate().take(count) {
                let value =
                    if index == unknown_syscall::FAULT_IP { registers.fault_ip() } else { registers.get(register) };
                match buffer {
                    Some(buffer) if index >= REGISTER_WORDS => buffer.write(MSG_WORD + index, value),
                    _ => receiver.context.set_message_register(index, value),
                }
            }
            length = count + usize::from(set_message_word(k, receiver, count, number));
            label::UNKNOWN_SYSCALL
        }
        Fault::UserException { number, code } => {
            put(registers.fault_ip());
            put(registers.get(USER_EXCEPTION_REGISTERS[user_exception::SP]));
            put(registers.get(USER_EXCEPTION_REGISTERS[user_exception::FLAGS]));
            put(number);
            put(code);
            label::USER_EXCEPTION
        }
        Fault::Timeout { badge } => {
            put(badge);
            put(thread.sched_context.get(k).map_or(0, |context| consumed_us(k, context)));
            debug_assert_eq!(timeout_words::LENGTH, 2);
            label::TIMEOUT
        }
        Fault::Vm { address, fsr, prefetch } => {
            put(registers.fault_ip());
            put(address);
            put(prefetch as u64);
            put(fsr);
            debug_assert_eq!(vm::LENGTH, 4);
            label::VM
        }
    };
    receiver.context.set_message_info(MessageInfo::new(label, 0, 0, length as u64).0);
    receiver.context.set_badge(badge);
}

/// Applies the reply to a fault: some set registers. Returns whether the thread goes on.
pub fn apply_reply<'k>(
    k: Kernel<'k>,
    sender: Ref<'k, Tcb>,
    thread: Ref<'k, Tcb>,
    fault: Fault,
    info: MessageInfo,
) -> bool {
    let order: &[_] = match fault {
        Fault::Cap { .. } | Fault::Vm { .. } => return true,
        Fault::UnknownSyscall { .. } => &UNKNOWN_SYSCALL_REGISTERS,
        Fault::UserException { .. } => &USER_EXCEPTION_REGISTERS,
        Fault::Timeout { .. } => &TIMEOUT_REPLY_REGISTERS,
    };
    // The thread restarts at its fault IP, unless the reply says where.
    let ip = order.iter().position(|&register| register == chestnut_abi::registers::Register::Rip);
    for (index, &register) in order.iter().enumerate().take(info.length()) {
        let value = message::message_word(k, sender, index);
        if Some(index) == ip {
            thread.context.set_fault_ip(value);
        } else {
            thread.context.set(register, value);
        }
    }
    info.label() == 0
}
