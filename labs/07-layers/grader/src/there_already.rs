//! Directories that are there before a function makes them: that is an error, and they stay.

use std::fs;
use std::path::{Path, PathBuf};

use labkit::describe::{Failure, result};
use labkit::frame::Returned;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;

use crate::LAB;
use crate::layer::fill;
use crate::what_was_there::Before;

/// Whether `function` says so where one of the `directories` that it makes in a workspace
/// is there already, empty or not, and leaves it as it is. `furnish` makes what else it
/// needs in a workspace, and `call` calls it there. If it does not say so, `plain` says
/// what is wrong with it anyway.
///
/// # Errors
/// It does not.
pub fn is_an_error(
    host: &Host,
    function: &'static str,
    directories: &[&str],
    furnish: impl Fn(&Path),
    call: impl Fn(PathBuf) -> Result<Returned, Finding>,
    plain: impl Fn() -> Result<(), Finding>,
) -> Result<(), Finding> {
    for directory in directories {
        for is_empty in [false, true] {
            let workspace = host.path(&format!("{directory}-{is_empty}/workspace"));
            leave(&workspace.join(directory), is_empty);
            furnish(&workspace);
            let ground = workspace.parent().expect("just joined").to_owned();
            let before = Before::of(&ground);
            let returned = call(workspace)?;
            let how = if is_empty { "and is empty" } else { "with a file in it" };
            let what = format!("{function}(…), where {directory} is there, {how}");
            if let Some(changed) = before.changed_by_an_error(&returned) {
                plain()?;
                return Err(changed.finding(function, &what));
            }
            if returned.is_err() {
                continue;
            }
            plain()?;
            let expected = Failure::from(Errno::EEXIST);
            return Err(Finding::new(format!("{LAB}/used-directory-accepted"))
                .word("function", function)
                .word("name", directory)
                .with([Evidence::differs(what, expected, result(&returned))]));
        }
    }
    Ok(())
}

/// As an earlier container may have left it.
fn leave(directory: &Path, is_empty: bool) {
    fill(directory, &[("of-another-container", "")]);
    if is_empty {
        fs::remove_file(directory.join("of-another-container")).expect("just made");
    }
}
