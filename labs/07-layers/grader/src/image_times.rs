//! What create_init_layer does to the image's times by looking at it.

use std::fs::{self, FileTimes};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::CREATE_INIT_LAYER;
use crate::layer::directories;

/// The directories of an image, its own among them.
const DIRECTORIES: [&str; 5] = ["", "etc", "dev", "proc", "sys"];

/// All that is known of one call.
struct Looked {
    returned: Returned,
    /// Those whose time of the last access is another one than before.
    listed: Vec<&'static str>,
}

impl Facts for Looked {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        let listed = self.listed.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ");
        words.push(("listed", listed));
        words
    }
}

static RULES: Rules<Looked> = Rules {
    lab: LAB,
    function: CREATE_INIT_LAYER.function,
    tables: &[&[
        rule("image-listed", |it| !it.listed.is_empty()),
        rule("answer/returned-error", |it| it.returned.is_err()),
    ]],
};

/// To list a directory changes the time of its last access; to look at it by lstat(2)
/// does not. The kernel writes that time only where it is older than the others.
pub fn no_directory_is_listed(host: &Host) -> Result<(), Finding> {
    let (workspace, image) = (host.path("looking"), host.path("looked-at"));
    directories(&workspace, [""]);
    directories(&image, DIRECTORIES);
    let long_ago = SystemTime::now() - Duration::from_secs(3_600);
    for name in DIRECTORIES {
        let directory = fs::File::open(image.join(name)).expect("just made");
        directory.set_times(FileTimes::new().set_accessed(long_ago)).expect("just made");
    }
    let before = DIRECTORIES.map(|name| last_access(&image.join(name)));
    let input = (workspace, image.clone(), "a-host".to_owned());
    let returned = host.act(&CREATE_INIT_LAYER, input).make()?.returned;
    let changed = |(name, before): &(&str, i64)| last_access(&image.join(name)) != *before;
    let listed = DIRECTORIES.into_iter().zip(before).filter(changed).map(|(name, _)| name);
    let it = Looked { returned, listed: listed.collect() };
    RULES.judge(&it, it.returned.is_ok() && it.listed.is_empty(), || {
        let evidence = |name: &&str| {
            Evidence::differs(format!("stat -c %X {}", shown(name)), "as before", "now")
        };
        it.listed.iter().map(evidence).collect()
    })
}

/// The path of a directory of the image, for a reader.
fn shown(name: &str) -> String {
    if name.is_empty() { "image".to_owned() } else { format!("image/{name}") }
}

fn last_access(path: &Path) -> i64 {
    path.symlink_metadata().map_or(0, |data| data.atime())
}
