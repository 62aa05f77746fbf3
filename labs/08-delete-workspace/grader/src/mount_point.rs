//! delete_mount_point.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use labkit::host::Host;
use labkit::verdict::Finding;

use crate::Answers;
use crate::call::{Call, Open, Which};
use crate::facts::Facts;
use crate::stage::{NEIGHBOURS, Stage, mount_tmpfs};

fn call<'a>(answers: &Answers, stage: &'a Stage, workspace: PathBuf) -> Call<'a> {
    Call::new(stage, Which::MountPoint, answers, workspace)
}

/// A harder case is tried only on an answer that can do the plain one: else it
/// would tell nothing new.
fn plain(answers: &Answers, stage: &Stage) -> Result<(), Finding> {
    let facts = call(answers, stage, stage.container("plain")).make()?;
    facts.require(facts.mounts_after().is_empty())
}

/// Makes a call that is to unmount everything.
fn must_unmount(call: Call) -> Result<(), Finding> {
    let facts: Facts = call.make()?;
    facts.require(facts.mounts_after().is_empty())
}

pub fn nothing_is_mounted(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    must_unmount(call(answers, &stage, stage.container("ws1")))
}

pub fn files_stay(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let facts = call(answers, &stage, stage.container("ws1")).make()?;
    facts.require(facts.deleted().is_empty())
}

pub fn stacked(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    must_unmount(call(answers, &stage, stack(&stage, "ws1")))
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

pub fn covered(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    must_unmount(call(answers, &stage, stack(&stage, "stack")))?;
    // As after a crash and a second start: the first container is still mounted
    // below the second.
    let workspace = stage.container("ws1");
    mount_tmpfs(&workspace.join("mnt"));
    must_unmount(call(answers, &stage, workspace))
}

pub fn moved(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    let workspace = stage.workspace("ws1");
    stage.mount_moved(&workspace.join("mnt"));
    must_unmount(call(answers, &stage, workspace))
}

pub fn any_name(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    for name in ["a blank", "a\ttab", "a\nline feed", "a\\backslash", "an\\040escape"] {
        must_unmount(call(answers, &stage, stage.container(name)))?;
    }
    Ok(())
}

pub fn linked(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    let workspace = stage.container("ws1");
    let link = host.path("link");
    symlink(stage.containers(), &link).expect("the scratch folder");
    must_unmount(call(answers, &stage, workspace).given_as(link.join("ws1")))
}

pub fn neighbours(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    let workspace = stage.container("ws1");
    for neighbour in NEIGHBOURS {
        mount_tmpfs(&stage.workspace(neighbour).join("mnt"));
    }
    must_unmount(call(answers, &stage, workspace))
}

pub fn busy_for_a_moment(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    let workspace = stage.container("ws1");
    must_unmount(call(answers, &stage, workspace).while_open("mnt/file", Open::ForAMoment))
}

pub fn busy_throughout(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    let workspace = stage.container("ws1");
    let facts = call(answers, &stage, workspace).while_open("mnt/file", Open::Throughout).make()?;
    facts.require_refusal(facts.open_mount_is_there())
}

pub fn twice(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let workspace = stage.container("ws1");
    must_unmount(call(answers, &stage, workspace.clone()))?;
    must_unmount(call(answers, &stage, workspace.clone()))?;
    fs::remove_dir_all(&workspace).expect("nothing is mounted there");
    must_unmount(call(answers, &stage, workspace))
}
