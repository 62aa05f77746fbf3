//! What was there before a function failed: others have made it, and it stays.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labkit::describe::{kind, walk};
use labkit::frame::Returned;
use labkit::verdict::{Evidence, Finding};
use nix::sys::stat::Mode;

use crate::LAB;

/// All that is in a directory.
pub struct Before {
    top: PathBuf,
    entries: Entries,
}

/// Each path, and what is there. No times: who looks at a directory may change one.
type Entries = BTreeMap<PathBuf, String>;

/// Directories in which something may be new: in a workspace the function makes its own,
/// and overlayfs writes into `work` whenever it is mounted, even if it is unmounted again.
const MAY_GROW: [&str; 3] = ["", "workspace", "work"];

impl Before {
    /// What is in `top` now.
    pub fn of(top: &Path) -> Before {
        Before { top: top.to_owned(), entries: entries(top) }
    }

    /// If the function returned an error, the first of what was there that is no longer as it
    /// was, and what has become of it.
    pub fn changed_by_an_error(&self, returned: &Returned) -> Option<Changed> {
        returned.as_ref().err().and_then(|_| self.first_changed())
    }

    fn first_changed(&self) -> Option<Changed> {
        let now = entries(&self.top);
        let mut changed = self.entries.iter().filter(|(path, was)| now.get(*path) != Some(was));
        if let Some((path, was)) = changed.next() {
            let is = now.get(path).map_or("-", String::as_str);
            return Some(Changed { name: self.name(path), was: was.clone(), is: is.to_owned() });
        }
        let is_new_in_anothers = |path: &Path| {
            let parent = path.parent().unwrap_or(path);
            let name = parent.file_name().unwrap_or_default();
            !self.entries.contains_key(path)
                && self.entries.contains_key(parent)
                && parent != self.top
                && !MAY_GROW.iter().any(|may| name == *may)
        };
        let (path, is) = now.iter().find(|(path, _)| is_new_in_anothers(path))?;
        Some(Changed { name: self.name(path), was: "-".to_owned(), is: is.clone() })
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.top).unwrap_or(path).display().to_string()
    }
}

/// Something that is not as it was.
pub struct Changed {
    name: String,
    was: String,
    is: String,
}

impl Changed {
    /// What is wrong with `function`, which returned an error when called like this.
    pub fn finding(self, function: &'static str, call: &str) -> Finding {
        let [was, is] = [self.was, self.is].map(|what| format!("{}  {what}", self.name));
        Finding::new(format!("{LAB}/anothers-files-changed"))
            .word("function", function)
            .word("name", self.name)
            .with([Evidence::differs(call, was, is)])
    }
}

fn entries(top: &Path) -> Entries {
    let mut entries = Entries::new();
    let _ = walk(top, &mut |path, data| {
        let mode = Mode::from_bits_truncate(data.mode()).bits();
        let kind = kind(path, data);
        entries.insert(path.to_owned(), format!("{mode:04o} {}", kind.trim_start()));
    });
    entries
}
