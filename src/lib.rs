//! ebb: explore, run and share experiments on how language models learn and forget unsafe examples.
//!
//! The rooms of the house, from the doors down. Arrows point down only; `src/README.md` has a line per file.
//!
//! | room | what it does |
//! | --- | --- |
//! | [`cli`] | the doors: terminal, exit codes, environment |
//! | [`notebook`] | cells, the run record, reports |
//! | [`script`] | the Rhai surface; the only room that knows rhai |
//! | [`frame`] | tables: polars in, polars out |
//! | [`model`] [`train`] [`generate`] | decoders, finetuning, decoding |
//! | [`toxicity`] | classifiers of texts: Detoxify's |
//! | [`metrics`] [`plot`] | scores and charts |
//! | [`ops`] | differentiable kernels over candle tensors |
//! | [`error`] [`control`] [`random`] [`files`] [`folders`] [`doorway`] [`place`] [`display`] [`plain`] [`hub`] | what every room may use |

pub mod allocator;
pub mod aside;
pub mod bundle;
pub mod cli;
pub mod control;
pub mod display;
pub mod doorway;
pub mod error;
pub mod files;
pub mod folders;
pub mod frame;
pub mod generate;
pub mod guard;
pub mod hub;
pub mod memory;
pub mod metrics;
pub mod model;
pub mod notebook;
pub mod ops;
pub mod place;
pub mod plain;
pub mod plot;
pub mod random;
pub mod script;
pub mod toxicity;
pub mod train;
