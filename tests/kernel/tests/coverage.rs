//! Every cell of the interface's table, invocation by outcome, has a guest test, or a reason why it can't have one.

use chestnut_abi::invocation::{INVOCATIONS, Invocation};
use chestnut_abi::{Error, Label};
use chestnut_kernel_tests::TESTS;
use chestnut_kernel_tests::table::{COVERAGE, Outcome};
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
fn names_are_unique_and_there_are_enough() {
    let names: BTreeSet<&str> = TESTS.iter().copied().collect();
    assert_eq!(names.len(), TESTS.len());
    assert_eq!(COVERAGE.len(), TESTS.len());
    assert!(TESTS.len() >= 150, "{} tests", TESTS.len());
}
