//! From all that was seen of one call to what was done, the worst first.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use labkit::frame::{Facts, Rule, Rules, Words, error_of, rule};
use nix::errno::Errno;

use crate::LAB;
use crate::acts::CREATE;
use crate::archive::{Entry, plain};
use crate::listing::{Aspect, Difference, Node, What};
use crate::outside::{STOLEN, shown};
use crate::run::{Due, Run, Trick, UMASK};

/// The rules on a call.
pub static RULES: Rules<Run> = Rules {
    lab: LAB,
    function: CREATE.function,
    tables: &[HARM, REFUSAL, ERRORS, FILES, ATTRIBUTES, BESIDE],
};

/// What was done outside of the layer.
const HARM: &[Rule<Run>] = &[
    rule("dot-dot-followed", |it| it.has_come_out_by(Trick::DotDot)),
    rule("absolute-name-followed", |it| it.has_come_out_by(Trick::AbsoluteName)),
    rule("planted-symlink-followed", |it| it.has_come_out_by(Trick::PlantedSymlink)),
    rule("written-through-symlink", |it| it.has_come_out_by(Trick::FileOverSymlink)),
    rule("layer-is-a-symlink", |it| it.has_come_out_by(Trick::LayerItself)),
    rule("hard-link-to-outside", |it| it.has_come_out_by(Trick::HardLink)),
    // Nothing that an archive has but a symbolic link leads there.
    rule("attributes-through-symlink", |it| !it.outside.is_harmless() && !it.has_come_out()),
    rule("neighbours-deleted", |it| !it.outside.gone.is_empty()),
];

/// It says that all is well with an entry that it must refuse or cannot make; or it
/// does not say with which it is not.
const REFUSAL: &[Rule<Run>] = &[
    rule("layer-is-a-symlink", |it| it.is_accepted(|_| it.layer_is_no_directory())),
    rule("entry-skipped", |it| it.is_accepted(|_| it.replaced_links().any(|link| is_top(link)))),
    rule("symlink-followed", |it| it.is_accepted(|_| it.replaced_links().next().is_some())),
    rule("unknown-type-skipped", |it| {
        it.is_accepted(|entry| it.made(entry).is_none()) && it.is_refusal_of(Trick::UnknownType)
    }),
    rule("entry-skipped", |it| it.is_accepted(|entry| it.made(entry).is_none())),
    rule("device-as-regular-file", |it| {
        let is_file = |entry: &str| matches!(it.made(entry), Some(What::File(_)));
        it.is_accepted(is_file) && it.is_refusal_of(Trick::Device)
    }),
    rule("planted-symlink-followed", |it| {
        it.is_accepted(|_| it.is_refusal_of(Trick::PlantedSymlink))
    }),
    rule("hard-links-as-symlinks", |it| {
        let is_link = |entry: &str| matches!(it.made(entry), Some(What::Symlink(_)));
        it.is_accepted(is_link) && it.is_refusal_of(Trick::HardLink)
    }),
    rule("unknown-type-as-file", |it| it.is_accepted(|_| it.is_refusal_of(Trick::UnknownType))),
    rule("owner-number-accepted", |it| it.is_accepted(|_| it.is_refusal_of(Trick::Owner))),
    rule("hostile-name-rewritten", |it| it.is_accepted(|_| true)),
    rule("name-escaped", |it| it.unnamed().is_some_and(|(text, entry)| has_escaped(text, entry))),
    rule("error-without-name", |it| it.unnamed().is_some()),
];

/// It says that it cannot be done, or that all is well where nothing is.
const ERRORS: &[Rule<Run>] = &[
    rule("another-file-system", |it| {
        let failure = it.unjust_error();
        failure.is_some_and(|failure| {
            failure.errno == Some(Errno::EXDEV as i32) || failure.text.contains(Errno::EXDEV.desc())
        })
    }),
    rule("good-name-refused", |it| it.refused_name().is_some()),
    rule("answer/returned-error", |it| it.unjust_error().is_some()),
    rule("answer/did-nothing", |it| {
        it.returned.is_ok() && it.layer.is_none() && it.outside.new.is_empty()
    }),
];

