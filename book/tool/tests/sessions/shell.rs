//! Runs commands one after another in one shell.

use std::fs;
use std::path::Path;
use std::process::{Command as Process, Stdio};

use harness::busybox::busybox_tar;
use harness::host::Host;
use mydocker_book::checkout;
use mydocker_book::session::Command;

/// Longer than any session, and short enough for one that hangs.
const SECONDS: &str = "90";

/// Root's machine: a mount namespace in which /root, /tmp, /mnt and /var/lib
/// are empty but for what the chapters begin with, and nothing is shared.
const MACHINE: &str = r#"
mount -t tmpfs -o mode=700 tmpfs /root
mkdir /root/bin /root/busybox
cp "$BIN/mydocker" /root/bin
cp "$TAR" /root/busybox.tar
mount -t tmpfs tmpfs /var/lib
mkdir /var/lib/mydocker
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs tmpfs /mnt
cd /root
tar -xf busybox.tar -C busybox
echo this is the host >canary
export HOME=/root PATH=/root/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mydocker image import busybox busybox.tar 2>/dev/null
"#;

/// What each command prints, run by whoever runs the tests.
pub fn anybody(host: &Host, mydocker: &Path, commands: &[Command]) -> Vec<String> {
    let folder = mydocker.parent().expect("its folder").display();
    let mut bash = Process::new("bash");
    bash.env("PATH", format!("{folder}:/usr/bin:/bin")).env("MYDOCKER_ROOT", host.root());
    bash.env("HOME", host.path("")).current_dir(host.path(""));
    run(bash, "", commands)
}

/// What each command prints, on root's machine.
pub fn root(commands: &[Command]) -> Vec<String> {
    let mydocker = checkout::program("mydocker").expect("mydocker");
    let mut bash = Process::new("unshare");
    bash.args(["--mount", "--propagation", "private", "bash"]);
    bash.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("BIN", mydocker.parent().unwrap());
    bash.env("TAR", busybox_tar());
    run(bash, MACHINE, commands)
}

fn run(mut bash: Process, machine: &str, commands: &[Command]) -> Vec<String> {
    // Not below /tmp, which a session may cover.
    let folder = tempfile::tempdir_in("/dev/shm").expect("a folder");
    let script = folder.path().join("script");
    let mut text = format!("{machine}\nexec </dev/null 2>&1\n");
    for (index, command) in commands.iter().enumerate() {
        // A file of its own: a wrong one ends itself, not the session.
        let file = folder.path().join(index.to_string());
        fs::write(&file, format!("{}\n", command.words)).expect("a command");
        text += &format!("printf '\\1'; . {}\n", file.display());
    }
    fs::write(&script, text).expect("the script");
    let mut limited = Process::new("timeout");
    limited.args(["--kill-after", "5", SECONDS]).arg(bash.get_program()).args(bash.get_args());
    limited.env_clear().env("TERM", "dumb").env("LANG", "C.UTF-8");
    for (name, value) in bash.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        limited.env(name, value);
    }
    if let Some(folder) = bash.get_current_dir() {
        limited.current_dir(folder);
    }
    bash = limited;
    let output = bash.arg(&script).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let printed = output.expect("a shell").stdout;
    let printed = String::from_utf8_lossy(&printed);
    printed.split('\u{1}').skip(1).map(str::to_owned).collect()
}
