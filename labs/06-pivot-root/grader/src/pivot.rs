//! enter_with_pivot_root.

mod images;

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use labkit::call::{Call, Seen};
use labkit::describe::{Failure, result, walk};
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, Whose};
use mydocker_kernel::mountinfo::{Change, Mount, MountTable};
use nix::errno::Errno;
use nix::libc::SYS_pivot_root;
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

use crate::LAB;
use crate::acts::ENTER_WITH_PIVOT_ROOT;
use crate::breakout::{break_out, uncover};
use crate::own_host::{changed, files};
use crate::ways_back::{is_below, leads_to, mount_of, ways_back};

const FUNCTION: &str = ENTER_WITH_PIVOT_ROOT.function;

/// What a call says of a file that no path leads to.
const NOT_THERE: &str = "ENOENT (No such file or directory)";

/// What is found from the place of the process.
#[derive(Serialize, Deserialize)]
pub struct Inside {
    /// Whether `/` has the file that only new_root has.
    pub root_is_new: bool,
    /// What is read from the host's file by its absolute path.
    host_by_absolute_path: Result<String, Failure>,
    /// Whether `/` has new_root in it, by the name that it has in its parent.
    root_is_parent: bool,
    /// Whether the host's file is found from the working directory, or above it.
    host_from_here: bool,
    /// Whether the working directory is that directory, but not on the mount that
    /// covers it.
    is_below_the_bind: bool,
    /// The working directory. See getcwd(3).
    working_directory: Result<PathBuf, Failure>,
    /// Whether it is on the mount that is the root: the same directory can be on two.
    is_on_the_root_mount: bool,
    /// What is read from that file after the breakout.
    host_after_breakout: Result<String, Failure>,
    /// What is read from that file after the root was taken away.
    host_after_uncovering: Result<String, Failure>,
}

/// All that is known of one call.
pub struct Entering {
    seen: Seen<Returned>,
    pub inside: Inside,
    /// All mounts of its namespace.
    mounts: MountTable,
    new_root: PathBuf,
    host_file: PathBuf,
    /// Names in new_root that were not there before.
    left_over: Vec<String>,
    /// Names that were there before, and are not any more.
    gone: Vec<String>,
    /// Names in new_root of files that are other than before.
    changed: Vec<String>,
    /// Descriptors that are open, and lead to the host's file.
    ways_back: Vec<i32>,
    /// Whether it calls pivot_root(2) at all; looked at where the root is the old one.
    pivots: bool,
}

/// The names of all that is below a directory, as paths that begin there.
pub fn names(directory: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let walked = walk(directory, &mut |path, _| {
        let name = path.strip_prefix(directory).expect("below the directory");
        names.insert(name.to_string_lossy().into_owned());
    });
    walked.expect("a directory in the scratch directory");
    names
}

/// The names that are in the first of two sets only.
pub fn only_in(these: &BTreeSet<String>, those: &BTreeSet<String>) -> Vec<String> {
    these.difference(those).cloned().collect()
}

/// The call, in a mount namespace of its own in which all is still shared.
pub fn call<'h>(host: &'h Host, new_root: &Path) -> Call<'h, OsString, Returned> {
    host.act(&ENTER_WITH_PIVOT_ROOT, new_root.into()).in_new(CloneFlags::CLONE_NEWNS)
}

/// Calls the function on a fresh busybox and looks at everything.
pub fn observe(host: &Host) -> Result<Entering, Finding> {
    enter(host, furnish(host, "busybox"))
}

/// A new root with a file that only it has, and with the empty directory `mnt`, as most
/// images have it.
pub fn furnish(host: &Host, name: &str) -> PathBuf {
    let new_root = host.busybox(name);
    fs::write(new_root.join("etc/marker"), "").expect("a file in the scratch directory");
    fs::create_dir_all(new_root.join("mnt")).expect("a directory in the scratch directory");
    new_root
}

