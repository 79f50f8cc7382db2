//! Tokenizers out of the files that repositories had before `tokenizer.json`: SentencePiece's `tokenizer.model`, or
//! `vocab.json` and `merges.txt`, as transformers 5 makes its own from them. Which class reads them is what
//! `tokenizer_config.json` says, else `config.json`; the class decides what comes before a text and how it is cut.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::parts::{self, SPACE, Vocabulary};
use super::sentencepiece::{Algorithm, Kind, PieceModel};
use super::special::{self, Added};
use crate::error::{Error, Result};

/// The files of a model that has no `tokenizer.json`.
#[derive(Default)]
pub struct TokenizerFiles {
    /// What to call the model in errors.
    pub source: String,
    pub config: Value,
    /// `tokenizer.model`.
    pub pieces: Option<Vec<u8>>,
    /// `vocab.json` and `merges.txt`.
    pub vocabulary: Option<(Vec<u8>, Vec<u8>)>,
    /// `tokenizer_config.json`.
    pub settings: Option<Vec<u8>>,
    /// `special_tokens_map.json`.
    pub special_tokens: Option<Vec<u8>>,
    /// `added_tokens.json`.
    pub added_tokens: Option<Vec<u8>>,
}

/// The classes of transformers that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// SentencePiece as its file describes it.
    Pieces,
    Llama,
    Gemma,
    Gpt2,
    GptNeox,
    Qwen2,
}

const CLASSES: [(&str, Class); 8] = [
    ("LlamaTokenizer", Class::Llama),
    ("GemmaTokenizer", Class::Gemma),
    ("GPT2Tokenizer", Class::Gpt2),
    ("GPTNeoXTokenizer", Class::GptNeox),
    ("Qwen2Tokenizer", Class::Qwen2),
    ("PreTrainedTokenizer", Class::Pieces),
    ("PreTrainedTokenizerFast", Class::Pieces),
    ("TokenizersBackend", Class::Pieces),
];

/// What Qwen cuts texts by before it merges.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Makes the `tokenizer.json` and the `tokenizer_config.json` of a model that lacks the former.
pub fn build(files: &TokenizerFiles) -> Result<(Value, Value)> {
    let mut settings = special::settings(
        files.settings.as_deref(),
        files.special_tokens.as_deref(),
        files.added_tokens.as_deref(),
    )?;
    let class = class_of(files, &settings)?;
    let tokenizer = match (class, &files.pieces, &files.vocabulary) {
        (Class::Llama | Class::Gemma | Class::Pieces, Some(bytes), _) => {
            of_pieces(class, &PieceModel::read(bytes)?, &mut settings)?
        }
        (Class::Gpt2 | Class::GptNeox | Class::Qwen2, _, Some((vocabulary, merges))) => {
            of_vocabulary(class, vocabulary, merges, &mut settings)?
        }
        (Class::Gpt2 | Class::GptNeox | Class::Qwen2, _, None) => {
            return Err(lacking(files, "vocab.json and merges.txt"));
        }
        (_, None, _) => return Err(lacking(files, "tokenizer.model")),
    };
    Ok((tokenizer, Value::Object(settings)))
}

fn lacking(files: &TokenizerFiles, wanted: &str) -> Error {
    Error::failed_with_hint(
        format!(
            "the model {} has no tokenizer.json, and no {wanted}, which its tokenizer would be made from",
            files.source
        ),
        "add tokenizer.json, or name the right tokenizer_class in tokenizer_config.json",
    )
}

