//! A container that starts processes without end.

use std::fs;
use std::io::Read;
use std::process::{Child, Stdio};

use harness::host::{patience, poll_one};
use nix::poll::PollFlags;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ground::{Ground, has_limits};
use crate::report::Section;
use crate::{Proof, Subject};

/// See the promise.
pub const SUBJECT: Subject = Subject {
    name: "process-limit",
    promise: "A container that starts processes without end has as many as --pids-limit lets it; \
              it is seen and ended as any other, and nothing is left behind.",
    lacking: || (!has_limits()).then(|| "needs root and control groups".into()),
    prove,
};

const LIMIT: usize = 24;

/// The first process starts one, for it could end of a refused second one, and
/// sleeps. All others make more, and end when they may not: then those that are
/// left make more again. They begin when the first one is no shell any more: `sh -c`
/// ends of SIGINT, also as PID 1.
const FORKS_WITHOUT_END: &str = "
    (
        until read -r words </proc/1/cmdline; [ \"${words#sleep}\" != \"$words\" ]; do :; done
        (storm() { storm | storm & wait; }; while :; do storm; done) 2>/dev/null &
        while :; do sleep 1000 & done
    ) &
    exec sleep 1000";

/// How such a container is ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The second signal kills what does not handle the first.
    SignalTwice(Signal),
    /// `mydocker` is killed and cannot clean up.
    Kill,
}

fn prove(proof: &Proof, section: &mut Section) {
    let ground = Ground::new(proof);
    let ends = [End::SignalTwice(Signal::SIGTERM), End::SignalTwice(Signal::SIGINT), End::Kill];
    let attempts = ends.len() * proof.pick(1, 20);
    let mut most = 0;
    for end in ends.into_iter().cycle().take(attempts) {
        match attempt(&ground, end) {
            Ok(members) => most = most.max(members),
            Err(failure) => section.failures.push(format!("{end:?}: {failure}")),
        }
    }
    section.failures.extend(ground.finish());
    section.figure("containers", attempts);
    section.figure("processes that each may have", LIMIT);
    section.figure("processes that were seen in one at most", most);
}

/// Returns how many processes it had.
fn attempt(ground: &Ground, end: End) -> Result<usize, String> {
    let limit = LIMIT.to_string();
    let mut command = ground.command(["run", "--name", &ground.name, "--pids-limit", &limit]);
    command.args(["-e", &format!("PROOF={}", ground.name), "sh", "-c", FORKS_WITHOUT_END]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("mydocker starts");

    // The kernel has refused a process: the limit is reached.
    let refused = read_until(&mut child, "can't fork");
    let members = members(ground);
    let listed = ground.command(["ps"]).output().expect("mydocker starts");
    let listed = String::from_utf8_lossy(&listed.stdout).contains(&ground.name);

    let pid = Pid::from_raw(child.id() as i32);
    let signalled = match end {
        End::Kill => kill(pid, Signal::SIGKILL).map_err(|errno| errno.to_string()),
        End::SignalTwice(signal) => {
            let _ = kill(pid, signal);
            let told = read_until(&mut child, "once more, and it is killed");
            let _ = kill(pid, signal);
            told
        }
    };
    let status = child.wait().expect("its end");
    let ended_well = match end {
        End::Kill => status.code().is_none(),
        End::SignalTwice(_) => status.code() == Some(128 + Signal::SIGKILL as i32),
    };
    ground.check_after_prune()?;
    refused?;
    signalled?;
    if !listed || !ended_well || members > LIMIT {
        return Err(format!("listed: {listed}, processes: {members}, ended with {status}"));
    }
    Ok(members)
}

/// Reads its messages until one says `text`.
fn read_until(child: &mut Child, text: &str) -> Result<(), String> {
    let stderr = child.stderr.as_mut().expect("a pipe");
    let (mut said, mut bytes) = (String::new(), [0; 4096]);
    while !said.contains(text) {
        if poll_one(stderr, PollFlags::POLLIN, patience()).is_empty() {
            return Err(format!("waited in vain for {text:?}; it has said: {said}"));
        }
        match stderr.read(&mut bytes).expect("its messages") {
            0 => return Err(format!("has ended without {text:?}; it has said: {said}")),
            count => said += &String::from_utf8_lossy(&bytes[..count]),
        }
    }
    Ok(())
}

/// How many processes the container's control group has.
fn members(ground: &Ground) -> usize {
    let lists = ground.group_folders().flat_map(|it| fs::read_to_string(it.join("cgroup.procs")));
    lists.map(|list| list.lines().count()).max().unwrap_or(0)
}
