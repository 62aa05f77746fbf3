//! enter_with_chroot and break_out_of_chroot.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use labkit::call::{Call, Seen};
use labkit::calls::{CALLS, Calls};
use labkit::describe::{Failure, result};
use labkit::failing::{self, Which};
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::unistd::{chdir, chroot};
use serde::{Deserialize, Serialize};

use crate::LAB;
use crate::acts::{BREAK_OUT_OF_CHROOT, ENTER_WITH_CHROOT};
use crate::beside;
use crate::odd_names;
use crate::own_words;
use crate::pivot::names;

/// How many directories deep a new root may lie.
const DEPTH: usize = 64;

/// What is seen after enter_with_chroot.
struct Entered {
    seen: Seen<Returned>,
    new_root: PathBuf,
    inside: Inside,
    /// What the kernel says of it, if it is nothing that can be entered.
    impossible: Option<Errno>,
    /// Whether there was nothing, and it was made.
    is_made: bool,
}

/// What is found from the place of the process.
#[derive(Serialize, Deserialize)]
struct Inside {
    /// Whether `/` has the file that only new_root has.
    root_is_new: bool,
    /// Whether the file of the host is found from the working directory.
    host_from_here: bool,
}

impl Facts for Entered {
    fn words(&self) -> Words {
        let mut words = own_words::error_of(&self.seen.returned);
        words.extend(self.impossible.map(|errno| ("expected", said(errno))));
        words.push(("cwd", self.seen.process.cwd.display().to_string()));
        words
    }
}

/// What a call says, by name and in words.
fn said(errno: Errno) -> String {
    Failure::from(errno).to_string()
}

impl Entered {
    /// Whether it says why new_root cannot be entered.
    fn is_told(&self) -> bool {
        self.impossible.is_some_and(|errno| own_words::says(&self.seen.returned, errno))
    }
}

static ENTER: Rules<Entered> = Rules {
    lab: LAB,
    function: ENTER_WITH_CHROOT.function,
    tables: &[&[
        rule("new-root-made", |it| it.is_made),
        rule("error-ignored", |it| {
            it.seen.returned.is_ok() && (it.seen.failed.is_some() || it.impossible.is_some())
        }),
        rule("another-error", |it| it.impossible.is_some() && !it.is_told()),
        // Absolute paths are tried first, and such ones that are UTF-8.
        rule("path-as-text", |it| {
            it.new_root.to_str().is_none() && (it.seen.returned.is_err() || !it.inside.root_is_new)
        }),
        rule("relative-path-fails", |it| it.seen.returned.is_err() && it.new_root.is_relative()),
        rule("answer/returned-error", |it| it.seen.returned.is_err()),
        rule("chroot-without-chdir", |it| it.inside.root_is_new && it.inside.host_from_here),
        rule("only-chdir", |it| !it.inside.root_is_new && !it.inside.host_from_here),
        rule("answer/did-nothing", |it| !it.inside.root_is_new),
        rule("working-directory-below-the-root", |it| {
            it.seen.process.cwd != it.new_root && it.seen.process.cwd.starts_with(&it.new_root)
        }),
    ]],
};

fn enter(host: &Host) -> Result<Entered, Finding> {
    let new_root = host.busybox("busybox");
    fs::write(new_root.join("etc/marker"), "").expect("a file in the scratch folder");
    look(host, new_root, |call| call)
}

/// The call as `with` makes it.
fn look<'h>(
    host: &'h Host,
    new_root: PathBuf,
    with: impl FnOnce(Enter<'h>) -> Enter<'h>,
) -> Result<Entered, Finding> {
    let call = with(host.act(&ENTER_WITH_CHROOT, new_root.clone().into()));
    let (seen, inside) = call.make_and_look(|place, _| {
        place.look(|| Inside {
            root_is_new: fs::exists("/etc/marker").unwrap_or(false),
            host_from_here: fs::exists("home/thesis.txt").unwrap_or(false),
        })
    })?;
    Ok(Entered { seen, new_root, inside, impossible: None, is_made: false })
}

type Enter<'h> = Call<'h, OsString, Returned>;

pub fn root(host: &Host) -> Result<(), Finding> {
    let facts = enter(host)?;
    let (new_root, root) = (facts.new_root.display(), facts.seen.process.root.display());
    ENTER.judge(&facts, facts.inside.root_is_new, || {
        vec![Evidence::differs("readlink(\"/proc/PID/root\")", new_root, root)]
    })?;
    // By a path that begins at the working directory.
    let (busybox, above) = (PathBuf::from("busybox"), host.path("."));
    let facts = look(host, busybox, |call| call.standing_in(above))?;
    ENTER.judge(&facts, facts.inside.root_is_new, || {
        let what = "enter_with_chroot(\"busybox\"), which is in the working directory";
        vec![Evidence::differs(what, "Ok", result(&facts.seen.returned))]
    })?;
    let odd = odd_names::rename(&host.path("busybox"));
    let facts = look(host, odd, |call| call).map_err(odd_names::died_of_it)?;
    ENTER.judge(&facts, facts.inside.root_is_new, || {
        let what = "enter_with_chroot(b\"/tmp/lab/caf\\xe9\")";
        vec![Evidence::differs(what, "Ok", result(&facts.seen.returned))]
    })
}

