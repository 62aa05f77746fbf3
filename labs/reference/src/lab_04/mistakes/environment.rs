//! What people get wrong in merge_environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::slice::from_ref;

use lab_04_grader::Answers;

use crate::catalogue::Mistake;
use crate::lab_04::{SOLUTION, solution};

pub(super) type Variables<'a> = &'a [OsString];
pub(super) type Host<'a> = &'a [(OsString, OsString)];

/// What stands before the first `=`.
pub(super) fn name_of(variable: &OsStr) -> &[u8] {
    variable.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}

pub(super) fn has_equals(variable: &OsString) -> bool {
    variable.as_bytes().contains(&b'=')
}

pub(super) fn of_host<'a>(name: &OsString, host: Host<'a>) -> Option<&'a OsString> {
    host.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

pub(super) fn assign(name: &OsString, value: &OsStr) -> OsString {
    [name, value].join(OsStr::new("="))
}

/// The solution's work, with `given` made into something else before.
pub(super) fn with_given(
    image: Variables,
    given: Variables,
    host: Host,
    change: impl Fn(&OsString) -> Option<OsString>,
) -> Vec<OsString> {
    let given: Vec<OsString> = given.iter().filter_map(change).collect();
    solution::merge_environment(image, &given, host)
}

/// As exec.Cmd does when its Env is set: the image's variables are gone.
pub const ONLY_WHAT_IS_GIVEN: Mistake<Answers> = Mistake {
    name: "only_what_is_given",
    code: "pipe-env/image-variables-lost",
    answers: Answers {
        merge_environment: |image, given, host| match given {
            [] => solution::merge_environment(image, given, host),
            given => solution::merge_environment(&[], given, host),
        },
        ..SOLUTION
    },
};

/// Adds what is not there yet: an image cannot be changed.
pub const ONLY_WHAT_IS_NEW: Mistake<Answers> = Mistake {
    name: "only_what_is_new",
    code: "pipe-env/image-wins",
    answers: Answers {
        merge_environment: |image, given, host| {
            with_given(image, given, host, |variable| {
                let is_there = image.iter().any(|it| name_of(it) == name_of(variable));
                (!is_there).then(|| variable.clone())
            })
        },
        ..SOLUTION
    },
};

/// append(image, given...): getenv(3) finds the first of two, so nothing was
/// replaced.
pub const APPENDED: Mistake<Answers> = Mistake {
    name: "appended",
    code: "pipe-env/duplicate-names",
    answers: Answers {
        merge_environment: |image, given, host| {
            let mut environment = image.to_vec();
            for variable in given {
                match of_host(variable, host) {
                    _ if has_equals(variable) => environment.push(variable.clone()),
                    Some(value) => environment.push(assign(variable, value)),
                    None => {}
                }
            }
            if !environment.iter().any(|it| name_of(it) == b"PATH") {
                environment.push(assign(&"PATH".into(), solution::DEFAULT_PATH.as_ref()));
            }
            environment
        },
        ..SOLUTION
    },
};

/// Compares with starts_with: `-e HOME=…` replaces HOMEPAGE.
pub const PREFIX_OF_THE_NAME: Mistake<Answers> = Mistake {
    name: "prefix_of_the_name",
    code: "pipe-env/name-by-prefix",
    answers: Answers {
        merge_environment: |image, given, host| {
            let mut image = image.to_vec();
            let mut new = Vec::new();
            for variable in given {
                let is_it = |it: &&mut OsString| it.as_bytes().starts_with(name_of(variable));
                match image.iter_mut().find(is_it).filter(|_| has_equals(variable)) {
                    Some(present) => *present = variable.clone(),
                    None => new.push(variable.clone()),
                }
            }
            solution::merge_environment(&image, &new, host)
        },
        ..SOLUTION
    },
};

/// os.Environ() to begin with, as the blog does it: every secret of the user's is
/// in the container.
pub const WHOLE_HOST: Mistake<Answers> = Mistake {
    name: "whole_host",
    code: "pipe-env/host-inherited",
    answers: Answers {
        merge_environment: |image, given, host| {
            let all: Vec<OsString> = host.iter().map(|(name, value)| assign(name, value)).collect();
            solution::merge_environment(&[&all, image].concat(), given, host)
        },
        ..SOLUTION
    },
};

