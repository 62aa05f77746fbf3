//! What came of a call of new_image, and what is wrong with it.

use labkit::call::Call;
use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::{Making, NEW_IMAGE};
use crate::store::{Fault, Found, NEW, Store, archive, as_descriptor};

/// What came of a call.
#[derive(Debug)]
pub struct Made {
    pub returned: Returned,
    pub image: Found,
    /// What is there besides, that was not.
    pub left: Vec<String>,
    /// What was there, and is not as it was.
    pub changed: Vec<String>,
    /// What is open afterwards.
    pub open: Vec<String>,
    /// What was particular: for the words.
    pub what: String,
    /// The name that was given.
    pub name: String,
}

impl Made {
    /// Whether the image is there as it must be, and nothing else is new.
    pub fn is_right(&self) -> bool {
        self.returned.is_ok() && self.image == Found::Right && self.is_clean()
    }

    pub fn is_clean(&self) -> bool {
        self.left.is_empty() && self.changed.is_empty()
    }

    /// Whether it says that it cannot be done, and nothing was.
    pub fn is_refused(&self) -> bool {
        self.returned.is_err() && self.image == Found::Nothing && self.is_clean()
    }

    fn has(&self, is_it: impl Fn(&Fault) -> bool) -> bool {
        matches!(&self.image, Found::Wrong(faults) if faults.iter().any(is_it))
    }

    /// The worst of its faults.
    fn worst(&self, is_it: impl Fn(&Fault) -> bool) -> bool {
        matches!(&self.image, Found::Wrong(faults) if faults.first().is_some_and(is_it))
    }

    pub fn evidence(&self, expected: &str) -> Vec<Evidence> {
        let call = match self.what.as_str() {
            "" => format!("{}(…)", NEW_IMAGE.function),
            what => format!("{}(…), {what}", NEW_IMAGE.function),
        };
        let must_be = if expected == "Ok" { "a whole image" } else { "nothing" };
        let list = |all: &[String]| if all.is_empty() { "-".to_owned() } else { all.join(", ") };
        vec![
            Evidence::differs(call, expected, result(&self.returned)),
            Evidence::differs(format!("images/{NEW}"), must_be, self.image.shown()),
            Evidence::differs("new in images, besides", "-", list(&self.left)),
            Evidence::differs("changed in images", "-", list(&self.changed)),
            Evidence::differs(
                format!("open files after {}", NEW_IMAGE.function),
                "-",
                list(&self.open),
            ),
        ]
    }
}

impl Facts for Made {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        let fault = match &self.image {
            Found::Wrong(faults) => faults.first().map(Fault::shown).unwrap_or_default(),
            _ => String::new(),
        };
        words.extend([
            ("fault", fault),
            ("left", self.left.join(", ")),
            ("changed", self.changed.join(", ")),
            ("open", self.open.join(", ")),
            ("name", self.name.clone()),
        ]);
        words
    }
}

/// The rules on a call that must make the image.
pub static RULES: Rules<Made> =
    Rules { lab: LAB, function: NEW_IMAGE.function, tables: &[HARM, DONE, IMAGE, BESIDE] };

const HARM: &[Rule<Made>] = &[rule("base-changed", |it| !it.changed.is_empty())];

const DONE: &[Rule<Made>] = &[
    rule("answer/returned-error", |it| it.returned.is_err()),
    rule("answer/did-nothing", |it| it.image == Found::Nothing && it.left.is_empty()),
];

const IMAGE: &[Rule<Made>] = &[
    rule("layer-numbers-wrong", |it| {
        it.has(|it| matches!(it, Fault::NoLayer(_) | Fault::Misplaced(_)))
    }),
    rule("layers-copied", |it| it.worst(|it| matches!(it, Fault::Copied(_)))),
    rule("absolute-link", |it| it.worst(|it| matches!(it, Fault::Absolute(_)))),
    rule("link-to-a-link", |it| it.worst(|it| matches!(it, Fault::ToALink(_)))),
    rule("link-leads-elsewhere", |it| it.worst(|it| matches!(it, Fault::Elsewhere(..)))),
    rule("configuration-lost", |it| it.has(|it| matches!(it, Fault::Configuration(_)))),
];

const BESIDE: &[Rule<Made>] = &[
    rule("left-over-stays", |it| !it.left.is_empty()),
    rule("descriptor-left-open", |it| !it.open.is_empty()),
];

pub fn call<'h>(host: &'h Host, making: Making, archive: &[u8]) -> Call<'h, Making, Returned> {
    host.act(&NEW_IMAGE, making).giving(vec![as_descriptor(archive)])
}

/// Has the image made of `base` and looks at it.
pub fn make(host: &Host, store: &Store, base: &str, owners: &[&str]) -> Result<Made, Finding> {
    make_of(host, store, store.making(base, NEW), &archive(), owners)
}

pub fn make_of(
    host: &Host,
    store: &Store,
    making: Making,
    archive: &[u8],
    owners: &[&str],
) -> Result<Made, Finding> {
    let name = making.name.clone();
    let seen = call(host, making, archive).make()?;
    Ok(Made {
        image: store.find(&name, owners),
        left: store.left(&name),
        changed: store.changed(),
        open: seen.process.descriptors.values().map(|it| it.display().to_string()).collect(),
        returned: seen.returned,
        what: String::new(),
        name,
    })
}

pub fn judge(made: &Made) -> Result<(), Finding> {
    RULES.judge(made, made.is_right(), || made.evidence("Ok"))
}

/// A harder case is tried only on an answer that can do the plain one.
pub fn plain(host: &Host) -> Result<(), Finding> {
    judge(&make(host, &Store::new(host, "plain"), "base", &["base", "base"])?)
}

/// The rules on a call that must be refused.
pub static REFUSED: Rules<Made> = Rules {
    lab: LAB,
    function: NEW_IMAGE.function,
    tables: &[
        HARM,
        &[
            rule("name-not-checked", |it| {
                it.returned.is_ok()
                    && (it.what.starts_with("the name") || it.what.starts_with("the base"))
            }),
            rule("existing-image-replaced", |it| {
                it.returned.is_ok() && it.what.starts_with("there is")
            }),
            rule("half-an-image", |it| it.image != Found::Nothing),
            rule("failed-call-not-told", |it| it.returned.is_ok()),
            rule("left-over-stays", |it| !it.left.is_empty()),
        ],
    ],
};

pub fn must_refuse(mut made: Made, what: &str) -> Result<(), Finding> {
    what.clone_into(&mut made.what);
    REFUSED.judge(&made, made.is_refused(), || made.evidence("an error"))
}
