//! create_init_layer.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use labkit::describe::{Failure, result, tree};
use labkit::frame::{Facts, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, Whose};

use crate::LAB;
use crate::acts::CREATE_INIT_LAYER;
use crate::handed_down::HandedDown;
use crate::image_times::no_directory_is_listed;
use crate::init_host::{CLOSED_ETC, ETC, Links, Resolver, UNREADABLE_ETC, dropped_line};
use crate::init_scene::{Caller, HOSTNAME, Made, PLAIN, Scene};

/// A drawn tree without what is in the files: one has random words in it.
fn without_contents(drawing: &str) -> String {
    let names = drawing.lines().map(|line| line.split_once("  \"").map_or(line, |(name, _)| name));
    names.collect::<Vec<_>>().join("\n")
}

/// The path of what is in the init layer, for a reader.
fn shown(name: &str) -> String {
    if name == "." { "init-layer".to_owned() } else { format!("init-layer/{name}") }
}

/// What is in a file, for a reader.
fn quoted(content: &[u8]) -> String {
    match str::from_utf8(content) {
        _ if content.len() > 4_000 => format!("{} bytes", content.len()),
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", content.escape_ascii()),
    }
}

/// A mode as chmod(1) takes it.
pub fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

/// Whether a line of /etc/hosts gives `address` this name. See hosts(5).
fn has_line(hosts: &str, address: &str, name: &str) -> bool {
    hosts.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(address) && words.any(|word| word == name)
    })
}

impl Made {
    fn read(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let path = self.init_layer.join(name);
        match path.read_link() {
            Ok(target) => Ok(format!("a link to {}", target.display()).into_bytes()),
            Err(_) => fs::read(path).map_err(Failure::from),
        }
    }

    /// What is not as it must be, one piece of evidence for each.
    fn wrong_files(&self) -> Vec<Evidence> {
        let mut wrong = Vec::new();
        let mut expect = |holds: bool, name: &str, expected: &[u8]| {
            if !holds {
                let seen = self.read(name).unwrap_or_else(|it| it.to_string().into_bytes());
                let what = format!("init-layer/{name}");
                wrong.push(Evidence::differs(what, quoted(expected), quoted(&seen)));
            }
        };
        let is = |name: &str, content: &[u8]| self.read(name).is_ok_and(|it| it == content);
        let hostname = format!("{HOSTNAME}\n").into_bytes();
        expect(is("etc/hostname", &hostname), "etc/hostname", &hostname);
        let hosts = self.read("etc/hosts").unwrap_or_default();
        let hosts = String::from_utf8_lossy(&hosts);
        let has_both =
            has_line(&hosts, "127.0.0.1", "localhost") && has_line(&hosts, "127.0.1.1", HOSTNAME);
        let lines = format!("127.0.0.1 localhost\n127.0.1.1 {HOSTNAME}\n");
        expect(has_both, "etc/hosts", lines.as_bytes());
        let expected = match self.resolver {
            // There are random words in it.
            Resolver::File | Resolver::Link => b"as the host's",
            _ => self.resolv_conf.as_slice(),
        };
        expect(is("etc/resolv.conf", &self.resolv_conf), "etc/resolv.conf", expected);
        wrong
    }

    /// The directories that are lacking, or are none.
    fn wrong_directories(&self) -> Vec<&'static str> {
        let is_one = |name: &str| {
            self.init_layer.join(name).symlink_metadata().is_ok_and(|data| data.is_dir())
        };
        ["etc", "dev", "proc", "sys"].into_iter().filter(|name| !is_one(name)).collect()
    }

    /// What has another mode than it must have: its name, that mode, and its own.
    fn wrong_modes(&self) -> Vec<(&'static str, u32, u32)> {
        let lstat = |top: &Path, name: &str| top.join(name).symlink_metadata().ok();
        let mode = |data: fs::Metadata| data.mode() & 0o7777;
        let of_the_image = |name: &str| {
            let directory = lstat(&self.image.folder, name).filter(fs::Metadata::is_dir);
            directory.map_or(0o755, mode)
        };
        let seen = |name: &str| lstat(&self.init_layer, name).map_or(0, mode);
        let own = [
            (".", 0o755),
            ("etc/hostname", 0o644),
            ("etc/hosts", 0o644),
            ("etc/resolv.conf", 0o644),
        ];
        let shared = ["etc", "dev", "proc", "sys"].map(|name| (name, of_the_image(name)));
        let all = own.into_iter().chain(shared);
        let all = all.map(|(name, expected)| (name, expected, seen(name)));
        all.filter(|(_, expected, seen)| expected != seen).collect()
    }

    /// The first wrong mode, if that is all there is to it.
    fn wrong_mode_is(&self, so: impl FnOnce(&str, u32, u32) -> bool) -> bool {
        self.wrong_modes().first().is_some_and(|(name, expected, seen)| so(name, *expected, *seen))
    }

    fn has_link_outside(&self) -> bool {
        let is_link = |name: &str| {
            let target = self.init_layer.join(name).read_link();
            target.is_ok_and(|target| target.starts_with(&self.outside.folder))
        };
        ["etc", "dev", "proc", "sys", "etc/hosts", "etc/resolv.conf"].into_iter().any(is_link)
    }

    /// Whether the image has a link there, and its target's mode was taken.
    fn has_mode_of_a_target(&self) -> bool {
        self.wrong_mode_is(|name, _, seen| {
            let path = self.image.folder.join(name);
            path.is_symlink() && path.metadata().is_ok_and(|data| data.mode() & 0o7777 == seen)
        })
    }

    /// A line that is lacking where a server is on the machine itself.
    fn dropped_line(&self) -> Option<String> {
        let copy = self.read("etc/resolv.conf").ok()?;
        (self.resolver == Resolver::Local).then(|| dropped_line(&self.resolv_conf, &copy))?
    }

    pub fn is_right(&self) -> bool {
        self.wrong_files().is_empty()
            && self.wrong_directories().is_empty()
            && self.wrong_modes().is_empty()
    }
}

