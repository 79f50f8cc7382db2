//! Reports of a run, one file per format.

pub mod code;
pub mod cut;
pub mod escape;
mod fragment;
pub mod html;
pub mod markdown;
pub mod media;
pub mod notebook;
pub mod text;
pub mod timing;
mod title;
