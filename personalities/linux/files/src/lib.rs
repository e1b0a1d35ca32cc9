//! Files of the Linux personality: path lookup, tmpfs, pipes, terminals, devices, descriptors. Pure logic, tested on the host.
#![no_std]