impl Facts for Made {
    fn words(&self) -> Words {
        let mut words = error_of(&self.seen.returned);
        words.push(("outside", self.outside.folder.display().to_string()));
        words.push(("etc", octal(self.etc)));
        words.extend(self.dropped_line().map(|line| ("line", line)));
        words.extend(self.handed_down.map(|it| ("command", it.command().to_owned())));
        if let Some(name) = self.wrong_directories().first() {
            words.push(("name", (*name).to_owned()));
        } else if let Some((name, expected, seen)) = self.wrong_modes().first() {
            words.push(("name", shown(name)));
            words.extend([("expected", octal(*expected)), ("mode", octal(*seen))]);
        }
        words
    }
}

const fn rules(tables: &'static [&'static [Rule<Made>]]) -> Rules<Made> {
    Rules { lab: LAB, function: CREATE_INIT_LAYER.function, tables }
}

pub static ALL: Rules<Made> = rules(&[GENERAL, FILES, MODES]);
static IMAGE: Rules<Made> = rules(&[GENERAL]);
static FILES_ONLY: Rules<Made> = rules(&[GENERAL, FILES]);
static MODES_ONLY: Rules<Made> = rules(&[GENERAL, MODES]);

/// What is wrong with all of it.
const GENERAL: &[Rule<Made>] = &[
    rule("mounted-for-the-init-layer", |it| !it.seen.container_changes().is_empty()),
    rule("link-followed", Made::has_link_outside),
    // A link of the image may have led further.
    rule("init-files-in-the-image", |it| !it.image.is_untouched() || !it.outside.is_untouched()),
    rule("no-resolver-is-no-error", |it| !it.resolver.is_there() && it.seen.returned.is_err()),
    rule("failed-call-not-told", |it| {
        it.resolver == Resolver::Unreadable && it.seen.returned.is_ok()
    }),
    rule("resolver-read-as-text", |it| it.resolver == Resolver::Bytes && it.seen.returned.is_err()),
    rule("image-mode-too-early", |it| {
        it.caller == Caller::Owner && it.etc == CLOSED_ETC && it.seen.returned.is_err()
    }),
    rule("unreadable-directory-refused", |it| {
        let is_unreadable = it.caller == Caller::Owner && UNREADABLE_ETC.contains(&it.etc);
        is_unreadable && it.seen.returned.is_err()
    }),
    rule("answer/returned-error", |it| it.seen.returned.is_err()),
    rule("answer/did-nothing", |it| !it.init_layer.exists()),
    rule("mount-point-left-to-the-image", |it| !it.wrong_directories().is_empty()),
];

/// What is wrong with the files.
const FILES: &[Rule<Made>] = &[
    rule("resolver-read-as-text", |it| {
        it.resolver == Resolver::Bytes && !it.wrong_files().is_empty()
    }),
    rule("resolver-line-dropped", |it| it.dropped_line().is_some()),
    rule("init-file-wrong", |it| !it.wrong_files().is_empty()),
];

/// What is wrong with the modes.
const MODES: &[Rule<Made>] = &[
    rule("link-followed", Made::has_mode_of_a_target),
    rule("mode-handed-down", |it| {
        let is_it = |how: HandedDown| it.wrong_mode_is(|_, must, is| how.explains(must, is));
        it.handed_down.is_some_and(is_it)
    }),
    rule("closed-by-the-umask", |it| {
        it.wrong_mode_is(|_, expected, seen| seen == expected & !0o077)
    }),
    rule("image-mode-lost", |it| {
        it.wrong_mode_is(|name, expected, _| {
            let in_the_image = it.image.folder.join(name).symlink_metadata();
            in_the_image.is_ok_and(|data| data.is_dir() && data.mode() & 0o7777 == expected)
        })
    }),
    rule("mode-not-as-asked", |it| !it.wrong_modes().is_empty()),
];