pub fn working_directory(host: &Host) -> Result<(), Finding> {
    let judge = |facts: Entered, before: &str| {
        let (new_root, cwd) = (&facts.new_root, &facts.seen.process.cwd);
        ENTER.judge(&facts, cwd == new_root && facts.seen.returned.is_ok(), || {
            let what = format!("readlink(\"/proc/PID/cwd\"){before}");
            vec![Evidence::differs(what, new_root.display(), cwd.display())]
        })
    };
    judge(enter(host)?, "")?;
    // From a place in new_root.
    for name in [".", "etc"] {
        let new_root = host.path("busybox");
        let inside = new_root.join(name);
        let before = format!(", which was new_root/{name} before");
        judge(look(host, new_root, |call| call.standing_in(inside))?, &before)?;
    }
    Ok(())
}

pub fn failure(host: &Host) -> Result<(), Finding> {
    // 1. An answer that is wrong all the same is not blamed for that here.
    if ENTER.diagnose(&enter(host)?).is_some() {
        return Ok(());
    }
    // 2. What cannot be entered.
    for (name, is, errno) in nowhere_to_enter(host) {
        let new_root = host.path(name);
        let was_there = new_root.symlink_metadata().is_ok();
        let facts = look(host, new_root, |call| call)?;
        let is_made = !was_there && facts.new_root.exists();
        let facts = Entered { impossible: Some(errno), is_made, ..facts };
        ENTER.judge(&facts, facts.is_told() && !facts.is_made, || {
            let what = format!("enter_with_chroot({:?}), {is}", facts.new_root);
            vec![Evidence::differs(what, said(errno), own_words::shown(&facts.seen.returned))]
        })?;
    }
    // 3. Each of its calls in turn, once and for good.
    let attempt = |nth: usize, which: Which, errno: Errno| {
        let new_root = host.path("busybox");
        let facts = look(host, new_root, |call| call.failing_which(nth, which, CALLS, errno))?;
        let Some(failed) = facts.seen.failed else { return Ok(false) };
        let is_done = facts.inside.root_is_new && !facts.inside.host_from_here;
        ENTER.judge(&facts, facts.seen.returned.is_err() || is_done, || {
            let what = format!("enter_with_chroot(new_root) while {failed} fails with {errno:?}");
            vec![Evidence::differs(what, "Err", result(&facts.seen.returned))]
        })?;
        Ok(true)
    };
    for errno in ERRNOS {
        failing::each(|nth| attempt(nth, Which::Alone, errno))?;
    }
    failing::each(|nth| attempt(nth, Which::AndLater, Errno::EPERM))
}

/// What calls fail with. Some pass over one of these, because they think they know it.
const ERRNOS: [Errno; 3] = [Errno::EPERM, Errno::ENOENT, Errno::EINVAL];

/// Names at which there is no directory, what is there, and what chroot(2) says.
fn nowhere_to_enter(host: &Host) -> [(&'static str, &'static str, Errno); 4] {
    fs::write(host.path("file"), "").expect("a file in the scratch directory");
    symlink("loop", host.path("loop")).expect("a link in the scratch directory");
    [
        ("nothing", "where nothing is", Errno::ENOENT),
        ("file", "which is a file", Errno::ENOTDIR),
        ("file/below", "below a file", Errno::ENOTDIR),
        ("loop", "a symbolic link to itself", Errno::ELOOP),
    ]
}

/// What is seen after break_out_of_chroot.
struct BrokenOut {
    seen: Seen<Returned>,
    new_root: PathBuf,
    /// Whether nothing was in new_root. One with files in it is tried first.
    is_bare: bool,
    /// What is read from the host's file, by its absolute path.
    absolute: Result<String, Failure>,
    /// Whether the host's root is found by `..`, however often.
    relative: bool,
    /// Files that were in new_root before, and are gone.
    lost: Vec<String>,
}

impl Facts for BrokenOut {
    fn words(&self) -> Words {
        let mut words = error_of(&self.seen.returned);
        words.push(("root", self.seen.process.root.display().to_string()));
        words.push(("gone", self.lost.join(", ")));
        words
    }
}

static BREAK_OUT: Rules<BrokenOut> = Rules {
    lab: LAB,
    function: BREAK_OUT_OF_CHROOT.function,
    tables: &[&[
        rule("breakout-clears-a-directory", |it| !it.lost.is_empty()),
        rule("error-ignored", |it| it.seen.failed.is_some()),
        rule("breakout-needs-files", |it| it.is_bare && it.seen.returned.is_err()),
        rule("answer/returned-error", |it| it.seen.returned.is_err()),
        rule("breakout-not-finished", |it| it.relative),
        rule("breakout-stops-half-way", |it| !it.seen.process.root.starts_with(&it.new_root)),
        rule("breakout-from-inside", |it| it.seen.process.root.starts_with(&it.new_root)),
    ]],
};

