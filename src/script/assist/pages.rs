//! Modules as a reader sees them: what their page says they are for, and their functions with `///` comments.

use std::rc::Rc;

use super::super::host::Host;
use super::super::modules;

/// A function that a script or a module defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    pub name: String,
    pub parameters: Vec<String>,
    /// Its `///` comments, without the marks.
    pub doc: String,
}

impl Own {
    /// "name(a, b)".
    pub fn form(&self) -> String {
        format!("{}({})", self.name, self.parameters.join(", "))
    }

    /// The doc's first sentence.
    pub fn summary(&self) -> String {
        let flat = self.doc.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        flat.split(". ").next().unwrap_or_default().trim_end_matches('.').to_string()
    }
}

impl Own {
    /// The doc's first sentence without its full stop, and what comes after it.
    pub fn told(&self) -> (String, String) {
        let first = self.doc.split("\n\n").next().unwrap_or_default();
        let flat = first.replace('\n', " ");
        let end = flat.find(". ").map_or(first.len(), |at| at + 1);
        let (summary, _) = flat.split_at(end);
        let rest = self.doc.get(end..).unwrap_or_default().trim_start_matches([' ', '\n']);
        // Code that follows at once keeps the spaces that make it code.
        let code = if self.doc.get(end..).is_some_and(|text| text.starts_with("\n\n    ")) {
            "    "
        } else {
            ""
        };
        (summary.trim_end_matches('.').to_string(), format!("{code}{rest}"))
    }
}

/// A module's page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What it is for: its `//!` lines.
    pub doc: String,
    pub functions: Vec<Own>,
}

/// The page of a module; nothing where there is none that may be read.
pub fn page(host: &Rc<Host>, path: &str) -> Option<Page> {
    modules::page(host, path).ok().map(|text| read(&text))
}

/// Reads a page's text: functions begin a line, as everywhere in the standard library.
pub fn read(text: &str) -> Page {
    let mut page = Page::default();
    let mut comments: Vec<&str> = Vec::new();
    let mut head: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("//!") {
            head.push(said.trim());
        } else if line.starts_with("///") {
            comments.push(line);
        } else {
            if let Some(function) = function(line) {
                let doc = uncommented(&std::mem::take(&mut comments).join("\n"));
                page.functions.push(Own { doc, ..function });
            }
            comments.clear();
        }
    }
    page.doc = head.join("\n");
    page
}

/// `fn name(a, b) {`; private ones are nobody's business.
fn function(line: &str) -> Option<Own> {
    let (name, rest) = line.strip_prefix("fn ")?.split_once('(')?;
    let (parameters, _) = rest.split_once(')')?;
    let parameters = parameters.split(',').map(str::trim).filter(|name| !name.is_empty());
    Some(Own {
        name: name.trim().to_string(),
        parameters: parameters.map(str::to_string).collect(),
        doc: String::new(),
    })
}

/// `///` lines and `/** … */` without their marks.
pub fn uncommented(comments: &str) -> String {
    let bare = |line: &str| {
        let line = line.trim_start().trim_start_matches("/**").trim_end_matches("*/");
        let line = line.strip_prefix("///").unwrap_or(line);
        line.strip_prefix(' ').unwrap_or(line).trim_end().to_string()
    };
    comments.lines().map(bare).collect::<Vec<_>>().join("\n").trim().to_string()
}

/// The first line of a comment.
pub fn summary<S: AsRef<str>>(comments: &[S]) -> String {
    let first = comments.first().map_or("", AsRef::as_ref);
    let line = uncommented(first);
    line.lines().next().unwrap_or_default().trim_end_matches('.').to_string()
}
