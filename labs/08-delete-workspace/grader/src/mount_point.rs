//! delete_mount_point.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use labkit::failing;
use labkit::host::Host;
use labkit::verdict::Finding;
use nix::errno::Errno;
use nix::libc;

use crate::call::Call;
use crate::scene::{Open, Which};
use crate::stage::{NEIGHBOURS, Stage, alike_as_text, mount_tmpfs};
use crate::unresolved;

/// So many mounts that become free one by one keep an answer busy for 3.3 seconds.
const MANY: usize = 22;

/// So many mounts are too many for whoever counts tries instead of time.
const CROWD: usize = 150;

fn call<'a>(stage: &'a Stage, workspace: PathBuf) -> Call<'a> {
    Call::new(stage, Which::MountPoint, workspace)
}

/// A harder case is tried only on an answer that can do the plain one: else it
/// would tell nothing new.
fn plain(stage: &Stage) -> Result<(), Finding> {
    let facts = call(stage, stage.container("plain")).make()?;
    facts.require(facts.mounts_after().is_empty())
}

/// Makes a call that is to unmount everything.
fn must_unmount(call: Call) -> Result<(), Finding> {
    let facts = call.make()?;
    facts.require(facts.mounts_after().is_empty())
}

pub fn nothing_is_mounted(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    must_unmount(call(&stage, stage.container("ws1")))?;
    let workspace = stage.container("ws2");
    stage.mount_caches(&workspace, CROWD);
    must_unmount(call(&stage, workspace))
}

pub fn files_stay(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let facts = call(&stage, stage.container("ws1")).make()?;
    facts.require(facts.deleted().is_empty())
}

pub fn stacked(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    must_unmount(call(&stage, stack(&stage, "ws1")))
}

/// A workspace with two mounts on each of two folders.
fn stack(stage: &Stage, name: &str) -> PathBuf {
    let workspace = stage.workspace(name);
    mount_tmpfs(&workspace.join("mnt"));
    mount_tmpfs(&workspace.join("mnt"));
    stage.mount_volume(&workspace.join("mnt/data"));
    stage.mount_volume(&workspace.join("mnt/data"));
    workspace
}

pub fn covered(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    covered_mounts_go(&stage)
}

fn covered_mounts_go(stage: &Stage) -> Result<(), Finding> {
    must_unmount(call(stage, stack(stage, "stack")))?;
    // As after a crash and a second start: the first container is still mounted
    // below the second.
    let workspace = stage.container("covered");
    mount_tmpfs(&workspace.join("mnt"));
    must_unmount(call(stage, workspace))
}

/// What is not told anyway, or not unmounted, is no case for a call that fails.
fn told_anyway(stage: &Stage) -> Result<(), Finding> {
    covered_mounts_go(stage)?;
    let busy = call(stage, stage.container("busy")).while_open("mnt/file", Open::Throughout);
    let facts = busy.make()?;
    facts.require_refusal(facts.open_mount_is_there())
}

pub fn moved(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    moved_mounts_go(&stage)
}

fn moved_mounts_go(stage: &Stage) -> Result<(), Finding> {
    let workspace = stage.workspace("moved");
    stage.mount_moved(&workspace.join("mnt"));
    must_unmount(call(stage, workspace))
}

pub fn any_name(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    for name in ["a space", "a\ttab", "a\nline feed", "a\\backslash", "an\\040escape"] {
        must_unmount(call(&stage, stage.container(name)))?;
    }
    // No UTF-8: of the workspace, and of a directory that the container has made.
    let latin_1 = Path::new(OsStr::from_bytes(b"caf\xe9"));
    let workspace = stage.container("ws1");
    stage.mount_volume(&workspace.join("mnt").join(latin_1));
    must_unmount(call(&stage, workspace))?;
    let workspace = stage.workspace("of-that-name");
    let renamed = stage.containers().join(latin_1);
    fs::rename(&workspace, &renamed).expect("the scratch directory");
    stage.mount_container(&renamed);
    must_unmount(call(&stage, renamed))
}

pub fn linked(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    links_are_resolved(&stage)?;
    // As its last part.
    let workspace = stage.container("ws3");
    let link = host.path("link-to-ws3");
    symlink(&workspace, &link).expect("the scratch directory");
    must_unmount(call(&stage, workspace).given_as(link))?;
    // A link to itself leads nowhere, least of all to every mount.
    let round = host.path("round");
    symlink(&round, &round).expect("the scratch directory");
    stage.container("ws2");
    let facts = call(&stage, round).make()?;
    if facts.is_harmless() {
        return Ok(());
    }
    facts.require_refusal(false)
}

/// Whether what it unmounts is what the path leads to, beside another workspace.
fn links_are_resolved(stage: &Stage) -> Result<(), Finding> {
    let workspace = stage.container("ws1");
    mount_tmpfs(&stage.workspace("beside").join("mnt"));
    let link = stage.host.path("link");
    symlink(stage.containers(), &link).expect("the scratch folder");
    must_unmount(call(stage, workspace).given_as(link.join("ws1")))
}

pub fn neighbours(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    let workspace = stage.container("ws1");
    for neighbour in NEIGHBOURS {
        mount_tmpfs(&stage.workspace(neighbour).join("mnt"));
    }
    // What lies in the workspace can be mounted elsewhere, too.
    stage.show_elsewhere(&workspace.join("init-layer"));
    must_unmount(call(&stage, workspace))?;
    let [name, neighbour] = alike_as_text();
    let workspace = stage.container(name);
    mount_tmpfs(&stage.workspace(neighbour).join("mnt"));
    must_unmount(call(&stage, workspace))
}

