//! aufs_options.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;

use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "aufs_options";
const WRITE: &str = "/w/write-layer";
const READ_ONLY: [&str; 3] = ["/w/init-layer", "/image/2", "/image/1"];

/// The branches in the options, each with what is said of it, as AUFS reads
/// them: without a word the first is `rw` and all others are `ro`.
fn branches(options: &str) -> Vec<(&str, Option<&str>)> {
    // `dirs=` is the same option by its old name.
    let list = options
        .split(',')
        .find_map(|option| option.strip_prefix("br=").or_else(|| option.strip_prefix("dirs=")));
    let branches = list.unwrap_or_default().split(':').filter(|branch| !branch.is_empty());
    branches
        .map(|branch| branch.split_once('=').map_or((branch, None), |(p, a)| (p, Some(a))))
        .collect()
}

pub fn branches_say_what_they_are(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let read_only = READ_ONLY.map(Path::new);
    let seen = host.call(FUNCTION, CloneFlags::empty(), || {
        (answers.aufs_options)(Path::new(WRITE), &read_only).map_err(Failure::from)
    })?;
    let options = match &seen.returned {
        Ok(options) => options.display().to_string(),
        Err(failure) => {
            let finding = Finding::new("answer/returned-error").word("function", FUNCTION);
            return Err(finding.word("error", failure));
        }
    };
    let branches = branches(&options);
    let expected = [format!("{WRITE}=rw")].into_iter();
    let expected: Vec<String> =
        expected.chain(READ_ONLY.map(|path| format!("{path}=ro+wh"))).collect();
    let said: Vec<String> = branches
        .iter()
        .map(|(path, word)| format!("{path}={}", word.unwrap_or_default()))
        .collect();
    let diagnosis = || {
        let lower: Vec<&str> =
            branches.iter().map(|(path, _)| *path).filter(|path| *path != WRITE).collect();
        if branches.first().is_some_and(|(path, _)| *path != WRITE) {
            return Some(finding("writable-branch-not-first"));
        }
        if lower.iter().rev().eq(&READ_ONLY) {
            return Some(finding("lower-order-reversed"));
        }
        if branches.iter().any(|(_, word)| word.is_none()) {
            return Some(finding("branch-without-attribute"));
        }
        if branches.iter().any(|(_, word)| *word == Some("ro")) {
            return Some(finding("whiteouts-not-honoured"));
        }
        None
    };
    let evidence = || vec![Evidence::differs("the branches", expected.join("  "), said.join("  "))];
    require(said == expected, evidence, diagnosis, UNFORESEEN)
}

pub fn what_aufs_cannot_take_is_refused(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases: [(&str, &str); 3] =
        [("/w/a:b", "/image"), ("/w/write-layer", "/ima,ge"), ("/w/write-layer", "/image:1")];
    for (write, image) in cases {
        let seen = host.call(FUNCTION, CloneFlags::empty(), || {
            let returned = (answers.aufs_options)(Path::new(write), &[Path::new(image)]);
            let is_invalid_input =
                returned.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::InvalidInput);
            (is_invalid_input, returned.map_err(Failure::from))
        })?;
        let (kept, returned): (bool, Result<OsString, Failure>) = seen.returned;
        let evidence = || {
            let seen = match &returned {
                Ok(options) => format!("Ok({})", options.display()),
                Err(_) => result(&returned),
            };
            let call = format!("{FUNCTION}({write:?}, [{image:?}])");
            vec![Evidence::differs(call, "Err(InvalidInput)", seen)]
        };
        let diagnosis = || returned.is_ok().then(|| finding("aufs-path-not-refused"));
        require(kept, evidence, diagnosis, UNFORESEEN)?;
    }
    Ok(())
}
