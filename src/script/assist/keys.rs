//! The options that a call takes, as its record has them, and how they are told.

use super::super::record::OptionDoc;
use super::entries::Entry;

/// The options that a form of a call takes.
pub fn of(entry: &Entry) -> Vec<&'static OptionDoc> {
    entry.record.options_of(entry.form)
}

/// An option in one line: what it is unless it is given, and what it means.
pub fn line(option: &OptionDoc) -> String {
    if option.default.is_empty() {
        option.meaning.to_string()
    } else {
        format!("default {}: {}", option.default, option.meaning)
    }
}

/// Options as a table in Markdown, a row each.
pub fn table<'a>(options: impl IntoIterator<Item = &'a OptionDoc>) -> String {
    let mut out =
        String::from("| option | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for option in options {
        let cells = [option.name, option.kind, option.default, option.meaning];
        let [name, kind, default, meaning] = cells.map(|cell| cell.replace('|', "\\|"));
        let default = if default.is_empty() { default } else { format!("`{default}`") };
        out.push_str(&format!("| `{name}` | {kind} | {default} | {meaning} |\n"));
    }
    out
}
