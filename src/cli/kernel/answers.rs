//! Answers that need no evaluation: what the kernel is, completions, help for a name, and whether a cell is complete.

use jupyter_protocol::{
    CodeMirrorMode, CompleteReply, InspectReply, IsCompleteReply, KernelInfoReply, LanguageInfo,
    Media, MediaType, ReplyStatus,
};
use serde_json::json;

use crate::script::api;
use crate::script::engine::Session;
use crate::script::record::Record;

/// Version of Jupyter's messages that is spoken.
const PROTOCOL: &str = "5.3";

/// What the kernel is.
pub fn about() -> KernelInfoReply {
    let version = env!("CARGO_PKG_VERSION").to_string();
    KernelInfoReply {
        status: ReplyStatus::Ok,
        protocol_version: PROTOCOL.to_string(),
        implementation: "ebb".to_string(),
        implementation_version: version.clone(),
        language_info: LanguageInfo {
            name: "rhai".to_string(),
            version: "1.27".to_string(),
            mimetype: Some("text/x-rhai".to_string()),
            file_extension: Some(".rhai".to_string()),
            // Nobody colours Rhai by its own name; Rust's colours fit its words.
            pygments_lexer: Some("rust".to_string()),
            codemirror_mode: Some(CodeMirrorMode::Simple("rust".to_string())),
            nbconvert_exporter: Some("script".to_string()),
        },
        banner: format!("ebb {version}: explore how language models learn and forget"),
        help_links: Vec::new(),
        debugger: false,
        error: None,
    }
}

/// Whether a console should ask for another line, and how far that is set in.
pub fn is_complete(session: &Session, code: &str) -> IsCompleteReply {
    if !session.is_unfinished(code) {
        return IsCompleteReply::complete();
    }
    let last = code.lines().next_back().unwrap_or_default();
    let mut indent: String = last.chars().take_while(|character| *character == ' ').collect();
    if last.trim_end().ends_with(['{', '[', '(']) {
        indent.push_str("    ");
    }
    IsCompleteReply::incomplete(indent)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The name that ends at a place in a text, and whether it stands behind a dot. Places count characters.
struct Word {
    text: String,
    is_method: bool,
}

impl Word {
    fn before(code: &[char], cursor: usize) -> Self {
        let before = code.get(..cursor.min(code.len())).unwrap_or(code);
        let length = before.iter().rev().take_while(|character| is_word(**character)).count();
        let start = before.len() - length;
        let (rest, word) = before.split_at(start);
        Self { text: word.iter().collect(), is_method: rest.last() == Some(&'.') }
    }

    /// The name that a place lies in; within the brackets of a call, the function's.
    fn around(code: &[char], cursor: usize) -> Self {
        let after = code.get(cursor.min(code.len())..).unwrap_or_default();
        let length = after.iter().take_while(|character| is_word(**character)).count();
        let word = Self::before(code, cursor + length);
        if !word.text.is_empty() {
            return word;
        }
        let mut depth = 0;
        for place in (0..cursor.min(code.len())).rev() {
            match code.get(place) {
                Some(')' | ']' | '}') => depth += 1,
                Some('(' | '[' | '{') if depth > 0 => depth -= 1,
                Some('(') => return Self::before(code, place),
                _ => {}
            }
        }
        word
    }
}

/// The part of a record's name that is written: "Frame.select" is called as `select`.
fn called(record: &Record) -> &'static str {
    record.name.rsplit('.').next().unwrap_or(record.name)
}

fn is_method(record: &Record) -> bool {
    record.name.contains('.')
}

/// What may stand at a place, which counts characters, as in the protocol.
pub fn complete(session: &Session, code: &str, cursor: usize) -> CompleteReply {
    let byte = code.char_indices().nth(cursor).map_or(code.len(), |(byte, _)| byte);
    let found = session.complete(code, byte);
    let start = code.get(..found.start).map_or(cursor, |before| before.chars().count());
    let variables = session.variables();
    let described = found.items.iter().map(|item| {
        let kind = match &item.text {
            name if variables.contains(name) => "instance",
            name if api::all().any(|record| called(record) == name) => "function",
            _ => "",
        };
        json!({ "start": start, "end": cursor, "text": item.text, "type": kind, "signature": item.summary })
    });
    let described = described.collect::<Vec<_>>();
    let mut reply = CompleteReply { cursor_start: start, cursor_end: cursor, ..Default::default() };
    reply.metadata.insert("_jupyter_types_experimental".to_string(), described.into());
    reply.matches = found.items.into_iter().map(|item| item.text).collect();
    reply
}

pub fn inspect(code: &str, cursor: usize) -> InspectReply {
    let code: Vec<char> = code.chars().collect();
    let word = Word::around(&code, cursor);
    let named = || api::all().filter(|record| called(record) == word.text);
    let mut records: Vec<&Record> =
        named().filter(|record| is_method(record) == word.is_method).collect();
    if records.is_empty() {
        records = named().collect();
    }
    if records.is_empty() {
        return InspectReply::default();
    }
    let plain: Vec<String> = records.iter().map(|record| help(record)).collect();
    let rich: Vec<String> = records.iter().map(|record| page(record)).collect();
    InspectReply {
        found: true,
        data: Media::new(vec![
            MediaType::Plain(plain.join("\n\n")),
            MediaType::Markdown(rich.join("\n\n---\n\n")),
        ]),
        ..Default::default()
    }
}

/// A record as plain text: how it is called, what it does, and how it is used.
fn help(record: &Record) -> String {
    let mut text = format!("{}\n\n{}.", record.signatures.join("\n"), record.summary);
    if !record.doc.is_empty() {
        text.push_str(&format!("\n\n{}", record.doc));
    }
    if !record.example.is_empty() {
        let example: Vec<String> =
            record.example.lines().map(|line| format!("    {line}")).collect();
        text.push_str(&format!("\n\nExample:\n{}", example.join("\n")));
    }
    text
}

fn page(record: &Record) -> String {
    let mut text = format!("```rust\n{}\n```\n\n{}.", record.signatures.join("\n"), record.summary);
    if !record.doc.is_empty() {
        text.push_str(&format!("\n\n{}", record.doc));
    }
    if !record.example.is_empty() {
        text.push_str(&format!("\n\n```rust\n{}\n```", record.example));
    }
    text
}
