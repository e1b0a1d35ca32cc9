//! What went wrong and what root was doing, in one line for the log.

use alloc::string::{String, ToString};
use chestnut_runtime::{InvocationError, untyped::AllocateError};
use core::fmt;

/// An error with its story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// From the innermost action to the outermost, separated by ", ".
    doing: String,
    cause: Cause,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    Invocation(InvocationError),
    Memory(AllocateError),
    /// Root's CNode is full.
    NoSlots,
    /// Something in the archive or the manifest is not as it must be.
    Wrong(String),
}

pub type Result<T, E = Failure> = core::result::Result<T, E>;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.doing.is_empty() {
            write!(f, "{}: ", self.doing)?;
        }
        match &self.cause {
            Cause::Invocation(error) => error.fmt(f),
            Cause::Memory(error) => error.fmt(f),
            Cause::NoSlots => f.write_str("no slots are left in root's CNode"),
            Cause::Wrong(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for Failure {}

impl From<InvocationError> for Failure {
    fn from(error: InvocationError) -> Self {
        Cause::Invocation(error).into()
    }
}

impl From<AllocateError> for Failure {
    fn from(error: AllocateError) -> Self {
        Cause::Memory(error).into()
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { doing: String::new(), cause }
    }
}

/// An error that is not the kernel's.
pub fn wrong(text: impl fmt::Display) -> Failure {
    Cause::Wrong(text.to_string()).into()
}

/// Says what was being done when it failed.
pub trait Doing<T> {
    fn doing(self, action: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Failure>> Doing<T> for core::result::Result<T, E> {
    fn doing(self, action: impl fmt::Display) -> Result<T> {
        self.map_err(|error| {
            let mut failure = error.into();
            failure.doing = match failure.doing.is_empty() {
                true => action.to_string(),
                false => alloc::format!("{}, {action}", failure.doing),
            };
            failure
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_its_story_from_the_inside_out() {
        let failure = Err::<(), _>(Cause::NoSlots).doing("mapping stack").doing("starting serial").unwrap_err();
        assert_eq!(failure.to_string(), "mapping stack, starting serial: no slots are left in root's CNode");
    }
}
