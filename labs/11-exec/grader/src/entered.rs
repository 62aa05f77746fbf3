//! enter: what is known of the command while it runs, and of its caller afterwards.

use std::fs::File;
use std::path::PathBuf;

use labkit::answering::Answering;
use labkit::call::{Call, Seen};
use labkit::describe::Failure;
use labkit::frame::{Facts, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::inside::Place;
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding};
use nix::sched::CloneFlags;
use nix::unistd::Pid;

use crate::LAB;
use crate::acts::{ENTER, Order};
use crate::container::{
    BETWEEN, Container, FOR_CHILDREN, Namespaces, Spot, differing, namespaces, spot,
};
use crate::scene::{
    ARGUMENTS, CALLERS, ODD_PROBE, PROBE, PROBES_CODE, Scene, TOOLS, probe, variables_of,
    wait_until, words_of,
};

pub const FUNCTION: &str = ENTER.function;

/// A call of enter that is about to be made.
pub type Entering<'h> = Call<'h, Order, Result<i32, Failure>>;

/// How enter is told of the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// By its full path, which leads to one on the host as well.
    Path,
    /// By its name, in the container alone.
    Name,
    /// The same of the one whose name is not UTF-8.
    OddName,
}

impl Given {
    /// The word that says which program it is.
    pub fn word(self) -> Vec<u8> {
        match self {
            Given::Path => [TOOLS.as_bytes(), b"/", PROBE].concat(),
            Given::Name => PROBE.to_vec(),
            Given::OddName => ODD_PROBE.to_vec(),
        }
    }
}

/// All that is known of one call.
pub struct Entered {
    pub given: Given,
    pub seen: Seen<Result<i32, Failure>>,
    /// The probe, if it came to run.
    pub command: Option<Command>,
    /// Whether enter had returned by then.
    pub is_early: bool,
    pub container: Namespaces,
    pub containers_root: Option<Spot>,
    pub caller_before: Namespaces,
    pub caller_after: Namespaces,
    /// Where the caller's working directory is.
    pub callers_cwd: Option<Spot>,
    /// Where the caller stays.
    pub scratch: PathBuf,
    /// Whether a zombie is left of the command or of another child; and what still runs.
    pub is_zombie_left: bool,
    pub left: Vec<String>,
    pub environment: Vec<Vec<u8>>,
}

/// A running command.
pub struct Command {
    pub namespaces: Namespaces,
    pub root: Option<Spot>,
    pub cwd: Option<Spot>,
    pub words: Vec<Vec<u8>>,
    pub variables: Vec<Vec<u8>>,
}

/// Has enter run the probe in a container, and looks at all that comes of it.
pub fn observe(host: &Host, given: Given, kinds: CloneFlags) -> Result<Entered, Finding> {
    observe_so(host, given, kinds, |call| call)
}

/// The same with something particular about the call.
pub fn observe_so(
    host: &Host,
    given: Given,
    kinds: CloneFlags,
    change: impl FnOnce(Entering<'_>) -> Entering<'_>,
) -> Result<Entered, Finding> {
    let proc = Proc::open().expect("the witness has one");
    let scene = Scene::new(host);
    let container = scene.start(host, &proc, kinds);
    if given != Given::Path {
        scene.only_inside();
    }
    let words = [given.word()].into_iter().chain(ARGUMENTS.map(|it| it.as_bytes().to_vec()));
    let order = scene.order(&container, &words.collect::<Vec<_>>());
    let environment = order.environment.iter().map(|it| it.as_bytes().to_owned()).collect();
    let (theirs, containers_root) = (container.namespaces.clone(), container.root);
    let caller_before = namespaces(&proc, Pid::from_raw(1));

    let (mut command, mut is_early) = (None, false);
    let call = change(call(host, order));
    let (seen, (caller_after, callers_cwd, is_zombie_left, left)) = call.make_meanwhile(
        |place, answering| {
            let told = wait_for_probe(&scene, place, answering, &container);
            is_early = told && has_returned(place, answering, &container);
            command = told.then(|| Command::look(place.proc)).flatten();
            scene.let_go();
        },
        |place, _| {
            let after = namespaces(place.proc, place.pid);
            let cwd = spot(place.proc, place.pid, "cwd");
            let zombie = others(place, &container).iter().any(|(_, state, _)| *state == 'Z');
            let left = running(place, &container);
            container.end_with_all();
            (after, cwd, zombie, left)
        },
    )?;
    Ok(Entered {
        given,
        seen,
        command,
        is_early,
        container: theirs,
        containers_root,
        caller_before,
        caller_after,
        callers_cwd,
        scratch: host.path("."),
        is_zombie_left,
        left,
        environment,
    })
}

/// How often the process that calls enter has a directory of the host open: twice by
/// itself, and as often as it is given one.
pub const DIRECTORIES: usize = 2 + GIVEN;
const GIVEN: usize = 40;

/// The call, by a process that has directories of the host open, and other variables.
pub fn call(host: &Host, order: Order) -> Entering<'_> {
    let directory = || File::open(host.path(".")).expect("the scratch directory").into();
    let path = format!("{CALLERS}:/usr/local/bin:/usr/bin:/bin");
    host.act(&ENTER, order)
        .with_variable("PATH", path)
        .with_variable("CALLERS", "own")
        .giving((0..GIVEN).map(|_| directory()).collect())
}

