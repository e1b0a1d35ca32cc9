//! Random play (`kernel/tests/machine`) with a fuzzer's bytes as its decisions, so that inputs which reach new code are kept and varied.
//!
//! Coverage comes from LLVM's instrumentation, which stable Rust offers as a pass; `run.sh` beside the manifest knows the flags. A
//! failed check is a crash: libFuzzer writes the input to a file, and the same command with that file plays it again.
#![no_main]

#[path = "../../tests/machine/mod.rs"]
mod machine;

use libfuzzer_sys::fuzz_target;
use machine::choices::Choices;
use machine::play::Player;

fuzz_target!(|bytes: &[u8]| {
    let mut player = Player::new(Choices::from_bytes(bytes));
    while !player.is_over() {
        player.step();
        if std::env::var_os("CHESTNUT_FUZZ_TRACE").is_some() {
            eprintln!("{}\n      {}", player.last, player.describe());
        }
    }
    let m = player.m;
    drop(player);
    // SAFETY: the player is gone, and with it all that came from the machine.
    unsafe { m.end() };
});
