//! Training a byte-level BPE tokenizer (Sennrich et al. 2016; bytes as GPT-2 has them) on texts.
//!
//! `spaces: "apart"` makes every space a token of its own. A word then has the same tokens at the start of a line, after a
//! colon and after a space, so that a small model need not learn twice what it copies.

use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    AddedToken, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, TokenizerBuilder,
};

use crate::error::{Error, Result};

/// Trains a tokenizer of `vocab_size` tokens and returns its `tokenizer.json`. The special tokens take the first ids; all
/// 256 bytes are in the vocabulary, so every text can be written.
pub fn train(
    texts: &[String],
    vocab_size: usize,
    special_tokens: &[String],
    spaces_apart: bool,
) -> Result<String> {
    let least = 256 + special_tokens.len();
    if vocab_size < least {
        return Err(Error::invalid(
            "train_tokenizer",
            format!("a vocab_size of at least {least} (256 bytes and the special tokens)"),
            vocab_size.to_string(),
        ));
    }
    // A merge takes a pair of the texts away: there are no more of them than bytes, whatever was asked for.
    let most = texts.iter().map(String::len).fold(least, usize::saturating_add);
    let fail = |error: tokenizers::Error| {
        Error::failed(format!("the tokenizer cannot be trained: {error}"))
    };
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(vocab_size.min(most))
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(
            special_tokens.iter().map(|token| AddedToken::from(token.clone(), true)).collect(),
        )
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let bytes = ByteLevel::new(false, false, true);
    let words = if spaces_apart {
        let pattern = SplitPattern::String(" ".to_string());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(fail)?;
        PreTokenizerWrapper::from(Sequence::new(vec![split.into(), bytes.into()]))
    } else {
        PreTokenizerWrapper::from(bytes)
    };
    let mut tokenizer =
        TokenizerBuilder::<BPE, NormalizerWrapper, PreTokenizerWrapper, ByteLevel, ByteLevel>::new(
        )
        .with_model(BPE::default())
        .with_normalizer(None)
        .with_pre_tokenizer(Some(words))
        .with_post_processor(Some(bytes))
        .with_decoder(Some(bytes))
        .build()
        .map_err(fail)?;
    tokenizer.train(&mut trainer, texts.iter()).map_err(fail)?;
    tokenizer.to_string(true).map_err(fail)
}
