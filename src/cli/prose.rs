//! Markdown as text for a terminal: wrapped, with headings, code and tables set off.

use comfy_table::{ColumnConstraint, ContentArrangement, TableComponent, Width};
use unicode_width::UnicodeWidthStr;

/// A table in a narrower terminal is told row by row.
const NARROWEST_TABLE: usize = 60;
/// Where a column would have fewer characters than this, rows are told too.
const NARROWEST_COLUMN: usize = 10;
/// Spaces between the columns of a table.
const GAP: usize = 2;
/// A longer word is broken, so that a column leaves room for the others.
const WIDEST_WORD: usize = 24;

/// Prose as lines no wider than `width`. What it says is taken as it is: whoever shows it makes it printable first.
pub fn prose(text: &str, width: usize, colour: bool) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let (Some(head), true) = (cells(line), lines.peek().is_some_and(|next| is_rule(next))) {
            lines.next();
            let mut rows = Vec::new();
            while let Some(row) = lines.peek().and_then(|next| cells(next)) {
                rows.push(row.iter().map(|cell| bare(cell).to_string()).collect());
                lines.next();
            }
            out.push_str(&table(&head, &rows, width));
        } else if let Some(heading) = line.strip_prefix('#') {
            out.push_str(&painted("1", heading.trim_start_matches('#').trim_start(), colour));
        } else if line.starts_with("    ") {
            out.push_str(&painted("36", line, colour));
        } else {
            let hang = if line.starts_with("- ") { "  " } else { "" };
            out.push_str(&wrapped(line, hang, width));
        }
        out.push('\n');
    }
    out
}

/// The cells of a table's line, between bars; `\|` is a bar of the text.
fn cells(line: &str) -> Option<Vec<String>> {
    let inside = line.trim().strip_prefix('|')?;
    let inside = inside.strip_suffix('|').unwrap_or(inside);
    let mut cells = vec![String::new()];
    let mut characters = inside.chars().peekable();
    while let Some(character) = characters.next() {
        let is_text = character != '|';
        let character = if character == '\\' && characters.peek() == Some(&'|') {
            characters.next().unwrap_or(character)
        } else {
            character
        };
        match cells.last_mut() {
            Some(cell) if is_text => cell.push(character),
            _ => cells.push(String::new()),
        }
    }
    Some(cells.iter().map(|cell| cell.trim().to_string()).collect())
}

/// A cell that is all code stands apart by itself, and needs no marks.
fn bare(cell: &str) -> &str {
    let inside = cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    inside.filter(|inside| !inside.contains('`')).unwrap_or(cell)
}

/// The line between a table's head and its rows.
fn is_rule(line: &str) -> bool {
    let is_dashes = |cell: &String| {
        cell.contains('-') && cell.chars().all(|character| matches!(character, '-' | ':'))
    };
    cells(line).is_some_and(|cells| cells.iter().all(is_dashes))
}

/// A table fitted to the width, or where its columns would be squeezed a paragraph for each row.
fn table(head: &[String], rows: &[Vec<String>], width: usize) -> String {
    let columns = head.len();
    if width < NARROWEST_TABLE || columns * NARROWEST_COLUMN > width {
        return row_by_row(rows, width);
    }
    let mut drawn = comfy_table::Table::new();
    drawn
        .load_preset(comfy_table::presets::NOTHING)
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─')
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(head);
    for row in rows {
        drawn.add_row(row);
    }
    let cells = |place: usize| {
        head.get(place).into_iter().chain(rows.iter().filter_map(move |row| row.get(place)))
    };
    let last = columns.saturating_sub(1);
    let widths: Vec<usize> =
        (0..last).map(|place| fitting(cells(place), width / 7) + GAP).collect();
    // The last column says most, and has what the others leave.
    if widths.iter().sum::<usize>() + width / 3 <= width {
        for (place, wide) in widths.iter().enumerate() {
            if let (Some(drawn), Ok(wide)) = (drawn.column_mut(place), u16::try_from(*wide)) {
                drawn.set_padding((0, GAP as u16));
                drawn.set_constraint(ColumnConstraint::Absolute(Width::Fixed(wide)));
            }
        }
        if let Some(drawn) = drawn.column_mut(last) {
            drawn.set_padding((0, 0));
        }
    }
    drawn.trim_fmt()
}

/// What each row of a table says, behind a mark of its own.
fn row_by_row(rows: &[Vec<String>], width: usize) -> String {
    let told = rows.iter().map(|row| {
        let said: Vec<&str> =
            row.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
        wrapped(&format!("- {}", said.join(" · ")), "  ", width)
    });
    told.collect::<Vec<_>>().join("\n")
}

/// How wide a column is whose cells may be wrapped at `most` characters, but not within a word.
fn fitting<'a>(cells: impl Iterator<Item = &'a String>, most: usize) -> usize {
    let wide = |cell: &String| {
        let word = cell.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0);
        word.max(cell.width().min(most))
    };
    cells.map(wide).max().unwrap_or(0).min(WIDEST_WORD)
}

fn painted(code: &str, text: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
}

/// Words in lines no wider than `width`, all but the first behind `hang`; a wider word has a line of its own.
fn wrapped(line: &str, hang: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in line.split(' ') {
        if out.is_empty() {
            used = word.width();
        } else if used + 1 + word.width() <= width {
            out.push(' ');
            used += 1 + word.width();
        } else {
            out.push('\n');
            out.push_str(hang);
            used = hang.len() + word.width();
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Options:\n\n| option | type | meaning |\n| --- | :-: | --- |\n\
        | `steps` | whole number | How many steps are taken, instead of what else would be taken without them |\n\
        | `mark` | string | Written a \\| b |\n\nBehind.";

    #[test]
    fn a_table_fits_the_width_and_is_told_row_by_row_where_it_would_be_squeezed() {
        for width in [30, 60, 80, 200] {
            let drawn = prose(TABLE, width, false);
            assert!(drawn.lines().all(|line| line.width() <= width), "{width}:\n{drawn}");
            let words = drawn.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains("Written a | b") && !words.contains('`'), "{drawn}");
            assert!(!drawn.contains("---") && drawn.ends_with("\n\nBehind.\n"), "{drawn}");
            assert_eq!(drawn.contains("\noption "), width >= NARROWEST_TABLE, "{drawn}");
        }
    }

    #[test]
    fn bars_without_a_rule_below_them_are_text() {
        assert_eq!(prose("| a | b |\nmore", 80, false), "| a | b |\nmore\n");
    }
}
