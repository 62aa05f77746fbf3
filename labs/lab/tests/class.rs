//! `lab grade --all`: a class is graded by the real graders of lab 06, by a
//! cargo and a compiler that are really there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::os::unix::ffi::OsStrExt;
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
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const TREE: &str = "labs/06-pivot-root/src/lib.rs";
/// How many promises the lab has.
const ALL: u64 = 23;
/// A constant that takes longer than anybody waits.
const ENDLESS: &str = "pub const N: u64 = { let mut n = 0u64; \
     #[allow(long_running_const_eval)] while n < u64::MAX { n += 1; } n };";

/// One is enough for most cases.
const ONE_LAB: &[&str] = &["--lab", "06"];

type Outcome = Result<Completion, Failed>;
type Case = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    let cases: [(&str, Case); 10] = [
        ("every_lab_is_graded", every_lab),
        ("each_submission_has_its_own_outcome", outcomes),
        ("what_decides_has_no_symbol_of_an_answer", apart),
        ("names_are_bytes_and_zips_are_read_without_being_unpacked", zips_and_names),
        ("what_is_no_submission_is_named_with_the_reason", skipped),
        ("a_file_that_cannot_be_written_is_told_of_before_anything_is_graded", outputs),
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
        command.args(["grade", "--all"]).arg(self.folder.path()).args(arguments);
        command
    }

    fn grade(&self, arguments: &[&str]) -> Output {
        self.command(&[ONE_LAB, arguments].concat()).output().expect("lab")
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

/// Code that the loader calls, which writes a file on the machine.
fn early(mark: &Path) -> String {
    format!(
        r#"
        #[used]
        #[unsafe(link_section = ".init_array")]
        static EARLY: extern "C" fn() = early;
        extern "C" fn early() {{
            let _ = std::fs::write({mark:?}, "harm");
        }}"#
    )
}

/// An allocator: it is called before main, and at every turn.
fn allocator(mark: &Path) -> String {
    format!(
        r#"
        struct Theirs;
        #[global_allocator]
        static THEIRS: Theirs = Theirs;
        unsafe impl std::alloc::GlobalAlloc for Theirs {{
            unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 {{
                static DONE: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
                if !DONE.swap(true, std::sync::atomic::Ordering::SeqCst) {{
                    let _ = std::fs::write({mark:?}, "harm");
                }}
                unsafe {{ std::alloc::GlobalAlloc::alloc(&std::alloc::System, layout) }}
            }}
            unsafe fn dealloc(&self, at: *mut u8, layout: std::alloc::Layout) {{
                unsafe {{ std::alloc::GlobalAlloc::dealloc(&std::alloc::System, at, layout) }}
            }}
        }}"#
    )
}

/// A function of the C library's name, in its place: whatever links with the answer
/// would call it.
fn replaced(mark: &Path) -> String {
    format!(
        r#"
        #[unsafe(no_mangle)]
        pub extern "C" fn getpid() -> i32 {{
            let _ = std::fs::write({mark:?}, "harm");
            1
        }}"#
    )
}

/// Without `--lab`, all labs are, by the graders of this checkout.
fn every_lab() -> Result<(), Failed> {
    let class = Class::new();
    let labs = Path::new(CHECKOUT).join("labs");
    let names = fs::read_dir(&labs)?.flatten().map(|entry| entry.file_name());
    let is_lab = |name: &String| name.starts_with(|first: char| first.is_ascii_digit());
    let folders: Vec<String> =
        names.filter_map(|name| name.into_string().ok()).filter(is_lab).collect();
    for folder in &folders {
        let answer = labs.join(format!("reference/src/lab_{}/solution.rs", &folder[..2]));
        class.hand_in(&format!("ann/labs/{folder}/src/lib.rs"), &fs::read_to_string(answer)?);
    }
    let predictions = labs.join("reference/src/lab_07/predictions.toml");
    class.hand_in("ann/labs/07-layers/predictions.toml", &fs::read_to_string(predictions)?);
    let json = class.path("grades.json");
    let output = class.command(&["--json", json.to_str().expect("UTF-8")]).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");

    let grades: Value = serde_json::from_slice(&fs::read(json)?)?;
    for folder in &folders {
        let grade = &grades["submissions"]["ann"][folder];
        let promises = grade["promises"].as_object().expect("promises");
        let is_broken = |it: &Value| it["state"] != "kept" && it["state"] != "not-gradable";
        let broken: Vec<_> = promises.iter().filter(|(_, it)| is_broken(it)).collect();
        assert!(broken.is_empty(), "{folder}: {broken:#?}");
        assert!(grade["kept"].as_u64() > Some(0), "{folder}: {grade:#}");
    }
    Ok(())
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
    // Before main, by the loader: it is in the sandbox then already.
    let mark = class.path("was-here");
    class.hand_in("early/lib.rs", &with(&early(&mark)));
    class.hand_in("allocator/lib.rs", &with(&allocator(&mark)));
    class.hand_in("replaced/lib.rs", &with(&replaced(&mark)));
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
    let schema = serde_json::from_str(include_str!("../grades.schema.json"))?;
    jsonschema::validate(&schema, &grades).map_err(|error| error.to_string())?;
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
        ("as-a-checkout", ("graded", ALL)),
        ("packed-once-more", ("graded", ALL)),
        ("only-the-answer", ("graded", 0)),
        ("broken", ("does-not-compile", 0)),
        ("endless", ("took-too-long", 0)),
        ("early", ("graded", ALL)),
        ("allocator", ("graded", ALL)),
        ("replaced", ("graded", ALL)),
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
    assert!(said.contains(&format!("as-a-checkout     {ALL}/{ALL}\n")), "{said}");
    let what = "compiling labs/06-pivot-root/src/lib.rs was stopped after 30 s";
    assert!(said.replace("\n    ", " ").contains(what), "{said}");
    assert_eq!(class.left(), ["grades", "lock"]);
    assert!(!mark.exists(), "an answer has run outside of the sandbox");
    Ok(())
}

/// The programs that cargo makes of `arguments`, by their name.
fn built(arguments: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--message-format", "json"]).args(arguments);
    let output = cargo.current_dir(CHECKOUT).output().expect("cargo");
    let said = String::from_utf8(output.stdout).expect("JSON");
    let messages = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| {
        let name = message["target"]["name"].as_str()?.to_owned();
        Some((name, fs::read(message["executable"].as_str()?).expect("a program")))
    };
    messages.filter_map(program).collect()
}

/// Taken apart: symbols hold the name of their crate, with its length before it.
fn apart() -> Result<(), Failed> {
    let has = |program: &[u8], symbol: &str| {
        program.windows(symbol.len()).any(|part| part == symbol.as_bytes())
    };
    for number in ["01", "02", "03", "04", "05", "06", "07", "08"] {
        let answer = format!("6lab_{number}");
        let both = built(&["--package", &format!("lab-{number}"), "--test", "grade"]);
        if !has(&both["grade"], &answer) {
            return Err(format!("{answer} is not in what a student tests either").into());
        }
        let grader = format!("lab-{number}-grader");
        let decides = built(&["--package", &grader, "--bin", &grader]);
        assert!(has(&decides[&grader], &format!("13lab_{number}_grader")), "{grader}");
        assert!(!has(&decides[&grader], &answer), "{grader} has symbols of an answer");
    }
    Ok(())
}

/// A zip with some files; a name that begins with `@` is that of a link.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in files {
        match name.strip_prefix('@') {
            Some(name) => {
                let target = str::from_utf8(content).expect("UTF-8");
                zip.add_symlink(name, target, options).expect("a link");
            }
            None => {
                zip.start_file(*name, options).expect("a file");
                zip.write_all(content).expect("its content");
            }
        }
    }
    zip.finish().expect("a zip").into_inner()
}

