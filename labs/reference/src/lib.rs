//! The solutions of the labs, and the mistakes that prove the graders.
//!
//! A student's build never compiles this crate. `cargo test -p lab-reference`
//! grades every starter, solution and mistake: see tests/matrix.rs.

pub mod catalogue;
pub mod lab_01;
pub mod lab_02;
pub mod lab_03;
pub mod lab_04;
pub mod lab_05;
pub mod lab_06;
pub mod lab_07;
pub mod lab_08;
pub mod lab_09;
pub mod lab_10;
pub mod lab_11;
