//! What a killed import or removal leaves in the folder of the images.

use std::path::Path;

use super::{images, lock, names};
use crate::error::Result;
use crate::lock::FlockOperation;
use crate::workspace::delete::delete_tree;

/// What the name of an unfinished import begins with.
pub const IMPORT: &str = ".import-";

/// What the name of an unfinished removal begins with.
pub const REMOVE: &str = ".remove-";

/// Deletes what killed imports and removals have left. Returns the names of
/// the folders that it deleted; those that somebody still works on stay.
///
/// # Errors
/// A folder cannot be read or deleted.
pub fn clear_leftovers(root: &Path) -> Result<Vec<String>> {
    let mut cleared = Vec::new();
    for name in names(root)? {
        if !name.starts_with(IMPORT) && !name.starts_with(REMOVE) {
            continue;
        }
        // Whoever still works on it has it locked.
        let folder = images(root).join(&name);
        if let Some(_lock) = lock(&folder, FlockOperation::NonBlockingLockExclusive)? {
            delete_tree(&folder)?;
            cleared.push(name);
        }
    }
    Ok(cleared)
}
