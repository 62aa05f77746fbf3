//! The control groups that a sandbox is in, and that an answer may have to itself.

use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::thread::{self, sleep};
use std::time::Duration;

use labkit::control_groups;
use labkit::describe::Failure;
use labkit::exam;
use labkit::host::Host;
use labkit::language::Language;
use labkit::need::{Lacking, Need};
use labkit::programs::{Exam, Promise};
use labkit::report;
use labkit::verdict::{Evidence, Finding, Verdict, require};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use mydocker_kernel::mountinfo::MountTable;
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::sys;
use nix::fcntl::posix_fallocate;
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};

/// What stands for an answer does one of these things.
static EXAM: Exam<()> = Exam {
    lab_toml: "",
    promises: &[
        promise("limits_processes", GROUPS, |(), host| group_limits_processes(host)),
        promise("lifts_the_limits", GROUPS, |(), host| goes_well(host, lift_limits)),
        promise("runs_out_of_its_own_limit", GROUPS, |(), host| goes_well(host, run_out)),
        promise("takes_memory_below", GROUPS, |(), host| goes_well(host, take_memory_below)),
        promise("keeps_files", &[], |(), host| goes_well(host, || keep_files(FILES))),
        promise("takes_memory", &[], |(), host| goes_well(host, take_memory)),
        promise("does_nothing", &[], |(), host| goes_well(host, || Ok(()))),
    ],
};

const GROUPS: &[Need] = &[Need::ControlGroups];

type Check = fn(&(), &Host) -> Result<(), Finding>;

const fn promise(name: &'static str, needs: &'static [Need], check: Check) -> Promise<()> {
    Promise { name, needs, check }
}

/// Each test with what is done in the sandbox, and the code for that; no code: all is
/// well.
const TESTS: [(&str, &str, &str); 5] = [
    ("a_group_limits_processes", "limits_processes", ""),
    ("no_answer_lifts_the_limits", "lifts_the_limits", ""),
    ("who_runs_out_of_its_own_limit_may_go_on", "runs_out_of_its_own_limit", ""),
    ("groups_of_an_answer_are_within_the_limits", "takes_memory_below", TOO_MUCH),
    ("the_memory_of_all_processes_is_counted", "takes_memory", TOO_MUCH),
];

const TOO_MUCH: &str = "answer/too-much-memory";

/// Where groups with this controller are made, in either version.
fn hierarchy(controller: &str) -> PathBuf {
    let first = Path::new("/sys/fs/cgroup").join(controller);
    if first.exists() { first } else { "/sys/fs/cgroup".into() }
}

fn goes_well(host: &Host, act: fn() -> io::Result<()>) -> Result<(), Finding> {
    let seen = host.call("none", CloneFlags::empty(), || act().map_err(Failure::from))?;
    require(
        seen.returned.is_ok(),
        || vec![Evidence::differs("the groups", "Ok", format!("{:?}", seen.returned))],
        || None,
        "kit/unforeseen",
    )
}

fn group_limits_processes(host: &Host) -> Result<(), Finding> {
    goes_well(host, limit_processes)?;
    let group_is_seen = hierarchy("pids").join("mine").exists();
    let outside = fs::write("/sys/fs/cgroup/../../kernel/profiling", "1").is_ok();
    require(
        group_is_seen && !outside,
        || vec![Evidence::differs("the group", "seen", format!("{group_is_seen} {outside}"))],
        || None,
        "kit/unforeseen",
    )
}

