//! What is known of a container that start has started.

use std::cell::RefCell;
use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use labkit::answering::Answering;
use labkit::call::Seen;
use labkit::describe::{Failure, mounts_below};
use labkit::host::Host;
use labkit::inside::Place;
use labkit::proc::Proc;
use labkit::process::Process;
use labkit::verdict::{Evidence, Finding, PANICKED};
use mydocker_kernel::mountinfo::{Mount, MountTable};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, gethostname, sethostname};

use crate::LAB;
use crate::acts::START;
use crate::child::{
    FOR_CHILDREN, Namespaces, State, end_all_but, is_asleep, namespaces, rests, started_since,
    wait_until,
};
use crate::probe::{NOT_TEXT, Probe, variables_of, words_of};

/// What the host is called.
pub const HOST_NAME: &str = "host";

/// The umask of the process that calls start. Nobody uses it by habit: an answer that
/// sets a usual one changes it.
pub const UMASK: Mode = Mode::from_bits_truncate(0o037);

/// A process that sleeps this long while the command runs is waiting for its end.
const A_WHILE: Duration = Duration::from_millis(500);

/// How start is told of the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// By its full path.
    Path,
    /// By its name, in a directory of `$PATH`.
    Name,
}

/// All that is known of one call.
pub struct Container {
    pub seen: Seen<Result<i32, Failure>>,
    pub probe: Probe,
    pub looked: Looked,
    /// A file that the caller has open, beside 0, 1 and 2.
    pub open_file: PathBuf,
}

/// What is seen when start has returned.
pub struct Looked {
    /// What has become of the process whose pid start returned.
    pub state: State,
    /// The same when the command was there, or had had its time to come.
    pub state_after: State,
    /// Whether start waited while the command was there, and was looked at meanwhile.
    pub has_waited: bool,
    /// How many processes had been started by then.
    pub started: i32,
    /// The process whose pid start returned, if it runs.
    pub child: Option<Running>,
    /// The command, if it runs.
    pub command: Option<Command>,
    /// The name of the host.
    pub host_name: String,
    /// Where the stdout and the stderr of the process that calls start lead.
    pub callers_streams: [PathBuf; 2],
    /// The namespaces of that process, before and after.
    pub caller_before: Namespaces,
    pub caller_after: Namespaces,
    /// Its variables.
    pub callers_variables: Vec<Vec<u8>>,
    /// What the witness has, from which that process was made.
    pub witness: Process,
}

/// A running child.
pub struct Running {
    pub process: Process,
    pub namespaces: Namespaces,
    pub program: PathBuf,
}

/// A running command.
pub struct Command {
    pub process: Process,
    /// Its PID as it knows it.
    pub own_pid: String,
    /// Its words after the probe's path.
    pub arguments: Vec<Vec<u8>>,
    pub variables: Vec<Vec<u8>>,
    /// The processes that /proc shows to it.
    pub processes: Vec<String>,
    /// Where its stdout and its stderr lead.
    pub streams: [PathBuf; 2],
    /// Its user namespace.
    pub user_namespace: Option<PathBuf>,
}

/// Has `start` run the probe, and looks at everything that comes of it.
///
/// # Errors
/// The act did not come to its end; or the probe only runs where its arguments and
/// variables are text.
pub fn observe(host: &Host, given: Given) -> Result<Container, Finding> {
    let observed = observe_with(host, given, NOT_TEXT);
    let is_refused = match &observed {
        Ok(it) if it.runs() => false,
        Ok(it) => !matches!(it.looked.state_after, State::Ended(0)),
        Err(death) => death.code == PANICKED,
    };
    if !is_refused || !observe_with(host, given, b"text").is_ok_and(|it| it.runs()) {
        return observed;
    }
    let printed = observed.map_or_else(|death| death.printed, |container| container.seen.printed);
    let what = "execve(…), with an argument and a variable that are not UTF-8";
    let finding = Finding::new(format!("{LAB}/utf8-demanded")).word("function", START.function);
    Err(Finding { printed, ..finding.with([Evidence::differs(what, "Ok", "-")]) })
}

