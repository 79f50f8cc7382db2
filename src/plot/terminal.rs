//! Charts as text: lines and points in braille by ratatui's chart, small multiples below each other.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::{Axis as ChartAxis, Chart as LineChart, Dataset, GraphType, Widget};

use super::axis::Axis;
use super::blocks;
use super::rows::bars;
use super::scale::{Fitted, fitted, thinned};
use super::shapes::bands;
use super::text::{cut, heading, wrapped};
use crate::display::chart::{Chart, ChartKind, Panel, Series, is_finite};

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
const MARKERS: [(Marker, char); 4] =
    [(Marker::Braille, '⠒'), (Marker::Dot, '•'), (Marker::Block, '█'), (Marker::Bar, '▄')];

pub fn draw(chart: &Chart, width: usize, height: usize, colour: bool) -> String {
    let mut lines = Vec::new();
    lines.extend(wrapped(&chart.title, width));
    if chart.is_empty() {
        lines.push("(no data)".to_string());
        return lines.join("\n");
    }
    if chart.kind == ChartKind::HeatMap {
        lines.extend(blocks::draw(chart, width));
        return lines.join("\n");
    }
    // Panels that are a little lower stand on a screen together.
    let height = if chart.panels.len() > 1 { (height * 2 / 3).max(7) } else { height };
    let fitted = fitted(chart, (width / 14).max(2), (height / 4).max(2));
    if chart.is_bars() {
        let paint = |place: usize, blocks: String| {
            if colour {
                format!("\u{1b}[{}m{blocks}\u{1b}[0m", COLOURS[place % COLOURS.len()].1)
            } else {
                blocks
            }
        };
        for part in parts(chart) {
            lines.extend(panel_title(chart, &part, width));
            lines.extend(bars(&part, &fitted, width, paint));
        }
        return lines.join("\n");
    }
    lines.extend(wrapped(&chart.y_label, width));
    for part in &fitted.parts {
        lines.extend(panel_title(chart, part, width));
        lines.extend(curves(part, &fitted, width, height, colour));
    }
    let label = wrapped(&chart.x_label, width).into_iter();
    lines.extend(label.map(|line| format!("{line:>width$}")));
    if chart.series.len() > 1 {
        lines.extend(legend(&chart.series, width, colour));
    }
    lines.join("\n")
}

/// The panels of a chart as charts with the numbers they were given, or the one chart.
fn parts(chart: &Chart) -> Vec<Chart> {
    if chart.panels.is_empty() {
        return vec![chart.clone()];
    }
    let part = |panel: &Panel| Chart {
        title: panel.title.clone(),
        series: panel.series.clone(),
        panels: Vec::new(),
        ..chart.clone()
    };
    chart.panels.iter().map(part).collect()
}

/// The line above a panel.
fn panel_title(chart: &Chart, part: &Chart, width: usize) -> Option<String> {
    if chart.panels.is_empty() {
        return None;
    }
    Some(heading(&part.title, width))
}

fn look(place: usize, colour: bool) -> (Marker, Color, String) {
    let (tint, code) = COLOURS[place % COLOURS.len()];
    let (marker, sign) = MARKERS[place % MARKERS.len()];
    if colour {
        (Marker::Braille, tint, format!("\u{1b}[{code}m⠒⠒\u{1b}[0m"))
    } else {
        (marker, Color::Reset, format!("{sign}{sign}"))
    }
}

/// The names of the series, each behind its sign, in as many lines as they need.
fn legend(series: &[Series], width: usize, colour: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for (place, series) in series.iter().enumerate() {
        let (_, _, sign) = look(place, colour);
        let name = cut(&series.name, width.saturating_sub(3));
        // The sign is two characters wide, whatever its colours take.
        let needed = 3 + name.chars().count();
        match lines.last_mut() {
            Some(line) if used + 3 + needed <= width => {
                line.push_str(&format!("   {sign} {name}"));
                used += 3 + needed;
            }
            _ => {
                lines.push(format!("{sign} {name}"));
                used = needed;
            }
        }
    }
    lines
}

/// Lines and points between axes whose ticks stand at their places.
fn curves(
    chart: &Chart,
    fitted: &Fitted,
    width: usize,
    height: usize,
    colour: bool,
) -> Vec<String> {
    let (x, y) = (&fitted.x, &fitted.y);
    let longest = |axis: &Axis| {
        let lengths = axis.labels.iter().map(|label| label.chars().count());
        lengths.max().unwrap_or(0)
    };
    // Room at the left for the labels of y, at the right for half of the last label of x.
    let left = longest(y).min(width / 3);
    let right = longest(x).min(width / 4) / 2;
    let (columns, rows) = ((width - left - right).saturating_sub(2).max(4), height.max(6) - 2);
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns as u16, rows as u16));
    let layers = layers(chart, x, y, (columns, rows), colour);
    let datasets = layers.iter().map(|layer| {
        Dataset::default()
            .data(&layer.points)
            .marker(layer.marker)
            .graph_type(layer.graph)
            .style(Style::default().fg(layer.tint))
    });
    let bounds = |axis: &Axis| ChartAxis::default().bounds([axis.low, axis.high]);
    LineChart::new(datasets.collect())
        .x_axis(bounds(x))
        .y_axis(bounds(y))
        .legend_position(None)
        .render(buffer.area, &mut buffer);
    let mut lines = Vec::new();
    let marked = |row: usize| y.ticks.iter().find(|tick| y_row(**tick, y, rows) == row);
    for row in 0..rows {
        let (label, axis) = match marked(row) {
            Some(tick) => (y.label(*tick), '┤'),
            None => (String::new(), '│'),
        };
        let label: String = label.chars().take(left).collect();
        let curve = line(&buffer, row as u16, colour);
        lines.push(format!("{label:>left$} {axis}{curve}").trim_end().to_string());
    }
    lines.extend(foot(x, left + 1, columns, width));
    lines
}