/// A map is the natural thing for it, and has no order, or another one.
pub const SORTED: Mistake<Answers> = Mistake {
    name: "sorted",
    code: "pipe-env/order-lost",
    answers: Answers {
        merge_environment: |image, given, host| {
            let merged = solution::merge_environment(image, given, host);
            let map: BTreeMap<&[u8], &OsString> =
                merged.iter().map(|variable| (name_of(variable), variable)).collect();
            map.into_values().cloned().collect()
        },
        ..SOLUTION
    },
};

/// Removes the old variable and adds the new one at the end.
pub const REPLACED_AT_THE_END: Mistake<Answers> = Mistake {
    name: "replaced_at_the_end",
    code: "pipe-env/order-lost",
    answers: Answers {
        merge_environment: |image, given, host| {
            let mut merged: Vec<OsString> = Vec::new();
            for variable in image.iter().filter(|it| has_equals(it)).chain(given) {
                let variable = match of_host(variable, host) {
                    _ if has_equals(variable) => variable.clone(),
                    Some(value) => assign(variable, value),
                    None => continue,
                };
                merged.retain(|it| name_of(it) != name_of(&variable));
                merged.push(variable);
            }
            solution::merge_environment(&merged, &[], host)
        },
        ..SOLUTION
    },
};

/// split("=")[1]: what stands behind the second `=` is lost.
pub const SECOND_PART_OF_THE_SPLIT: Mistake<Answers> = Mistake {
    name: "second_part_of_the_split",
    code: "pipe-env/value-cut-at-equals",
    answers: Answers {
        merge_environment: |image, given, host| {
            with_given(image, given, host, |variable| Some(second_part(variable)))
        },
        ..SOLUTION
    },
};

pub(super) fn second_part(variable: &OsString) -> OsString {
    let parts: Vec<&[u8]> = variable.as_bytes().split(|byte| *byte == b'=').collect();
    match parts[..] {
        [name, value, ..] => assign(&OsStr::from_bytes(name).into(), OsStr::from_bytes(value)),
        _ => variable.clone(),
    }
}

/// Splits at the last `=`: `OPTIONS=-Dmode` is taken for the name.
pub const LAST_EQUALS: Mistake<Answers> = Mistake {
    name: "last_equals",
    code: "pipe-env/split-at-the-last-equals",
    answers: Answers {
        merge_environment: |image, given, host| {
            let last = |it: &OsString| it.as_bytes().iter().rposition(|byte| *byte == b'=');
            let mut merged = solution::merge_environment(image, &[], host);
            for variable in given {
                let Some(end) = last(variable) else {
                    merged = solution::merge_environment(&merged, from_ref(variable), host);
                    continue;
                };
                let name = &variable.as_bytes()[..end];
                let is_it =
                    |it: &&mut OsString| last(it).map(|end| &it.as_bytes()[..end]) == Some(name);
                match merged.iter_mut().find(is_it) {
                    Some(present) => *present = variable.clone(),
                    None => merged.push(variable.clone()),
                }
            }
            merged
        },
        ..SOLUTION
    },
};

/// Takes `PROMPT=` for `PROMPT`.
pub const EMPTY_IS_NONE: Mistake<Answers> = Mistake {
    name: "empty_is_none",
    code: "pipe-env/empty-value-dropped",
    answers: Answers {
        merge_environment: |image, given, host| {
            with_given(image, given, host, |variable| {
                (!variable.as_bytes().ends_with(b"=")).then(|| variable.clone())
            })
        },
        ..SOLUTION
    },
};

/// What is in the image, too: a value with nothing in it looks like none.
pub const EMPTY_IN_THE_IMAGE_IS_NONE: Mistake<Answers> = Mistake {
    name: "empty_in_the_image_is_none",
    code: "pipe-env/empty-value-dropped",
    answers: Answers {
        merge_environment: |image, given, host| {
            let is_empty = |variable: &OsString| variable.as_bytes().ends_with(b"=");
            let image: Vec<OsString> = image.iter().filter(|it| !is_empty(it)).cloned().collect();
            solution::merge_environment(&image, given, host)
        },
        ..SOLUTION
    },
};

/// to_string_lossy, so that split_once can be used.
pub const AS_TEXT: Mistake<Answers> = Mistake {
    name: "as_text",
    code: "pipe-env/lossy-utf8",
    answers: Answers {
        merge_environment: |image, given, host| {
            let text = |it: &OsString| Some(it.to_string_lossy().into_owned().into());
            with_given(image, given, host, text)
        },
        ..SOLUTION
    },
};

