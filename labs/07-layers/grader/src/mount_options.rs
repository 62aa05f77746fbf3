//! The options of create_mount_point, and its errors.

use std::cell::{Cell, RefCell};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use labkit::call::Seen;
use labkit::deciding::Asked;
use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::overlay::user_xattr;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::mountinfo::Mount;
use nix::libc::SYS_mount;

use crate::LAB;
use crate::acts::{CREATE_MOUNT_POINT, Layers, OVERLAY_OPTIONS};
use crate::failing::{Attempt, each_is_told};
use crate::layer::{directories, fill};
use crate::mount_point::mnt_shows_all_layers;
use crate::there_already;
use crate::what_was_there::Before;

/// A mount with userxattr, or without.
struct Optional {
    is_asked: bool,
    is_given: bool,
    seen: Seen<Returned>,
}

impl Facts for Optional {
    fn words(&self) -> Words {
        error_of(&self.seen.returned)
    }
}

static OPTION: Rules<Optional> = Rules {
    lab: LAB,
    function: CREATE_MOUNT_POINT.function,
    tables: &[&[
        rule("no-userxattr", |it| it.is_asked && !it.is_given && it.seen.returned.is_ok()),
        rule("userxattr-always", |it| !it.is_asked && it.is_given),
    ]],
};

pub fn userxattr_is_passed_on(host: &Host) -> Result<(), Finding> {
    // What is wrong anyway is not wrong for this.
    mnt_shows_all_layers(host)?;
    for is_asked in [true, false] {
        let workspace = host.path(&format!("userxattr-{is_asked}"));
        let image = workspace.join("image");
        directories(&workspace, ["init-layer", "write-layer", "work", "image"]);
        let seen = host.act(&CREATE_MOUNT_POINT, (workspace.clone(), image, is_asked)).make()?;
        let mounted = seen.host_after.at(&workspace.join("mnt"));
        let it = Optional { is_asked, is_given: mounted.is_some_and(has_userxattr), seen };
        let kept = it.seen.returned.is_ok() && it.is_given == is_asked;
        OPTION.judge(&it, kept, || {
            let word = |given| if given { "userxattr" } else { "-" };
            let what = format!("create_mount_point(…, user_xattr: {is_asked}): its option");
            vec![Evidence::differs(what, word(is_asked), word(it.is_given))]
        })?;
    }
    Ok(())
}

/// A mount that must fail.
struct Refused {
    seen: Seen<Returned>,
    workspace: PathBuf,
    /// Whether another one, with shorter paths, had the option userxattr.
    short_has_userxattr: bool,
    /// The options that mount(2) was given at last, if none of them was cut off.
    whole_options: Option<Vec<u8>>,
}

impl Refused {
    /// Whether the last options that it has tried were short enough, and not those that were
    /// asked for.
    fn has_left_out_userxattr(&self) -> bool {
        let has_it =
            |options: &Vec<u8>| options.split(|byte| *byte == b',').any(|it| it == b"userxattr");
        self.whole_options.as_ref().is_some_and(|options| !has_it(options))
    }

    fn mounted(&self) -> Option<&Mount> {
        self.seen.host_after.at(&self.workspace.join("mnt"))
    }
}

impl Facts for Refused {
    fn words(&self) -> Words {
        error_of(&self.seen.returned)
    }
}

static NO_IMAGE: Rules<Refused> = Rules {
    lab: LAB,
    function: CREATE_MOUNT_POINT.function,
    tables: &[&[
        rule("error-ignored", |it| {
            it.seen.host_changes().is_empty() && it.workspace.join("mnt").exists()
        }),
        rule("answer/did-nothing", |it| it.seen.host_changes().is_empty()),
    ]],
};

