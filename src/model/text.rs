//! Text to token ids and back: a `tokenizer.json` with the special tokens the model uses.

use crate::error::Result;

/// A tokenizer with what a model needs to know about it.
pub struct TextTokenizer {}

impl TextTokenizer {
    /// Ids of `text` as the tokenizer's own post-processor makes them (a LLaMA tokenizer puts its begin token in front).
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let _ = text;
        unimplemented!()
    }
    /// Ids of `text` without any special token: the continuation of a prompt.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>> {
        let _ = text;
        unimplemented!()
    }
    /// The text of ids, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let _ = ids;
        unimplemented!()
    }
    /// Tokens that end a text; the first one is appended to training texts.
    pub fn end_ids(&self) -> &[u32] {
        unimplemented!()
    }
    /// The token that fills short rows (the end token where there is none of its own).
    pub fn pad_id(&self) -> u32 {
        unimplemented!()
    }
}
