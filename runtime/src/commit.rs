//! `mydocker commit`: what a container changed becomes the top layer of a new image.

use std::path::Path;

use mydocker_image::{Changes, Committed, Image};
use mydocker_kernel::Result;

use crate::container;
use crate::freezer::Frozen;
use crate::limits::Group;
use crate::user_namespace;
use crate::workspace::complete_write_layer;

/// Makes the image `name` from the container `id`, running or kept: the layers of its
/// image, shared, and its write layer on top. With `pause` its processes stand still
/// meanwhile.
///
/// The calling process must be single-threaded: a user's becomes root of a user
/// namespace of its own.
///
/// # Errors
/// There is no such container, or there is such an image; it cannot be paused; as
/// [`mydocker_image::commit`].
pub fn commit(root: &Path, id: &str, name: &str, pause: bool) -> Result<Committed> {
    let container = container::find(root, id)?;
    let record = container.record()?;
    let image = Image::open(root, &record.image)?;
    // If it ends now, its files stay until we have read them.
    let _stays = container.hold()?;
    let group = Group::find_with(&container.folder, record.process.pid)?;
    let _frozen = pause.then(|| Frozen::begin(&group)).transpose()?;

    complete_write_layer(record.driver, &container.folder)?;
    user_namespace::become_root_of_own()?;
    let changes = Changes {
        source: format!("container {id} on {}", record.image),
        write_layer: &container.folder.join("write-layer"),
        init_layer: &container.folder.join("init-layer"),
        form: record.driver.whiteout_form(),
    };
    mydocker_image::commit(root, name, &image, &changes)
}
