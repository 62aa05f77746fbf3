//! Mounts that show the wrong thing, or none.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};

use crate::lab_07::solution::{self, overlay_options};

const NOTHING: Option<&str> = None;

/// Mounts an overlay of folders of the workspace on mnt.
fn overlay(workspace: &Path, lower: &[&Path], up: &str, work: &str, user: bool) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    fs::create_dir_all(&mnt)?;
    let options = overlay_options(lower, &workspace.join(up), &workspace.join(work), user);
    mount_overlay(&mnt, &options.to_string_lossy())
}

fn mount_overlay(mnt: &Path, options: &str) -> io::Result<()> {
    if options.len() > 4095 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(mount(Some("overlay"), mnt, Some("overlay"), MsFlags::empty(), Some(options))?)
}

/// The blog's two layers: /etc/hosts is the image's.
pub fn init_layer_left_out(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    overlay(workspace, &[image], "write-layer", "work", user)
}

/// The order of the lower layers reversed: the init layer's files are covered.
pub fn image_on_the_init_layer(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    overlay(workspace, &[image, &workspace.join("init-layer")], "write-layer", "work", user)
}

/// The image is the upper layer: it is written to.
pub fn image_is_the_upper_layer(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    let lower = [workspace.join("init-layer"), workspace.join("write-layer")];
    let (mnt, work) = (workspace.join("mnt"), workspace.join("work"));
    fs::create_dir(&mnt)?;
    let options = overlay_options(&[&lower[0], &lower[1]], image, &work, user);
    mount_overlay(&mnt, &options.to_string_lossy())
}

/// The init layer is the upper layer: what the container writes is mixed with
/// what it was given.
pub fn init_layer_is_the_upper_layer(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    overlay(workspace, &[&workspace.join("write-layer"), image], "init-layer", "work", user)
}

/// A bind mount shows the image as well, and lets the container write to it.
pub fn image_bound(workspace: &Path, image: &Path, _user: bool) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    fs::create_dir(&mnt)?;
    Ok(mount(Some(image), &mnt, NOTHING, MsFlags::MS_BIND, NOTHING)?)
}

/// All layers are lower ones: nothing can be written.
pub fn no_upper_layer(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    let [write_layer, init_layer] = ["write-layer", "init-layer"].map(|it| workspace.join(it));
    let mnt = workspace.join("mnt");
    fs::create_dir(&mnt)?;
    let layers = [&write_layer, &init_layer, image].map(|layer| layer.display().to_string());
    let userxattr = if user { ",userxattr" } else { "" };
    mount_overlay(&mnt, &format!("lowerdir={}{userxattr}", layers.join(":")))
}

/// Expects mount to make the folder: ENOENT.
pub fn mnt_not_made(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    fs::create_dir(workspace.join("mnt"))?;
    fs::remove_dir(workspace.join("mnt"))?;
    let init_layer = workspace.join("init-layer");
    let (upper, work) = (workspace.join("write-layer"), workspace.join("work"));
    let options = overlay_options(&[&init_layer, image], &upper, &work, user);
    mount_overlay(&workspace.join("mnt"), &options.to_string_lossy())
}

/// Docker's name for the folder.
pub fn mounted_on_merged(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    let merged = workspace.join("merged");
    fs::create_dir(&merged)?;
    let init_layer = workspace.join("init-layer");
    let (upper, work) = (workspace.join("write-layer"), workspace.join("work"));
    let options = overlay_options(&[&init_layer, image], &upper, &work, user);
    mount_overlay(&merged, &options.to_string_lossy())
}

/// A work folder by another name, which nobody has made: ENOENT.
pub fn work_is_not_there(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    overlay(workspace, &[&workspace.join("init-layer"), image], "write-layer", "workdir", user)
}

/// Upper and work are one folder: EINVAL.
pub fn work_is_the_write_layer(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    overlay(workspace, &[&workspace.join("init-layer"), image], "write-layer", "write-layer", user)
}

/// Makes a work folder in the write layer: EINVAL.
pub fn work_below_the_write_layer(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    fs::create_dir(workspace.join("write-layer/work"))?;
    let lower = workspace.join("init-layer");
    overlay(workspace, &[&lower, image], "write-layer", "write-layer/work", user)
}

/// Gives overlayfs a quick scratch folder, on another file system: EINVAL.
pub fn work_elsewhere(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    let work = workspace.join("work");
    mount(Some("tmpfs"), &work, Some("tmpfs"), MsFlags::empty(), NOTHING)?;
    overlay(workspace, &[&workspace.join("init-layer"), image], "write-layer", "work", user)
}