/// There is a layer, and not those files that the archive has.
const FILES: &[Rule<Run>] = &[
    // 1. The names.
    rule("lossy-names", |it| {
        let lossy = |missing: &PathBuf| PathBuf::from(missing.to_string_lossy().into_owned());
        let added = it.of(Aspect::Added);
        let is_lossy = |it: &&Difference| added.iter().any(|that| that.name == lossy(&it.name));
        it.of(Aspect::Missing).iter().any(is_lossy)
    }),
    rule("entry-skipped", |it| {
        it.of(Aspect::Added).is_empty() && !it.of(Aspect::Missing).is_empty()
    }),
    rule("long-name-cut", |it| {
        let bytes = |it: &Difference| it.name.as_os_str().as_bytes().to_vec();
        let added: Vec<Vec<u8>> = it.of(Aspect::Added).into_iter().map(bytes).collect();
        let is_cut = |it: &&Difference| added.iter().any(|cut| bytes(it).starts_with(cut));
        it.of(Aspect::Missing).iter().any(is_cut)
    }),
    // 2. What they are names of.
    rule("symlink-followed", |it| {
        it.first_is(Aspect::Kind, |must, _| matches!(must, What::Symlink(_)))
    }),
    rule("hard-links-as-symlinks", |it| {
        it.first_is(Aspect::Kind, |must, is| {
            matches!((must, is), (What::File(_), What::Symlink(_)))
        })
    }),
    rule("device-as-regular-file", |it| {
        it.first_is(Aspect::Kind, |must, is| {
            matches!((must, is), (What::Device(_) | What::Fifo, What::File(_)))
        })
    }),
    rule("device-number-wrong", |it| {
        it.first_is(Aspect::Kind, |must, is| {
            matches!((must, is), (What::Device(_), What::Device(_)))
        })
    }),
    rule("hard-links-empty", |it| {
        let is_empty = |is: &What| matches!(is, What::File(seen) if seen.is_empty());
        it.first_is(Aspect::Contents, |_, is| is_empty(is)) && !it.of(Aspect::Links).is_empty()
    }),
    rule("contents-cut", |it| {
        it.first_is(Aspect::Contents, |must, is| match (must, is) {
            (What::File(whole), What::File(seen)) => whole.starts_with(seen),
            _ => false,
        })
    }),
    rule("long-name-cut", |it| {
        it.first_is(Aspect::Target, |must, is| match (must, is) {
            (What::Symlink(whole), What::Symlink(cut)) => {
                whole.as_os_str().as_bytes().starts_with(cut.as_os_str().as_bytes())
            }
            _ => false,
        })
    }),
    rule("symlink-target-rewritten", |it| it.first_is(Aspect::Target, |_, _| true)),
    rule("hard-links-copied", |it| it.first_is(Aspect::Links, |_, _| true)),
];

/// The files are right, and not what lstat(2) says of them besides.
const ATTRIBUTES: &[Rule<Run>] = &[
    rule("time-of-32-bits", |it| {
        it.has_wrong_times() && it.of(Aspect::Time).iter().all(|that| it.has_half_of_its_time(that))
    }),
    rule("layer-without-attributes", |it| {
        it.only_attributes() && it.differences.iter().all(|it| is_top(&it.name))
    }),
    rule("hard-link-header-applied", |it| {
        it.only_attributes() && it.differences.iter().all(|that| it.has_what_a_link_says(that))
    }),
    rule("attributes-through-symlink", |it| it.only_attributes() && it.is_through_symlinks()),
    rule("owners-lost", |it| it.only_attributes() && !it.of(Aspect::Owner).is_empty()),
    rule("folders-cannot-be-entered", |it| {
        it.has_wrong_modes()
            && it.modes().any(|(must, is)| {
                must.what == What::Folder && must.mode & 0o111 != 0 && is.mode & 0o111 == 0
            })
    }),
    // A chown, or mkdir(2) itself, has taken the set-ID bits besides.
    rule("umask-applied", |it| {
        it.all_modes(|must, is| is & !0o6000 == must.mode & !UMASK & !0o6000)
    }),
    rule("modes-not-set", |it| {
        it.all_modes(|must, is| {
            is == if must.what == What::Folder { 0o777 } else { 0o666 } & !UMASK
        })
    }),
    rule("special-bits-lost", |it| {
        it.all_modes(|must, is| is == must.mode & 0o777)
            && it.modes().any(|(must, _)| must.what == What::Folder)
    }),
    rule("set-user-id-cleared", |it| it.all_modes(|must, is| is == must.mode & 0o777)),
    rule("time-zero-taken-for-none", |it| {
        it.has_wrong_times() && it.of(Aspect::Time).iter().all(|that| it.must(that).mtime == 0)
    }),
    rule("folder-times-lost", |it| {
        it.has_wrong_times()
            && it.of(Aspect::Time).iter().all(|that| it.must(that).what == What::Folder)
    }),
    rule("times-lost", Run::has_wrong_times),
];

