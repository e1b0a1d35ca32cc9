//! The list of all tests: by module and name, with what of the interface each covers.
//!
//! [`list`] has the tests that are written one by one, [`cell_list`] those that are cells of the tables in [`cells`].
//!
//! A cell is an invocation and an outcome: success or one of its documented errors. `every "TCB"` stands for what the tests of `kinds` do with
//! each invocation of an object: made on a capability of another kind (`IllegalOperation`) and on an empty slot (`InvalidCapability`). The host
//! test `coverage` compares the cells with the table in [`chestnut_abi::invocation`].

use chestnut_abi::{Error, Label};

/// How an invocation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    InvalidArgument,
    InvalidCapability,
    IllegalOperation,
    RangeError,
    AlignmentError,
    FailedLookup,
    TruncatedMessage,
    DeleteFirst,
    RevokeFirst,
    NotEnoughMemory,
}

impl Outcome {
    /// The outcome that an error of the interface is.
    pub const fn of(error: Error) -> Self {
        match error {
            Error::NoError => Self::Success,
            Error::InvalidArgument => Self::InvalidArgument,
            Error::InvalidCapability => Self::InvalidCapability,
            Error::IllegalOperation => Self::IllegalOperation,
            Error::RangeError => Self::RangeError,
            Error::AlignmentError => Self::AlignmentError,
            Error::FailedLookup => Self::FailedLookup,
            Error::TruncatedMessage => Self::TruncatedMessage,
            Error::DeleteFirst => Self::DeleteFirst,
            Error::RevokeFirst => Self::RevokeFirst,
            Error::NotEnoughMemory => Self::NotEnoughMemory,
        }
    }
}

/// What one test covers, beside what its name says.
#[derive(Clone, Copy, Debug)]
pub struct Coverage {
    pub name: &'static str,
    /// Invocations and their outcomes.
    pub cells: &'static [(Label, Outcome)],
    /// The object all of whose invocations are made on capabilities that they don't fit.
    pub every: Option<&'static str>,
}

macro_rules! every {
    () => {
        None
    };
    ($object:literal) => {
        Some($object)
    };
}

macro_rules! tests {
    ($($module:ident { $($name:ident $(: $($label:ident [$($outcome:ident),*]),+)? $(= every $object:literal)?;)* })*) => {
        /// Every test's name, in the order in which they run.
        pub const TESTS: &[&str] = &[$($(concat!(stringify!($module), "::", stringify!($name)),)*)*];

        /// What each test covers, in the same order.
        pub const COVERAGE: &[Coverage] = &[$($(Coverage {
            name: concat!(stringify!($module), "::", stringify!($name)),
            cells: &[$($($((Label::$label, Outcome::$outcome),)*)+)?],
            every: every!($($object)?),
        },)*)*];

        /// The tests themselves, in the same order.
        #[cfg(all(feature = "guest", target_os = "none"))]
        pub(crate) const FUNCTIONS: &[fn(&crate::scene::Scene)] = &[$($(crate::tests::$module::$name,)*)*];
    };
}

/// Tests that are cells of tables: each module has one function for all of its cells.
macro_rules! cell_tests {
    ($($module:ident { $($name:ident;)* })*) => {
        /// Every cell's name, in the order in which they run.
        pub const TESTS: &[&str] = &[$($(concat!(stringify!($module), "::", stringify!($name)),)*)*];

        /// The tests themselves, in the same order.
        #[cfg(all(feature = "guest", target_os = "none"))]
        pub(crate) const FUNCTIONS: &[fn(&crate::scene::Scene)] =
            &[$($(|t| crate::tests::$module::run(t, stringify!($name)),)*)*];
    };
}

pub mod cell_list;
pub mod cells;
pub mod list;

const COUNT: usize = list::TESTS.len() + cell_list::TESTS.len();

/// One list behind the other.
const fn join<T: Copy>(first: &[T], second: &[T]) -> [T; COUNT] {
    let mut all = [first[0]; COUNT];
    let mut index = 0;
    while index < COUNT {
        all[index] = if index < first.len() { first[index] } else { second[index - first.len()] };
        index += 1;
    }
    all
}

/// Every test's name, in the order in which they run.
pub const TESTS: &[&str] = &join(list::TESTS, cell_list::TESTS);

/// The tests themselves, in the same order.
#[cfg(all(feature = "guest", target_os = "none"))]
pub(crate) const FUNCTIONS: &[fn(&crate::scene::Scene)] = &join(list::FUNCTIONS, cell_list::FUNCTIONS);
