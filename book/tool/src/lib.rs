//! Builds the book: mdbook, with what it takes from the labs, the command
//! lines and recorded runs, in an English and a Chinese edition.
//!
//! A page passes through these steps, in this order:
//!
//! | step | does |
//! |---|---|
//! | mdbook's `links` | `{{#include …}}` |
//! | [`prepare`] | keeps from the translators what is not theirs: code, directives, anchors |
//! | gettext | the Chinese edition's words, from `po/zh-CN.po` |
//! | [`expand`] | directives such as `{{#player run}}` become what they stand for |
//! | mdbook's HTML | |
//! | [`page`] | the language switch, mdbook's own words in Chinese |
//! | [`machine`] | a root shell in the page, where it has been built |

pub mod build;
pub mod checkout;
pub mod edition;
pub mod expand;
pub mod figures;
pub mod machine;
pub mod messages;
pub mod page;
pub mod prepare;
pub mod search;
pub mod serve;
pub mod session;
#[cfg(doctest)]
mod snippets;
