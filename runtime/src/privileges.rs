//! Who runs this: real root, root of a user namespace, or an ordinary user.

use std::path::Path;

use nix::unistd::geteuid;

use crate::error::{OnPath, Result};

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
    ///
    /// # Errors
    /// /proc cannot be read.
    pub fn known() -> Result<Privileges> {
        if !geteuid().is_root() {
            return Ok(Privileges::User);
        }
        // The initial user namespace maps all user IDs to themselves.
        let path = Path::new("/proc/self/uid_map");
        let map = std::fs::read_to_string(path).on("read", path)?;
        Ok(match map.split_whitespace().collect::<Vec<_>>()[..] {
            ["0", "0", "4294967295"] => Privileges::Root,
            _ => Privileges::MappedRoot,
        })
    }

    /// The same, where the lesser powers may be assumed if nothing is known.
    pub fn current() -> Privileges {
        Privileges::known().unwrap_or(Privileges::MappedRoot)
    }
}
