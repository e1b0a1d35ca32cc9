//! epoll(7): epoll_create(2), epoll_ctl(2), epoll_wait(2) and its relatives with a signal mask.

use super::poll::{read_timeout, with_mask};
use super::{Call, Outcome};
use crate::memory::AddressSpace;
use alloc::rc::Rc;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::epoll::{self, EpollEvent, Operation};
use chestnut_linux_files::open::OpenFile;
use chestnut_linux_files::{Errno, Result};
use core::time::Duration;
use linux_raw_sys::general as linux;

/// epoll_create(size)
pub fn epoll_create(call: &Call) -> Result<u64> {
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    call.install(epoll::create(&call.server.nameless), false)
}

/// epoll_create1(flags)
pub fn epoll_create1(call: &Call) -> Result<u64> {
    let flags = call.half(0);
    if flags & !linux::EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    call.install(epoll::create(&call.server.nameless), flags != 0)
}

/// epoll_ctl(epoll, operation, fd, event)
pub fn epoll_ctl(call: &Call) -> Result<u64> {
    let (operation, descriptor) = (call.half(1), call.int(2));
    let event = match operation {
        linux::EPOLL_CTL_DEL => EpollEvent { events: 0, data: 0 },
        _ => {
            let mut bytes = [0; EpollEvent::SIZE];
            call.space().read(call.word(3), &mut bytes)?;
            EpollEvent::decode(&bytes)
        }
    };
    let (instance, file) = (call.file(0)?, call.file(2)?);
    if file.is_path() || instance.is_path() {
        return Err(Errno::EBADF);
    }
    file.waiters().ok_or(Errno::EPERM)?;
    let epoll = instance.epoll()?;
    epoll.control(descriptor, &file, Operation::from_arguments(operation, || Ok(event))?)?;
    Ok(0)
}

/// epoll_wait(epoll, events, most, milliseconds)
pub fn epoll_wait(call: &Call) -> Result<Outcome> {
    wait(call, milliseconds(call))
}

/// epoll_pwait(epoll, events, most, milliseconds, mask, set size)
pub fn epoll_pwait(call: &Call) -> Result<Outcome> {
    with_mask(call, call.word(4), call.word(5), || wait(call, milliseconds(call)))
}

/// epoll_pwait2(epoll, events, most, timeout, mask, set size)
pub fn epoll_pwait2(call: &Call) -> Result<Outcome> {
    let timeout = read_timeout(call, call.word(3))?;
    with_mask(call, call.word(4), call.word(5), || wait(call, timeout))
}

fn milliseconds(call: &Call) -> Option<Duration> {
    u64::try_from(call.int(3)).ok().map(Duration::from_millis)
}

fn wait(call: &Call, timeout: Option<Duration>) -> Result<Outcome> {
    let (address, most) = (call.word(1), call.int(2));
    if most <= 0 || most > i32::MAX / EpollEvent::SIZE as i32 {
        return Err(Errno::EINVAL);
    }
    let file = call.file(0)?;
    let space = call.process().space.borrow();
    let epoll = file.epoll()?;
    // Mostly there is something, and nobody need wait; mostly it is one thing.
    if let Some(event) = epoll.only_event() {
        space.write_array(address, event.encode())?;
        return Ok(Outcome::Done(1));
    }
    let mut answer = Answer::new(&space, address);
    if epoll.report(most as usize, |event| answer.add(event)) > 0 || timeout == Some(Duration::ZERO) {
        return Ok(answer.finish().into());
    }
    drop(space);
    Ok(wait_until(call, file, timeout))
}

#[inline(never)]
fn wait_until(call: &Call, file: Rc<OpenFile>, timeout: Option<Duration>) -> Outcome {
    let (address, most) = (call.word(1), call.int(2));
    let space = call.space();
    let clock = call.server.clock.clone();
    let deadline = timeout.map(|timeout| clock.monotonic() + timeout);
    call.wait_once(async move {
        let clock: Rc<dyn Clock> = clock;
        let epoll = file.epoll()?.clone();
        let events = epoll.wait(most, deadline, &clock).await?;
        // The instance stays while somebody waits for it, as the call's own reference to the file keeps it.
        drop(file);
        let mut answer = Answer::new(&space, address);
        events.into_iter().for_each(|event| answer.add(event));
        answer.finish()
    })
}

/// Events on their way to the program's array.
struct Answer<'a> {
    space: &'a AddressSpace,
    /// Where the next one goes.
    address: u64,
    written: u64,
    result: Result<()>,
}

impl<'a> Answer<'a> {
    fn new(space: &'a AddressSpace, address: u64) -> Self {
        Self { space, address, written: 0, result: Ok(()) }
    }
    fn add(&mut self, event: EpollEvent) {
        let written = self.space.write_array(self.address, event.encode());
        self.result = self.result.and(written);
        self.address = self.address.wrapping_add(EpollEvent::SIZE as u64);
        self.written += 1;
    }
    /// How many there were; `EFAULT` if the array isn't there.
    fn finish(self) -> Result<u64> {
        self.result.map(|()| self.written)
    }
}
