//! The control groups that an answer has to itself.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;

use labkit::describe::Failure;
use labkit::exam::{self, Exam, Promise};
use labkit::host::Host;
use labkit::need::Need;
use labkit::verdict::{Evidence, Finding, Verdict, require};
use libtest_mimic::{Arguments, Completion, Trial};
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
    match std::process::Command::new("/bin/true").status() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

fn main() -> ExitCode {
    if let Some(promise) = exam::graded_here() {
        return exam::tell(EXAM.examine(&(), &promise, None));
    }
    let name = EXAM.promises[0].name;
    let trial = Trial::ignorable_test(name, move || match exam::ask(name)? {
        Verdict::Kept => Ok(Completion::Completed),
        Verdict::NotGradable(lacking) => Ok(Completion::ignored_with(lacking.key())),
        Verdict::Broken(finding) => Err(format!("{finding:#?}").into()),
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}
