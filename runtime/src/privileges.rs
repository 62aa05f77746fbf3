//! Who runs this: real root, root of a user namespace, or an ordinary user.

use nix::unistd::geteuid;

/// What the kernel lets this process do, as far as it matters to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privileges {
    /// Root of the machine: makes device nodes, writes `trusted.*` attributes.
    Root,
    /// Root only of a user namespace: may mount, but makes no device nodes
    /// and writes `user.*` attributes.
    MappedRoot,
    /// An ordinary user, who becomes a mapped root in a user namespace of the
    /// container's own.
    User,
}

impl Privileges {
    /// Those of the calling process. See user_namespaces(7).
    pub fn current() -> Privileges {
        if !geteuid().is_root() {
            return Privileges::User;
        }
        // The initial user namespace maps all user IDs to themselves. Without
        // /proc nothing is known: then the lesser powers are assumed.
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        match map.split_whitespace().collect::<Vec<_>>()[..] {
            ["0", "0", "4294967295"] => Privileges::Root,
            _ => Privileges::MappedRoot,
        }
    }
}
