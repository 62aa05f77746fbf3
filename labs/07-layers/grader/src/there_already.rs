//! Directories that are there before a function makes them.

use std::fs;
use std::path::{Path, PathBuf};

use labkit::describe::{Failure, result};
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;

use crate::LAB;
use crate::acts::{CREATE_INIT_LAYER, CREATE_MOUNT_POINT, CREATE_WRITE_LAYER};
use crate::layer::{directories, fill};
use crate::overlay::user_xattr;

/// A function that makes a directory.
struct Maker {
    function: &'static str,
    directory: &'static str,
    call: fn(&Host, PathBuf) -> Result<Returned, Finding>,
}

const MAKERS: [Maker; 4] = [
    Maker {
        function: CREATE_INIT_LAYER.function,
        directory: "init-layer",
        call: |host, workspace| {
            let image = workspace.with_file_name("image");
            directories(&image, [""]);
            let input = (workspace, image, "a-host".to_owned());
            Ok(host.act(&CREATE_INIT_LAYER, input).make()?.returned)
        },
    },
    Maker { function: CREATE_WRITE_LAYER.function, directory: "write-layer", call: write_layer },
    Maker { function: CREATE_WRITE_LAYER.function, directory: "work", call: write_layer },
    Maker {
        function: CREATE_MOUNT_POINT.function,
        directory: "mnt",
        call: |host, workspace| {
            let image = workspace.with_file_name("image");
            directories(&image, [""]);
            directories(&workspace, ["init-layer", "write-layer", "work"]);
            Ok(host.act(&CREATE_MOUNT_POINT, (workspace, image, user_xattr())).make()?.returned)
        },
    },
];

fn write_layer(host: &Host, workspace: PathBuf) -> Result<Returned, Finding> {
    Ok(host.act(&CREATE_WRITE_LAYER, workspace).make()?.returned)
}

/// What a function makes of a directory that is there.
struct Found {
    directory: &'static str,
    returned: Returned,
}

impl Facts for Found {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("name", self.directory.to_owned()));
        words
    }
}

/// Whether `function` says so where its directory is there already, empty or not. If
/// not, `plain` says what is wrong with it anyway.
///
/// # Errors
/// It does not.
pub fn is_an_error(
    host: &Host,
    function: &'static str,
    plain: impl Fn() -> Result<(), Finding>,
) -> Result<(), Finding> {
    for maker in MAKERS.iter().filter(|maker| maker.function == function) {
        for is_empty in [false, true] {
            let name = format!("{}-{is_empty}/workspace", maker.directory);
            let workspace = host.path(&name);
            leave(&workspace.join(maker.directory), is_empty);
            let returned = (maker.call)(host, workspace)?;
            if returned.is_err() {
                continue;
            }
            plain()?;
            let it = Found { directory: maker.directory, returned };
            let rules = Rules { function, ..RULES };
            rules.judge(&it, false, || {
                let how = if is_empty { "and is empty" } else { "with a file in it" };
                let what = format!("{function}(…), where {} is there, {how}", maker.directory);
                let expected = Failure::from(Errno::EEXIST);
                vec![Evidence::differs(what, expected, result(&it.returned))]
            })?;
        }
    }
    Ok(())
}

static RULES: Rules<Found> =
    Rules { lab: LAB, function: "", tables: &[&[rule("used-directory-accepted", |_| true)]] };

/// As an earlier container may have left it.
fn leave(directory: &Path, is_empty: bool) {
    fill(directory, &[("of-another-container", "")]);
    if is_empty {
        fs::remove_file(directory.join("of-another-container")).expect("just made");
    }
}
