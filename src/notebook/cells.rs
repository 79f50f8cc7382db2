//! Cells of a script in the percent format that editors know: `// %% title` begins code, `// %% [markdown] title` prose
//! in comment lines. A script without such lines is one cell.
//!
//! The format is Jupytext's "percent" format with Rhai's line comment.

/// A part of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What stands behind `// %%`; may be empty.
    pub title: String,
    pub content: Content,
    /// Lines of the file in front of the cell's content.
    pub lines_before: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Rhai code as it stands in the file.
    Code(String),
    /// Markdown, without the comment marks.
    Prose(String),
}

impl Cell {
    /// The code, if it is a cell of code.
    pub fn code(&self) -> Option<&str> {
        match &self.content {
            Content::Code(text) => Some(text),
            Content::Prose(_) => None,
        }
    }
}

/// Splits a script into its cells. Cells of code without any code are left out.
pub fn split(script: &str) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut title = "";
    let mut prose = false;
    let mut begins = 0;
    let lines: Vec<&str> = script.split_inclusive('\n').collect();
    let mut close = |title: &str, prose: bool, from: usize, to: usize| {
        let body: String = lines.get(from..to).unwrap_or_default().concat();
        let content = if prose { Content::Prose(uncommented(&body)) } else { Content::Code(body) };
        let blank = match &content {
            Content::Code(text) => uncommented(text).trim().is_empty(),
            Content::Prose(text) => text.trim().is_empty() && title.is_empty(),
        };
        if !blank {
            cells.push(Cell { title: title.to_string(), content, lines_before: from });
        }
    };
    for (number, line) in lines.iter().enumerate() {
        if let Some((next_title, next_prose)) = marker(line) {
            close(title, prose, begins, number);
            (title, prose, begins) = (next_title, next_prose, number + 1);
        }
    }
    close(title, prose, begins, lines.len());
    cells
}

/// Whether a line of a script begins a cell.
pub fn is_marker(line: &str) -> bool {
    marker(line).is_some()
}

/// The title behind a marker, and whether prose follows.
fn marker(line: &str) -> Option<(&str, bool)> {
    let rest = line.trim_end().strip_prefix("//")?.trim_start();
    let rest = rest.strip_prefix("%%")?;
    if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let rest = rest.trim();
    let prose = rest.strip_prefix("[markdown]").or_else(|| rest.strip_prefix("[md]"));
    match prose {
        Some(title) => Some((title.trim(), true)),
        None => Some((rest, false)),
    }
}

/// Comment lines without their marks; other lines as they are.
fn uncommented(body: &str) -> String {
    let lines = body.lines().map(|line| {
        let text = line.trim_start().strip_prefix("//");
        text.map_or(line, |text| text.strip_prefix(' ').unwrap_or(text))
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_string()
}

/// The first cell of prose: its heading, and the text below it. What a script's `--help` begins with.
pub fn introduction(cells: &[Cell]) -> Option<(String, String)> {
    let prose = cells.iter().find_map(|cell| match &cell.content {
        Content::Prose(text) => Some(text),
        Content::Code(_) => None,
    })?;
    let mut lines = prose.lines();
    let first = lines.next().unwrap_or_default();
    Some(if first.starts_with('#') {
        (
            first.trim_start_matches('#').trim().to_string(),
            lines.collect::<Vec<_>>().join("\n").trim().to_string(),
        )
    } else {
        (String::new(), prose.clone())
    })
}
