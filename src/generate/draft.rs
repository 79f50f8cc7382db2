//! Drafts: what a row is expected to write, as the tokens that the model would write it with.

use crate::error::Result;
use crate::model::text::TextTokenizer;

/// Tokens of the prompt that decide how the text behind it is cut into tokens: more would change nothing.
const CONTEXT: usize = 8;

/// The tokens of `text` behind a prompt. How a text is cut may depend on what stands before it, so it is tokenized behind the
/// end of the prompt, and by itself where the two grow together.
pub fn ids(tokenizer: &TextTokenizer, prompt: &[u32], text: &str) -> Result<Vec<u32>> {
    let end = prompt.get(prompt.len().saturating_sub(CONTEXT)..).unwrap_or(prompt);
    let before = tokenizer.decode(end)?;
    let alone = tokenizer.encode_plain(&before)?;
    let mut together = tokenizer.encode_plain(&format!("{before}{text}"))?;
    if together.starts_with(&alone) {
        return Ok(together.split_off(alone.len()));
    }
    tokenizer.encode_plain(text)
}
