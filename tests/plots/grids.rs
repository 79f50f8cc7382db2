//! Heat maps and confusion matrices: which cell is where, how dark it is, and what is written in it.

use super::{attribute, image, noted, place, placed};
use crate::support::{script, script_error};

const FRAME: &str = r#"frame(#{ s: [0, 100, 0, 100], l: ["first", "first", "second", "second"], v: [0.0, 0.25, 0.5, 1.0] })"#;

/// How bright a colour is, as a printer without colours sees it (ITU-R BT.601).
fn grey(colour: &str) -> f64 {
    let part = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap());
    0.299 * part(1) + 0.587 * part(3) + 0.114 * part(5)
}

/// The cells of an image: the largest rectangles, each with its corner and colour.
fn cells(svg: &str) -> Vec<(f64, f64, String)> {
    let read = |element: &str, name: &str| -> Option<String> {
        let (_, rest) = element.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.to_string())
    };
    let rectangles = svg.split('<').filter(|element| element.starts_with("rect"));
    let cell = |element: &str| {
        let number = |name: &str| -> Option<f64> { read(element, name)?.parse().ok() };
        // The scale of colours is twelve pixels wide.
        (number("width")? > 13.0)
            .then(|| Some((number("x")?, number("y")?, read(element, "fill")?)))
            .flatten()
    };
    rectangles.filter_map(cell).collect()
}