pub fn a_failed_mount_is_told(host: &Host) -> Result<(), Finding> {
    let workspace = host.path("workspace");
    let image = host.path("no-such-image");
    fill_layers(&workspace);
    let before = Before::of(&workspace);
    let input = (workspace.clone(), image.clone(), user_xattr());
    let seen = host.act(&CREATE_MOUNT_POINT, input).make()?;
    let it = Refused { seen, workspace, short_has_userxattr: false, whole_options: None };
    NO_IMAGE.judge(&it, it.seen.returned.is_err(), || {
        let call = format!("create_mount_point(workspace, {image:?}), where nothing is");
        let returned = Evidence::differs(call, "Err", result(&it.seen.returned));
        vec![returned, it.seen.host_evidence()]
    })?;
    let plain = || mnt_shows_all_layers(host);
    if let Some(changed) = before.changed_by_an_error(&it.seen.returned) {
        plain()?;
        let call = format!("create_mount_point(workspace, {image:?}), where nothing is");
        return Err(changed.finding(CREATE_MOUNT_POINT.function, &call));
    }
    let furnish = |workspace: &Path| {
        fill_layers(workspace);
        fill(&workspace.with_file_name("image"), &[("bin/sh", "")]);
    };
    let call = |workspace: PathBuf| {
        let image = workspace.with_file_name("image");
        Ok(host.act(&CREATE_MOUNT_POINT, (workspace, image, user_xattr())).make()?.returned)
    };
    let function = CREATE_MOUNT_POINT.function;
    there_already::is_an_error(host, function, &["mnt"], furnish, call, plain)?;
    each_is_told(function, plain, |failing| {
        // Whoever is asked for userxattr may not do without it.
        let is_asked = true;
        let workspace = host.path(&failing.name()).join("workspace");
        let image = workspace.with_file_name("image");
        furnish(&workspace);
        let ground = host.path(&failing.name());
        let before = Before::of(&ground);
        let call = host.act(&CREATE_MOUNT_POINT, (workspace.clone(), image, is_asked));
        let seen = failing.during(call).make()?;
        let mounted = seen.host_after.at(&workspace.join("mnt"));
        let overlay = mounted.filter(|mount| mount.fs_type == "overlay");
        let is_right = overlay.is_some_and(has_userxattr);
        if seen.returned.is_ok() && overlay.is_some() && !is_right {
            plain()?;
            let failed = failing.told(&seen).unwrap_or_default();
            let what = format!("create_mount_point(…) while {failed} fails with EIO");
            let evidence = Evidence::differs(what, "userxattr", "-");
            let it = Optional { is_asked, is_given: false, seen };
            return Err(OPTION.finding("no-userxattr", &it).with([evidence]));
        }
        Ok(Attempt {
            failed: failing.told(&seen),
            is_told_or_right: seen.returned.is_err() || is_right,
            changed: before.changed_by_an_error(&seen.returned),
            drawn: seen.host_evidence(),
        })
    })
}

/// The layers of a workspace, each with a file in it.
fn fill_layers(workspace: &Path) {
    fill(workspace, &[("init-layer/etc/hosts", ""), ("write-layer/notes", ""), ("lock", "")]);
    directories(workspace, ["work"]);
}

/// How many bytes mount(2) takes of the options; what follows is cut off without a
/// word.
const PAGE: usize = 4095;

static TOO_LONG: Rules<Refused> = Rules {
    lab: LAB,
    function: CREATE_MOUNT_POINT.function,
    tables: &[&[
        rule("not-merged", |it| it.mounted().is_some_and(|it| it.fs_type != "overlay")),
        rule("no-userxattr", |it| it.mounted().is_some() && !it.short_has_userxattr),
        rule("no-userxattr", |it| it.mounted().is_some() && it.has_left_out_userxattr()),
        rule("options-cut-off", |it| it.mounted().is_some()),
        rule("mounted-elsewhere", |it| !it.seen.host_changes().is_empty()),
        rule("error-ignored", |it| it.workspace.join("mnt").exists()),
        rule("answer/did-nothing", |it| it.seen.returned.is_ok()),
    ]],
};

