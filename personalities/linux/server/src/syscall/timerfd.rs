//! timerfd_create(2), timerfd_settime(2), timerfd_gettime(2).

use super::Call;
use alloc::rc::Rc;
use chestnut_linux_files::open::OpenFile;
use chestnut_linux_files::timer::{self, TimerSetting};
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

/// timerfd_create(clock, flags)
pub fn timerfd_create(call: &Call) -> Result<u64> {
    let flags = call.half(1);
    let file = timer::create(&call.server.nameless, &call.caller(), call.half(0), flags)?;
    call.server.files.add_timer(&file);
    call.install(file, flags & linux::TFD_CLOEXEC != 0)
}

/// timerfd_settime(fd, flags, new, old)
pub fn timerfd_settime(call: &Call) -> Result<u64> {
    let space = call.space();
    let mut bytes = [0; TimerSetting::SIZE];
    space.read(call.word(2), &mut bytes)?;
    let setting = TimerSetting::decode(&bytes)?;
    let old = timer_of(call)?.timer()?.set(call.half(1), setting)?;
    if call.word(3) != 0 {
        space.write(call.word(3), &old.encode())?;
    }
    Ok(0)
}

/// timerfd_gettime(fd, setting)
pub fn timerfd_gettime(call: &Call) -> Result<u64> {
    let setting = timer_of(call)?.timer()?.setting();
    call.space().write(call.word(1), &setting.encode())?;
    Ok(0)
}

fn timer_of(call: &Call) -> Result<Rc<OpenFile>> {
    let file = call.file(0)?;
    if file.is_path() { Err(Errno::EBADF) } else { Ok(file) }
}
