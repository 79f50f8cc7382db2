//! Special and added tokens as `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` name them, in the
//! order in which transformers gives them ids.

use serde_json::{Map, Value, json};

use super::parts::{self, Vocabulary};
use crate::error::{Error, Result};

/// The names under which settings have tokens, in transformers' order; chat templates use them as variables.
pub const NAMES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Where settings have further special tokens.
const EXTRA: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];

/// A token that is never cut.
pub struct Added {
    content: String,
    /// The id that a file gives it.
    id: Option<u64>,
    special: bool,
    normalized: bool,
    lstrip: bool,
    rstrip: bool,
    single_word: bool,
}

impl Added {
    pub fn plain(content: &str, special: bool) -> Self {
        Self {
            content: content.to_string(),
            id: None,
            special,
            normalized: false,
            lstrip: false,
            rstrip: false,
            single_word: false,
        }
    }

    /// A token as settings write it: a text, or a map with its flags.
    fn read(value: &Value) -> Option<Self> {
        let flag = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(false);
        Some(Self {
            special: flag("special"),
            normalized: flag("normalized"),
            lstrip: flag("lstrip"),
            rstrip: flag("rstrip"),
            single_word: flag("single_word"),
            ..Self::plain(content(value)?, false)
        })
    }
}

/// The text of a token in settings.
pub fn content(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

fn map(bytes: Option<&[u8]>, name: &str) -> Result<Map<String, Value>> {
    let Some(bytes) = bytes else {
        return Ok(Map::new());
    };
    serde_json::from_slice(bytes)
        .map_err(|error| Error::failed(format!("{name} cannot be read as a map: {error}")))
}

/// One map of settings. The two older files count only where the settings have no `added_tokens_decoder`; what they say is
/// then under that key.
pub fn settings(
    settings: Option<&[u8]>,
    special_tokens: Option<&[u8]>,
    added_tokens: Option<&[u8]>,
) -> Result<Map<String, Value>> {
    let mut settings = map(settings, "tokenizer_config.json")?;
    if settings.get("split_special_tokens") == Some(&Value::Bool(true)) {
        return Err(Error::failed_with_hint(
            "tokenizer_config.json asks to cut special tokens in texts (split_special_tokens), which is not done",
            "take split_special_tokens out of tokenizer_config.json",
        ));
    }
    if settings.contains_key("added_tokens_decoder") {
        return Ok(settings);
    }
    settings.extend(map(special_tokens, "special_tokens_map.json")?);
    let added = map(added_tokens, "added_tokens.json")?;
    if added.is_empty() {
        return Ok(settings);
    }
    let named = NAMES.iter().filter_map(|name| content(settings.get(*name)?));
    let listed = extra(&settings).into_iter().map(|token| token.content);
    let special: Vec<String> = named.map(str::to_string).chain(listed).collect();
    let mut decoder = Map::new();
    for (token, id) in added {
        let Some(id) = id.as_u64() else {
            return Err(Error::invalid(
                format!("reading the token {token:?} of added_tokens.json"),
                "an id",
                id.to_string(),
            ));
        };
        let special = special.contains(&token);
        let entry = json!({ "content": token, "special": special, "normalized": !special });
        decoder.insert(id.to_string(), entry);
    }
    settings.insert("added_tokens_decoder".to_string(), Value::Object(decoder));
    Ok(settings)
}

/// Says of tokens that are maps what they are, as transformers wants it in tokenizer_config.json: the older
/// special_tokens_map.json has them without.
pub fn name_the_kind(settings: &mut Map<String, Value>) {
    let name = |token: &mut Value| {
        if let Some(map) = token.as_object_mut()
            && map.get("content").is_some_and(Value::is_string)
        {
            map.entry("__type").or_insert_with(|| json!("AddedToken"));
        }
    };
    for key in NAMES {
        settings.get_mut(key).into_iter().for_each(name);
    }
    for key in EXTRA {
        match settings.get_mut(key) {
            Some(Value::Array(tokens)) => tokens.iter_mut().for_each(name),
            Some(Value::Object(tokens)) => tokens.values_mut().for_each(name),
            _ => {}
        }
    }
}

/// Names the usual tokens of a class where the settings say nothing and the vocabulary has them.
pub fn fill(settings: &mut Map<String, Value>, usual: &[(&str, &str)], vocabulary: &Vocabulary) {
    for (key, token) in usual {
        if !settings.contains_key(*key) && vocabulary.id(token).is_some() {
            settings.insert((*key).to_string(), json!(token));
        }
    }
}

/// Further special tokens that have no name of their own.
fn extra(settings: &Map<String, Value>) -> Vec<Added> {
    let values = EXTRA.iter().filter_map(|key| settings.get(*key));
    let tokens = values.flat_map(|value| match value {
        Value::Array(tokens) => tokens.iter().collect(),
        Value::Object(tokens) => tokens.values().collect(),
        _ => Vec::new(),
    });
    let tokens = tokens.filter_map(Added::read);
    tokens.map(|token| Added { special: true, ..token }).collect()
}

/// All added tokens as `tokenizer.json` lists them, those of the vocabulary and new ones behind it.
pub fn added(
    settings: &Map<String, Value>,
    own: Vec<Added>,
    vocabulary: &Vocabulary,
) -> Result<Vec<Value>> {
    let mut tokens: Vec<Added> = Vec::new();
    let decoder = settings.get("added_tokens_decoder").and_then(Value::as_object);
    for (id, token) in decoder.into_iter().flatten() {
        let read = id.parse().ok().zip(Added::read(token));
        let Some((id, token)) = read else {
            return Err(Error::invalid(
                "reading added_tokens_decoder of tokenizer_config.json",
                "ids, each with a token and its flags",
                format!("{id}: {token}"),
            ));
        };
        tokens.push(Added { id: Some(id), ..token });
    }
    tokens.sort_by_key(|token| token.id);
    let named = NAMES.iter().filter_map(|name| Added::read(settings.get(*name)?));
    tokens.extend(named.map(|token| Added { special: true, ..token }));
    tokens.extend(extra(settings));
    tokens.extend(own);
    let mut listed: Vec<(u64, Added)> = Vec::new();
    let mut next = vocabulary.count() as u64;
    for token in tokens {
        let known = listed.iter_mut().find(|(_, known)| known.content == token.content);
        if let Some((_, known)) = known {
            known.special |= token.special;
            continue;
        }
        let id = match vocabulary.id(&token.content) {
            Some(id) => u64::from(id),
            None => {
                next += 1;
                next - 1
            }
        };
        if let Some(wanted) = token.id.filter(|wanted| *wanted != id) {
            return Err(Error::failed_with_hint(
                format!(
                    "the added token {:?} is to have the id {wanted}, and would get {id}",
                    token.content
                ),
                "the files of the tokenizer do not belong together: copy or download them again",
            ));
        }
        listed.push((id, token));
    }
    listed.sort_by_key(|(id, _)| *id);
    let entry = |(id, token): (u64, Added)| {
        json!({
            "id": id, "content": token.content, "special": token.special, "normalized": token.normalized,
            "lstrip": token.lstrip, "rstrip": token.rstrip, "single_word": token.single_word,
        })
    };
    Ok(listed.into_iter().map(entry).collect())
}

/// What comes before and behind a text: the begin and end token, where `add_bos_token` and `add_eos_token` ask for them.
pub fn ends(settings: &Map<String, Value>, added: &[Value]) -> Result<Value> {
    let token = |wanted: &str, name: &str| -> Option<(&str, u32)> {
        settings.get(wanted)?.as_bool().filter(|wanted| *wanted)?;
        let text = content(settings.get(name)?)?;
        let entry = added.iter().find(|entry| content(entry) == Some(text))?;
        Some((text, u32::try_from(entry.get("id")?.as_u64()?).ok()?))
    };
    let begin = token("add_bos_token", "bos_token");
    Ok(parts::ends(begin, token("add_eos_token", "eos_token")))
}
