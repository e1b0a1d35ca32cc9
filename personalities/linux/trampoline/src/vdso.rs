//! The vDSO: an ELF shared object of one page with the C library's clock functions.
//!
//! It is mapped read-execute, with a [`TimePage`](crate::TimePage) read-only on the page before it, outside the native
//! range; AT_SYSINFO_EHDR tells its address to the program. It needs no relocation. Exported, in version LINUX_2.6:
//! `__vdso_clock_gettime`, `__vdso_gettimeofday`, `__vdso_time`, `__vdso_getcpu`, `__vdso_clock_getres`.

use crate::assembly::chestnut_linux_vdso;
use crate::pages::PAGE;

/// What to copy into the frame.
pub fn bytes() -> &'static [u8; PAGE] {
    &chestnut_linux_vdso
}
