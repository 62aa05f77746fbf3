//! create_group.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use labkit::calls::{OPEN, UNLINK};
use labkit::deciding::Asked;
use labkit::describe::{Failure, result};
use labkit::frame::{Facts, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;

use crate::LAB;
use crate::acts::CREATE_GROUP;
use crate::contents::{Contents, text};
use crate::group::Group;
use crate::kernel;
use crate::model::{Lacks, Model, PROCS, SUBTREE_CONTROL, Version};
use crate::removal::removes_directory;

const FUNCTION: &str = CREATE_GROUP.function;
const NAME: &str = "c1";
/// What is a directory of the host's in version 1, and may be a group in version 2.
const OTHER_VERSIONS: [&str; 4] = ["memory", "pids", "cpu", "unified"];

/// All that is known of one call.
struct Created {
    version: Version,
    lacks: Lacks,
    top: PathBuf,
    /// Where the group must be.
    group: Group,
    returned: Result<Group, Failure>,
    before: Contents,
    after: Contents,
    /// The words that were written into the file that hands controllers on.
    words: BTreeSet<String>,
}

/// Calls the function on a model of a host.
fn create(model: &Model) -> Result<Created, Finding> {
    let before = model.contents();
    let input = (model.top.clone(), NAME.to_owned());
    let files = Rc::new(KernelsFiles::of(&model.group(NAME)));
    let decided = files.clone();
    let call = model.act_deciding(&CREATE_GROUP, input, &[OPEN, UNLINK], move |asked, written| {
        if written.is_none() { decided.decide(asked) } else { None }
    });
    let returned = call.make()?.returned;
    files.vanish();
    let (version, lacks, top) = (model.version, model.lacks, model.top.clone());
    let (group, after) = (model.group(NAME), model.contents());
    let words = words_written(model, &before, &after);
    Ok(Created { version, lacks, top, group, returned, before, after, words })
}

/// The files that a kernel puts into a new group. They are there for whoever opens its
/// directory, nobody can delete them, and they vanish with it. One for each directory is
/// enough.
struct KernelsFiles(Vec<PathBuf>);

impl KernelsFiles {
    /// Those of a group, except where its name is taken.
    fn of(group: &Group) -> KernelsFiles {
        let new = group.folders().into_iter().filter(|folder| !folder.exists());
        KernelsFiles(new.map(|folder| folder.join(PROCS)).collect())
    }

    fn decide(&self, asked: &Asked) -> Option<Errno> {
        if asked.name == OPEN.0 {
            // Where there is no such directory, nothing is made.
            self.0.iter().for_each(|file| drop(fs::write(file, "")));
        } else if removes_directory(asked) {
            self.vanish();
        } else if self.0.iter().any(|file| file.exists()) {
            return Some(Errno::EPERM);
        }
        None
    }

    fn vanish(&self) {
        self.0.iter().for_each(|file| drop(fs::remove_file(file)));
    }
}

/// The words that were written into the file that hands controllers on.
fn words_written(model: &Model, before: &Contents, after: &Contents) -> BTreeSet<String> {
    let file = model.top.join(SUBTREE_CONTROL);
    let writes = model.writes().into_iter().filter(|it| it.file.ends_with(SUBTREE_CONTROL));
    let mut commands: Vec<String> = writes.map(|it| it.text).collect();
    if commands.is_empty() && text(before, &file) != text(after, &file) {
        // It was written by another call than write(2).
        commands.push(text(after, &file).to_owned());
    }
    commands.iter().flat_map(|it| it.split_whitespace()).map(str::to_owned).collect()
}

/// What befell others, then the wrong version, then what is there and should not be,
/// then what is lacking.
static RULES: Rules<Created> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("group-of-another-removed", |it| !it.removed().is_empty()),
        rule("hybrid-taken-for-version-2", |it| {
            it.version == Version::One && it.made_below("unified")
        }),
        rule("version-by-another-sign", |it| it.is_unusual() && it.went_the_other_versions_way()),
        rule("version-2-on-version-1", |it| {
            it.version == Version::One && it.went_the_other_versions_way()
        }),
        rule("version-1-on-version-2", |it| {
            it.version == Version::Two && it.went_the_other_versions_way()
        }),
        rule("half-a-group-left", |it| it.returned.is_err() && !it.made().is_empty()),
        rule("answer/returned-error", |it| it.returned.is_err()),
        rule("controller-made-up", |it| {
            ["memory", "pids"].iter().any(|name| it.made().contains(&*it.top.join(name)))
        }),
        rule("group-of-another-taken", |it| {
            it.group.folders().iter().any(|folder| it.before.contains_key(*folder))
        }),
        rule("missing-controller-ignored", |it| it.lacks != Lacks::Nothing),
        rule("answer/did-nothing", |it| it.made().is_empty()),
        rule("other-words-in-subtree-control", |it| {
            it.version == Version::Two && !it.is_understood()
        }),
        rule("controllers-not-handed-on", |it| !it.can_limit()),
        rule("one-hierarchy-only", |it| it.made().len() == 1 && it.version == Version::One),
        rule("other-folders-told", |it| it.made() == it.folders()),
    ]],
};