/// All is well with the layer.
const BESIDE: &[Rule<Run>] = &[
    rule("left-over-stays", |it| it.is_right() && !it.outside.new.is_empty()),
    rule("descriptors-left-open", |it| {
        (it.is_right() || it.returned.is_err()) && !it.open.is_empty()
    }),
];

/// Whether a name is in a text in one of the forms that Rust has for programmers.
fn has_escaped(text: &str, name: &str) -> bool {
    let forms = [
        name.escape_debug().to_string(),
        name.escape_default().to_string(),
        name.as_bytes().escape_ascii().to_string(),
    ];
    forms.iter().any(|form| text.contains(form))
}

fn is_top(name: &Path) -> bool {
    name.as_os_str().is_empty()
}

impl Facts for Run {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        let outside = &self.outside;
        let lists = [
            ("harm", outside.harm().join(", ")),
            ("gone", shown(&outside.gone)),
            ("left", shown(&outside.new)),
            ("open", shown(&self.open)),
        ];
        words.extend(lists.into_iter().filter(|(_, list)| !list.is_empty()));
        if let Due::Refusal { entry, .. } = &self.due {
            words.push(("entry", entry.clone()));
            words.extend(self.owners(Path::new(entry)));
        }
        words.extend(self.refused_name().map(|name| ("entry", name)));
        words
    }
}

impl Run {
    /// Whether anything of the archive is outside of the layer, or in a file that
    /// was there.
    fn has_come_out(&self) -> bool {
        let is_theft = match &self.due {
            Due::Refusal { entry, .. } => entry == STOLEN,
            due => matches!(due, Due::NoHarm(Trick::HardLink)),
        };
        let is_linked = is_theft && self.outside.touched.iter().any(|path| path.is_file());
        !self.outside.escaped.is_empty() || !self.outside.rewritten.is_empty() || is_linked
    }

    fn has_come_out_by(&self, trick: Trick) -> bool {
        let is_it = match self.due {
            Due::Layer => false,
            Due::Refusal { trick: tried, .. } | Due::NoHarm(tried) => tried == trick,
        };
        is_it && self.has_come_out()
    }

    fn is_refusal_of(&self, trick: Trick) -> bool {
        matches!(self.due, Due::Refusal { trick: tried, .. } if tried == trick)
    }

    /// Whether an entry that is to be refused was not, and the layer is so.
    fn is_accepted(&self, is_so: impl FnOnce(&str) -> bool) -> bool {
        match &self.due {
            Due::Refusal { entry, .. } => self.is_done() && is_so(entry),
            Due::Layer | Due::NoHarm(_) => false,
        }
    }

    /// What an error says, and the entry that it must name and does not.
    fn unnamed(&self) -> Option<(&str, &str)> {
        match (&self.due, &self.returned) {
            (Due::Refusal { entry, .. }, Err(failure)) if !failure.text.contains(entry) => {
                Some((failure.text.as_str(), entry.as_str()))
            }
            _ => None,
        }
    }

    fn layer_is_no_directory(&self) -> bool {
        let top = self.layer.as_ref().and_then(|layer| layer.get(Path::new("")));
        top.is_some_and(|top| top.what != What::Folder)
    }

    /// The symbolic links of the archive in whose places there are directories.
    fn replaced_links(&self) -> impl Iterator<Item = &PathBuf> {
        let is_directory = |name: &PathBuf| {
            let is = self.layer.as_ref().and_then(|layer| layer.get(name));
            is.is_some_and(|is| is.what == What::Folder)
        };
        let links = self.expected.iter().filter(|(_, must)| matches!(must.what, What::Symlink(_)));
        links.map(|(name, _)| name).filter(move |name| is_directory(name))
    }

    /// What there is in the layer whose name ends so.
    fn made(&self, entry: &str) -> Option<&What> {
        let mut all = self.layer.iter().flatten();
        all.find(|(name, _)| name.ends_with(entry)).map(|(_, node)| &node.what)
    }

    /// An error where the layer was due.
    fn unjust_error(&self) -> Option<&labkit::describe::Failure> {
        self.returned.as_ref().err().filter(|_| matches!(self.due, Due::Layer))
    }

