//! join: where the process is afterwards.

use labkit::call::{Call, Seen};
use labkit::calls::Calls;
use labkit::describe::result;
use labkit::failing;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::powers;
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::libc;
use nix::sched::CloneFlags;
use nix::unistd::Pid;

use crate::LAB;
use crate::acts::JOIN;
use crate::container::{
    ALL, BETWEEN, Container, FAST, FOR_CHILDREN, Namespaces, Spot, namespaces, spot,
};

const FUNCTION: &str = JOIN.function;

/// The call by which a namespace is joined.
pub const SETNS: &[Calls] = &[("setns", &[libc::SYS_setns])];

/// All that is known of one call.
struct Joined {
    seen: Seen<Returned>,
    /// The kinds that were to be joined, as the process was given them.
    given: Vec<String>,
    /// What the process was in before, and what it is in now.
    before: Namespaces,
    after: Namespaces,
    container: Namespaces,
    /// Where its directories are, and where they should be.
    root: Option<Spot>,
    cwd: Option<Spot>,
    containers_root: Option<Spot>,
}

/// Who joins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Root, who may join in whatever order.
    Root,
    /// An ordinary user, to whom the container's user namespace belongs.
    User,
}

fn observe(
    host: &Host,
    kinds: CloneFlags,
    who: Who,
    change: impl FnOnce(Call<'_, Vec<i32>, Returned>) -> Call<'_, Vec<i32>, Returned>,
) -> Result<Joined, Finding> {
    let proc = Proc::open().expect("the witness has one");
    let container = Container::start(host, &proc, &host.path("busybox"), kinds);
    // The witness is in the namespaces that the process begins in.
    let before = namespaces(&proc, Pid::from_raw(1));
    let mut to_join = container.not_those_of(&before);
    // The user namespace comes last, and the mount namespace first.
    to_join.sort_by_key(|(_, kind)| *kind == CloneFlags::CLONE_NEWUSER);
    let given: Vec<String> = to_join.iter().map(|(name, _)| name.clone()).collect();
    let descriptors = given.iter().map(|kind| container.open(&proc, kind)).collect();
    let numbers = to_join.iter().map(|(_, kind)| kind.bits()).collect();
    let call = host.act(&JOIN, numbers).giving(descriptors);
    let call = match who {
        Who::Root => call,
        Who::User => call.after(powers::keep_none),
    };
    let (theirs, containers_root) = (container.namespaces.clone(), container.root);
    let (seen, (after, root, cwd)) = change(call).make_and_look(|place, _| {
        let after = namespaces(place.proc, place.pid);
        let [root, cwd] = ["root", "cwd"].map(|link| spot(place.proc, place.pid, link));
        container.end();
        (after, root, cwd)
    })?;
    Ok(Joined { seen, given, before, after, container: theirs, root, cwd, containers_root })
}

impl Facts for Joined {
    fn words(&self) -> Words {
        let mut words = error_of(&self.seen.returned);
        words.push(("kinds", self.not_joined().join(BETWEEN)));
        words
    }
}

/// From all that was seen to what was done, the worst first.
static JOINS: Rules<Joined> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("user-namespace-not-first", |it| {
            it.seen.returned.is_err() && it.not_joined().iter().any(|kind| kind == "user")
        }),
        rule("answer/returned-error", |it| it.seen.returned.is_err()),
        rule("answer/did-nothing", |it| it.after == it.before),
        rule("new-namespaces", Joined::is_somewhere_else),
        rule("namespace-not-joined", |it| !it.not_joined().is_empty()),
        rule("directory-of-the-host", |it| {
            let mount = |spot: Option<Spot>| spot.map(|(mount, _)| mount);
            let containers = mount(it.containers_root);
            mount(it.cwd) != containers || mount(it.root) != containers
        }),
    ]],
};

impl Joined {
    /// What the process is in; of PIDs, what its children will be in.
    fn now(&self, kind: &str) -> Option<&String> {
        self.after.get(if kind == "pid" { FOR_CHILDREN } else { kind })
    }

    fn not_joined(&self) -> Vec<String> {
        let is_missing = |kind: &&String| self.now(kind) != self.container.get(*kind);
        self.given.iter().filter(is_missing).cloned().collect()
    }

    /// Whether it is in a namespace that is neither the container's nor was its own.
    fn is_somewhere_else(&self) -> bool {
        self.given.iter().any(|kind| {
            let now = self.now(kind);
            now != self.container.get(kind) && now != self.before.get(kind)
        })
    }

