//! Error bars: where their ends lie, on lines, points and bars, and what is told of those that are not drawn.

use super::{attribute, image, noted, place, polylines};
use crate::support::script_error;

const FRAME: &str = r#"frame(#{ x: [0, 1, 2, 3, 4], y: [2.0, 4.0, 6.0, 4.0, 2.0], sd: [1.0, 2.0, 1.0, 0.0, 1.0],
    low: [1.0, 2.0, 5.0, 4.0, 1.0], high: [3.0, 6.0, 7.0, 4.0, 3.0] })"#;

/// The upright strokes of a colour, each with its place, lower and upper end in pixels, from left to right.
fn uprights(svg: &str, colour: &str) -> Vec<(f64, f64, f64)> {
    let lines = polylines(svg, colour).into_iter();
    let mut found: Vec<(f64, f64, f64)> = lines
        .filter(|line| line.len() == 2 && line[0].0 == line[1].0 && line[0].1 != line[1].1)
        .map(|line| (line[0].0, line[0].1.max(line[1].1), line[0].1.min(line[1].1)))
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}

#[test]
fn error_bars_reach_from_value_less_distance_to_value_and_distance() {
    for kind in ["line", "scatter"] {
        for error in [r#""sd""#, r#"["low", "high"]"#] {
            let svg = image(&format!(
                r#"plot({FRAME}, #{{ x: "x", y: "y", kind: "{kind}", error: {error} }})"#
            ));
            let bars = uprights(&svg, "#0072B2");
            // The distance of the fourth is nothing: no upright stroke.
            assert_eq!(bars.len(), 4, "{svg}");
            // The labels of the axis say which pixel a value has.
            let (one, seven) = (place(&svg, "1").1, place(&svg, "7").1);
            let pixel = |value: f64| one + (seven - one) * (value - 1.0) / 6.0;
            for (bar, (low, high)) in
                bars.iter().zip([(1.0, 3.0), (2.0, 6.0), (5.0, 7.0), (1.0, 3.0)])
            {
                // Texts stand at whole pixels, and so do strokes.
                assert!(
                    (bar.1 - pixel(low)).abs() <= 1.5,
                    "{kind} {error}: {bar:?}, {}",
                    pixel(low)
                );
                assert!(
                    (bar.2 - pixel(high)).abs() <= 1.5,
                    "{kind} {error}: {bar:?}, {}",
                    pixel(high)
                );
            }
        }
    }
}

#[test]
fn grouped_bars_have_their_error_bars_in_their_middle() {
    let frame = r#"frame(#{ m: ["a", "a", "b", "b"], k: ["u", "v", "u", "v"], y: [2.0, 3.0, 4.0, 1.0],
        sd: [0.5, 0.5, 1.0, 0.5] })"#;
    let svg = image(&format!(r#"plot({frame}, #{{ x: "m", y: "y", by: "k", error: "sd" }})"#));
    let whiskers = uprights(&svg, "#767C86");
    assert_eq!(whiskers.len(), 4, "{svg}");
    for colour in ["#0072B2", "#D55E00"] {
        let lefts = attribute(&svg, &["rect", colour], "x");
        let widths = attribute(&svg, &["rect", colour], "width");
        // The first is the legend's.
        for (left, width) in lefts.iter().zip(&widths).skip(1) {
            let middle = left + width / 2.0;
            let near = whiskers.iter().filter(|bar| (bar.0 - middle).abs() <= 2.0);
            assert_eq!(near.count(), 1, "{middle} {whiskers:?}");
        }
    }
}

#[test]
fn series_of_error_bars_stand_beside_each_other() {
    let frame = r#"frame(#{ x: [1, 2, 1, 2], k: ["u", "u", "v", "v"], y: [2.0, 3.0, 2.0, 3.0], sd: [1, 1, 1, 1] })"#;
    let svg = image(&format!(r#"plot({frame}, #{{ x: "x", y: "y", by: "k", error: "sd" }})"#));
    let (first, second) = (uprights(&svg, "#0072B2"), uprights(&svg, "#D55E00"));
    assert!(first.len() == 2 && second.len() == 2);
    assert!(first.iter().zip(&second).all(|(a, b)| a.0 < b.0), "{first:?} {second:?}");
}

#[test]
fn error_bars_that_cannot_be_are_refused_or_told() {
    let error = |options: &str| script_error(&format!("plot({FRAME}, #{{ {options} }})"));
    for (options, expected) in [
        (r#"x: "x", y: "y", error: "no""#, "no"),
        (
            r#"x: "x", y: "y", error: ["sd", "low", "high"]"#,
            "a column of distances, or two columns",
        ),
        (r#"x: "x", y: "y", error: []"#, "a column of distances, or two columns"),
        (r#"x: "x", y: "y", error: "sd", band: ["low", "high"]"#, "give one of them"),
        (r#"x: "x", y: ["y", "low"], error: "sd""#, "`y` names several"),
        (
            r#"x: "x", kind: "histogram", error: "sd""#,
            "`error` of plot does not apply to a histogram",
        ),
        (r#"x: "x", y: "y", error: 3"#, "option `error` of plot"),
    ] {
        let message = error(options);
        assert!(message.contains(expected), "{options}: {message}");
    }
    let negative = r#"frame(#{ y: [1.0, 2.0], sd: [0.5, -0.5] })"#;
    let message = script_error(&format!(r#"plot({negative}, #{{ y: "y", error: "sd" }})"#));
    assert!(message.contains("expected distances of at least 0, got -0.5"), "{message}");
    // Distances where ends are meant would draw bars somewhere else.
    let told = noted(FRAME, r#"x: "x", y: "y", error: ["sd", "sd"]"#);
    assert!(
        told.len() == 1 && told[0].contains("5 values do not lie between `sd` and `sd`"),
        "{told:?}"
    );
    let missing = r#"frame(#{ y: [1.0, 2.0, 3.0], sd: [0.5, (), 0.0 / 0.0] })"#;
    let told = noted(missing, r#"y: "y", error: "sd""#);
    assert_eq!(
        told,
        [
            "plot: 1 of 3 values of `sd` are NaN or infinite and not drawn",
            "plot: 1 of 3 values of `sd` are missing and not drawn",
        ]
    );
    assert!(noted(FRAME, r#"x: "x", y: "y", error: "sd""#).is_empty());
}
