//! What people get wrong in merge_environment: several entries for one name, and entries
//! that only some of the lists have.

use std::ffi::{OsStr, OsString};

use lab_04_grader::Answers;

use super::environment::{Variables, has_equals, name_of, of_host, second_part, with_given};
use crate::catalogue::Mistake;
use crate::lab_04::{SOLUTION, solution};

/// "The last one wins", so it looks only at that one. But that may be a name that the host
/// does not have, and then the one before it counts.
pub const LAST_ENTRY_CHOSEN_FIRST: Mistake<Answers> = Mistake {
    name: "last_entry_chosen_first",
    code: "pipe-env/unset-undoes-given",
    answers: Answers {
        merge_environment: |image, given, host| {
            let last = |variable: &OsString| {
                given.iter().rfind(|it| name_of(it) == name_of(variable)).cloned()
            };
            with_given(image, given, host, last)
        },
        ..SOLUTION
    },
};

/// The variables of a list. If several have the same name, only the first of them.
fn first_of_each(variables: Variables, has_value: impl Fn(&OsString) -> bool) -> Vec<OsString> {
    let mut first: Vec<OsString> = Vec::new();
    for variable in variables.iter().filter(|it| has_value(it)) {
        if !first.iter().any(|it| name_of(it) == name_of(variable)) {
            first.push(variable.clone());
        }
    }
    first
}

/// HashMap::entry(name).or_insert(value): a name that has a value keeps it.
pub const FIRST_GIVEN_KEPT: Mistake<Answers> = Mistake {
    name: "first_given_kept",
    code: "pipe-env/earlier-value-kept",
    answers: Answers {
        merge_environment: |image, given, host| {
            let has_value = |it: &OsString| has_equals(it) || of_host(it, host).is_some();
            solution::merge_environment(image, &first_of_each(given, has_value), host)
        },
        ..SOLUTION
    },
};

/// The same for the image: the value that getenv(3) would find.
pub const FIRST_OF_THE_IMAGE_KEPT: Mistake<Answers> = Mistake {
    name: "first_of_the_image_kept",
    code: "pipe-env/earlier-value-kept",
    answers: Answers {
        merge_environment: |image, given, host| {
            solution::merge_environment(&first_of_each(image, has_equals), given, host)
        },
        ..SOLUTION
    },
};

/// Begins with image.to_vec(): an image has nothing but variables, has it not?
pub const IMAGE_AS_IT_IS: Mistake<Answers> = Mistake {
    name: "image_as_it_is",
    code: "pipe-env/image-entry-without-value",
    answers: Answers {
        merge_environment: |image, given, host| {
            let mut merged = solution::merge_environment(image, given, host);
            for (at, entry) in image.iter().enumerate().filter(|(_, entry)| !has_equals(entry)) {
                merged.insert(at.min(merged.len()), entry.clone());
            }
            merged
        },
        ..SOLUTION
    },
};

/// One function takes the variables of both lists apart. It splits at every `=`.
pub const ALL_VALUES_CUT: Mistake<Answers> = Mistake {
    name: "all_values_cut",
    code: "pipe-env/value-cut-at-equals",
    answers: Answers {
        merge_environment: |image, given, host| {
            let image: Vec<OsString> = image.iter().map(second_part).collect();
            with_given(&image, given, host, |variable| Some(second_part(variable)))
        },
        ..SOLUTION
    },
};

/// std::env::vars(), so that the host's values are text.
pub const HOST_AS_TEXT: Mistake<Answers> = Mistake {
    name: "host_as_text",
    code: "pipe-env/lossy-utf8",
    answers: Answers {
        merge_environment: |image, given, host| {
            let text = |it: &OsStr| OsString::from(it.to_string_lossy().into_owned());
            let host: Vec<_> =
                host.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            solution::merge_environment(image, given, &host)
        },
        ..SOLUTION
    },
};
