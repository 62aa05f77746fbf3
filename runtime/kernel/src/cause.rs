//! The cause of a failure, in words.

/// Why a call failed, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What was seen in the state.
    pub why: String,
    /// What to do, if there is something.
    pub advice: Option<String>,
}

impl Cause {
    /// A cause. An empty `advice` means that there is none.
    pub fn new(why: impl Into<String>, advice: impl Into<String>) -> Cause {
        let advice = advice.into();
        Cause { why: why.into(), advice: (!advice.is_empty()).then_some(advice) }
    }
}
