//! Tables that are generated at random.

use arbitrary::{Result, Unstructured};
use labkit::generated::list;

use super::{Case, cases, expected};

/// Mounts, each on one that was made before it, on one that is not in the table, or
/// on itself; in whatever order.
pub fn table(choices: &mut Unstructured) -> Result<Case> {
    let paths = ["/", "/a", "/a/b", "/ab", "/a/b/c", "/a"];
    let mut rows: Vec<(u32, u32, &str)> = Vec::new();
    list(choices, 12, |choices| {
        // The kernel gives free numbers away again: they are in no order.
        let count = rows.len() as u32 + 1;
        let zero = if rows.iter().all(|row| row.0 != 0) { 0 } else { 20 + count };
        let id = *choices.choose(&[20 + count, 50 - count, 100 * count, zero])?;
        let parent = match choices.int_in_range(0..=rows.len() + 2)? {
            0 => 1,
            nth if nth <= rows.len() => rows[rows.len() - nth].0,
            nth if nth == rows.len() + 1 => id,
            _ => 7,
        };
        // What was moved may come before what it is on now.
        let at = rows.len() - choices.int_in_range(0..=rows.len())?;
        rows.insert(at, (id, parent, choices.choose(&paths)?));
        Ok(())
    })?;
    let input = cases::table(&rows);
    let expected = expected(&input);
    Ok(Case { input, expected })
}
