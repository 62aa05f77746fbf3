//! A limit, of memory or of processes, of what an archive may unpack to.

/// A number, or no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At most this many.
    At(u64),
    /// `max`: as many as there are.
    Max,
}
