//! The control groups that an answer has to itself.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::{Command, ExitCode};

use labkit::describe::Failure;
use labkit::exam::{self, Exam, Promise};
use labkit::host::Host;
use labkit::language::Language;
use labkit::need::Need;
use labkit::report;
use labkit::verdict::{Evidence, Finding, Verdict, require};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::sched::CloneFlags;

static EXAM: Exam<()> = Exam {
    lab_toml: "",
    promises: &[Promise {
        name: "a_group_limits_processes",
        needs: &[Need::ControlGroups],
        check: a_group_limits_processes,
    }],
};

/// Where groups with the limit of processes are made, in either version.
fn hierarchy() -> &'static Path {
    let first = Path::new("/sys/fs/cgroup/pids");
    if first.exists() { first } else { Path::new("/sys/fs/cgroup") }
}

fn a_group_limits_processes(_: &(), host: &Host) -> Result<(), Finding> {
    let seen =
        host.call("none", CloneFlags::empty(), || limit_processes().map_err(Failure::from))?;
    let group_is_seen = hierarchy().join("mine").exists();
    let outside = fs::write("/sys/fs/cgroup/../../kernel/profiling", "1").is_ok();
    require(
        seen.returned.is_ok() && group_is_seen && !outside,
        || vec![Evidence::differs("the group", "Ok", format!("{:?} {outside}", seen.returned))],
        || None,
        "kit/unforeseen",
    )
}

/// With a limit of one process, a second one is refused.
fn limit_processes() -> io::Result<()> {
    let group = hierarchy().join("mine");
    fs::create_dir(&group)?;
    fs::write(group.join("pids.max"), "1")?;
    fs::write(group.join("cgroup.procs"), "0")?;
    match Command::new("/bin/true").status() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

fn main() -> ExitCode {
    if let Some(promise) = exam::graded_here() {
        return exam::tell(EXAM.examine(&(), &promise, None));
    }
    let trials = vec![
        Trial::ignorable_test(EXAM.promises[0].name, grade),
        Trial::ignorable_test("what_a_killed_sandbox_left_is_removed", grade_after_a_kill),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn grade() -> Result<Completion, Failed> {
    match exam::ask(EXAM.promises[0].name)? {
        Verdict::Kept => Ok(Completion::Completed),
        Verdict::NotGradable(lacking) => {
            Ok(Completion::ignored_with(report::not_gradable(lacking, Language::English)))
        }
        Verdict::Broken(finding) => Err(format!("{finding:#?}").into()),
    }
}

fn grade_after_a_kill() -> Result<Completion, Failed> {
    let mut over = Command::new("/bin/true").spawn()?;
    let left = hierarchy().join(format!("lab-{}", over.id()));
    over.wait()?;
    if let Err(error) = fs::create_dir_all(left.join("mine")) {
        return Ok(Completion::ignored_with(format!("no group can be made here: {error}")));
    }
    let graded = grade()?;
    if left.exists() {
        return Err(format!("{} is still there", left.display()).into());
    }
    Ok(graded)
}
