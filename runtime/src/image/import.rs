//! From an archive to an image in the store.

use std::fs::{DirBuilder, File};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::stat::{Mode, umask};
use nix::unistd::mkdtemp;

use super::allowance::Allowance;
use super::archive::{self, Files, ImageArchive};
use super::layer::{Unpacked, unpack};
use super::leftovers::{self, clear_leftovers};
use super::progress::Progress;
use super::whiteout::{WhiteoutForm, XattrNamespace};
use super::{FORMAT, Manifest, folder, images, layer_path, lock, rename};
use crate::error::{Error, OnPath, Result, if_there};
use crate::folder::make_folder;
use crate::limits::Limit;
use crate::lock::{FlockOperation, Lock};
use crate::privileges::Privileges;
use crate::workspace::delete::delete_tree;

/// How an archive is imported.
#[derive(Debug, Clone, Copy)]
pub struct ImportOptions {
    /// How the layers say what they delete.
    pub whiteouts: WhiteoutForm,
    /// How many bytes the archive may unpack to, and then its layers.
    pub max_size: Limit,
    /// Whether a long import shows a bar, if there is a terminal.
    pub progress: bool,
}

impl Default for ImportOptions {
    fn default() -> ImportOptions {
        let max_size = Limit::At(4 << 30);
        ImportOptions { whiteouts: WhiteoutForm::Overlay, max_size, progress: false }
    }
}

/// What was imported.
#[derive(Debug)]
pub struct Summary {
    /// How many layers the image has.
    pub layers: usize,
    /// How many entries their archives had.
    pub entries: u64,
    /// How many bytes their files have.
    pub bytes: u64,
    /// What is not as in the archive, a sentence each.
    pub warnings: Vec<String>,
}

/// Imports the archive `source` as the image `name`: a tar of files, what
/// docker save writes, an OCI layout as a tar or a folder; `-` is the standard
/// input.
///
/// # Errors
/// There is such an image already; the archive cannot be read, is damaged, too
/// large, or has an entry that is refused. No image is made then.
pub fn import(root: &Path, name: &str, source: &Path, options: &ImportOptions) -> Result<Summary> {
    // Before the long work: is the name free, is the source there?
    let image = folder(root, name)?;
    if if_there(image.symlink_metadata()).on("lstat", &image)?.is_some() {
        return Err(Error::new(format!("there is an image {name:?} already"))
            .advise(format!("choose another name, or first: mydocker image rm {name}")));
    }
    let source = Source::open(source)?;

    // All work is done in a folder that is no image yet. All modes are given in
    // full, so the umask has no say.
    let _no_umask = NoUmask::set();
    let images = images(root);
    make_folder(&images, 0o700)?;
    clear_leftovers(root)?;
    let (draft, _lock) = make_draft(&images)?;
    let mut progress = Progress::new(options.progress);
    // ANCHOR: whole
    let imported = fill(&draft, source, options, &mut progress).and_then(|summary| {
        // A rename is whole or not at all, and so is the image.
        rename(&draft, &image)?;
        Ok(summary)
    });
    // ANCHOR_END: whole
    if imported.is_err() {
        // Should this fail too, the next import deletes it.
        let _ = delete_tree(&draft);
    }
    imported
}

/// As long as this lives, the umask is 0. It belongs to the whole process, so
/// there is only one import at a time.
struct NoUmask {
    before: Mode,
    _alone: MutexGuard<'static, ()>,
}

impl NoUmask {
    fn set() -> NoUmask {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        NoUmask { before: umask(Mode::empty()), _alone: alone }
    }
}

impl Drop for NoUmask {
    fn drop(&mut self) {
        umask(self.before);
    }
}

/// Where an archive comes from.
enum Source {
    /// A stream of bytes, with its size if that is known.
    Stream { stream: File, size: Option<u64>, label: String },
    /// The folder of an OCI layout.
    Folder { folder: PathBuf, label: String },
}

impl Source {
    fn open(source: &Path) -> Result<Source> {
        if source == Path::new("-") {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                return Err(Error::new("the standard input is a terminal, and no archive")
                    .advise("docker export CONTAINER | mydocker image import NAME -"));
            }
            let stream = File::from(stdin.as_fd().try_clone_to_owned().on("dup", source)?);
            return Ok(Source::Stream { stream, size: None, label: "the standard input".into() });
        }
        let label = source.display().to_string();
        let stream = File::open(source).on("open", source)?;
        let metadata = stream.metadata().on("fstat", source)?;
        if metadata.is_dir() {
            return Ok(Source::Folder { folder: source.into(), label });
        }
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Source::Stream { stream, size, label })
    }
}

