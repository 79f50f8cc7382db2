//! One test binary, a module per feature: each further binary would link polars and candle anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adapters;
mod arrays;
mod cached;
mod chat;
mod check;
mod classifiers;
mod command_line;
mod errors;
mod examples;
mod expressions;
mod families;
mod finetuning;
mod frames;
mod generation;
mod gguf;
mod hostile;
mod house;
mod hub;
mod kernel;
mod language;
mod memory;
mod metrics;
mod model_scores;
mod models;
mod notebook;
mod ops;
mod options;
mod plots;
mod prompt;
mod random;
mod reports;
mod runs;
mod saving;
mod shipped;
mod statistics;
mod stdlib;
mod support;
mod tables;
mod tensorboard;
mod together;
mod tokenizers;
mod toxicity;
