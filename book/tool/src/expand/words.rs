//! The labs' texts as Markdown.

use labkit::language::{Language, Words};

/// One text as Markdown. It is plain text with `code` between backticks; the
/// words of a finding, `%{function}`, are shown as ⟨function⟩.
pub fn markdown(words: &Words, language: Language) -> String {
    let text = words.in_language(language).replace("%{", "⟨");
    let mut markdown = String::new();
    let mut in_code = false;
    let mut in_word = false;
    for letter in text.chars() {
        match letter {
            '`' => in_code = !in_code,
            '⟨' => in_word = true,
            '}' if in_word => {
                in_word = false;
                markdown.push('⟩');
                continue;
            }
            '*' | '_' | '[' | ']' | '<' | '>' | '|' if !in_code => markdown.push('\\'),
            _ => {}
        }
        markdown.push(letter);
    }
    // A line of a text is a line of the page.
    markdown.replace('\n', "  \n")
}

/// The texts that the directives themselves need.
pub fn pick(language: Language, english: &'static str, chinese: &'static str) -> &'static str {
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(text: &str) -> String {
        markdown(&Words { en: text.to_owned(), zh: String::new() }, Language::English)
    }

    #[test]
    fn a_word_of_the_finding_is_named() {
        assert_eq!(english("`%{function}` returned: %{error}."), "`⟨function⟩` returned: ⟨error⟩.");
    }

    #[test]
    fn what_markdown_would_take_for_its_own_is_escaped() {
        assert_eq!(english("a<b> `a<b>` *"), "a\\<b\\> `a<b>` \\*");
    }
}
