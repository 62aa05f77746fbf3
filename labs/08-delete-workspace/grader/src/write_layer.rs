//! delete_write_layer.

use std::path::PathBuf;

use labkit::host::Host;
use labkit::verdict::Finding;

use crate::Answers;
use crate::call::{Call, Which};
use crate::stage::{NEIGHBOURS, Stage, mount_tmpfs};

fn call<'a>(answers: &Answers, stage: &'a Stage, workspace: PathBuf) -> Call<'a> {
    Call::new(stage, Which::WriteLayer, answers, workspace)
}

/// Makes a call that is to delete the write layer, and nothing else.
fn must_delete(call: Call) -> Result<(), Finding> {
    let facts = call.make()?;
    let kept = facts.left_behind().is_empty() && facts.deleted_too_much().is_empty();
    facts.require(kept)
}

/// A harder case is tried only on an answer that can do the plain one.
fn plain(answers: &Answers, stage: &Stage) -> Result<(), Finding> {
    must_delete(call(answers, stage, stage.workspace("plain")))
}

pub fn is_gone(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    must_delete(call(answers, &stage, stage.workspace("ws1")))
}

pub fn container_mounted(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    call(answers, &stage, stage.container("ws1")).make()?.require_refusal(true)
}

pub fn volume_in_it(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    let workspace = stage.workspace("ws1");
    stage.mount_volume(&workspace.join("write-layer/data"));
    call(answers, &stage, workspace).make()?.require_refusal(true)
}

pub fn neighbours(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    let workspace = stage.workspace("ws1");
    for neighbour in NEIGHBOURS {
        mount_tmpfs(&stage.workspace(neighbour).join("mnt"));
    }
    must_delete(call(answers, &stage, workspace))
}

pub fn links(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let workspace = stage.workspace("ws1");
    stage.add_link(&workspace);
    must_delete(call(answers, &stage, workspace))
}

pub fn closed_folders(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(answers, &stage)?;
    must_delete(call(answers, &stage, stage.workspace("ws1")).without_privileges())
}

pub fn twice(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let workspace = stage.workspace("ws1");
    must_delete(call(answers, &stage, workspace.clone()))?;
    must_delete(call(answers, &stage, workspace))
}