fn enter(host: &Host, new_root: PathBuf) -> Result<Entering, Finding> {
    let host_file = host.precious().file();
    let before = names(&new_root);
    let files_before = files(&new_root, None);
    let parents_marker = Path::new("/").join(new_root.file_name().expect("it has a name"));
    let (seen, (inside, mounts, ways_back)) = call(host, &new_root).make_and_look(|place, _| {
        let mount_namespace = place.mount_namespace();
        let ways_back = ways_back(place, &host_file);
        let inside = place.look(|| {
            let root_is_new = fs::exists("/etc/marker").unwrap_or(false);
            let root_is_parent = fs::exists(parents_marker.join("etc/marker")).unwrap_or(false);
            let is_below_the_bind = is_below(place, &new_root);
            let host_by_absolute_path = fs::read_to_string(&host_file).map_err(Failure::from);
            let host_from_here = leads_to(Path::new("."), &host_file);
            let working_directory = env::current_dir().map_err(Failure::from);
            let is_on_the_root_mount =
                mount_of(place, Path::new(".")) == mount_of(place, Path::new("/"));
            // Below the new root only: the host is not to be touched.
            let broke_out = if root_is_new { break_out() } else { Ok(()) };
            let after_breakout = broke_out.and_then(|()| fs::read_to_string(&host_file));
            let uncovered = if root_is_new { uncover(&mount_namespace) } else { Ok(()) };
            let after_uncovering = uncovered.and_then(|()| fs::read_to_string(&host_file));
            Inside {
                root_is_new,
                root_is_parent,
                host_by_absolute_path,
                host_from_here,
                is_below_the_bind,
                working_directory,
                is_on_the_root_mount,
                host_after_breakout: after_breakout.map_err(Failure::from),
                host_after_uncovering: after_uncovering.map_err(Failure::from),
            }
        });
        // Where a cover lay on the old root, it is away now.
        (inside, place.mounts(), ways_back)
    })?;
    let _ = fs::remove_dir(new_root.join("breakout"));
    let after = names(&new_root);
    let (left_over, gone) = (only_in(&after, &before), only_in(&before, &after));
    let changed = changed(&files_before, &files(&new_root, None));
    let pivots = inside.root_is_new || {
        let pivot_root = [("pivot_root", &[SYS_pivot_root][..])];
        call(host, &new_root).failing(1, &pivot_root, Errno::EPERM).make()?.failed.is_some()
    };
    Ok(Entering {
        seen,
        inside,
        mounts,
        new_root,
        host_file,
        left_over,
        gone,
        changed,
        ways_back,
        pivots,
    })
}

impl Facts for Entering {
    fn words(&self) -> Words {
        let mut words = error_of(&self.seen.returned);
        words.push(("new_root", self.new_root.display().to_string()));
        words.push(("gone", self.gone.join(", ")));
        words.push(("changed", self.changed.join(", ")));
        words
    }
}

