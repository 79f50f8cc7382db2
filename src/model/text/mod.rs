//! Text to token ids and back: a `tokenizer.json` with the special tokens that a model uses.

pub mod files;
pub mod parts;
mod sentencepiece;
pub mod special;

use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer;

use super::chat::{self, ChatTemplate};
use super::config::Config;
use super::growth::Growth;
use crate::error::{Error, Result};
use crate::guard::guarded;

/// A tokenizer with what a model needs to know about it.
#[derive(Clone)]
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    growth: Growth,
    end_ids: Vec<u32>,
    pad_id: u32,
    /// `tokenizer_config.json` as it was read, to be saved again.
    settings: Value,
}

/// The tokens of a text.
pub struct Tokens {
    pub ids: Vec<u32>,
    /// The bytes of the text that each token stands for.
    pub places: Vec<(usize, usize)>,
    /// Tokens that the post-processor put in front.
    pub added_before: usize,
    /// Tokens that it put behind.
    pub added_behind: usize,
    /// Whether the text itself begins with the token that would have been put in front of it.
    pub began_itself: bool,
}

impl Tokens {
    fn new(encoding: &tokenizers::Encoding) -> Self {
        let added = encoding.get_special_tokens_mask();
        let mut tokens = Self {
            ids: encoding.get_ids().to_vec(),
            places: encoding.get_offsets().to_vec(),
            added_before: added.iter().take_while(|mark| **mark == 1).count(),
            added_behind: 0,
            began_itself: false,
        };
        if tokens.added_before == tokens.ids.len() {
            return tokens;
        }
        tokens.added_behind = added.iter().rev().take_while(|mark| **mark == 1).count();
        // A text that brings the token itself, as rendered chats do, keeps its own and gets no second one.
        let end = tokens.ids.len() - tokens.added_behind;
        if tokens.added_behind > 0 && tokens.ids.get(end) == tokens.ids.get(end - 1) {
            tokens.remove(end);
            tokens.added_behind -= 1;
        }
        let begin = tokens.added_before;
        if begin > 0 && tokens.ids.get(begin) == tokens.ids.get(begin - 1) {
            tokens.remove(begin - 1);
            tokens.added_before -= 1;
            tokens.began_itself = true;
        }
        tokens
    }

    fn remove(&mut self, index: usize) {
        self.ids.remove(index);
        self.places.remove(index);
    }

    /// The first token that stands for something behind byte `at`; what the post-processor put behind counts as such.
    pub fn first_behind(&self, at: usize) -> usize {
        let own = self.added_before..self.ids.len() - self.added_behind;
        let behind = |index: &usize| self.places.get(*index).is_some_and(|(_, end)| *end > at);
        own.clone().find(behind).unwrap_or(own.end)
    }

    /// The first token that stands for nothing before byte `at`.
    pub fn first_from(&self, at: usize) -> usize {
        let own = self.added_before..self.ids.len() - self.added_behind;
        let from = |index: &usize| self.places.get(*index).is_some_and(|(start, _)| *start >= at);
        own.clone().find(from).unwrap_or(own.end)
    }
}

impl TextTokenizer {
    /// From the bytes of `tokenizer.json`, and of `tokenizer_config.json` where there is one. The end and pad tokens are
    /// the configuration's, else the tokenizer's own.
    pub fn from_bytes(tokenizer: &[u8], settings: Option<&[u8]>, config: &Config) -> Result<Self> {
        let broken = |why: String| Error::failed(format!("tokenizer.json cannot be read: {why}"));
        // The library panics over some files that are no JSON, and over some parts that it cannot build.
        let plain: Value =
            serde_json::from_slice(tokenizer).map_err(|error| broken(error.to_string()))?;
        let growth = Growth::of_file(&plain)?;
        drop(plain);
        let built = guarded(|| Tokenizer::from_bytes(tokenizer));
        let mut tokenizer = built
            .ok_or_else(|| {
                broken("the tokenizers library fails over one of its parts".to_string())
            })?
            .map_err(|error| broken(error.to_string()))?;
        // Padding and truncation are the batches' business, whatever the file asks for.
        tokenizer.with_padding(None);
        let cleared = tokenizer.with_truncation(None);
        cleared
            .map_err(|error| Error::failed(format!("tokenizer.json cannot be read: {error}")))?;
        let settings = match settings {
            None => Value::Null,
            Some(bytes) => serde_json::from_slice(bytes).map_err(|error| {
                Error::failed(format!("tokenizer_config.json cannot be read: {error}"))
            })?,
        };
        let named = |key: &str| -> Option<u32> {
            let token = settings.get(key)?;
            let text = token.as_str().or_else(|| token.get("content")?.as_str())?;
            tokenizer.token_to_id(text)
        };
        let mut end_ids = config.eos_token_ids.clone();
        end_ids.extend(named("eos_token").filter(|id| !config.eos_token_ids.contains(id)));
        let Some(first) = end_ids.first().copied() else {
            return Err(Error::failed_with_hint(
                "the model names no end-of-text token",
                "set eos_token_id in config.json or eos_token in tokenizer_config.json",
            ));
        };
        let pad_id = config.pad_token_id.or_else(|| named("pad_token")).unwrap_or(first);
        let largest = end_ids.iter().chain([&pad_id]).max().copied().unwrap_or(0);
        if largest as usize >= config.vocab_size {
            return Err(Error::invalid(
                "reading the special tokens",
                format!("ids below the vocabulary size {}", config.vocab_size),
                largest.to_string(),
            ));
        }
        Ok(Self { tokenizer, growth, end_ids, pad_id, settings })
    }

