//! mount_kernel_file_systems when it cannot succeed.

use std::fs;

use labkit::calls::{CALLS, Calls};
use labkit::describe::{Failure, result};
use labkit::failing::{self, Which};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::libc::{SYS_newfstatat, SYS_statx};

use crate::own_words;

use super::{FUNCTION, Mounted, ON_ALL, call, look, observe};

/// The calls that tell whether there is a file.
const STAT: Calls = ("stat", &[SYS_statx, SYS_newfstatat]);

pub fn image_stays(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let kept = facts.image_before == facts.image_after;
    facts.judge(&ON_ALL, kept, vec![facts.new_in_the_image()])?;
    // An image that has nothing to mount on. Who mounts nothing there needs nothing.
    if facts.is_wrong() {
        return Ok(());
    }
    for name in ["proc", "dev"] {
        let new_root = host.busybox(&format!("without-{name}"));
        fs::remove_dir(new_root.join(name)).expect("an empty directory of the image");
        let facts = Mounted { lacks: Some(name), ..look(call(host, &new_root), new_root)? };
        let returned = &facts.seen.returned;
        let kept = facts.says_that_it_lacks() && facts.image_before == facts.image_after;
        ON_ALL.judge(&facts, kept, || {
            let what = format!("{FUNCTION}(new_root), without new_root/{name}");
            let expected = Failure::from(Errno::ENOENT);
            vec![
                Evidence::differs(what, expected, own_words::shown(returned)),
                facts.new_in_the_image(),
            ]
        })?;
    }
    Ok(())
}

pub fn failure(host: &Host) -> Result<(), Finding> {
    // An answer that leaves something out is not blamed for that here.
    let facts = observe(host)?;
    if facts.is_wrong() {
        return Ok(());
    }
    let new_root = facts.new_root;
    let calls: Vec<Calls> = CALLS.iter().copied().chain([STAT]).collect();
    let attempt = |nth: usize, which: Which, errno: Errno| {
        let call = call(host, &new_root).failing_which(nth, which, &calls, errno);
        let facts = look(call, new_root.clone())?;
        let Some(failed) = facts.seen.failed else { return Ok(false) };
        let is_told = facts.seen.returned.is_err() || !facts.is_wrong();
        let is_clean = facts.image_before == facts.image_after;
        ON_ALL.judge(&facts, is_told && is_clean, || {
            let call = format!("{FUNCTION}(new_root) while {failed} fails with {errno:?}");
            let told = Evidence::differs(call, "Err", result(&facts.seen.returned));
            if is_clean { vec![told] } else { vec![told, facts.new_in_the_image()] }
        })?;
        Ok(true)
    };
    // Some pass over what is not there, a device for instance, or over what they take for
    // mounted already.
    for errno in [Errno::EPERM, Errno::ENOENT, Errno::EBUSY, Errno::EINVAL] {
        failing::each(|nth| attempt(nth, Which::Alone, errno))?;
    }
    // Others try again, and do not look any more.
    failing::each(|nth| attempt(nth, Which::AndLater, Errno::EPERM))
}
