//! delete_write_layer.

use std::path::{Path, PathBuf};

use labkit::failing;
use labkit::host::Host;
use labkit::verdict::Finding;
use nix::errno::Errno;
use nix::libc;

use crate::call::Call;
use crate::scene::Which;
use crate::stage::{NEIGHBOURS, NOWHERE, Stage, alike_as_text, mount_tmpfs};
use crate::unresolved;

fn call<'a>(stage: &'a Stage, workspace: PathBuf) -> Call<'a> {
    Call::new(stage, Which::WriteLayer, workspace)
}

/// Makes a call that is to delete the write layer, and nothing else.
fn must_delete(call: Call) -> Result<(), Finding> {
    let facts = call.make()?;
    let kept = facts.left_behind().is_empty() && facts.deleted_too_much().is_empty();
    facts.require(kept)
}

/// A harder case is tried only on an answer that can do the plain one.
fn plain(stage: &Stage) -> Result<(), Finding> {
    must_delete(call(stage, stage.workspace("plain")))
}

pub fn is_gone(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    must_delete(call(&stage, stage.workspace("ws1")))?;
    let workspace = stage.workspace("ws2");
    stage.add_names_with_dots(&workspace);
    must_delete(call(&stage, workspace))
}

pub fn container_mounted(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    call(&stage, stage.container("ws1")).make()?.require_refusal(true)?;
    // Not every mount is on a directory.
    let workspace = stage.workspace("ws2");
    stage.mount_file(&workspace.join("mnt/hosts"));
    call(&stage, workspace).make()?.require_refusal(true)?;
    // Nor in a directory that has to do with the root.
    for on in ["init-layer", "snapshots/1"] {
        let workspace = stage.workspace(format!("with-{}", on.replace('/', "-")));
        stage.mount_volume(&workspace.join(on));
        call(&stage, workspace).make()?.require_refusal(true)?;
    }
    let workspace = stage.workspace("ws3");
    stage.bind_onto_itself(&workspace);
    call(&stage, workspace).make()?.require_refusal(true)?;
    nothing_to_delete(&stage)
}

/// There is nothing to delete, or it is hidden by the mount: that is no reason not to look.
fn nothing_to_delete(stage: &Stage) -> Result<(), Finding> {
    let workspace = stage.workspace_without(&["write-layer", "work"]);
    mount_tmpfs(&workspace.join("mnt"));
    let facts = call(stage, workspace).make()?;
    if facts.seen.returned.is_ok() {
        // Whoever takes one for both is told so.
        must_delete(call(stage, stage.workspace_without(&["write-layer"])))?;
        must_delete(call(stage, stage.workspace_without(&["work"])))?;
    }
    facts.require_refusal(true)?;
    let workspace = stage.workspace("covered");
    mount_tmpfs(&workspace);
    call(stage, workspace).make()?.require_refusal(true)
}

pub fn volume_in_it(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    let workspace = stage.workspace("ws1");
    stage.mount_volume(&workspace.join("write-layer/data"));
    call(&stage, workspace).make()?.require_refusal(true)
}

pub fn neighbours(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    let workspace = stage.workspace("ws1");
    for neighbour in NEIGHBOURS {
        mount_tmpfs(&stage.workspace(neighbour).join("mnt"));
    }
    must_delete(call(&stage, workspace))?;
    let [name, neighbour] = alike_as_text();
    mount_tmpfs(&stage.workspace(neighbour).join("mnt"));
    must_delete(call(&stage, stage.workspace(name)))
}

pub fn links(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let workspace = stage.workspace("ws1");
    stage.add_link(&workspace);
    must_delete(call(&stage, workspace))?;
    // The layers are links themselves.
    must_delete(call(&stage, stage.workspace_of_links("ws2")))?;
    // One of them is, and leads to a file, nowhere, or to itself.
    let [absolute, relative] = NOWHERE.map(Path::new);
    for layer in ["write-layer", "work"] {
        let targets = [&*stage.letters.file(), absolute, relative, Path::new(layer)];
        for (nth, target) in targets.into_iter().enumerate() {
            let workspace = stage.workspace_with_link(&format!("{layer}-{nth}"), layer, target);
            must_delete(call(&stage, workspace))?;
        }
    }
    Ok(())
}

pub fn closed_folders(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    must_delete(call(&stage, stage.workspace("ws1")).without_privileges())
}

pub fn twice(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let workspace = stage.workspace("ws1");
    must_delete(call(&stage, workspace.clone()))?;
    must_delete(call(&stage, workspace))?;
    // One may be gone without the other.
    must_delete(call(&stage, stage.workspace_without(&["write-layer"])))?;
    must_delete(call(&stage, stage.workspace_without(&["work"])))
}

/// What a deletion is made of, and what tells whether it may be: whichever fails,
/// the function says so, or has done without it.
const CALLS: &[(&str, i64)] = &[
    ("openat", libc::SYS_openat),
    ("unlinkat", libc::SYS_unlinkat),
    #[cfg(target_arch = "x86_64")]
    ("unlink", libc::SYS_unlink),
    #[cfg(target_arch = "x86_64")]
    ("rmdir", libc::SYS_rmdir),
];

pub fn failures(host: &Host) -> Result<(), Finding> {
    let stage = Stage::new(host);
    plain(&stage)?;
    let told_or_done = |call: Call| {
        let facts = call.make()?;
        if facts.seen.returned.is_ok() {
            facts.require(facts.left_behind().is_empty())?;
        }
        Ok(facts.seen.failed.is_some())
    };
    for (name, number) in CALLS {
        let call = call(&stage, stage.workspace(name));
        told_or_done(call.refusing(name, *number, Errno::EPERM))?;
    }
    // ENOTEMPTY is what is said of a directory in which something was left.
    for errno in [Errno::EPERM, Errno::ENOTEMPTY] {
        failing::each(|nth| {
            let call = call(&stage, stage.workspace(format!("{errno:?}-{nth}")));
            told_or_done(call.failing(nth, errno))
        })?;
    }
    // Nobody knows then whether anything is mounted there. Who does not look is not blamed
    // for that here.
    call(&stage, stage.container("ws1")).make()?.require_refusal(true)?;
    failing::each(|nth| {
        let workspace = stage.container(format!("mounted-{nth}"));
        let facts = call(&stage, workspace).failing(nth, Errno::ENOENT).make()?;
        facts.require_refusal(true)?;
        Ok(facts.seen.failed.is_some())
    })?;
    let call = call(&stage, stage.container("ws2"));
    call.refusing("openat", libc::SYS_openat, Errno::EPERM).make()?.require_refusal(true)?;
    unresolved::is_an_error(&stage, Which::WriteLayer, || Ok(()))
}