    /// Ids of `text` as the tokenizer's own post-processor makes them (a LLaMA tokenizer puts its begin token in front). A
    /// text that already begins with the begin token gets no second one.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.tokens(text, true).map(|tokens| tokens.ids)
    }

    /// Ids of `text` as it stands, without any special token around it.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>> {
        self.tokens(text, false).map(|tokens| tokens.ids)
    }

    /// The special tokens that a text begins with, such as LLaMA's begin token; empty where there are none.
    pub fn begin_ids(&self) -> Result<Vec<u32>> {
        let plain = self.encode_plain("a")?;
        let whole = self.encode("a")?;
        let place = whole.windows(plain.len().max(1)).position(|part| part == plain);
        Ok(whole.get(..place.unwrap_or(0)).unwrap_or_default().to_vec())
    }

    /// Ids that a text which begins with `prompt` begins with: no special token stands behind them.
    pub fn encode_prompt(&self, prompt: &str) -> Result<Vec<u32>> {
        let mut tokens = self.tokens(prompt, true)?;
        tokens.ids.truncate(tokens.ids.len() - tokens.added_behind);
        Ok(tokens.ids)
    }

    /// The tokens of `text` with their places in it; with `specials`, the post-processor's own around them.
    pub fn tokens(&self, text: &str, specials: bool) -> Result<Tokens> {
        self.growth.check_text(text)?;
        match guarded(|| self.tokenizer.encode(text, specials)) {
            Some(Ok(encoding)) => Ok(Tokens::new(&encoding)),
            Some(Err(error)) => {
                Err(Error::failed(format!("the text cannot be tokenized: {error}")))
            }
            None => Err(Error::failed("the text cannot be tokenized: tokenizer.json is broken")),
        }
    }

    /// The text of ids, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.growth.check_ids(ids, &self.tokenizer)?;
        match guarded(|| self.tokenizer.decode(ids, true)) {
            Some(Ok(text)) => Ok(text),
            Some(Err(error)) => {
                Err(Error::failed(format!("the ids cannot be turned into text: {error}")))
            }
            None => {
                Err(Error::failed("the ids cannot be turned into text: tokenizer.json is broken"))
            }
        }
    }

    /// The text that `new` adds when it follows `before`. Decoded together, so that a space or a character that is spread
    /// over tokens comes out as it stands in the whole.
    pub fn decode_continuation(&self, before: &[u32], new: &[u32]) -> Result<String> {
        // A few tokens in front are enough context for spaces; more would only cost time.
        let context = before.get(before.len().saturating_sub(8)..).unwrap_or(before);
        let head = self.decode(context)?;
        let whole = self.decode(&[context, new].concat())?;
        match whole.strip_prefix(&head) {
            Some(rest) => Ok(rest.to_string()),
            None => self.decode(new),
        }
    }

    /// Takes a chat template from a file of its own, which goes before the one in the settings.
    pub fn set_chat_template(&mut self, template: String) {
        if !self.settings.is_object() {
            self.settings = Value::Object(serde_json::Map::new());
        }
        if let Some(settings) = self.settings.as_object_mut() {
            settings.insert("chat_template".to_string(), Value::String(template));
        }
    }

    /// The model's chat template, or `template` in its place.
    pub fn chat_template(&self, template: Option<&str>) -> Result<ChatTemplate> {
        let text = chat::template_of(&self.settings, template)?;
        ChatTemplate::new(&text, &self.settings)
    }

    /// Tokens that end a text; the first one is appended to training texts.
    pub fn end_ids(&self) -> &[u32] {
        &self.end_ids
    }

    /// The token that fills short rows (the end token where there is none of its own).
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// Tokens known, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The id of a token by its text.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json` as transformers reads them.
    pub fn save(&self, roots: &crate::doorway::Roots, folder: &Path) -> Result<()> {
        let [text, settings] = self.content()?;
        crate::files::write_bytes(roots, &folder.join("tokenizer.json"), text.as_bytes())?;
        let path = folder.join("tokenizer_config.json");
        crate::files::write_bytes(roots, &path, settings.as_bytes())
    }

    /// What the two files say.
    pub fn content(&self) -> Result<[String; 2]> {
        let text = self
            .tokenizer
            .to_string(true)
            .map_err(|error| Error::failed(format!("the tokenizer cannot be saved: {error}")))?;
        let mut settings = match &self.settings {
            Value::Object(map) => map.clone(),
            _ => serde_json::Map::new(),
        };
        let fallback =
            [("eos_token", self.end_ids.first().copied()), ("pad_token", Some(self.pad_id))];
        for (key, id) in fallback {
            let token = id.and_then(|id| self.tokenizer.id_to_token(id));
            if let (false, Some(token)) = (settings.contains_key(key), token) {
                settings.insert(key.to_string(), Value::String(token));
            }
        }
        special::name_the_kind(&mut settings);
        settings
            .entry("tokenizer_class")
            .or_insert_with(|| Value::String("PreTrainedTokenizerFast".to_string()));
        Ok([text, serde_json::to_string_pretty(&settings).unwrap_or_default()])
    }
}
