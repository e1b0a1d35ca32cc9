//! What many tests use and is made only once: the built system, the fetched and compiled programs.

use chestnut::compile::Variant;
use chestnut::system::System;
use chestnut::workspace::Workspace;
use std::fmt::Display;
use std::sync::OnceLock;

/// Why something that a test needs isn't there; the same for all tests that need it.
pub type Shared<T> = Result<T, String>;

/// The error with its causes, as the user would see it.
pub fn explain(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}

pub fn workspace() -> Shared<Workspace> {
    Workspace::find().map_err(explain)
}

/// The system with the release kernel.
pub fn system() -> Shared<&'static System> {
    static SYSTEM: OnceLock<Shared<System>> = OnceLock::new();
    let prepare = || System::prepare(&workspace()?, Variant::Release).map_err(explain);
    SYSTEM.get_or_init(prepare).as_ref().map_err(Clone::clone)
}

/// Adds what was being done to an error.
pub fn while_doing<T, E: Display>(what: &str, result: Result<T, E>) -> Shared<T> {
    result.map_err(|error| format!("{what}: {error}"))
}