#[test]
fn cells_stand_at_their_names_and_are_the_darker_the_higher_their_value() {
    let svg =
        image(&format!(r#"plot({FRAME}, #{{ kind: "heatmap", x: "s", y: "l", value: "v" }})"#));
    let cells = cells(&svg);
    assert_eq!(cells.len(), 4, "{svg}");
    let greys: Vec<f64> = cells.iter().map(|cell| grey(&cell.2)).collect();
    // Each clearly darker than the one before.
    assert!(greys.windows(2).all(|pair| pair[0] - pair[1] > 20.0), "{greys:?}");
    // Names of rows from above, numbers of columns from the left.
    assert!(cells[0].1 < cells[2].1 && cells[0].0 < cells[1].0);
    assert!(place(&svg, "first").1 < place(&svg, "second").1);
    let columns: Vec<(String, f64, f64)> = placed(&svg);
    let (left, right) = (place(&svg, "0").0, place(&svg, "100").0);
    assert!(left > cells[0].0 && left < cells[1].0 && right > cells[1].0, "{columns:?}");
    // Every number stands in its cell: 0.25 in the second of the first row.
    let (x, y) = place(&svg, "0.25");
    assert!(x > cells[1].0 && y > cells[1].1 && y < cells[3].1, "{x} {y} {cells:?}");
    assert!(svg.contains("\nv\n"), "the scale has its name: {svg}");
}

#[test]
fn numbers_of_rows_grow_upwards() {
    let svg = image(
        r#"plot(frame(#{ x: ["a", "a"], layer: [1, 2], v: [0.1, 0.9] }), #{ kind: "heatmap", x: "x", y: "layer", value: "v" })"#,
    );
    assert!(place(&svg, "2").1 < place(&svg, "1").1, "{:?}", placed(&svg));
    assert!(place(&svg, "0.9").1 < place(&svg, "0.1").1);
}

#[test]
fn cells_without_a_value_are_told_from_the_lowest() {
    let f = r#"frame(#{ x: ["a", "b", "a", "b"], y: ["u", "u", "w", "w"], v: [0.0, (), 1.0, 0.0 / 0.0] })"#;
    let options = r#"kind: "heatmap", x: "x", y: "y", value: "v""#;
    let svg = image(&format!("plot({f}, #{{ {options} }})"));
    let cells = cells(&svg);
    assert_eq!(cells.len(), 4);
    assert!(cells[1].2 == cells[3].2 && cells[1].2 != cells[0].2, "{cells:?}");
    assert_eq!(
        noted(f, options),
        [
            "plot: 1 of 4 values of `v` are NaN or infinite and not drawn",
            "plot: 1 of 4 values of `v` are missing and not drawn",
        ]
    );
    let none = r#"frame(#{ x: ["a"], y: ["u"], v: [()] })"#;
    assert!(image(&format!("plot({none}, #{{ {options} }})")).contains("no data"));
    let one =
        image(&format!(r#"plot(frame(#{{ x: ["a"], y: ["u"], v: [7] }}), #{{ {options} }})"#));
    assert!(placed(&one).iter().any(|text| text.0 == "7"), "{one}");
}

#[test]
fn a_confusion_matrix_counts_its_rows_and_gives_their_shares() {
    // By hand: of four safe rows three were found, of two unsafe ones one, and nothing was unclear but in a prediction.
    let f = r#"frame(#{ t: ["safe", "safe", "safe", "safe", "unsafe", "unsafe"], p: ["safe", "safe", "safe", "unsafe", "unsafe", "unclear"] })"#;
    let svg = image(&format!(r#"plot({f}, #{{ kind: "confusion", truth: "t", predicted: "p" }})"#));
    for (text, count) in [
        ("75%", 2),
        ("3", 1),
        ("50%", 3),
        ("safe (n = 4)", 1),
        ("unsafe (n = 2)", 1),
        ("unclear (n = 0)", 1),
    ] {
        let found = placed(&svg).into_iter().filter(|known| known.0 == text).count();
        // The scale has 50% and 75% too.
        assert_eq!(found, count, "{text}: {:?}", placed(&svg));
    }
    let (three, safe) = (place(&svg, "3"), place(&svg, "safe (n = 4)"));
    assert!((three.1 - safe.1).abs() < 20.0, "{three:?} {safe:?}");
    assert!((three.0 - place(&svg, "safe").0).abs() < 5.0);
    // The same from counts.
    let counts = r#"frame(#{ t: ["safe", "safe", "unsafe", "unsafe"], p: ["safe", "unsafe", "unsafe", "unclear"], n: [3, 1, 1, 1] })"#;
    let counted = image(&format!(
        r#"plot({counts}, #{{ kind: "confusion", truth: "t", predicted: "p", value: "n" }})"#
    ));
    assert_eq!(counted, svg);
}

#[test]
fn numbers_as_labels_stand_in_their_order_and_are_not_rounded_together() {
    let svg = image(
        r#"plot(frame(#{ t: [10, 2, 1], p: [2, 10, 1] }), #{ kind: "confusion", truth: "t", predicted: "p" })"#,
    );
    let places = ["1 (n = 1)", "2 (n = 1)", "10 (n = 1)"].map(|name| place(&svg, name).1);
    assert!(places[0] < places[1] && places[1] < places[2], "{places:?}");
    let svg = image(
        r#"plot(frame(#{ t: [0.123456, 0.123457], p: [0.123456, 0.123457] }), #{ kind: "confusion", truth: "t", predicted: "p" })"#,
    );
    assert_eq!(cells(&svg).len(), 4);
}

#[test]
fn grids_that_cannot_be_are_refused_in_words() {
    let f = r#"let f = frame(#{ a: ["x", "x"], b: ["y", "y"], n: [1.5, -1.0], m: [1, 2], gap: [1, ()] });"#;
    for (options, expected) in [
        (r#"kind: "heatmap", x: "a", y: "b", value: "n""#, "several rows are at `a` x and `b` y"),
        (r#"kind: "heatmap", x: "a", y: "b""#, "a heat map needs `value`"),
        (r#"kind: "heatmap", x: "a", value: "n""#, "a heat map needs `y`"),
        (r#"kind: "heatmap", x: "a", y: ["b", "m"], value: "n""#, "several columns"),
        (
            r#"kind: "heatmap", x: "a", y: "b", value: "n", by: "a""#,
            "`by` of plot does not apply to a heat map",
        ),
        (
            r#"kind: "heatmap", x: "a", y: "b", value: "n", x_scale: "log""#,
            "`x_scale` of plot does not apply to a heat map",
        ),
        (
            r#"kind: "heatmap", x: "a", y: "b", value: "b""#,
            "expected a column of numbers, got text",
        ),
        (r#"kind: "confusion", x: "a", y: "b""#, "name the columns as `truth` and `predicted`"),
        (r#"kind: "confusion", truth: "a""#, "a confusion matrix needs `predicted`"),
        (
            r#"kind: "confusion", truth: "a", predicted: "b", value: "n""#,
            "counts, whole numbers of at least 0",
        ),
        (
            r#"kind: "confusion", truth: "a", predicted: "b", value: "gap""#,
            "a missing value or NaN",
        ),
        (r#"x: "m", y: "n", value: "n""#, "applies to heat maps and confusion matrices only"),
        (r#"x: "m", y: "n", truth: "a""#, "applies to confusion matrices only"),
        (r#"x: "m", y: "n", truht: "a""#, "unknown option `truht`"),
    ] {
        let error = script_error(&format!("{f} plot(f, #{{ {options} }})"));
        assert!(error.contains(expected), "{options}: {error}");
    }
    // What a kind takes stands in the hint.
    let error = script_error(&format!(
        r#"{f} plot(f, #{{ kind: "heatmap", x: "a", y: "b", value: "n", bins: 3 }})"#
    ));
    assert!(
        error.contains("a heat map takes `x`, `y`, `value`, `facet`, `kind`, `title`"),
        "{error}"
    );
    let error = script_error(
        r#"let a = []; for i in 0..200 { a.push(#{ x: i, y: i, v: i }); } plot(frame(a), #{ kind: "heatmap", x: "x", y: "y", value: "v" })"#,
    );
    assert!(error.contains("expected at most 20000, got 200 rows of 200"), "{error}");
}

/// What a script's last value looks like in a terminal of so many characters.
fn terminal(text: &str, width: usize) -> String {
    let host = ebb::script::host::Host::quiet(std::env::temp_dir());
    let mut session = ebb::script::engine::Session::new(std::rc::Rc::new(host), "test.rhai");
    let value = session.evaluate("", text).unwrap();
    value.cast::<ebb::display::Chart>().to_terminal(width, 16, false)
}

#[test]
fn grids_in_the_terminal() {
    let heat = format!(
        r#"plot({FRAME}, #{{ kind: "heatmap", x: "s", y: "l", value: "v", title: "Similarity" }})"#
    );
    insta::assert_snapshot!(terminal(&heat, 60));
    let wide = r#"let rows = []; for x in 0..30 { for y in 0..4 { rows.push(#{ x: x, y: y, v: x * y }); } }
        plot(frame(rows), #{ kind: "heatmap", x: "x", y: "y", value: "v" })"#;
    let narrow = terminal(wide, 40);
    assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
    assert!(narrow.contains("more columns; an image shows all"), "{narrow}");
    let confusion = r#"plot(frame(#{ t: ["safe", "safe", "unsafe"], p: ["safe", "unsafe", "unsafe"] }),
        #{ kind: "confusion", truth: "t", predicted: "p" })"#;
    insta::assert_snapshot!(terminal(confusion, 60));
}

#[test]
fn hostile_names_of_cells_are_plain_text() {
    let f = r#"frame(#{ x: ["\x1b[2J</text><script>"], y: ["\u202egone"], v: [1.0] })"#;
    let plot = format!(r#"plot({f}, #{{ kind: "heatmap", x: "x", y: "y", value: "v" }})"#);
    let svg = image(&plot);
    assert!(
        !svg.contains("<script") && !svg.contains('\u{202e}') && !svg.contains('\u{1b}'),
        "{svg}"
    );
    let text = terminal(&plot, 60);
    assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}'), "{text}");
    script(&format!(r#"{plot}.save("x.png"); 0"#));
    let long = "long ".repeat(40);
    let svg = image(&format!(
        r#"plot(frame(#{{ x: ["{long}"], y: ["{long}"], v: [1.0] }}), #{{ kind: "heatmap", x: "x", y: "y", value: "v" }})"#
    ));
    assert!(!svg.contains(long.trim()) && svg.contains('…'), "{svg}");
    assert_eq!(attribute(&svg, &["rect"], "width").iter().filter(|w| **w > 200.0).count(), 1);
}
