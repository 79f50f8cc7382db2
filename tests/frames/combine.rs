//! Groups, joins, lists taken apart, and closures over rows.

use serde_json::json;

use super::{error, fails_with, run};

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
    assert_eq!(run(&format!(r#"{f}.filter(col("x") > 9).group_by("k").agg(len())"#)), json!([]));
}

#[test]
fn a_join_says_how_many_keys_stand_twice() {
    let join = |validate: &str, how: &str| {
        format!(
            r#"let f = frame(#{{ a: [1, 2, 2, (), ()], b: ["x", "y", "y", "z", "z"], l: [1, 2, 3, 4, 5] }});
               let g = frame(#{{ a: [1, 2, 3, 3, (), ()], b: ["x", "y", "q", "q", "z", "z"], r: [1, 2, 3, 4, 5, 6] }});
               f.join(g, ["a", "b"], #{{ how: "{how}", validate: "{validate}" }}).len()"#
        )
    };
    assert_eq!(run(&join("m:m", "left")), json!(5));
    fails_with(
        &join("m:1", "inner"),
        &[
            r#"validate: "m:1": 1 key of the right frame stands more than once"#,
            r#"the first is a 3, b "q", in 2 rows"#,
        ],
    );
    fails_with(
        &join("1:m", "full"),
        &[r#"1 key of the left frame stands more than once; the first is a 2, b "y", in 2 rows"#],
    );
    fails_with(&join("1:1", "left"), &["of the left frame"]);
    fails_with(&join("1-1", "left"), &["unknown validation of a join `1-1`"]);
    fails_with(&join("m:1", "semi"), &[r#"expected how: "inner", "left" or "full", got "semi""#]);
    // As in polars, missing keys match nothing, and however many there are none stands twice.
    let once = r#"let f = frame(#{ a: [1, (), ()] }); f.join(f, "a", #{ validate: "1:1" }).len()"#;
    assert_eq!(run(once), json!(1));
    let several = r#"let f = frame(#{ a: [1, 1, 2, 2, 2] }); f.join(f, "a", #{ validate: "m:1" })"#;
    fails_with(
        several,
        &["2 keys of the right frame stand more than once; the first is a 1, in 2 rows"],
    );
    let text =
        r#"frame(#{ a: [7] }).join(frame(#{ a: [7], y: ["b"] }), "a", #{ validate: "1:1" })"#;
    assert_eq!(run(text), json!([{"a": 7, "y": "b"}]));
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
    assert_eq!(run(&script("semi")), json!([{"id": 3, "x": "c"}, {"id": 1, "x": "a"}]));
    assert_eq!(run(&script("anti")), json!([{"id": 2, "x": "b"}]));
    assert_eq!(run(&format!("{}.len()", script("full"))), json!(5));
    assert_eq!(run(&format!("{}.len()", script("cross"))), json!(12));
    fails_with(&script("outer"), &["unknown kind of join `outer`"]);
    fails_with(r#"frame(#{ id: [1] }).join(frame(#{ id: ["1"] }), "id")"#, &["join"]);
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
    fails_with(r#"concat([frame(#{ x: [[1]] }), frame(#{ x: ["b"] })])"#, &["below each other"]);
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
    assert_eq!(run(&format!(r#"{f}.map("z", |row| row.x * 10).column("z")"#)), json!([10, 20, 30]));
    assert_eq!(
        run(&format!(r#"{f}.map("y", |row| if row.y == () {{ "none" }} else {{ row.y }})["y"]"#)),
        json!(["a", "none", "c"])
    );
    assert_eq!(
        run(&format!(r#"let low = 2; {f}.filter_rows(|row| row.x >= low).len()"#)),
        json!(2)
    );
    assert_eq!(
        run(&format!(r#"fn odd(row) {{ row.x % 2 == 1 }} {f}.filter_rows(odd)["x"]"#)),
        json!([1, 3])
    );
    assert_eq!(run(&format!(r#"{f}.map("z", |row| [row.x, 0.5]).row(0).z"#)), json!([1.0, 0.5]));
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
    assert_eq!(run(r#"frame(#{ x: ["a", "b"] }).with_row_index("id")["id"]"#), json!([0, 1]));
}
