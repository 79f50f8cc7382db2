//! Finetuning: batches, loss, optimiser, schedule, trainer.

pub mod batches;
pub mod checkpoint;
pub mod evaluate;
pub mod examples;
mod gradients;
pub mod likelihood;
pub mod optimiser;
pub mod options;
pub mod outputs;
pub mod parameters;
pub mod restored;
pub mod tensorboard;
mod trainer;

pub use trainer::{finetune, finetune_with};
