//! I/O ports: ranges that are issued once, and reading and writing in three widths.

use crate::check::{check, equal};
use crate::scene::Scene;
use crate::scene::invoke::{must, refused};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CNodeCapData, Error, Label};

const CONTROL: u64 = slot::IO_PORT_CONTROL;
const ROOT: u64 = slot::INIT_CNODE;
/// The configuration ports of PCI: address and data.
const PCI_ADDRESS: u64 = 0xcf8;
const PCI_DATA: u64 = 0xcfc;
const PCI_ENABLE: u64 = 1 << 31;

/// A capability for the ports `first` to `last`.
#[track_caller]
fn issue(t: &Scene, first: u64, last: u64) -> u64 {
    let at = t.slot();
    must(CONTROL, Label::X86IoPortControlIssue, &[first, last, at, 64], &[ROOT]);
    at
}

pub fn reads_and_writes_of_every_width(t: &Scene) {
    let ports = issue(t, PCI_ADDRESS, PCI_DATA + 3);
    must(ports, Label::X86IoPortOut32, &[PCI_ADDRESS, PCI_ENABLE], &[]);
    equal(must(ports, Label::X86IoPortIn32, &[PCI_ADDRESS], &[]).words[0], PCI_ENABLE, "what was written");
    // The host bridge's vendor and device, whole, in halves and in bytes.
    let whole = must(ports, Label::X86IoPortIn32, &[PCI_DATA], &[]).words[0];
    check(whole != 0xffff_ffff, "there is a host bridge");
    let halves = [0, 2].map(|offset| must(ports, Label::X86IoPortIn16, &[PCI_DATA + offset], &[]).words[0]);
    equal(halves[0] | halves[1] << 16, whole, "two halves");
    let bytes = [0, 1, 2, 3].map(|offset| must(ports, Label::X86IoPortIn8, &[PCI_DATA + offset], &[]).words[0]);
    equal(bytes.iter().rev().fold(0, |value, byte| value << 8 | byte), whole, "four bytes");
}

pub fn writes_of_8_and_16_bits(t: &Scene) {
    // The real-time clock's memory has room for a byte; ports 0x80 and 0x81 take anything.
    let (clock, scratch) = (issue(t, 0x70, 0x71), issue(t, 0x80, 0x83));
    const SCRATCH_BYTE: u64 = 0x60;
    must(clock, Label::X86IoPortOut8, &[0x70, SCRATCH_BYTE], &[]);
    let old = must(clock, Label::X86IoPortIn8, &[0x71], &[]).words[0];
    must(clock, Label::X86IoPortOut8, &[0x71, old ^ 0x5a], &[]);
    must(clock, Label::X86IoPortOut8, &[0x70, SCRATCH_BYTE], &[]);
    equal(must(clock, Label::X86IoPortIn8, &[0x71], &[]).words[0], old ^ 0x5a, "what was written");
    must(scratch, Label::X86IoPortOut16, &[0x80, 0x1234], &[]);
    must(scratch, Label::X86IoPortOut32, &[0x80, 0x1234_5678], &[]);
}

pub fn only_the_data_of_the_width_is_written(t: &Scene) {
    let ports = issue(t, PCI_ADDRESS, PCI_ADDRESS + 3);
    must(ports, Label::X86IoPortOut32, &[PCI_ADDRESS, 0xffff_ffff_0000_0000 | PCI_ENABLE], &[]);
    equal(must(ports, Label::X86IoPortIn32, &[PCI_ADDRESS], &[]).words[0], PCI_ENABLE, "what was written");
}

pub fn ports_outside_the_range_are_illegal(t: &Scene) {
    let ports = issue(t, 0x84, 0x87);
    let reads = [(Label::X86IoPortIn8, 1), (Label::X86IoPortIn16, 2), (Label::X86IoPortIn32, 4)];
    let writes = [(Label::X86IoPortOut8, 1), (Label::X86IoPortOut16, 2), (Label::X86IoPortOut32, 4)];
    for (label, width) in reads.into_iter().chain(writes) {
        must(ports, label, &[0x88 - width, 0], &[]);
        for port in [0x83, 0x88 - width + 1, 0x88, 0, 0xffff] {
            refused(Error::IllegalOperation, ports, label, &[port, 0], &[]);
        }
    }
}

