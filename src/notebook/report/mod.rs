//! Reports of a run, one file per format.

mod code;
mod cut;
mod escape;
pub mod fragment;
pub mod html;
pub mod markdown;
pub mod notebook;
mod text;
pub mod timing;
mod title;