/// The class that transformers would take.
fn class_of(files: &TokenizerFiles, settings: &Map<String, Value>) -> Result<Class> {
    let family = files.config.get("model_type").and_then(Value::as_str);
    let registered = match family {
        Some("gpt2" | "opt") => Class::Gpt2,
        Some("gpt_neox") => Class::GptNeox,
        Some("qwen2" | "qwen3") => Class::Qwen2,
        Some("gemma" | "gemma2" | "gemma3" | "gemma3_text") => Class::Gemma,
        _ => Class::Pieces,
    };
    let named = settings.get("tokenizer_class");
    let named = named.or_else(|| files.config.get("tokenizer_class"));
    let Some(name) = named.and_then(Value::as_str) else {
        return Ok(registered);
    };
    let known = CLASSES
        .iter()
        .find(|(known, _)| *known == name || name.strip_suffix("Fast") == Some(*known));
    match (known, family) {
        // transformers reads these with a class of its choice, whatever the repository says.
        (_, Some("qwen2")) => Ok(Class::Qwen2),
        (_, Some("mistral")) if files.pieces.is_some() => Ok(Class::Pieces),
        (Some((_, Class::Pieces)), _) if files.pieces.is_none() => Ok(registered),
        (Some((_, class)), _) => Ok(*class),
        (None, _) => Err(Error::unknown(
            "tokenizer_class of a model without tokenizer.json",
            name,
            CLASSES.map(|(name, _)| name),
        )),
    }
}

/// A tokenizer out of a SentencePiece model.
fn of_pieces(class: Class, model: &PieceModel, settings: &mut Map<String, Value>) -> Result<Value> {
    let tokens = model.pieces.iter().map(|piece| piece.text.as_str());
    let vocabulary = Vocabulary::new("tokenizer.model", tokens.zip(0..))?;
    let own = |name: &Option<String>| name.clone().unwrap_or_default();
    let usual: &[(&str, String)] = match class {
        Class::Gemma => &[
            ("bos_token", "<bos>".to_string()),
            ("eos_token", "<eos>".to_string()),
            ("unk_token", "<unk>".to_string()),
            ("pad_token", "<pad>".to_string()),
            ("mask_token", "<mask>".to_string()),
        ],
        Class::Llama => &[
            ("bos_token", "<s>".to_string()),
            ("eos_token", "</s>".to_string()),
            ("unk_token", "<unk>".to_string()),
        ],
        _ => &[
            ("bos_token", own(&model.begin)),
            ("eos_token", own(&model.end)),
            ("unk_token", own(&model.unknown)),
        ],
    };
    let usual: Vec<(&str, &str)> = usual.iter().map(|(key, text)| (*key, text.as_str())).collect();
    special::fill(settings, &usual, &vocabulary);
    let special = model.pieces.iter().filter_map(|piece| match piece.kind {
        Kind::Plain => None,
        kind => Some(Added::plain(&piece.text, kind == Kind::Control)),
    });
    let added = special::added(settings, special.collect(), &vocabulary)?;
    let unknown = settings.get("unk_token").and_then(special::content);
    let unknown = unknown.filter(|token| vocabulary.id(token).is_some());
    let prefix = settings.get("add_prefix_space").and_then(Value::as_bool).unwrap_or(true);
    let legacy = settings.get("legacy").and_then(Value::as_bool).unwrap_or(false);
    let (normalizer, pre_tokenizer, decoder) = match class {
        Class::Llama => {
            (Value::Null, metaspace(prefix, legacy), parts::piece_decoder(true, prefix))
        }
        Class::Gemma => {
            (parts::replace(" ", SPACE), Value::Null, parts::piece_decoder(true, false))
        }
        _ => (
            normalizer(&model.normalization),
            Value::Null,
            parts::piece_decoder(model.byte_fallback, false),
        ),
    };
    let inner = match (model.algorithm, class) {
        (Algorithm::Bpe, Class::Llama) => {
            parts::pieces(&vocabulary, merges(model, &vocabulary), None, true)
        }
        (Algorithm::Bpe, Class::Gemma) => {
            parts::pieces(&vocabulary, merges(model, &vocabulary), unknown, true)
        }
        (Algorithm::Bpe, _) => {
            let unknown = model.unknown.as_deref().filter(|token| vocabulary.id(token).is_some());
            parts::pieces(&vocabulary, merges(model, &vocabulary), unknown, model.byte_fallback)
        }
        (Algorithm::Unigram, Class::Pieces) => unigram(model),
        (Algorithm::Unigram, _) => {
            return Err(Error::failed_with_hint(
                "tokenizer.model is a Unigram model, and the tokenizer_class that the model names is one of BPE",
                "give the model's tokenizer.json, or set tokenizer_class to PreTrainedTokenizerFast in tokenizer_config.json",
            ));
        }
    };
    Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": special::ends(settings, &added)?,
        "decoder": decoder,
        "model": inner,
    }))
}