/// Options that are so long that the last one of them is cut off, and nothing else.
pub fn options_over_a_page_are_refused(host: &Host) -> Result<(), Finding> {
    let short = host.path("image");
    let short_has_userxattr = {
        let workspace = host.path("short");
        directories(&workspace, ["init-layer", "write-layer", "work"]);
        fs::create_dir(&short).expect("a directory in the scratch directory");
        let input = (workspace.clone(), short.clone(), true);
        let seen = host.act(&CREATE_MOUNT_POINT, input).make()?;
        seen.host_after.at(&workspace.join("mnt")).is_some_and(has_userxattr)
    };
    // Some count characters, and these can be many bytes.
    for (name, letter) in [("page", "x"), ("characters", "层")] {
        the_last_is_not_cut_off(host, &host.path(name), &short, letter, short_has_userxattr)?;
    }
    one_byte_too_many(host)?;
    a_whole_page_is_taken(host)
}

fn the_last_is_not_cut_off(
    host: &Host,
    workspace: &Path,
    short: &Path,
    letter: &str,
    short_has_userxattr: bool,
) -> Result<(), Finding> {
    directories(workspace, ["init-layer", "write-layer", "work"]);
    let text = options_of(host, workspace, short, true)?;
    let last = text.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default().len();
    let image = longer(short, (PAGE + 1 + last).saturating_sub(text.len()), letter);
    fs::create_dir_all(&image).expect("a directory in the scratch directory");

    let workspace = workspace.to_owned();
    let given = Rc::<RefCell<Option<Vec<u8>>>>::default();
    let hear = {
        let given = given.clone();
        move |asked: &Asked| {
            given.replace(asked.text(4));
            None
        }
    };
    let call = host.act(&CREATE_MOUNT_POINT, (workspace.clone(), image, true));
    let seen = call.deciding(&[("mount", &[SYS_mount])], hear).make()?;
    let it = Refused { seen, workspace, short_has_userxattr, whole_options: given.take() };
    let mounted = it.mounted();
    // There are other ways to mount than by one text.
    let is_whole = mounted.is_some_and(has_userxattr);
    let options = mounted.map_or("-".to_owned(), |it| it.super_options.clone());
    TOO_LONG.judge(&it, it.seen.returned.is_err() || is_whole, || {
        let call = format!("create_mount_point(…), with options of {} bytes", PAGE + 1 + last);
        let end = options.rsplit(',').take(2).collect::<Vec<_>>();
        vec![
            Evidence::differs(call, "Err", result(&it.seen.returned)),
            Evidence::differs("the options of the mount", "none", short_of(&end)),
        ]
    })
}

/// Options of which only the last byte is cut off: what the last path is then, is there
/// as well, so that the kernel has no reason to refuse it.
fn one_byte_too_many(host: &Host) -> Result<(), Finding> {
    let workspace = host.path("one-more");
    directories(&workspace, ["init-layer", "write-layer", "work", "write-laye", "wor"]);
    let short = host.path("other-image");
    let text = options_of(host, &workspace, &short, false)?;
    let image = longer(&short, (PAGE + 1).saturating_sub(text.len()), "x");
    for image in [image.clone(), shorter(&image)] {
        fs::create_dir_all(&image).expect("a directory in the scratch directory");
    }

    let seen = host.act(&CREATE_MOUNT_POINT, (workspace.clone(), image, false)).make()?;
    let it = Refused { seen, workspace, short_has_userxattr: true, whole_options: None };
    let options = it.mounted().map_or("-".to_owned(), |it| it.super_options.clone());
    // What is mounted without them, or by another call, is no case for this.
    let ends = ["/one-more/write-laye", "/one-more/wor"];
    let cut = options.split(',').find(|option| ends.iter().any(|end| option.ends_with(end)));
    TOO_LONG.judge(&it, cut.is_none(), || {
        let call = format!("create_mount_point(…), with options of {} bytes", PAGE + 1);
        vec![
            Evidence::differs(call, "Err", result(&it.seen.returned)),
            Evidence::differs("the options of the mount", "none", cut.unwrap_or_default()),
        ]
    })
}

