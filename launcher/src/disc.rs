//! Boot discs: an ISO image that a PC starts from by BIOS or UEFI, with GRUB, the kernel and a root task on it.

use crate::progress::Step;
use crate::setup::{MAKE_DISC, ensure_boot_disc_tools};
use crate::subprocess;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Makes the image `disc`. `command_line` is the kernel's.
pub fn make(disc: &Path, kernel: &Path, root_task: &Path, command_line: &str) -> Result<()> {
    ensure_boot_disc_tools()?;
    let mut step = Step::new("Making a boot disc");
    let folder = tempfile::tempdir().context("making a folder for the disc's files")?;
    let loader = folder.path().join("boot/grub");
    std::fs::create_dir_all(&loader).context("making the disc's folders")?;
    for (file, name) in [(kernel, "kernel"), (root_task, "root-task")] {
        std::fs::copy(file, folder.path().join("boot").join(name))
            .with_context(|| format!("copying {}", file.display()))?;
    }
    std::fs::write(loader.join("grub.cfg"), menu(command_line)).context("writing the boot loader's menu")?;
    step.note(MAKE_DISC);
    // Compression of GRUB's own files only costs time.
    let mut make = Command::new(MAKE_DISC);
    make.args(["--compress=no", "-o"]).arg(disc).arg(folder.path());
    subprocess::run(&mut make, &mut step).context("could not make the boot disc")?;
    Ok(())
}

/// Boots at once. GRUB speaks on the first UART, so that what it complains of is seen.
fn menu(command_line: &str) -> String {
    format!(
        "serial --unit=0 --speed=115200\n\
         terminal_input serial\n\
         terminal_output serial\n\
         set timeout=0\n\
         menuentry Chestnut {{\n\
         multiboot2 /boot/kernel {command_line}\n\
         module2 /boot/root-task\n\
         }}\n"
    )
}
