//! Charts: what they look like as text, and that no data breaks them.

use ebb::plot::{Chart, ChartKind, Series};

use crate::support::{script, script_error};

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
    let points: Vec<(f64, f64)> = (0..=40)
        .map(|i| (f64::from(i), 4.0 * (-f64::from(i) / 12.0).exp()))
        .collect();
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
    let many: Vec<(f64, f64)> = (0..50_000)
        .map(|i| (f64::from(i), f64::from(i % 97)))
        .collect();
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
        for kind in [
            ChartKind::Line,
            ChartKind::Scatter,
            ChartKind::Bar,
            ChartKind::Histogram,
        ] {
            let chart = Chart {
                kind,
                ..line(&points)
            };
            assert!(!chart.to_terminal(60, 12, true).is_empty());
            let svg = chart.to_svg(400, 300).unwrap();
            if kind == ChartKind::Line {
                assert!(
                    svg.len() < 200_000,
                    "{} bytes for {} points",
                    svg.len(),
                    points.len()
                );
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
