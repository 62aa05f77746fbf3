//! Who runs this: real root, root of a user namespace, or an ordinary user.
//!
//! What decides are the capabilities of the process. The user ID 0 alone gives nothing.
//! Root of an ordinary container, such as Docker's, has the user ID but may not mount: it
//! is treated like an ordinary user.

use std::path::Path;

use nix::errno::Errno;
use nix::unistd::geteuid;
use rustix::thread::{CapabilitySet, capabilities};

use crate::error::{Error, Result};
use crate::on_path::OnPath;

/// What the kernel lets this process do, as far as it matters to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privileges {
    /// Root of the machine: makes device nodes, writes `trusted.*` attributes.
    Root,
    /// Root only of a user namespace: may mount, but makes no device nodes
    /// and writes `user.*` attributes.
    MappedRoot,
    /// An ordinary user, or a root who may not mount: becomes a mapped root in the
    /// container's own user namespace.
    User,
}

impl Privileges {
    /// Those of the calling process. See capabilities(7) and user_namespaces(7).
    ///
    /// # Errors
    /// As capget(2); or /proc cannot be read.
    pub fn known() -> Result<Privileges> {
        if !geteuid().is_root() {
            return Ok(Privileges::User);
        }
        let effective = effective_capabilities()?;
        if !effective.contains(CapabilitySet::SYS_ADMIN) {
            return Ok(Privileges::User);
        }
        if !effective.contains(CapabilitySet::MKNOD) {
            return Ok(Privileges::MappedRoot);
        }
        // The initial user namespace maps all user IDs to themselves.
        let path = Path::new("/proc/self/uid_map");
        let map = std::fs::read_to_string(path).on("read", path)?;
        Ok(match map.split_whitespace().collect::<Vec<_>>()[..] {
            ["0", "0", "4294967295"] => Privileges::Root,
            _ => Privileges::MappedRoot,
        })
    }

    /// The same, for callers that may assume the lesser powers if nothing is known.
    pub fn current() -> Privileges {
        Privileges::known().unwrap_or(Privileges::MappedRoot)
    }
}

/// Whether this process has the user ID 0, but may not mount. See [`Privileges`].
pub fn is_root_without_power() -> bool {
    geteuid().is_root() && !may_mount()
}

/// Whether this process has CAP_SYS_ADMIN, even if only in a user namespace.
pub fn may_mount() -> bool {
    effective_capabilities().is_ok_and(|it| it.contains(CapabilitySet::SYS_ADMIN))
}

fn effective_capabilities() -> Result<CapabilitySet> {
    let error = |errno: rustix::io::Errno| Errno::from_raw(errno.raw_os_error());
    let sets = capabilities(None).map_err(|errno| Error::call("capget()", error(errno)))?;
    Ok(sets.effective)
}