/// Outcome and number of kept promises, by the name that is shown.
fn outcomes_in(json: &Path) -> BTreeMap<String, (String, u64)> {
    let grades: Value = serde_json::from_slice(&fs::read(json).expect("grades")).expect("JSON");
    let submissions = grades["submissions"].as_object().expect("submissions");
    let outcome = |(name, labs): (&String, &Value)| {
        let lab = &labs["06-pivot-root"];
        let outcome = lab["outcome"].as_str().expect("an outcome").to_owned();
        (name.clone(), (outcome, lab["kept"].as_u64().expect("a number")))
    };
    submissions.iter().map(outcome).collect()
}

fn zips_and_names() -> Result<(), Failed> {
    let class = Class::new();
    let (solution, starter) = (reference("solution.rs"), reference("starter.rs"));
    let (solution, starter) = (solution.as_bytes(), starter.as_bytes());
    // 张三 and 李四, as a Chinese Windows packs them: GBK, no UTF-8.
    for (name, answer) in [(&b"\xd5\xc5\xc8\xfd"[..], solution), (b"\xc0\xee\xcb\xc4", starter)] {
        let folder = class.folder.path().join(OsStr::from_bytes(name));
        fs::create_dir(&folder)?;
        fs::write(folder.join("lib.rs"), answer)?;
    }
    let hand_in = |name: &str, content: &[u8]| {
        let path = class.path(name);
        fs::create_dir_all(path.parent().expect("a folder"))?;
        fs::write(path, content)
    };
    let mut twice = zip(&[("lib.rs", solution), ("lib.rt", starter)]);
    let is_name = |at: &usize| twice[*at..].starts_with(b"lib.rt");
    for at in (0..twice.len()).filter(is_name).collect::<Vec<_>>() {
        twice[at + 5] = b's';
    }
    hand_in(
        "zipped.zip",
        &zip(&[("top/06-pivot-root/src/lib.rs", solution), ("__MACOSX/lib.rs", b"?")]),
    )?;
    hand_in("windows.zip", &zip(&[("labs\\06-pivot-root\\src\\lib.rs", solution)]))?;
    hand_in("zip-in-a-folder/answer.zip", &zip(&[("lib.rs", solution)]))?;
    hand_in("out.zip", &zip(&[("../lib.rs", solution), ("/lib.rs", solution)]))?;
    hand_in("bomb.zip", &zip(&[("lib.rs", &vec![b' '; 64 << 20])]))?;
    hand_in("link.zip", &zip(&[("@lib.rs", b"/etc/passwd")]))?;
    hand_in("twice.zip", &twice)?;
    hand_in("no-zip.zip", b"PK")?;
    hand_in("two-tops/old/lib.rs", starter)?;
    hand_in("two-tops/new/lib.rs", solution)?;
    hand_in("2024001/20240001-answers/lib.rs", solution)?;
    hand_in("2024001/__MACOSX/lib.rs", starter)?;
    hand_in("2024001/.DS_Store", b"")?;

    let json = class.path("grades.json");
    let output = class.grade(&["--json", json.to_str().expect("UTF-8")]);
    let said = String::from_utf8(output.stdout)?;
    let graded = |kept| ("graded".to_owned(), kept);
    let refused = || ("refused".to_owned(), 0);
    let expected: BTreeMap<String, (String, u64)> = [
        (r"\xd5\xc5\xc8\xfd", graded(ALL)),
        (r"\xc0\xee\xcb\xc4", graded(0)),
        ("zipped", graded(ALL)),
        ("windows", graded(ALL)),
        ("zip-in-a-folder", graded(ALL)),
        ("out", ("missing".to_owned(), 0)),
        ("bomb", refused()),
        ("link", refused()),
        ("twice", refused()),
        ("no-zip", refused()),
        ("two-tops", refused()),
        ("2024001", graded(ALL)),
    ]
    .into_iter()
    .map(|(name, outcome)| (name.to_owned(), outcome))
    .collect();
    let seen = outcomes_in(&json);
    if seen != expected {
        return Err(format!("{seen:#?}\n{said}").into());
    }
    for words in
        ["larger than an answer may be", "it is a link", "two files of the same name", "new, old"]
    {
        assert!(said.replace("\n    ", " ").contains(words), "{words}: {said}");
    }
    Ok(())
}