pub fn the_last_ports_of_all_can_be_issued(t: &Scene) {
    let ports = issue(t, 0xfff8, 0xffff);
    must(ports, Label::X86IoPortIn8, &[0xffff], &[]);
    refused(Error::IllegalOperation, ports, Label::X86IoPortIn16, &[0xffff], &[]);
    refused(Error::IllegalOperation, ports, Label::X86IoPortIn32, &[0xfffd], &[]);
}

pub fn a_range_that_is_issued_returns_revoke_first(t: &Scene) {
    let ports = issue(t, 0x84, 0x87);
    for (first, last) in [(0x84, 0x87), (0x80, 0x84), (0x87, 0x90), (0x85, 0x86), (0x80, 0x90)] {
        let words = [first, last, t.slot(), 64];
        refused(Error::RevokeFirst, CONTROL, Label::X86IoPortControlIssue, &words, &[ROOT]);
    }
    t.delete(ports);
    issue(t, 0x80, 0x90);
}

pub fn a_copy_keeps_the_range_issued(t: &Scene) {
    let ports = issue(t, 0x84, 0x87);
    let copy = t.copy(ports);
    t.delete(ports);
    let words = [0x84, 0x87, t.slot(), 64];
    refused(Error::RevokeFirst, CONTROL, Label::X86IoPortControlIssue, &words, &[ROOT]);
    must(copy, Label::X86IoPortIn8, &[0x84], &[]);
    t.delete(copy);
    must(CONTROL, Label::X86IoPortControlIssue, &words, &[ROOT]);
}

pub fn a_range_that_ends_before_it_begins_returns_invalid_argument(t: &Scene) {
    let words = [0x87, 0x84, t.slot(), 64];
    let answer = refused(Error::InvalidArgument, CONTROL, Label::X86IoPortControlIssue, &words, &[ROOT]);
    equal(answer.words[0], 1, "which argument");
}

pub fn issue_checks_its_destination(t: &Scene) {
    let (label, endpoint) = (Label::X86IoPortControlIssue, t.endpoint());
    refused(Error::DeleteFirst, CONTROL, label, &[0x84, 0x87, endpoint, 64], &[ROOT]);
    refused(Error::FailedLookup, CONTROL, label, &[0x84, 0x87, t.slot(), 64], &[endpoint]);
    refused(Error::FailedLookup, CONTROL, label, &[0x84, 0x87, t.slot(), 63], &[ROOT]);
    let guarded = t.mint(t.cnode(2), CNodeCapData::new(1, 2).0);
    refused(Error::FailedLookup, CONTROL, label, &[0x84, 0x87, 0, 4], &[guarded]);
    for depth in [0, 65] {
        let answer = refused(Error::RangeError, CONTROL, label, &[0x84, 0x87, t.slot(), depth], &[ROOT]);
        equal([answer.words[0], answer.words[1]], [1, 64], "allowed depths");
    }
    refused(Error::TruncatedMessage, CONTROL, label, &[0x84, 0x87, t.slot()], &[ROOT]);
    refused(Error::TruncatedMessage, CONTROL, label, &[0x84, 0x87, t.slot(), 64], &[]);
    // None of the failures took the range away.
    issue(t, 0x84, 0x87);
}

pub fn the_control_itself_cannot_be_copied(t: &Scene) {
    let words = [t.slot(), 64, CONTROL, 64, 15];
    refused(Error::IllegalOperation, ROOT, Label::CNodeCopy, &words, &[ROOT]);
}

pub fn missing_arguments_return_truncated_message(t: &Scene) {
    let ports = issue(t, 0x84, 0x87);
    for label in [Label::X86IoPortIn8, Label::X86IoPortIn16, Label::X86IoPortIn32] {
        refused(Error::TruncatedMessage, ports, label, &[], &[]);
    }
    for label in [Label::X86IoPortOut8, Label::X86IoPortOut16, Label::X86IoPortOut32] {
        refused(Error::TruncatedMessage, ports, label, &[0x84], &[]);
    }
}