/// Makes the folder of an import, locked as that of an image in use is, so
/// that nobody takes it for left over.
fn make_draft(images: &Path) -> Result<(PathBuf, Lock)> {
    loop {
        let template = images.join(format!("{}XXXXXX", leftovers::IMPORT));
        let draft = mkdtemp(&template).on("mkdtemp", &template)?;
        // In the moment before it is locked it may be cleared away.
        if let Some(lock) = lock(&draft, FlockOperation::NonBlockingLockShared)? {
            return Ok((draft, lock));
        }
    }
}

/// Writes the layers and `image.json`.
fn fill(
    draft: &Path,
    source: Source,
    options: &ImportOptions,
    progress: &mut Progress,
) -> Result<Summary> {
    let layers = draft.join("layers");
    DirBuilder::new().mode(0o755).create(&layers).on("mkdir", &layers)?;
    let (label, image, layers) = match source {
        Source::Folder { folder, label } => {
            let image = archive::recognise(&folder, &label)?.ok_or_else(|| {
                Error::new(format!("{label} is a folder, but no OCI image layout"))
                    .because("it has no oci-layout and index.json")
                    .advise(format!(
                        "to import its files: tar -C {label} -c . | mydocker image import NAME -"
                    ))
            })?;
            let layers = unpack_layers(draft, &folder, &label, &image, options, progress)?;
            (label, image, layers)
        }
        Source::Stream { stream, size, label } => {
            // An archive of an image and one of files differ in what is in
            // them. So it is unpacked as a layer, and then looked at.
            let bottom = draft.join(layer_path(0));
            let counted = progress.of(stream, "reading", size);
            let allowance = Allowance::new(options.max_size);
            let layer = unpack(counted, &label, &bottom, &[], options.whiteouts, &allowance)?;
            match archive::recognise(&bottom, &label)? {
                None => {
                    let image =
                        ImageArchive { layers: Vec::new(), env: Vec::new(), working_dir: None };
                    (label, image, vec![layer])
                }
                Some(image) => {
                    let unpacked = layers.join("archive");
                    rename(&bottom, &unpacked)?;
                    let layers =
                        unpack_layers(draft, &unpacked, &label, &image, options, progress)?;
                    delete_tree(&unpacked)?;
                    (label, image, layers)
                }
            }
        }
    };

    let summary = summary(&layers);
    let manifest = Manifest {
        format: FORMAT,
        layers: summary.layers,
        env: image.env,
        working_dir: image.working_dir,
        whiteouts: options.whiteouts,
        xattrs: XattrNamespace::current()?,
        source: label,
        imported: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        entries: summary.entries,
        bytes: summary.bytes,
    };
    let path = draft.join("image.json");
    let json = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| Error::new(format!("{path:?} cannot be written: {error}")))?;
    let mut file =
        File::options().write(true).create_new(true).mode(0o644).open(&path).on("open", &path)?;
    file.write_all(&json).on("write", &path)?;
    Ok(summary)
}

/// Unpacks all layers of an image archive, the bottom one first.
fn unpack_layers(
    draft: &Path,
    folder: &Path,
    label: &str,
    image: &ImageArchive,
    options: &ImportOptions,
    progress: &mut Progress,
) -> Result<Vec<Unpacked>> {
    let files = Files::open(folder, label)?;
    let allowance = Allowance::new(options.max_size);
    let mut lower: Vec<PathBuf> = Vec::new();
    let mut unpacked = Vec::new();
    for (number, blob) in image.layers.iter().enumerate() {
        let file = files.open_layer(blob, &allowance)?;
        let size = file.metadata().on("fstat", &blob.path)?.len();
        let what = format!("layer {} of {}", number + 1, image.layers.len());
        let counted = progress.of(file, &what, Some(size));
        let layer = draft.join(layer_path(number));
        let name = files.name(&blob.path);
        unpacked.push(unpack(counted, &name, &layer, &lower, options.whiteouts, &allowance)?);
        lower.insert(0, layer);
    }
    Ok(unpacked)
}

fn summary(layers: &[Unpacked]) -> Summary {
    let sum = |count: fn(&Unpacked) -> u64| layers.iter().map(count).sum::<u64>();
    let mut warnings = Vec::new();
    let mut warn = |count: u64, what: &str| {
        if count > 0 {
            warnings.push(format!("{count} {what}"));
        }
    };
    warn(
        sum(|layer| layer.left_out.devices),
        "device nodes were left out: only root of the machine may make them",
    );
    warn(
        sum(|layer| layer.left_out.xattrs),
        "extended attributes were left out: not allowed to this user, or not known to this file system",
    );
    warn(
        sum(|layer| layer.left_out.owners),
        match Privileges::current() {
            Privileges::User => {
                "files of other users than root are owned by you, and so root's in the container"
            }
            _ => "files have another owner: theirs is no user of this user namespace",
        },
    );
    Summary {
        layers: layers.len(),
        entries: sum(|layer| layer.entries),
        bytes: layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.bytes)),
        warnings,
    }
}
