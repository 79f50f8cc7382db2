//! What a value is to Jupyter beside its plain text: the richest form that there is. The kernel sends it, a notebook file keeps it.

use jupyter_protocol::media::MediaType;

use super::fragment;
use super::html::CHART;
use crate::display::Output;

/// The rich form of a value, where it has one. A chart that cannot be drawn stays text.
pub fn rich(output: &Output) -> Option<MediaType> {
    match output {
        Output::Text(_) => None,
        Output::Table(table) => Some(MediaType::Html(fragment::table(table))),
        Output::Chart(chart) => chart.to_svg(CHART.0, CHART.1).ok().map(MediaType::Svg),
        Output::Markdown(text) => Some(MediaType::Markdown(fragment::markdown(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_that_a_model_wrote_stays_text_in_prose() {
        let shown = Output::Markdown("**so** <script>alert(1)</script>".to_string());
        let Some(MediaType::Markdown(text)) = rich(&shown) else {
            panic!("prose is Markdown");
        };
        assert_eq!(text, "**so** &lt;script>alert(1)&lt;/script>");
    }
}