/// From all that was seen to what was done, the worst first.
pub static PIVOT: Rules<Entering> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        // 1. Harm to the host.
        rule("host-unmounted", |it| {
            it.seen.host_changes().iter().any(|it| matches!(it, Change::Umounted { .. }))
        }),
        // 2. The function stopped with an error.
        rule("umount-without-detach", |it| it.inside.root_is_new && it.stopped_with(Errno::EBUSY)),
        rule("old-name-of-a-path", |it| {
            it.inside.root_is_new && it.stopped_with(Errno::ENOENT) && it.has_more_than_the_root()
        }),
        rule("still-shared", |it| it.has_stopped() && it.is_shared(Path::new("/"))),
        rule("private-not-recursive", |it| {
            it.has_stopped() && !it.inside.root_is_new && it.is_shared(&it.new_root)
        }),
        rule("new-root-not-a-mount-point", |it| {
            it.was_refused() && it.seen.process.mounts.at(&it.new_root).is_none()
        }),
        rule("chdir-before-the-bind", |it| it.was_refused() && it.inside.is_below_the_bind),
        rule("put-old-not-below", |it| it.was_refused() && !it.inside.root_is_new),
        rule("put-old-left-behind", |it| it.stopped_with(Errno::EEXIST)),
        rule("answer/returned-error", Entering::has_stopped),
        // 3. It says that all is well.
        rule("answer/did-nothing", |it| {
            !it.inside.root_is_new && it.seen.container_changes().is_empty()
        }),
        rule("root-is-the-parent", |it| it.inside.root_is_parent),
        rule("no-pivot-root", |it| !it.pivots && !it.is_chroot()),
        rule("error-ignored", |it| it.pivots && it.inside.host_by_absolute_path.is_ok()),
        rule("old-root-still-mounted", |it| {
            it.inside.root_is_new && it.pivots && it.has_more_than_the_root()
        }),
        rule("working-directory-outside", |it| {
            it.inside.host_from_here || it.inside.root_is_new && !it.inside.is_on_the_root_mount
        }),
        rule("chroot-instead", |it| it.inside.host_after_breakout.is_ok()),
        rule("old-root-covered", |it| it.inside.host_after_uncovering.is_ok()),
        rule("old-root-still-mounted", |it| !it.others().is_empty()),
        rule("descriptor-of-the-old-root", |it| !it.ways_back.is_empty()),
        rule("private-after-the-bind", |it| {
            it.inside.root_is_new && it.has_bound_on_the_host() && !it.is_shared(Path::new("/"))
        }),
        rule("still-shared", |it| !it.seen.host_changes().is_empty()),
        rule("put-old-left-behind", |it| !it.left_over.is_empty()),
        rule("directory-of-the-image-removed", |it| !it.gone.is_empty()),
        rule("image-changed", |it| !it.changed.is_empty()),
    ]],
};

impl Entering {
    /// Whether the root is the new one, and nothing is wrong with it.
    pub fn is_right(&self) -> bool {
        self.inside.root_is_new && PIVOT.diagnose(self).is_none()
    }

    fn has_stopped(&self) -> bool {
        self.seen.returned.is_err()
    }

    fn stopped_with(&self, errno: Errno) -> bool {
        let failure = self.seen.returned.as_ref().err();
        failure.is_some_and(|failure| failure.errno.map(Errno::from_raw) == Some(errno))
    }

    /// Whether pivot_root(2) has said EINVAL, and not a call before it.
    fn was_refused(&self) -> bool {
        self.stopped_with(Errno::EINVAL) && self.pivots
    }

    /// Whether its root is the new one by chroot(2) alone: the old one is the root of
    /// its mounts.
    fn is_chroot(&self) -> bool {
        self.inside.root_is_new && self.inside.host_after_breakout.is_ok()
    }

    /// Whether something is mounted in its root, as it sees that.
    fn has_more_than_the_root(&self) -> bool {
        self.seen.process.mounts.mounts.len() > 1
    }

    /// Whether new_root is a mount point of the host's now.
    fn has_bound_on_the_host(&self) -> bool {
        self.seen.host_changes().iter().any(|change| {
            matches!(change, Change::Mounted { mount, .. } if mount.mount_point == self.new_root)
        })
    }

    /// Whether the process has the mount that holds a path shared with others.
    fn is_shared(&self, path: &Path) -> bool {
        self.seen.process.mounts.holding(path).is_some_and(Mount::is_shared)
    }

    /// The mounts beside the root.
    fn others(&self) -> Vec<&Mount> {
        let mounts = self.mounts.mounts.iter();
        mounts.filter(|mount| mount.mount_point != Path::new("/")).collect()
    }

    fn judge(&self, kept: bool, evidence: impl FnOnce() -> Vec<Evidence>) -> Result<(), Finding> {
        let returned = &self.seen.returned;
        PIVOT.judge(self, kept && returned.is_ok(), || {
            let mut all = Vec::new();
            if returned.is_err() {
                let call = format!("{FUNCTION}(new_root)");
                all.push(Evidence::differs(call, "Ok", result(returned)));
            }
            all.extend(evidence());
            all
        })
    }
}

