//! Logarithmic axes: places by hand from the ticks beside them, and values that have none.

use ebb::display::{Chart, ChartKind, Scale, Series};

use super::{attribute, image, noted, place, placed};
use crate::support::script_error;

/// The labels below an axis: the lowest texts that stand on one line.
fn below(svg: &str) -> Vec<(String, f64, f64)> {
    let texts = placed(svg);
    let beside = |y: f64| texts.iter().filter(|text| text.2 == y).count() > 1;
    let line = texts.iter().map(|text| text.2).filter(|y| beside(*y)).fold(0.0, f64::max);
    texts.into_iter().filter(|text| text.2 == line).collect()
}

#[test]
fn a_logarithmic_axis_gives_equal_ratios_equal_lengths() {
    let svg = image(
        r#"plot(frame(#{ x: [1, 10, 100, 1000], y: [0.01, 0.1, 10.0, 100.0] }),
            #{ x: "x", y: "y", kind: "scatter", x_scale: "log", y_scale: "log" })"#,
    );
    // Between the powers of ten stand twos and fives.
    let is_power = |text: &String| text.starts_with('1') && text.chars().skip(1).all(|c| c == '0');
    let powers = below(&svg).into_iter().filter(|text| is_power(&text.0));
    let (labels, across): (Vec<String>, Vec<f64>) = powers.map(|text| (text.0, text.1)).unzip();
    assert_eq!(labels, ["1", "10", "100", "1000"]);
    assert_eq!(attribute(&svg, &["circle", "#0072B2"], "cx"), across, "{svg}");
    // The y of labels and points are both the tick's pixel, give or take its rounding.
    let up = attribute(&svg, &["circle", "#0072B2"], "cy");
    for (pixel, label) in up.iter().zip(["0.01", "0.1", "10", "100"]) {
        let text = placed(&svg).into_iter().filter(|(text, x, _)| text == label && *x < across[0]);
        let tick = text.map(|(_, _, y)| y).next().unwrap();
        assert!((pixel - tick).abs() <= 1.5, "{label}: {pixel} {tick}");
    }
    // Three decades of x: each is a third of the way.
    for pair in across.windows(2) {
        assert!((pair[1] - pair[0] - (across[3] - across[0]) / 3.0).abs() <= 1.0, "{across:?}");
    }
}

#[test]
fn few_decades_are_marked_at_one_two_and_five_and_one_decade_at_round_steps() {
    let ticks = |values: &str| {
        let svg = image(&format!(
            r#"plot(frame(#{{ x: {values}, y: {values} }}), #{{ x: "x", y: "y", x_scale: "log" }})"#
        ));
        below(&svg).into_iter().map(|text| text.0).collect::<Vec<_>>()
    };
    assert_eq!(ticks("[2, 150]"), ["2", "5", "10", "20", "50", "100", "200"]);
    assert_eq!(ticks("[200, 400]"), ["200", "250", "300", "350", "400"]);
    let wide = ticks("[1e-9, 1e9]");
    assert!(wide.len() > 3 && wide.len() < 10 && wide[0] == "1e-9", "{wide:?}");
}

