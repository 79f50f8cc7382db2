//! Classifiers of texts as the detoxify package has them (<https://github.com/unitaryai/detoxify>): an encoder of BERT's
//! kind, a head over its first token, and a sigmoid for each label.

mod classifier;
pub mod config;
mod encoder;
mod labels;
mod load;
mod published;
mod tokenizer;
mod weights;

pub use classifier::{Classifier, Scores};
pub use load::{LoadOptions, open};