/// With a limit of one process, a second one is refused.
fn limit_processes() -> io::Result<()> {
    let group = hierarchy("pids").join("mine");
    fs::create_dir(&group)?;
    fs::write(group.join("pids.max"), "1")?;
    fs::write(group.join("cgroup.procs"), "0")?;
    match Command::new("/bin/true").status() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// The files with limits, in either version, and what takes each away.
const LIMITS: [(&str, &str, &str); 5] = [
    ("memory", "memory.max", "max"),
    ("memory", "memory.swap.max", "max"),
    ("memory", "memory.limit_in_bytes", "-1"),
    ("memory", "memory.memsw.limit_in_bytes", "-1"),
    ("pids", "pids.max", "max"),
];

/// There are some, and none can be lifted.
fn lift_limits() -> io::Result<()> {
    let mut refused = Vec::new();
    for (controller, name, none) in LIMITS {
        let file = hierarchy(controller).join(name);
        match OpenOptions::new().write(true).open(&file).map(|mut it| it.write_all(none.as_bytes()))
        {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let limit = fs::read_to_string(&file)?;
                refused.push(limit.trim().parse::<u64>().map_err(io::Error::other)?);
            }
            other => return Err(io::Error::other(format!("{name}: {other:?}"))),
        }
    }
    match refused.len() {
        2.. => Ok(()),
        _ => Err(io::Error::other(format!("limits: {refused:?}"))),
    }
}

/// A child has less memory than it takes; its parent goes on.
fn run_out() -> io::Result<()> {
    let group = hierarchy("memory").join("mine");
    fs::create_dir(&group)?;
    let limit = ["memory.max", "memory.limit_in_bytes"].map(|name| group.join(name));
    let limit = limit.into_iter().find(|file| file.exists());
    fs::write(limit.ok_or(ErrorKind::NotFound)?, (FILE / 2).to_string())?;
    let no_swap = group.join("memory.swap.max");
    if no_swap.exists() {
        fs::write(no_swap, "0")?;
    }
    is_killed_in(&group, 1)
}

/// A child takes more than an answer may have, in a group that has no limit; its parent
/// goes on.
fn take_memory_below() -> io::Result<()> {
    let group = hierarchy("memory").join("mine");
    fs::create_dir(&group)?;
    is_killed_in(&group, FILES)
}

