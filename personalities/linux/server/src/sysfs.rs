//! /sys: the part that C libraries, lscpu and language runtimes read (sysfs(5)). There is one processor, one node of memory and no
//! bus; devices that aren't there have empty folders.

use crate::fixed::{Files, Folder, directory};
use crate::server::Server;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::Errno;
use chestnut_linux_files::inode::{Filesystem, Inode};

/// `f_type` of statfs(2).
const MAGIC: u64 = 0x6265_6572;

/// A number of a processor, or a list of them; likewise of a node.
fn zero(_: &'static Server) -> Vec<u8> {
    b"0\n".to_vec()
}
/// A set of processors as a bit mask; or a count.
fn one(_: &'static Server) -> Vec<u8> {
    b"1\n".to_vec()
}
/// No processor.
fn none(_: &'static Server) -> Vec<u8> {
    b"\n".to_vec()
}
/// Pages larger than 4 KiB never come of themselves.
fn never(_: &'static Server) -> Vec<u8> {
    b"always madvise [never]\n".to_vec()
}
fn nothing(_: &'static Server) -> Vec<u8> {
    Vec::new()
}

const FILES: Files = &[
    ("block/", nothing),
    ("bus/", nothing),
    ("class/", nothing),
    ("dev/block/", nothing),
    ("dev/char/", nothing),
    ("devices/system/cpu/cpu0/topology/core_cpus", one),
    ("devices/system/cpu/cpu0/topology/core_cpus_list", zero),
    ("devices/system/cpu/cpu0/topology/core_id", zero),
    ("devices/system/cpu/cpu0/topology/core_siblings", one),
    ("devices/system/cpu/cpu0/topology/core_siblings_list", zero),
    ("devices/system/cpu/cpu0/topology/die_cpus", one),
    ("devices/system/cpu/cpu0/topology/die_cpus_list", zero),
    ("devices/system/cpu/cpu0/topology/die_id", zero),
    ("devices/system/cpu/cpu0/topology/package_cpus", one),
    ("devices/system/cpu/cpu0/topology/package_cpus_list", zero),
    ("devices/system/cpu/cpu0/topology/physical_package_id", zero),
    ("devices/system/cpu/cpu0/topology/thread_siblings", one),
    ("devices/system/cpu/cpu0/topology/thread_siblings_list", zero),
    ("devices/system/cpu/isolated", none),
    ("devices/system/cpu/kernel_max", zero),
    ("devices/system/cpu/offline", none),
    ("devices/system/cpu/online", zero),
    ("devices/system/cpu/possible", zero),
    ("devices/system/cpu/present", zero),
    ("devices/system/node/has_cpu", zero),
    ("devices/system/node/has_memory", zero),
    ("devices/system/node/has_normal_memory", zero),
    ("devices/system/node/node0/cpulist", zero),
    ("devices/system/node/node0/cpumap", one),
    ("devices/system/node/online", zero),
    ("devices/system/node/possible", zero),
    ("firmware/", nothing),
    ("fs/cgroup/", nothing),
    ("kernel/mm/transparent_hugepage/enabled", never),
    ("module/", nothing),
    ("power/", nothing),
];

/// The root directory of one more instance.
pub fn root(server: &'static Server, device: u64) -> Rc<Inode> {
    let filesystem = Filesystem::new("sysfs", MAGIC, device, false, server.clock.clone(), server.memory.store.clone());
    directory(&filesystem, 1, (0, 0), Folder::root(server, filesystem.clone(), FILES, Errno::EPERM))
}
