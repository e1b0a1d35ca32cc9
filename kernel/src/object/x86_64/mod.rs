//! x86_64's own objects: paging structures and address-space identifiers, I/O ports.
mod asid;
mod mapping;
mod ports;
mod vspace;
mod walk;

pub use asid::{AsidPool, AsidTable};
pub use mapping::{end_asid_pool, unmap_frame, unmap_table};
pub use ports::IoPorts;
pub use vspace::{Entry as TableEntry, LEVELS, Loadable, Table, index, span_bits};
pub use walk::{Walk, walk};