fn judge(made: &Made, rules: &Rules<Made>, evidence: Vec<Evidence>) -> Result<(), Finding> {
    let kept = evidence.is_empty()
        && made.seen.returned.is_ok()
        && made.seen.container_changes().is_empty();
    rules.judge(made, kept, || {
        let mut all = evidence;
        let changes = made.seen.container_changes();
        if !changes.is_empty() {
            all.push(Evidence::changes(Whose::Container, &changes));
        }
        all.push(drawn(made));
        all
    })
}

pub fn drawn(made: &Made) -> Evidence {
    let drawing = without_contents(&tree(&made.init_layer).unwrap_or_default());
    Evidence::Tree { what: "init-layer".to_owned(), drawing }
}

/// All files and directories that are not as they must be.
fn wrong_files_and_directories(made: &Made) -> Vec<Evidence> {
    let mut wrong = made.wrong_files();
    for name in made.wrong_directories() {
        wrong.push(Evidence::differs(format!("init-layer/{name}"), "a directory", "-"));
    }
    wrong
}

fn wrong_modes(made: &Made) -> Vec<Evidence> {
    let command = made.handed_down.map_or(String::new(), |it| format!("; {}", it.command()));
    let evidence = |(name, expected, seen): (&str, u32, u32)| {
        let what = format!("the mode of {}, made with umask 077{command}", shown(name));
        Evidence::differs(what, octal(expected), octal(seen))
    };
    made.wrong_modes().into_iter().map(evidence).collect()
}

pub fn init_layer_has_its_files(host: &Host) -> Result<(), Finding> {
    let made = PLAIN.observe(host)?;
    judge(&made, &FILES_ONLY, wrong_files_and_directories(&made))
}

/// Whether it is a file, a link or nothing, or cannot be read.
pub fn resolver_is_the_hosts(host: &Host) -> Result<(), Finding> {
    // Plain ones first: what is wrong with those is not due to what is odd about others.
    for resolver in [
        Resolver::File,
        Resolver::Link,
        Resolver::None,
        Resolver::Dangling,
        Resolver::Bytes,
        Resolver::Lines,
        Resolver::Long,
        Resolver::Local,
    ] {
        let made = Scene { resolver, ..PLAIN }.observe(host)?;
        let mut evidence = wrong_files_and_directories(&made);
        if resolver == Resolver::Bytes && made.seen.returned.is_err() {
            let what = "create_init_layer(…)";
            evidence.insert(0, Evidence::differs(what, "Ok", result(&made.seen.returned)));
        }
        judge(&made, &FILES_ONLY, evidence)?;
    }
    let made = Scene { resolver: Resolver::Unreadable, ..PLAIN }.observe(host)?;
    FILES_ONLY.judge(&made, made.seen.returned.is_err(), || {
        let what = "create_init_layer(…) while read(2) of /etc/resolv.conf fails with EISDIR";
        vec![Evidence::differs(what, "Err", "Ok"), drawn(&made)]
    })
}

pub fn everybody_can_read_the_init_layer(host: &Host) -> Result<(), Finding> {
    let made = PLAIN.observe(host)?;
    judge(&made, &MODES_ONLY, wrong_modes(&made))?;
    for handed_down in HandedDown::ALL {
        let made = Scene { handed_down: Some(handed_down), ..PLAIN }.observe(host)?;
        judge(&made, &MODES_ONLY, wrong_modes(&made))?;
    }
    // Without root's capabilities, a directory must be filled before it is closed to its owner,
    // and the image's must not be opened: a mode is seen without that.
    for etc in [ETC, CLOSED_ETC].into_iter().chain(UNREADABLE_ETC) {
        let made = Scene { caller: Caller::Owner, etc, ..PLAIN }.observe(host)?;
        let mut evidence = wrong_modes(&made);
        if made.seen.returned.is_err() {
            let what = format!("chmod {etc:04o} image/etc; create_init_layer(…)");
            evidence = vec![Evidence::differs(what, "Ok", result(&made.seen.returned))];
        }
        judge(&made, &MODES_ONLY, evidence)?;
    }
    Ok(())
}

pub fn the_image_is_never_written(host: &Host) -> Result<(), Finding> {
    let made = PLAIN.observe(host)?;
    let changed = Evidence::differs("the image", "as before", "changed");
    judge(&made, &IMAGE, if made.image.is_untouched() { Vec::new() } else { vec![changed] })?;
    no_directory_is_listed(host)
}

pub fn links_of_the_image_are_covered(host: &Host) -> Result<(), Finding> {
    for links in [Links::Directories, Links::Files] {
        let made = Scene { links, ..PLAIN }.observe(host)?;
        let mut evidence = wrong_files_and_directories(&made);
        if !made.outside.is_untouched() {
            let what = format!("{}, where the image's links lead", made.outside.folder.display());
            evidence.push(Evidence::differs(what, "as before", "changed"));
        }
        if evidence.is_empty() {
            evidence = wrong_modes(&made);
        }
        judge(&made, &ALL, evidence)?;
    }
    Ok(())
}
