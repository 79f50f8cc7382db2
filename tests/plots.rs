//! Charts: what they look like as text, and that no data breaks them.

mod errors;
mod grids;
mod panels;
mod scales;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use ebb::control::Pace;
use ebb::display::{Chart, ChartKind, Series};
use ebb::script::engine::Session;
use ebb::script::host::{Event, Host};

use crate::support::{script, script_error, script_in};

fn line(points: &[(f64, f64)]) -> Chart {
    Chart {
        title: "Loss".to_string(),
        x_label: "step".to_string(),
        y_label: "loss (nats per token)".to_string(),
        series: vec![Series {
            name: "loss".to_string(),
            points: points.to_vec(),
            band: Vec::new(),
        }],
        ..Chart::default()
    }
}

fn bars() -> Chart {
    Chart {
        kind: ChartKind::Bar,
        title: "Forgetting by kind".to_string(),
        y_label: "ROUGE-1 lost".to_string(),
        categories: ["unsafe", "safe", "task"].map(str::to_string).to_vec(),
        series: vec![Series {
            name: "forgetting".to_string(),
            points: vec![(0.0, 0.8), (1.0, 0.05), (2.0, -0.1)],
            band: Vec::new(),
        }],
        ..Chart::default()
    }
}

#[test]
fn a_line_in_the_terminal() {
    let points: Vec<(f64, f64)> =
        (0..=40).map(|i| (f64::from(i), 4.0 * (-f64::from(i) / 12.0).exp())).collect();
    insta::assert_snapshot!(line(&points).to_terminal(60, 12, false));
}

#[test]
fn two_series_are_told_apart_without_colour_and_named() {
    let mut chart = line(&[(0.0, 0.0), (10.0, 5.0)]);
    chart.series.push(Series {
        name: "other".to_string(),
        points: vec![(0.0, 5.0), (10.0, 0.0)],
        band: Vec::new(),
    });
    insta::assert_snapshot!(chart.to_terminal(50, 10, false));
    assert!(chart.to_terminal(50, 10, true).contains("\u{1b}[34m"));
}

#[test]
fn bars_in_the_terminal_show_their_numbers() {
    insta::assert_snapshot!(bars().to_terminal(50, 10, false));
}

#[test]
fn images_are_well_formed_and_the_same_each_time() {
    for chart in [line(&[(1.0, 2.0), (2.0, 1.0)]), bars()] {
        let svg = chart.to_svg(640, 360).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert_eq!(svg, chart.to_svg(640, 360).unwrap());
        let png = chart.to_png(640, 360).unwrap();
        assert_eq!(&png[1..4], b"PNG");
        assert_eq!(png, chart.to_png(640, 360).unwrap());
    }
}

#[test]
fn no_data_breaks_a_chart() {
    let many: Vec<(f64, f64)> = (0..50_000).map(|i| (f64::from(i), f64::from(i % 97))).collect();
    let cases: Vec<Vec<(f64, f64)>> = vec![
        vec![],
        vec![(1.0, 1.0)],
        vec![(1.0, 3.0), (2.0, 3.0)],
        vec![(f64::NAN, f64::NAN)],
        vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 2.0)],
        vec![(0.0, 1e300), (1.0, -1e300)],
        vec![(0.0, f64::INFINITY), (1.0, 1.0)],
        vec![(1e-12, 1e-12), (2e-12, 3e-12)],
        many,
    ];
    for points in cases {
        for kind in [ChartKind::Line, ChartKind::Scatter, ChartKind::Bar, ChartKind::Histogram] {
            let chart = Chart { kind, ..line(&points) };
            assert!(!chart.to_terminal(60, 12, true).is_empty());
            let svg = chart.to_svg(400, 300).unwrap();
            if kind == ChartKind::Line {
                assert!(svg.len() < 200_000, "{} bytes for {} points", svg.len(), points.len());
            }
        }
    }
    assert!(line(&[]).to_terminal(60, 12, false).contains("no data"));
}

