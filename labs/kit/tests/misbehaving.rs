//! Answers that do harm: each gets a verdict by name, and the machine stays as
//! it is.

use std::fs::{self, OpenOptions};
use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, exit};
use std::thread::sleep;
use std::time::Duration;

use labkit::describe::{Failure, tree};
use labkit::exam::{self, Exam, Promise};
use labkit::host::Host;
use labkit::language::Language;
use labkit::report;
use labkit::verdict::{Evidence, Finding, Verdict, require};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use mydocker::mountinfo::{MountTable, difference};
use mydocker::sys;
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};

/// A lab with one function, which writes words into a file.
type Answer = fn(&Path, &str) -> io::Result<()>;

static EXAM: Exam<Answer> = Exam {
    lab_toml: "",
    promises: &[Promise { name: "the_words_are_written", needs: &[], check: words_are_written }],
};

fn words_are_written(write: &Answer, host: &Host) -> Result<(), Finding> {
    let words = host.precious().words().expect("the host's file");
    let file = host.path("words");
    let seen = host
        .call("write", CloneFlags::CLONE_NEWNS, || write(&file, &words).map_err(Failure::from))?;
    let written = fs::read_to_string(&file).ok();
    let evidence =
        || vec![Evidence::differs("the file", &words, written.as_deref().unwrap_or("-"))];
    let diagnosis = || {
        let word = |code: &str| Finding::new(code).word("function", "write");
        match &seen.returned {
            Err(failure) => Some(word("answer/returned-error").word("error", failure)),
            Ok(()) if written.is_none() => Some(word("answer/did-nothing")),
            Ok(()) => None,
        }
    };
    require(written.as_ref() == Some(&words), evidence, diagnosis, "kit/unforeseen")
}

/// The folder that stands for a lab's: its files are the grader's.
const GUARDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

/// What an answer does, the code for that, and the answer; no code: all is well.
static CASES: &[(&str, &str, Answer)] = &[
    ("writes_as_asked", "", |file, words| fs::write(file, words)),
    ("is_not_written", "answer/not-written", |file, _| todo!("write {file:?}")),
    ("panics", "answer/panicked", |_, words| {
        let number: u8 = words.parse().expect("a number");
        Err(io::Error::other(number.to_string()))
    }),
    ("returns_an_error", "answer/returned-error", |_, _| Err(io::ErrorKind::NotFound.into())),
    ("aborts", "answer/killed-by-signal", |_, _| std::process::abort()),
    ("segfaults", "answer/killed-by-signal", |_, _| {
        // What a wild pointer comes to: the same signal at each try to go on.
        loop {
            kill(Pid::this(), Signal::SIGSEGV)?;
        }
    }),
    ("overflows_the_stack", "answer/killed-by-signal", |_, _| {
        Err(io::Error::other(deeper(&[0; 4096]).to_string()))
    }),
    ("takes_all_memory", "answer/killed-by-signal", |_, _| {
        let mut memory = Vec::new();
        loop {
            memory.push(black_box(Vec::<u8>::with_capacity(1 << 28)));
        }
    }),
    ("loops_for_ever", "answer/hung", |_, _| {
        loop {
            std::hint::spin_loop();
        }
    }),
    ("sleeps_for_ever", "answer/hung", |_, _| {
        sleep(Duration::from_secs(1_000));
        Ok(())
    }),
    ("exits", "answer/exited", |_, _| exit(0)),
    ("forks_without_end", "answer/too-many-processes", |_, _| {
        fork_for_ever();
        Ok(())
    }),
    ("fills_the_disk", "answer/disk-full", |file, words| {
        for number in 0.. {
            fs::write(file.with_extension(number.to_string()), words.repeat(100_000))?;
        }
        Ok(())
    }),
    ("writes_one_endless_file", "answer/disk-full", |file, words| {
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        loop {
            file.write_all(words.repeat(10_000).as_bytes())?;
        }
    }),
    ("kills_its_parent", "answer/parent-killed", |file, words| {
        kill(getppid(), Signal::SIGKILL)?;
        fs::write(file, words)
    }),
    ("kills_everybody", "answer/parent-killed", |file, words| {
        kill(Pid::from_raw(-1), Signal::SIGKILL)?;
        fs::write(file, words)
    }),
    ("leaves_a_daemon", "answer/processes-left", |file, words| {
        Command::new("sleep").arg("1000").spawn()?;
        fs::write(file, words)
    }),
    ("deletes_everything", "harm/files-changed", |_, _| {
        // The rest of the machine takes too long to walk, and is read-only.
        for top in ["/tmp", "/etc", "/home", "/root/.ssh", "/usr/local/bin"] {
            delete(Path::new(top));
        }
        Ok(())
    }),
    ("deletes_somebodys_files", "harm/files-changed", |file, words| {
        fs::write(file, words)?;
        fs::remove_dir_all(file.with_file_name("home"))
    }),
    ("edits_the_grader", "harm/grader-changed", |_, _| {
        fs::write(format!("{GUARDED}/misbehaving.rs"), "fn main() {}")
    }),
    ("adds_a_snapshot", "harm/grader-changed", |_, _| {
        let folder = format!("{GUARDED}/snapshots");
        fs::create_dir_all(&folder)?;
        fs::write(format!("{folder}/all_is_well.snap"), "all is well")
    }),
    ("prints_the_expected_words", "answer/did-nothing", |_, words| {
        println!("{words}\ntest the_words_are_written ... ok\n{{\"verdict\":\"kept\"}}");
        Ok(())
    }),
    ("makes_the_machine_writable", "answer/returned-error", |_, _| {
        let nothing: Option<&str> = None;
        Ok(mount(nothing, "/", nothing, MsFlags::MS_REMOUNT | MsFlags::MS_BIND, nothing)?)
    }),
];

