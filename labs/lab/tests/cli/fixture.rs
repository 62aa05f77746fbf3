//! A small checkout with two labs, and a cargo that builds nothing: what its
//! graders say is decided by the test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use labkit::need::Lacking;
use labkit::record::Report;
use labkit::verdict::{Evidence, Finding, NOT_WRITTEN, Verdict, Whose};
use tempfile::TempDir;

pub struct Fixture {
    folder: TempDir,
}

/// What the student's file of lab 05 begins as.
pub const STARTER: &str = "\
//! Lab 05: a root file system. The task is in README.md.
//!
//! The standard library has everything you need.

/// Unpacks the archive `tar` into the directory `layer`.
///
/// # Errors
/// The archive is cut off.
pub fn unpack(tar: &Path, layer: &Path) -> io::Result<()> {
    todo!()
}
";

/// Says that it has built a grader for every lab that has one.
const CARGO: &str = r#"#!/bin/sh
cat cargo-says >&2
for grader in labs/*/grader.sh; do
    [ -e "$grader" ] || continue
    lab=$PWD/$(dirname "$grader")
    echo '{"reason":"compiler-artifact","manifest_path":"'"$lab"'/Cargo.toml","target":{"name":"grade"},"executable":"'"$lab"'/grader.sh"}'
done
"#;

/// Grades as report.json says, now.
const GRADER: &str = r#"#!/bin/sh
if [ -n "$LABKIT_LACKING" ]; then cat lacking.json; exit; fi
echo "$@" >asked
mkdir -p ../../.lab/reports
sed "s/\"at\":0/\"at\":$(date +%s),\"run\":\"$LABKIT_RUN\"/" report.json >../../.lab/reports/NUMBER.json
"#;

impl Fixture {
    /// Labs 05 and 06, nothing graded yet.
    pub fn new() -> Fixture {
        let fixture = Fixture { folder: tempfile::tempdir().expect("a folder") };
        fixture.write("Cargo.toml", "");
        fixture.write("cargo-says", "");
        fixture.write("labs/reference/Cargo.toml", "");
        fixture.write_program("cargo.sh", CARGO);
        for (folder, number) in [("05-rootfs", "05"), ("06-pivot-root", "06")] {
            let texts = fs::read_to_string(format!("tests/cli/{folder}.toml")).expect("lab.toml");
            fixture.write(&format!("labs/{folder}/lab.toml"), &texts);
            fixture.write(&format!("labs/{folder}/src/lib.rs"), "// the student's\n");
            let starter = if number == "05" { STARTER } else { "// ours\n" };
            fixture.write(&format!("labs/reference/src/lab_{number}/starter.rs"), starter);
            let solution = "// the solution\n";
            fixture.write(&format!("labs/reference/src/lab_{number}/solution.rs"), solution);
            let grader = GRADER.replace("NUMBER", number);
            fixture.write_program(&format!("labs/{folder}/grader.sh"), &grader);
        }
        fixture.set_verdicts("05-rootfs", &[("links_are_links", not_written("unpack"))]);
        fixture
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    pub fn write_program(&self, name: &str, content: &str) {
        self.write(name, content);
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path(name), executable).expect("a program");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect(name)
    }

    /// What the next grade of a lab says.
    pub fn set_verdicts(&self, folder: &str, verdicts: &[(&str, Verdict)]) {
        let verdicts = verdicts.iter().map(|(name, it)| ((*name).to_owned(), it.clone()));
        let report =
            Report { lab: folder[..2].into(), verdicts: verdicts.collect(), ..Report::default() };
        self.set_report(folder, &report);
    }

    pub fn set_report(&self, folder: &str, report: &Report) {
        let json = serde_json::to_string(report).expect("plain data");
        self.write(&format!("labs/{folder}/report.json"), &json);
    }

    /// The command, in English, without colour.
    pub fn lab(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("lab"));
        command.current_dir(self.folder.path()).args(arguments);
        command.env("CARGO", self.path("cargo.sh")).env("LAB_LANG", "en");
        command
    }

    /// What a command prints; it must succeed.
    pub fn says(&self, arguments: &[&str]) -> String {
        text(self.lab(arguments).assert().success().get_output())
    }

    /// What a command prints in Chinese, whether it succeeds or not.
    pub fn says_in_chinese(&self, arguments: &[&str]) -> String {
        text(self.lab(arguments).env("LAB_LANG", "zh").assert().get_output())
    }

    /// What a command prints that ends with `code`.
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        text(self.lab(arguments).assert().code(code).get_output())
    }

    pub fn top(&self) -> &Path {
        self.folder.path()
    }
}

/// Standard output, then standard error.
pub fn text(output: &std::process::Output) -> String {
    String::from_utf8([output.stdout.clone(), output.stderr.clone()].concat()).expect("UTF-8")
}

/// The old root left mounted, in the words and with the evidence of a grader.
pub fn old_root_left() -> Verdict {
    let finding = Finding::new("pivot-root/old-root-still-mounted").word("path", "/old_root");
    Verdict::Broken(finding.with([
        Evidence::differs("stat(\"/old_root/etc/marker\")", "ENOENT", "Ok"),
        Evidence::MountTable {
            whose: Whose::Container,
            changes: vec!["MOUNTED /old_root ext4 /dev/vda rw,relatime private".into()],
        },
        Evidence::Tree { what: "/proc/PID/mountinfo".into(), drawing: "/\n└─/old_root".into() },
    ]))
}

pub fn not_written(function: &str) -> Verdict {
    Verdict::Broken(Finding::new(NOT_WRITTEN).word("function", function))
}

/// Lab 06 with a promise in each state.
pub fn one_of_each() -> Vec<(&'static str, Verdict)> {
    vec![
        ("new_root_is_the_root", Verdict::Kept),
        ("old_root_is_unreachable", old_root_left()),
        ("the_breakout_fails", old_root_left()),
        ("proc_is_fresh", not_written("mount_proc")),
        ("devices_work", Verdict::NotGradable(Lacking::Root)),
    ]
}

/// Lab 06 where nothing can be graded.
pub fn none_gradable() -> Vec<(&'static str, Verdict)> {
    let lacking = Lacking::UserNamespaces { errno: 1 };
    one_of_each().into_iter().map(|(name, _)| (name, Verdict::NotGradable(lacking))).collect()
}

/// Lab 06 with all kept that can be graded by a user.
pub fn all_kept() -> Vec<(&'static str, Verdict)> {
    let mut verdicts = one_of_each();
    for (_, verdict) in &mut verdicts[1..4] {
        *verdict = Verdict::Kept;
    }
    verdicts
}
