//! Tells the user what takes long, on standard error, and is silent about what doesn't.
//!
//! A [`Step`] shows nothing until its first [`note`](Step::note). On a terminal it is then a spinner with the latest
//! note, gone when the step is over; elsewhere it is one line.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, stderr};
use std::time::Duration;

/// One thing that may take long.
#[derive(Debug)]
pub struct Step {
    title: String,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Nothing,
    Line,
    Spinner(ProgressBar),
}

impl Step {
    /// `title` says what is being done, for example "Building the kernel".
    pub fn new(title: impl Into<String>) -> Step {
        Step { title: title.into(), shown: Shown::Nothing }
    }

    /// Something happens: shows the step, with this detail where there is room for it.
    pub fn note(&mut self, detail: &str) {
        if let Shown::Nothing = self.shown {
            self.shown = self.show();
        }
        if let Shown::Spinner(spinner) = &self.shown {
            spinner.set_message(detail.trim().to_owned());
        }
    }

    fn show(&self) -> Shown {
        if !stderr().is_terminal() {
            eprintln!("{}…", self.title);
            return Shown::Line;
        }
        let spinner = ProgressBar::new_spinner().with_prefix(self.title.clone());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} ({elapsed}) {wide_msg:.dim}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(120));
        Shown::Spinner(spinner)
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Shown::Spinner(spinner) = &self.shown {
            spinner.finish_and_clear();
        }
    }
}
