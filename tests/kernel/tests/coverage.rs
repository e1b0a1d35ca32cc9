//! Every cell of the interface's tables — invocation by outcome, system call by situation, fault by answer — has a guest test, or a
//! reason why it can't have one.

use chestnut_abi::behaviour::{FAULTS, SYSTEM_CALLS};
use chestnut_abi::fault::label;
use chestnut_abi::invocation::{INVOCATIONS, Invocation};
use chestnut_abi::{Error, Label, Syscall};
use chestnut_kernel_tests::TESTS;
use chestnut_kernel_tests::table::cells::cells;
use chestnut_kernel_tests::table::list::COVERAGE;
use chestnut_kernel_tests::table::{Outcome, cell_list, list};
use std::collections::BTreeSet;

/// Outcomes that a PC never shows: with an IOAPIC, interrupts are not got by their number, whatever the arguments.
fn is_impossible(label: Label, outcome: Outcome) -> bool {
    label == Label::IrqIssueIrqHandler && !matches!(outcome, Outcome::IllegalOperation | Outcome::InvalidCapability)
}

fn outcomes(row: &Invocation) -> impl Iterator<Item = Outcome> {
    let documented = row.errors.iter().map(|&error| Outcome::of(error));
    [Outcome::of(Error::NoError)].into_iter().chain(documented)
}

fn is_covered(row: &Invocation, outcome: Outcome) -> bool {
    COVERAGE.iter().any(|test| {
        let every =
            test.every == Some(row.object) && matches!(outcome, Outcome::IllegalOperation | Outcome::InvalidCapability);
        every || test.cells.contains(&(row.label, outcome))
    })
}

#[test]
fn no_cell_is_empty() {
    let mut empty = Vec::new();
    for row in INVOCATIONS {
        for outcome in outcomes(row).filter(|&outcome| !is_impossible(row.label, outcome)) {
            if !is_covered(row, outcome) {
                empty.push(format!("{}_{} × {outcome:?}", row.object, row.method));
            }
        }
    }
    assert!(empty.is_empty(), "{} cells without a test:\n{}", empty.len(), empty.join("\n"));
}

#[test]
fn system_calls_and_faults_have_a_test_for_each_cell_and_no_other() {
    let wanted: BTreeSet<String> =
        cells().map(|cell| format!("{}::{}_{}", cell.table, cell.row, cell.column)).collect();
    let listed: BTreeSet<String> = cell_list::TESTS.iter().map(|name| name.to_string()).collect();
    let missing: Vec<&String> = wanted.difference(&listed).collect();
    let unknown: Vec<&String> = listed.difference(&wanted).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "cells without a test: {missing:#?}
tests of no cell: {unknown:#?}"
    );
    assert_eq!(cells().count(), wanted.len(), "two cells of one name");
}

#[test]
fn every_system_call_and_every_fault_label_is_in_the_tables() {
    for number in -100..100 {
        let call = Syscall::from_number(number);
        let rows = SYSTEM_CALLS.iter().filter(|row| Some(row.call) == call).count();
        assert_eq!(rows, call.is_some() as usize, "rows for {call:?}");
    }
    for label in [label::CAP, label::UNKNOWN_SYSCALL, label::USER_EXCEPTION, label::TIMEOUT, label::VM] {
        assert!(FAULTS.iter().any(|fault| fault.label == label), "no row for label {label}");
    }
}

#[test]
fn names_are_unique_and_there_are_enough() {
    let names: BTreeSet<&str> = TESTS.iter().copied().collect();
    assert_eq!(names.len(), TESTS.len());
    assert_eq!(COVERAGE.len(), list::TESTS.len());
    assert!(TESTS.len() >= 150, "{} tests", TESTS.len());
}
