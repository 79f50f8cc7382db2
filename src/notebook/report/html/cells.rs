//! Cells of a notebook as HTML: headings, code that is folded where it is long, and the table of contents.

use crate::notebook::cells::{Cell, Content};
use crate::notebook::report::code::highlighted;
use crate::notebook::report::escape::escape;

/// Lines of code that stand unfolded.
const LINES: usize = 12;
/// Titled cells that need no table of contents.
const FEW: usize = 4;

/// A cell's code; a long one is folded behind its first line that says something.
pub fn code(code: &str) -> String {
    let code = code.trim_matches('\n');
    let whole = format!("<pre class=\"code\">{}</pre>\n", highlighted(code));
    let count = code.lines().count();
    if count <= LINES {
        return whole;
    }
    let first = code.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    format!(
        "<details class=\"code\">\n<summary><code>{}</code> <span class=\"time\">{count} lines</span></summary>\n\
         {whole}</details>\n",
        highlighted(first.trim())
    )
}

/// What a cell is known by: its title, or where it is prose without one its first heading.
pub fn title(cell: &Cell, text: &str) -> Option<String> {
    if !cell.title.is_empty() {
        return Some(cell.title.clone());
    }
    let Content::Prose(_) = cell.content else { return None };
    let heading = text.lines().find(|line| line.starts_with('#'))?;
    let heading = heading.trim_matches('#').trim();
    (!heading.is_empty()).then(|| heading.to_string())
}

/// Links to the cells with a title, where there are more than a few. Each entry is the cell's place and title.
pub fn contents(entries: &[(usize, String)]) -> String {
    if entries.len() <= FEW {
        return String::new();
    }
    let links: String = entries
        .iter()
        .map(|(place, title)| format!("<li><a href=\"#cell-{place}\">{}</a>\n", escape(title)))
        .collect();
    format!("<nav aria-label=\"Contents\">\n<h2>Contents</h2>\n<ol>\n{links}</ol>\n</nav>\n")
}
