//! Path lookup, names and permissions (path_resolution(7), open(2), rename(2), unlink(2), rmdir(2), link(2), chmod(2), …).

mod lookup;
mod model;
mod mounting;
mod naming;
mod opening;
mod permission;
mod renaming;
