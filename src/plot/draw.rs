//! Charts as images, by plotters: SVG for reports, PNG for files.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::scale::{thinned, x_axis, y_axis};
use super::{Chart, ChartKind, Series};
use crate::error::{Error, Result};

/// Okabe and Ito's palette, in an order whose first colours differ most.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
];

/// Readable on white and on near-black.
const INK: RGBColor = RGBColor(118, 124, 134);
const GRID: RGBAColor = RGBAColor(128, 134, 144, 0.25);

/// Points of a line in an image; more cannot be told apart.
const MOST_POINTS: usize = 2000;

pub fn svg(chart: &Chart, width: u32, height: u32) -> Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        draw(chart, &area, 1.0)?;
    }
    Ok(text)
}

pub fn png(chart: &Chart, width: u32, height: u32) -> Result<Vec<u8>> {
    let mut pixels = vec![255u8; width as usize * height as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        draw(chart, &area, f64::from(width) / 800.0)?;
    }
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = encode_png(&pixels, width, height, &mut bytes);
    image.map(|()| bytes.into_inner())
}

/// Encodes RGB pixels.
fn encode_png(
    pixels: &[u8],
    width: u32,
    height: u32,
    out: &mut std::io::Cursor<Vec<u8>>,
) -> Result<()> {
    let fail =
        |error: png::EncodingError| Error::failed(format!("the image cannot be written: {error}"));
    let mut encoder = png::Encoder::new(out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(fail)?;
    writer.write_image_data(pixels).map_err(fail)
}

fn failed<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> Error {
    Error::failed(format!("the chart cannot be drawn: {error}"))
}

/// The font that measures (and in PNG draws) text.
fn register() {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // A font that is compiled in cannot fail to parse; if it did, drawing would say so.
        let _ = register_font(
            "sans-serif",
            FontStyle::Normal,
            epaint_default_fonts::UBUNTU_LIGHT,
        );
    });
}

type Area<B> = DrawingArea<B, Shift>;

fn draw<B: DrawingBackend>(chart: &Chart, area: &Area<B>, zoom: f64) -> Result<()> {
    register();
    let size = |points: f64| (points * zoom).round();
    let text = |points: f64| ("sans-serif", size(points)).into_font().color(&INK);
    let (width, height) = area.dim_in_pixel();
    if chart.is_empty() {
        let message = EmptyElement::at((width as i32 / 2 - 30, height as i32 / 2))
            + Text::new("no data", (0, 0), text(14.0));
        return area.draw(&message).map_err(failed);
    }
    let (mut x, y) = (x_axis(chart, 8), y_axis(chart, 6));
    if chart.is_bars() {
        (x.low, x.high) = (
            x.low.min(-0.5),
            x.high.max(chart.categories.len() as f64 - 0.5),
        );
        if !chart.categories.is_empty() {
            (x.low, x.high) = (-0.5, chart.categories.len() as f64 - 0.5);
        }
    }
    let mut builder = ChartBuilder::on(area);
    builder
        .margin(size(10.0) as i32)
        .margin_right(size(18.0) as i32)
        .x_label_area_size(size(42.0) as i32)
        .y_label_area_size(size(58.0) as i32);
    if !chart.title.is_empty() {
        builder.caption(&chart.title, text(17.0));
    }
    let mut context = builder
        .build_cartesian_2d(x.low..x.high, y.low..y.high)
        .map_err(failed)?;
    let name_x = |value: &f64| match chart.categories.is_empty() {
        true => x.label(*value),
        false => category(chart, *value),
    };
    let name_y = |value: &f64| y.label(*value);
    let mut mesh = context.configure_mesh();
    mesh.bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .x_desc(&chart.x_label)
        .y_desc(&chart.y_label)
        .x_label_formatter(&name_x)
        .y_label_formatter(&name_y)
        .y_labels(y.ticks.len())
        .label_style(text(12.0))
        .axis_desc_style(text(13.0));
    match chart.categories.len() {
        0 => mesh.x_labels(x.ticks.len()),
        n => mesh.x_labels(n.min(24)).disable_x_mesh(),
    };
    mesh.draw().map_err(failed)?;
    for (place, series) in chart.series.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let mut drawn = None;
        for shape in shapes(chart, series, place) {
            let annotation = match shape {
                Shape::Bar(corners) => {
                    context.draw_series([Rectangle::new(corners, colour.filled())])
                }
                Shape::Band(outline) => {
                    context.draw_series([Polygon::new(outline, colour.mix(0.18))])
                }
                Shape::Line(points) => {
                    let stroke = (1.8 * zoom).round().max(1.0) as u32;
                    context.draw_series([PathElement::new(points, colour.stroke_width(stroke))])
                }
                Shape::Dots(points) => {
                    let radius = (2.5 * zoom) as i32;
                    let dot = |point| Circle::new(point, radius, colour.filled());
                    context.draw_series(points.into_iter().map(dot))
                }
            };
            drawn = Some(annotation.map_err(failed)?);
        }
        if let Some(drawn) = drawn.filter(|_| chart.series.len() > 1) {
            drawn.label(clean(&series.name)).legend(move |(x, y)| {
                Rectangle::new([(x, y - 4), (x + 14, y + 4)], colour.filled())
            });
        }
    }
    if chart.series.len() > 1 {
        let mut labels = context.configure_series_labels();
        labels
            .label_font(text(12.0))
            .border_style(TRANSPARENT)
            .position(SeriesLabelPosition::UpperRight)
            .draw()
            .map_err(failed)?;
    }
    area.present().map_err(failed)
}

fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn category(chart: &Chart, value: f64) -> String {
    let near = (value - value.round()).abs() < 0.01 && value > -0.5;
    let name = near
        .then(|| chart.categories.get(value.round() as usize))
        .flatten();
    name.map(|name| clean(name)).unwrap_or_default()
}

/// What a series is drawn of, in data coordinates.
enum Shape {
    Bar([(f64, f64); 2]),
    Band(Vec<(f64, f64)>),
    Line(Vec<(f64, f64)>),
    Dots(Vec<(f64, f64)>),
}

fn shapes(chart: &Chart, series: &Series, place: usize) -> Vec<Shape> {
    let finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
    if chart.is_bars() {
        let slots = chart.series.len() as f64;
        let width = bar_width(chart, series) * 0.8;
        let bar = |(x, y): (f64, f64)| {
            let left = x - width / 2.0 + width * place as f64 / slots;
            Shape::Bar([(left, 0.0), (left + width / slots, y)])
        };
        return series
            .points
            .iter()
            .filter(|p| finite(p))
            .copied()
            .map(bar)
            .collect();
    }
    let mut shapes = Vec::new();
    if !series.band.is_empty() && series.band.len() == series.points.len() {
        let rows = series.points.iter().zip(&series.band);
        let mut outline: Vec<(f64, f64)> =
            rows.clone().map(|((x, _), band)| (*x, band.0)).collect();
        outline.extend(rows.rev().map(|((x, _), band)| (*x, band.1)));
        outline.retain(finite);
        shapes.push(Shape::Band(outline));
    }
    for run in series.points.split(|point| !finite(point)) {
        let run = thinned(run, MOST_POINTS);
        if run.len() <= 24 || chart.kind == ChartKind::Scatter {
            shapes.push(Shape::Dots(run.clone()));
        }
        if chart.kind != ChartKind::Scatter && run.len() > 1 {
            shapes.push(Shape::Line(run));
        }
    }
    shapes
}

/// The distance between neighbouring bars.
fn bar_width(chart: &Chart, series: &Series) -> f64 {
    if !chart.categories.is_empty() {
        return 1.0;
    }
    let mut places: Vec<f64> = series
        .points
        .iter()
        .map(|(x, _)| *x)
        .filter(|x| x.is_finite())
        .collect();
    places.sort_by(f64::total_cmp);
    let gaps = places
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .filter(|gap| *gap > 0.0);
    let smallest = gaps.fold(f64::INFINITY, f64::min);
    if smallest.is_finite() { smallest } else { 1.0 }
}