#[test]
fn values_without_a_place_are_told_with_their_count_and_not_drawn() {
    let f = "frame(#{ x: [0, 1, 10, -5], y: [1.0, -2.0, 3.0, 4.0], sd: [0.5, 0.5, 3.0, 1.0] })";
    let x = "plot: 2 of 4 values of `x` are not above zero and have no place on a logarithmic axis: not drawn";
    let y = "plot: 1 of 4 values of `y` are not above zero and have no place on a logarithmic axis: not drawn";
    assert_eq!(noted(f, r#"x: "x", y: "y", x_scale: "log""#), [x]);
    assert_eq!(noted(f, r#"x: "x", y: "y", x_scale: "log", y_scale: "log""#), [x, y]);
    assert_eq!(noted(f, r#"x: "x", kind: "histogram", x_scale: "log""#), [x]);
    assert!(noted(f, r#"x: "x", y: "y", x_scale: "linear""#).is_empty());
    let ends = noted(f, r#"x: "x", y: "y", y_scale: "log", error: "sd""#);
    assert!(ends.len() == 2 && ends[1].contains("1 lower ends of bands or error bars"), "{ends:?}");
    let svg =
        image(&format!(r#"plot({f}, #{{ x: "x", y: "y", kind: "scatter", x_scale: "log" }})"#));
    assert_eq!(attribute(&svg, &["circle"], "cx").len(), 2);
    let svg = image(r#"plot(frame(#{ y: [0.0, -1.0] }), #{ y: "y", y_scale: "log" })"#);
    assert!(svg.contains("no data"), "{svg}");
}

#[test]
fn bars_on_a_logarithmic_axis_stand_on_its_lower_edge() {
    let svg = image(
        r#"plot(frame(#{ k: ["a", "b", "c"], n: [1, 10, 100] }), #{ x: "k", y: "n", y_scale: "log" })"#,
    );
    let tops = attribute(&svg, &["rect", "#0072B2"], "y");
    let heights = attribute(&svg, &["rect", "#0072B2"], "height");
    let ends: Vec<f64> = tops.iter().zip(&heights).map(|(top, height)| top + height).collect();
    assert!(ends.iter().all(|end| *end == ends[0]) && heights[0] > 5.0, "{tops:?} {heights:?}");
    let steps = (tops[0] - tops[1], tops[1] - tops[2]);
    assert!((steps.0 - steps.1).abs() <= 1.0, "{tops:?}");
    let (one, ten) = (place(&svg, "1").1, place(&svg, "10").1);
    assert!((tops[0] - one).abs() <= 1.5 && (tops[1] - ten).abs() <= 1.5, "{tops:?} {one} {ten}");
}

#[test]
fn a_histogram_on_a_logarithmic_axis_has_bins_of_equal_ratios() {
    // Ten values a decade, by hand: two bins over two decades hold half of them each.
    let values: Vec<String> =
        (0..=20).map(|i| format!("{:.6}", 10f64.powf(f64::from(i) / 10.0))).collect();
    let svg = image(&format!(
        r#"plot(frame(#{{ x: [{}] }}), #{{ x: "x", kind: "histogram", bins: 2, x_scale: "log" }})"#,
        values.join(", ")
    ));
    let heights = attribute(&svg, &["rect", "#0072B2"], "height");
    let widths = attribute(&svg, &["rect", "#0072B2"], "width");
    assert_eq!(heights.len(), 2, "{svg}");
    // 10 and 11: the last bin holds its upper end.
    assert!((heights[1] / heights[0] - 1.1).abs() < 0.02, "{heights:?}");
    assert!((widths[0] - widths[1]).abs() <= 1.0, "{widths:?}");
}

#[test]
fn names_have_no_logarithm_and_other_scales_are_not_known() {
    let f = r#"let f = frame(#{ k: ["a", "b"], y: [1, 2] });"#;
    for (options, expected) in [
        (r#"x: "k", y: "y", x_scale: "log""#, "needs numbers, and the column of `x` holds names"),
        (r#"y: "y", y_scale: "sqrt""#, "unknown scale of an axis `sqrt`"),
        (r#"y: "y", y_scale: true"#, "option `y_scale` of plot"),
    ] {
        let error = script_error(&format!("{f} plot(f, #{{ {options} }})"));
        assert!(error.contains(expected), "{options}: {error}");
    }
}

#[test]
fn a_logarithmic_axis_in_the_terminal() {
    let points =
        (0..=30).map(|i| (10f64.powf(f64::from(i) / 10.0), 10f64.powf(-f64::from(i) / 10.0)));
    let chart = Chart {
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        title: "A power law".to_string(),
        series: vec![Series { points: points.collect(), ..Series::default() }],
        ..Chart::default()
    };
    insta::assert_snapshot!(chart.to_terminal(60, 12, false));
}

#[test]
fn no_numbers_break_a_logarithmic_axis() {
    for points in [
        vec![(5e-324, 5e-324), (f64::MAX, f64::MAX)],
        vec![(1.0, 1.0)],
        vec![(0.0, 0.0), (f64::NAN, 1.0)],
        vec![(1e-320, 2.0), (1.1e-320, 2.0)],
        vec![(3.0, 1e308), (3.0000001, 1e308)],
        vec![(f64::INFINITY, 1.0), (2.0, f64::INFINITY), (2.0, 2.0)],
    ] {
        for kind in [ChartKind::Line, ChartKind::Scatter, ChartKind::Bar, ChartKind::Histogram] {
            let band = points.iter().map(|(_, y)| (y - 1.0, y + 1.0)).collect();
            let chart = Chart {
                kind,
                x_scale: Scale::Log,
                y_scale: Scale::Log,
                error_bars: true,
                series: vec![Series { name: "s".to_string(), points: points.clone(), band }],
                ..Chart::default()
            };
            assert!(!chart.to_terminal(60, 12, true).is_empty());
            let svg = chart.to_svg(400, 300).unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{kind:?} {points:?}: {svg}");
        }
    }
}
