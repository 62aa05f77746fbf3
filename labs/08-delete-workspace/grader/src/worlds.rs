//! All three functions, by workspaces that are made up by chance.

use std::fs;
use std::path::PathBuf;

use labkit::describe::tree;
use labkit::generated::{SEED, seed, smallest};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::mount::{MntFlags, umount2};

use crate::call::Call;
use crate::facts::{Facts, Untouched};
use crate::scene::Which;
use crate::stage::Stage;
use crate::world::World;
use crate::{mount_point, whole, write_layer};

/// How many worlds are tried.
const COUNT: usize = 10;
/// How often one that goes wrong is made smaller: by parts, for each part has a meaning.
const TRIES: usize = 30;

/// A promise whose scenes are made by hand.
type Known = fn(&Host) -> Result<(), Finding>;

pub fn any_mounts_go(host: &Host) -> Result<(), Finding> {
    let known: [Known; 5] = [
        mount_point::stacked,
        mount_point::covered,
        mount_point::any_name,
        mount_point::neighbours,
        mount_point::at_the_workspace,
    ];
    judge(host, &known, |stage, world| {
        let facts = call(stage, world, Which::MountPoint)?;
        facts.require(facts.mounts_after().is_empty())
    })
}

pub fn any_write_layer(host: &Host) -> Result<(), Finding> {
    let known: [Known; 5] = [
        write_layer::is_gone,
        write_layer::container_mounted,
        write_layer::neighbours,
        write_layer::links,
        write_layer::closed_folders,
    ];
    judge(host, &known, |stage, world| {
        let facts = call(stage, world, Which::WriteLayer)?;
        if world.is_mounted() {
            return facts.require_refusal(true);
        }
        let all_else_stays = facts.deleted_too_much().is_empty();
        facts.require(facts.left_behind().is_empty() && all_else_stays)
    })
}

pub fn any_workspace(host: &Host) -> Result<(), Finding> {
    let known: [Known; 6] = [
        whole::is_gone,
        whole::links,
        whole::covered_volume,
        whole::neighbours,
        whole::without_privileges,
        whole::killed,
    ];
    judge(host, &known, |stage, world| {
        let neighbours = world.neighbours(stage);
        let trees = || neighbours.iter().map(|it| tree(it).ok()).collect::<Vec<_>>();
        let workspace = world.make(stage);
        let before = trees();
        let facts = Call::new(stage, Which::Workspace, workspace).make()?;
        let is_gone = facts.mounts_after().is_empty() && facts.left_behind().is_empty();
        facts.require(is_gone && facts.leaves_nothing_beside() && trees() == before)
    })
}

fn call(stage: &Stage, world: &World, which: Which) -> Result<Facts, Finding> {
    Call::new(stage, which, world.make(stage)).make()
}

/// Tries each world. Says what is wrong with the first one that goes wrong, when it was made
/// smaller; but what scenes that are made by hand can name is named by them.
fn judge(
    host: &Host,
    known: &[Known],
    tried: impl Fn(&Stage, &World) -> Result<(), Finding>,
) -> Result<(), Finding> {
    let stage = Stage::new(host);
    let is_wrong = |stage: &Stage, world: &World| {
        let judged = tried(stage, world);
        clear(stage);
        judged.err()
    };
    let mut is_found = false;
    let found = smallest(COUNT, World::with_mounts, |worlds| {
        let wrong = worlds.iter().enumerate().find_map(|(nth, world)| {
            let finding = if is_found { None } else { is_wrong(&stage, world) };
            finding.map(|finding| (nth, finding))
        });
        is_found |= wrong.is_some();
        Ok::<_, Finding>(wrong)
    })?;
    let Some(found) = found else { return Ok(()) };
    let (mut world, mut finding) = (found.value, found.wrong);
    if !Untouched::now(&stage).is_all() {
        // What is harmed stays so: no other scene would tell anything new.
        return Err(shown(finding, &world));
    }
    for known in known {
        known(host)?;
        clear(&stage);
    }
    let stage = Stage::new(host);
    let mut tries = TRIES;
    'smaller: loop {
        for smaller in world.smaller() {
            if tries == 0 {
                break 'smaller;
            }
            tries -= 1;
            if let Some(still) = is_wrong(&stage, &smaller) {
                (world, finding) = (smaller, still);
                if !Untouched::now(&stage).is_all() {
                    break 'smaller;
                }
                continue 'smaller;
            }
        }
        break;
    }
    Err(shown(finding, &world))
}

fn shown(finding: Finding, world: &World) -> Finding {
    let what = format!("the host   ({SEED}={})", seed());
    finding.with([Evidence::Tree { what, drawing: world.drawn() }])
}

/// Takes away whatever is left of a world.
fn clear(stage: &Stage) {
    let containers = stage.containers();
    loop {
        let table = stage.host.mount_table();
        let below = table.mounts.iter().filter(|mount| mount.mount_point.starts_with(&containers));
        let below: Vec<PathBuf> = below.map(|mount| mount.mount_point.clone()).collect();
        let unmount = |mount: &&PathBuf| umount2(*mount, MntFlags::UMOUNT_NOFOLLOW).is_ok();
        if below.iter().rev().filter(unmount).count() == 0 {
            break;
        }
    }
    let _ = fs::remove_dir_all(containers);
}
