//! The archive as a root file system.

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use super::run::ONE;
use crate::diagnose;
use crate::image::FILES;
use crate::observe::observe;
use crate::program::Program;

pub fn root(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let mut evidence = Vec::new();
    for (fact, path) in [("words", "/root/exam/words"), ("hidden", "/.words")] {
        let seen = match facts.says(fact) {
            Some(words) if words == facts.words => continue,
            Some(words) if words == facts.hosts_words => "those of the host",
            Some(words) if words.starts_with("cat: ") => "ENOENT (No such file or directory)",
            _ => "others",
        };
        evidence.push(Evidence::differs(format!("cat {path}"), "the words in the archive", seen));
    }
    facts.require(evidence.is_empty(), evidence, &[diagnose::files])
}

pub fn modes(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let mut evidence = Vec::new();
    for (path, expected) in FILES {
        // A time of today is another one in each run.
        let seen = match facts.says(path).and_then(|seen| seen.rsplit_once(' ')) {
            Some((what, time)) if expected == format!("{what} {time}") => continue,
            Some((what, _)) if expected.starts_with(what) => format!("{what}, another time"),
            Some((what, _)) => what.to_owned(),
            None => "-".to_owned(),
        };
        evidence.push(Evidence::differs(format!("stat -c '%F %a %Y' {path}"), expected, seen));
    }
    facts.require(evidence.is_empty(), evidence, &[diagnose::modes])
}

pub fn links(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let mut evidence = Vec::new();
    let target = facts.says("link").filter(|target| !target.is_empty());
    if target != Some("words") {
        let seen = target.unwrap_or("EINVAL (Invalid argument)");
        evidence.push(Evidence::differs("readlink /root/exam/link", "words", seen));
    }
    if facts.says("twins").is_none() {
        let what = "[ /root/exam/one -ef /root/exam/two ]";
        evidence.push(Evidence::differs(what, "one file", "two files"));
    }
    facts.require(evidence.is_empty(), evidence, &[diagnose::links])
}
