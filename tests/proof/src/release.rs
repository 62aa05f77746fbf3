//! The program under proof: the release build, as it is shipped.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the program instead of having it built here: for those who may not
/// build, as the ordinary user whom root's tests are run as.
const VARIABLE: &str = "MYDOCKER_RELEASE";

/// The release build of the present source.
///
/// # Errors
/// It cannot be built; the text says what to do.
pub fn program() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os(VARIABLE) {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("{VARIABLE}={} is no file", path.display()))
        };
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("two above");
    let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--package", "mydocker", "--message-format", "json"])
        .current_dir(workspace)
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr);
        return Err(format!(
            "the release build fails: {said}\n  do: cargo build --release -p mydocker, \
             and name the program in {VARIABLE}; or run scripts/test, which does so"
        ));
    }
    // Among the messages, a line a crate, is one that names the program.
    let messages = String::from_utf8_lossy(&built.stdout);
    let mut artifacts = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    artifacts.next_back().ok_or_else(|| "cargo has not said where the program is".into())
}
