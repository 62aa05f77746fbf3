//! What a killed import or removal leaves in the folder of the images.

use std::path::Path;

use super::{images, lock, names};
use mydocker_kernel::delete::delete_tree;
use mydocker_kernel::lock::FlockOperation;
use mydocker_kernel::{Error, Result};

/// What the name of an unfinished import begins with.
pub const IMPORT: &str = ".import-";

/// What the name of an unfinished removal begins with.
pub const REMOVE: &str = ".remove-";

/// What became of the leftovers that nobody works on any more.
#[derive(Debug, Default)]
pub struct Cleared {
    /// The names of the folders that were deleted.
    pub names: Vec<String>,
    /// Why the others could not be: each stands in nobody's way, but takes room.
    pub failures: Vec<Error>,
}

/// Deletes what killed imports and removals have left; what somebody still works
/// on stays.
///
/// # Errors
/// The folder of the images cannot be read.
pub fn clear_leftovers(root: &Path) -> Result<Cleared> {
    let mut cleared = Cleared::default();
    for name in names(root)? {
        if !name.starts_with(IMPORT) && !name.starts_with(REMOVE) {
            continue;
        }
        // Whoever still works on it has it locked.
        let folder = images(root).join(&name);
        let locked = lock(&folder, FlockOperation::NonBlockingLockExclusive);
        match locked.and_then(|lock| lock.map(|_lock| delete_tree(&folder)).transpose()) {
            Ok(None) => {}
            Ok(Some(())) => cleared.names.push(name),
            Err(error) => cleared.failures.push(error),
        }
    }
    Ok(cleared)
}