/// The pairs that make each piece, the first piece first.
fn merges(model: &PieceModel, vocabulary: &Vocabulary) -> Vec<Value> {
    let splits = model.pieces.iter().flat_map(|piece| vocabulary.splits(&piece.text));
    splits.map(|split| split.to_json()).collect()
}

fn unigram(model: &PieceModel) -> Value {
    let pieces = model.pieces.iter().map(|piece| json!([piece.text, piece.score]));
    let pieces: Vec<Value> = pieces.collect();
    json!({
        "type": "Unigram", "unk_id": model.unknown_id, "vocab": pieces, "byte_fallback": model.byte_fallback,
    })
}

/// Spaces as marks, with one before the text: before every stretch between special tokens in the legacy way, before the
/// first only otherwise.
fn metaspace(prefix: bool, legacy: bool) -> Value {
    let scheme = match (prefix, legacy) {
        (false, _) => "never",
        (true, true) => "always",
        (true, false) => "first",
    };
    json!({ "type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": false })
}

fn normalizer(packed: &[u8]) -> Value {
    let mut steps = vec![parts::replace(" ", SPACE)];
    if !packed.is_empty() {
        let packed = STANDARD.encode(packed);
        steps.insert(0, json!({ "type": "Precompiled", "precompiled_charsmap": packed }));
    }
    json!({ "type": "Sequence", "normalizers": steps })
}

/// A tokenizer out of a vocabulary of bytes as letters and its merges.
fn of_vocabulary(
    class: Class,
    vocabulary: &[u8],
    merges: &[u8],
    settings: &mut Map<String, Value>,
) -> Result<Value> {
    let broken = |error: serde_json::Error| {
        Error::failed(format!("vocab.json cannot be read as a map from tokens to ids: {error}"))
    };
    let ids: std::collections::BTreeMap<String, u32> =
        serde_json::from_slice(vocabulary).map_err(broken)?;
    let tokens = ids.iter().map(|(token, id)| (token.as_str(), *id));
    let vocabulary = Vocabulary::new("vocab.json", tokens)?;
    let merges =
        std::str::from_utf8(merges).map_err(|_| Error::failed("merges.txt is not UTF-8"))?;
    let lines = merges.lines().filter(|line| !line.starts_with("#version") && !line.is_empty());
    let merges: Vec<Value> = lines.map(|line| vocabulary.merge(line)).collect::<Result<_>>()?;
    let end = "<|endoftext|>";
    let usual: &[(&str, &str)] = match class {
        Class::Qwen2 => &[("unk_token", end), ("eos_token", end), ("pad_token", end)],
        Class::GptNeox => &[
            ("bos_token", end),
            ("eos_token", end),
            ("unk_token", end),
            ("pad_token", "<|padding|>"),
        ],
        _ => &[("bos_token", end), ("eos_token", end), ("unk_token", end)],
    };
    special::fill(settings, usual, &vocabulary);
    let added = special::added(settings, Vec::new(), &vocabulary)?;
    let prefix = settings.get("add_prefix_space").and_then(Value::as_bool).unwrap_or(false);
    let nfc = json!({ "type": "NFC" });
    let (normalizer, pre_tokenizer) = match class {
        Class::Qwen2 => (nfc, parts::cuts(&[QWEN2], parts::bytes(prefix, false))),
        Class::GptNeox => (nfc, parts::bytes(prefix, true)),
        _ => (Value::Null, parts::bytes(prefix, true)),
    };
    Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": special::ends(settings, &added)?,
        "decoder": parts::bytes(true, true),
        "model": parts::byte_level(&vocabulary, merges, false),
    }))
}