/// A mount by options that fill the page.
struct Whole {
    returned: Returned,
}

impl Facts for Whole {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

static WHOLE: Rules<Whole> = Rules {
    lab: LAB,
    function: CREATE_MOUNT_POINT.function,
    tables: &[&[rule("whole-page-refused", |it| it.returned.is_err())]],
};

/// Options that fill the page, and those that are one byte shorter. Who mounts by other
/// options than those of overlay_options has other lengths: what is given to mount(2) says
/// so.
fn a_whole_page_is_taken(host: &Host) -> Result<(), Finding> {
    let (almost, given) = mount_by(host, "page-1", PAGE - 1)?;
    if almost.is_err() || given != Some(PAGE - 1) {
        return Ok(());
    }
    let (returned, _) = mount_by(host, "page-0", PAGE)?;
    let it = Whole { returned };
    WHOLE.judge(&it, it.returned.is_ok(), || {
        let call = |length| format!("create_mount_point(…), with options of {length} bytes");
        vec![
            Evidence::differs(call(PAGE - 1), "Ok", result(&almost)),
            Evidence::differs(call(PAGE), "Ok", result(&it.returned)),
        ]
    })
}

/// Mounts by options of so many bytes, as overlay_options writes them; and how many the
/// first mount of an overlay was given, if that is seen.
fn mount_by(host: &Host, name: &str, length: usize) -> Result<(Returned, Option<usize>), Finding> {
    let workspace = host.path(name);
    directories(&workspace, ["init-layer", "write-layer", "work"]);
    let short = workspace.join("image");
    let text = options_of(host, &workspace, &short, user_xattr())?;
    let image = longer(&short, length.saturating_sub(text.len()), "x");
    fs::create_dir_all(&image).expect("a directory in the scratch directory");

    let given = Rc::new(Cell::new(None));
    let seen = host
        .act(&CREATE_MOUNT_POINT, (workspace, image, user_xattr()))
        .deciding(&[("mount", &[SYS_mount])], {
            let given = given.clone();
            move |asked| {
                if asked.text(2).as_deref() == Some(b"overlay") && given.get().is_none() {
                    given.set(asked.text(4).map(|options| options.len()));
                }
                None
            }
        })
        .make()?;
    Ok((seen.returned, given.get()))
}

/// The options of a mount, as the answer writes them.
fn options_of(
    host: &Host,
    workspace: &Path,
    image: &Path,
    user_xattr: bool,
) -> Result<OsString, Finding> {
    let path = |name: &str| workspace.join(name).into_os_string();
    let layers = Layers {
        lower: vec![path("init-layer"), image.into()],
        upper: path("write-layer"),
        work: path("work"),
        user_xattr,
    };
    let asked = host.each(&OVERLAY_OPTIONS, vec![&layers]).make_each();
    Ok(asked.map_err(|ended| ended.finding)?.returned.remove(0))
}

/// A path without its last byte.
fn shorter(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    PathBuf::from(OsStr::from_bytes(&bytes[..bytes.len() - 1]))
}

fn has_userxattr(mount: &Mount) -> bool {
    mount.super_options.split(',').any(|option| option == "userxattr")
}

/// A path that is so many bytes longer, and nearly all of them are of this letter.
fn longer(path: &Path, mut bytes: usize, letter: &str) -> PathBuf {
    let mut path = path.to_owned();
    while bytes > 200 {
        let name = letter.repeat(99 / letter.len());
        bytes -= name.len() + 1;
        path.push(name);
    }
    path.push("x".repeat(bytes - 1));
    path
}

/// The last two options, without what is long in them.
fn short_of(options: &[&str]) -> String {
    let short = |option: &&str| option.chars().take(60).collect::<String>();
    options.iter().rev().map(short).collect::<Vec<_>>().join(",")
}
