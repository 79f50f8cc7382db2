//! A Jupyter notebook as a script in the percent format. Outputs are left behind: the script makes them anew.

use nbformat::{Notebook, v4};
use serde_json::Value;

use super::cells::is_marker;
use crate::error::{Error, Result};
use crate::plain::one_line;

/// A script, and what is worth a word about it.
pub struct Imported {
    pub script: String,
    pub notes: Vec<String>,
}

/// The script that a notebook's text gives. `name` is what errors call the notebook.
pub fn import(name: &str, text: &str) -> Result<Imported> {
    let notebook = read(name, text)?;
    let mut imported = Imported { script: String::new(), notes: Vec::new() };
    let spec = notebook.metadata.kernelspec.as_ref().map(|spec| spec.name.as_str());
    let language = notebook.metadata.language_info.as_ref().map(|info| info.name.as_str());
    if let Some(kernel) = spec.or(language).filter(|kernel| !["ebb", "rhai"].contains(kernel)) {
        imported.notes.push(format!(
            "the notebook was written for the kernel {kernel:?}: its code is taken as it stands, and is hardly Rhai"
        ));
    }
    for (place, cell) in notebook.cells.iter().enumerate() {
        imported.cell(place + 1, cell);
    }
    Ok(imported)
}

fn read(name: &str, text: &str) -> Result<v4::Notebook> {
    let failed =
        |what: String, hint: &str| Error::failed_with_hint(format!("{name}: {what}"), hint);
    let text = text.trim_start_matches('\u{feff}');
    let mut value: Value = serde_json::from_str(text).map_err(|error| {
        let what = if error.is_eof() {
            format!("the file ends in the middle of its JSON, at line {}", error.line())
        } else {
            format!("not a notebook, which is JSON: {error}")
        };
        failed(what, "fetch or save the notebook again")
    })?;
    if value["nbformat"].as_i64().is_none() {
        let what = "JSON, but not a notebook: it has no whole number `nbformat`".to_string();
        return Err(failed(what, "notebooks are saved by Jupyter as .ipynb"));
    }
    // Outputs are not wanted, and need not be understood.
    for cell in value["cells"].as_array_mut().into_iter().flatten() {
        if let Some(outputs) = cell.get_mut("outputs") {
            *outputs = Value::Array(Vec::new());
        }
    }
    let hint = "open and save it in Jupyter, which writes format 4";
    let parsed = nbformat::parse_notebook(&value.to_string());
    match parsed.map_err(|error| failed(error.to_string(), hint))? {
        Notebook::V4(notebook) => Ok(notebook),
        Notebook::V4QuirksMode(quirks) => Ok(quirks.repair()),
        Notebook::Legacy(older) => nbformat::upgrade_legacy_notebook(older)
            .map_err(|error| failed(error.to_string(), hint)),
        Notebook::V3(older) => {
            nbformat::upgrade_v3_notebook(older).map_err(|error| failed(error.to_string(), hint))
        }
        _ => Err(failed("a notebook of an unknown kind".to_string(), hint)),
    }
}

impl Imported {
    fn cell(&mut self, number: usize, cell: &v4::Cell) {
        let text = cell.source().concat().replace("\r\n", "\n");
        let title = one_line(cell.metadata().name.as_deref().unwrap_or_default());
        let title = title.trim();
        match cell {
            v4::Cell::Code { .. } => {
                if title.starts_with("[markdown]") || title.starts_with("[md]") {
                    self.notes.push(format!(
                        "cell {number}: the title {title:?} would make it prose, and is left out"
                    ));
                    self.begin("// %%", "");
                } else {
                    self.begin("// %%", title);
                }
                self.script.push_str(text.trim_end());
                self.script.push('\n');
            }
            v4::Cell::Markdown { attachments, .. } => {
                let attached = attachments.as_ref().and_then(Value::as_object);
                if let Some(attached) = attached.filter(|attached| !attached.is_empty()) {
                    let names: Vec<&str> = attached.keys().map(String::as_str).collect();
                    self.notes.push(format!(
                        "cell {number}: attachments are left behind: {}",
                        names.join(", ")
                    ));
                }
                self.prose(title, &text);
            }
            v4::Cell::Raw { .. } => {
                self.notes.push(format!("cell {number}: raw text is taken as prose"));
                self.prose(title, &text);
            }
        }
    }

    fn prose(&mut self, title: &str, text: &str) {
        self.begin("// %% [markdown]", title);
        for line in text.lines() {
            // A line that would begin a cell is kept from it by a backslash, which Markdown does not show.
            let begins = is_marker(&format!("// {line}"));
            let line = line.replacen("%%", "\\%%", usize::from(begins));
            self.script.push_str(format!("// {line}").trim_end());
            self.script.push('\n');
        }
    }

    fn begin(&mut self, marker: &str, title: &str) {
        if !self.script.is_empty() {
            self.script.push('\n');
        }
        self.script.push_str(format!("{marker} {title}").trim_end());
        self.script.push('\n');
    }
}