#[test]
fn names_from_data_cannot_steer_a_terminal_or_a_page() {
    let mut chart = bars();
    chart.title = "\u{1b}[2Jgone <script>alert(1)</script>".to_string();
    chart.categories[0] = "\u{7}</text><script>".to_string();
    assert!(!chart.to_terminal(60, 12, false).contains('\u{1b}'));
    let svg = chart.to_svg(400, 300).unwrap();
    assert!(!svg.contains("<script"), "{svg}");
}

/// The image that a script saves as `chart.svg`.
fn image(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    script_in(folder.path(), &format!("{text}.save(\"chart.svg\"); 0")).unwrap();
    std::fs::read_to_string(folder.path().join("chart.svg")).unwrap()
}

/// The texts of an image, each with its place.
fn placed(svg: &str) -> Vec<(String, f64, f64)> {
    let number = |element: &str, name: &str| -> f64 {
        let (_, rest) = element.split_once(&format!(" {name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let texts = svg.split("<text").skip(1).map(|text| text.split_once("</text>").unwrap().0);
    let read = |text: &str| {
        let (element, inside) = text.split_once('>').unwrap();
        (inside.trim().to_string(), number(element, "x"), number(element, "y"))
    };
    texts.map(read).collect()
}

/// Where a text of an image stands.
#[track_caller]
fn place(svg: &str, text: &str) -> (f64, f64) {
    let texts = placed(svg);
    let found = texts.iter().find(|(known, _, _)| known == text);
    let found = found.unwrap_or_else(|| panic!("no {text:?} among {texts:?}"));
    (found.1, found.2)
}

/// The points of every line in a colour.
fn polylines(svg: &str, colour: &str) -> Vec<Vec<(f64, f64)>> {
    let lines = svg.split('<').filter(|e| e.starts_with("polyline") && e.contains(colour));
    let points = |line: &str| {
        let (_, rest) = line.split_once("points=\"").unwrap();
        let pairs = rest.split_once('"').unwrap().0.split_whitespace();
        let pair = |pair: &str| {
            let (x, y) = pair.split_once(',').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        };
        pairs.map(pair).collect()
    };
    lines.map(points).collect()
}

/// What the plot of these options over a frame says in its notes.
fn noted(frame: &str, options: &str) -> Vec<String> {
    notes(&format!("let f = {frame}; plot(f, #{{ {options} }});"))
}

/// The numbers of an attribute in every element of an SVG that holds all the given parts.
fn attribute(svg: &str, parts: &[&str], name: &str) -> Vec<f64> {
    let elements = svg.split('<').filter(|element| parts.iter().all(|part| element.contains(part)));
    let value = |element: &str| {
        let (_, rest) = element.split_once(&format!(" {name}=\""))?;
        rest.split_once('"')?.0.parse().ok()
    };
    elements.filter_map(value).collect()
}

#[test]
fn bars_at_numbers_are_all_whole() {
    for xs in [vec![1.0, 2.0, 3.0], vec![0.5, 0.75, 2.0], vec![7.0]] {
        let chart = Chart {
            kind: ChartKind::Bar,
            ..line(&xs.iter().map(|x| (*x, 2.0)).collect::<Vec<_>>())
        };
        let svg = chart.to_svg(800, 450).unwrap();
        let widths = attribute(&svg, &["rect", "#0072B2"], "width");
        assert_eq!(widths.len(), xs.len(), "{svg}");
        let lefts = attribute(&svg, &["rect", "#0072B2"], "x");
        for (left, width) in lefts.iter().zip(&widths) {
            assert!((width - widths[0]).abs() <= 1.0, "{widths:?}");
            assert!(*left > 50.0 && left + width < 790.0, "{lefts:?} {widths:?}");
        }
    }
}

#[test]
fn a_band_on_bars_is_drawn_as_error_bars() {
    let mut chart = bars();
    let strokes = |chart: &Chart| {
        let svg = chart.to_svg(640, 360).unwrap();
        let strokes = svg.split('<').filter(|e| e.starts_with("polyline"));
        // Ink on bars, the series' own colour on points.
        let drawn = strokes.filter(|e| e.contains("#767C86") || e.contains("#0072B2"));
        drawn.count()
    };
    assert_eq!(strokes(&chart), 0);
    chart.series[0].band = vec![(0.7, 0.9), (0.0, 0.1), (f64::NAN, 0.2)];
    // A stroke and its two ends, for each bar of which both are known.
    assert_eq!(strokes(&chart), 6);
    let text = chart.to_terminal(60, 10, false);
    assert!(text.contains("0.8 [0.7, 0.9]"), "{text}");
    chart.kind = ChartKind::Scatter;
    assert_eq!(strokes(&chart), 6);
    assert!(chart.to_terminal(60, 12, false) != bars().to_terminal(60, 12, false));
}

#[test]
fn ticks_of_a_terminal_stand_at_their_places() {
    let points: Vec<(f64, f64)> =
        (0..=100).map(|i| (f64::from(i) / 10.0, f64::from(u8::from(i == 20 || i == 80)))).collect();
    for width in [40, 61, 72, 100, 133] {
        let text = line(&points).to_terminal(width, 12, false);
        let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        // Title, label of y, then the row of the highest tick.
        let top: Vec<usize> = (0..lines[2].len())
            .filter(|column| ('\u{2801}'..='\u{28ff}').contains(&lines[2][*column]))
            .collect();
        let labels = &lines[lines.len() - 2];
        for digit in ['2', '8'] {
            let place = labels.iter().position(|c| *c == digit);
            if let Some(place) =
                place.filter(|place| labels.get(place + 1).is_none_or(|c| *c == ' '))
            {
                assert!(top.contains(&place), "{width}: {top:?}, {digit} at {place}\n{text}");
            }
        }
        assert!(lines.iter().all(|line| line.len() <= width), "{width}\n{text}");
    }
}

#[test]
fn a_line_over_names_shows_the_names() {
    let mut chart = line(&[(0.0, 1.0), (1.0, 3.0), (2.0, 2.0)]);
    chart.categories = ["base", "tuned", "filtered"].map(str::to_string).to_vec();
    let text = chart.to_terminal(70, 12, false);
    let svg = chart.to_svg(640, 360).unwrap();
    for name in ["base", "tuned", "filtered"] {
        assert!(text.contains(name) && svg.contains(name), "{text}");
    }
    assert!(!text.contains("0.5"), "{text}");
}

#[test]
fn the_legend_stands_above_the_data() {
    let mut chart = line(&[(0.0, 5.0), (10.0, 5.0)]);
    chart.series.push(Series {
        name: "a name as long as data may have it, and longer than any line of a legend"
            .to_string(),
        points: vec![(0.0, 4.0), (10.0, 5.0)],
        band: Vec::new(),
    });
    let svg = chart.to_svg(640, 360).unwrap();
    let legend = place(&svg, "loss").1;
    let frame =
        polylines(&svg, "#0072B2").concat().into_iter().chain(polylines(&svg, "#D55E00").concat());
    // The line and the mark of each name, and below them the data.
    let heights: BTreeSet<i64> = frame.map(|(_, y)| y as i64).collect();
    let (above, below): (Vec<i64>, Vec<i64>) =
        heights.into_iter().partition(|y| *y as f64 <= legend + 14.0);
    assert!(!above.is_empty() && below.len() > 1, "{above:?} {below:?}");
    let mut bars = bars();
    bars.series.push(bars.series[0].clone());
    let svg = bars.to_svg(640, 360).unwrap();
    for colour in ["#0072B2", "#D55E00"] {
        let tops = attribute(&svg, &["rect", colour], "y");
        let heights = attribute(&svg, &["rect", colour], "height");
        let (swatch, data) = (tops[0] + heights[0], &tops[1..]);
        assert!(data.iter().all(|top| swatch < *top), "{tops:?}");
    }
}

#[test]
fn a_loss_measured_now_and_then_is_a_line_with_marks() {
    let points: Vec<(f64, f64)> =
        (0..100).map(|i| (f64::from(i), if i % 10 == 9 { 2.0 } else { f64::NAN })).collect();
    let svg = line(&points).to_svg(640, 360).unwrap();
    assert_eq!(svg.matches("<circle").count(), 10);
    let joined = svg
        .split('<')
        .filter(|element| element.starts_with("polyline") && element.contains("#0072B2"));
    assert_eq!(joined.count(), 1, "{svg}");
    let text = line(&points).to_terminal(60, 12, false);
    assert_eq!(text.matches('•').count(), 10, "{text}");
    // A few gaps in a line stay gaps.
    let mut gaps: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i), 2.0)).collect();
    gaps[50].1 = f64::NAN;
    let svg = line(&gaps).to_svg(640, 360).unwrap();
    let parts = svg
        .split('<')
        .filter(|element| element.starts_with("polyline") && element.contains("#0072B2"));
    assert_eq!(parts.count(), 2, "{svg}");
}

