//! Commands on a container that runs. Afterwards it does what it did, or has ended, as
//! the command was to; whatever became of that, a second try succeeds.

use std::process::{Command, Output};
use std::time::Instant;

use harness::host::patience;
use nix::unistd::geteuid;

use super::scenes::{Scene, imported, on_one_line};
use super::strace::Who;
use crate::ground::{Ground, has_limits};

/// All of them.
pub const SCENES: [Scene; 4] = [COMMIT, EXEC, STOP, RM];

/// Makes an image of it; as root it is paused meanwhile.
const COMMIT: Scene = Scene {
    name: "commit",
    processes: || &[Who::Parent],
    prepare: |ground| {
        start(ground);
        said(ground.command(["exec", &ground.name, "sh", "-c", &on_one_line(CHANGE)]))
            .expect("it changes its files");
    },
    command: commit,
    made: |ground| {
        let made = imported(ground);
        let again = match made.is_empty() {
            true => said(commit(ground)).map(|_| drop(imported(ground))),
            false => Ok(()),
        };
        let goes_on = goes_on(ground);
        match again.and(goes_on).and(remove(ground)) {
            Ok(()) => made,
            Err(error) => error,
        }
    },
};

/// One more command in it.
const EXEC: Scene = Scene {
    name: "exec",
    // It shows nothing of itself once it is in the container, but to root.
    processes: || match geteuid().is_root() {
        true => &[Who::Parent, Who::Keeper, Who::Child],
        false => &[Who::Parent, Who::Keeper],
    },
    prepare: start,
    command: |ground| {
        let mut command = ground.command(["exec", "-w", "/tmp"]);
        // A container of an ordinary user has none but root.
        if geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        command.args([&ground.name, "sh", "-c", &on_one_line(SHOW)]);
        command
    },
    made: |ground| match goes_on(ground).and(remove(ground)) {
        Ok(()) => String::new(),
        Err(error) => error,
    },
};

/// Ends it.
const STOP: Scene = Scene {
    name: "stop",
    processes: || &[Who::Parent],
    prepare: start,
    command: stop,
    made: |ground| {
        let code = said(stop(ground)).and_then(|_| said(ground.command(["wait", &ground.name])));
        match (code.as_deref(), remove(ground)) {
            (Ok("137\n"), Ok(())) => String::new(),
            other => format!("{other:?}"),
        }
    },
};

/// Ends and deletes it.
const RM: Scene = Scene {
    name: "rm -f",
    processes: || &[Who::Parent],
    prepare: start,
    command: |ground| ground.command(["rm", "-f", &ground.name]),
    made: |ground| match ground.host.containers().contains(&ground.name) {
        true => remove(ground).err().unwrap_or_default(),
        false => String::new(),
    },
};

/// What a write layer can hold.
const CHANGE: &str = "echo hello >/greeting; ln /greeting /again; ln -s nowhere /dangling;
    rm /etc/group; rm -r /usr; mkdir /usr; echo 1 >/usr/new; mkfifo /pipe; chmod 4755 /again";

/// What the command is, and what it has.
const SHOW: &str = "id; env; pwd; umask; ls /proc/self/fd; cat /proc/self/cgroup;
    grep -E '^(Cap|Sig[BIC]|NoNewPrivs|Seccomp)' /proc/self/status; exit 7";

fn start(ground: &Ground) {
    let mut run = ground.command(["run", "-d", "--name", &ground.name]);
    run.args(["-e", &format!("PROOF={}", ground.name)]);
    if has_limits() {
        run.args(["--pids-limit", "50"]);
    }
    // A shell buries those whose parents were killed.
    run.args(["sh", "-c", "while sleep 100000; do :; done"]);
    said(run).expect("it starts");
}

fn commit(ground: &Ground) -> Command {
    let mut command = ground.command(["commit", &ground.name, "imported"]);
    if has_limits() {
        command.arg("--pause");
    }
    command
}

fn stop(ground: &Ground) -> Command {
    ground.command(["stop", "-t", "0", &ground.name])
}

/// Nobody is in it but the shell and its sleep; who looks is the third.
fn goes_on(ground: &Ground) -> Result<(), String> {
    let deadline = Instant::now() + patience();
    loop {
        let list = said(ground.command(["exec", &ground.name, "ls", "/proc"]))?;
        let processes = list.lines().filter(|name| name.parse::<i32>().is_ok()).count();
        match processes {
            3 => return Ok(()),
            _ if Instant::now() > deadline => return Err(format!("{processes} processes in it")),
            _ => {}
        }
    }
}

fn remove(ground: &Ground) -> Result<(), String> {
    said(ground.command(["rm", "-f", &ground.name])).map(drop)
}

/// What a command writes that succeeds.
fn said(mut command: Command) -> Result<String, String> {
    let output: Output = command.output().expect("mydocker starts");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{command:?}: {output:?}")),
    }
}
