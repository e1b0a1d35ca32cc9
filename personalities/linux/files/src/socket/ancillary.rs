//! Control messages (cmsg(3)): files and credentials beside the bytes.

use alloc::rc::Rc;
use alloc::vec::Vec;

use linux_raw_sys::net;

use super::{MessageFlags, ProcessCredentials, Received};
use crate::open::{Descriptors, OpenFile};
use crate::{Errno, Result};

/// What a sender attaches.
#[derive(Default)]
pub struct Ancillary {
    /// SCM_RIGHTS
    pub rights: Vec<Rc<OpenFile>>,
    /// SCM_CREDENTIALS
    pub credentials: Option<ProcessCredentials>,
}

const SCM_RIGHTS: u32 = 1;
const SCM_CREDENTIALS: u32 = 2;
/// `struct cmsghdr`: length with the header (8 bytes), level, type.
const HEADER: usize = 16;

/// Reads `msg_control`: `EINVAL` for lengths that don't fit and unknown types, `EBADF` for numbers that aren't open. Messages of
/// other levels than SOL_SOCKET are passed over.
pub fn parse(control: &[u8], descriptors: &Descriptors) -> Result<Ancillary> {
    let mut ancillary = Ancillary::default();
    let mut rest = control;
    while rest.len() >= HEADER {
        let word = |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        let length = u64::from(word(0)) | u64::from(word(4)) << 32;
        let length = usize::try_from(length).map_err(|_| Errno::EINVAL)?;
        let (level, kind) = (word(8), word(12));
        let data = rest.get(HEADER..length).ok_or(Errno::EINVAL)?;
        match (level, kind) {
            (net::SOL_SOCKET, SCM_RIGHTS) => {
                for number in data.chunks_exact(4) {
                    let number = i32::from_le_bytes([number[0], number[1], number[2], number[3]]);
                    ancillary.rights.push(descriptors.get(number)?.clone());
                }
            }
            (net::SOL_SOCKET, SCM_CREDENTIALS) => {
                let bytes: &[u8; 12] = data.try_into().map_err(|_| Errno::EINVAL)?;
                ancillary.credentials = Some(ProcessCredentials::decode(bytes));
            }
            (net::SOL_SOCKET, _) => return Err(Errno::EINVAL),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(ancillary)
}

/// Puts what was received into the descriptor table, and writes the control messages that tell of it: the bytes for
/// `msg_control`, of which there is `room`, and the flags to add to `msg_flags`. Files that have no room there or in the table are
/// closed (MSG_CTRUNC).
pub fn deliver(
    received: Received,
    room: usize,
    flags: MessageFlags,
    descriptors: &mut Descriptors,
) -> (Vec<u8>, MessageFlags) {
    let mut control = Vec::new();
    let mut told = received.flags;
    if let Some(credentials) = received.credentials {
        told |= append(&mut control, room, SCM_CREDENTIALS, &credentials.encode());
    }
    if !received.rights.is_empty() {
        let close_on_exec = flags.contains(MessageFlags::CLOSE_ON_EXEC);
        let fit = room.saturating_sub(control.len() + HEADER) / 4;
        let mut numbers = Vec::new();
        let all = received.rights.len();
        for file in received.rights.into_iter().take(fit) {
            match descriptors.insert(file, close_on_exec) {
                Ok(number) => numbers.extend_from_slice(&number.to_le_bytes()),
                Err(_) => break,
            }
        }
        told.set(
            MessageFlags::CONTROL_TRUNCATED,
            told.contains(MessageFlags::CONTROL_TRUNCATED) || numbers.len() / 4 < all,
        );
        if !numbers.is_empty() {
            append(&mut control, room, SCM_RIGHTS, &numbers);
        }
    }
    (control, told)
}

/// Adds a control message, cut to the room that there is.
fn append(control: &mut Vec<u8>, room: usize, kind: u32, data: &[u8]) -> MessageFlags {
    let left = room.saturating_sub(control.len());
    if left < HEADER {
        return MessageFlags::CONTROL_TRUNCATED;
    }
    let stored = data.len().min(left - HEADER);
    control.extend_from_slice(&((HEADER + stored) as u64).to_le_bytes());
    control.extend_from_slice(&net::SOL_SOCKET.to_le_bytes());
    control.extend_from_slice(&kind.to_le_bytes());
    control.extend_from_slice(&data[..stored]);
    let padded = control.len().next_multiple_of(8).min(room);
    control.resize(padded, 0);
    if stored < data.len() { MessageFlags::CONTROL_TRUNCATED } else { MessageFlags::empty() }
}
