//! Values and errors as text for a terminal.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use comfy_table::{CellAlignment, ContentArrangement, TableComponent};
use unicode_width::UnicodeWidthStr;

use super::prose::prose;
use crate::display::{Output, Table};
use crate::notebook::outcome::Item;
use crate::plain::{one_line, printable};
use crate::script::report::ScriptError;

/// Lines of a chart.
const CHART_HEIGHT: usize = 18;
/// A chart is no wider than this, however wide the terminal.
const CHART_WIDTH: usize = 100;
/// A column is not squeezed below this for the sake of showing another one.
const NARROWEST: usize = 12;
/// A heading up to this long stays on one line.
const WIDEST_HEADING: usize = 20;
/// Where all columns are shown, one is not squeezed below this to stand beside another.
const ROOMY: usize = 36;
/// What stands between two columns.
const GAP: usize = 3;

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub width: usize,
    pub colour: bool,
}

impl Style {
    /// Text that should not catch the eye.
    pub fn dim(&self, text: &str) -> String {
        if self.colour { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_string() }
    }

    /// An item with a line end.
    pub fn item(&self, item: &Item) -> String {
        match item {
            Item::Printed(text) => format!("{}\n", printable(text)),
            Item::Note(text) => format!("{}\n", self.dim(&format!("note: {}", printable(text)))),
            Item::Output(Output::Text(text)) => format!("{}\n", printable(text)),
            Item::Output(Output::Markdown(text)) => {
                prose(&printable(text), self.width, self.colour)
            }
            Item::Output(Output::Table(table)) => self.table(table),
            Item::Output(Output::Chart(chart)) => {
                let width = self.width.min(CHART_WIDTH);
                let drawn = chart.to_terminal(width, CHART_HEIGHT, self.colour);
                format!("{}\n", drawn.trim_end_matches('\n'))
            }
        }
    }

    /// A table fitted to the width. Columns that do not fit are named below it, or drawn below the first ones where all are
    /// wanted.
    pub fn table(&self, table: &Table) -> String {
        let blocks = if table.all_columns {
            blocks(table, self.width)
        } else {
            vec![fitting(table, self.width)]
        };
        let drawn: Vec<String> = blocks.iter().map(|shown| self.block(table, shown)).collect();
        let hidden: Vec<String> = (0..table.columns.len())
            .filter(|index| !blocks.iter().any(|shown| shown.contains(index)))
            .filter_map(|index| table.columns.get(index))
            .map(|column| one_line(&column.name))
            .collect();
        let mut caption = table.caption.clone();
        if !hidden.is_empty() {
            caption.push_str(&format!("; not shown: {}", hidden.join(", ")));
        }
        let caption = wrapped(&printable(&caption), self.width);
        format!("{}\n{}\n", drawn.join("\n\n"), self.dim(&caption))
    }