impl Facts for Created {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("made", listing(self.made())));
        words.push(("removed", listing(self.removed())));
        words.push(("seen", self.words_in_a_row()));
        words.push(("lacking", self.lacking().join(", ")));
        words
    }
}

impl Created {
    fn folders(&self) -> BTreeSet<&Path> {
        self.group.folders().into_iter().collect()
    }

    fn made(&self) -> BTreeSet<&Path> {
        let is_new = |path: &&PathBuf| !self.before.contains_key(*path);
        self.after.keys().filter(is_new).map(PathBuf::as_path).collect()
    }

    fn removed(&self) -> BTreeSet<&Path> {
        let is_gone = |path: &&PathBuf| !self.after.contains_key(*path);
        self.before.keys().filter(is_gone).map(PathBuf::as_path).collect()
    }

    /// Whether a word hands on a controller that the host offers. See cgroups(7).
    fn is_handed_on(&self, word: &str) -> bool {
        let offered = text(&self.before, &self.top.join("cgroup.controllers"));
        word.strip_prefix('+').is_some_and(|name| offered.split(' ').any(|it| it == name))
    }

    /// The controllers that the group needs, and that nobody hands on to it.
    fn lacking(&self) -> Vec<&'static str> {
        let before = text(&self.before, &self.top.join(SUBTREE_CONTROL));
        let is_on = |name: &str| {
            before.split(' ').any(|it| it == name) || self.words.contains(&format!("+{name}"))
        };
        let needed = if self.version == Version::Two { &["memory", "pids"][..] } else { &[] };
        needed.iter().copied().filter(|name| !is_on(name)).collect()
    }

    /// Whether the group gets the files in which limits are set.
    fn can_limit(&self) -> bool {
        self.lacking().is_empty()
    }

    /// Whether the kernel understands all words.
    fn is_understood(&self) -> bool {
        self.words.iter().all(|word| self.is_handed_on(word))
    }

    fn words_in_a_row(&self) -> String {
        self.words.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    fn made_below(&self, name: &str) -> bool {
        self.made().iter().any(|path| path.starts_with(self.top.join(name)))
    }

    /// Whether the host lacks, or has, what usually comes with the other version or its own.
    fn is_unusual(&self) -> bool {
        match self.version {
            Version::One => !self.before.contains_key(&self.top.join("unified")),
            Version::Two => self.before.contains_key(&self.top.join(OTHER_VERSIONS[0])),
        }
    }

    fn went_the_other_versions_way(&self) -> bool {
        let errno = self.returned.as_ref().err().and_then(|failure| failure.errno);
        let missed_a_path = errno == Some(Errno::ENOENT as i32) && self.made().is_empty();
        let made_elsewhere = match self.version {
            Version::One => {
                [NAME, SUBTREE_CONTROL, "unified"].iter().any(|name| self.made_below(name))
            }
            Version::Two => OTHER_VERSIONS.iter().any(|name| self.made_below(name)),
        };
        made_elsewhere || missed_a_path && self.lacks == Lacks::Nothing
    }

    fn require_group(&self) -> Result<(), Finding> {
        let is_made = self.made() == self.folders() && self.removed().is_empty();
        let is_told = self.returned.as_ref() == Ok(&self.group);
        self.judge(is_told && is_made && self.is_understood() && self.can_limit(), "Ok")
    }

    fn require_refusal(&self) -> Result<(), Finding> {
        let nothing_changed = self.made().is_empty() && self.removed().is_empty();
        self.judge(self.returned.is_err() && nothing_changed, "Err")
    }

    fn judge(&self, kept: bool, expected: &str) -> Result<(), Finding> {
        RULES.judge(self, kept, || {
            let (outcome, folders) = match expected {
                "Ok" => (told(&Ok(self.group.clone())), listing(self.folders())),
                _ => ("Err".to_owned(), listing(BTreeSet::new())),
            };
            let call = format!("create_group({:?}, {NAME:?})", self.top);
            let mut evidence = vec![
                Evidence::differs(call, outcome, told(&self.returned)),
                Evidence::differs("mkdir", folders, listing(self.made())),
                Evidence::differs("rmdir", "-", listing(self.removed())),
            ];
            if self.version == Version::Two && expected == "Ok" {
                let words = self.words_in_a_row();
                let seen = if words.is_empty() { "-" } else { &words };
                let file = self.top.join(SUBTREE_CONTROL);
                let is_right = self.can_limit() && self.is_understood();
                let expected = if is_right { seen } else { "+memory +pids" };
                let what = match text(&self.before, &file) {
                    "" => format!("write {file:?}"),
                    before => format!("write {file:?}, where {before:?} was before"),
                };
                evidence.push(Evidence::differs(what, expected, seen));
            }
            evidence
        })
    }
}