pub fn root(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let root_is_new = facts.inside.root_is_new;
    facts.judge(root_is_new, || {
        let marker = "lstat(\"/etc/marker\"), a file of new_root";
        let mut evidence = vec![Evidence::differs(marker, "Ok", NOT_THERE)];
        evidence.retain(|_| !root_is_new);
        evidence.push(Evidence::changes(Whose::Container, &facts.seen.container_changes()));
        evidence
    })?;
    if facts.is_right() { images::bare_root(host) } else { Ok(()) }
}

pub fn working_directory(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let inside = &facts.inside;
    let is_root = inside.working_directory == Ok(PathBuf::from("/"));
    let is_inside = inside.is_on_the_root_mount && !inside.host_from_here;
    facts.judge(is_root && is_inside, || {
        let from_here = if inside.host_from_here { "Ok" } else { NOT_THERE };
        let getcwd = match &inside.working_directory {
            Ok(path) => path.display().to_string(),
            Err(failure) => failure.to_string(),
        };
        let mount = if inside.is_on_the_root_mount { "the root's" } else { "another one" };
        vec![
            Evidence::differs("getcwd()", "/", getcwd),
            Evidence::differs("the mount of the working directory", "the root's", mount),
            Evidence::differs(
                "a file of the host, by `..` from the working directory",
                NOT_THERE,
                from_here,
            ),
        ]
    })
}

pub fn old_root(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let inside = &facts.inside;
    let kept = inside.host_by_absolute_path.is_err()
        && !inside.host_from_here
        && facts.others().is_empty()
        && !facts.has_more_than_the_root()
        && facts.ways_back.is_empty();
    facts.judge(kept, || {
        let read = format!("open({:?})", facts.host_file);
        let seen = result(&inside.host_by_absolute_path);
        let mut evidence = vec![Evidence::differs(read, NOT_THERE, seen)];
        for number in &facts.ways_back {
            let way = format!("the host's file by way of descriptor {number}, which is open");
            evidence.push(Evidence::differs(way, NOT_THERE, "Ok"));
        }
        let mounts = &facts.seen.process.mounts;
        let table = if mounts.mounts.len() > 1 { mounts } else { &facts.mounts };
        evidence.push(facts.seen.drawn(table, Path::new("/")));
        evidence
    })
}

pub fn breakout(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let inside = &facts.inside;
    let ways = [
        ("after the breakout", &inside.host_after_breakout),
        ("after umount2(\"/\", MNT_DETACH)", &inside.host_after_uncovering),
    ];
    let kept = inside.root_is_new && ways.iter().all(|(_, read)| read.is_err());
    facts.judge(kept, || {
        let open = |way: &str| format!("open({:?}) {way}", facts.host_file);
        let evidence = ways.map(|(way, read)| {
            let seen = if read.is_ok() { "Ok" } else { NOT_THERE };
            Evidence::differs(open(way), NOT_THERE, seen)
        });
        evidence.into()
    })
}

pub fn host_mounts(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let kept = facts.seen.host_changes().is_empty();
    facts.judge(kept, || vec![facts.seen.host_evidence()])
}

pub fn leftovers(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let all = [
        ("names that are new", &facts.left_over),
        ("names that are gone", &facts.gone),
        ("names of files that are other ones", &facts.changed),
    ];
    facts.judge(all.iter().all(|(_, names)| names.is_empty()), || {
        let wrong = all.into_iter().filter(|(_, names)| !names.is_empty());
        let evidence = |(what, names): (&str, &Vec<String>)| {
            Evidence::differs(format!("find new_root afterwards, {what}"), "-", names.join(", "))
        };
        wrong.map(evidence).collect()
    })?;
    if !facts.is_right() {
        return Ok(());
    }
    images::own_directory(host)
}

pub fn second_time(host: &Host) -> Result<(), Finding> {
    let first = observe(host)?;
    first.judge(first.left_over.is_empty() && first.gone.is_empty(), Vec::new)?;
    let second = enter(host, first.new_root)?;
    second.judge(second.inside.root_is_new, Vec::new)
}
