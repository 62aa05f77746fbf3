//! Evidence in Chinese. Graders write it in English, and only a Chinese report needs
//! more.

use std::borrow::Cow;

/// One per line: `English = Chinese`.
const PHRASES: &str = include_str!("evidence.zh.txt");

/// What a grader wrote, in Chinese; as it is where there is no Chinese for it.
pub fn in_chinese(text: &str) -> Cow<'_, str> {
    for (english, chinese) in phrases() {
        if let Some(stars) = stars(english, text) {
            let numbered = stars.iter().enumerate();
            let filled = numbered.fold(chinese.to_owned(), |filled, (index, star)| {
                filled.replace(&format!("{{{}}}", index + 1), &in_chinese(star))
            });
            return Cow::Owned(filled);
        }
    }
    Cow::Borrowed(text)
}

fn phrases() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = PHRASES.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = "))
}

/// What each `*` of a pattern stands for, if the text fits it: as little as it can.
fn stars<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let Some((first, others)) = pattern.split_once('*') else {
        return (pattern == text).then(Vec::new);
    };
    let mut rest = text.strip_prefix(first)?;
    let mut found = Vec::new();
    let mut parts = others.split('*').peekable();
    while let Some(part) = parts.next() {
        let star = match parts.peek() {
            None => rest.strip_suffix(part)?,
            Some(_) => &rest[..rest.find(part)?],
        };
        found.push(star);
        rest = &rest[(star.len() + part.len()).min(rest.len())..];
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        assert_eq!(stars("a * of *", "a mode of b of c"), Some(vec!["mode", "b of c"]));
        assert_eq!(stars("*, there", "here, there"), Some(vec!["here"]));
        assert_eq!(stars("no star", "no star"), Some(vec![]));
        assert_eq!(stars("a * b", "a c"), None);
    }

    #[test]
    fn a_phrase_becomes_chinese_and_other_text_stays() {
        let chinese = "init-layer/etc 的权限（创建时 umask 为 077）";
        assert_eq!(in_chinese("the mode of init-layer/etc, made with umask 077"), chinese);
        assert_eq!(in_chinese("readlink(\"/proc/PID/root\")"), "readlink(\"/proc/PID/root\")");
    }

    #[test]
    fn every_phrase_has_the_same_stars_in_both_languages() {
        for (english, chinese) in phrases() {
            let count = english.matches('*').count();
            let missing = (1..=count).find(|n| !chinese.contains(&format!("{{{n}}}")));
            assert_eq!(missing, None, "{english}");
            assert!(!chinese.contains(&format!("{{{}}}", count + 1)), "{english}");
        }
    }

    #[test]
    fn no_phrase_stands_behind_one_that_takes_its_texts() {
        let all: Vec<_> = phrases().map(|(english, _)| english).collect();
        for (index, phrase) in all.iter().enumerate() {
            let text = phrase.replace('*', "x");
            let taken = all[..index].iter().find(|earlier| stars(earlier, &text).is_some());
            assert_eq!(taken, None, "{phrase}");
        }
    }
}