/// Waits for a child that keeps files in a group, and is killed for it.
fn is_killed_in(group: &Path, files: usize) -> io::Result<()> {
    let child = sys::clone(CloneFlags::empty(), || {
        let entered = fs::write(group.join("cgroup.procs"), "0");
        entered.and_then(|()| keep_files(files)).map_or(1, |()| 0)
    });
    // This process is the second to be killed, not the first.
    let _ = fs::write("/proc/self/oom_score_adj", "0");
    match waitpid(child.map_err(io::Error::other)?, None)? {
        WaitStatus::Signaled(_, Signal::SIGKILL, _) => Ok(()),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// Twice as much as an answer may have, in files of the length that it may have.
const FILES: usize = 32;
const FILE: i64 = 64 << 20;

/// Has the kernel keep files in memory, and maps none.
fn keep_files(count: usize) -> io::Result<()> {
    let mut kept = Vec::new();
    for _ in 0..count {
        let file = File::from(memfd_create("kept", MFdFlags::empty())?);
        posix_fallocate(&file, 0, FILE)?;
        kept.push(file);
    }
    Ok(())
}

/// Many processes take a little each.
fn take_memory() -> io::Result<()> {
    for _ in 0..8 {
        sys::clone(CloneFlags::empty(), || {
            black_box(vec![1_u8; 200 << 20].leak());
            sleep(Duration::from_secs(1_000));
            0
        })
        .map_err(io::Error::other)?;
    }
    sleep(Duration::from_secs(1_000));
    Ok(())
}

fn main() -> ExitCode {
    if let Some(promise) = exam::graded_here() {
        return exam::tell(EXAM.examine(&(), &promise, None));
    }
    let mut trials: Vec<Trial> = TESTS
        .iter()
        .map(|(name, promise, code)| Trial::ignorable_test(*name, || grade(promise, code)))
        .collect();
    trials.extend([
        Trial::ignorable_test("what_a_killed_sandbox_left_is_removed", grade_after_a_kill),
        Trial::ignorable_test("graders_do_not_disturb_each_other", grade_at_once),
        Trial::ignorable_test("no_group_is_taken_for_the_one_before_it", make_and_remove),
        Trial::ignorable_test("without_groups_all_else_is_graded", grade_without_groups),
    ]);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Tests that take much memory run one at a time: a small machine has no more.
static MEMORY: Mutex<()> = Mutex::new(());

fn grade(promise: &str, code: &str) -> Result<Completion, Failed> {
    let _alone = (code == TOO_MUCH).then(|| MEMORY.lock().expect("nobody panics"));
    match exam::ask(promise)? {
        Verdict::Kept if code.is_empty() => Ok(Completion::Completed),
        Verdict::NotGradable(lacking) => {
            Ok(Completion::ignored_with(report::not_gradable(lacking, Language::English)))
        }
        verdict if verdict.code() == Some(code) => Ok(Completion::Completed),
        verdict => Err(format!("not {code:?}: {verdict:#?}").into()),
    }
}

/// Groups of one process come and go under the same few names, and each is looked at by all
/// that look for what is left over.
fn make_and_remove() -> Result<Completion, Failed> {
    if !control_groups::can_be_had() {
        return Ok(Completion::ignored_with("no group can be made here"));
    }
    let lost: usize = thread::scope(|scope| {
        let work = || (0..200).filter(|_| !control_groups::can_be_had()).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it only counts")).sum()
    });
    match lost {
        0 => Ok(Completion::Completed),
        lost => Err(format!("{lost} of 1600 groups were gone while they were made").into()),
    }
}

fn grade_after_a_kill() -> Result<Completion, Failed> {
    let mut over = Command::new("/bin/true").spawn()?;
    let left = hierarchy("pids").join(format!("lab-{}", over.id()));
    over.wait()?;
    if let Err(error) = fs::create_dir_all(left.join("mine")) {
        return Ok(Completion::ignored_with(format!("no group can be made here: {error}")));
    }
    let graded = grade("does_nothing", "")?;
    if left.exists() {
        return Err(format!("{} is still there", left.display()).into());
    }
    Ok(graded)
}

/// Some run out of memory, the others have all that they need.
fn grade_at_once() -> Result<Completion, Failed> {
    if !control_groups::can_be_had() {
        return Ok(Completion::ignored_with("no control group can be made here"));
    }
    let pairs = [("keeps_files", TOO_MUCH), ("does_nothing", "")];
    let graders = pairs.repeat(2);
    thread::scope(|scope| {
        let grade = |(promise, code)| scope.spawn(move || grade(promise, code));
        let running: Vec<_> = graders.into_iter().map(grade).collect();
        let mut graded = running.into_iter().map(|it| it.join().expect("it does not panic"));
        graded.try_for_each(|it| it.map(drop)).map(|()| Completion::Completed)
    })
}

/// Where the machine's groups are read-only, as in many a container.
fn grade_without_groups() -> Result<Completion, Failed> {
    if Privileges::current() != Privileges::Root {
        return Ok(Completion::ignored_with("a user has none anyway"));
    }
    // The mount namespace is this thread's, and theirs that it starts.
    let graded = thread::spawn(|| -> Result<_, Failed> {
        forbid_groups()?;
        let needed = exam::ask("limits_processes")?;
        if needed != Verdict::NotGradable(Lacking::ControlGroups) {
            return Err(format!("groups are needed: {needed:#?}").into());
        }
        grade("does_nothing", "")
    });
    graded.join().expect("it does not panic")
}

fn forbid_groups() -> mydocker_kernel::Result<()> {
    sys::unshare(CloneFlags::CLONE_NEWNS)?;
    sys::mount("", Path::new("/"), "", MsFlags::MS_PRIVATE | MsFlags::MS_REC, "")?;
    let table = MountTable::read()?;
    for mount in table.mounts.iter().filter(|it| it.fs_type.starts_with("cgroup")) {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        sys::mount("", &mount.mount_point, "", flags, "")?;
    }
    Ok(())
}
