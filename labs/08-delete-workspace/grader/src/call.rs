//! One call of an answer's function: on which workspace, as whom, meanwhile what.

use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use labkit::calls::{CALLS, Calls, PAUSE, RENAME, UMOUNT, UNLINK};
use labkit::verdict::Finding;
use nix::errno::Errno;
use nix::mount::MntFlags;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::facts::{Facts, Untouched, entries, names};
use crate::scene::{Open, Which};
use crate::stage::Stage;

/// An answer that tries again without a pause has worked for so long when the file
/// is closed, in ticks of its processor's time. Not by the clock: on a busy machine
/// an answer may not have begun.
const A_MOMENT: u64 = 5;

/// How often one of many mounts becomes free: before the shortest patience that is
/// promised is over.
pub const LET_GO_EVERY: Duration = Duration::from_millis(150);

/// What the calls to the kernel were given, those of one act together.
struct Heard {
    /// The pauses that it takes, added up.
    paused: Cell<Duration>,
    /// The flags that umount2(2) was given, whenever it was called.
    umount_flags: Cell<MntFlags>,
}

/// One call to be made.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    stage: &'a Stage<'a>,
    which: Which,
    /// The workspace, as the mount table names it.
    workspace: PathBuf,
    /// The workspace, as the answer is told.
    given: PathBuf,
    /// A file that is open.
    open: Option<(PathBuf, Open)>,
    /// Other files that are open throughout.
    others_open: Vec<PathBuf>,
    /// Files that are open, too, until they are closed one by one.
    let_go: Vec<PathBuf>,
    /// Whether an ordinary user makes it.
    without_privileges: bool,
    /// The kernel call that fails meanwhile, whenever it is made, and with what.
    refused: Option<(&'static str, i64, Errno)>,
    /// Which of its calls fails, from 1, and with what.
    failing: Option<(usize, Errno)>,
    /// Why the path that the answer gets cannot be resolved.
    unresolved: Option<Errno>,
    /// Whether a call before this one was killed when that path led nowhere, while something
    /// was left.
    was_lost: bool,
    /// All that lies beside the workspace.
    neighbours: Vec<String>,
}

