//! Where an answer may write in the sandbox.

/// The folder of the sandbox that can be written to.
pub const SCRATCH: &str = "/tmp";
/// The folder in it that a lab is about.
pub const LAB: &str = "/tmp/lab";
/// The other folder that can be written to: root's home, where many a runtime
/// keeps its images and containers.
pub const HOME: &str = "/root";
