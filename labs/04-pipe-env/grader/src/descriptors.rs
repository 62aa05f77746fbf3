//! close_descriptors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sched::CloneFlags;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, close, pipe};
use serde::{Deserialize, Serialize};

use crate::peer::{Ended, Peer, wait_for};
use crate::pipe::open_flags;
use crate::{Answers, UNFORESEEN, after, found};

const FUNCTION: &str = "close_descriptors";

/// What is open before the call, beside 0, 1 and 2: a folder of the host, one of
/// its files and a pipe, some of them with several numbers.
const OPENED: [i32; 8] = [3, 4, 5, 6, 9, 57, 200, 900];
/// The first number that is free.
const GAP: i32 = 7;
/// What RLIMIT_NOFILE is by then.
const LIMIT: u64 = 128;

#[derive(Serialize, Deserialize)]
struct Facts {
    ended: Ended<Result<(), Failure>>,
    /// The descriptors that a program would get now, and where they lead.
    passed_on: BTreeMap<i32, String>,
    #[serde(skip)]
    printed: String,
}

fn observe(answers: &Answers, host: &Host) -> Result<Facts, Finding> {
    let folder = host.precious().folder.clone();
    let file = host.precious().file();
    let seen = host.call(FUNCTION, CloneFlags::empty(), || {
        let mut command = Peer::start(host.path("command"), || {
            open_descriptors(&folder, &file).expect("the sandbox allows it");
            (answers.close_descriptors)().map_err(Failure::from)
        });
        wait_for(&mut [&mut command], || ());
        Facts { ended: command.ended(), passed_on: passed_on(command.pid), printed: String::new() }
    })?;
    let facts = Facts { printed: seen.printed, ..seen.returned };
    let Err(finding) = facts.ended.returned(FUNCTION) else { return Ok(facts) };
    let finding = if facts.has_closed_what_it_read() { closed_list() } else { finding };
    Err(after(&facts.printed, finding))
}

/// Opens [`OPENED`], and nothing else above 2.
fn open_descriptors(folder: &Path, file: &Path) -> std::io::Result<()> {
    // It leaves one number out.
    mydocker::sys::close_all_but(&[4]).map_err(|error| std::io::Error::other(error.to_string()))?;
    let _ = close(4);
    // Not as std opens them: that would be close-on-exec.
    let open = |path: &Path| open(path, OFlag::O_RDONLY, Mode::empty());
    let (folder, file, pipe) = (open(folder)?, open(file)?, pipe()?);
    for number in [9, 200] {
        fcntl(&folder, FcntlArg::F_DUPFD(number))?;
    }
    for number in [57, 900] {
        fcntl(&pipe.0, FcntlArg::F_DUPFD(number))?;
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, LIMIT, hard)?;
    // Left open: it is the answer that is to close them.
    std::mem::forget((folder, file, pipe));
    Ok(())
}

/// What is open in a process and is not close-on-exec.
fn passed_on(process: Pid) -> BTreeMap<i32, String> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    descriptors
        .filter_map(|descriptor| {
            let name = descriptor.file_name().into_string().ok()?;
            let link = fs::read_link(descriptor.path()).ok()?.to_string_lossy().into_owned();
            // Without the number in `pipe:[4711]`.
            let kind = link.split(":[").next().unwrap_or_default().to_owned();
            let is_passed_on = open_flags(process, &name) & libc::O_CLOEXEC == 0;
            is_passed_on.then_some((name.parse().ok()?, kind))
        })
        .collect()
}

/// What a call is told that has closed the descriptor of the folder that it was
/// reading.
fn closed_list() -> Finding {
    let what = "closedir(/proc/self/fd)";
    found("closed-what-it-reads").with([Evidence::differs(what, "Ok", "EBADF (Bad file number)")])
}

impl Facts {
    /// std panics where the folder cannot be closed once more.
    fn has_closed_what_it_read(&self) -> bool {
        matches!(&self.ended, Ended::Panicked { words, .. } if words.contains("during closedir"))
    }

    /// Those that should not be there.
    fn left(&self) -> Vec<i32> {
        self.passed_on.keys().copied().filter(|number| *number > 2).collect()
    }

    /// The standard ones that are missing.
    fn missing(&self) -> Vec<i32> {
        (0..=2).filter(|number| !self.passed_on.contains_key(number)).collect()
    }

    /// Why others are open.
    fn diagnose(&self) -> Option<Finding> {
        let returned = self.ended.returned(FUNCTION).ok()?;
        let left = self.left();
        let opened_from = |first: i32| -> Vec<i32> {
            OPENED.into_iter().filter(|number| *number >= first).collect()
        };
        match returned {
            Err(failure) if failure.errno == Some(Errno::EBADF as i32) => {
                return Some(found("ebadf-taken-for-a-failure"));
            }
            Err(failure) => {
                let finding = Finding::new("answer/returned-error");
                return Some(finding.word("function", FUNCTION).word("error", failure));
            }
            Ok(()) => {}
        }
        let (&lowest, &highest) = (left.first()?, left.last()?);
        if left == OPENED {
            return Some(Finding::new("answer/did-nothing").word("function", FUNCTION));
        }
        if left == opened_from(GAP) {
            return Some(found("stops-at-the-first-gap").word("gap", GAP));
        }
        if left == opened_from(LIMIT as i32) {
            return Some(found("only-below-the-limit").word("limit", LIMIT));
        }
        if left == opened_from(lowest) {
            return Some(found("only-low-numbers").word("lowest", lowest));
        }
        let is_closed_between =
            |number: &i32| !left.contains(number) && (lowest..highest).contains(number);
        OPENED.iter().any(is_closed_between).then(|| found("only-what-it-knows"))
    }

    fn require(
        &self,
        kept: bool,
        evidence: Evidence,
        why: impl FnOnce() -> Option<Finding>,
    ) -> Result<(), Finding> {
        let evidence = || {
            let returned = self.ended.returned(FUNCTION);
            let returned = returned.map_or("-".to_owned(), result);
            vec![evidence, Evidence::differs("close_descriptors()", "Ok", returned)]
        };
        require(kept, evidence, why, UNFORESEEN).map_err(|finding| after(&self.printed, finding))
    }
}

pub fn others(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let left = facts.left();
    let shown: Vec<String> =
        left.iter().map(|number| format!("{number} -> {}", facts.passed_on[number])).collect();
    let what = "/proc/PID/fd above 2, without close-on-exec";
    let kept = left.is_empty() && facts.ended.returned(FUNCTION)?.is_ok();
    facts.require(kept, Evidence::differs(what, "-", shown.join(", ")), || facts.diagnose())
}

pub fn standard(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let missing = facts.missing();
    let shown: Vec<String> = missing.iter().map(i32::to_string).collect();
    let what = "descriptors that are closed, of 0, 1 and 2";
    let evidence = Evidence::differs(what, "-", shown.join(", "));
    facts.require(missing.is_empty(), evidence, || Some(found("standard-descriptors-closed")))
}
