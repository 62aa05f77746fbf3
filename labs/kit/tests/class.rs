//! `lab grade --all`: a class is graded by the real graders of lab 06, by a
//! cargo and a compiler that are really there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const TREE: &str = "labs/06-pivot-root/src/lib.rs";
/// A constant that takes longer than anybody waits.
const ENDLESS: &str = "pub const N: u64 = { let mut n = 0u64; \
     #[allow(long_running_const_eval)] while n < u64::MAX { n += 1; } n };";

type Outcome = Result<Completion, Failed>;
type Case = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    let cases: [(&str, Case); 5] = [
        ("each_submission_has_its_own_outcome", outcomes),
        ("what_was_graded_is_graded_again_only_when_it_has_changed", kept),
        ("a_killed_run_goes_on_where_it_stopped", || stopped_by(Signal::SIGKILL)),
        ("an_interrupted_run_says_what_is_kept", || stopped_by(Signal::SIGINT)),
        ("a_class_is_graded_by_one_at_a_time", in_use),
    ];
    let trials = cases.map(|(name, case)| Trial::ignorable_test(name, move || run(case)));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// Runs a case where there is a cargo that can write to where this was built.
fn run(case: Case) -> Outcome {
    let program = env!("CARGO_BIN_EXE_lab");
    let folder = Path::new(program).parent().expect("in a folder");
    let cargo = Command::new("cargo").arg("--version").stdout(Stdio::null()).status();
    if !cargo.is_ok_and(|status| status.success()) || tempfile::tempfile_in(folder).is_err() {
        return Ok(Completion::ignored_with("this user cannot run cargo in this checkout"));
    }
    case().map(|()| Completion::Completed)
}

/// A folder with submissions.
struct Class {
    folder: TempDir,
}