/// What it comes to in a new root, as `with` makes the call.
fn break_out<'h>(
    host: &'h Host,
    new_root: PathBuf,
    with: impl FnOnce(Call<'h, (), Returned>) -> Call<'h, (), Returned>,
) -> Result<BrokenOut, Finding> {
    let file = host.precious().file();
    // Not by the student's own: this promise is about the way out.
    let root = new_root.clone();
    let is_bare = fs::read_dir(&new_root).is_ok_and(|mut entries| entries.next().is_none());
    let enter = move || Ok(chroot(&root).and_then(|()| chdir("/"))?);
    let call = with(host.act(&BREAK_OUT_OF_CHROOT, ()).after(enter));
    let (seen, (absolute, relative)) = call.make_and_look(|place, _| {
        place.look(|| {
            let above = format!("{}{}", "../".repeat(64), file.display());
            let absolute = fs::read_to_string(&file).map_err(Failure::from);
            (absolute, fs::exists(above).unwrap_or(false))
        })
    })?;
    Ok(BrokenOut { seen, new_root, is_bare, absolute, relative, lost: Vec::new() })
}

pub fn breakout(host: &Host) -> Result<(), Finding> {
    let file = host.precious().file();
    let words = host.precious().words().expect("the host's file");
    // 1. Some ways up are only so many steps long. 2. Not every root has a /tmp.
    let above = "d/".repeat(DEPTH - host.path("busybox").components().skip(1).count());
    fs::create_dir_all(host.path(&above)).expect("the scratch directory");
    let bare = host.path("bare");
    fs::create_dir(&bare).expect("the scratch directory");
    for new_root in [host.busybox(&format!("{above}busybox")), bare] {
        let facts = break_out(host, new_root, |call| call)?;
        let process = &facts.seen.process;
        BREAK_OUT.judge(&facts, facts.absolute.as_ref() == Ok(&words), || {
            let from = if facts.is_bare { " of an empty root" } else { "" };
            let read = format!("open({file:?}) after the breakout{from}");
            vec![
                Evidence::differs(read, "Ok", result(&facts.absolute)),
                Evidence::differs("readlink(\"/proc/PID/root\")", "/", process.root.display()),
                Evidence::differs("readlink(\"/proc/PID/cwd\")", "/", process.cwd.display()),
            ]
        })?;
    }
    a_second_time(host)
}

/// In the same root, where the directories that were made have something in them by now.
fn a_second_time(host: &Host) -> Result<(), Finding> {
    let new_root = host.path("again");
    fs::create_dir(&new_root).expect("the scratch directory");
    break_out(host, new_root.clone(), |call| call)?;
    // 1. On a host that has such directories, too.
    let made: Vec<String> = names(&new_root).into_iter().filter(|name| !name.is_empty()).collect();
    beside::of_a_breakout(host, &made)?;
    // 2. Where they have something in them.
    let mut names = Vec::new();
    for entry in fs::read_dir(&new_root).expect("the scratch directory").flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::write(entry.path().join("kept"), "").expect("the scratch directory");
            names.push(format!("{}/kept", entry.file_name().display()));
        }
    }
    let facts = break_out(host, new_root.clone(), |call| call)?;
    names.retain(|name| !new_root.join(name).exists());
    let facts = BrokenOut { lost: names, ..facts };
    BREAK_OUT.judge(&facts, facts.lost.is_empty(), || {
        let what = "find new_root afterwards, names that are gone";
        vec![Evidence::differs(what, "-", facts.lost.join(", "))]
    })
}

pub fn failed_breakout(host: &Host) -> Result<(), Finding> {
    // An answer that stays inside is not blamed for that here.
    if break_out(host, host.busybox("busybox"), |call| call)?.absolute.is_err() {
        return Ok(());
    }
    let fresh = |name: &str, nth: usize| {
        let new_root = host.path(&format!("{name}-{nth}"));
        fs::create_dir(&new_root).map(|()| new_root).expect("the scratch directory")
    };
    let attempt = |name: &str, nth: usize, (which, errno): (Which, Errno), calls: &[Calls]| {
        let facts =
            break_out(host, fresh(name, nth), |call| call.failing_which(nth, which, calls, errno))?;
        let Some(failed) = facts.seen.failed else { return Ok(false) };
        let kept = facts.seen.returned.is_err() || facts.absolute.is_ok();
        BREAK_OUT.judge(&facts, kept, || {
            let what = format!("break_out_of_chroot() while {failed} fails with {errno:?}");
            vec![Evidence::differs(what, "Err", result(&facts.seen.returned))]
        })?;
        Ok(true)
    };
    let (steps, others): (Vec<Calls>, Vec<Calls>) =
        CALLS.iter().partition(|(name, _)| *name == "chdir");
    let once = ERRNOS.map(|errno| (Which::Alone, errno));
    for how in once.into_iter().chain([(Which::AndLater, Errno::EPERM)]) {
        let name = format!("{how:?}");
        failing::each(|nth| attempt(&name, nth, how, &others))?;
        // Of many steps up one is as good as another.
        attempt(&format!("{name}-step"), 1, how, &steps)?;
    }
    Ok(())
}
