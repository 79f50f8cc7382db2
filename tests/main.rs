//! One test binary, a module per feature: each further binary would link polars and candle anew.

mod command_line;
mod examples;
mod expressions;
mod finetuning;
mod frames;
mod generation;
mod metrics;
mod models;
mod notebook;
mod ops;
mod plots;
mod random;
mod stdlib;
mod support;
