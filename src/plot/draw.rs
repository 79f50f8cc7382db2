//! Charts as images, by plotters: SVG for reports, PNG for files.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::labels::{Names, cut, width};
use super::scale::{Axis, fitted};
use super::shapes::{Shape, shapes};
use crate::display::Chart;
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

/// Series whose colours differ: each colour also stands in a dark and in a pale shade.
pub const TELLABLE: usize = COLOURS.len() * 3;

/// Readable on white and on near-black.
const INK: RGBColor = RGBColor(118, 124, 134);
const GRID: RGBAColor = RGBAColor(128, 134, 144, 0.25);

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
        let _ = register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
}

/// A range of numbers that is marked at the ticks of our axis, and nowhere else.
struct Ticked(Axis);

impl Ranged for Ticked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.0.ticks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.0.low..self.0.high
    }
}

type Area<B> = DrawingArea<B, Shift>;

fn letters(points: f64, zoom: f64) -> TextStyle<'static> {
    let size = (points * zoom).round();
    ("sans-serif", size).into_font().color(&INK)
}

fn draw<B: DrawingBackend>(chart: &Chart, area: &Area<B>, zoom: f64) -> Result<()> {
    register();
    let mut area = area.clone();
    if !chart.title.is_empty() {
        let (style, room) = (letters(17.0, zoom), area.dim_in_pixel().0 as i32);
        let title = cut(&area, &chart.title, &style, room - (20.0 * zoom) as i32);
        area = area.titled(&title, style).map_err(failed)?;
    }
    if chart.is_empty() {
        let (width, height) = area.dim_in_pixel();
        let message = EmptyElement::at((width as i32 / 2 - 30, height as i32 / 2))
            + Text::new("no data", (0, 0), letters(14.0, zoom));
        return area.draw(&message).map_err(failed);
    }
    if chart.series.len() > 1 {
        area = legend(chart, &area, zoom)?;
    }
    let (chart, x, y) = fitted(chart, 8, 6);
    curves(&chart, &x, &y, &area, zoom)?;
    area.present().map_err(failed)
}

/// Axes, and the series in them.
fn curves<B: DrawingBackend>(
    chart: &Chart,
    x: &Axis,
    y: &Axis,
    area: &Area<B>,
    zoom: f64,
) -> Result<()> {
    let size = |points: f64| (points * zoom).round() as i32;
    let (wide, high) = area.dim_in_pixel();
    let style = letters(12.0, zoom);
    let label_widths = y.labels.iter().map(|label| width(area, label, &style));
    let left = size(34.0) + label_widths.max().unwrap_or(0).max(size(20.0));
    let inner = wide as i32 - left - size(28.0);
    let names = Names::fitting(area, x, &style, (inner, high as i32 / 3));
    let mut context = ChartBuilder::on(area)
        .margin(size(10.0))
        .margin_right(size(18.0))
        .x_label_area_size(size(30.0) + names.height)
        .y_label_area_size(left)
        .build_cartesian_2d(Ticked(x.clone()), Ticked(y.clone()))
        .map_err(failed)?;
    let below = Axis { labels: names.labels.clone(), ..x.clone() };
    let name_x = |place: &f64| {
        if names.turned {
            return String::new();
        }
        below.label(*place)
    };
    let name_y = |place: &f64| y.label(*place);
    let heading = letters(13.0, zoom);
    let x_label = cut(area, &chart.x_label, &heading, inner);
    let inner = high as i32 - names.height - size(50.0);
    let y_label = cut(area, &chart.y_label, &heading, inner);
    let mut mesh = context.configure_mesh();
    mesh.bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .x_desc(x_label)
        .y_desc(y_label)
        .x_label_formatter(&name_x)
        .y_label_formatter(&name_y)
        .x_labels(x.ticks.len())
        .y_labels(y.ticks.len())
        .label_style(style.clone())
        .axis_desc_style(heading);
    if chart.is_bars() || !chart.categories.is_empty() {
        mesh.disable_x_mesh();
    }
    mesh.draw().map_err(failed)?;
    if names.turned {
        let ticks = x.ticks.iter();
        let places = ticks.map(|tick| {
            let (across, down) = context.backend_coord(&(*tick, y.low));
            (across, down + size(6.0))
        });
        let places: Vec<(i32, i32)> = places.collect();
        names.draw(area, &style, &places).map_err(failed)?;
    }
    series(chart, x, &mut context, zoom)
}