/// Has never heard of `-e NAME`.
pub const NAME_ALONE_IGNORED: Mistake<Answers> = Mistake {
    name: "name_alone_ignored",
    code: "pipe-env/name-alone-ignored",
    answers: Answers {
        merge_environment: |image, given, host| {
            with_given(image, given, host, |it| has_equals(it).then(|| it.clone()))
        },
        ..SOLUTION
    },
};

/// split_once('=').unwrap_or((name, "")).
pub const NAME_ALONE_EMPTY: Mistake<Answers> = Mistake {
    name: "name_alone_empty",
    code: "pipe-env/name-alone-empty",
    answers: Answers {
        merge_environment: |image, given, host| {
            with_given(image, given, host, |it| {
                Some(if has_equals(it) { it.clone() } else { assign(it, "".as_ref()) })
            })
        },
        ..SOLUTION
    },
};

/// Hands on what was given as it was given: execve(2) takes it, and nobody finds
/// a variable in it.
pub const NAME_ALONE_PASSED_ON: Mistake<Answers> = Mistake {
    name: "name_alone_passed_on",
    code: "pipe-env/name-alone-passed-on",
    answers: Answers {
        merge_environment: |image, given, host| {
            let (whole, names): (Vec<OsString>, Vec<OsString>) =
                given.iter().cloned().partition(has_equals);
            let mut merged = solution::merge_environment(image, &whole, host);
            merged.extend(names);
            merged
        },
        ..SOLUTION
    },
};

/// std::env::var(name).unwrap_or_default(): a variable that the host does not have
/// is set and empty, which `${DEBUG+yes}` can tell from unset.
pub const UNSET_IS_EMPTY: Mistake<Answers> = Mistake {
    name: "unset_is_empty",
    code: "pipe-env/unset-becomes-empty",
    answers: Answers {
        merge_environment: |image, given, host| {
            with_given(image, given, host, |it| {
                let value = || of_host(it, host).cloned().unwrap_or_default();
                Some(if has_equals(it) { it.clone() } else { assign(it, &value()) })
            })
        },
        ..SOLUTION
    },
};

/// Leaves PATH to the image: where that has none, no command is found.
pub const NO_PATH: Mistake<Answers> = Mistake {
    name: "no_path",
    code: "pipe-env/no-path",
    answers: Answers {
        merge_environment: |image, given, host| {
            let mut merged = solution::merge_environment(image, given, host);
            let has_path = image.iter().chain(given).any(|it| name_of(it) == b"PATH");
            merged.retain(|it| has_path || name_of(it) != b"PATH");
            merged
        },
        ..SOLUTION
    },
};

/// Sets PATH after all others: that of the image, and that of -e, are lost.
pub const ALWAYS_THE_DEFAULT_PATH: Mistake<Answers> = Mistake {
    name: "always_the_default_path",
    code: "pipe-env/path-overridden",
    answers: Answers {
        merge_environment: |image, given, host| {
            let path = assign(&"PATH".into(), solution::DEFAULT_PATH.as_ref());
            solution::merge_environment(image, &[given, &[path]].concat(), host)
        },
        ..SOLUTION
    },
};

/// `PATH=` looks as if nobody had said anything.
pub const EMPTY_PATH_REPLACED: Mistake<Answers> = Mistake {
    name: "empty_path_replaced",
    code: "pipe-env/path-overridden",
    answers: Answers {
        merge_environment: |image, given, host| {
            let mut merged = solution::merge_environment(image, given, host);
            let empty = assign(&"PATH".into(), "".as_ref());
            merged.iter_mut().filter(|it| **it == empty).for_each(|it| {
                *it = assign(&"PATH".into(), solution::DEFAULT_PATH.as_ref());
            });
            merged
        },
        ..SOLUTION
    },
};

/// The image's variables, to see what the tests say.
pub const IMAGE_UNCHANGED: Mistake<Answers> = Mistake {
    name: "image_unchanged",
    code: "pipe-env/given-ignored",
    answers: Answers { merge_environment: |image, _, _| image.to_vec(), ..SOLUTION },
};

