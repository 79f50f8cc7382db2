//! The report of a run as a Jupyter notebook (nbformat 4.5), with what each cell showed.

use jupyter_protocol::media::{Media, MediaType};
use nbformat::v4;
use serde_json::{Map, Value, json};

use super::cut::cut;
use super::media::rich;
use super::text::text;
use crate::display::Output;
use crate::error::{Error, Result};
use crate::notebook::cells::Content;
use crate::notebook::outcome::{Item, Outcome, Ran};
use crate::plain::printable;
use crate::script::report::ScriptError;

/// The notebook as JSON.
pub fn notebook(outcome: &Outcome) -> Result<String> {
    let mut cells = Vec::new();
    let mut count = 0;
    for (place, ran) in outcome.ran.iter().enumerate() {
        cells.push(cell(place, ran, &mut count)?);
    }
    if let (Some(error), Some(v4::Cell::Code { outputs, .. })) =
        (&outcome.error, cells.iter_mut().rfind(|cell| matches!(cell, v4::Cell::Code { .. })))
    {
        outputs.push(failure(error));
    }
    let whole = v4::Notebook { metadata: metadata(), nbformat: 4, nbformat_minor: 5, cells };
    nbformat::serialize_notebook(&nbformat::Notebook::V4(whole))
        .map_err(|error| Error::failed(format!("the notebook could not be written: {error}")))
}

fn metadata() -> v4::Metadata {
    let about = [
        ("file_extension".to_string(), json!(".rhai")),
        ("mimetype".to_string(), json!("text/x-rhai")),
    ];
    v4::Metadata {
        kernelspec: Some(v4::KernelSpec {
            display_name: "ebb".to_string(),
            name: "ebb".to_string(),
            language: Some("rhai".to_string()),
            additional: Default::default(),
        }),
        language_info: Some(v4::LanguageInfo {
            name: "rhai".to_string(),
            version: None,
            codemirror_mode: Some(v4::CodemirrorMode::String("rust".to_string())),
            additional: about.into_iter().collect(),
        }),
        ..v4::Metadata::default()
    }
}

/// A cell keeps its title as its name.
fn cell(place: usize, ran: &Ran, count: &mut i32) -> Result<v4::Cell> {
    let id = v4::CellId::new(&format!("cell-{place}")).map_err(Error::failed)?;
    let title = &ran.cell.title;
    let metadata = v4::CellMetadata {
        name: (!title.is_empty()).then(|| title.clone()),
        ..v4::CellMetadata::default()
    };
    let lines = |text: &str| text.split_inclusive('\n').map(str::to_string).collect();
    Ok(match &ran.cell.content {
        Content::Prose(_) => {
            v4::Cell::Markdown { id, metadata, source: lines(ran.prose()), attachments: None }
        }
        Content::Code(code) => {
            *count += 1;
            v4::Cell::Code {
                id,
                metadata,
                execution_count: Some(*count),
                source: lines(code.trim_matches('\n')),
                outputs: cut(&ran.items).iter().map(output).collect(),
            }
        }
    })
}

fn output(item: &Item) -> v4::Output {
    let stream = |name: &str, text: &str| v4::Output::Stream {
        name: name.to_string(),
        text: v4::MultilineString(format!("{}\n", printable(text))),
    };
    match item {
        Item::Printed(text) => stream("stdout", text),
        Item::Note(text) => stream("stderr", &format!("note: {text}")),
        Item::Output(shown) => v4::Output::DisplayData(v4::DisplayData {
            data: Media::new(media(shown)),
            metadata: Map::<String, Value>::new(),
        }),
    }
}

/// The forms of a value, of which a reader shows the richest that it knows.
fn media(shown: &Output) -> Vec<MediaType> {
    [Some(MediaType::Plain(text(shown))), rich(shown)].into_iter().flatten().collect()
}

fn failure(error: &ScriptError) -> v4::Output {
    let place = error.line.map(|line| format!("{}, line {line}: {}", error.file, error.line_text));
    let notes = error.notes.iter().chain(&error.hint).cloned();
    let lines = std::iter::once(error.message.clone()).chain(place).chain(notes);
    v4::Output::Error(v4::ErrorOutput {
        ename: "error".to_string(),
        evalue: printable(&error.message),
        traceback: lines.map(|line| printable(&line)).collect(),
    })
}
