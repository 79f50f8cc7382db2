//! Finetuning: batches, loss, optimiser, schedule, trainer.
