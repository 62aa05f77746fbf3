//! delete_workspace.

use std::path::PathBuf;

use labkit::describe::tree;
use labkit::host::Host;
use labkit::verdict::Finding;

use crate::Answers;
use crate::call::{Call, Open, Which};
use crate::stage::{NEIGHBOURS, Stage, mount_tmpfs};

/// Before which of its kernel calls that change something an answer is killed:
/// early ones closely, for there the steps are short.
const KILLED_AT: [usize; 12] = [1, 3, 5, 7, 9, 12, 15, 18, 21, 25, 30, 35];

fn call<'a>(answers: &Answers, stage: &'a Stage, workspace: PathBuf) -> Call<'a> {
    Call::new(stage, Which::Workspace, answers, workspace)
}

/// Makes a call that is to unmount and delete everything.
fn must_delete(call: Call) -> Result<(), Finding> {
    let facts = call.make()?;
    let kept = facts.mounts_after().is_empty() && facts.left_behind().is_empty();
    facts.require(kept && facts.strangers.is_empty())
}

/// A harder case is tried only on an answer that can do the plain one.
fn plain(answers: &Answers, stage: &Stage) -> Result<(), Finding> {
    must_delete(call(answers, stage, stage.container("plain")))
}

pub fn is_gone(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    must_delete(call(answers, &stage, stage.container("ws1")))
}

pub fn overlay(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    must_delete(call(answers, &stage, stage.overlay_container("ws1")))
}

pub fn covered_volume(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    // The root of a first container, which was never unmounted, is a folder of
    // the host; that of the second lies on it.
    let workspace = stage.workspace("ws1");
    stage.mount_volume(&workspace.join("mnt"));
    stage.mount_container(&workspace);
    must_delete(call(answers, &stage, workspace))
}

pub fn neighbours(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    let workspace = stage.container("ws1");
    let neighbours = NEIGHBOURS.map(|name| stage.workspace(name));
    neighbours.iter().for_each(|neighbour| mount_tmpfs(&neighbour.join("mnt")));
    let trees = || neighbours.each_ref().map(|neighbour| tree(neighbour).ok());
    let before = trees();
    let facts = call(answers, &stage, workspace).make()?;
    facts.require(trees() == before && facts.left_behind().is_empty())
}

pub fn without_privileges(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    must_delete(call(answers, &stage, stage.workspace("ws1")).without_privileges())
}

pub fn failed_umount(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    let workspace = stage.container("ws1");
    let file = "mnt/data/thesis.txt";
    let facts = call(answers, &stage, workspace).while_open(file, Open::Throughout).make()?;
    facts.require_refusal(facts.open_mount_is_there())
}

pub fn killed(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    for nth in KILLED_AT {
        let call = call(answers, &stage, stage.container("ws1"));
        let was_killed = call.make_and_kill(nth)?;
        must_delete(call)?;
        if !was_killed {
            break;
        }
    }
    Ok(())
}

pub fn twice(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let workspace = stage.container("ws1");
    must_delete(call(answers, &stage, workspace.clone()))?;
    must_delete(call(answers, &stage, workspace))
}
