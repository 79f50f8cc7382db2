//! Finetuning: batches, loss, optimiser, schedule, trainer.

pub mod batches;
pub mod evaluate;
pub mod examples;
pub mod optimiser;
pub mod options;
pub mod parameters;
mod trainer;

pub use trainer::finetune;
