//! A script as a notebook: its cells, how they are run, the record of a run, and reports. It does not know which front
//! shows it.

pub mod attempts;
pub mod bundled;
pub mod cells;
pub mod compare;
pub mod history;
pub mod import;
pub mod kept;
pub mod listing;
pub mod outcome;
mod outputs;
pub mod prose;
pub mod record;
pub mod reference;
pub mod report;
pub mod runner;
pub mod sweep;
