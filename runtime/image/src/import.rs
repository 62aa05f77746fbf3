//! From an archive to an image in the store.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::allowance::Allowance;
use super::archive::{self, Files, ImageArchive};
use super::closed::Closed;
use super::draft::{Draft, now, require_free_name};
use super::layer::{Unpacked, unpack};
use super::leftovers::clear_leftovers;
use super::notes::{self, Notes};
use super::progress::Progress;
use super::stack::Stack;
use super::tar::End;
use super::whiteout::{WhiteoutForm, XattrNamespace};
use super::{FORMAT, Manifest, layer_path, rename};
use mydocker_kernel::delete::delete_tree;
use mydocker_kernel::limit::Limit;
use mydocker_kernel::{Error, OnPath, Result};

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
    require_free_name(root, name)?;
    let source = Source::open(source)?;

    // What cannot be deleted is in nobody's way.
    let leftovers = clear_leftovers(root)?.failures;
    // All work is done in a folder that is no image yet.
    let draft = Draft::begin(root, name)?;
    let mut progress = Progress::new(options.progress);
    // ANCHOR: whole
    let mut summary = fill(&draft, source, options, &mut progress)?;
    // A rename is whole or not at all, and so is the image.
    draft.become_image()?;
    // ANCHOR_END: whole
    summary.warnings.extend(notes::on_leftovers(leftovers.len()));
    Ok(summary)
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

/// Writes the layers and `image.json`.
fn fill(
    draft: &Draft,
    source: Source,
    options: &ImportOptions,
    progress: &mut Progress,
) -> Result<Summary> {
    let folder = &draft.folder;
    let (label, image, layers) = match source {
        Source::Folder { folder: source, label } => {
            let image = archive::recognise(&source, &label)?.ok_or_else(|| {
                Error::new(format!("{label} is a directory, but not an OCI image layout"))
                    .because("no oci-layout and index.json can be read in it")
                    .advise(format!(
                        "to import its files: tar -C {label} -c . | mydocker image import NAME -"
                    ))
            })?;
            let layers = unpack_layers(folder, &source, &label, &image, options, progress)?;
            (label, image, layers)
        }
        Source::Stream { stream, size, label } => {
            // An archive of an image and one of files differ in what is in
            // them. So it is unpacked as a layer, and then looked at.
            let bottom = folder.join(layer_path(0));
            let counted = progress.of(stream, "reading", size);
            let allowance = Allowance::new(options.max_size);
            let (nothing, mut closed) = (stack(&[], options), Closed::default());
            let layer = unpack(counted, &label, &bottom, &nothing, &mut closed, &allowance)?;
            match (layer.end, size) {
                (End::Empty, _) => {
                    return Err(Error::new(format!("{label} is not a tar archive"))
                        .because("it is empty")
                        .advise("did the program that was to write it fail?"));
                }
                (End::Unmarked, None) => {
                    return Err(Error::new(format!("{label} ends without an end mark"))
                        .because("a program that died while it wrote looks the same")
                        .advise("try again; if the archive is whole, save it to a file first"));
                }
                _ => {}
            }
            match archive::recognise(&bottom, &label)? {
                None => {
                    closed.close()?;
                    let image =
                        ImageArchive { layers: Vec::new(), env: Vec::new(), working_dir: None };
                    (label, image, vec![layer])
                }
                Some(image) => {
                    let unpacked = folder.join("layers/archive");
                    rename(&bottom, &unpacked)?;
                    let layers =
                        unpack_layers(folder, &unpacked, &label, &image, options, progress)?;
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
        imported: now(),
        entries: summary.entries,
        bytes: summary.bytes,
    };
    draft.describe(&manifest)?;
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
    let mut closed = Closed::default();
    let mut unpacked = Vec::new();
    for (number, blob) in image.layers.iter().enumerate() {
        let file = files.open_layer(blob, &allowance)?;
        let size = file.metadata().on("fstat", &blob.path)?.len();
        let what = format!("layer {} of {}", number + 1, image.layers.len());
        let counted = progress.of(file, &what, Some(size));
        let layer = draft.join(layer_path(number));
        let name = files.name(&blob.path);
        let below = stack(&lower, options);
        let mut this = unpack(counted, &name, &layer, &below, &mut closed, &allowance)?;
        if blob.digest.is_some() {
            // The checksum says that it is whole, whatever its end is like.
            this.end = End::Marked;
        }
        unpacked.push(this);
        lower.insert(0, layer);
    }
    closed.close()?;
    Ok(unpacked)
}

/// The layers in these folders, topmost first.
fn stack(directories: &[PathBuf], options: &ImportOptions) -> Stack {
    Stack { directories: directories.into(), form: options.whiteouts }
}

fn summary(layers: &[Unpacked]) -> Summary {
    let mut notes = Notes::default();
    for layer in layers {
        notes.add(layer);
    }
    Summary {
        layers: layers.len(),
        entries: layers.iter().map(|layer| layer.entries).sum(),
        bytes: layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.bytes)),
        warnings: notes.sentences(),
    }
}