impl Class {
    fn new() -> Class {
        Class { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn hand_in(&self, file: &str, content: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.current_dir(CHECKOUT).env("LAB_LANG", "en").env_remove("RUST_BACKTRACE");
        command.args(["grade", "--lab", "06", "--all"]).arg(self.folder.path()).args(arguments);
        command
    }

    fn grade(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("lab")
    }

    /// When a submission was graded, to the nanosecond.
    fn graded_at(&self, name: &str) -> Option<(i64, i64)> {
        let file = self.path(".lab/grades").join(name).join("06.json");
        fs::metadata(file).ok().map(|it| (it.mtime(), it.mtime_nsec()))
    }

    /// What a run leaves beside its results.
    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.path(".lab")).expect("a folder").flatten();
        let mut names: Vec<String> =
            names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn reference(file: &str) -> String {
    let path = Path::new(CHECKOUT).join("labs/reference/src/lab_06").join(file);
    fs::read_to_string(path).expect(file)
}

fn outcomes() -> Result<(), Failed> {
    let class = Class::new();
    let (solution, starter) = (reference("solution.rs"), reference("starter.rs"));
    let secret = class.path("secret");
    fs::write(&secret, "the teacher's")?;
    let with = |line: &str| format!("{solution}\n{line}\n");
    class.hand_in(&format!("as-a-checkout/{TREE}"), &solution);
    class.hand_in("packed-once-more/top/06-pivot-root/lib.rs", &solution);
    class.hand_in("only-the-answer/lib.rs", &starter);
    class.hand_in("broken/lib.rs", "fn (");
    class.hand_in("endless/lib.rs", &with(ENDLESS));
    class.hand_in("early/lib.rs", &with("#[unsafe(no_mangle)] pub extern \"C\" fn write() {}"));
    class.hand_in(
        "curious/lib.rs",
        &with(&format!("pub static S: &str = include_str!({secret:?});")),
    );
    let solution_file =
        Path::new(CHECKOUT).canonicalize()?.join("labs/reference/src/lab_06/solution.rs");
    class.hand_in(
        "copying/lib.rs",
        &format!("#[path = {solution_file:?}] mod theirs; pub use theirs::*;"),
    );
    fs::create_dir(class.path("nothing"))?;
    fs::create_dir(class.path("linked"))?;
    symlink(&secret, class.path("linked/lib.rs"))?;
    let (json, csv) = (class.path("grades.json"), class.path("grades.csv"));

    // What root makes may be closed to others, and the compiler is nobody.
    umask(Mode::from_bits_truncate(0o077));
    let output = class.grade(&[
        "--json",
        json.to_str().expect("UTF-8"),
        "--csv",
        csv.to_str().expect("UTF-8"),
    ]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.code() != Some(0) {
        return Err(said.into());
    }
    let grades: Value = serde_json::from_slice(&fs::read(json)?)?;
    let submissions = grades["submissions"].as_object().expect("submissions");
    let seen: BTreeMap<&str, (&str, u64)> = submissions
        .iter()
        .map(|(name, labs)| {
            let lab = &labs["06-pivot-root"];
            let outcome = lab["outcome"].as_str().expect("an outcome");
            (name.as_str(), (outcome, lab["kept"].as_u64().expect("a number")))
        })
        .collect();
    let expected = BTreeMap::from([
        ("as-a-checkout", ("graded", 19)),
        ("packed-once-more", ("graded", 19)),
        ("only-the-answer", ("graded", 0)),
        ("broken", ("does-not-compile", 0)),
        ("endless", ("took-too-long", 0)),
        ("early", ("refused", 0)),
        ("curious", ("does-not-compile", 0)),
        ("copying", ("does-not-compile", 0)),
        ("nothing", ("missing", 0)),
        ("linked", ("refused", 0)),
    ]);
    if seen != expected {
        return Err(format!("{seen:#?}\n{said}").into());
    }
    let everything = fs::read_to_string(&csv)? + &said + &grades.to_string();
    assert!(!everything.contains("the teacher's"), "{everything}");
    assert!(said.contains("as-a-checkout     19/19\n"), "{said}");
    assert_eq!(class.left(), ["grades", "lock"]);
    Ok(())
}

fn kept() -> Result<(), Failed> {
    let class = Class::new();
    class.hand_in("ann/lib.rs", &reference("starter.rs"));
    class.hand_in("bob/lib.rs", &reference("starter.rs"));
    class.grade(&[]);
    let (ann, bob) = (class.graded_at("ann"), class.graded_at("bob"));
    assert!(ann.is_some() && bob.is_some());
    class.hand_in("bob/lib.rs", &reference("solution.rs"));
    let said = String::from_utf8(class.grade(&[]).stdout)?;
    assert!(said.contains("ann  0/19\nbob  19/19\n"), "{said}");
    assert_eq!(class.graded_at("ann"), ann, "graded again, though it is the same");
    assert_ne!(class.graded_at("bob"), bob);
    Ok(())
}

fn stopped_by(signal: Signal) -> Result<(), Failed> {
    let class = Class::new();
    let names = ["a", "b", "c", "d"];
    for name in names {
        class.hand_in(&format!("{name}/lib.rs"), &reference("solution.rs"));
    }
    let mut first = class.command(&["--jobs", "1"]);
    let first = first.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let patience = Instant::now() + Duration::from_secs(300);
    while class.graded_at("a").is_none() && Instant::now() < patience {
        sleep(Duration::from_millis(5));
    }
    kill(Pid::from_raw(first.id().try_into()?), signal)?;
    let first = first.wait_with_output()?;
    let before: Vec<_> = names.into_iter().map(|name| class.graded_at(name)).collect();
    assert!(before[0].is_some(), "nothing was graded in time");
    assert!(before[3].is_none(), "it had ended before it was stopped");
    if signal == Signal::SIGINT {
        let said = String::from_utf8(first.stderr)?;
        // One may have been kept in the moment between the words and the end.
        let kept = before.iter().flatten().count();
        let says = |count| said.contains(&format!("graded and kept: {count} of 4"));
        assert!(says(kept) || says(kept - 1), "{said}");
        assert_eq!(first.status.code(), Some(130));
    }

    let second = class.grade(&["--jobs", "1"]);
    let said = String::from_utf8(second.stdout)?;
    assert!(said.contains("a  19/19\nb  19/19\nc  19/19\nd  19/19\n"), "{said}");
    for (name, before) in names.into_iter().zip(before).filter(|(_, before)| before.is_some()) {
        assert_eq!(class.graded_at(name), before, "{name} was graded twice");
    }
    assert_eq!(class.left(), ["grades", "lock"]);
    Ok(())
}

fn in_use() -> Result<(), Failed> {
    let class = Class::new();
    class.hand_in("ann/lib.rs", &reference("starter.rs"));
    fs::create_dir(class.path(".lab"))?;
    let lock = File::create(class.path(".lab/lock"))?;
    lock.lock()?;
    let output = class.grade(&[]);
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("somebody grades this class already"), "{said}");
    assert_eq!(class.graded_at("ann"), None);
    Ok(())
}