fn told(returned: &Result<Group, Failure>) -> String {
    match returned {
        Ok(group) => format!("memory: {:?}, pids: {:?}", group.memory, group.pids),
        Err(failure) => failure.to_string(),
    }
}

fn listing(paths: BTreeSet<&Path>) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    if paths.is_empty() { "-".to_owned() } else { paths.join(" ") }
}

pub fn version_1(host: &Host) -> Result<(), Finding> {
    plain(host, Version::One)?;
    unusual(host, Version::One)
}

pub fn version_2(host: &Host) -> Result<(), Finding> {
    plain(host, Version::Two)?;
    unusual(host, Version::Two)?;
    // Some of it may be on already, as systemd has it.
    ["memory", "pids", "cpu io", "cpu memory pids"].into_iter().try_for_each(|on| {
        let model = Model::new(host, Version::Two, Lacks::Nothing);
        model.hand_on(on);
        create(&model)?.require_group()
    })
}

fn plain(host: &Host, version: Version) -> Result<(), Finding> {
    create(&Model::new(host, version, Lacks::Nothing))?.require_group()
}

/// A host on which `cgroup.controllers` alone tells the version.
fn unusual(host: &Host, version: Version) -> Result<(), Finding> {
    let model = Model::new(host, version, Lacks::Nothing);
    match version {
        Version::One => fs::remove_dir_all(model.top.join("unified")).expect("the witness may"),
        Version::Two => OTHER_VERSIONS.iter().for_each(|name| {
            model.make_open_group(name);
        }),
    }
    create(&model)?.require_group()
}

pub fn taken(host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        // In version 1 a name can be free in one hierarchy and taken in the other.
        let taken: [fn(Group) -> PathBuf; 2] = [|group| group.pids, |group| group.memory];
        taken.into_iter().try_for_each(|taken| {
            let model = Model::new(host, version, Lacks::Nothing);
            fs::create_dir(taken(model.group(NAME))).expect("the scratch folder");
            create(&model)?.require_refusal()
        })
    };
    Version::try_in_both(|version| plain(host, version), harder)
}

pub fn missing_controller(host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        [Lacks::Memory, Lacks::Pids]
            .into_iter()
            .try_for_each(|lacks| create(&Model::new(host, version, lacks))?.require_refusal())
    };
    Version::try_in_both(|version| plain(host, version), harder)
}

/// What the machine's kernel shows of a new group.
struct InKernel {
    returned: Result<Group, Failure>,
    files: Vec<PathBuf>,
}

impl Facts for InKernel {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        let lacking = self.files.iter().zip(["memory", "pids"]).filter(|(file, _)| !file.exists());
        words.push(("lacking", lacking.map(|(_, name)| name).collect::<Vec<_>>().join(", ")));
        words
    }
}

pub fn by_the_kernel(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<InKernel> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[
            rule("answer/returned-error", |it| it.returned.is_err()),
            rule("controllers-not-handed-on", |it| it.files.iter().any(|file| !file.exists())),
        ]],
    };
    plain(host, kernel::version())?;
    unusual(host, kernel::version())?;
    let group = kernel::group(NAME);
    kernel::hand_nothing_on();
    let call = host.act(&CREATE_GROUP, (kernel::PLACE.into(), NAME.to_owned()));
    let returned = call.make()?.returned;
    let files = vec![kernel::memory_file(&group), group.pids.join("pids.max")];
    let facts = InKernel { returned, files };
    let kept = facts.returned.as_ref() == Ok(&group) && facts.files.iter().all(|it| it.exists());
    RULES.judge(&facts, kept, || {
        let ls = |file: &PathBuf| {
            let name = file.file_name().unwrap_or_default().display();
            let seen = file.metadata().map(drop).map_err(Failure::from);
            Evidence::differs(format!("stat {name}"), "Ok", result(&seen))
        };
        facts.files.iter().map(ls).collect()
    })?;
    // Another machine's kernel may be of the other version.
    plain(host, kernel::version().other())
}
