//! A model's tokenizer from its folder: `tokenizer.json`, else what it can be made from.

use serde_json::Value;

use super::source::Files;
use crate::error::Result;
use crate::model::config::Config;
use crate::model::text::TextTokenizer;
use crate::model::text::files::{self, TokenizerFiles};

/// Reads the tokenizer; `config` is `config.json` as it stands, `read` what was made of it.
pub fn read(from: &Files, config: &Value, read: &Config) -> Result<TextTokenizer> {
    let settings = from.read("tokenizer_config.json")?;
    if let Some(tokenizer) = from.read("tokenizer.json")? {
        return TextTokenizer::from_bytes(&tokenizer, settings.as_deref(), read);
    }
    let files = TokenizerFiles {
        source: from.source.clone(),
        config: config.clone(),
        pieces: from.read("tokenizer.model")?,
        vocabulary: from.read("vocab.json")?.zip(from.read("merges.txt")?),
        settings,
        special_tokens: from.read("special_tokens_map.json")?,
        added_tokens: from.read("added_tokens.json")?,
    };
    if files.pieces.is_none() && files.vocabulary.is_none() {
        // Says which files a model has.
        from.required("tokenizer.json")?;
    }
    let (tokenizer, settings) = files::build(&files)?;
    let bytes = |value: &Value| serde_json::to_vec(value).unwrap_or_default();
    TextTokenizer::from_bytes(&bytes(&tokenizer), Some(&bytes(&settings)), read)
}