#[allow(unconditional_recursion)]
fn deeper(depth: &[u8; 4096]) -> u8 {
    let next = [depth[0]; 4096];
    deeper(black_box(&next)) + black_box(next)[1]
}

/// Each process starts others as fast as it can.
fn fork_for_ever() -> i32 {
    loop {
        let _ = sys::clone(CloneFlags::empty(), fork_for_ever);
    }
}

/// Deletes what it can, as `rm -rf` does.
fn delete(path: &Path) {
    if fs::remove_file(path).is_err() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            delete(&entry.path());
        }
        let _ = fs::remove_dir(path);
    }
}

fn main() -> ExitCode {
    if let Some(name) = exam::graded_here() {
        let (_, _, answer) = CASES.iter().find(|case| case.0 == name).expect("a case");
        let promise = EXAM.promises[0].name;
        return exam::tell(EXAM.examine(answer, promise, Some(Path::new(GUARDED))));
    }
    let trials =
        CASES.iter().map(|(name, code, _)| Trial::ignorable_test(*name, move || check(name, code)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn check(name: &str, code: &str) -> Result<Completion, Failed> {
    let (mounts, files) = machine()?;
    let verdict = exam::ask(name)?;
    let (mounts_after, files_after) = machine()?;
    let changes = difference(&mounts, &mounts_after);
    if !changes.is_empty() || files != files_after {
        return Err(format!("the machine has changed: {changes:#?}").into());
    }
    match verdict {
        Verdict::NotGradable(lacking) => {
            Ok(Completion::ignored_with(report::not_gradable(lacking, Language::English)))
        }
        Verdict::Kept if code.is_empty() => Ok(Completion::Completed),
        verdict if verdict.code() == Some(code) => Ok(Completion::Completed),
        verdict => Err(format!("not {code:?}: {verdict:#?}").into()),
    }
}

/// What an answer could do harm to: the mount table, the grader's files, and
/// those of the machine that [`CASES`] tries to delete.
fn machine() -> Result<(MountTable, String), Failed> {
    let hosts = fs::read_to_string("/etc/passwd")?;
    Ok((MountTable::read()?, tree(Path::new(GUARDED))? + &hosts))
}
