//! Names of system calls, present or missing.

/// The name of a number, if Linux has such a call.
pub fn of(number: u64) -> Option<&'static str> {
    super::table::name(number)
        .or_else(|| MISSING.binary_search_by_key(&number, |(number, _)| *number).ok().map(|index| MISSING[index].1))
}

/// The list of names without a handler has this number.
#[cfg(test)]
pub fn is_missing(number: u64) -> bool {
    MISSING.iter().any(|(missing, _)| *missing == number)
}

/// Names of numbers without a handler, ascending.
#[rustfmt::skip]
const MISSING: &[(u64, &str)] = &[
    
    (134, "uselib"), (136, "ustat"),
    (139, "sysfs"), (153, "vhangup"), (154, "modify_ldt"), (156, "_sysctl"), (163, "acct"),
    (167, "swapon"), (168, "swapoff"), (172, "iopl"), (173, "ioperm"), (174, "create_module"), (175, "init_module"),
    (176, "delete_module"), (177, "get_kernel_syms"), (178, "query_module"), (179, "quotactl"), (180, "nfsservctl"),
    (181, "getpmsg"), (182, "putpmsg"), (183, "afs_syscall"), (184, "tuxcall"), (185, "security"),
    (205, "set_thread_area"), (206, "io_setup"), (207, "io_destroy"), (208, "io_getevents"), (209, "io_submit"),
    (210, "io_cancel"), (211, "get_thread_area"), (212, "lookup_dcookie"), (214, "epoll_ctl_old"),
    (215, "epoll_wait_old"), (216, "remap_file_pages"), (219, "restart_syscall"), 
    (236, "vserver"), (237, "mbind"), (238, "set_mempolicy"), (239, "get_mempolicy"), 
    
    (246, "kexec_load"), (248, "add_key"), (249, "request_key"), (250, "keyctl"),
    (256, "migrate_pages"), (279, "move_pages"), (298, "perf_event_open"),
    (300, "fanotify_init"), (301, "fanotify_mark"), (313, "finit_module"),
    (320, "kexec_file_load"), (321, "bpf"), (323, "userfaultfd"), (329, "pkey_mprotect"),
    (330, "pkey_alloc"), (331, "pkey_free"), (333, "io_pgetevents"), (334, "rseq"), (335, "uretprobe"),
    (425, "io_uring_setup"), (426, "io_uring_enter"), (427, "io_uring_register"), (428, "open_tree"),
    (429, "move_mount"), (430, "fsopen"), (431, "fsconfig"), (432, "fsmount"), (433, "fspick"),
    (442, "mount_setattr"), (443, "quotactl_fd"), (444, "landlock_create_ruleset"),
    (445, "landlock_add_rule"), (446, "landlock_restrict_self"), (447, "memfd_secret"), (448, "process_mrelease"),
    (450, "set_mempolicy_home_node"), (451, "cachestat"), (453, "map_shadow_stack"),
    (454, "futex_wake"), (455, "futex_wait"), (456, "futex_requeue"), (457, "statmount"), (458, "listmount"),
    (459, "lsm_get_self_attr"), (460, "lsm_set_self_attr"), (461, "lsm_list_modules"), (462, "mseal"),
    (463, "setxattrat"), (464, "getxattrat"), (465, "listxattrat"), (466, "removexattrat"), (467, "open_tree_attr"),
    (468, "file_getattr"), (469, "file_setattr"),
];