    /// These columns of a table, side by side, their types under their names.
    fn block(&self, table: &Table, shown: &[usize]) -> String {
        let mut drawn = comfy_table::Table::new();
        drawn
            .load_preset(comfy_table::presets::NOTHING)
            .set_style(TableComponent::HeaderLines, '─')
            .set_style(TableComponent::MiddleHeaderIntersections, '─')
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(self.width).unwrap_or(u16::MAX));
        let columns = || shown.iter().filter_map(|index| table.columns.get(*index));
        let typed = columns().any(|column| !column.kind.is_empty());
        drawn.set_header(columns().map(|column| {
            let name = one_line(&column.name);
            if typed { format!("{name}\n{}", one_line(&column.kind)) } else { name }
        }));
        for row in &table.rows {
            let cells = shown.iter().filter_map(|index| row.get(*index));
            drawn.add_row(cells.map(|cell| cell.as_deref().map_or("–".to_string(), one_line)));
        }
        for (place, column) in columns().enumerate() {
            if let (true, Some(drawn)) = (column.numeric, drawn.column_mut(place)) {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
        drawn.trim_fmt()
    }

    /// An error of a script: the sentence, the line it is about, and what to try.
    pub fn script_error(&self, error: &ScriptError) -> String {
        self.about_script(error, Level::ERROR)
    }

    /// The same for something that may be meant.
    pub fn script_warning(&self, error: &ScriptError) -> String {
        self.about_script(error, Level::WARNING)
    }

    fn about_script(&self, error: &ScriptError, level: Level) -> String {
        let message = printable(&error.message);
        let file = one_line(&error.file);
        let line = shown_line(&error.line_text);
        let mut group = Group::with_title(level.primary_title(message.as_str()));
        if let Some(number) = error.line {
            let span = token_at(&error.line_text, error.column.unwrap_or(1));
            let snippet = Snippet::source(line.as_str())
                .line_start(number)
                .path(file.as_str())
                .annotation(AnnotationKind::Primary.span(span));
            group = group.element(snippet);
        }
        for note in &error.notes {
            group = group.element(Level::NOTE.message(printable(note)));
        }
        if let Some(hint) = &error.hint {
            group = group.element(Level::HELP.message(printable(hint)));
        }
        let renderer = if self.colour { Renderer::styled() } else { Renderer::plain() };
        format!("{}\n", renderer.term_width(self.width).render(&[group]))
    }

    /// An error that is not about a line of a script.
    pub fn error(&self, error: &crate::error::Error) -> String {
        let mut text = format!("error: {}\n", printable(&error.to_string()));
        if let Some(hint) = error.hint() {
            text.push_str(&format!("  = help: {}\n", printable(&hint)));
        }
        text
    }
}

/// A quoted line with the same number of bytes wherever a character stays: what could steer the terminal becomes `?`.
fn shown_line(line: &str) -> String {
    let shown = |character: char| {
        if printable(&character.to_string()).len() == character.len_utf8() {
            character
        } else {
            '?'
        }
    };
    line.chars().map(shown).collect()
}

/// The bytes of the word, or the one character, at a column counted from 1.
fn token_at(line: &str, column: usize) -> std::ops::Range<usize> {
    let line = shown_line(line);
    let start =
        line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(index, _)| index);
    let rest = line.get(start..).unwrap_or_default();
    let word = rest
        .find(|character: char| !character.is_alphanumeric() && character != '_')
        .unwrap_or(rest.len());
    let one = rest.chars().next().map_or(0, char::len_utf8);
    start..start + word.max(one)
}

/// Words in lines no wider than `width`; a wider word has a line of its own.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines.join("\n")
}

/// How wide the longest heading of a column is, and its longest cell.
fn natural(table: &Table, index: usize) -> usize {
    let cells = table.rows.iter().filter_map(|row| row.get(index)?.as_deref());
    cells.map(UnicodeWidthStr::width).fold(heading(table, index), usize::max)
}

fn heading(table: &Table, index: usize) -> usize {
    table.columns.get(index).map_or(0, |column| column.name.width().max(column.kind.width()))
}

/// All columns in their order, in as many blocks below each other as it takes for none to be squeezed below its width or
/// [`ROOMY`].
fn blocks(table: &Table, width: usize) -> Vec<Vec<usize>> {
    let mut blocks: Vec<Vec<usize>> = Vec::new();
    let mut left = 0;
    for index in 0..table.columns.len() {
        let least = natural(table, index).min(ROOMY) + GAP;
        match blocks.last_mut().filter(|_| least <= left) {
            Some(block) => {
                block.push(index);
                left -= least;
            }
            None => {
                blocks.push(vec![index]);
                left = width.saturating_sub(least);
            }
        }
    }
    blocks
}

/// The columns that fit side by side without squeezing any below its width or [`NARROWEST`]: from both ends inwards, as
/// the first columns name a row and the last ones are what was just added.
fn fitting(table: &Table, width: usize) -> Vec<usize> {
    let count = table.columns.len();
    let enough = |index: usize| heading(table, index).clamp(NARROWEST, WIDEST_HEADING);
    let least = |index: usize| natural(table, index).min(enough(index)) + GAP;
    let mut left = width;
    let mut chosen = Vec::new();
    let (mut low, mut high) = (0, count);
    let mut from_start = true;
    while low < high {
        let index = if from_start { low } else { high - 1 };
        let Some(after) = left.checked_sub(least(index)) else {
            break;
        };
        left = after;
        chosen.push(index);
        if from_start {
            low += 1
        } else {
            high -= 1
        }
        from_start = !from_start;
    }
    chosen.sort_unstable();
    chosen
}
