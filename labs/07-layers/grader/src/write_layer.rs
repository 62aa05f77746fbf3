//! create_write_layer.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labkit::call::Seen;
use labkit::describe::tree;
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::CREATE_WRITE_LAYER;
use crate::failing::{Attempt, Failing, each_is_told};
use crate::handed_down::HandedDown;
use crate::init_host::with_umask_077;
use crate::init_layer::octal;
use crate::layer::{directories, fill};
use crate::there_already;
use crate::what_was_there::Before;

/// All that is known of one call.
struct Made {
    seen: Seen<Returned>,
    workspace: PathBuf,
    write_layer: Directory,
    work: Directory,
    before: Before,
    handed_down: Option<HandedDown>,
}

/// How it is called.
#[derive(Clone, Copy, Default)]
struct Scene {
    /// A system call that fails.
    failing: Option<Failing>,
    /// What the workspace hands down.
    handed_down: Option<HandedDown>,
}

/// What others have made in a workspace.
const OF_OTHERS: [(&str, &str); 2] = [("init-layer/etc/hosts", ""), ("lock", "")];

/// A directory that should be there.
#[derive(Default)]
struct Directory {
    /// Whether it is: a directory, and no link to one.
    is_there: bool,
    /// Whether nothing is in it.
    is_empty: bool,
    /// Its mode.
    mode: u32,
    /// The device of its file system.
    device: u64,
}

impl Directory {
    fn look(path: &Path) -> Directory {
        let Ok(data) = path.symlink_metadata() else { return Directory::default() };
        Directory {
            is_there: data.is_dir(),
            is_empty: fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()),
            mode: data.mode() & 0o7777,
            device: data.dev(),
        }
    }

    fn is_right(&self) -> bool {
        self.is_there && self.is_empty && self.mode == 0o755
    }
}

fn observe(host: &Host, scene: Scene) -> Result<Made, Finding> {
    let Scene { failing, handed_down } = scene;
    let name = failing.map(Failing::name).or(handed_down.map(|it| format!("{it:?}")));
    let workspace = host.path(&name.unwrap_or_else(|| "workspace".to_owned()));
    directories(&workspace, ["init-layer"]);
    if let Some(handed_down) = handed_down {
        handed_down.prepare(&workspace);
    }
    if failing.is_some() {
        fill(&workspace, &OF_OTHERS);
    }
    let before = Before::of(&workspace);
    let mut call = host.act(&CREATE_WRITE_LAYER, workspace.clone()).after(with_umask_077);
    if let Some(failing) = failing {
        call = failing.during(call);
    }
    let seen = call.make()?;
    let look = |name: &str| Directory::look(&workspace.join(name));
    let (write_layer, work) = (look("write-layer"), look("work"));
    Ok(Made { write_layer, work, seen, workspace, before, handed_down })
}

impl Facts for Made {
    fn words(&self) -> Words {
        let mut words = error_of(&self.seen.returned);
        let closed = if self.write_layer.is_right() { "work" } else { "write-layer" };
        let mode = if self.write_layer.is_right() { &self.work } else { &self.write_layer }.mode;
        words.extend([
            ("name", closed.to_owned()),
            ("expected", octal(0o755)),
            ("mode", octal(mode)),
        ]);
        words.extend(self.handed_down.map(|it| ("command", it.command().to_owned())));
        words
    }
}

impl Made {
    fn is_right(&self) -> bool {
        self.write_layer.is_right()
            && self.work.is_right()
            && self.write_layer.device == self.work.device
    }

    /// Of the directories that are there, whether one has a mode that is so.
    fn has_mode(&self, is_so: impl Fn(u32) -> bool) -> bool {
        [&self.write_layer, &self.work].iter().any(|it| it.is_there && is_so(it.mode))
    }
}

/// What is wrong with both of them.
const BOTH: &[Rule<Made>] = &[
    rule("answer/returned-error", |it| it.seen.returned.is_err()),
    rule("answer/did-nothing", |it| !it.write_layer.is_there && !it.work.is_there),
    rule("work-in-the-write-layer", |it| it.workspace.join("write-layer/work").exists()),
];

const MODES: &[Rule<Made>] = &[
    rule("mode-handed-down", |it| {
        it.handed_down.is_some_and(|how| it.has_mode(|mode| how.explains(0o755, mode)))
    }),
    rule("closed-by-the-umask", |it| it.has_mode(|mode| mode == 0o700)),
    rule("mode-not-as-asked", |it| it.has_mode(|mode| mode != 0o755)),
];

