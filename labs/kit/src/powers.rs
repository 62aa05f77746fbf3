//! What an answer may do if it is the machine's root.

use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

/// Root's power over files, and no other: nothing can be mounted, traced or loaded.
/// See capabilities(7).
const OVER_FILES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID);

/// Takes all powers except those over files from the program that this process will
/// execute, and from everything that it starts.
///
/// # Errors
/// This process may not: it has no CAP_SETPCAP.
pub fn keep_those_over_files() -> std::io::Result<()> {
    give_up(CapabilitySet::all().difference(OVER_FILES))
}

/// Takes all powers from the program that this process will execute, and from all that it
/// starts: it is an ordinary user, whatever its user ID. What it has made in its own user
/// namespace is still its own, see user_namespaces(7).
///
/// # Errors
/// This process may not: it has no CAP_SETPCAP.
pub fn keep_none() -> std::io::Result<()> {
    give_up(CapabilitySet::all())
}

fn give_up(powers: CapabilitySet) -> std::io::Result<()> {
    // Without this one, the others could not be taken away.
    let last = CapabilitySet::SETPCAP;
    for capability in powers.difference(last).iter().chain(powers.intersection(last).iter()) {
        match remove_capability_from_bounding_set(capability) {
            // A kernel that is older than the capability.
            Err(rustix::io::Errno::INVAL) => {}
            other => other?,
        }
    }
    Ok(())
}
