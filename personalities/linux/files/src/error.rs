//! Why a call failed, in Linux's own numbers.
//!
//! Every fallible function of this crate returns an [`Errno`]; the server hands it to the program as it is, so the value
//! chosen here is the value that a manual page promises.

use core::fmt;
use linux_raw_sys::errno;

/// One of Linux's error numbers (1–4095), without a sign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub u16);

pub type Result<T> = core::result::Result<T, Errno>;

macro_rules! names {
    ($($name:ident)*) => {
        #[allow(missing_docs)]
        impl Errno {
            $(pub const $name: Errno = Errno(errno::$name as u16);)*

            /// The symbolic name, for logs and tests.
            pub fn name(self) -> Option<&'static str> {
                $(if self == Self::$name { return Some(stringify!($name)); })*
                None
            }
        }
    };
}

names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV
    ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK
    ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP EOPNOTSUPP ENODATA ENOMSG EIDRM ETIME EOVERFLOW EILSEQ ENOTSOCK ETIMEDOUT ESTALE
    EAFNOSUPPORT EPROTONOSUPPORT ESOCKTNOSUPPORT ENOPROTOOPT EADDRNOTAVAIL ENOBUFS ETOOMANYREFS EALREADY EINPROGRESS
    ECANCELED ENOTCONN ECONNRESET EADDRINUSE ECONNREFUSED EISCONN EMSGSIZE EPROTOTYPE EDESTADDRREQ
}

impl Errno {
    /// The register value that tells a program of this error.
    pub fn to_register(self) -> i64 {
        -i64::from(self.0)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => out.write_str(name),
            None => write!(out, "errno {}", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, out)
    }
}