/// Two overlays, one on the other, as in a container in a container: the upper
/// layer of the second lies on the first. EINVAL.
pub fn upper_on_an_overlay(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    overlay(workspace, &[image], "write-layer", "work", user)?;
    fs::create_dir(workspace.join("mnt/upper"))?;
    fs::create_dir(workspace.join("mnt/work"))?;
    overlay(workspace, &[&workspace.join("init-layer")], "mnt/upper", "mnt/work", user)
}

/// Was tried as root only: a folder of the image cannot be deleted.
pub fn userxattr_not_passed_on(workspace: &Path, image: &Path, _user: bool) -> io::Result<()> {
    solution::create_mount_point(workspace, image, false)
}

/// Has only ever run in a user namespace.
pub fn userxattr_never_left_out(workspace: &Path, image: &Path, _user: bool) -> io::Result<()> {
    solution::create_mount_point(workspace, image, true)
}

/// One try more than there should be: both succeed.
pub fn mounted_twice(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    solution::create_mount_point(workspace, image, user)?;
    overlay(workspace, &[&workspace.join("init-layer"), image], "write-layer", "work", user)
}

/// Has never seen a page: the last option is not there, and nobody says so.
pub fn options_of_any_length(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    fs::create_dir(&mnt)?;
    let init_layer = workspace.join("init-layer");
    let (upper, work) = (workspace.join("write-layer"), workspace.join("work"));
    let options = overlay_options(&[&init_layer, image], &upper, &work, user);
    let overlay = Some("overlay");
    Ok(mount(overlay, &mnt, overlay, MsFlags::empty(), Some(options.as_os_str()))?)
}

/// Says it, and goes on: the container starts in an empty folder.
pub fn errors_only_printed(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    if let Err(error) = solution::create_mount_point(workspace, image, user) {
        eprintln!("mount: {error}");
    }
    Ok(())
}

/// The new calls, with all layers in one value: more than 255 bytes are refused,
/// and `lowerdir+` once a layer would do.
pub fn fsconfig_with_one_lowerdir(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    fs::create_dir(&mnt)?;
    let lower = format!("{}:{}", workspace.join("init-layer").display(), image.display());
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&overlay, "lowerdir", &lower)?;
    fsconfig_set_string(&overlay, "upperdir", workspace.join("write-layer"))?;
    fsconfig_set_string(&overlay, "workdir", workspace.join("work"))?;
    if user {
        fsconfig_set_flag(&overlay, "userxattr")?;
    }
    fsconfig_create(&overlay)?;
    let mounted = fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Ok(move_mount(&mounted, "", rustix::fs::CWD, &mnt, flags)?)
}

/// `Ok(())`, to see what the tests say.
pub fn nothing_mounted(_: &Path, _: &Path, _: bool) -> io::Result<()> {
    Ok(())
}

/// A page has 4096 bytes; but its last one is the 0.
pub fn limit_of_a_whole_page(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    fs::create_dir(&mnt)?;
    let init_layer = workspace.join("init-layer");
    let (up, work) = (workspace.join("write-layer"), workspace.join("work"));
    let options = overlay_options(&[&init_layer, image], &up, &work, user);
    if options.len() > 4096 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = MsFlags::empty();
    Ok(mount(Some("overlay"), &mnt, Some("overlay"), flags, Some(options.as_os_str()))?)
}

/// 4095 bytes at most; but `>=` leaves one of them out.
pub fn limit_one_too_low(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    let init_layer = workspace.join("init-layer");
    let (up, work) = (workspace.join("write-layer"), workspace.join("work"));
    if overlay_options(&[&init_layer, image], &up, &work, user).len() >= 4095 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    solution::create_mount_point(workspace, image, user)
}

/// Counts what is seen, and not what is copied.
pub fn limit_in_characters(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    let init_layer = workspace.join("init-layer");
    let (up, work) = (workspace.join("write-layer"), workspace.join("work"));
    let options = overlay_options(&[&init_layer, image], &up, &work, user);
    if options.to_string_lossy().chars().count() > 4095 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mnt = workspace.join("mnt");
    fs::create_dir(&mnt)?;
    let flags = MsFlags::empty();
    Ok(mount(Some("overlay"), &mnt, Some("overlay"), flags, Some(options.as_os_str()))?)
}

/// An empty directory of this name is made room for.
pub fn mnt_reused(workspace: &Path, image: &Path, user_xattr: bool) -> io::Result<()> {
    let _ = fs::remove_dir(workspace.join("mnt"));
    solution::create_mount_point(workspace, image, user_xattr)
}

/// A handle that is closed in the last line, and not in those that return before it.
pub fn handle_left_after_an_error(
    workspace: &Path,
    image: &Path,
    user_xattr: bool,
) -> io::Result<()> {
    let handle = File::open(workspace)?;
    let mounted = solution::create_mount_point(workspace, image, user_xattr);
    mounted.inspect_err(|_| std::mem::forget(handle))
}
