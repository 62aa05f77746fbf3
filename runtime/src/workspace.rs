//! stub
pub mod overlay;
