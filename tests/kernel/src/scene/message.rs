//! Messages between threads of a test.

use super::buffer;
use chestnut_abi::MessageInfo;
use chestnut_abi::message::REGISTER_WORDS;
use chestnut_runtime::sys::{self, Registers};

/// A received message: words beyond the fourth are in the buffer until the next system call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub badge: u64,
    pub info: MessageInfo,
    pub registers: [u64; REGISTER_WORDS],
}

impl From<Registers> for Message {
    fn from(from: Registers) -> Self {
        Self { badge: from.badge, info: from.info, registers: from.words }
    }
}

impl Message {
    pub fn label(&self) -> u64 {
        self.info.label()
    }

    pub fn length(&self) -> usize {
        self.info.length()
    }

    pub fn word(&self, index: usize) -> u64 {
        if index < REGISTER_WORDS { self.registers[index] } else { buffer::word(index) }
    }
}

/// Puts words beyond the fourth and capabilities into the buffer; the rest is returned.
pub fn encode(label: u64, words: &[u64], caps: &[u64]) -> (MessageInfo, [u64; REGISTER_WORDS]) {
    let mut registers = [0; REGISTER_WORDS];
    for (index, &word) in words.iter().enumerate() {
        match registers.get_mut(index) {
            Some(register) => *register = word,
            None => buffer::set_word(index, word),
        }
    }
    for (index, &cap) in caps.iter().enumerate() {
        buffer::set_cap(index, cap);
    }
    (MessageInfo::new(label, 0, caps.len() as u64, words.len() as u64), registers)
}

pub fn send(cap: u64, label: u64, words: &[u64]) {
    send_with(cap, label, words, &[]);
}

/// Sends with capabilities.
pub fn send_with(cap: u64, label: u64, words: &[u64], caps: &[u64]) {
    let (info, registers) = encode(label, words, caps);
    sys::send(cap, info, registers);
}

pub fn nb_send(cap: u64, label: u64, words: &[u64]) {
    let (info, registers) = encode(label, words, &[]);
    sys::nb_send(cap, info, registers);
}

pub fn call(cap: u64, label: u64, words: &[u64]) -> Message {
    call_with(cap, label, words, &[])
}

/// Calls with capabilities.
pub fn call_with(cap: u64, label: u64, words: &[u64], caps: &[u64]) -> Message {
    let (info, registers) = encode(label, words, caps);
    sys::call(cap, info, registers).into()
}

pub fn recv(cap: u64, reply: u64) -> Message {
    sys::recv(cap, reply).into()
}

pub fn nb_recv(cap: u64, reply: u64) -> Message {
    sys::nb_recv(cap, reply).into()
}

pub fn wait(cap: u64) -> Message {
    sys::wait(cap).into()
}

pub fn nb_wait(cap: u64) -> Message {
    sys::nb_wait(cap).into()
}

/// Signals a notification.
pub fn signal(cap: u64) {
    sys::send(cap, MessageInfo::default(), [0; REGISTER_WORDS]);
}

/// Answers through `reply` and receives on `cap`.
pub fn reply_recv(cap: u64, label: u64, words: &[u64], reply: u64) -> Message {
    let (info, registers) = encode(label, words, &[]);
    sys::reply_recv(cap, info, registers, reply).into()
}

pub fn nb_send_recv(to: u64, label: u64, words: &[u64], from: u64, reply: u64) -> Message {
    let (info, registers) = encode(label, words, &[]);
    sys::nb_send_recv(to, info, registers, from, reply).into()
}

pub fn nb_send_wait(to: u64, label: u64, words: &[u64], from: u64) -> Message {
    let (info, registers) = encode(label, words, &[]);
    sys::nb_send_wait(to, info, registers, from).into()
}