pub fn busy_for_a_moment(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    waits_for_a_moment(&stage)
}

fn waits_for_a_moment(stage: &Stage) -> Result<(), Finding> {
    let workspace = stage.container("for-a-moment");
    must_unmount(call(stage, workspace).while_open("mnt/file", Open::ForAMoment))
}

pub fn busy_throughout(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    // 1. One mount is busy. 2. Each is: the time is that of the whole call.
    let others =
        ["mnt/data/thesis.txt", "mnt/proc/file", "mnt/proc/sys/file", "mnt/srv/thesis.txt"];
    for (name, others) in [("ws1", &[][..]), ("ws2", &others[..])] {
        let call = call(&stage, stage.container(name)).while_open("mnt/file", Open::Throughout);
        let facts = call.while_others_are_open(others).make()?;
        if facts.is_too_short() {
            // Whoever tries only once is told so.
            waits_for_a_moment(&stage)?;
        }
        facts.require_refusal(
            facts.open_mount_is_there()
                && !facts.returned_another_error()
                && !facts.is_too_long()
                && !facts.is_too_short(),
        )?;
    }
    // 3. One is, and hides all the others, which the table lists after it.
    let workspace = stage.container_under_an_older_mount("ws3");
    let facts = call(&stage, workspace).while_open("mnt/file", Open::Throughout).make()?;
    if facts.returned_another_error() {
        covered_mounts_go(&stage)?;
        moved_mounts_go(&stage)?;
    }
    facts.require_refusal(facts.open_mount_is_there() && !facts.returned_another_error())?;
    // 4. One is, and another one becomes free again and again: for longer than an answer
    // may try, however little it waits for each.
    let workspace = stage.container("ws4");
    let caches = stage.mount_caches(&workspace, MANY);
    let call = call(&stage, workspace).while_open("mnt/file", Open::Throughout);
    let facts = call.letting_go(caches).make()?;
    facts.require_refusal(facts.open_mount_is_there() && !facts.is_too_long())
}

pub fn at_the_workspace(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    let workspace = stage.workspace("ws1");
    stage.bind_onto_itself(&workspace);
    stage.mount_container(&workspace);
    must_unmount(call(&stage, workspace))
}

/// Whoever cannot read the mount table knows nothing of what is mounted.
pub fn no_table(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    let call =
        call(&stage, stage.container("ws1")).refusing("openat", libc::SYS_openat, Errno::EPERM);
    let facts = call.make()?;
    if facts.seen.returned.is_ok() {
        return facts.require(facts.mounts_after().is_empty());
    }
    Ok(())
}

pub fn link_on_a_cover(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    let (backup, machine) = (host.path("backup"), host.path("machine"));
    mount_tmpfs(&backup);
    mount_tmpfs(&machine.join("cache"));
    let workspace = stage.container("ws1");
    let mnt = workspace.join("mnt");
    mount_tmpfs(&mnt.join("var/cache"));
    // The second root covers the first, and is busy. It has a link where the first has a
    // volume, and another link on the way to one of the first one's mounts. Both paths lead
    // to mounts of the host now.
    mount_tmpfs(&mnt);
    for (target, name) in [(&backup, "data"), (&machine, "var")] {
        symlink(target, mnt.join(name)).expect("the scratch directory");
    }
    let facts = call(&stage, workspace).while_open("mnt/file", Open::Throughout).make()?;
    // Of those that are refused, some are hidden, and one is busy.
    if facts.returned_another_error() {
        covered_mounts_go(&stage)?;
    }
    facts.require_refusal(facts.open_mount_is_there() && !facts.returned_another_error())
}

/// Each of its calls in turn: with EINVAL, too, which is said of what is no mount point,
/// and of a mount that may not be unmounted.
pub fn failures(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    for errno in [Errno::EPERM, Errno::EINVAL] {
        let workspace = stage.container(format!("all-{errno:?}"));
        let facts = call(&stage, workspace).refusing("umount2", libc::SYS_umount2, errno).make()?;
        if facts.seen.returned.is_ok() {
            told_anyway(&stage)?;
            facts.require_refusal(true)?;
        }
        // EINVAL is said of what is covered, too: an answer can know better.
        if errno == Errno::EPERM {
            facts.require_refusal(!facts.returned_another_error())?;
        }
        failing::each(|nth| {
            let workspace = stage.container(format!("{errno:?}-{nth}"));
            let facts = call(&stage, workspace).failing(nth, errno).make()?;
            if facts.seen.returned.is_ok() && !facts.mounts_after().is_empty() {
                told_anyway(&stage)?;
                facts.require(false)?;
            }
            Ok(facts.seen.failed.is_some())
        })?;
    }
    unresolved::is_an_error(&stage, Which::MountPoint, || links_are_resolved(&stage))
}

pub fn twice(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let workspace = stage.container("ws1");
    must_unmount(call(&stage, workspace.clone()))?;
    must_unmount(call(&stage, workspace.clone()))?;
    fs::remove_dir_all(&workspace).expect("nothing is mounted there");
    must_unmount(call(&stage, workspace))?;
    // One of two peers takes the other one's mount along: the table says so, if it is read
    // again.
    let workspace = stage.workspace("peers");
    stage.mount_peers(&workspace);
    let facts = call(&stage, workspace).make()?;
    if facts.seen.returned.is_err() {
        // Whoever reads the table only once is told of what is worse.
        covered_mounts_go(&stage)?;
        moved_mounts_go(&stage)?;
    }
    facts.require(facts.mounts_after().is_empty())
}
