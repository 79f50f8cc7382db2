//! Tables: polars in, polars out. Reading and writing by extension, and what scripts need beyond polars.

pub mod bundled;
pub mod checked;
pub mod compact;
pub mod compare;
pub mod describe;
pub mod json;
pub mod look;
pub mod nested;
pub mod query;
pub mod read;
pub mod room;
pub mod sample;
pub mod table;
pub mod write;

pub use polars::prelude::DataFrame;
