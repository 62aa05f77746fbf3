//! What root of a container may do: a part of what root of the machine may.

use std::path::Path;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities,
};

use mydocker_kernel::sys;
use mydocker_kernel::{Error, OnPath, Result};

/// Docker's default set. See capabilities(7).
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::AUDIT_WRITE)
    .union(CapabilitySet::SETFCAP);

/// The number of the last capability that this kernel knows.
fn last_capability() -> Result<u32> {
    let path = Path::new("/proc/sys/kernel/cap_last_cap");
    let text = std::fs::read_to_string(path).on("read", path)?;
    text.trim().parse().map_err(|_| Error::new(format!("{path:?} has no number: {text:?}")))
}

/// Drops all other capabilities for good: no setuid program brings one back.
///
/// # Errors
/// EPERM without CAP_SETPCAP.
pub fn drop_all_but_default() -> Result<()> {
    let failed = |call: &'static str| {
        move |errno: rustix::io::Errno| {
            Error::call(call, nix::errno::Errno::from_raw(errno.raw_os_error()))
        }
    };
    // The bounding set first: dropping from it needs CAP_SETPCAP.
    for bit in 0..=last_capability()? {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if KEPT.contains(capability) {
            continue;
        }
        remove_capability_from_bounding_set(capability)
            .map_err(failed("prctl(PR_CAPBSET_DROP)"))?;
    }
    clear_ambient_capability_set().map_err(failed("prctl(PR_CAP_AMBIENT_CLEAR_ALL)"))?;
    // Whoever started us may have taken some away.
    let ours = capabilities(None).map_err(failed("capget()"))?;
    let kept = KEPT.intersection(ours.permitted);
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(failed("capset()"))?;
    sys::set_no_new_privs()
}
