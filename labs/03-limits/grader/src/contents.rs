//! What there is below a folder, and what was written into its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use labkit::describe::walk;

/// Every entry of a folder: the text of a file, nothing for a folder.
pub type Contents = BTreeMap<PathBuf, Option<String>>;

/// All that there is below a folder, by its path.
pub fn contents(top: &Path) -> Contents {
    let mut contents = Contents::new();
    walk(top, &mut |path, metadata| {
        let text = metadata.is_file().then(|| fs::read_to_string(path).unwrap_or_default());
        contents.insert(path.to_owned(), text);
    })
    .expect("a folder that the witness has made");
    contents
}

/// What was written into a file last; nothing if it is not there. For the kernel
/// each write is a command, and where it begins is all the same: a plain file that
/// was opened to append still has the one before, which can only be "no limit".
pub fn text<'a>(contents: &'a Contents, file: &Path) -> &'a str {
    last(all(contents, file))
}

/// The same of a file that lists something from the beginning; nothing if that is all that
/// it has. What is written there takes the place of all of it, of its beginning, or none.
pub fn newest<'a>(before: &Contents, after: &'a Contents, file: &Path) -> &'a str {
    let (before, after) = (all(before, file), all(after, file));
    if let Some(added) = after.strip_prefix(before) {
        return last(added);
    }
    let is_kept = |(one, other): &(u8, u8)| one == other;
    let kept = before.bytes().rev().zip(after.bytes().rev()).take_while(is_kept).count();
    let is_overwritten = before.len() == after.len();
    last(if is_overwritten { &after[..after.len() - kept] } else { after })
}

fn all<'a>(contents: &'a Contents, file: &Path) -> &'a str {
    contents.get(file).and_then(Option::as_deref).unwrap_or_default()
}

fn last(all: &str) -> &str {
    let last = all.trim().lines().next_back().unwrap_or_default();
    let is_number = |rest: &&str| rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    let after = ["-1", "max"].iter().find_map(|none| last.strip_prefix(none).filter(is_number));
    after.filter(|_| last.len() > "-1".len() + 2).unwrap_or(last)
}
