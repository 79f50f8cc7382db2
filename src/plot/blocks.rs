//! Heat maps as text: each cell a shade with its number where there is room, otherwise the shade alone.

use super::cells::{Range, texts};
use super::text::{cut, heading, wrapped};
use crate::display::chart::{Chart, Grid};

/// Shades from the lowest values to the highest.
const SHADES: [char; 5] = ['·', '░', '▒', '▓', '█'];

/// Rows of cells that are drawn in a terminal.
const MOST_ROWS: usize = 60;

/// The heat map, or its panels below each other, and what the shades mean.
pub fn draw(chart: &Chart, width: usize) -> Vec<String> {
    let range = Range::of(chart);
    let mut lines = wrapped(&chart.y_label, width);
    let own = chart
        .grid
        .as_deref()
        .into_iter()
        .filter(|_| chart.panels.is_empty())
        .map(|grid| (None, grid));
    let panels = chart.panels.iter();
    let panels = panels.filter_map(|panel| Some((Some(&panel.title), panel.grid.as_deref()?)));
    for (title, grid) in own.chain(panels) {
        lines.extend(title.map(|title| heading(title, width)));
        lines.extend(cells(grid, &chart.categories, &range, width));
    }
    let label = wrapped(&chart.x_label, width).into_iter();
    lines.extend(label.map(|line| format!("{line:>width$}")));
    let name = chart.grids().next().map_or("", |grid| grid.label.as_str());
    lines.extend(wrapped(&format!("{} {name}", legend(&range)), width));
    lines
}

/// The shade of a value.
fn shade(share: f64) -> char {
    let place = (share.clamp(0.0, 1.0) * SHADES.len() as f64) as usize;
    SHADES[place.min(SHADES.len() - 1)]
}

fn legend(range: &Range) -> String {
    let (low, high) = (range.value(0.0), range.value(1.0));
    if low == high {
        return format!("{} {}:", shade(0.5), range.label(low));
    }
    let ramp: String = SHADES.iter().collect();
    format!("{} {ramp} {}:", range.label(low), range.label(high))
}

/// The names of columns above cells, and a line for each row.
fn cells(grid: &Grid, columns: &[String], range: &Range, width: usize) -> Vec<String> {
    let lengths = grid.rows.iter().map(|row| row.chars().count());
    let left = lengths.max().unwrap_or(0).min(width / 3);
    let room = width.saturating_sub(left + 2);
    let written = texts(grid);
    let written: Vec<Vec<String>> =
        written.iter().map(|row| row.iter().map(|lines| lines.join(" ")).collect()).collect();
    let longest = written.iter().flatten().map(|text| text.chars().count()).max().unwrap_or(0);
    // A shade, a blank and the number, and a blank between cells.
    let numbered = longest + 3;
    let with_numbers = columns.len() * numbered <= room;
    let names = columns.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let wanted = if with_numbers { numbered.max(names.min(14) + 1) } else { 3 };
    let cell = wanted.min(room / columns.len().max(1)).max(if with_numbers { numbered } else { 2 });
    let shown = columns.len().min((room / cell).max(1));
    let mut lines = Vec::new();
    if cell > 3 {
        let names = columns.iter().take(shown);
        let names: String = names.map(|name| format!("{:<cell$}", cut(name, cell - 1))).collect();
        lines.push(format!("{:left$}  {}", "", names.trim_end()));
    } else {
        let names = columns.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
        lines.extend(wrapped(&format!("columns: {names}"), width));
    }
    let rows = grid.rows.iter().zip(&grid.values).zip(&written);
    for ((name, values), written) in rows.take(MOST_ROWS) {
        let mut line = format!("{:>left$} │", cut(name, left));
        for (value, text) in values.iter().zip(written).take(shown) {
            let text = match value.is_finite() {
                true if with_numbers => format!("{} {text}", shade(range.share(*value))),
                true => shade(range.share(*value)).to_string().repeat(cell - 1),
                false => String::new(),
            };
            line.push_str(&format!("{text:<cell$}"));
        }
        lines.push(line.trim_end().to_string());
    }
    let more = (grid.rows.len().saturating_sub(MOST_ROWS), columns.len() - shown);
    let more: Vec<String> = [(more.0, "rows"), (more.1, "columns")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| format!("{count} more {noun}"))
        .collect();
    if !more.is_empty() {
        lines.push(format!("… {}; an image shows all", more.join(", ")));
    }
    lines
}
