//! What makes discs that a PC starts from, and the firmware that an emulated PC starts them by.

use super::debian::ensure_installed;
use crate::subprocess;
use anyhow::Result;
use std::path::Path;

/// Makes a disc image with the boot loader GRUB on it.
pub const MAKE_DISC: &str = "grub-mkrescue";
/// UEFI firmware for the emulator.
pub const UEFI: &str = "/usr/share/ovmf/OVMF.fd";
const TOOLS: [&str; 3] = [MAKE_DISC, "xorriso", "mformat"];
/// GRUB for BIOS and for UEFI.
const LOADERS: [&str; 2] = ["/usr/lib/grub/i386-pc", "/usr/lib/grub/x86_64-efi"];
const PACKAGES: [&str; 6] = ["grub-common", "grub-pc-bin", "grub-efi-amd64-bin", "xorriso", "mtools", "ovmf"];

/// All of it is there; else it is installed, by root on a Debian machine.
pub fn ensure_boot_disc_tools() -> Result<()> {
    let missing = || {
        let program = TOOLS.into_iter().find(|tool| subprocess::find(tool).is_none());
        let file = || LOADERS.into_iter().chain([UEFI]).find(|path| !Path::new(path).exists());
        program.or_else(file).map(str::to_owned)
    };
    ensure_installed("what makes boot discs", &PACKAGES, missing)
}