/// The cell of a value along x: a cell is two dots of braille wide, and the ends of the axis lie in the middle of dots.
fn x_column(value: f64, axis: &Axis, columns: usize) -> usize {
    let share = (value - axis.low) / (axis.high - axis.low);
    (share * (columns * 2 - 1) as f64).round() as usize / 2
}

/// The row of a value along y, from the top: a cell is four dots high.
fn y_row(value: f64, axis: &Axis, rows: usize) -> usize {
    let share = (axis.high - value) / (axis.high - axis.low);
    (share * (rows * 4 - 1) as f64).round() as usize / 4
}

/// The axis of x and its labels, each in the middle below its tick; a label for which there is no room is left out.
fn foot(x: &Axis, left: usize, columns: usize, width: usize) -> [String; 2] {
    let mut axis = vec!['─'; columns];
    let mut labels = vec![' '; width.max(left + 1 + columns)];
    let mut free = 0;
    for (tick, label) in x.ticks.iter().zip(&x.labels) {
        let column = x_column(*tick, x, columns);
        if let Some(cell) = axis.get_mut(column) {
            *cell = '┬';
        }
        let longest = (columns / x.ticks.len().clamp(1, 4)).max(4);
        let label: Vec<char> = label.chars().take(longest).collect();
        let start = (left + 1 + column).saturating_sub(label.len() / 2);
        let end = start + label.len();
        if start >= free && end <= labels.len() {
            for (cell, character) in labels.iter_mut().skip(start).zip(label) {
                *cell = character;
            }
            free = end + 1;
        }
    }
    let axis: String = axis.into_iter().collect();
    let labels: String = labels.into_iter().collect();
    [format!("{}└{axis}", " ".repeat(left)), labels.trim_end().to_string()]
}

/// Points that are drawn alike.
struct Layer {
    points: Vec<(f64, f64)>,
    marker: Marker,
    graph: GraphType,
    tint: Color,
}

/// What each series is drawn of: its band's edges, the lines between gaps, and marks where it is known at few places.
fn layers(
    chart: &Chart,
    x: &Axis,
    y: &Axis,
    (columns, rows): (usize, usize),
    colour: bool,
) -> Vec<Layer> {
    let mut layers = Vec::new();
    let dot = (y.high - y.low) / (rows * 4) as f64;
    for (place, series) in chart.series.iter().enumerate() {
        let (marker, tint, _) = look(place, colour);
        let mut add = |points: Vec<(f64, f64)>, marker: Marker, graph: GraphType| {
            layers.push(Layer { points, marker, graph, tint });
        };
        let most = columns * 8;
        if chart.kind == ChartKind::Scatter {
            let mut points = series.points.clone();
            points.retain(is_finite);
            let whiskers = whiskers(series, dot, y.low);
            add(whiskers, Marker::Braille, GraphType::Scatter);
            add(thinned(&points, most), marker, GraphType::Scatter);
            continue;
        }
        let spread = if chart.error_bars {
            whiskers(series, dot, y.low)
        } else {
            edges(series, (x.high - x.low) / columns as f64, y.low)
        };
        add(spread, Marker::Braille, GraphType::Scatter);
        let parts = series.stretches();
        for run in parts.stretches {
            if run.len() == 1 || (parts.sparse && run.len() <= columns) {
                add(run.clone(), Marker::Dot, GraphType::Scatter);
            }
            if run.len() > 1 {
                add(thinned(&run, most), marker, GraphType::Line);
            }
        }
    }
    // Marks lie over all lines.
    layers.sort_by_key(|layer| layer.marker == Marker::Dot && layer.graph == GraphType::Scatter);
    layers
}

/// Points along both edges of a band, about one for each column: a dotted line.
fn edges(series: &Series, column: f64, floor: f64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for run in bands(series, floor) {
        for pair in run.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let steps = ((b.0 - a.0) / column).abs().ceil().clamp(1.0, 1000.0) as usize;
            for step in 0..steps {
                let share = step as f64 / steps as f64;
                let between = |a: f64, b: f64| a + (b - a) * share;
                let x = between(a.0, b.0);
                points.extend([(x, between(a.1, b.1)), (x, between(a.2, b.2))]);
            }
        }
        let last = run.last().copied();
        points.extend(last.into_iter().flat_map(|(x, low, high)| [(x, low), (x, high)]));
    }
    points
}

/// Points from low to high for each point that has error bars, a row of dots apart; from the axis' floor where the lower
/// end lies below all that it shows.
fn whiskers(series: &Series, dot: f64, floor: f64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for ((x, _), (low, high)) in series.points.iter().zip(&series.band) {
        let low = &if *low == f64::NEG_INFINITY { floor } else { *low };
        let steps = ((high - low) / dot).abs();
        if x.is_finite() && steps.is_finite() {
            let steps = steps.ceil().clamp(1.0, 1000.0) as usize;
            let at = |step: usize| low + (high - low) * step as f64 / steps as f64;
            points.extend((0..=steps).map(|step| (*x, at(step))));
        }
    }
    points
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
            let code =
                COLOURS.iter().find(|(tint, _)| *tint == current).map_or("0", |(_, code)| code);
            text.push_str(&format!("\u{1b}[{code}m"));
        }
        text.push_str(cell.symbol());
    }
    if colour && current != Color::Reset {
        text.push_str("\u{1b}[0m");
    }
    text.trim_end().to_string()
}
