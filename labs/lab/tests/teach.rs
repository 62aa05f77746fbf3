//! The set-ups in labs/teach, run as their platforms run them; in place of cargo
//! there is a script that says what the test has decided.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::geteuid;
use tempfile::TempDir;

const TEACH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../teach");

/// Notes what it is called with, and prints a report as `lab grade` does for a
/// promise that is broken.
const CARGO: &str = "#!/bin/sh\necho \"$@\" >>asked\ncat report\nexit 1\n";

/// Runs a command where $1 is /autograder, and all else is as it is.
const AUTOGRADER: &str = r#"
    set -eu
    root=/mnt
    mount -t tmpfs root "$root"
    for path in /*; do
        if [ -L "$path" ]; then
            ln -s "$(readlink "$path")" "$root$path"
        elif [ -d "$path" ]; then
            mkdir "$root$path"
            mount --rbind "$path" "$root$path"
        fi
    done
    mkdir -p "$root/autograder"
    mount --bind "$1" "$root/autograder"
    cd "$root"
    pivot_root . .
    umount -l .
    cd /
    exec /autograder/source/run_autograder
"#;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().expect("a folder") };
        place.write("bin/cargo", CARGO);
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(place.path("bin/cargo"), executable).expect("a program");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect(name)
    }

    /// Copies a script of a set-up, as its platform or the teacher does.
    fn copy(&self, script: &str, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::copy(Path::new(TEACH).join(script), path).expect("a copy");
    }

    /// A command that finds the cargo of the test.
    fn command(&self, program: &str, cargo: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").expect("PATH");
        command.env("PATH", format!("{cargo}:{path}")).current_dir(self.folder.path());
        command
    }
}

/// An upload to the autograder of lab 06, and what cargo says to it.
fn gradescope(report: &str) -> Place {
    let place = Place::new();
    place.copy("gradescope/run_autograder", "source/run_autograder");
    place.write("source/lab", "06-pivot-root\n");
    for file in ["06-pivot-root/src/lib.rs", "07-layers/src/lib.rs", "07-layers/predictions.toml"] {
        place.write(&format!("source/course/labs/{file}"), "the starter");
    }
    place.write("source/course/report", report);
    fs::create_dir(place.path("results")).expect("a folder");
    place.write("submission/lib.rs", "the answer to 06");
    place.write("submission/labs/07-layers/predictions.toml", "the predictions");
    place.write("submission/Cargo.toml", "another build script");
    symlink("/etc/hostname", place.path("submission/labs/07-layers/lib.rs")).expect("a link");
    fs::create_dir(place.path("submission/07-layers")).expect("a folder");
    symlink("/etc/passwd", place.path("submission/07-layers/lib.rs")).expect("a link");
    place
}

fn run_autograder(place: &Place) -> Output {
    let mut command = place.command("unshare", "/autograder/bin");
    if !geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--propagation", "private", "bash", "-c", AUTOGRADER, "autograder"]);
    command.arg(place.folder.path()).output().expect("unshare")
}

#[test]
fn gradescope_takes_the_answers_and_nothing_else() {
    let place = gradescope("{\"tests\": []}\n");
    let output = run_autograder(&place);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(place.read("results/results.json"), "{\"tests\": []}\n");
    assert_eq!(place.read("source/course/asked"), "lab grade 06-pivot-root --gradescope\n");
    let labs = |file: &str| place.read(&format!("source/course/labs/{file}"));
    assert_eq!(labs("06-pivot-root/src/lib.rs"), "the answer to 06");
    assert_eq!(labs("07-layers/predictions.toml"), "the predictions");
    assert_eq!(labs("07-layers/src/lib.rs"), "the starter", "a link to elsewhere was followed");
    assert!(!place.path("source/course/Cargo.toml").exists());
}

#[test]
fn gradescope_is_told_when_the_graders_have_failed() {
    let place = gradescope("");
    assert!(run_autograder(&place).status.success());
    let results: serde_json::Value =
        serde_json::from_str(&place.read("results/results.json")).expect("JSON");
    assert_eq!(results["score"], 0);
    assert!(results["output"].as_str().expect("words").contains("tell your teacher"));
}

#[test]
fn github_classroom_gets_the_result_of_a_step() {
    let place = Place::new();
    place.copy("github-classroom/grade", "labs/teach/github-classroom/grade");
    place.write("report", "{\"version\": 1}\n");
    let step = place.path("labs/teach/github-classroom/grade").display().to_string();
    let grade = || {
        let mut command = place.command(&step, &place.path("bin").display().to_string());
        command.arg("06").env("GITHUB_OUTPUT", place.path("output")).output().expect("the step")
    };
    let output = grade();
    assert!(output.status.success(), "{output:?}");
    // base64 of the report.
    assert_eq!(place.read("output"), "result=eyJ2ZXJzaW9uIjogMX0=\n");
    assert_eq!(place.read("asked"), "lab grade 06 --classroom\nlab show 06\n");

    place.write("report", "");
    assert!(!grade().status.success(), "without a result the step must fail");
}

/// By its source, the action looks for no other check run.
#[test]
fn github_classroom_is_reported_to_by_the_job_that_it_looks_for() {
    let workflow = fs::read_to_string(Path::new(TEACH).join("github-classroom/classroom.yml"));
    let workflow = workflow.expect("the workflow");
    let jobs = workflow.split_once("\njobs:\n").expect("jobs").1;
    let names: Vec<&str> = jobs
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':'))
        .map(str::trim)
        .collect();
    assert_eq!(names, ["run-autograding-tests:"]);
    assert!(!jobs.contains("\n    name:"), "a job with a name of its own has that one");
}

#[test]
fn gitlab_has_a_report_also_of_what_is_broken() {
    let place = Place::new();
    place.write("report", "<testsuites/>\n");
    let pipeline = fs::read_to_string(Path::new(TEACH).join("gitlab-ci/.gitlab-ci.yml"));
    let pipeline = pipeline.expect("the pipeline");
    let script = pipeline.split_once("\n  script:\n    - ").expect("a script").1;
    let line = script.lines().next().expect("a line");
    let mut command = place.command("bash", &place.path("bin").display().to_string());
    let status = command.args(["-ec", line]).env("LAB", "06").status().expect("bash");
    assert_eq!(status.code(), Some(1), "a broken promise fails the job");
    assert_eq!(place.read("grades.xml"), "<testsuites/>\n");
    assert_eq!(place.read("asked"), "lab grade 06 --junit\n");
}