    fn judge(&self, kept: bool, evidence: impl FnOnce() -> Vec<Evidence>) -> Result<(), Finding> {
        JOINS.judge(self, kept && self.seen.returned.is_ok(), || match &self.seen.returned {
            Ok(()) => evidence(),
            Err(_) => {
                let call = format!("{FUNCTION}(namespaces)");
                let missing = Evidence::differs(
                    "/proc/PID/ns, namespaces of the container",
                    self.given.join(BETWEEN),
                    self.joined().join(BETWEEN),
                );
                vec![Evidence::differs(call, "Ok", result(&self.seen.returned)), missing]
            }
        })
    }

    fn joined(&self) -> Vec<String> {
        let missing = self.not_joined();
        self.given.iter().filter(|kind| !missing.contains(kind)).cloned().collect()
    }

    /// The promise is that it is in all of them.
    fn must_be_complete(&self) -> Result<(), Finding> {
        self.judge(self.not_joined().is_empty(), || {
            let what = "/proc/PID/ns, namespaces of the container";
            vec![Evidence::differs(what, self.given.join(BETWEEN), self.joined().join(BETWEEN))]
        })
    }
}

pub fn every_namespace(host: &Host) -> Result<(), Finding> {
    observe(host, ALL, Who::Root, |call| call)?.must_be_complete()
}

pub fn user_namespace_first(host: &Host) -> Result<(), Finding> {
    let kinds = FAST | CloneFlags::CLONE_NEWUSER;
    observe(host, kinds, Who::User, |call| call)?.must_be_complete()?;
    // Root may join in whatever order: where the second call fails, the first one shows.
    let facts = observe(host, kinds, Who::Root, |call| call.failing(2, SETNS, Errno::EINVAL))?;
    let Some(failed) = facts.seen.failed else { return Ok(()) };
    let joined = facts.joined();
    let is_first = joined.is_empty() || joined.iter().any(|kind| kind == "user");
    ORDER.judge(&facts, is_first, || {
        let what = format!("/proc/PID/ns, namespaces of the container, where {failed} fails");
        vec![Evidence::differs(what, "user", joined.join(BETWEEN))]
    })
}

/// Why the first namespace that was joined is not the user namespace.
static ORDER: Rules<Joined> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[rule("others-before-the-user-namespace", |_| true)]],
};

pub fn directories(host: &Host) -> Result<(), Finding> {
    let facts = observe(host, FAST, Who::Root, |call| call)?;
    let wanted = facts.containers_root;
    facts.judge(facts.root == wanted && facts.cwd == wanted, || {
        [("root", facts.root), ("cwd", facts.cwd)]
            .into_iter()
            .filter(|(_, spot)| *spot != wanted)
            .map(|(link, _)| {
                let what = format!("readlink(\"/proc/PID/{link}\")");
                Evidence::differs(what, "the container's root", "another directory")
            })
            .collect()
    })
}

static REFUSED: Rules<Joined> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("failed-join-ignored", |it| it.seen.returned.is_ok()),
        rule("joined-on-after-an-error", |it| it.seen.returned.is_err()),
    ]],
};

pub fn failure(host: &Host) -> Result<(), Finding> {
    for kinds in [FAST, FAST | CloneFlags::CLONE_NEWUSER] {
        // An answer that is wrong all the same is not blamed for that here.
        let usual = observe(host, kinds, Who::Root, |call| call)?;
        if usual.seen.returned.is_err() || !usual.not_joined().is_empty() {
            return Ok(());
        }
        // EINVAL can mean that the process is already in that namespace, or something else:
        // it is an error like any other.
        for errno in [Errno::EPERM, Errno::EINVAL] {
            each_failing(host, kinds, errno)?;
        }
    }
    Ok(())
}

/// Has each call for a namespace fail with `errno` in its turn.
fn each_failing(host: &Host, kinds: CloneFlags, errno: Errno) -> Result<(), Finding> {
    failing::each(|nth| {
        let facts = observe(host, kinds, Who::Root, |call| call.failing(nth, SETNS, errno))?;
        let Some(failed) = facts.seen.failed else { return Ok(false) };
        // An answer that joins in one call joins all or nothing.
        let joined = facts.joined().len();
        let is_at_once = joined < nth;
        let is_told = facts.seen.returned.is_err() || joined == facts.given.len();
        REFUSED.judge(&facts, is_told && (is_at_once || facts.seen.returned.is_ok()), || {
            let call = format!("{FUNCTION}(namespaces) while {failed} fails with {errno:?}");
            let joined =
                Evidence::differs("/proc/PID/ns, how many of the container's", nth - 1, joined);
            vec![Evidence::differs(call, "Err", result(&facts.seen.returned)), joined]
        })?;
        Ok(true)
    })
}
