//! Small multiples: common axes, a heading for each, and no more than can be read.

use super::{attribute, image, noted, place, placed, polylines};
use crate::support::script_error;

fn frame(panels: usize) -> String {
    format!(
        r#"let rows = []; for p in 0..{panels} {{ for x in 0..3 {{ for m in ["u", "v"] {{
            rows.push(#{{ p: "panel " + p, x: x, y: x * (p + 1) + (if m == "u" {{ 0 }} else {{ 1 }}), m: m }}); }} }} }}
        let f = frame(rows);"#
    )
}

#[test]
fn panels_share_their_axes_and_have_headings() {
    let svg = image(&format!(
        r#"{} plot(f, #{{ x: "x", y: "y", kind: "scatter", facet: "p", title: "All" }})"#,
        frame(2)
    ));
    let (first, second) = (place(&svg, "panel 0"), place(&svg, "panel 1"));
    assert!(first.1 == second.1 && first.0 < second.0, "{first:?} {second:?}");
    // The labels of y stand once, those of x below each panel.
    let texts = placed(&svg);
    let count = |label: &str| texts.iter().filter(|text| text.0 == label).count();
    assert_eq!((count("5"), count("1.0"), count("x"), count("y")), (1, 2, 1, 1), "{texts:?}");
    // The same value is equally high in both: y = 1 at x = 0 in each, and twice x beside x.
    let across = attribute(&svg, &["circle"], "cx");
    let up = attribute(&svg, &["circle"], "cy");
    let middle = (first.0 + second.0) / 2.0;
    let of = |left: bool| {
        let points = across.iter().zip(&up).filter(|(x, _)| (**x < middle) == left);
        points.map(|(x, y)| (*x, *y)).collect::<Vec<_>>()
    };
    let (left, right) = (of(true), of(false));
    assert_eq!((left.len(), right.len()), (6, 6), "{svg}");
    assert_eq!((left[0].1, left[1].1), (right[0].1, right[1].1));
    let rise = |points: &[(f64, f64)]| points[0].1 - points[4].1;
    assert!((rise(&right) / rise(&left) - 2.0).abs() < 0.03, "{left:?} {right:?}");
}

#[test]
fn panels_fill_rows_and_make_the_image_higher() {
    for (count, rows) in [(1, 1), (3, 1), (4, 2), (7, 3), (9, 3), (24, 6)] {
        let svg = image(&format!(
            r#"{} plot(f, #{{ x: "x", y: "y", by: "m", facet: "p" }})"#,
            frame(count)
        ));
        let headings: Vec<f64> = placed(&svg)
            .into_iter()
            .filter(|text| text.0.starts_with("panel "))
            .map(|text| text.2)
            .collect();
        assert_eq!(headings.len(), count);
        let lines: std::collections::BTreeSet<i64> = headings.iter().map(|y| *y as i64).collect();
        assert_eq!(lines.len(), rows, "{headings:?}");
        let height = attribute(&svg, &["svg"], "height")[0];
        assert_eq!(height, if rows == 1 { 450.0 } else { 225.0 * rows as f64 });
        // Each panel has a line of each series, whole or in dashes, and one legend names both.
        assert!(polylines(&svg, "#0072B2").len() > count, "{count}");
        assert_eq!(placed(&svg).iter().filter(|text| text.0 == "u").count(), 1);
    }
}

#[test]
fn more_panels_than_can_be_read_are_refused() {
    let error =
        script_error(&format!(r#"{} plot(f, #{{ x: "x", y: "y", facet: "p" }})"#, frame(40)));
    assert!(
        error.contains("option `facet` of plot: expected a column of at most 24 values"),
        "{error}"
    );
    let error =
        script_error(&format!(r#"{} plot(f, #{{ x: "x", y: "y", facet: "q" }})"#, frame(2)));
    assert!(error.contains('q'), "{error}");
}

#[test]
fn histograms_in_panels_have_the_same_bins() {
    let f = r#"frame(#{ p: ["a", "a", "a", "b"], x: [0.0, 0.1, 1.0, 9.9] })"#;
    let svg =
        image(&format!(r#"plot({f}, #{{ x: "x", kind: "histogram", bins: 10, facet: "p" }})"#));
    let heights = attribute(&svg, &["rect", "#0072B2"], "height");
    // Ten bins each; by hand two, one and one values in three of them.
    let tall: Vec<f64> = heights.iter().copied().filter(|height| *height > 0.0).collect();
    assert_eq!(tall.len(), 3, "{heights:?}");
    assert!((tall[0] / tall[1] - 2.0).abs() < 0.05 && (tall[1] - tall[2]).abs() <= 1.0, "{tall:?}");
}

#[test]
fn every_kind_has_panels_in_images_and_in_the_terminal() {
    let f = r#"let f = frame(#{ p: ["one", "one", "two", "two"], k: ["a", "b", "a", "b"], n: [1, 2, 3, 4], e: [1, 1, 1, 1], v: [5.0, 2.0, 1.0, 4.0] });"#;
    for options in [
        r#"x: "n", y: "v", error: "e""#,
        r#"x: "k", y: "v", error: "e""#,
        r#"x: "n", y: "v", kind: "scatter", y_scale: "log""#,
        r#"x: "v", kind: "histogram""#,
        r#"x: "k", y: "p", value: "v", kind: "heatmap""#,
        r#"truth: "k", predicted: "k", value: "n", kind: "confusion""#,
    ] {
        let plot = format!(r#"{f} plot(f, #{{ {options}, facet: "p" }})"#);
        let svg = image(&plot);
        let headings = placed(&svg)
            .into_iter()
            .filter(|text| ["one", "two", "one (n = 3)", "two (n = 7)"].contains(&text.0.as_str()));
        assert!(headings.count() >= 2, "{options}: {svg}");
        let text = drawn(&plot);
        assert!(text.contains("── one") && text.contains("── two"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    }
    insta::assert_snapshot!(drawn(&format!(
        r#"{f} plot(f, #{{ x: "k", y: "v", error: "e", facet: "p" }})"#
    )));
}

fn drawn(text: &str) -> String {
    let host = ebb::script::host::Host::quiet(std::env::temp_dir());
    let mut session = ebb::script::engine::Session::new(std::rc::Rc::new(host), "test.rhai");
    let value = session.evaluate("", text).unwrap();
    value.cast::<ebb::display::Chart>().to_terminal(60, 12, false)
}

#[test]
fn bars_that_lie_over_each_other_are_counted_within_panels() {
    let f = r#"frame(#{ p: ["a", "b"], k: ["x", "x"], v: [1, 2] })"#;
    assert!(noted(f, r#"x: "k", y: "v", facet: "p""#).is_empty());
    assert_eq!(noted(f, r#"x: "k", y: "v""#).len(), 1);
}

#[test]
fn an_empty_frame_and_ten_thousand_points_are_drawn() {
    let empty = r#"frame(#{ x: [1.0], y: [1.0], p: ["a"] }).filter(col("x") > 5)"#;
    for options in [
        r#"x: "x", y: "y", facet: "p""#,
        r#"x: "x", y: "y", by: "p", error: "x", y_scale: "log""#,
        r#"x: "x", y: "p", value: "y", kind: "heatmap""#,
        r#"truth: "p", predicted: "p", kind: "confusion""#,
        r#"x: "x", kind: "histogram", x_scale: "log", facet: "p""#,
    ] {
        assert!(
            image(&format!("plot({empty}, #{{ {options} }})")).contains("no data"),
            "{options}"
        );
    }
    let svg = image(
        r#"let a = []; for i in 1..10001 { a.push(#{ x: i, y: i % 97 + 1, e: 1, p: i % 2 }); }
        plot(frame(a), #{ x: "x", y: "y", facet: "p", x_scale: "log", y_scale: "log" })"#,
    );
    assert!(svg.len() < 300_000, "{}", svg.len());
}
