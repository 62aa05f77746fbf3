//! Numbers of bytes on the command line.

use mydocker_kernel::limit::Limit;

use super::chinese::reason;

/// `100m` and the like, in bytes. Docker's units: k is 1024.
pub fn parse_bytes(text: &str) -> Result<Limit, String> {
    if text == "max" {
        return Ok(Limit::Max);
    }
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match &lower[digits.len()..] {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        unit => {
            let english = format!("unit {unit:?} is none of b, k, m, g");
            return Err(reason(english, format!("单位 {unit:?} 不是 b、k、m、g 之一")));
        }
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| reason("write a number, as in 100m", "要写一个数字，例如 100m"))?;
    match number.checked_mul(factor) {
        Some(0) => {
            Err(reason("write a number above 0, as in 100m", "要写大于 0 的数字，例如 100m"))
        }
        Some(bytes) => Ok(Limit::At(bytes)),
        None => Err(reason("that is more than any machine has", "没有机器有这么多")),
    }
}
