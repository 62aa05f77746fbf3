//! The image below, a write layer above it, one tree.

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use super::run::ONE;
use crate::diagnose;
use crate::facts::should_be_there;
use crate::layers::Whiteout;
use crate::observe::observe;
use crate::program::Program;
use crate::seen::Fate;

pub fn written(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let layer = facts.last().and_then(|run| run.write_layer.as_ref());
    let has_new = layer.is_some_and(|layer| layer.new.as_ref() == Some(&facts.words));
    let has_changed = layer.is_some_and(|layer| layer.has_changed);
    let evidence = [
        should_be_there("root/exam/new in the write layer, made in the container", has_new),
        should_be_there("root/exam/changed in the write layer, changed there", has_changed),
    ];
    let evidence = evidence.into_iter().flatten().collect();
    facts.require(has_new && has_changed, evidence, &[diagnose::write_layer])
}

pub fn deleted(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let layer = facts.last().and_then(|run| run.write_layer.as_ref());
    let is_marked = layer.is_some_and(|layer| layer.whiteout != Whiteout::Missing);
    let what = "root/exam/doomed in the write layer, after rm in the container";
    let expected = "a character device 0:0, or .wh.doomed";
    let evidence = Evidence::differs(what, expected, "neither");
    facts.require(is_marked, vec![evidence], &[diagnose::write_layer])
}

pub fn mnt(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let mnt = facts.last().and_then(|run| run.mnt.as_ref());
    let has_new = mnt.is_some_and(|mnt| mnt.new.as_ref() == Some(&facts.words));
    let has_image = mnt.is_some_and(|mnt| mnt.has_changed);
    let evidence = [
        should_be_there("mnt/root/exam/new on the host, made in the container", has_new),
        should_be_there("mnt/root/exam/changed on the host, of the image", has_image),
    ];
    let evidence = evidence.into_iter().flatten().collect();
    facts.require(has_new && has_image, evidence, &[diagnose::mnt])
}

pub fn image(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, &[Fate::Exit(0), Fate::Exit(0)])?;
    let changes = &facts.image_changes;
    let (named, others) = changes.split_at(changes.len().min(5));
    let more = if others.is_empty() { "" } else { " …" };
    let seen = match (facts.has_image, changes.is_empty()) {
        (false, _) => "all are gone".to_owned(),
        (true, true) => "none".to_owned(),
        (true, false) => named.join(" ") + more,
    };
    let what = "files of the image that the containers have changed";
    let mut evidence = vec![Evidence::differs(what, "none", seen)];
    // A command that runs elsewhere leaves the image alone, which proves nothing.
    evidence.extend(facts.on_the_hosts_root());
    let is_kept = facts.has_image && changes.is_empty() && !facts.has_run_on_the_host();
    facts.require(is_kept, evidence, &[diagnose::image_layer])
}
