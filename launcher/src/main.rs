//! The `chestnut` program. All of it is in the library, so that tests can use it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    chestnut::cli::main(std::env::args_os())
}
