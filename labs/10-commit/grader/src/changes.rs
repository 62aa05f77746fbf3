//! What changed_files says of a write layer, and what is wrong with it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use labkit::describe::{Failure, result};
use labkit::frame::{Facts, Rule, Rules, Words, error_of, rule};
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;

use crate::LAB;
use crate::acts::{CHANGED_FILES, Told};
use crate::oracle::World;
use crate::world::{Node, OPAQUE, What};

/// What the function said of a world.
#[derive(Debug)]
pub struct Compared {
    pub world: World,
    pub expected: Vec<Told>,
    pub said: Result<Vec<Told>, Failure>,
}

/// The first thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
enum Wrong<'a> {
    /// It is a change, and is not listed.
    Missing(&'a Told),
    /// It is listed, and is not a change.
    Extra(&'a Told),
    /// It is listed otherwise.
    Differs {
        expected: &'a Told,
        said: &'a Told,
    },
    Twice(&'a Told),
    Order(&'a Told),
}

impl Compared {
    pub fn new(world: &World, said: Result<Vec<Told>, Failure>) -> Compared {
        Compared { expected: world.changes(), world: world.clone(), said }
    }

    pub fn is_right(&self) -> bool {
        self.said.as_ref() == Ok(&self.expected)
    }

    /// Judges it, with both lists as evidence.
    ///
    /// # Errors
    /// It is not right: what is wrong.
    pub fn judge(&self) -> Result<(), Finding> {
        RULES.judge(self, self.is_right(), || self.evidence())
    }

    /// What must be said and what was, where these differ.
    pub fn evidence(&self) -> Vec<Evidence> {
        let what = format!("{}(…)", CHANGED_FILES.function);
        let said = match &self.said {
            Err(_) => return vec![Evidence::differs(what, "Ok", result(&self.said))],
            Ok(said) => said,
        };
        let shown = |told: &[Told], others: &[Told]| {
            let lines = told.iter().filter(|it| !others.contains(it)).map(shown);
            let lines: Vec<String> = lines.take(LINES).collect();
            if lines.is_empty() { "-".to_owned() } else { lines.join(", ") }
        };
        let lists = match self.wrong() {
            Some(Wrong::Order(_) | Wrong::Twice(_)) => {
                [shown(&self.expected, &[]), shown(said, &[])]
            }
            _ => [shown(&self.expected, said), shown(said, &self.expected)],
        };
        let [expected, said] = lists;
        vec![Evidence::differs(what, expected, said)]
    }

    /// The first in the order of the names; what is twice or elsewhere in the list comes
    /// after all others.
    fn wrong(&self) -> Option<Wrong<'_>> {
        let said = self.said.as_ref().ok()?;
        let find = |all: &'_ [Told], path: &[u8]| all.iter().position(|it| it.path == path);
        let of_expected = self.expected.iter().filter_map(|expected| {
            match find(said, &expected.path).map(|at| &said[at]) {
                None => Some((path(expected), Wrong::Missing(expected))),
                Some(it) if it != expected => {
                    Some((path(expected), Wrong::Differs { expected, said: it }))
                }
                Some(_) => None,
            }
        });
        let extra = said.iter().filter(|it| find(&self.expected, &it.path).is_none());
        let extra = extra.map(|it| (path(it), Wrong::Extra(it)));
        let first = of_expected.chain(extra).min_by_key(|(path, _)| *path);
        if let Some((_, wrong)) = first {
            return Some(wrong);
        }
        let twice = said.iter().enumerate().find(|(at, it)| find(said, &it.path) < Some(*at));
        if let Some((_, it)) = twice {
            return Some(Wrong::Twice(it));
        }
        let moved = said.iter().zip(&self.expected).find(|(said, expected)| said != expected);
        moved.map(|(said, _)| Wrong::Order(said))
    }

    /// Whether what is listed rightly is in another order.
    fn is_in_other_order(&self) -> bool {
        let said: Vec<&[u8]> = self.said.iter().flatten().map(|it| it.path.as_slice()).collect();
        let expected = self.expected.iter().map(|it| it.path.as_slice());
        let expected: Vec<&[u8]> = expected.filter(|it| said.contains(it)).collect();
        !said.iter().filter(|it| expected.contains(it)).eq(expected.iter())
    }

    /// The path that is wrong.
    fn path(&self) -> Option<&Path> {
        let told = match self.wrong()? {
            Wrong::Missing(it) | Wrong::Extra(it) | Wrong::Twice(it) | Wrong::Order(it) => it,
            Wrong::Differs { expected, .. } => expected,
        };
        Some(path(told))
    }

    /// What the write layer has there.
    fn node(&self) -> Option<&Node> {
        self.world.write.get(self.path()?)
    }

    fn is(&self, what: &What) -> bool {
        self.node().is_some_and(|node| node.what == *what)
    }

    fn says_otherwise(&self, expected_kind: char, said_kinds: &[char]) -> bool {
        matches!(self.wrong(), Some(Wrong::Differs { expected, said })
            if expected.kind == expected_kind && said_kinds.contains(&said.kind))
    }

    fn leaves_out(&self, kind: char) -> bool {
        matches!(self.wrong(), Some(Wrong::Missing(it)) if it.kind == kind)
    }

    fn invents(&self, kinds: &[char]) -> bool {
        matches!(self.wrong(), Some(Wrong::Extra(it)) if kinds.contains(&it.kind))
    }

    /// Whether a directory of the write layer above the path is opaque.
    fn is_under_opaque(&self) -> bool {
        let Some(path) = self.path() else { return false };
        path.ancestors().skip(1).any(|it| self.world.write.get(it).is_some_and(Node::is_opaque))
    }

    /// Whether a layer below has the path, without regard to what hides it.
    fn is_in_a_layer(&self) -> bool {
        self.path().is_some_and(|path| self.world.below.iter().any(|it| it.contains_key(path)))
    }

    /// Whether the topmost layer lacks it, and another one has it.
    fn is_only_deeper(&self) -> bool {
        let Some(path) = self.path() else { return false };
        let mut layers = self.world.below.iter();
        let topmost = layers.next().is_some_and(|it| it.contains_key(path));
        !topmost && layers.any(|it| it.contains_key(path))
    }

    /// Whether the path leads through a symbolic link, of whatever layer.
    fn is_through_a_link(&self) -> bool {
        let Some(path) = self.path() else { return false };
        let is_link = |node: &Node| matches!(node.what, What::Symlink(_));
        let mut all = self.world.below.iter().chain([&self.world.write]);
        let parents = || path.ancestors().skip(1);
        all.any(|layer| parents().any(|it| layer.get(it).is_some_and(is_link)))
    }
}

fn path(told: &Told) -> &Path {
    Path::new(OsStr::from_bytes(&told.path))
}

/// More lines are not shown.
const LINES: usize = 8;

/// `C root/notes`.
fn shown(told: &Told) -> String {
    let path = |bytes: &[u8]| bytes.escape_ascii().to_string();
    match &told.hard_link {
        None => format!("{} {}", told.kind, path(&told.path)),
        Some(first) => format!("{} {} = {}", told.kind, path(&told.path), path(first)),
    }
}

impl Facts for Compared {
    fn words(&self) -> Words {
        let mut words = error_of(&self.said);
        let path = self.path().map_or(b"-".as_slice(), |path| path.as_os_str().as_bytes());
        words.push(("path", path.escape_ascii().to_string()));
        words
    }
}

/// The rules on what was said.
pub static RULES: Rules<Compared> =
    Rules { lab: LAB, function: CHANGED_FILES.function, tables: &[LIST, MARKS, BELOW] };

const LIST: &[Rule<Compared>] = &[
    rule("link-followed", |it| {
        it.said.as_ref().is_err_and(|it| it.errno == Some(Errno::ELOOP as i32))
    }),
    rule("answer/returned-error", |it| it.said.is_err()),
    rule("answer/did-nothing", |it| it.said.as_ref().is_ok_and(Vec::is_empty)),
    rule("paths-not-relative", |it| {
        let said = it.said.iter().flatten();
        let mut paths = said.map(path);
        paths.any(|path| path.is_absolute() || path.starts_with(".") || path == Path::new(""))
    }),
    rule("lossy-names", |it| {
        let lossy = |path: &[u8]| String::from_utf8_lossy(path).into_owned().into_bytes();
        let mut odd = it.expected.iter().filter(|it| lossy(&it.path) != it.path);
        odd.any(|odd| it.said.iter().flatten().any(|said| said.path == lossy(&odd.path)))
    }),
    rule("listed-twice", |it| matches!(it.wrong(), Some(Wrong::Twice(_)))),
    rule("wrong-order", |it| match it.wrong() {
        Some(Wrong::Order(_)) => true,
        // Which name is the first depends on the order.
        Some(Wrong::Differs { expected, said }) => {
            expected.kind == said.kind && it.is_in_other_order()
        }
        _ => false,
    }),
];

const MARKS: &[Rule<Compared>] = &[
    rule("whiteout-as-file", |it| {
        it.is(&What::Whiteout)
            && (it.says_otherwise('D', &['A', 'C', 'E']) || it.invents(&['A', 'C', 'E']))
    }),
    rule("whiteout-of-nothing", |it| it.is(&What::Whiteout) && it.invents(&['D'])),
    rule("whiteout-left-out", |it| it.leaves_out('D')),
    rule("opaque-value-not-read", |it| {
        let is_marked = |node: &Node| node.xattrs.iter().any(|(name, _)| name == OPAQUE);
        let is_other = it.node().is_some_and(|node| is_marked(node) && !node.is_opaque());
        is_other && (it.says_otherwise('C', &['E']) || it.invents(&['E']))
    }),
    rule("new-folder-emptied", |it| {
        it.says_otherwise('A', &['E']) || it.says_otherwise('C', &['E'])
    }),
    rule("opaque-not-seen", |it| {
        it.says_otherwise('E', &['A', 'C', 'D'])
            || it.leaves_out('E')
            || it.is_under_opaque()
                && (it.says_otherwise('A', &['C'])
                    || it.is(&What::Directory) && it.leaves_out('A')
                    || it.invents(&['D', 'C']))
    }),
    rule("link-followed", |it| {
        let is_link = it.node().is_some_and(|node| matches!(node.what, What::Symlink(_)));
        is_link && matches!(it.wrong(), Some(Wrong::Differs { .. } | Wrong::Missing(_)))
    }),
    rule("whiteout-as-hard-link", |it| {
        it.is(&What::Whiteout)
            && matches!(it.wrong(), Some(Wrong::Differs { said, .. }) if said.hard_link.is_some())
    }),
    rule("hard-links-not-told", |it| {
        matches!(it.wrong(), Some(Wrong::Differs { expected, said })
            if expected.kind == said.kind && expected.hard_link != said.hard_link)
    }),
];

const BELOW: &[Rule<Compared>] = &[
    rule("link-followed", |it| {
        it.is_through_a_link() && (it.says_otherwise('A', &['C']) || it.invents(&['A', 'C']))
    }),
    rule("only-the-topmost-layer", |it| {
        it.is_only_deeper() && (it.says_otherwise('C', &['A']) || it.invents(&['A']))
    }),
    rule("hidden-below-not-seen", |it| it.says_otherwise('A', &['C']) && it.is_in_a_layer()),
    rule("copied-up-folder-listed", |it| it.is(&What::Directory) && it.invents(&['A', 'C'])),
    rule("changed-folder-left-out", |it| it.is(&What::Directory) && it.leaves_out('C')),
    rule("same-file-left-out", |it| !it.is(&What::Directory) && it.leaves_out('C')),
    rule("entry-left-out", |it| it.leaves_out('A')),
    rule("below-not-looked-up", |it| it.says_otherwise('C', &['A'])),
];