fn skipped() -> Result<(), Failed> {
    let class = Class::new();
    fs::create_dir(class.path("carl"))?;
    for file in ["lib.rs", "carl.zip", "dora.tar.gz", ".DS_Store", "grades.csv"] {
        fs::write(class.path(file), "")?;
    }
    fs::create_dir(class.path("__MACOSX"))?;
    symlink("carl", class.path("erik"))?;
    let (json, csv) = (class.path("grades.json"), class.path("grades.csv"));
    let arguments =
        ["--json", json.to_str().expect("UTF-8"), "--csv", csv.to_str().expect("UTF-8")];
    let said = String::from_utf8(class.grade(&arguments).stdout)?;
    let grades: Value = serde_json::from_slice(&fs::read(json)?)?;
    let skipped = grades["skipped"].as_object().expect("entries");
    for (name, why) in [
        ("lib.rs", "it is a file"),
        ("carl.zip", "the directory of the same name beside it"),
        ("dora.tar.gz", "zip is the only kind of archive"),
        (".DS_Store", "begins with a dot"),
        ("__MACOSX", "macOS adds this"),
        ("erik", "it is a link"),
    ] {
        assert!(skipped[name].as_str().is_some_and(|it| it.contains(why)), "{name}: {grades:#}");
        assert!(said.contains(&format!("{name}: skipped: ")), "{name}: {said}");
    }
    assert_eq!(skipped.len(), 6, "{grades:#}");
    assert_eq!(outcomes_in(&class.path("grades.json")).len(), 1);
    // RFC 4180, behind the mark for Excel.
    let records = "\u{feff}submission,lab,outcome,kept,broken,not_written,not_gradable,total,\
        missing_files,said\r\ncarl,06-pivot-root,missing,0,0,0,0,ALL,,\r\n";
    assert_eq!(fs::read_to_string(csv)?, records.replace("ALL", &ALL.to_string()));
    Ok(())
}

fn outputs() -> Result<(), Failed> {
    let class = Class::new();
    class.hand_in("ann/lib.rs", &reference("starter.rs"));
    let folder = class.folder.path().to_str().expect("UTF-8");
    for arguments in [["--csv", folder], ["--json", folder], ["--csv", "/proc/grades.csv"]] {
        let output = class.grade(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!class.path(".lab").exists(), "{arguments:?}: something was graded");
    }
    // What was there stays until there is something better.
    fs::write(class.path("grades.csv"), "old")?;
    fs::remove_dir_all(class.path("ann"))?;
    let csv = class.path("grades.csv");
    assert_eq!(class.grade(&["--csv", csv.to_str().expect("UTF-8")]).status.code(), Some(2));
    assert_eq!(fs::read_to_string(csv)?, "old");
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
    assert!(said.contains(&format!("ann  0/{ALL}\nbob  {ALL}/{ALL}\n")), "{said}");
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
    let mut first = class.command(&[ONE_LAB, &["--jobs", "1"]].concat());
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
    let all = ["a", "b", "c", "d"].map(|name| format!("{name}  {ALL}/{ALL}\n")).concat();
    assert!(said.contains(&all), "{said}");
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
    assert!(said.contains("somebody is already grading this class"), "{said}");
    assert_eq!(class.graded_at("ann"), None);
    Ok(())
}
