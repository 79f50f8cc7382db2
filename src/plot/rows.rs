//! Bars as text: a row of blocks for each, with its number behind it.

use super::scale::{Fitted, bar_name};
use super::text::{cut, wrapped};
use crate::display::number::number;
use crate::display::{Chart, Scale};

/// Bars that are drawn in a terminal.
const MOST_BARS: usize = 100;

/// A bar of a terminal: its name, the place of its series, its number, and what is written behind it.
struct Row {
    name: String,
    place: usize,
    y: f64,
    number: String,
}

/// The bars of all series, series by series. A band is written behind the number that it belongs to.
fn bar_rows(chart: &Chart, most: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, series) in chart.series.iter().enumerate() {
        for (index, (x, y)) in series.points.iter().enumerate() {
            let category = chart.categories.get(x.max(0.0) as usize).cloned();
            let name = category.unwrap_or_else(|| bar_name(*x));
            let name = match chart.series.len() {
                1 => cut(&name, most),
                _ => both(&name, &series.name, most),
            };
            let band = series.band.get(index);
            let band = band.map(|(low, high)| format!(" [{}, {}]", number(*low), number(*high)));
            rows.push(Row {
                name,
                place,
                y: *y,
                number: format!("{}{}", number(*y), band.unwrap_or_default()),
            });
        }
    }
    rows
}

/// A bar's name and that of its series, both to be seen in so many characters.
fn both(name: &str, series: &str, most: usize) -> String {
    let (long, short) = (name.chars().count(), series.chars().count());
    let half = most.saturating_sub(1) / 2;
    // Whichever is short leaves its room to the other.
    let room = half.max((2 * half).saturating_sub(short));
    let name = cut(name, room);
    let left = (2 * half).saturating_sub(long.min(room));
    format!("{name} {}", cut(series, left))
}

/// How long bars are, as a share of the longest.
struct Length {
    /// What values are divided by, so that all of them can be compared.
    unit: f64,
    largest: f64,
    /// The ends of a logarithmic axis.
    ends: Option<(f64, f64)>,
}

impl Length {
    fn new(chart: &Chart, fitted: &Fitted) -> Self {
        let ends = (chart.y_scale == Scale::Log).then_some((fitted.y.low, fitted.y.high));
        let series = fitted.parts.iter().flat_map(|part| &part.series);
        let sizes = series.flat_map(|series| &series.points).map(|(_, y)| y.abs());
        let largest = sizes.filter(|y| y.is_finite()).fold(0.0, f64::max);
        Self { unit: fitted.y_unit, largest, ends }
    }

    fn share(&self, y: f64) -> f64 {
        match self.ends {
            _ if !y.is_finite() => 0.0,
            Some(_) if y <= 0.0 => 0.0,
            Some((low, high)) => (y.log10() - low) / (high - low),
            None if self.largest > 0.0 => (y / self.unit).abs() / self.largest,
            None => 0.0,
        }
    }
}

/// A row of blocks for each bar, with its number behind it.
/// The longest bar of all panels fills the width; on a logarithmic axis bars begin at its lower edge.
pub fn bars(
    chart: &Chart,
    fitted: &Fitted,
    width: usize,
    paint: impl Fn(usize, String) -> String,
) -> Vec<String> {
    let rows = bar_rows(chart, width / 3);
    let longest = |text: fn(&Row) -> &String| {
        let lengths = rows.iter().map(|row| text(row).chars().count());
        lengths.max().unwrap_or(0)
    };
    let heading = cut(&chart.x_label, width / 3);
    let names = longest(|row| &row.name).max(heading.chars().count());
    let numbers = longest(|row| &row.number).max(9);
    let length = Length::new(chart, fitted);
    let room = width.saturating_sub(names + numbers + 3).max(4);
    let mut lines: Vec<String> = Vec::new();
    if chart.x_label.is_empty() {
        lines.extend(wrapped(&chart.y_label, width));
    } else {
        let label = cut(&chart.y_label, width.saturating_sub(names + 3));
        lines.push(format!("{heading:>names$} │ {label}"));
    }
    let more = rows.len().saturating_sub(MOST_BARS);
    for row in rows.into_iter().take(MOST_BARS) {
        let eighths = (length.share(row.y) * room as f64 * 8.0).round() as usize;
        let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        // A bar below zero is hatched: its length is that of its size.
        let blocks = if row.y < 0.0 {
            "░".repeat(eighths.div_ceil(8))
        } else {
            format!("{}{part}", "█".repeat(eighths / 8))
        };
        let blocks = paint(row.place, blocks);
        let name = row.name;
        lines.push(format!("{name:>names$} │{blocks} {}", row.number));
    }
    if more > 0 {
        lines.push(format!("… and {more} more bars; an image shows all"));
    }
    lines
}
