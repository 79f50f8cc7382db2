//! What cells showed as plain text, for readers that can show nothing else.

use crate::display::{Output, Table};
use crate::plain::{one_line, printable};

/// A chart's size in characters.
const CHART: (usize, usize) = (90, 18);

/// A value as plain text.
pub fn text(output: &Output) -> String {
    match output {
        Output::Text(text) | Output::Markdown(text) => printable(text),
        Output::Table(shown) => table(shown),
        Output::Chart(chart) => {
            chart.to_terminal(CHART.0, CHART.1, false).trim_end_matches('\n').to_string()
        }
    }
}

/// A table with columns of the width of their longest text.
fn table(table: &Table) -> String {
    let row = |row: &[Option<String>]| -> Vec<String> {
        row.iter().map(|cell| cell.as_deref().map_or("–".to_string(), one_line)).collect()
    };
    let mut rows = vec![table.columns.iter().map(|column| one_line(&column.name)).collect()];
    rows.extend(table.rows.iter().map(|cells| row(cells)));
    let width = |index: usize| {
        let lengths = rows.iter().filter_map(|row: &Vec<String>| row.get(index));
        lengths.map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let places = row.iter().zip(&table.columns).zip(&widths);
        let cells = places.map(|((text, column), width)| {
            if column.numeric { format!("{text:>width$}") } else { format!("{text:<width$}") }
        });
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out.push_str(&printable(&table.caption));
    out
}
