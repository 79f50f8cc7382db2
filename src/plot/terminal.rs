//! Charts as text: lines and points in braille by ratatui's chart, bars as rows of blocks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::{Axis as ChartAxis, Chart as LineChart, Dataset, GraphType, Widget};

use super::scale::{thinned, x_axis, y_axis};
use super::{Chart, ChartKind, Series};

/// Colours of the series, told apart also by people who see red and green as one.
const COLOURS: [(Color, &str); 6] = [
    (Color::Blue, "34"),
    (Color::Yellow, "33"),
    (Color::Magenta, "35"),
    (Color::Cyan, "36"),
    (Color::Red, "31"),
    (Color::Green, "32"),
];

/// Markers of the series where there is no colour.
const MARKERS: [(Marker, char); 4] = [
    (Marker::Braille, '⠒'),
    (Marker::Dot, '•'),
    (Marker::Block, '█'),
    (Marker::Bar, '▄'),
];

pub fn draw(chart: &Chart, width: usize, height: usize, colour: bool) -> String {
    let mut lines = Vec::new();
    if !chart.title.is_empty() {
        lines.push(clean(&chart.title));
    }
    if chart.is_empty() {
        lines.push("(no data)".to_string());
        return lines.join("\n");
    }
    if chart.is_bars() {
        lines.extend(bars(chart, width, colour));
        return lines.join("\n");
    }
    let label = |text: &str| clean(text);
    if !chart.y_label.is_empty() {
        lines.push(label(&chart.y_label));
    }
    lines.extend(curves(chart, width, height, colour));
    if !chart.x_label.is_empty() {
        let text = label(&chart.x_label);
        lines.push(format!("{text:>width$}"));
    }
    if chart.series.len() > 1 {
        lines.push(legend(&chart.series, colour));
    }
    lines.join("\n")
}

/// Names come from data: nothing in them may steer the terminal.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn look(place: usize, colour: bool) -> (Marker, Color, String) {
    let (tint, code) = COLOURS[place % COLOURS.len()];
    let (marker, sign) = MARKERS[place % MARKERS.len()];
    match colour {
        true => (Marker::Braille, tint, format!("\u{1b}[{code}m⠒⠒\u{1b}[0m")),
        false => (marker, Color::Reset, format!("{sign}{sign}")),
    }
}

fn legend(series: &[Series], colour: bool) -> String {
    let entries = series.iter().enumerate().map(|(place, series)| {
        let (_, _, sign) = look(place, colour);
        format!("{sign} {}", clean(&series.name))
    });
    entries.collect::<Vec<_>>().join("   ")
}

fn curves(chart: &Chart, width: usize, height: usize, colour: bool) -> Vec<String> {
    let (x, y) = (
        x_axis(chart, (width / 14).max(2)),
        y_axis(chart, (height / 4).max(2)),
    );
    let points: Vec<Vec<(f64, f64)>> = chart
        .series
        .iter()
        .map(|series| {
            let mut finite = series.points.clone();
            finite.retain(|(x, y)| x.is_finite() && y.is_finite());
            thinned(&finite, width * 8)
        })
        .collect();
    let graph = match chart.kind {
        ChartKind::Scatter => GraphType::Scatter,
        _ => GraphType::Line,
    };
    let datasets = points.iter().enumerate().map(|(place, points)| {
        let (marker, tint, _) = look(place, colour);
        Dataset::default()
            .data(points)
            .marker(marker)
            .graph_type(graph)
            .style(Style::default().fg(tint))
    });
    let axis = |axis: &super::scale::Axis| {
        let labels: Vec<String> = axis.ticks.iter().map(|tick| axis.label(*tick)).collect();
        ChartAxis::default()
            .bounds([axis.low, axis.high])
            .labels(labels)
    };
    let area = Rect::new(0, 0, width as u16, height as u16);
    let mut buffer = Buffer::empty(area);
    LineChart::new(datasets.collect())
        .x_axis(axis(&x))
        .y_axis(axis(&y))
        .legend_position(None)
        .render(area, &mut buffer);
    (0..area.height)
        .map(|row| line(&buffer, row, colour))
        .collect()
}

/// A row of the buffer as text, with colour changes as ANSI sequences.
fn line(buffer: &Buffer, row: u16, colour: bool) -> String {
    let mut text = String::new();
    let mut current = Color::Reset;
    for column in 0..buffer.area.width {
        let Some(cell) = buffer.cell((column, row)) else {
            continue;
        };
        if colour && cell.fg != current {
            current = cell.fg;
            let code = COLOURS
                .iter()
                .find(|(tint, _)| *tint == current)
                .map_or("0", |(_, code)| code);
            text.push_str(&format!("\u{1b}[{code}m"));
        }
        text.push_str(cell.symbol());
    }
    if colour && current != Color::Reset {
        text.push_str("\u{1b}[0m");
    }
    text.trim_end().to_string()
}

/// A row of blocks for each bar, with its number behind it.
fn bars(chart: &Chart, width: usize, colour: bool) -> Vec<String> {
    let mut rows: Vec<(String, usize, f64)> = Vec::new();
    for (place, series) in chart.series.iter().enumerate() {
        for (x, y) in &series.points {
            let category = chart.categories.get(x.max(0.0) as usize).cloned();
            let name = category.unwrap_or_else(|| crate::frame::table::number(*x));
            let name = match chart.series.len() {
                1 => name,
                _ => format!("{name} {}", series.name),
            };
            rows.push((clean(&name), place, *y));
        }
    }
    let names = rows
        .iter()
        .map(|(name, ..)| name.chars().count())
        .max()
        .unwrap_or(0)
        .min(width / 3);
    let largest = rows
        .iter()
        .map(|(.., y)| y.abs())
        .filter(|y| y.is_finite())
        .fold(0.0, f64::max);
    let room = width.saturating_sub(names + 12).max(4);
    let mut lines: Vec<String> = Vec::new();
    if !chart.y_label.is_empty() {
        lines.push(clean(&chart.y_label));
    }
    for (name, place, y) in rows {
        let share = if largest > 0.0 && y.is_finite() {
            y.abs() / largest
        } else {
            0.0
        };
        let eighths = (share * room as f64 * 8.0).round() as usize;
        let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        // A bar below zero is hatched: its length is that of its size.
        let blocks = match y < 0.0 {
            true => "░".repeat(eighths.div_ceil(8)),
            false => format!("{}{part}", "█".repeat(eighths / 8)),
        };
        let blocks = match colour {
            true => format!(
                "\u{1b}[{}m{blocks}\u{1b}[0m",
                COLOURS[place % COLOURS.len()].1
            ),
            false => blocks,
        };
        let short: String = name.chars().take(names).collect();
        lines.push(format!(
            "{short:>names$} │{blocks} {}",
            crate::frame::table::number(y)
        ));
    }
    lines
}
