//! What is done to frames: polars' verbs, closures over rows, groups, joins, and how a frame looks.

use ebb::display::Output;
use ebb::script::display::CellValue;
use ebb::script::engine::Session;
use ebb::script::host::Host;
use serde_json::json;

use super::{error, fails_with, run};

#[test]
fn frames_are_made_from_rows_and_from_columns() {
    let rows = run(r#"frame([#{ a: 1, b: "x" }, #{ b: "y", c: 2.5 }])"#);
    assert_eq!(
        rows,
        json!([{"a": 1, "b": "x", "c": null}, {"a": null, "b": "y", "c": 2.5}])
    );
    assert_eq!(
        run(r#"frame(#{ a: [1, 2.5, ()] })"#),
        json!([{"a": 1.0}, {"a": 2.5}, {"a": null}])
    );
    assert_eq!(run("frame([])"), json!([]));
    assert_eq!(run("frame(#{ a: [] }).columns()"), json!(["a"]));
}

#[test]
fn nested_values_of_a_script_take_common_types() {
    assert_eq!(
        run("frame([#{ a: [1] }, #{ a: [2.5] }, #{ a: [] }])"),
        json!([{"a": [1.0]}, {"a": [2.5]}, {"a": []}])
    );
    assert_eq!(
        run(r#"frame([#{ a: #{ b: 1 } }, #{ a: #{ b: 2.5, c: "x" } }, #{ a: () }])"#),
        json!([{"a": {"b": 1.0, "c": null}}, {"a": {"b": 2.5, "c": "x"}}, {"a": null}])
    );
    fails_with(
        r#"frame([#{ a: [1] }, #{ a: ["x"] }])"#,
        &["row 1 of column `a`"],
    );
    fails_with(
        r#"frame([#{ a: #{ b: 1 } }, #{ a: #{ b: "x" } }])"#,
        &["row 1 of column `a.b`"],
    );
}

#[test]
fn what_makes_no_frame_is_told_with_its_row() {
    fails_with(
        r#"frame(#{ a: [1, "x"] })"#,
        &["row 1 of column `a`", "the string \"x\""],
    );
    fails_with(
        r#"frame([#{ a: 1 }, 2])"#,
        &["row 1 of a frame", "expected a map, got 2"],
    );
    fails_with(
        r#"frame(#{ a: [1], b: [1, 2] })"#,
        &["column `b`", "1 values, as many as `a` has", "got 2"],
    );
    fails_with(
        r#"frame(#{ a: 1 })"#,
        &["column `a`", "expected an array, got 1"],
    );
    fails_with(
        r#"frame(#{ a: [|x| x] })"#,
        &["row 0 of column `a`", "a closure"],
    );
}

#[test]
fn frames_are_looked_into() {
    let f = r#"let f = frame(#{ x: [1, 2, 3], y: ["a", "b", ()] });"#;
    let looked = |what: &str| run(&format!("{f} {what}"));
    assert_eq!(looked("[f.len(), f.columns()]"), json!([3, ["x", "y"]]));
    assert_eq!(looked("f.row(0)"), json!({"x": 1, "y": "a"}));
    assert_eq!(looked("f.row(-1)"), json!({"x": 3, "y": null}));
    assert_eq!(looked(r#"f["y"]"#), json!(["a", "b", null]));
    assert_eq!(looked(r#"f.column("x")"#), json!([1, 2, 3]));
    assert_eq!(
        looked("let sum = 0; for row in f.rows() { sum += row.x } sum"),
        json!(6)
    );
    fails_with(
        &format!("{f} f.row(3)"),
        &["expected an index below 3, got 3"],
    );
    fails_with(&format!(r#"{f} f["z"]"#), &["unknown column `z`"]);
}

#[test]
fn frames_are_equal_when_names_types_and_cells_are() {
    assert_eq!(
        run("frame(#{ x: [1, ()] }) == frame(#{ x: [1, ()] })"),
        json!(true)
    );
    assert_eq!(
        run("frame(#{ x: [1, 2] }) == frame(#{ x: [1, 3] })"),
        json!(false)
    );
    assert_eq!(
        run("frame(#{ x: [1] }) == frame(#{ y: [1] })"),
        json!(false)
    );
    assert_eq!(
        run("frame(#{ x: [1] }) != frame(#{ x: [1, 1] })"),
        json!(true)
    );
}

#[test]
fn unknown_columns_name_the_nearest_and_the_line() {
    let error = error("let f = frame(#{ forgetting: [1] });\nf.filter(col(\"forgeting\") > 0)");
    assert!(
        error
            .message
            .contains("unknown column `forgeting`, did you mean `forgetting`?")
    );
    assert_eq!(error.line, Some(2));
    assert!(error.hint.unwrap().contains("known columns: forgetting"));
    for call in [
        r#"select("abd")"#,
        r#"select(["abc", "abd"])"#,
        r#"with_columns((col("abd") + 1).alias("abc"))"#,
        r#"with_columns(template("{abd}").alias("t"))"#,
        r#"with_columns(when(col("abd") == 1).then(1).otherwise(2).alias("t"))"#,
        r#"with_columns(col("abc").sum().over("abd"))"#,
        r#"sort("abd")"#,
        r#"drop("abd")"#,
        r#"rename(#{ abd: "x" })"#,
        r#"unique("abd")"#,
        r#"explode("abd")"#,
        r#"group_by("abd").agg(len())"#,
        r#"group_by("abc").agg(col("abd").sum())"#,
        r#"join(frame(#{ abd: [1] }), "abd")"#,
        r#"column("abd")"#,
    ] {
        fails_with(
            &format!("frame(#{{ abc: [1] }}).{call}"),
            &["unknown column `abd`, did you mean `abc`?"],
        );
    }
}

#[test]
fn wrong_arguments_are_told() {
    fails_with(
        "frame(#{ x: [1] }).select(3)",
        &["select", "expected a column name, an expression", "got 3"],
    );
    fails_with("frame(#{ x: [1] }).filter(true)", &["filter", "got true"]);
    fails_with(
        r#"frame(#{ x: [1] }).sort("x", #{ descendig: true })"#,
        &["unknown option `descendig`, did you mean `descending`"],
    );
    fails_with(r#"frame(#{ x: [1] }).explode("x")"#, &["explode"]);
    fails_with(r#"concat([])"#, &["concat", "at least one frame"]);
    fails_with(r#"concat([1])"#, &["expected an array of frames"]);
}

#[test]
fn select_with_columns_and_filter() {
    let f = "frame(#{ x: [1, 2, 3], y: [10, 20, 30] })";
    assert_eq!(
        run(&format!(r#"{f}.select(["y", (col("x") * 2).alias("z")])"#)),
        json!([{"y": 10, "z": 2}, {"y": 20, "z": 4}, {"y": 30, "z": 6}])
    );
    assert_eq!(
        run(&format!(
            r#"{f}.with_columns([col("x") + col("y")]).row(1)"#
        )),
        json!({"x": 22, "y": 20})
    );
    assert_eq!(
        run(&format!(r#"{f}.filter(col("x") >= 2).len()"#)),
        json!(2)
    );
    assert_eq!(
        run(&format!(r#"{f}.filter(col("x") > 9).columns()"#)),
        json!(["x", "y"])
    );
}

#[test]
fn sorting_keeps_the_order_of_equal_rows() {
    let f = r#"frame(#{ k: [2, 1, 2, 1, ()], id: [0, 1, 2, 3, 4] })"#;
    assert_eq!(
        run(&format!(r#"{f}.sort("k")["id"]"#)),
        json!([1, 3, 0, 2, 4])
    );
    assert_eq!(
        run(&format!(r#"{f}.sort("k", #{{ descending: true }})["id"]"#)),
        json!([0, 2, 1, 3, 4])
    );
    assert_eq!(
        run(&format!(r#"{f}.sort(["k", -col("id")])["id"]"#)),
        json!([3, 1, 2, 0, 4])
    );
    assert_eq!(
        run(&format!(r#"{f}.sort("k", #{{ nulls_last: false }})["id"]"#)),
        json!([4, 1, 3, 0, 2])
    );
}

#[test]
fn dropping_renaming_and_unique() {
    assert_eq!(
        run(r#"frame(#{ x: [1], y: [2], z: [3] }).drop(["x", "z"])"#),
        json!([{"y": 2}])
    );
    assert_eq!(
        run(r#"frame(#{ x: [1], y: [2] }).rename(#{ x: "y", y: "x" })"#),
        json!([{"y": 1, "x": 2}])
    );
    fails_with(
        r#"frame(#{ x: [1], y: [2] }).rename(#{ x: "y" })"#,
        &["rename"],
    );
    let f = r#"frame(#{ k: ["b", "a", "b", "a"], id: [0, 1, 2, 1] })"#;
    assert_eq!(run(&format!(r#"{f}.unique("k")["id"]"#)), json!([0, 1]));
    assert_eq!(run(&format!(r#"{f}.unique()["id"]"#)), json!([0, 1, 2]));
}

#[test]
fn heads_tails_and_slices() {
    let f = "frame(#{ x: [0, 1, 2, 3, 4] })";
    let x = |call: &str| run(&format!(r#"{f}.{call}["x"]"#));
    assert_eq!(x("head(2)"), json!([0, 1]));
    assert_eq!(x("head(9)"), json!([0, 1, 2, 3, 4]));
    assert_eq!(x("head(-2)"), json!([0, 1, 2]));
    assert_eq!(x("tail(2)"), json!([3, 4]));
    assert_eq!(x("tail(-9)"), json!([]));
    assert_eq!(x("slice(1, 2)"), json!([1, 2]));
    assert_eq!(x("slice(-2, 2)"), json!([3, 4]));
    assert_eq!(x("slice(9, 2)"), json!([]));
    assert_eq!(x("reverse()"), json!([4, 3, 2, 1, 0]));
}

#[test]
fn samples_are_without_replacement_and_of_the_seed_alone() {
    let f = "frame(#{ x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] })";
    let x = |call: &str| run(&format!(r#"{f}.{call}["x"]"#));
    assert_eq!(x("sample(4, 7)"), x("sample(4, 7)"));
    assert_ne!(x("sample(9, 7)"), x("sample(9, 8)"));
    let mut all: Vec<i64> = serde_json::from_value(x("shuffle(3)")).unwrap();
    assert_ne!(all, (0..10).collect::<Vec<_>>());
    all.sort();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    let mut drawn: Vec<i64> = serde_json::from_value(x("sample(9, 0)")).unwrap();
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len(), 9);
    // The stream is the one that the rest of the program draws from.
    let stream = ebb::random::Stream::new(7, "sample");
    assert_eq!(x("sample(4, 7)"), json!(stream.sample(10, 4)));
    fails_with(
        &format!("{f}.sample(11, 0)"),
        &["sample", "at most 10 rows", "got 11"],
    );
    fails_with(&format!("{f}.sample(-1, 0)"), &["sample", "got -1"]);
    assert_eq!(run("frame(#{ x: [] }).shuffle(0).len()"), json!(0));
}

#[test]
fn groups_come_in_the_order_in_which_they_appear() {
    let f = r#"frame(#{ k: ["b", "a", "b", (), "a", "b"], x: [1, 2, 3, 4, 5, 6] })"#;
    assert_eq!(
        run(&format!(
            r#"{f}.group_by("k").agg([len().alias("n"), col("x").sum(), col("x").first().alias("one")])"#
        )),
        json!([
            {"k": "b", "n": 3, "x": 10, "one": 1},
            {"k": "a", "n": 2, "x": 7, "one": 2},
            {"k": null, "n": 1, "x": 4, "one": 4},
        ])
    );
    assert_eq!(
        run(&format!(
            r#"{f}.group_by(["k", (col("x") > 3).alias("large")]).agg(col("x").implode()).len()"#
        )),
        json!(5)
    );
    assert_eq!(
        run(&format!(
            r#"{f}.filter(col("x") > 9).group_by("k").agg(len())"#
        )),
        json!([])
    );
}

#[test]
fn joins_keep_the_left_frames_order() {
    let script = |how: &str| {
        format!(
            r#"let f = frame(#{{ id: [3, 1, 2], x: ["c", "a", "b"] }});
               let g = frame(#{{ id: [1, 3, 3, 4], y: [10, 30, 31, 40] }});
               f.join(g, "id", #{{ how: "{how}" }})"#
        )
    };
    assert_eq!(
        run(&script("inner")),
        json!([{"id": 3, "x": "c", "y": 30}, {"id": 3, "x": "c", "y": 31}, {"id": 1, "x": "a", "y": 10}])
    );
    assert_eq!(
        run(&script("left")),
        json!([{"id": 3, "x": "c", "y": 30}, {"id": 3, "x": "c", "y": 31}, {"id": 1, "x": "a", "y": 10}, {"id": 2, "x": "b", "y": null}])
    );
    assert_eq!(
        run(&script("semi")),
        json!([{"id": 3, "x": "c"}, {"id": 1, "x": "a"}])
    );
    assert_eq!(run(&script("anti")), json!([{"id": 2, "x": "b"}]));
    assert_eq!(run(&format!("{}.len()", script("full"))), json!(5));
    assert_eq!(run(&format!("{}.len()", script("cross"))), json!(12));
    fails_with(&script("outer"), &["unknown kind of join `outer`"]);
    fails_with(
        r#"frame(#{ id: [1] }).join(frame(#{ id: ["1"] }), "id")"#,
        &["join"],
    );
    assert_eq!(
        run(
            r#"frame(#{ id: [1], x: [1] }).join(frame(#{ id: [1], x: [2] }), "id", #{ suffix: "_new" })"#
        ),
        json!([{"id": 1, "x": 1, "x_new": 2}])
    );
}

#[test]
fn concat_fills_what_a_frame_lacks() {
    assert_eq!(
        run(r#"concat([frame(#{ x: [1] }), frame(#{ x: [2.5], y: ["b"] })])"#),
        json!([{"x": 1.0, "y": null}, {"x": 2.5, "y": "b"}])
    );
    fails_with(
        r#"concat([frame(#{ x: [[1]] }), frame(#{ x: ["b"] })])"#,
        &["below each other"],
    );
}

#[test]
fn explode_makes_a_row_of_each_item() {
    assert_eq!(
        run(
            r#"frame([#{ id: 1, w: ["a", "b"] }, #{ id: 2, w: [] }, #{ id: 3, w: () }]).explode("w")"#
        ),
        json!([{"id": 1, "w": "a"}, {"id": 1, "w": "b"}, {"id": 2, "w": null}, {"id": 3, "w": null}])
    );
}

#[test]
fn closures_see_rows_and_set_columns() {
    let f = r#"frame(#{ x: [1, 2, 3], y: ["a", (), "c"] })"#;
    assert_eq!(
        run(&format!(r#"{f}.map("z", |row| row.x * 10).column("z")"#)),
        json!([10, 20, 30])
    );
    assert_eq!(
        run(&format!(
            r#"{f}.map("y", |row| if row.y == () {{ "none" }} else {{ row.y }})["y"]"#
        )),
        json!(["a", "none", "c"])
    );
    assert_eq!(
        run(&format!(
            r#"let low = 2; {f}.filter_rows(|row| row.x >= low).len()"#
        )),
        json!(2)
    );
    assert_eq!(
        run(&format!(
            r#"fn odd(row) {{ row.x % 2 == 1 }} {f}.filter_rows(odd)["x"]"#
        )),
        json!([1, 3])
    );
    assert_eq!(
        run(&format!(r#"{f}.map("z", |row| [row.x, 0.5]).row(0).z"#)),
        json!([1.0, 0.5])
    );
}

#[test]
fn errors_in_closures_keep_their_own_line() {
    let script = "let f = frame(#{ x: [1] });\nf.map(\"y\", |row| {\n    row.z\n})";
    assert_eq!(error(script).line, Some(3));
    let script = "let f = frame(#{ x: [1] });\nf.filter_rows(|row| {\n    throw \"no\"\n})";
    let thrown = error(script);
    assert_eq!(thrown.line, Some(3));
    assert!(thrown.message.contains("no"));
    fails_with(
        "frame(#{ x: [1] }).filter_rows(|row| row.x)",
        &["filter_rows", "true or false", "got 1"],
    );
    fails_with(
        r#"frame(#{ x: [1, 2] }).map("y", |row| if row.x == 1 { 1 } else { "b" })"#,
        &["row 1 of column `y`"],
    );
}

#[test]
fn with_column_wants_a_value_for_each_row() {
    assert_eq!(
        run(r#"frame(#{ x: [1, 2] }).with_column("y", ["a", "b"]).row(1)"#),
        json!({"x": 2, "y": "b"})
    );
    fails_with(
        r#"frame(#{ x: [1, 2] }).with_column("y", ["a"])"#,
        &["2 values, one a row", "got 1"],
    );
    assert_eq!(
        run(r#"frame(#{ x: ["a", "b"] }).with_row_index("id")["id"]"#),
        json!([0, 1])
    );
}

/// Worked by hand: 1, 2, 3, 4 have the mean 2.5, the sample deviation sqrt(5/3) and quartiles 1.75, 2.5, 3.25.
#[test]
fn describe_gives_the_usual_statistics() {
    let described =
        run(r#"frame(#{ x: [4, 1, (), 3, 2], t: ["a", "b", (), "c", "d"] }).describe()"#);
    let x: Vec<f64> = described
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["x"].as_f64().unwrap())
        .collect();
    crate::support::close(
        &x,
        &[
            4.0,
            1.0,
            2.5,
            (5.0_f64 / 3.0).sqrt(),
            1.0,
            1.75,
            2.5,
            3.25,
            4.0,
        ],
        1e-12,
        "describe",
    );
    assert_eq!(described[0]["t"], json!(4.0));
    assert_eq!(described[2]["t"], json!(null));
    assert_eq!(described[5]["statistic"], json!("25%"));
    assert_eq!(
        run("frame(#{ x: [1, ()], y: [(), ()] }).null_count()"),
        json!([{"x": 1, "y": 2}])
    );
    assert_eq!(run("frame([]).describe().len()"), json!(9));
}

#[test]
fn empty_frames_go_through_every_verb() {
    let empty = r#"frame(#{ k: ["a"], x: [1] }).filter(col("x") > 5)"#;
    for call in [
        r#"select("x")"#,
        r#"sort("x")"#,
        r#"unique()"#,
        r#"head(3)"#,
        r#"shuffle(0)"#,
        r#"sample(0, 0)"#,
        r#"join(frame(#{ k: ["a"] }), "k")"#,
        r#"map("y", |row| 1)"#,
        r#"filter_rows(|row| true)"#,
        r#"write("empty.parquet")"#,
        r#"write("empty.csv")"#,
        r#"write("empty.json")"#,
        r#"with_columns(template("{k}").alias("t"))"#,
    ] {
        assert_eq!(run(&format!("{empty}.{call}")), json!([]), "{call}");
    }
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
    let kinds: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "number", "number", "number", "number", "number", "empty", "list", "number"
        ]
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
