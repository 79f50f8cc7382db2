//! The Rhai surface: the only room that knows rhai.
//!
//! Every function that a script can call is one [`record::Record`]: its names, signatures, summary, doc, example and
//! how it is registered. From the records come registration, help, completion, the reference page and a test that
//! runs every example.

mod alone;
pub mod api;
pub mod assist;
mod bounds;
pub mod cache;
mod calls;
mod captures;
pub mod check;
pub mod convert;
pub mod display;
pub mod edits;
pub mod engine;
pub mod failure;
pub mod habits;
pub mod host;
mod last;
pub mod lost;
pub mod messages;
pub mod methods;
pub mod missing;
pub mod modules;
pub mod names;
pub mod operators;
pub mod options;
pub mod order;
pub mod parameters;
pub mod parser;
pub mod places;
pub mod powers;
pub mod record;
pub mod report;
pub mod rewrite;
pub mod said;
pub mod stumble;
pub mod switches;
pub mod syntax;
pub mod typed;
pub mod unfinished;
pub mod unknown;
pub mod values;
pub mod wording;
