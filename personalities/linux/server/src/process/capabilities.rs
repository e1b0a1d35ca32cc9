//! Capabilities of Linux (capabilities(7)): what user 0 may do, in parts that can be given up. They are numbers in sets and have
//! nothing to do with the microkernel's.

use super::Ids;

pub const KILL: u32 = 5;
pub const SETGID: u32 = 6;
pub const SETUID: u32 = 7;
pub const SETPCAP: u32 = 8;
pub const SYS_ADMIN: u32 = 21;
pub const SYS_BOOT: u32 = 22;
pub const SYS_NICE: u32 = 23;
pub const SYS_RESOURCE: u32 = 24;
pub const SYS_TIME: u32 = 25;
pub const IPC_LOCK: u32 = 14;
pub const IPC_OWNER: u32 = 15;
pub const SYSLOG: u32 = 34;
pub const WAKE_ALARM: u32 = 35;
/// CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE, MKNOD, MAC_OVERRIDE.
const FOR_FILES: u64 = 0b1_1111 | 1 << 9 | 1 << 27 | 1 << 32;
/// What the file systems look at.
pub const DAC_OVERRIDE: u32 = 1;
/// CAP_LAST_CAP.
pub const LAST: u32 = 40;
/// All that there are.
pub const ALL: u64 = (1 << (LAST + 1)) - 1;

/// A process's sets, a bit for each capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub permitted: u64,
    pub effective: u64,
    pub inheritable: u64,
    pub bounding: u64,
    pub ambient: u64,
    /// PR_SET_KEEPCAPS.
    pub keep: bool,
}

impl Capabilities {
    /// The first program's.
    pub const FULL: Self =
        Self { permitted: ALL, effective: ALL, inheritable: 0, bounding: ALL, ambient: 0, keep: false };

    pub const fn can(self, capability: u32) -> bool {
        self.effective & 1 << capability != 0
    }

    /// After the user ids have changed.
    pub fn after_ids(self, old: Ids, new: Ids) -> Self {
        let mut after = self;
        let some_root = |ids: Ids| [ids.user, ids.effective_user, ids.saved_user].contains(&0);
        if some_root(old) && !some_root(new) {
            if !self.keep {
                after.permitted = 0;
                after.effective = 0;
            }
            after.ambient = 0;
        }
        if old.effective_user == 0 && new.effective_user != 0 {
            after.effective = 0;
        }
        if old.effective_user != 0 && new.effective_user == 0 {
            after.effective = after.permitted;
        }
        after
    }

    /// After the user that files are looked up for has changed (setfsuid(2)): user 0 alone has the capabilities for files.
    pub const fn after_file_user(self, old: u32, new: u32) -> Self {
        let effective = match (old, new) {
            (0, 0) => self.effective,
            (0, _) => self.effective & !FOR_FILES,
            (_, 0) => self.effective | (self.permitted & FOR_FILES),
            _ => self.effective,
        };
        Self { effective, ..self }
    }

    /// After execve with these ids; `set_id` if the file's bits changed them.
    pub fn after_exec(self, ids: Ids, set_id: bool) -> Self {
        let ambient = if set_id { 0 } else { self.ambient };
        let permitted =
            if ids.user == 0 || ids.effective_user == 0 { self.inheritable | self.bounding } else { ambient };
        let effective = if ids.effective_user == 0 { permitted } else { ambient };
        Self { permitted, effective, ambient, keep: false, ..self }
    }

    /// capset(2): what was asked for, if that is allowed.
    pub fn changed(self, permitted: u64, effective: u64, inheritable: u64) -> Option<Self> {
        let (permitted, effective, inheritable) = (permitted & ALL, effective & ALL, inheritable & ALL);
        let may_inherit = if self.can(SETPCAP) { self.bounding } else { self.permitted };
        let allowed = permitted & !self.permitted == 0
            && effective & !permitted == 0
            && inheritable & !(self.inheritable | may_inherit) == 0
            && inheritable & !(self.inheritable | self.bounding) == 0;
        let ambient = self.ambient & permitted & inheritable;
        allowed.then_some(Self { permitted, effective, inheritable, ambient, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Ids = Ids { user: 0, effective_user: 0, saved_user: 0, group: 0, effective_group: 0, saved_group: 0 };
    const USER: Ids = Ids { user: 5, effective_user: 5, saved_user: 5, ..ROOT };

    #[test]
    fn giving_up_root_gives_up_everything_unless_kept() {
        let full = Capabilities::FULL;
        assert_eq!(full.after_ids(ROOT, USER).permitted, 0);
        let kept = Capabilities { keep: true, ..full }.after_ids(ROOT, USER);
        assert_eq!((kept.permitted, kept.effective), (ALL, 0));
        let effective = Ids { effective_user: 5, ..ROOT };
        let lowered = full.after_ids(ROOT, effective);
        assert_eq!((lowered.permitted, lowered.effective), (ALL, 0));
        assert_eq!(lowered.after_ids(effective, ROOT), full);
    }

    #[test]
    fn a_program_of_root_has_what_is_bounded_and_another_has_nothing() {
        let bounded = Capabilities { bounding: 0b1010, ..Capabilities::FULL };
        assert_eq!(bounded.after_exec(ROOT, false).effective, 0b1010);
        assert_eq!(Capabilities::FULL.after_exec(USER, false).permitted, 0);
        let set_id = Ids { effective_user: 0, saved_user: 0, ..USER };
        assert_eq!(Capabilities::FULL.after_ids(ROOT, USER).after_exec(set_id, true).effective, ALL);
    }

    #[test]
    fn the_user_for_files_has_capabilities_for_files_only() {
        let lowered = Capabilities::FULL.after_file_user(0, 5);
        assert!(!lowered.can(DAC_OVERRIDE) && lowered.can(KILL) && lowered.permitted == ALL);
        assert_eq!(lowered.after_file_user(5, 0), Capabilities::FULL);
        assert_eq!(lowered.after_file_user(5, 6), lowered);
    }

    #[test]
    fn nothing_is_gained_by_capset() {
        let some = Capabilities { permitted: 0b110, effective: 0b010, bounding: 0b110, ..Capabilities::FULL };
        assert_eq!(some.changed(0b111, 0, 0), None);
        assert_eq!(some.changed(0b010, 0b100, 0), None);
        assert_eq!(some.changed(0b110, 0b100, 0b1000), None);
        assert_eq!(some.changed(0b110, 0b100, 0b100).map(|new| new.effective), Some(0b100));
    }
}
