//! memfd_create(2). Its seals are commands of fcntl(2).

use super::Call;
use chestnut_linux_files::memfd;
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

/// Bytes of a name with its zero.
const NAME_MAX: usize = 250;

/// memfd_create(name, flags)
pub fn memfd_create(call: &Call) -> Result<u64> {
    let flags = call.half(1);
    let name = call.space().read_string(call.word(0), NAME_MAX, Errno::EINVAL)?;
    let file = memfd::create(&call.server.files.memory, &call.caller(), &name, flags)?;
    call.install(file, flags & linux::MFD_CLOEXEC != 0)
}
