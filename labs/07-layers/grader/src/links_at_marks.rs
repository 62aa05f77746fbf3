//! Links that a container has put where whiteouts_to_aufs makes its marks.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use labkit::canary::Canary;
use labkit::describe::{result, tree};
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::overlay::user_xattr;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::WHITEOUTS_TO_AUFS;
use crate::layer::fill;
use crate::whiteouts_to_aufs::{is_mark, make_opaque, rewrite, the_names_come_back, whiteout};

/// A layer with a link where a mark belongs.
struct Linked {
    returned: Returned,
    mark: PathBuf,
    /// A directory of the host. The link leads into it.
    outside: Canary,
}

impl Facts for Linked {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("outside", self.outside.folder.display().to_string()));
        words
    }
}

static RULES: Rules<Linked> = Rules {
    lab: LAB,
    function: WHITEOUTS_TO_AUFS.function,
    tables: &[&[
        rule("link-followed", |it| !it.outside.is_untouched()),
        rule("link-left-as-a-mark", |it| it.returned.is_ok() && !is_mark(&it.mark)),
    ]],
};

/// Makes what becomes a mark.
type Hide = fn(&Path);

/// Both kinds of marks; to a file, and to where none is.
pub fn marks_go_through_no_link(host: &Host) -> Result<(), Finding> {
    let marks: [(&str, Hide); 2] = [
        (".wh.old", |layer| whiteout(&layer.join("old"))),
        (".wh..wh..opq", |layer| make_opaque(layer, user_xattr())),
    ];
    for (nth, (mark, hide)) in marks.into_iter().enumerate() {
        for target in ["thesis.txt", "new"] {
            let layer = host.path(&format!("linked-{nth}-{target}"));
            fill(&layer, &[("file", "")]);
            let outside = Canary::new(layer.with_extension("outside")).expect("just named");
            hide(&layer);
            symlink(outside.folder.join(target), layer.join(mark)).expect("the scratch directory");
            let [returned] = rewrite(host, [&layer], user_xattr())?;
            let it = Linked { returned, mark: layer.join(mark), outside };
            if it.outside.is_untouched() && (it.returned.is_err() || is_mark(&it.mark)) {
                continue;
            }
            // What is wrong anyway is not wrong for this.
            the_names_come_back(host)?;
            RULES.judge(&it, false, || {
                let leads = format!("whiteouts_to_aufs(layer), where {mark} is a link to {target}");
                let outside = tree(&it.outside.folder).unwrap_or_default();
                let drawing = tree(&layer).unwrap_or_default();
                vec![
                    Evidence::differs(leads, "Err, or an empty file", result(&it.returned)),
                    Evidence::Tree {
                        what: "where the link leads".to_owned(),
                        drawing: names(&outside),
                    },
                    Evidence::Tree { what: "the layer afterwards".to_owned(), drawing },
                ]
            })?;
        }
    }
    Ok(())
}

/// A drawn tree without what is in the files, which are random words.
fn names(drawing: &str) -> String {
    let names = drawing.lines().map(|line| line.split("  ").next().unwrap_or_default());
    names.collect::<Vec<_>>().join("\n")
}
