//! What is wrong with a command line, in Chinese.

use std::error::Error as _;
use std::fmt::Write;
use std::num::{IntErrorKind, ParseIntError};

use clap::builder::StyledStr;
use clap::builder::styling::Styles;
use clap::error::{ContextKind, ContextValue, Error, ErrorFormatter, ErrorKind};

/// Formats clap's errors in Chinese: `error.apply::<InChinese>().print()`. Help and
/// version stay as they are.
pub struct InChinese;

impl ErrorFormatter for InChinese {
    fn format_error(error: &Error<Self>) -> StyledStr {
        let styles = Styles::styled();
        let style = styles.get_error();
        let mut said = StyledStr::new();
        let _ = write!(said, "{style}错误：{style:#}{}", mistake(error));
        if let Some(similar) = similar(error) {
            let _ = write!(said, "\n\n  是不是想写 {similar}？");
        }
        if let Some(usage) = error.get(ContextKind::Usage) {
            let _ = write!(said, "\n\n{}", in_chinese(&usage.to_string()));
        }
        let _ = write!(said, "\n\n加上 --help 查看详细说明。\n");
        said
    }
}

/// What is wrong.
fn mistake(error: &Error<InChinese>) -> String {
    let name = named(error, ContextKind::InvalidArg);
    let value = named(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument => format!("无法识别的参数 {name}"),
        ErrorKind::InvalidSubcommand => {
            format!("没有子命令 {}", named(error, ContextKind::InvalidSubcommand))
        }
        ErrorKind::MissingSubcommand => "缺少子命令".to_owned(),
        ErrorKind::MissingRequiredArgument => format!("缺少必需的参数：{name}"),
        ErrorKind::ArgumentConflict => match named(error, ContextKind::PriorArg) {
            prior if prior == name => format!("{name} 只能写一次"),
            prior => format!("{name} 不能与 {prior} 一起使用"),
        },
        ErrorKind::NoEquals => format!("{name} 的值要用等号连接"),
        ErrorKind::InvalidValue if value.is_empty() => format!("{name} 缺少值"),
        ErrorKind::InvalidValue => {
            let valid = named(error, ContextKind::ValidValue);
            format!("{name} 的值 {value} 无效\n  [可选：{valid}]")
        }
        ErrorKind::ValueValidation => format!("{name} 的值 {value} 无效{}", reason(error)),
        ErrorKind::TooManyValues => format!("{name} 的值太多，多出的是 {value}"),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => format!("{name} 的值数目不对"),
        ErrorKind::InvalidUtf8 => "有一个参数不是有效的 UTF-8".to_owned(),
        _ => "命令行有误".to_owned(),
    }
}

/// Why a value is refused. A parser of ours gives its reason in Chinese; numbers are
/// read by Rust and by clap.
fn reason(error: &Error<InChinese>) -> String {
    let Some(source) = error.source() else { return String::new() };
    let said = source.to_string();
    let reason = match source.downcast_ref().map(ParseIntError::kind) {
        Some(IntErrorKind::Zero) => "要写大于 0 的整数".to_owned(),
        Some(IntErrorKind::PosOverflow) => "这个数太大".to_owned(),
        Some(_) => "要写一个整数".to_owned(),
        None => match said.split_once(" is not in ") {
            Some((_, range)) => format!("超出范围 {range}"),
            None => said,
        },
    };
    format!("：{reason}")
}

/// What clap has found that is spelt nearly like it.
fn similar(error: &Error<InChinese>) -> Option<String> {
    let kinds =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    kinds.into_iter().find(|kind| error.get(*kind).is_some()).map(|kind| named(error, kind))
}

/// What the error names as `kind`: an option, a value, or several, in a list.
fn named(error: &Error<InChinese>, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(name)) => name.escape_debug().to_string(),
        Some(ContextValue::Strings(names)) => names.join("、"),
        _ => String::new(),
    }
}

/// A line of usage with clap's own words in Chinese.
fn in_chinese(usage: &str) -> String {
    let words = [
        ("Usage: ", "用法："),
        ("[OPTIONS]", "[选项]"),
        ("[COMMAND]", "[命令]"),
        ("<COMMAND>", "<命令>"),
    ];
    words.iter().fold(usage.to_owned(), |usage, (english, chinese)| usage.replace(english, chinese))
}