#[test]
fn numbers_at_the_end_of_what_floats_hold_are_drawn() {
    for points in [
        vec![(-1e308, -1e308), (0.0, 0.0), (1e308, 1e308)],
        vec![(f64::MIN, f64::MAX), (f64::MAX, f64::MIN)],
        vec![(5e-324, 5e-324), (1e-310, 1e-320)],
        vec![(1e16, 1.0), (1e16 + 2.0, 2.0)],
        vec![(1e308, 1e308)],
    ] {
        for kind in [ChartKind::Line, ChartKind::Scatter, ChartKind::Bar, ChartKind::Histogram] {
            let chart = Chart { kind, ..line(&points) };
            assert!(!chart.to_terminal(60, 12, true).is_empty());
            let svg = chart.to_svg(400, 300).unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{points:?}: {svg}");
            chart.to_png(400, 300).unwrap();
        }
    }
    let svg = line(&[(0.0, -1e308), (1.0, 1e308)]).to_svg(400, 300).unwrap();
    assert!(svg.contains("1.0e308") && svg.contains("-1.0e308"), "{svg}");
    script(
        r#"let f = frame(#{ x: [-1e308, 0.0, 1e308] });
        plot(f, #{ x: "x", kind: "histogram", bins: 10000 }).save("h.svg");
        plot(f, #{ y: "x" }).save("l.png"); 0"#,
    );
    for bins in ["9223372036854775807", "10001", "0", "-1"] {
        let error = script_error(&format!(
            r#"plot(frame(#{{ x: [1, 2] }}), #{{ x: "x", kind: "histogram", bins: {bins} }})"#
        ));
        assert!(error.contains("option `bins` of plot: expected a whole number"), "{error}");
    }
}

#[test]
fn an_image_is_well_formed_whatever_its_texts_hold() {
    let odd: String = (0u32..0x20)
        .chain([
            0x7f, 0x85, 0x9b, 0x61c, 0x200b, 0x202e, 0x2028, 0xfeff, 0xfffe, 0xffff, 0xe0041,
            0x1fffe,
        ])
        .filter_map(char::from_u32)
        .collect();
    let mut chart = bars();
    chart.series.push(chart.series[0].clone());
    for text in [&mut chart.title, &mut chart.x_label, &mut chart.y_label] {
        text.push_str(&odd);
    }
    chart.categories[1].push_str(&odd);
    chart.series[1].name = format!("<&>\"'{odd}");
    let svg = chart.to_svg(640, 360).unwrap();
    let forbidden = |c: &char| odd.contains(*c) && !matches!(c, '\n' | '\t' | '\r');
    assert_eq!(svg.chars().find(forbidden), None);
    assert!(svg.contains("&lt;&amp;&gt;"), "{svg}");
    let text = chart.to_terminal(60, 12, false);
    assert_eq!(text.chars().find(|c| odd.contains(*c) && *c != '\n'), None);
}

#[test]
fn options_that_do_not_apply_are_refused_in_words() {
    let f = r#"let f = frame(#{ a: [1, 2], b: [2.0, 1.0], c: [3, 4], k: ["x", "y"] });"#;
    for (options, expected) in [
        (r#"x: "a", kind: "histogram", by: "k""#, "`by` of plot does not apply to a histogram"),
        (r#"x: "a", kind: "histogram", band: ["b", "c"]"#, "`band` of plot does not apply"),
        (r#"x: "a", y: "b", kind: "histogram""#, "`y` of plot does not apply to a histogram"),
        (r#"y: ["a", "b"], kind: "histogram""#, "several columns"),
        (r#"x: "a", y: "b", bins: 5"#, "`bins` of plot applies to histograms only"),
        (r#"x: "a", y: "b", kind: "bar", bins: 5"#, "histograms only"),
        (r#"x: "a", y: "b", kind: "scatter", bins: 5"#, "histograms only"),
        (r#"x: "a", y: ["b", "c"], band: ["b", "c"]"#, "`y` names several"),
        (r#"x: "a", y: "b", band: ["c"]"#, "two columns, low and high"),
        (r#"x: "a", y: []"#, "option `y` of plot: expected a column"),
    ] {
        let error = script_error(&format!("{f} plot(f, #{{ {options} }})"));
        assert!(error.contains(expected), "{options}: {error}");
    }
}

/// The notes that a script's run is told.
fn notes(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::quiet(folder.path().to_path_buf());
    let heard = Rc::new(RefCell::new(Vec::new()));
    let ear = Rc::clone(&heard);
    *host.listener.borrow_mut() = Box::new(move |event| {
        if let Event::Note(note) = event {
            ear.borrow_mut().push(note);
        }
    });
    let mut session = Session::new(Rc::new(host), "test.rhai");
    drop(session.evaluate("", text).unwrap());
    heard.take()
}

#[test]
fn what_is_not_drawn_is_told() {
    let f = r#"let odd = 0.0 / 0.0; let f = frame(#{ x: [1.0, 2.0, odd, 3.0], y: [1.0, (), 2.0, 1.0 / 0.0],
        k: ["a", "a", "b", "c"] });"#;
    let told = |options: &str| notes(&format!("{f} plot(f, #{{ {options} }});"));
    let infinite = "plot: 1 of 4 values of `y` are NaN or infinite and not drawn";
    let missing = "plot: 1 of 4 values of `y` are missing and not drawn";
    // A line shows what is missing as a gap.
    let nan = "plot: 1 of 4 values of `x` are NaN or infinite and not drawn";
    assert_eq!(told(r#"x: "x", y: "y""#), [nan, infinite]);
    assert_eq!(told(r#"x: "y", kind: "histogram""#), [infinite, missing]);
    assert_eq!(told(r#"y: "y", kind: "scatter""#), [infinite, missing]);
    let twice = told(r#"x: "k", y: "x""#);
    assert!(
        twice.len() == 2 && twice[1].contains("1 bars stand where their series has one already"),
        "{twice:?}"
    );
    assert_eq!(told(r#"x: "k", y: "x", kind: "scatter""#), [nan]);
    assert!(notes(r#"plot(frame(#{ x: [1, 2], y: [3, 4] }), #{ x: "x", y: "y" })"#).is_empty());
}

#[test]
fn more_series_than_a_legend_holds_are_refused_and_few_are_told_apart() {
    let by = |count: usize| {
        format!(
            r#"let rows = []; for i in 0..{count} {{ rows.push(#{{ x: i, y: i, k: "s" + i }}); }}
            plot(frame(rows), #{{ x: "x", y: "y", by: "k" }});"#
        )
    };
    let error = script_error(&by(51));
    assert!(error.contains("option `by` of plot: expected at most 50 values"), "{error}");
    assert_eq!(notes(&by(22)).len(), 1);
    assert!(notes(&by(21)).is_empty());
    let mut chart = line(&[(0.0, 1.0), (1.0, 2.0)]);
    chart.series = (0..21u8)
        .map(|i| Series {
            name: format!("s{i}"),
            points: vec![(0.0, f64::from(i)), (1.0, f64::from(i))],
            band: Vec::new(),
        })
        .collect();
    let svg = chart.to_svg(800, 450).unwrap();
    let colours: BTreeSet<&str> = svg
        .split('<')
        .filter(|element| element.starts_with("polyline"))
        .filter_map(|element| element.split_once("stroke=\"")?.1.split('"').next())
        .filter(|colour| *colour != "#808690")
        .collect();
    assert_eq!(colours.len(), 21, "{colours:?}");
}

#[test]
fn texts_are_cut_or_turned_where_they_have_no_room() {
    let long = "a text that no chart has room for, ".repeat(20);
    let mut chart = bars();
    for text in [&mut chart.title, &mut chart.x_label, &mut chart.y_label] {
        text.clone_from(&long);
    }
    chart.series.push(chart.series[0].clone());
    chart.series[1].name.clone_from(&long);
    let text = chart.to_terminal(60, 12, false);
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    assert!(text.contains("safe a text") && text.contains("safe forgetting"), "{text}");
    chart.kind = ChartKind::Line;
    let text = chart.to_terminal(60, 12, false);
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    let svg = chart.to_svg(640, 360).unwrap();
    assert!(!svg.contains(&long) && svg.matches('…').count() == 4, "{svg}");
    // Three short names stand side by side, twelve long ones are read from below; the label of y always is.
    assert_eq!(svg.matches("rotate(270").count(), 1);
    chart.categories = (0..12).map(|i| format!("a long category {i}")).collect();
    chart.series.truncate(1);
    let svg = chart.to_svg(640, 360).unwrap();
    assert_eq!(svg.matches("rotate(270").count(), 13, "{svg}");
    assert!(svg.contains("a long category 11"));
}

#[test]
fn true_and_false_name_places() {
    let folder = tempfile::tempdir().unwrap();
    script_in(
        folder.path(),
        r#"plot(frame(#{ ok: [true, false], n: [3, 4] }), #{ x: "ok", y: "n" }).save("bars.svg"); 0"#,
    )
    .unwrap();
    let svg = std::fs::read_to_string(folder.path().join("bars.svg")).unwrap();
    assert!(svg.contains("true") && svg.contains("false"), "{svg}");
}

#[test]
fn a_terminal_says_how_many_bars_it_leaves_out() {
    let points: Vec<(f64, f64)> = (0..130).map(|i| (f64::from(i), 1.0)).collect();
    let chart = Chart { kind: ChartKind::Bar, ..line(&points) };
    let text = chart.to_terminal(60, 12, false);
    assert!(text.ends_with("… and 30 more bars; an image shows all"), "{text}");
}

#[test]
fn the_pace_of_work_that_goes_on_counts_its_own_units() {
    let pace = Pace::from(40);
    // 6 steps of its own in 1 second; 6 left.
    assert_eq!(pace.rate(46, 1.0), Some(6.0));
    assert_eq!(pace.left(46, 52, 1.0), Some(1.0));
    assert_eq!(pace.rate(40, 1.0), None);
    assert_eq!(Pace::default().rate(10, 2.0), Some(5.0));
}

#[test]
fn plot_options_are_checked() {
    let f = r#"let f = frame(#{ step: [1, 2], loss: [2.0, 1.0], kind: ["a", "b"] });"#;
    let error = |call: &str| script_error(&format!("{f} {call}"));
    assert!(error(r#"plot(f, #{ x: "step", y: "los" })"#).contains("did you mean `loss`"));
    assert!(
        error(r#"plot(f, #{ x: "step", y: "kind" })"#)
            .contains("expected a column of numbers, got text")
    );
    assert!(
        error(r#"plot(f, #{ x: "step", y: "loss", kind: "pie" })"#)
            .contains("unknown kind of chart `pie`")
    );
    assert!(
        error(r#"plot(f, #{ x: "step", y: "loss" }).save("chart.gif")"#)
            .contains("unknown image format `gif`")
    );
    assert!(error(r#"plot(f, #{ x: "step" })"#).contains("needs `y`"));
    script(&format!(
        r#"{f} plot(f, #{{ x: "step", y: "loss", by: "kind" }}).save("chart.png"); exists("chart.png")"#
    ));
}
