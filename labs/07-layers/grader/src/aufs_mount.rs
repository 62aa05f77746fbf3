//! What create_aufs_mount_point asks of the kernel, and its errors: for these no AUFS is
//! needed.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use labkit::calls::MOUNTING;
use labkit::deciding::Asked;
use labkit::describe::{Failure, result};
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::libc::{SYS_fsopen, SYS_mount};

use crate::LAB;
use crate::acts::CREATE_AUFS_MOUNT_POINT;
use crate::aufs_options::{branches, branches_say_what_they_are, what_aufs_cannot_take_is_refused};
use crate::layer::fill;
use crate::what_was_there::{Before, Changed};

/// A mount that must fail.
struct Refused {
    returned: Returned,
    workspace: PathBuf,
    /// What was there before, and is not as it was after an error.
    changed: Cell<Option<Changed>>,
}

impl Facts for Refused {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

const IGNORED: &[Rule<Refused>] = &[
    rule("error-ignored", |it| it.returned.is_ok() && it.workspace.join("mnt").is_dir()),
    rule("answer/did-nothing", |it| it.returned.is_ok()),
];

const fn rules(tables: &'static [&'static [Rule<Refused>]]) -> Rules<Refused> {
    Rules { lab: LAB, function: CREATE_AUFS_MOUNT_POINT.function, tables }
}

static MNT_IS_THERE: Rules<Refused> =
    rules(&[&[rule("mkdir-error-ignored", |it| it.returned.is_err())], IGNORED]);
static NO_OPTIONS: Rules<Refused> =
    rules(&[&[rule("options-error-ignored", |it| it.returned.is_err())], IGNORED]);
static NO_MOUNT: Rules<Refused> = rules(&[IGNORED]);

/// The layers in a workspace, and an image.
fn lay(workspace: &Path) -> PathBuf {
    let image = workspace.with_file_name("image");
    fill(workspace, &[("init-layer/etc/hosts", ""), ("write-layer/notes", ""), ("lock", "")]);
    fill(&image, &[("bin/sh", "")]);
    image
}

/// Each of the three steps fails.
pub fn a_failed_aufs_mount_is_told(host: &Host) -> Result<(), Finding> {
    // 1. That the directory cannot be made is seen before anything is mounted.
    let as_a_file = |mnt: &Path| fs::write(mnt, "").expect("a file in the scratch directory");
    let it = Refused::observe(host, "used/workspace", as_a_file, &[])?;
    it.must_fail_with(Errno::EEXIST, &MNT_IS_THERE, "where mnt is a file")?;
    let of_another = |mnt: &Path| fill(mnt, &[("of-another-container", "")]);
    let it = Refused::observe(host, "anothers/workspace", of_another, &[])?;
    it.must_leave_all("where mnt is there, with a file in it")?;

    // 2. A path that AUFS cannot take.
    let it = Refused::observe(host, "a,b/workspace", |_| (), &[])?;
    if !it.fails_with(Errno::EINVAL) {
        // What is wrong anyway is not wrong for this.
        what_aufs_cannot_take_is_refused(host)?;
    }
    it.must_fail_with(Errno::EINVAL, &NO_OPTIONS, "where a path has a comma in it")?;

    // 3. A kernel without AUFS.
    let it = Refused::observe(host, "refused/workspace", |_| (), &[SYS_mount, SYS_fsopen])?;
    let what = "where mount(2) says ENODEV";
    NO_MOUNT.judge(&it, it.returned.is_err(), || {
        let call = format!("create_aufs_mount_point(…), {what}");
        vec![Evidence::differs(call, Failure::from(Errno::ENODEV), result(&it.returned))]
    })?;
    it.must_leave_all(what)
}

impl Refused {
    /// Calls it in a workspace with this at mnt, while these calls say ENODEV.
    fn observe(
        host: &Host,
        workspace: &str,
        furnish: impl Fn(&Path),
        refused: &[i64],
    ) -> Result<Refused, Finding> {
        let workspace = host.path(workspace);
        let image = lay(&workspace);
        furnish(&workspace.join("mnt"));
        let before = Before::of(workspace.parent().expect("it was just joined"));
        let call = host.act(&CREATE_AUFS_MOUNT_POINT, (workspace.clone(), image, false));
        let returned = call.refusing(refused, Errno::ENODEV).make()?.returned;
        let changed = before.changed_by_an_error(&returned);
        Ok(Refused { returned, workspace, changed: Cell::new(changed) })
    }

