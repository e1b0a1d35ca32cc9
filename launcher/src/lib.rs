//! The host program behind `cargo run`: it makes sure of what it needs, builds what runs in the guest, starts the
//! emulator and joins the guest with the user's terminal.
//!
//! | module | question that it answers |
//! |---|---|
//! | [`cli`] | what did the user ask for? |
//! | [`workspace`] | where are the sources, where do products go? |
//! | [`setup`] | is the bare-metal target, the emulator, the Linux userland there? |
//! | [`compile`] | how are kernel and services built? |
//! | [`root_files`], [`archive`], [`elf_image`] | what is in the boot image, and how is it laid out? |
//! | [`disc`] | how does a PC without an emulator's help start it? |
//! | [`system`] | all of the above for one boot of the whole system |
//! | [`machine`], [`pump`] | how is the emulator run, and what came in over its wires? |
//! | [`bench`] | what do Chestnut's paths cost, and its peers'? |
//! | [`boot`], [`session`], [`batch`] | one plain root task; one program for the user; many programs for the tests |
//!
//! It is a library so that the whole-system tests start machines in the same way as the user does.

pub mod archive;
pub mod batch;
pub mod bench;
pub mod boot;
pub mod cli;
pub mod compile;
pub mod disc;
pub mod elf_image;
pub mod machine;
pub mod program;
pub mod progress;
pub mod pump;
pub mod root_files;
pub mod session;
pub mod setup;
pub mod subprocess;
pub mod system;
pub mod tail;
pub mod terminal;
pub mod workspace;
