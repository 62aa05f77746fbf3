//! The grading kit of the labs.
//!
//! ```text
//! answer (its own process)  ->  witness (what the kernel shows)  ->  diagnosis (a code)  ->  report
//!         inside a sealed sandbox
//! ```
//!
//! [`exam`] is where a lab's tests begin, [`sandbox`] seals the machine off,
//! [`host`] is what an answer sees in it and where the witness stands,
//! [`verdict`] is what comes out, [`lab`] holds a lab's texts and [`report`]
//! says all that to the student.

pub mod act;
pub mod answer;
pub mod answering;
pub mod call;
pub mod calls;
pub mod canary;
pub mod cases;
pub mod contract;
pub mod control_groups;
pub mod deciding;
pub mod describe;
mod devices;
mod evidence;
pub mod exam;
pub mod failing;
pub mod frame;
pub mod generated;
pub mod graders;
pub mod host;
pub mod inside;
mod killed_at;
pub mod lab;
pub mod language;
pub mod limits;
pub mod look;
pub mod machine;
pub mod need;
pub mod oom_score;
pub mod overlay;
pub mod places;
pub mod powers;
mod printed;
pub mod proc;
pub mod process;
pub mod programs;
pub mod record;
pub mod recorded;
pub mod reply;
pub mod report;
pub mod sandbox;
pub mod supervised;
pub mod sys;
pub mod together;
pub mod verdict;

rust_i18n::i18n!("locales", fallback = "en");

/// The archive of a busybox root file system, as `docker export` writes it.
pub static BUSYBOX_TAR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/busybox.tar"));
