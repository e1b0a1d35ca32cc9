//! Terminals by termios(3) and ioctl_tty(2); and as a Linux pseudo-terminal was seen to behave.

mod control;
mod discipline;
mod jobs;
mod observed;
mod property;
