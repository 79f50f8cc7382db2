//! Classifiers of texts as the detoxify package has them (<https://github.com/unitaryai/detoxify>): an encoder of BERT's
//! kind, a head over its first token, and a sigmoid for each label.

mod batches;
mod classifier;
pub mod config;
mod encoder;
mod fresh;
pub mod keep;
mod labels;
mod load;
mod published;
pub mod save;
mod start;
mod tokenizer;
mod training;
mod weights;

pub use classifier::{Classifier, Scores};
pub use fresh::Fresh;
pub use load::{LoadOptions, open};
pub use published::is_published;
pub use start::Start;
pub use training::{Rows, Settings, Trained, train};
