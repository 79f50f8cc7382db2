//! Reports of a run, one file per format.

mod code;
mod escape;
pub mod fragment;
pub mod html;
