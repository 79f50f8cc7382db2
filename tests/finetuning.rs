//! Tests: finetuning.