impl<'a> Call<'a> {
    pub fn new(stage: &'a Stage<'a>, which: Which, workspace: PathBuf) -> Call<'a> {
        Call {
            stage,
            which,
            given: workspace.clone(),
            workspace,
            open: None,
            others_open: Vec::new(),
            let_go: Vec::new(),
            without_privileges: false,
            refused: None,
            failing: None,
            unresolved: None,
            was_lost: false,
            neighbours: names(&stage.containers()),
        }
    }

    /// Makes the call with another path of the same workspace.
    pub fn given_as(self, given: PathBuf) -> Call<'a> {
        Call { given, ..self }
    }

    /// Makes the call as an ordinary user, who owns the files.
    ///
    /// In a user namespace without a map nobody has power over others' files,
    /// mounts or closed directories; who owns a file stays as it is.
    pub fn without_privileges(self) -> Call<'a> {
        Call { without_privileges: true, ..self }
    }

    /// Makes the call while a file of the workspace is open.
    pub fn while_open(self, file: &str, how_long: Open) -> Call<'a> {
        Call { open: Some((self.workspace.join(file), how_long)), ..self }
    }

    /// Makes the call while these files of the workspace are open, too.
    pub fn while_others_are_open(self, files: &[&str]) -> Call<'a> {
        let others_open = files.iter().map(|file| self.workspace.join(file)).collect();
        Call { others_open, ..self }
    }

    /// Makes the call while these files are open, too, of which one is closed whenever
    /// [`LET_GO_EVERY`] is over.
    pub fn letting_go(self, files: Vec<PathBuf>) -> Call<'a> {
        Call { let_go: files, ..self }
    }

    /// Makes the call while a call to the kernel fails.
    pub fn refusing(self, name: &'static str, number: i64, errno: Errno) -> Call<'a> {
        Call { refused: Some((name, number, errno)), ..self }
    }

    /// Makes the call while its `nth` call to the kernel fails, from 1.
    pub fn failing(self, nth: usize, errno: Errno) -> Call<'a> {
        Call { failing: Some((nth, errno)), ..self }
    }

    /// Makes the call with a path that cannot be resolved, for this reason.
    pub fn unresolved(self, errno: Errno) -> Call<'a> {
        Call { unresolved: Some(errno), ..self }
    }

    /// Makes the call after another one, which is killed as soon as its path leads nowhere
    /// while anything is left of the workspace. If it never comes to that, it is not killed.
    pub fn after_a_kill_when_lost(self) -> Result<Call<'a>, Finding> {
        let was_lost = Rc::new(Cell::new(false));
        let lost = was_lost.clone();
        let (given, workspace) = (self.given.clone(), self.workspace.clone());
        let call = self.act().deciding(&[UNLINK, RENAME], move |asked| {
            let is_left = |path: &Path| path.symlink_metadata().is_ok();
            if given.exists() || !is_left(&workspace) {
                return None;
            }
            lost.set(true);
            let _ = kill(Pid::from_raw(asked.pid()), Signal::SIGKILL);
            // It ends before it learns of this.
            Some(Errno::EINTR)
        });
        let ended = call.make();
        if !was_lost.get() {
            ended?;
        }
        Ok(Call { was_lost: was_lost.get(), ..self })
    }

    /// Makes the call and looks at what it has changed.
    pub fn make(self) -> Result<Facts, Finding> {
        let before = entries(&self.workspace);
        let mnt = self.workspace.join("mnt");
        let root_before = names(&mnt);

        let opened = self.open.as_ref().map(|(file, _)| File::open(file).expect("it is there"));
        let others = self.others_open.iter().map(|file| File::open(file).expect("it is there"));
        let others: Vec<File> = others.collect();
        let let_go = self.let_go.iter().map(|file| File::open(file).expect("it is there"));
        let mut let_go: Vec<File> = let_go.collect();
        let began = Instant::now();
        let for_a_moment = matches!(self.open, Some((_, Open::ForAMoment)));
        let mut held = opened;
        let heard =
            Rc::new(Heard { paused: Cell::default(), umount_flags: Cell::new(MntFlags::empty()) });
        let (seen, ()) = self.listening(heard.clone()).make_meanwhile(
            |place, answering| {
                while for_a_moment && held.is_some() {
                    let stat = place.proc.stat(place.pid.as_raw());
                    let has_tried = stat.is_none_or(|it| it.state == 'S' || it.ticks >= A_MOMENT)
                        || answering.outcome().is_some();
                    if has_tried {
                        held.take();
                    }
                }
                let mut next = LET_GO_EVERY;
                while !let_go.is_empty() && answering.outcome().is_none() {
                    if began.elapsed() >= next {
                        let_go.pop();
                        next += LET_GO_EVERY;
                    }
                    answering.wait_for_news();
                }
            },
            |_, _| (),
        )?;
        let lasted = began.elapsed();
        drop((held, others));

        let mut strangers = names(&self.stage.containers());
        strangers.retain(|name| !self.neighbours.contains(name));
        let is_directory = |name: &String| self.stage.containers().join(name).is_dir();
        let (orphans, litter) = strangers.into_iter().partition(is_directory);
        Ok(Facts {
            which: self.which,
            after: entries(&self.workspace),
            root_after: names(&mnt),
            untouched: Untouched::now(self.stage),
            containers: self.stage.containers(),
            workspace: self.workspace,
            given: self.given,
            open: self.open,
            without_privileges: self.without_privileges,
            refused: self.refused.map(|(name, ..)| name).or(seen.failed.map(|it| it.name)),
            errno: self
                .failing
                .map(|(_, errno)| errno)
                .or(self.refused.map(|(.., errno)| errno))
                .unwrap_or(Errno::EPERM),
            before,
            root_before,
            seen,
            unresolved: self.unresolved,
            was_lost: self.was_lost,
            lasted,
            paused: heard.paused.get(),
            umount_flags: heard.umount_flags.get(),
            orphans,
            litter,
        })
    }

    /// The act. What its calls are given is heard, unless one of them is to fail, or it is
    /// looked at whether the answer waits: it does so, too, whenever we listen.
    fn listening<'h>(
        &self,
        heard: Rc<Heard>,
    ) -> labkit::call::Call<'h, std::ffi::OsString, labkit::frame::Returned>
    where
        'a: 'h,
    {
        if self.failing.is_some() || matches!(self.open, Some((_, Open::ForAMoment))) {
            return self.act();
        }
        self.act().deciding(&[PAUSE, UMOUNT], move |asked| {
            if asked.name == UMOUNT.0 {
                let flags = MntFlags::from_bits_retain(asked.argument(1) as i32);
                heard.umount_flags.set(heard.umount_flags.get() | flags);
            } else {
                let pause = asked.pause().unwrap_or_default();
                heard.paused.set(heard.paused.get().saturating_add(pause));
            }
            None
        })
    }

    /// Makes the call and kills it when it is about to make its `nth` call to
    /// the kernel. Returns whether it was: else it had made fewer.
    pub fn make_and_kill(&self, nth: usize) -> Result<bool, Finding> {
        self.act().kill_at(nth)
    }

    fn act<'h>(&self) -> labkit::call::Call<'h, std::ffi::OsString, labkit::frame::Returned>
    where
        'a: 'h,
    {
        let mut call = self.stage.host.act(self.which.act(), self.given.clone().into_os_string());
        if self.without_privileges {
            call = call.in_new(CloneFlags::CLONE_NEWUSER);
        }
        if let Some((_, number, errno)) = self.refused {
            call = call.refusing(&[number], errno);
        }
        if let Some((nth, errno)) = self.failing {
            // Only what deletes can find a directory that is not empty.
            let may_fail = |(name, _): &&Calls| errno != Errno::ENOTEMPTY || *name == "unlink";
            let calls: Vec<Calls> = CALLS.iter().filter(may_fail).copied().collect();
            call = call.failing(nth, &calls, errno);
        }
        call
    }
}