/// Only what is given can be there already: what the image says twice stays
/// twice.
pub const IMAGE_TWICE: Mistake<Answers> = Mistake {
    name: "image_twice",
    code: "pipe-env/duplicate-names",
    answers: Answers {
        merge_environment: |image, given, host| {
            let mut environment = image.to_vec();
            for variable in solution::merge_environment(&[], given, host) {
                let is_default = !given.iter().any(|it| name_of(it) == b"PATH");
                match environment.iter_mut().find(|it| name_of(it) == name_of(&variable)) {
                    Some(_) if is_default && name_of(&variable) == b"PATH" => {}
                    Some(present) => *present = variable,
                    None => environment.push(variable),
                }
            }
            environment
        },
        ..SOLUTION
    },
};

/// unsetenv where the host has no such variable.
pub const UNSET_IS_REMOVED: Mistake<Answers> = Mistake {
    name: "unset_is_removed",
    code: "pipe-env/unset-removes",
    answers: Answers {
        merge_environment: |image, given, host| {
            let is_unset = |it: &&OsString| !has_equals(it) && of_host(it, host).is_none();
            let unset: Vec<&OsString> = given.iter().filter(is_unset).collect();
            let mut image = image.to_vec();
            image.retain(|it| !unset.iter().any(|name| name_of(it) == name.as_bytes()));
            solution::merge_environment(&image, given, host)
        },
        ..SOLUTION
    },
};

/// Looks for a variable that begins with PATH, and finds PATH_INFO.
pub const PATH_BY_PREFIX: Mistake<Answers> = Mistake {
    name: "path_by_prefix",
    code: "pipe-env/other-name-taken-for-path",
    answers: Answers {
        merge_environment: |image, given, host| {
            let mut merged = solution::merge_environment(image, given, host);
            let is_like_path = |it: &OsString| it.as_bytes().starts_with(b"PATH");
            if image.iter().chain(given).any(is_like_path) {
                let default = assign(&"PATH".into(), solution::DEFAULT_PATH.as_ref());
                let is_given = image.iter().chain(given).any(|it| name_of(it) == b"PATH");
                merged.retain(|it| is_given || *it != default);
            }
            merged
        },
        ..SOLUTION
    },
};

/// The default belongs to the image, so it is added to that, before what -e adds.
pub const DEFAULT_PATH_OF_THE_IMAGE: Mistake<Answers> = Mistake {
    name: "default_path_of_the_image",
    code: "pipe-env/default-path-not-last",
    answers: Answers {
        merge_environment: |image, given, host| {
            let path = assign(&"PATH".into(), solution::DEFAULT_PATH.as_ref());
            let has_path = image.iter().chain(given).any(|it| name_of(it) == b"PATH");
            let added = if has_path { Vec::new() } else { vec![path] };
            solution::merge_environment(&[image, &added].concat(), given, host)
        },
        ..SOLUTION
    },
};

/// One loop for both lists: what the image has no value for is taken from the host.
pub const IMAGE_ASKS_THE_HOST: Mistake<Answers> = Mistake {
    name: "image_asks_the_host",
    code: "pipe-env/host-inherited",
    answers: Answers {
        merge_environment: |image, given, host| {
            let whole = |variable: &OsString| match of_host(variable, host) {
                Some(value) if !has_equals(variable) => assign(variable, value),
                _ => variable.clone(),
            };
            let image: Vec<OsString> = image.iter().map(whole).collect();
            solution::merge_environment(&image, given, host)
        },
        ..SOLUTION
    },
};

/// As `[ -n "$NAME" ]` of a shell: empty is taken for not there.
pub const EMPTY_ON_THE_HOST: Mistake<Answers> = Mistake {
    name: "empty_on_the_host",
    code: "pipe-env/empty-host-value-dropped",
    answers: Answers {
        merge_environment: |image, given, host| {
            let full: Vec<_> =
                host.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
            solution::merge_environment(image, given, &full)
        },
        ..SOLUTION
    },
};

/// A name is text, it seems: what is not looks all the same.
pub const NAMES_AS_TEXT: Mistake<Answers> = Mistake {
    name: "names_as_text",
    code: "pipe-env/names-compared-as-text",
    answers: Answers {
        merge_environment: |image, given, host| {
            let text = |it: &OsString| String::from_utf8_lossy(name_of(it)).into_owned();
            let replaces = |new: &OsString, old: &OsString| {
                has_equals(new) && name_of(new) != name_of(old) && text(new) == text(old)
            };
            let is_kept = |old: &&OsString| !given.iter().any(|new| replaces(new, old));
            let image: Vec<OsString> = image.iter().filter(is_kept).cloned().collect();
            solution::merge_environment(&image, given, host)
        },
        ..SOLUTION
    },
};
