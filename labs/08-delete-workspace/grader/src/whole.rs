//! delete_workspace.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use labkit::describe::tree;
use labkit::failing;
use labkit::host::Host;
use labkit::verdict::Finding;
use nix::errno::Errno;
use nix::libc;

use crate::call::Call;
use crate::facts::PARTS;
use crate::scene::{Open, Which};
use crate::stage::{NEIGHBOURS, Stage, mount_tmpfs};
use crate::unresolved;

/// Before which of its kernel calls that change something an answer is killed:
/// early ones closely, for there the steps are short.
const KILLED_AT: [usize; 12] = [1, 3, 5, 7, 9, 12, 15, 18, 21, 25, 30, 35];

fn call<'a>(stage: &'a Stage, workspace: PathBuf) -> Call<'a> {
    Call::new(stage, Which::Workspace, workspace)
}

/// Makes a call that is to unmount and delete everything.
fn must_delete(call: Call) -> Result<(), Finding> {
    let facts = call.make()?;
    let kept = facts.mounts_after().is_empty() && facts.left_behind().is_empty();
    facts.require(kept && facts.leaves_nothing_beside())
}

/// A harder case is tried only on an answer that can do the plain one.
fn plain(stage: &Stage) -> Result<(), Finding> {
    must_delete(call(stage, stage.container("plain")))
}

pub fn is_gone(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    must_delete(call(&stage, stage.container("ws1")))?;
    // All of it, not only what has a name here.
    must_delete(call(&stage, stage.workspace_with_more("ws2")))
}

/// By a link, with links in it.
pub fn links(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    must_delete(call(&stage, stage.workspace_of_links("ws1")))?;
    must_delete(call(&stage, stage.workspace_of_dangling_links("ws3")))?;
    let workspace = stage.container("ws2");
    let link = host.path("link-to-ws2");
    symlink(&workspace, &link).expect("the scratch directory");
    must_delete(call(&stage, workspace).given_as(link))?;
    // By a link to a link.
    let workspace = stage.container("ws4");
    let link = host.path("current");
    symlink(&workspace, host.path("latest")).expect("the scratch directory");
    symlink("latest", &link).expect("the scratch directory");
    must_delete(call(&stage, workspace).given_as(link))
}

pub fn overlay(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    must_delete(call(&stage, stage.overlay_container("ws1")))
}

pub fn covered_volume(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    // The root of a first container, which was never unmounted, is a folder of
    // the host; that of the second lies on it.
    let workspace = stage.workspace("ws1");
    stage.mount_volume(&workspace.join("mnt"));
    stage.mount_container(&workspace);
    must_delete(call(&stage, workspace))
}

pub fn neighbours(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    let workspace = stage.container("ws1");
    let neighbours = NEIGHBOURS.map(|name| stage.workspace(name));
    neighbours.iter().for_each(|neighbour| mount_tmpfs(&neighbour.join("mnt")));
    let trees = || neighbours.each_ref().map(|neighbour| tree(neighbour).ok());
    let before = trees();
    let facts = call(&stage, workspace).make()?;
    facts.require(trees() == before && facts.left_behind().is_empty())
}

pub fn without_privileges(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    must_delete(call(&stage, stage.workspace("ws1")).without_privileges())?;
    let workspace = stage.workspace("ws2");
    stage.close_init_layer(&workspace);
    must_delete(call(&stage, workspace).without_privileges())
}

pub fn failed_umount(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    let workspace = stage.container("ws1");
    let file = "mnt/data/thesis.txt";
    let facts = call(&stage, workspace).while_open(file, Open::Throughout).make()?;
    facts.require_refusal(facts.open_mount_is_there() && !facts.returned_another_error())?;
    // Whatever the kernel says: EBUSY is only the usual one.
    for errno in [Errno::EPERM, Errno::EINVAL] {
        let call = call(&stage, stage.container(format!("refused-{errno:?}")));
        call.refusing("umount2", libc::SYS_umount2, errno).make()?.require_refusal(true)?;
    }
    Ok(())
}

/// Each of its calls in turn, where nothing is mounted: a umount2(2) that fails is another
/// promise's.
pub fn failures(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    for errno in [Errno::EPERM, Errno::ENOTEMPTY] {
        failing::each(|nth| {
            let call = call(&stage, stage.workspace(format!("{errno:?}-{nth}")));
            let facts = call.failing(nth, errno).make()?;
            if facts.seen.returned.is_ok() {
                facts.require(facts.left_behind().is_empty())?;
            }
            Ok(facts.seen.failed.is_some())
        })?;
    }
    unresolved::is_an_error(&stage, Which::Workspace, || any_parts_may_be_gone(&stage))
}

pub fn killed(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    for nth in KILLED_AT {
        let call = call(&stage, stage.container("ws1"));
        let was_killed = call.make_and_kill(nth)?;
        must_delete(call)?;
        if !was_killed {
            break;
        }
    }
    any_parts_may_be_gone(&stage)?;
    // Given as a link, which must lead to the workspace as long as anything is left.
    let workspace = stage.container("linked");
    let link = host.path("link-to-linked");
    symlink(&workspace, &link).expect("the scratch directory");
    must_delete(call(&stage, workspace).given_as(link).after_a_kill_when_lost()?)
}

/// In whatever order an answer deletes them, and wherever it was killed.
fn any_parts_may_be_gone(stage: &Stage) -> Result<(), Finding> {
    let parts: Vec<&str> = PARTS.into_iter().filter(|part| *part != ".").collect();
    let mut all_gone: Vec<u32> = (1..1 << parts.len()).collect();
    all_gone.sort_by_key(|gone| gone.count_ones());
    all_gone.into_iter().try_for_each(|gone| {
        let is_gone = |nth: usize| gone & (1 << nth) != 0;
        let numbered = parts.iter().enumerate().filter(|(nth, _)| is_gone(*nth));
        let without: Vec<&str> = numbered.map(|(_, part)| *part).collect();
        must_delete(call(stage, stage.workspace_without(&without)))
    })
}

pub fn twice(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let workspace = stage.container("ws1");
    must_delete(call(&stage, workspace.clone()))?;
    must_delete(call(&stage, workspace))
}
