//! How a frame looks: its statistics, its table, its text.

use ebb::display::Output;
use ebb::script::display::CellValue;
use ebb::script::engine::Session;
use ebb::script::host::Host;
use serde_json::{Value, json};

use super::run;

#[test]
fn describe_gives_the_usual_statistics() {
    let described =
        run(r#"frame(#{ x: [4, 1, (), 3, 2], t: ["a", "b", (), "c", "d"] }).describe()"#);
    let x: Vec<f64> =
        described.as_array().unwrap().iter().map(|row| row["x"].as_f64().unwrap()).collect();
    crate::support::close(
        &x,
        &[4.0, 1.0, 2.5, (5.0_f64 / 3.0).sqrt(), 1.0, 2.0, 3.0, 3.0, 4.0],
        1e-12,
        "describe",
    );
    // A column of texts is told in texts, as in polars, and a boolean has a mean, a least and a greatest.
    let t: Vec<&Value> = (0..9).map(|row| &described[row]["t"]).collect();
    assert_eq!(json!(t), json!(["4", "1", null, null, "a", null, null, null, "d"]));
    let booleans = run(r#"frame(#{ b: [true, false, true, ()] }).describe()["b"]"#);
    assert_eq!(booleans, json!([3.0, 1.0, 2.0 / 3.0, null, 0.0, null, null, null, 1.0]));
    assert_eq!(described[2]["t"], json!(null));
    assert_eq!(described[5]["statistic"], json!("25%"));
    assert_eq!(run("frame(#{ x: [1, ()], y: [(), ()] }).null_count()"), json!([{"x": 1, "y": 2}]));
    assert_eq!(run("frame([]).describe().len()"), json!(9));
}

fn shown(script: &str) -> ebb::display::Table {
    let folder = tempfile::tempdir().unwrap();
    let host = std::rc::Rc::new(Host::quiet(folder.path().to_path_buf()));
    let value = Session::new(host, "test").evaluate("", script).unwrap();
    match CellValue::from(value).output().unwrap() {
        Some(Output::Table(table)) => table,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tables_show_short_numbers_and_say_what_is_left_out() {
    let table = shown(
        r#"frame([#{ a: 0.123456, b: 1234.5678, c: 0.00015, d: 3e-7, e: 2.0, f: (), g: [1, 2], h: 123456.0 }])"#,
    );
    let cells: Vec<Option<&str>> = table.rows[0].iter().map(|cell| cell.as_deref()).collect();
    assert_eq!(
        cells,
        [
            Some("0.1235"),
            Some("1234.6"),
            Some("0.00015"),
            Some("3.000e-7"),
            Some("2.0"),
            None,
            Some("[1,2]"),
            Some("123456.0")
        ]
    );
    assert_eq!(table.caption, "1 row × 8 columns");
    let kinds: Vec<&str> = table.columns.iter().map(|column| column.kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["number", "number", "number", "number", "number", "empty", "list", "number"]
    );
    let long = shown("let x = []; for i in 0..240 { x.push(i) } frame(#{ x: x })");
    assert_eq!(long.caption, "240 rows × 1 column; 20 shown");
    assert_eq!(long.rows.len(), 21);
    assert_eq!(long.rows[18], [Some("…".to_string())]);
    assert_eq!(long.rows[20], [Some("239".to_string())]);
    let text =
        shown(r#"let t = "start "; for i in 0..100 { t += "middle " } frame(#{ t: [t + "end"] })"#);
    let cell = text.rows[0][0].as_deref().unwrap();
    assert!(cell.starts_with("start") && cell.ends_with("end") && cell.chars().count() < 130);
}

#[test]
fn a_frame_prints_as_lines() {
    assert_eq!(
        run(r#"`${frame(#{ x: [1, ()], y: ["a", "b"] })}`"#),
        json!("x | y\n1 | a\n— | b\n2 rows × 2 columns")
    );
}