/// Draws what each series is made of.
fn series<B: DrawingBackend>(
    chart: &Chart,
    x: &Axis,
    context: &mut ChartContext<B, Cartesian2d<Ticked, Ticked>>,
    zoom: f64,
) -> Result<()> {
    let stroke = (1.8 * zoom).round().max(1.0) as u32;
    for (place, series) in chart.series.iter().enumerate() {
        let colour = colour(place);
        let whisker = if chart.is_bars() { INK } else { colour };
        for shape in shapes(chart, series, place, x) {
            let drawn = match shape {
                Shape::Bar(corners) => {
                    context.draw_series([Rectangle::new(corners, colour.filled())])
                }
                Shape::Band(outline) => {
                    context.draw_series([Polygon::new(outline, colour.mix(0.18))])
                }
                Shape::Line(points) => {
                    context.draw_series([PathElement::new(points, colour.stroke_width(stroke))])
                }
                Shape::Whisker(ends) => {
                    context.draw_series([PathElement::new(ends, whisker.stroke_width(stroke))])
                }
                Shape::Dots(points) => {
                    let radius = (2.5 * zoom) as i32;
                    let dot = |point| Circle::new(point, radius, colour.filled());
                    context.draw_series(points.into_iter().map(dot))
                }
            };
            drawn.map_err(failed)?;
        }
    }
    Ok(())
}

fn colour(place: usize) -> RGBColor {
    let RGBColor(red, green, blue) = COLOURS[place % COLOURS.len()];
    let shade: fn(u8) -> u8 = match place / COLOURS.len() % 3 {
        0 => |part| part,
        1 => |part| part / 2,
        _ => |part| 255 - (255 - part) / 2,
    };
    RGBColor(shade(red), shade(green), shade(blue))
}

/// Draws the names of the series in lines above the chart, where they cover no data; gives what is left of the area.
fn legend<B: DrawingBackend>(chart: &Chart, area: &Area<B>, zoom: f64) -> Result<Area<B>> {
    let size = |points: f64| (points * zoom).round() as i32;
    let style = letters(12.0, zoom);
    let (wide, high) = area.dim_in_pixel();
    let (left, right) = (size(20.0), wide as i32 - size(18.0));
    let line = size(18.0);
    // At most a third of the image is given to names.
    let lines = (high as i32 / 3 / line.max(1)).max(1);
    let mut entries = Vec::new();
    let (mut x, mut row) = (left, 0);
    for (place, series) in chart.series.iter().enumerate() {
        let name = cut(area, &series.name, &style, (right - left) / 2);
        let needed = size(20.0) + width(area, &name, &style);
        if x > left && x + needed > right {
            (x, row) = (left, row + 1);
        }
        if row + 1 >= lines && chart.series.len() - place > 1 && x + 2 * needed > right {
            entries.push((None, x, row, format!("and {} more", chart.series.len() - place)));
            break;
        }
        entries.push((Some(colour(place)), x, row, name));
        x += needed + size(16.0);
    }
    let (above, below) = area.split_vertically((row + 1) * line + size(4.0));
    for (colour, x, row, name) in entries {
        let y = row * line + size(4.0);
        if let Some(colour) = colour {
            let corners = [(x, y), (x + size(14.0), y + size(8.0))];
            let swatch = Rectangle::new(corners, colour.filled());
            above.draw(&swatch).map_err(failed)?;
        }
        let text = Text::new(name, (x + size(20.0), y), style.clone());
        above.draw(&text).map_err(failed)?;
    }
    Ok(below)
}