    /// Whether all that was there before an error is as it was.
    fn must_leave_all(&self, what: &str) -> Result<(), Finding> {
        let call = format!("create_aufs_mount_point(…), {what}");
        let changed = self.changed.take();
        changed.map_or(Ok(()), |it| Err(it.finding(CREATE_AUFS_MOUNT_POINT.function, &call)))
    }

    fn fails_with(&self, errno: Errno) -> bool {
        self.returned.as_ref().is_err_and(|failure| failure.is(errno))
    }

    fn must_fail_with(
        &self,
        errno: Errno,
        rules: &Rules<Refused>,
        what: &str,
    ) -> Result<(), Finding> {
        rules.judge(self, self.fails_with(errno), || {
            let call = format!("create_aufs_mount_point(…), {what}");
            vec![Evidence::differs(call, Failure::from(errno), result(&self.returned))]
        })?;
        self.must_leave_all(what)
    }
}

/// What is asked of the kernel.
#[derive(Default)]
struct Mounting {
    /// The new calls begin with one that says only which file system it is: the rest is not
    /// seen.
    by_new_calls: bool,
    /// What mount(2) was given, for each time.
    mounts: Vec<Mount>,
}

/// One mount(2) of a file system.
struct Mount {
    fs_type: String,
    /// [`MNT`], or else the path.
    target: String,
    /// The branches by the names that the task has for them, or else by their paths.
    branches: Vec<String>,
}

/// What the task calls the layers, in the order in which AUFS must have them.
const LAYERS: [&str; 3] = ["write-layer", "init-layer", "image"];

/// What it calls the mount point.
const MNT: &str = "mnt";

/// Where the layers are.
struct Ground {
    workspace: PathBuf,
    image: PathBuf,
}

impl Ground {
    /// A path of the process that makes this call.
    fn identity(asked: &Asked, path: &[u8]) -> Option<(u64, u64)> {
        let path = Path::new(OsStr::from_bytes(path));
        let process = PathBuf::from(format!("/proc/{}", asked.pid()));
        let path = match path.strip_prefix("/proc/self") {
            Ok(rest) => process.join(rest),
            Err(_) => process.join("cwd").join(path),
        };
        Ground::of(&path)
    }

    fn of(path: &Path) -> Option<(u64, u64)> {
        path.metadata().ok().map(|data| (data.dev(), data.ino()))
    }

    fn is(&self, name: &str, file: Option<(u64, u64)>) -> bool {
        let path = if name == "image" { self.image.clone() } else { self.workspace.join(name) };
        file.is_some() && file == Ground::of(&path)
    }

    fn mount(&self, asked: &Asked) -> Option<Mount> {
        // Without a type, it is another kind of change.
        let fs_type = asked.text(2)?;
        let options = asked.text(4).unwrap_or_default();
        Some(Mount {
            fs_type: String::from_utf8_lossy(&fs_type).into_owned(),
            target: self.name(asked, &asked.text(1)?, &[MNT]),
            branches: branches(OsStr::from_bytes(&options))
                .iter()
                .map(|(path, _)| self.name(asked, path, &LAYERS))
                .collect(),
        })
    }

    /// Which of these a path leads to, or else the path itself.
    fn name(&self, asked: &Asked, path: &[u8], names: &[&str]) -> String {
        let file = Ground::identity(asked, path);
        let name = names.iter().copied().find(|name| self.is(name, file));
        name.map_or_else(|| String::from_utf8_lossy(path).into_owned(), str::to_owned)
    }
}

/// What was asked, and what was returned: the kernel says that it has no AUFS.
struct Attempt {
    returned: Returned,
    asked: Mounting,
    /// Whether something is mounted on mnt all the same.
    is_mounted: bool,
}

impl Facts for Attempt {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

impl Attempt {
    /// The mount of AUFS on mnt.
    fn aufs(&self) -> Option<&Mount> {
        self.asked.mounts.iter().find(|mount| mount.fs_type == "aufs" && mount.target == MNT)
    }

