//! overlay_options.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use mydocker::workspace::overlay::{split_layers, split_options};
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;

use crate::overlay::user_xattr;
use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "overlay_options";

/// What the function was given.
struct Layers {
    lower: Vec<PathBuf>,
    upper: PathBuf,
    work: PathBuf,
    user_xattr: bool,
}

/// What the kernel reads in the text that the function has returned.
struct Read {
    asked: Layers,
    text: OsString,
    lower: Vec<PathBuf>,
    upper: Option<PathBuf>,
    work: Option<PathBuf>,
    /// How often there is `lowerdir=`.
    lowerdirs: usize,
    user_xattr: bool,
}

fn plain(user_xattr: bool) -> Layers {
    Layers {
        lower: ["/w/init-layer", "/image/2", "/image/1"].map(PathBuf::from).to_vec(),
        upper: "/w/write-layer".into(),
        work: "/w/work".into(),
        user_xattr,
    }
}

/// Paths below `folder` that have a meaning in the options if they are not
/// escaped, one that is no UTF-8, and one that only looks escaped.
fn hostile(folder: &Path) -> Layers {
    let path = |name: &[u8]| folder.join(OsStr::from_bytes(name));
    Layers {
        lower: vec![path(b"a:b"), path(b"c,d"), path(b"e\\f"), path(b"g\\:h"), path(b"i \xff")],
        upper: path(b"write,layer"),
        work: path(b"work\\"),
        user_xattr: user_xattr(),
    }
}

fn call(answers: &Answers, asked: &Layers) -> OsString {
    let lower: Vec<&Path> = asked.lower.iter().map(PathBuf::as_path).collect();
    (answers.overlay_options)(&lower, &asked.upper, &asked.work, asked.user_xattr)
}

fn read(answers: &Answers, host: &Host, asked: Layers) -> Result<Read, Finding> {
    let text = host.call(FUNCTION, CloneFlags::empty(), || call(answers, &asked))?.returned;
    let options = split_options(&text);
    // Of an option that is there twice the last one counts.
    let last = |name: &str| {
        let value = options.iter().rfind(|(it, _)| it == name).map(|(_, value)| value);
        value.map(|value| split_layers(value).into_iter().map(PathBuf::from).collect())
    };
    let folder = |name: &str| last(name).map(|folders: Vec<PathBuf>| folders.iter().collect());
    Ok(Read {
        lower: last("lowerdir").unwrap_or_default(),
        upper: folder("upperdir"),
        work: folder("workdir"),
        lowerdirs: options.iter().filter(|(name, _)| name == "lowerdir").count(),
        user_xattr: options.iter().any(|(name, _)| name == "userxattr"),
        asked,
        text,
    })
}

impl Read {
    fn is_as_asked(&self) -> bool {
        self.lower == self.asked.lower
            && self.upper.as_ref() == Some(&self.asked.upper)
            && self.work.as_ref() == Some(&self.asked.work)
            && self.lowerdirs == 1
    }

    fn diagnose(&self) -> Option<Finding> {
        let Layers { lower, upper, work, .. } = &self.asked;
        let text = self.text.as_bytes();
        let has_bytes = |path: &Path| {
            let path = path.as_os_str().as_bytes();
            text.windows(path.len()).any(|window| window == path)
        };
        if self.lowerdirs > 1 {
            return Some(finding("lowerdir-repeated"));
        }
        if self.upper.as_ref().is_some_and(|upper| lower.contains(upper)) {
            return Some(finding("upper-is-a-lower-layer"));
        }
        if self.upper.as_ref() == Some(work) && self.work.as_ref() == Some(upper) {
            return Some(finding("upper-and-work-swapped"));
        }
        if self.work.is_none() {
            return Some(finding("no-workdir"));
        }
        if self.work == self.upper {
            return Some(finding("upper-and-work-equal"));
        }
        if self.work.as_ref().is_some_and(|work| work.starts_with(upper) && work != upper) {
            return Some(finding("work-in-the-write-layer"));
        }
        if !lower.is_empty() && self.lower.iter().rev().eq(lower) {
            return Some(finding("lower-order-reversed"));
        }
        if text.windows(3).any(|window| window == "\u{fffd}".as_bytes()) {
            return Some(finding("not-utf-8"));
        }
        let as_it_is = |separators: &[u8]| {
            let has =
                |path: &Path| path.as_os_str().as_bytes().iter().any(|it| separators.contains(it));
            lower.iter().any(|path| has(path) && has_bytes(path))
        };
        if as_it_is(b":,") {
            return Some(finding("not-escaped"));
        }
        if as_it_is(b"\\") {
            return Some(finding("backslash-not-escaped"));
        }
        match (self.asked.user_xattr, self.user_xattr) {
            (true, false) => Some(finding("no-userxattr")),
            (false, true) => Some(finding("userxattr-always")),
            _ => None,
        }
    }

