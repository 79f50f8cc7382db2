//! Models and data sets from the Hugging Face Hub, through the cache that its Python libraries share.
//!
//! hf-hub asks the Hub. A file is fetched in pieces that can be continued, and enters the cache only after its size and, where
//! the Hub tells it, its SHA-256 were checked. What the environment says (cache folder, token, endpoint, offline) is read by the door and
//! handed in as [`Settings`].

mod cache;
mod choice;
mod client;
mod data;
mod data_files;
mod fetch;
mod fetched;
mod kind;
mod listed;
mod models;
mod settings;
mod transfer;

pub use data::{DataName, FetchedData, fetch_data, has_data};
pub use fetched::Fetched;
pub use models::{fetch_model, fetch_tokenizer, has_model};
pub use settings::Settings;