    /// Whether a layer is none of the branches.
    fn lacks_a_layer(&self) -> bool {
        self.aufs().is_some_and(|mount| !LAYERS.iter().all(|name| mount.has(name)))
    }

    /// Whether nothing was asked, for a reason that the kernel has not given.
    fn has_refused_by_itself(&self) -> bool {
        let own = |failure: &Failure| {
            failure.errno.is_none() || failure.errno == Some(Errno::ENODEV as i32)
        };
        self.asked.mounts.is_empty() && self.returned.as_ref().is_err_and(own)
    }

    fn is_right(&self) -> bool {
        self.returned.is_err() && self.is_asked_for()
    }

    /// Whether it was told that there is no AUFS, and does not tell it.
    fn is_untold(&self) -> bool {
        self.is_asked_for() && self.returned.is_ok()
    }

    fn is_asked_for(&self) -> bool {
        self.asked.by_new_calls
            || self.has_refused_by_itself()
            || self.aufs().is_some_and(|mount| mount.branches == LAYERS)
    }
}

impl Mount {
    fn has(&self, name: &str) -> bool {
        self.branches.iter().any(|branch| branch == name)
    }
}

static ASKED: Rules<Attempt> = Rules {
    lab: LAB,
    function: CREATE_AUFS_MOUNT_POINT.function,
    tables: &[&[
        rule("aufs-not-asked-for", |it| !it.asked.mounts.is_empty() && it.aufs().is_none()),
        rule("answer/returned-error", |it| it.aufs().is_none() && it.returned.is_err()),
        rule("answer/did-nothing", |it| it.aufs().is_none()),
        rule("error-ignored", |it| it.is_untold() && !it.is_mounted),
        rule("failed-call-not-told", Attempt::is_untold),
        rule("layer-left-out", Attempt::lacks_a_layer),
        rule("lower-order-reversed", |it| {
            it.aufs().is_some_and(|it| it.branches == [LAYERS[0], LAYERS[2], LAYERS[1]])
        }),
    ]],
};

/// By what is given to mount(2), with any kernel.
pub fn aufs_is_given_all_layers(host: &Host) -> Result<(), Finding> {
    if !labkit::sys::can_decide_on_calls() {
        return Ok(());
    }
    let workspace = host.path("given/workspace");
    let image = lay(&workspace);
    let ground = Ground { workspace: workspace.clone(), image: image.clone() };
    let mnt = workspace.join(MNT);
    let mounting = Rc::new(RefCell::new(Mounting::default()));
    let seen = host
        .act(&CREATE_AUFS_MOUNT_POINT, (workspace, image, false))
        .deciding(MOUNTING, {
            let mounting = mounting.clone();
            move |asked| {
                let mut mounting = mounting.borrow_mut();
                match asked.name {
                    "fsopen" => mounting.by_new_calls = true,
                    _ => mounting.mounts.extend(ground.mount(asked)),
                }
                let fs_type = if asked.name == "fsopen" { asked.text(0) } else { asked.text(2) };
                (fs_type.as_deref() == Some(b"aufs")).then_some(Errno::ENODEV)
            }
        })
        .make()?;
    let is_mounted = seen.host_after.at(&mnt).is_some();
    let it = Attempt { returned: seen.returned, asked: mounting.take(), is_mounted };
    if !it.is_right() {
        // What is wrong anyway is not wrong for this.
        branches_say_what_they_are(host)?;
    }
    ASKED.judge(&it, it.is_right(), || {
        let shown = |fs_type: &str, branches: &[&str], target: &str| {
            format!("mount -t {fs_type} -o br={} none {target}", branches.join(":"))
        };
        let seen = it.asked.mounts.iter().map(|mount| {
            let branches: Vec<&str> = mount.branches.iter().map(String::as_str).collect();
            shown(&mount.fs_type, &branches, &mount.target)
        });
        let seen = seen.collect::<Vec<_>>().join("; ");
        let seen = if seen.is_empty() { "-".to_owned() } else { seen };
        vec![
            Evidence::differs("mount(2)", shown("aufs", &LAYERS, MNT), seen),
            Evidence::differs(
                "create_aufs_mount_point(…), where mount(2) says ENODEV",
                Failure::from(Errno::ENODEV),
                result(&it.returned),
            ),
        ]
    })
}
