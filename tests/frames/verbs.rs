//! What is done to one frame: making it, looking into it, polars' verbs.

use serde_json::json;

use super::{error, fails_with, run};

#[test]
fn frames_are_made_from_rows_and_from_columns() {
    let rows = run(r#"frame([#{ a: 1, b: "x" }, #{ b: "y", c: 2.5 }])"#);
    assert_eq!(rows, json!([{"a": 1, "b": "x", "c": null}, {"a": null, "b": "y", "c": 2.5}]));
    assert_eq!(run(r#"frame(#{ a: [1, 2.5, ()] })"#), json!([{"a": 1.0}, {"a": 2.5}, {"a": null}]));
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
    fails_with(r#"frame([#{ a: [1] }, #{ a: ["x"] }])"#, &["row 1 of column `a`"]);
    fails_with(r#"frame([#{ a: #{ b: 1 } }, #{ a: #{ b: "x" } }])"#, &["row 1 of column `a.b`"]);
}

#[test]
fn what_makes_no_frame_is_told_with_its_row() {
    fails_with(r#"frame(#{ a: [1, "x"] })"#, &["row 1 of column `a`", "the string \"x\""]);
    fails_with(r#"frame([#{ a: 1 }, 2])"#, &["row 1 of a frame", "expected a map, got 2"]);
    fails_with(
        r#"frame(#{ a: [1], b: [1, 2] })"#,
        &["column `b`", "1 values, as many as `a` has", "got 2"],
    );
    fails_with(r#"frame(#{ a: 1 })"#, &["column `a`", "expected an array, got 1"]);
    fails_with(r#"frame(#{ a: [|x| x] })"#, &["row 0 of column `a`", "a closure"]);
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
    assert_eq!(looked("let sum = 0; for row in f.rows() { sum += row.x } sum"), json!(6));
    fails_with(&format!("{f} f.row(3)"), &["expected an index below 3, got 3"]);
    fails_with(&format!(r#"{f} f["z"]"#), &["unknown column `z`"]);
}

#[test]
fn frames_are_equal_when_names_types_and_cells_are() {
    assert_eq!(run("frame(#{ x: [1, ()] }) == frame(#{ x: [1, ()] })"), json!(true));
    assert_eq!(run("frame(#{ x: [1, 2] }) == frame(#{ x: [1, 3] })"), json!(false));
    assert_eq!(run("frame(#{ x: [1] }) == frame(#{ y: [1] })"), json!(false));
    assert_eq!(run("frame(#{ x: [1] }) != frame(#{ x: [1, 1] })"), json!(true));
}

#[test]
fn unknown_columns_name_the_nearest_and_the_line() {
    let error = error("let f = frame(#{ forgetting: [1] });\nf.filter(col(\"forgeting\") > 0)");
    assert!(error.message.contains("unknown column `forgeting`, did you mean `forgetting`?"));
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
        run(&format!(r#"{f}.with_columns([col("x") + col("y")]).row(1)"#)),
        json!({"x": 22, "y": 20})
    );
    assert_eq!(run(&format!(r#"{f}.filter(col("x") >= 2).len()"#)), json!(2));
    assert_eq!(run(&format!(r#"{f}.filter(col("x") > 9).columns()"#)), json!(["x", "y"]));
}

#[test]
fn sorting_keeps_the_order_of_equal_rows() {
    let f = r#"frame(#{ k: [2, 1, 2, 1, ()], id: [0, 1, 2, 3, 4] })"#;
    assert_eq!(run(&format!(r#"{f}.sort("k")["id"]"#)), json!([4, 1, 3, 0, 2]));
    assert_eq!(
        run(&format!(r#"{f}.sort("k", #{{ descending: true }})["id"]"#)),
        json!([4, 0, 2, 1, 3])
    );
    assert_eq!(run(&format!(r#"{f}.sort(["k", -col("id")])["id"]"#)), json!([4, 3, 1, 2, 0]));
    assert_eq!(
        run(&format!(r#"{f}.sort("k", #{{ nulls_last: true }})["id"]"#)),
        json!([1, 3, 0, 2, 4])
    );
}

#[test]
fn dropping_renaming_and_unique() {
    assert_eq!(run(r#"frame(#{ x: [1], y: [2], z: [3] }).drop(["x", "z"])"#), json!([{"y": 2}]));
    assert_eq!(
        run(r#"frame(#{ x: [1], y: [2] }).rename(#{ x: "y", y: "x" })"#),
        json!([{"y": 1, "x": 2}])
    );
    fails_with(r#"frame(#{ x: [1], y: [2] }).rename(#{ x: "y" })"#, &["rename"]);
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
    // What Python's polars 2.1 gives for the same.
    assert_eq!(x("slice(1, -1)"), json!([1, 2, 3]));
    assert_eq!(x("slice(-9223372036854775807, 9223372036854775807)"), json!([0, 1, 2, 3, 4]));
    assert_eq!(x("slice(9223372036854775807, 9223372036854775807)"), json!([]));
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
    fails_with(&format!("{f}.sample(11, 0)"), &["sample", "at most 10 rows", "got 11"]);
    fails_with(&format!("{f}.sample(-1, 0)"), &["sample", "got -1"]);
    assert_eq!(run("frame(#{ x: [] }).shuffle(0).len()"), json!(0));
}

/// Worked by hand: 1, 2, 3, 4 have the mean 2.5, the sample deviation sqrt(5/3) and quartiles 1.75, 2.5, 3.25.
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