    fn require(&self, kept: bool) -> Result<(), Finding> {
        let Layers { lower, upper, work, user_xattr } = &self.asked;
        let evidence = || {
            let mut evidence = vec![Evidence::Tree {
                what: format!("{FUNCTION}(…)"),
                drawing: display(&self.text),
            }];
            for (option, expected, seen) in [
                ("lowerdir", quoted(lower), quoted(&self.lower)),
                ("upperdir", quoted([upper]), quoted(&self.upper)),
                ("workdir", quoted([work]), quoted(&self.work)),
            ] {
                if expected != seen {
                    let what = format!("{option}, as the kernel reads it");
                    evidence.push(Evidence::differs(what, expected, seen));
                }
            }
            if *user_xattr != self.user_xattr {
                let word = |given| if given { "userxattr" } else { "-" };
                let what = format!("{FUNCTION}(…, user_xattr: {user_xattr})");
                evidence.push(Evidence::differs(what, word(*user_xattr), word(self.user_xattr)));
            }
            evidence
        };
        require(kept, evidence, || self.diagnose(), UNFORESEEN)
    }
}

/// The text, with `\xFF` for a byte that is no UTF-8.
fn display(text: &OsStr) -> String {
    let mut shown = String::new();
    for chunk in text.as_bytes().utf8_chunks() {
        shown += chunk.valid();
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    shown
}

fn quoted<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> String {
    let paths: Vec<String> = paths.into_iter().map(|path| format!("{path:?}")).collect();
    if paths.is_empty() { "-".to_owned() } else { paths.join(" ") }
}

pub fn each_layer_is_in_its_place(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let read = read(answers, host, plain(true))?;
    read.require(read.is_as_asked())
}

pub fn any_path_can_be_an_option(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let read = read(answers, host, hostile(&host.path("layers")))?;
    read.require(read.is_as_asked())
}

pub fn userxattr_only_where_asked(answers: &Answers, host: &Host) -> Result<(), Finding> {
    for user_xattr in [true, false] {
        let read = read(answers, host, plain(user_xattr))?;
        read.require(read.user_xattr == user_xattr)?;
    }
    Ok(())
}

/// The kernel's own word on it.
pub fn the_kernel_takes_the_options(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let read = read(answers, host, hostile(&host.path("layers")))?;
    let mnt = host.path("mnt");
    let Layers { lower, upper, work, .. } = &read.asked;
    for folder in lower.iter().chain([upper, work, &mnt]) {
        fs::create_dir_all(folder).expect("a folder in the scratch folder");
    }
    // Each layer has `layer` of its own; the topmost one's is seen.
    for folder in lower {
        fs::write(folder.join("layer"), folder.as_os_str().as_bytes()).expect("in a layer");
    }
    let mounted: Result<(), Failure> = mount(
        Some("overlay"),
        &mnt,
        Some("overlay"),
        MsFlags::empty(),
        Some(read.text.as_os_str()),
    )
    .map_err(|errno| Failure::from(std::io::Error::from(errno)));
    let topmost = fs::read(mnt.join("layer")).unwrap_or_default();
    let written = fs::write(mnt.join("new"), "").is_ok() && upper.join("new").exists();
    let kept = topmost == lower[0].as_os_str().as_bytes() && written;
    read.require(kept).map_err(|finding| {
        let what = "mount(\"overlay\", mnt, \"overlay\", 0, options)";
        finding.with([Evidence::differs(what, "Ok", result(&mounted))])
    })
}