/// The same with `bytes` in an argument and in a variable.
fn observe_with(host: &Host, given: Given, bytes: &[u8]) -> Result<Container, Finding> {
    sethostname(HOST_NAME).expect("the sandbox allows it");
    let probe = Probe::new(host);
    let name = match given {
        Given::Path => probe.path(),
        Given::Name => PathBuf::from("probe"),
    };
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", probe.folder.display());
    let early = RefCell::new(None);
    let open_file = host.path("open-file");
    let file = File::create(&open_file).expect("a file in the scratch directory");
    let call = host.act(&START, probe.command(name, bytes)).giving(vec![file.into()]);
    let call = call.after(|| {
        umask(UMASK);
        Ok(())
    });
    let call = call.with_variable("PATH", &path).with_variable("CANARY", &probe.canary);
    let call = call.with_variable("BYTES", OsStr::from_bytes(bytes));
    let call = call.with_variable(OsStr::from_bytes(&[&b"NAME_"[..], bytes].concat()), "1");
    let (seen, looked) = call.make_meanwhile(
        |place, answering| {
            if waits_for(&probe, place, answering) {
                // The command is looked at now, and ends with that.
                let command = probe.process(place.proc).unwrap_or_default();
                early.replace(Some(Looked::look(place, command, &probe)));
            }
        },
        |place, returned| {
            let child = *returned.as_ref().unwrap_or(&0);
            match early.take() {
                Some(early) => {
                    let state = State::of(place.proc, child, place.pid);
                    Looked { state, has_waited: true, ..early }
                }
                None => Looked::look(place, child, &probe),
            }
        },
    )?;
    Ok(Container { seen, probe, looked, open_file })
}

/// The words that start is given, and those that the kernel shows of a program that is
/// no script; none where it does not run.
pub fn words_of_a_program(
    host: &Host,
    given: Given,
) -> Result<(Vec<String>, Vec<String>), Finding> {
    let programs = host.path("busybox").join("bin");
    let program = match given {
        Given::Path => programs.join("sleep").display().to_string(),
        Given::Name => "sleep".to_owned(),
    };
    let given = vec![program, "1000".to_owned()];
    let command = given.iter().map(|word| CString::new(word.as_str()).expect("no NUL in it"));
    let call = host.act(&START, command.collect()).with_variable("PATH", &programs);
    let (_, seen) = call.make_and_look(|place, returned| {
        let child = *returned.as_ref().unwrap_or(&0);
        let words = || words_of(place.proc, child);
        // Until it is executed, it has the words of the one that it is a copy of.
        wait_until(|| {
            // In between it has none.
            let now = words();
            State::of(place.proc, child, place.pid) != State::Running
                || now.iter().any(|word| !word.is_empty())
                    && now != words_of(place.proc, place.pid.as_raw())
        });
        let words = words().iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        end_all_but(place.proc, place.pid);
        words
    })?;
    Ok((given, seen))
}

/// Whether start waits for the command.
fn waits_for(probe: &Probe, place: &Place, answering: &mut Answering) -> bool {
    let mut asleep_since = None;
    let mut waits = false;
    wait_until(|| {
        let is_asleep = probe.has_told() && is_asleep(place);
        asleep_since = if is_asleep { asleep_since.or(Some(Instant::now())) } else { None };
        waits = asleep_since.is_some_and(|since| since.elapsed() > A_WHILE);
        waits || answering.outcome().is_some()
    });
    waits
}

impl Looked {
    fn look(place: &Place, child: i32, probe: &Probe) -> Looked {
        let (proc, caller) = (place.proc, place.pid);
        let state = State::of(proc, child, caller);
        // What was told before the end is told.
        wait_until(|| State::of(proc, child, caller) != State::Running || probe.has_told());
        // Until the probe waits for a word, it has open for a moment what it reads from.
        if let Some(command) = probe.process(proc).filter(|_| probe.has_told()) {
            let has_ended = || proc.stat(command).is_none_or(|stat| stat.is_over());
            wait_until(|| rests(proc, command) || has_ended());
        }
        // A child that is not the command may be about to end, and the command
        // with it, however fast that has told.
        if probe.process(proc) != Some(child) {
            wait_until(|| State::of(proc, child, caller) != State::Running || rests(proc, child));
        }
        let started = started_since(proc, caller);
        let looked = Looked {
            state,
            state_after: State::of(proc, child, caller),
            has_waited: false,
            started,
            child: Running::look(proc, child),
            command: probe
                .process(proc)
                .filter(|_| probe.has_told())
                .and_then(|command| Command::look(proc, command)),
            host_name: gethostname().unwrap_or_default().to_string_lossy().into_owned(),
            callers_streams: streams(proc, caller.as_raw()),
            // The witness is PID 1, and in the namespaces that the caller began in.
            caller_before: namespaces(proc, 1),
            caller_after: namespaces(proc, caller.as_raw()),
            callers_variables: variables_of(proc, caller.as_raw()),
            witness: Process::look(proc, 1).expect("the witness is there"),
        };
        end_all_but(proc, caller);
        looked
    }

