//! Reports of a run, one file per format.

mod code;
pub mod cut;
mod escape;
mod fragment;
pub mod html;
pub mod markdown;
pub mod media;
pub mod notebook;
mod text;
pub mod timing;
mod title;
