//! The workspace: the folders of one container and the mount that joins them.
//!
//! ```text
//! ROOT/images/IMAGE/layers/00 …        read-only layers, shared by all containers
//! ROOT/containers/ID/init-layer        container-init layer: /etc/hosts and the like
//!                   /write-layer       what the container writes, creates, deletes
//!                   /work              overlayfs's own scratch folder
//!                   /mnt               the mount point: all of them as one tree
//! ```

pub mod aufs;
pub mod delete;
pub mod diff;
mod init_layer;
pub mod overlay;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use nix::mount::MsFlags;

pub use init_layer::{Identity, create_init_layer};
use mydocker_image::Image;
use mydocker_image::stack::Stack;
use mydocker_image::whiteout::WhiteoutForm;
use mydocker_kernel::file_systems::kernel_has;
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::{Error, OnPath, Result};

/// Device files in the layers do not work: a container may make some, and what
/// it can reach of the host is for /dev to decide.
const NO_DEVICES: MsFlags = MsFlags::MS_NODEV;

/// The file system that joins the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// overlayfs, in every kernel since 3.18.
    Overlay,
    /// AUFS, as in the blog; only in kernels that were patched for it.
    Aufs,
}

impl Driver {
    /// Overlay, unless this kernel has AUFS and no overlay.
    pub fn auto() -> Driver {
        // Overlay may be a module that is loaded when it is first mounted.
        match (kernel_has("overlay"), kernel_has("aufs")) {
            (Some(false), Some(true)) => Driver::Aufs,
            _ => Driver::Overlay,
        }
    }

    /// Whether this driver can work here and with this image.
    ///
    /// # Errors
    /// Says what is missing and which way out there is.
    pub fn check(self, image: &Image) -> Result<()> {
        if self == Driver::Aufs {
            if kernel_has("aufs") != Some(true) {
                return Err(Error::new("this kernel has no AUFS")
                    .because("it is not in /proc/filesystems; no mainline kernel carries it")
                    .advise(
                        "use --driver overlay; or a kernel that has it (Ubuntu 20.04: \
                         sudo modprobe aufs), as in the VM: vagrant up aufs",
                    ));
            }
            if Privileges::known()? != Privileges::Root {
                return Err(Error::new("AUFS cannot be mounted by this user")
                    .because("AUFS refuses mounts in a user namespace")
                    .advise("run as root, or use --driver overlay"));
            }
        }
        if image.whiteouts() != self.whiteout_form() && image.layers().len() > 1 {
            let driver = self.name();
            return Err(Error::new(format!(
                "image {:?} does not suit driver {driver}",
                image.name()
            ))
            .because("the deleted files in its layers are marked in the other driver's way")
            .advise(format!("import it once more, with --driver {driver}")));
        }
        Ok(())
    }

    /// How layers say to this driver what they hide.
    pub fn whiteout_form(self) -> WhiteoutForm {
        match self {
            Driver::Overlay => WhiteoutForm::Overlay,
            Driver::Aufs => WhiteoutForm::Aufs,
        }
    }

    /// The driver's name, as on the command line and in /proc/filesystems.
    pub fn name(self) -> &'static str {
        match self {
            Driver::Overlay => "overlay",
            Driver::Aufs => "aufs",
        }
    }
}

/// The layers of one container.
#[derive(Debug, Clone)]
pub struct Layers {
    /// The image's read-only layers, topmost first.
    pub image: Vec<PathBuf>,
    /// The container-init layer, above the image.
    pub init_layer: PathBuf,
    /// The write layer, above all others.
    pub write_layer: PathBuf,
    /// overlayfs's scratch folder, on the same file system as the write layer.
    pub work: PathBuf,
    /// Whether overlay's marks are `user.*` attributes, not `trusted.*`.
    pub user_xattrs: bool,
}

impl Layers {
    /// All layers below the write layer, topmost first.
    pub fn lower(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.init_layer).chain(&self.image).map(PathBuf::as_path)
    }

    /// The same, with the image's layers named as seen from `folder`.
    fn relative_to(&self, folder: &Path) -> Layers {
        let relative = |layer: &PathBuf| layer.strip_prefix(folder).unwrap_or(layer).to_owned();
        Layers { image: self.image.iter().map(relative).collect(), ..self.clone() }
    }
}

/// Brings into the write layer of the container in `folder` what the driver still
/// keeps elsewhere. To be called before it is read, and before a layer that stays is
/// unmounted.
///
/// # Errors
/// As [`aufs::name_pseudo_links`].
pub fn complete_write_layer(driver: Driver, folder: &Path) -> Result<()> {
    match driver {
        Driver::Overlay => Ok(()),
        Driver::Aufs => aufs::name_pseudo_links(&folder.join("write-layer"), &folder.join("mnt")),
    }
}

/// Whether the write layer must survive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is deleted with the container, so nothing need reach the disk.
    UntilDeleted,
    /// It is kept.
    Kept,
}

/// Where the parts of a workspace lie, and how they are joined.
#[derive(Debug)]
pub struct Workspace {
    /// `ROOT/containers/ID`.
    pub folder: PathBuf,
    /// The folders to be joined.
    pub layers: Layers,
    driver: Driver,
    durability: Durability,
}

impl Workspace {
    /// The workspace of a container of `image`, in `folder`. Nothing is made yet.
    pub fn new(
        folder: PathBuf,
        image: &Image,
        driver: Driver,
        durability: Durability,
        privileges: Privileges,
    ) -> Workspace {
        let layers = Layers {
            image: image.layers(),
            init_layer: folder.join("init-layer"),
            write_layer: folder.join("write-layer"),
            work: folder.join("work"),
            user_xattrs: image.has_user_xattrs() || privileges != Privileges::Root,
        };
        Workspace { folder, layers, driver, durability }
    }

    /// Makes the layers' folders and the empty mount point in the workspace's folder,
    /// which exists and is locked by the caller. Nothing is mounted yet.
    ///
    /// # Errors
    /// A folder or a file cannot be made; what was made stays for
    /// [`delete::delete_workspace`].
    pub fn create_layers(&self, image: &Image, identity: Identity) -> Result<()> {
        let layers = &self.layers;
        for directory in [&layers.init_layer, &layers.work, &self.mount_point()] {
            DirBuilder::new().mode(0o755).create(directory).on("mkdir", directory)?;
        }
        let stack = Stack { directories: layers.image.clone(), form: image.whiteouts() };
        create_init_layer(&layers.init_layer, &stack, identity)?;
        create_write_layer(layers)
    }

    /// `mnt`, the folder that the layers are joined on.
    pub fn mount_point(&self) -> PathBuf {
        self.folder.join("mnt")
    }

    /// Mounts the layers together on `mnt`.
    ///
    /// # Errors
    /// As the driver's mount.
    pub fn create_mount_point(&self) -> Result<()> {
        match self.driver {
            Driver::Overlay => overlay::mount(&self.layers, &self.mount_point(), self.durability),
            Driver::Aufs => aufs::mount(&self.layers, &self.mount_point()),
        }
    }
}

/// Makes the empty write layer. In the merged view its own mode and owner are
/// those of `/`, so they are taken from the image.
///
/// # Errors
/// As mkdir(2), chown(2) and chmod(2).
pub fn create_write_layer(layers: &Layers) -> Result<()> {
    DirBuilder::new().mode(0o755).create(&layers.write_layer).on("mkdir", &layers.write_layer)?;
    match layers.image.first() {
        Some(top) => init_layer::copy_attributes(top, &layers.write_layer),
        None => Ok(()),
    }
}