/// All processes but the caller and the container's first.
pub fn others(place: &Place, container: &Container) -> Vec<(i32, char, String)> {
    let mut others = place.proc.processes();
    others.retain(|(pid, ..)| !ours(place, container).contains(pid));
    others
}

/// The names of those that have not ended.
fn running(place: &Place, container: &Container) -> Vec<String> {
    let all = place.proc.running().into_iter();
    all.filter(|(pid, _)| !ours(place, container).contains(pid)).map(|(_, name)| name).collect()
}

fn ours(place: &Place, container: &Container) -> [i32; 2] {
    [place.pid.as_raw(), container.pid.as_raw()]
}

/// Whether the probe says that it has started, before enter and all that it has started
/// have come to their ends.
fn wait_for_probe(
    scene: &Scene,
    place: &Place,
    answering: &mut Answering,
    container: &Container,
) -> bool {
    let mut told = false;
    let is_over = |answering: &mut Answering| {
        answering.outcome().is_some() && running(place, container).is_empty()
    };
    wait_until(|| {
        answering.wait_for_news();
        let is_over = is_over(answering);
        told = scene.has_told();
        told || is_over
    });
    told
}

/// How often in a row all must be seen asleep before they count as waiting.
const LOOKS: u32 = 5;

/// Whether enter has returned, as soon as that can be told.
fn has_returned(place: &Place, answering: &mut Answering, container: &Container) -> bool {
    let mut asleep = 0;
    wait_until(|| {
        answering.wait_for_news();
        let callers = place.proc.stat(place.pid.as_raw()).map(|stat| stat.state);
        let mut states =
            others(place, container).into_iter().map(|(_, state, _)| state).chain(callers);
        asleep = if states.all(|state| state == 'S') { asleep + 1 } else { 0 };
        answering.outcome().is_some() || asleep == LOOKS
    });
    answering.outcome().is_some()
}

impl Command {
    fn look(proc: &Proc) -> Option<Command> {
        let pid = probe(proc)?;
        let mut words = words_of(proc, pid);
        Some(Command {
            namespaces: namespaces(proc, Pid::from_raw(pid)),
            root: spot(proc, Pid::from_raw(pid), "root"),
            cwd: spot(proc, Pid::from_raw(pid), "cwd"),
            words: words.split_off(1),
            variables: variables_of(proc, pid),
        })
    }
}

impl Facts for Entered {
    fn words(&self) -> Words {
        let mut words = error_of(&self.seen.returned);
        words.push(("kinds", self.left_out().join(BETWEEN)));
        words.push(("code", self.seen.returned.as_ref().map_or(0, |code| *code).to_string()));
        words.push(("processes", self.left.join(", ")));
        words
    }
}

/// What breaks any promise on enter.
pub const BASIC: &[Rule<Entered>] = &[
    rule("caller-moved", Entered::is_caller_moved),
    rule("answer/returned-error", |it| it.seen.returned.is_err()),
    rule("no-fork-for-the-pid-namespace", |it| {
        it.left_out() == ["pid"] && it.is_outside_but_its_children()
    }),
    rule("runs-on-the-host", |it| it.command.is_some() && it.joined().is_empty()),
    rule("namespace-not-joined", |it| !it.left_out().is_empty()),
];