static WRITE_LAYER: Rules<Made> =
    Rules { lab: LAB, function: CREATE_WRITE_LAYER.function, tables: &[BOTH, MODES] };

static WORK: Rules<Made> = Rules {
    lab: LAB,
    function: CREATE_WRITE_LAYER.function,
    tables: &[
        BOTH,
        &[
            rule("no-work-folder", |it| !it.work.is_there),
            rule("on-two-file-systems", |it| it.work.device != it.write_layer.device),
        ],
        MODES,
    ],
};

pub fn write_layer_is_empty_and_open(host: &Host) -> Result<(), Finding> {
    let made = observe(host, Scene::default())?;
    let directory = &made.write_layer;
    let kept = made.seen.returned.is_ok() && directory.is_right();
    WRITE_LAYER.judge(&made, kept, || {
        let what = "write-layer, made with umask 077";
        vec![Evidence::differs(what, "an empty directory, 0755", shown(directory)), drawn(&made)]
    })?;
    no_mode_is_handed_down(host, &WRITE_LAYER, "write-layer", |made| &made.write_layer)
}

pub fn work_lies_beside_the_write_layer(host: &Host) -> Result<(), Finding> {
    let made = observe(host, Scene::default())?;
    let is_on_the_same = made.work.device == made.write_layer.device || !made.write_layer.is_there;
    let kept = made.seen.returned.is_ok() && made.work.is_right() && is_on_the_same;
    WORK.judge(&made, kept, || {
        let expected = "an empty directory, 0755, on the write layer's file system";
        let at = if is_on_the_same { "on the write layer's" } else { "on another" };
        let seen = format!("{}, {at} file system", shown(&made.work));
        vec![Evidence::differs("work", expected, seen), drawn(&made)]
    })?;
    no_mode_is_handed_down(host, &WORK, "work", |made| &made.work)
}

/// Whether one of the two has its mode in every workspace.
fn no_mode_is_handed_down(
    host: &Host,
    rules: &Rules<Made>,
    name: &str,
    directory: fn(&Made) -> &Directory,
) -> Result<(), Finding> {
    for handed_down in HandedDown::ALL {
        let scene = Scene { handed_down: Some(handed_down), ..Scene::default() };
        let made = observe(host, scene)?;
        let kept = made.seen.returned.is_ok() && directory(&made).is_right();
        rules.judge(&made, kept, || {
            let what =
                format!("the mode of {name}, made with umask 077; {}", handed_down.command());
            let mode = octal(directory(&made).mode);
            vec![Evidence::differs(what, octal(0o755), mode), drawn(&made)]
        })?;
    }
    Ok(())
}

pub fn a_failed_call_is_told(host: &Host) -> Result<(), Finding> {
    let plain = || is_right_anyway(host);
    each_is_told(CREATE_WRITE_LAYER.function, plain, |failing| {
        let made = observe(host, Scene { failing: Some(failing), ..Scene::default() })?;
        Ok(Attempt {
            failed: failing.told(&made.seen),
            is_told_or_right: made.seen.returned.is_err() || made.is_right(),
            changed: made.before.changed_by_an_error(&made.seen.returned),
            drawn: drawn(&made),
        })
    })
}

/// Directories that are there already may have something in them.
pub fn nothing_used_is_taken_over(host: &Host) -> Result<(), Finding> {
    let call = |workspace| Ok(host.act(&CREATE_WRITE_LAYER, workspace).make()?.returned);
    let both = ["write-layer", "work"];
    let plain = || is_right_anyway(host);
    let furnish = |workspace: &Path| fill(workspace, &OF_OTHERS);
    there_already::is_an_error(host, CREATE_WRITE_LAYER.function, &both, furnish, call, plain)
}

fn is_right_anyway(host: &Host) -> Result<(), Finding> {
    let plain = observe(host, Scene::default())?;
    WORK.judge(&plain, plain.is_right(), || vec![drawn(&plain)])
}

fn shown(directory: &Directory) -> String {
    match directory {
        Directory { is_there: false, .. } => "no directory".to_owned(),
        Directory { is_empty: false, .. } => "a directory with something in it".to_owned(),
        Directory { mode, .. } => format!("an empty directory, {mode:04o}"),
    }
}

fn drawn(made: &Made) -> Evidence {
    let drawing = tree(&made.workspace).unwrap_or_default();
    Evidence::Tree { what: "the workspace".to_owned(), drawing }
}
