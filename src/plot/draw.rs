//! Charts as images, by plotters: SVG for reports, PNG for files.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::heat;
use super::labels::{cut, letters};
use super::legend::legend;
use super::panels::panels;
use crate::display::{Chart, ChartKind};
use crate::error::{Error, Result};

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

fn draw<B: DrawingBackend>(chart: &Chart, area: &DrawingArea<B, Shift>, zoom: f64) -> Result<()> {
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
    if chart.kind == ChartKind::HeatMap {
        heat::draw(chart, &area, zoom).map_err(failed)?;
    } else {
        if chart.series.len() > 1 {
            area = legend(chart, &area, zoom).map_err(failed)?;
        }
        panels(chart, &area, zoom).map_err(failed)?;
    }
    area.present().map_err(failed)
}
