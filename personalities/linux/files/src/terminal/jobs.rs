//! Job control (credentials(7), tty_ioctl(4)): whose terminal it is, who is in the foreground.

use alloc::rc::Rc;

use linux_raw_sys::{general as linux, ioctl};

use super::{Caller, Terminal, Use, Verdict};
use crate::{Errno, Result};

impl Terminal {
    /// The session that it controls.
    pub fn session(&self) -> Option<u32> {
        self.session.get()
    }

    pub fn foreground_group(&self) -> Option<u32> {
        self.foreground.get()
    }

    /// A session leader without a controlling terminal gets this one, if it is no other session's. Call it after an open
    /// without O_NOCTTY.
    pub fn opened_by(self: &Rc<Self>, caller: &Caller) {
        if caller.process == caller.session && caller.controlling_terminal.is_none() && self.session.get().is_none() {
            self.control(caller);
        }
    }

    /// The session leader has ended: the foreground group gets SIGHUP and SIGCONT, the terminal is nobody's.
    pub fn session_ended(&self, session: u32) {
        if self.session.get() == Some(session) {
            self.release(session);
        }
    }

    /// Job control's word on a use of this terminal by `caller`; ask before every read, write and changing ioctl.
    pub fn check_access(self: &Rc<Self>, caller: &Caller, wanted: Use) -> Verdict {
        let in_background = self.foreground.get().is_some_and(|group| group != caller.process_group);
        if !self.controls(caller) || !in_background {
            return Verdict::Allowed;
        }
        match wanted {
            Use::Read => Verdict::BackgroundRead,
            Use::Write if !self.settings.get().on_local(linux::TOSTOP) => Verdict::Allowed,
            Use::Write | Use::Change => Verdict::BackgroundWrite,
        }
    }

    /// Does this ioctl request change the terminal, so that background processes need leave?
    pub fn is_changing(request: u32) -> bool {
        matches!(
            request,
            ioctl::TCSETS
                | ioctl::TCSETSW
                | ioctl::TCSETSF
                | ioctl::TCSETS2
                | ioctl::TCSETSW2
                | ioctl::TCSETSF2
                | ioctl::TCFLSH
                | ioctl::TCXONC
                | ioctl::TCSBRK
                | ioctl::TCSBRKP
                | ioctl::TIOCSPGRP
        )
    }

    /// Is it the caller's controlling terminal?
    pub(super) fn controls(self: &Rc<Self>, caller: &Caller) -> bool {
        self.session.get() == Some(caller.session)
            && caller.controlling_terminal.as_ref().is_some_and(|terminal| Rc::ptr_eq(terminal, self))
    }

    /// TIOCSCTTY. `EPERM` unless a session leader without a terminal asks; another session's terminal is only taken away with
    /// `steal` and privilege.
    pub(super) fn acquire(self: &Rc<Self>, caller: &Caller, steal: bool) -> Result<()> {
        let leads = caller.process == caller.session;
        if leads && self.controls(caller) {
            return Ok(());
        }
        if !leads || caller.controlling_terminal.is_some() {
            return Err(Errno::EPERM);
        }
        if let Some(other) = self.session.get() {
            if !(steal && caller.credentials.privileged) {
                return Err(Errno::EPERM);
            }
            self.session.set(None);
            self.jobs.set_controlling_terminal(other, None);
        }
        self.control(caller);
        Ok(())
    }

    /// TIOCNOTTY. `ENOTTY` if it isn't the caller's. A session leader gives it up for the whole session.
    pub(super) fn give_up(self: &Rc<Self>, caller: &Caller) -> Result<()> {
        if !self.controls(caller) {
            return Err(Errno::ENOTTY);
        }
        if caller.process == caller.session {
            self.release(caller.session);
        } else {
            self.jobs.leave_terminal(caller.process);
        }
        Ok(())
    }

    /// TIOCSPGRP. `ENOTTY` if it isn't the caller's, `EINVAL` for a negative group, `ESRCH` for none, `EPERM` for one of
    /// another session.
    pub(super) fn set_foreground(self: &Rc<Self>, caller: &Caller, group: i32) -> Result<()> {
        if !self.controls(caller) {
            return Err(Errno::ENOTTY);
        }
        let group = u32::try_from(group).map_err(|_| Errno::EINVAL)?;
        match self.jobs.session_of_group(group) {
            None => Err(Errno::ESRCH),
            Some(session) if session != caller.session => Err(Errno::EPERM),
            Some(_) => {
                self.foreground.set(Some(group));
                Ok(())
            }
        }
    }

    pub(crate) fn signal_foreground(&self, signal: u32) {
        if let Some(group) = self.foreground.get() {
            self.jobs.signal_group(group, signal);
        }
    }

    fn control(self: &Rc<Self>, caller: &Caller) {
        self.session.set(Some(caller.session));
        self.foreground.set(Some(caller.process_group));
        self.jobs.set_controlling_terminal(caller.session, Some(self.clone()));
    }

    /// The session has no terminal any more; its foreground is told.
    pub(super) fn release(&self, session: u32) {
        self.session.set(None);
        if let Some(group) = self.foreground.take() {
            self.jobs.signal_group(group, linux::SIGHUP);
            self.jobs.signal_group(group, linux::SIGCONT);
        }
        self.jobs.set_controlling_terminal(session, None);
    }
}