    /// Whether the process has a namespace of this kind that is not the host's.
    pub fn is_new(&self, kind: &str) -> bool {
        let Some(child) = &self.child else { return false };
        let own = child.namespaces.get(kind);
        own.is_some() && own != self.caller_before.get(kind)
    }

    /// Whether its children will be in another namespace than those of the host.
    pub fn is_other_for_children(&self) -> bool {
        let of = |namespaces: &Namespaces| namespaces.get(FOR_CHILDREN).cloned();
        self.child.as_ref().is_some_and(|it| of(&it.namespaces) != of(&self.caller_before))
    }
}

impl Running {
    fn look(proc: &Proc, pid: i32) -> Option<Running> {
        Some(Running {
            process: Process::look(proc, pid)?,
            namespaces: namespaces(proc, pid),
            program: proc.link(pid, "exe").ok()?,
        })
    }
}

impl Command {
    fn look(proc: &Proc, pid: i32) -> Option<Command> {
        let process = Process::look(proc, pid)?;
        let own_pid = process.status.get("NSpid")?.split_whitespace().last()?.to_owned();
        let place = Place { proc, pid: Pid::from_raw(pid) };
        Some(Command {
            own_pid,
            arguments: words_of(proc, pid).split_off(2),
            variables: variables_of(proc, pid),
            processes: place.look(processes_shown),
            streams: streams(proc, pid),
            user_namespace: proc.link(pid, "ns/user").ok(),
            process,
        })
    }
}

/// The processes that /proc shows, without the one that looks and its parent.
fn processes_shown() -> Vec<String> {
    let own = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let mut fields = own.split_whitespace();
    let ours = [fields.next(), fields.nth(2)];
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut numbers: Vec<u32> = names
        .filter(|name| !ours.contains(&Some(name.as_str())))
        .filter_map(|name| name.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers.iter().map(u32::to_string).collect()
}

/// Where the stdout and the stderr of a process lead.
fn streams(proc: &Proc, pid: i32) -> [PathBuf; 2] {
    [1, 2].map(|number| proc.link(pid, &format!("fd/{number}")).unwrap_or_default())
}

impl Container {
    /// Whether there is a command to look at.
    pub fn runs(&self) -> bool {
        self.looked.command.is_some()
    }

    /// The mount table of the process that start returned.
    pub fn mounts(&self) -> &[Mount] {
        self.looked.child.as_ref().map_or(&[], |child| &child.process.mounts.mounts)
    }

    /// The mount that is seen at a path.
    pub fn mount_at(&self, path: &str) -> Option<&Mount> {
        self.looked.child.as_ref()?.process.mounts.at(Path::new(path))
    }

    /// Whether no path leads to this one of its mounts: another one covers it.
    pub fn is_covered(&self, mount: &Mount) -> bool {
        self.looked.child.as_ref().is_some_and(|child| child.process.mounts.is_covered(mount))
    }

    /// What is mounted on /proc, the host's at the top. What that may cover is the
    /// machine's affair.
    pub fn proc_drawn(&self) -> Evidence {
        let covered = on_proc(&self.seen.host_before.mounts).count().saturating_sub(1);
        let mounts = on_proc(self.mounts()).skip(covered).cloned().collect();
        let hosts = MountTable { mounts: Vec::new() };
        Evidence::Tree {
            what: "/proc/PID/mountinfo, /proc".to_owned(),
            drawing: mounts_below(&MountTable { mounts }, &hosts, Path::new("/proc")),
        }
    }

    /// The options that /proc lacks.
    pub fn proc_lacks(&self) -> Vec<&'static str> {
        let options =
            self.mount_at("/proc").map(|mount| mount.options.as_str()).unwrap_or_default();
        let is_there = |name: &str| options.split(',').any(|option| option == name);
        ["nosuid", "nodev", "noexec"].into_iter().filter(|name| !is_there(name)).collect()
    }

    /// Whether one more is mounted on /proc than on the host's.
    pub fn proc_is_mounted(&self) -> bool {
        on_proc(self.mounts()).count() > on_proc(&self.seen.host_before.mounts).count()
    }
}

/// What is mounted on /proc, one on top of the other.
fn on_proc(mounts: &[Mount]) -> impl Iterator<Item = &Mount> {
    mounts.iter().filter(|mount| mount.mount_point == Path::new("/proc"))
}