    /// The odd name of an entry that the error is about.
    fn refused_name(&self) -> Option<String> {
        let text = &self.unjust_error()?.text;
        let names = self.expected.keys().map(|name| name.to_string_lossy());
        let is_odd = |name: &str| {
            let last = name.rsplit('/').next().unwrap_or_default();
            last.contains("..") || last.starts_with('-') || last.contains(['\n', '\u{fffd}'])
        };
        let mut odd = names.filter(|name| is_odd(name));
        odd.find(|name| text.contains(&**name) || has_escaped(text, name))
            .map(|name| name.into_owned())
    }

    fn of(&self, aspect: Aspect) -> Vec<&Difference> {
        self.differences.iter().filter(|it| it.aspect == aspect).collect()
    }

    /// What the file must be that a difference is about.
    pub fn must(&self, difference: &Difference) -> &Node {
        &self.expected[&difference.name]
    }

    /// What that file is.
    pub fn is(&self, difference: &Difference) -> &Node {
        &self.layer.as_ref().expect("what differs is there")[&difference.name]
    }

    /// Whether this is the first aspect in which files differ, and the first such
    /// difference is so.
    fn first_is(&self, aspect: Aspect, is_so: impl Fn(&What, &What) -> bool) -> bool {
        let worst = self.differences.iter().map(|it| it.aspect).min();
        let first = self.of(aspect).into_iter().next().filter(|_| worst == Some(aspect));
        first.is_some_and(|it| is_so(&self.must(it).what, &self.is(it).what))
    }

    fn only_attributes(&self) -> bool {
        !self.differences.is_empty() && self.differences.iter().all(|it| it.aspect.is_attribute())
    }

    /// Whether nothing is wrong but with files to which symbolic links lead, and
    /// with these links.
    fn is_through_symlinks(&self) -> bool {
        let leads_to = |(name, node): (&PathBuf, &Node)| {
            let What::Symlink(target) = &node.what else { return None };
            let node = self.expected.get(&along(name.parent()?, target))?;
            Some(node.first_name.clone())
        };
        let led_to: BTreeSet<PathBuf> = self.expected.iter().filter_map(leads_to).collect();
        let nodes = self.differences.iter().map(|it| self.must(it));
        let mut others = nodes.filter(|node| !matches!(node.what, What::Symlink(_))).peekable();
        others.peek().is_some() && others.all(|node| led_to.contains(&node.first_name))
    }

    /// Whether a file has of the header of a hard link to it what it must have of its own.
    fn has_what_a_link_says(&self, difference: &Difference) -> bool {
        let (must, is) = (self.must(difference), self.is(difference));
        let file = |link: &Entry| self.expected.get(&plain(&link.name));
        let mut links = self
            .links
            .iter()
            .filter(|link| file(link).is_some_and(|node| node.first_name == must.first_name));
        links.any(|link| match difference.aspect {
            Aspect::Owner => link.owner == is.owner,
            Aspect::Mode => link.mode & 0o7777 == is.mode,
            _ => link.mtime as i64 == is.mtime,
        })
    }

    fn has_wrong_modes(&self) -> bool {
        self.only_attributes() && self.modes().next().is_some()
    }

    /// The modes that there must be and are.
    fn modes(&self) -> impl Iterator<Item = (&Node, &Node)> {
        self.of(Aspect::Mode).into_iter().map(|it| (self.must(it), self.is(it)))
    }

    /// Whether all wrong modes are so, but for the layer's own: it may be the one for no entry.
    fn all_modes(&self, is_so: fn(&Node, u32) -> bool) -> bool {
        let mut below = self.modes().filter(|(must, _)| !is_top(&must.first_name)).peekable();
        self.only_attributes() && below.peek().is_some() && below.all(|it| is_so(it.0, it.1.mode))
    }

    /// Whether a time is right in its lower 32 bits, and only there.
    fn has_half_of_its_time(&self, difference: &Difference) -> bool {
        self.must(difference).mtime as u32 == self.is(difference).mtime as u32
    }

    fn has_wrong_times(&self) -> bool {
        self.only_attributes() && !self.has_wrong_modes() && !self.of(Aspect::Time).is_empty()
    }

    /// Whether the layer is what it must be.
    pub fn is_right(&self) -> bool {
        self.is_done() && self.differences.is_empty() && self.outside.is_harmless()
    }
}

/// Where `target` leads from `directory`, by the names alone.
fn along(directory: &Path, target: &Path) -> PathBuf {
    let mut path = directory.to_owned();
    for part in target.components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path
}
