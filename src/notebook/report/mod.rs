//! Reports of a run, one file per format.

mod code;
pub mod html;