/// The rules on enter with those of one of its promises.
pub const fn rules(tables: &'static [&'static [Rule<Entered>]]) -> Rules<Entered> {
    Rules { lab: LAB, function: FUNCTION, tables }
}

/// From all that was seen to what was done, the worst first.
pub static ENTERS: Rules<Entered> = rules(&[BASIC, STARTED]);

/// What else is wrong with a running command, or with its end.
pub const STARTED: &[Rule<Entered>] = &[
    rule("directory-of-the-host", Entered::is_outside),
    rule("command-did-not-run", |it| it.command.is_none()),
    rule("command-not-waited-for", |it| it.is_early),
];

impl Entered {
    /// The container's namespaces that the command is not in.
    pub fn left_out(&self) -> Vec<String> {
        let Some(command) = &self.command else { return Vec::new() };
        differing(&command.namespaces, &self.container)
    }

    fn joined(&self) -> Vec<String> {
        let own = differing(&self.caller_before, &self.container);
        let left_out = self.left_out();
        own.into_iter().filter(|kind| !left_out.contains(kind)).collect()
    }

    /// Whether only its children will be in the container's PID namespace.
    fn is_outside_but_its_children(&self) -> bool {
        let command = self.command.as_ref();
        command
            .is_some_and(|it| it.namespaces.get(FOR_CHILDREN) == self.container.get(FOR_CHILDREN))
    }

    pub fn is_caller_moved(&self) -> bool {
        self.caller_after != self.caller_before
    }

    /// Whether a directory of the command is outside the container's mounts. If the container
    /// shares the host's mounts, none is.
    fn is_outside(&self) -> bool {
        let mount = |spot: Option<Spot>| spot.map(|(mount, _)| mount);
        let containers = mount(self.containers_root);
        let command = self.command.as_ref().filter(|_| !self.shares_mounts());
        command.is_some_and(|it| mount(it.root) != containers || mount(it.cwd) != containers)
    }

    /// Whether the container has no mount namespace of its own.
    fn shares_mounts(&self) -> bool {
        self.container.get("mnt") == self.caller_before.get("mnt")
    }

    /// Whether the command's working directory is still that of the caller.
    pub fn keeps_callers_cwd(&self) -> bool {
        self.command.as_ref().is_some_and(|it| it.cwd == self.callers_cwd)
    }

    /// Whether the command's directories are the container's root.
    pub fn is_in_the_root(&self) -> bool {
        let command = self.command.as_ref();
        command.is_some_and(|it| it.root == self.containers_root && it.cwd == self.containers_root)
    }

    /// Fails if anything is wrong where all goes well: then what is looked at besides
    /// says nothing.
    pub fn must_be_usual(&self) -> Result<(), Finding> {
        let is_usual = ENTERS.diagnose(self).is_none();
        self.judge(&ENTERS, is_usual, || {
            let what = "/proc/PID/ns of the command, namespaces of the container that are missing";
            vec![Evidence::differs(what, "-", self.left_out().join(BETWEEN))]
        })
    }

    /// Whether the command runs where it should.
    pub fn is_inside(&self) -> bool {
        self.command.is_some() && self.left_out().is_empty() && self.is_in_the_root()
    }

    pub fn judge(
        &self,
        rules: &Rules<Entered>,
        kept: bool,
        evidence: impl FnOnce() -> Vec<Evidence>,
    ) -> Result<(), Finding> {
        let kept = kept && self.command.is_some() && self.seen.returned.is_ok();
        rules.judge(self, kept, || {
            if self.command.is_some() && self.seen.returned.is_ok() {
                return evidence();
            }
            let call = format!("{FUNCTION}(PID, [\"{TOOLS}/probe\"], …)");
            vec![Evidence::differs(call, PROBES_CODE, in_words(&self.seen.returned))]
        })
    }
}

/// What enter has returned.
pub fn in_words(returned: &Result<i32, Failure>) -> String {
    match returned {
        Ok(code) => code.to_string(),
        Err(failure) => failure.to_string(),
    }
}
