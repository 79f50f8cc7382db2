//! Looking at a frame as a whole. The counts are those that polars' `value_counts(sort=True)` gives, ties in order of value.

use serde_json::{Value, json};

use super::{error, fails_with, run};
use crate::support::script_error;

const ROWS: &str = r#"let f = frame([
    #{ id: 1, score: 0.5, text: "yes", ok: true, tokens: [1, 2], info: #{ group: "a", n: 1 } },
    #{ id: 2, score: (), text: "no", ok: false, tokens: [], info: () },
    #{ id: 3, score: 1.25, text: (), ok: true, tokens: (), info: #{ group: "b", n: 2 } },
]);"#;

fn looked(what: &str) -> Value {
    run(&format!("{ROWS} {what}"))
}

#[test]
fn the_schema_names_types_as_scripts_and_as_polars_do() {
    let order = r#"f.select("id", "score", "text", "ok", "tokens", "info").schema()"#;
    assert_eq!(
        looked(order),
        json!([
            {"column": "id", "type": "integer", "polars_type": "i64"},
            {"column": "score", "type": "number", "polars_type": "f64"},
            {"column": "text", "type": "text", "polars_type": "str"},
            {"column": "ok", "type": "boolean", "polars_type": "bool"},
            {"column": "tokens", "type": "list", "polars_type": "list[i64]"},
            {"column": "info", "type": "struct", "polars_type": "struct[group: str, n: i64]"},
        ])
    );
    assert_eq!(run("frame([]).schema()"), json!([]));
    assert_eq!(run("frame([]).schema().columns()"), json!(["column", "type", "polars_type"]));
    assert_eq!(
        run("frame(#{ a: [], b: [()] .filter(|x| false) }).schema()[\"type\"]"),
        json!(["empty", "empty"])
    );
    // A word of the schema is one that `cast` takes.
    let cast =
        r#"f.select(col("id").cast(f.select("score").schema().row(0).type)).schema()["type"]"#;
    assert_eq!(looked(cast), json!(["number"]));
}

#[test]
fn a_glimpse_shows_types_missing_values_and_the_first_values() {
    let glimpse = r#"f.select("id", "score", "text", "ok", "tokens", "info").glimpse()"#;
    assert_eq!(
        looked(glimpse),
        json!([
            {"column": "id", "type": "integer", "missing": 0, "first_values": "1, 2, 3"},
            {"column": "score", "type": "number", "missing": 1, "first_values": "0.5, –, 1.25"},
            {"column": "text", "type": "text", "missing": 1, "first_values": "\"yes\", \"no\", –"},
            {"column": "ok", "type": "boolean", "missing": 0, "first_values": "true, false, true"},
            {"column": "tokens", "type": "list", "missing": 1, "first_values": "[1, 2], [], –"},
            {
                "column": "info", "type": "struct", "missing": 1,
                "first_values": "{group: \"a\", n: 1}, –, {group: \"b\", n: 2}"
            },
        ])
    );
    assert_eq!(run("frame([]).glimpse()"), json!([]));
    assert_eq!(run("frame(#{ x: [1] }).head(0).glimpse()[\"first_values\"]"), json!([""]));
}

#[test]
fn a_glimpse_keeps_long_texts_many_rows_and_deep_values_short() {
    let first = |made: &str| {
        let values = run(&format!("frame(#{{ x: {made} }}).glimpse()[\"first_values\"]"));
        values[0].as_str().unwrap().to_string()
    };
    assert_eq!(first("range(9)"), "0, 1, 2, 3, 4, 5, 6, 7, …");
    assert_eq!(first("[0 / 0, 1 / 0, -1 / 0, 1e-9]"), "NaN, inf, -inf, 1.000e-9");
    let texts = first(r#"range(5).map(|i| "a sentence of more than twenty characters")"#);
    assert_eq!(texts, r#""a sentence of more t…", "a sentence of more t…", …"#);
    assert_eq!(first("[[[[1, 2]]], [[[3]]]]"), "[[[…]]], [[[…]]]");
    assert_eq!(first("[range(1000)]"), "[0, 1, 2, …]");
    let wide = first(r#"[#{ a: "twenty characters ..", b: "twenty characters ..", c: 3 }]"#);
    assert_eq!(wide, r#"{a: "twenty characters ..", b: "twenty characters …"#);
    assert_eq!(first(r#"["\u001b[31m\n"]"#), r#""\u{1b}[31m\n""#);
}

#[test]
fn value_counts_counts_each_value_missing_ones_too() {
    let kinds = r#"let f = frame(#{
        kind: ["safe", "unsafe", (), "safe", "task", "unsafe", "safe"],
        x: [2, 1, 1, 2, 3, 1, ()],
    });"#;
    let counted = |what: &str| run(&format!("{kinds} {what}"));
    assert_eq!(
        counted(r#"f.value_counts("kind")"#),
        json!([
            {"kind": "safe", "count": 3}, {"kind": "unsafe", "count": 2},
            {"kind": "task", "count": 1}, {"kind": null, "count": 1},
        ])
    );
    assert_eq!(
        counted(r#"f.value_counts("x")"#),
        json!([
            {"x": 1, "count": 3}, {"x": 2, "count": 2}, {"x": 3, "count": 1}, {"x": null, "count": 1},
        ])
    );
    assert_eq!(
        counted(r#"f.value_counts(["kind", "x"]).head(2)"#),
        json!([{"kind": "safe", "x": 2, "count": 2}, {"kind": "unsafe", "x": 1, "count": 2}])
    );
    let shares = counted(r#"f.value_counts("kind", #{ normalize: true })["proportion"]"#);
    assert_eq!(shares, json!([3.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0, 1.0 / 7.0]));
    assert_eq!(
        counted(r#"f.value_counts("kind", #{ name: "rows" }).columns()"#),
        json!(["kind", "rows"])
    );
    assert_eq!(
        run(r#"["b", "a", "b", ()].value_counts()"#),
        json!([{"value": "b", "count": 2}, {"value": "a", "count": 1}, {"value": null, "count": 1}])
    );
}

#[test]
fn value_counts_holds_for_every_kind_of_column() {
    for (values, expected) in [
        ("[true, false, true]", json!([[true, 2], [false, 1]])),
        ("[0.5, 0 / 0, 0.5, 0 / 0, 0 / 0]", json!([[null, 3], [0.5, 2]])),
        ("[[2], [1], [2]]", json!([[[2], 2], [[1], 1]])),
        ("[#{ a: 2 }, #{ a: 1 }, #{ a: 2 }]", json!([[{"a": 2}, 2], [{"a": 1}, 1]])),
        ("[(), ()]", json!([[null, 2]])),
        ("[]", json!([])),
    ] {
        let counted = run(&format!(
            r#"frame(#{{ x: {values} }}).value_counts("x").rows().map(|row| [row.x, row.count])"#
        ));
        assert_eq!(counted, expected, "{values}");
    }
    assert_eq!(run("[].value_counts().columns()"), json!(["value", "count"]));
}

#[test]
fn value_counts_refuses_what_it_cannot_count() {
    fails_with(
        r#"frame(#{ kind: [1] }).value_counts("kinds")"#,
        &["unknown column `kinds`", "did you mean `kind`?"],
    );
    fails_with(
        "frame(#{ kind: [1] }).value_counts(3)",
        &["value_counts", "a column name", "got 3"],
    );
    fails_with("frame(#{ kind: [1] }).value_counts([])", &["at least one column"]);
    fails_with(r#"frame(#{ k: [1] }).value_counts(["k", "k"])"#, &["`k` is named twice"]);
    fails_with(r#"frame([]).value_counts("kind")"#, &["unknown column `kind`"]);
    fails_with(
        r#"frame(#{ k: [1] }).value_counts("k", #{ normalise: true })"#,
        &["unknown option `normalise`", "did you mean `normalize`?"],
    );
    fails_with(r#"[1, "a"].value_counts()"#, &["row 1 of column `value`", "the string \"a\""]);
    let taken = error(r#"frame(#{ count: [1] }).value_counts("count")"#);
    assert!(taken.message.contains("would be called `count` too"), "{taken:?}");
    assert!(taken.hint.unwrap().contains("name: \"rows\""));
}

#[test]
fn columns_and_expressions_are_named_one_by_one_or_in_an_array() {
    for (one_by_one, array) in [
        (r#"f.select("id", "text")"#, r#"f.select(["id", "text"])"#),
        (
            r#"f.select("id", (col("id") * 2).alias("double"), ["text", "ok"])"#,
            r#"f.select(["id", (col("id") * 2).alias("double"), "text", "ok"])"#,
        ),
        (r#"f.drop("id", "info")"#, r#"f.drop(["id", "info"])"#),
        (r#"f.unique("ok", "tokens")"#, r#"f.unique(["ok", "tokens"])"#),
        (
            r#"f.with_columns(lit(1).alias("a"), col("id").alias("b"))"#,
            r#"f.with_columns([lit(1).alias("a"), col("id").alias("b")])"#,
        ),
        (
            r#"f.group_by("ok", "score").agg(len().alias("n"), col("id").sum())"#,
            r#"f.group_by(["ok", "score"]).agg([len().alias("n"), col("id").sum()])"#,
        ),
    ] {
        let same = looked(&format!("let a = {one_by_one}; let b = {array}; [a == b, a.len() > 0]"));
        assert_eq!(same, json!([true, true]), "{one_by_one}");
    }
    let wide = "let f = frame(#{ a: [1], b: [2], c: [3], d: [4], e: [5], g: [6], h: [7], i: [8], j: [9] });";
    let eight = format!(r#"{wide} f.drop("a", "b", "c", "d", "e", "g", "h", "i").columns()"#);
    assert_eq!(run(&eight), json!(["j"]));
    // A closure's variable is handed over like any other.
    let captured =
        r#"let name = "id"; let pick = |g| g.select(name, "ok").columns(); pick.call(f)"#;
    assert_eq!(looked(captured), json!(["id", "ok"]));
}

#[test]
fn what_is_no_column_is_told_with_its_place_among_the_arguments() {
    let fails = |what: &str, parts: &[&str]| fails_with(&format!("{ROWS} {what}"), parts);
    fails(r#"f.select("id", 3)"#, &["argument 2 of select", "a column name", "got 3"]);
    fails(r#"f.drop("id", 0.5)"#, &["argument 2 of drop", "a column name", "got 0.5"]);
    fails(r#"f.drop("id", col("ok"))"#, &["argument 2 of drop", "a column name"]);
    fails(r#"f.group_by(true, "id")"#, &["argument 1 of group_by", "got true"]);
    fails(r#"f.with_columns(col("id"), #{ a: 1 })"#, &["argument 2 of with_columns", "a map"]);
    fails(r#"f.select(3)"#, &["select: expected a column name", "got 3"]);
    fails(r#"f.select("id", "txt")"#, &["unknown column `txt`", "did you mean `text`?"]);
    fails(r#"f.drop("id", "scores")"#, &["unknown column `scores`", "did you mean `score`?"]);
    fails(r#"f.group_by("id", "tex")"#, &["unknown column `tex`"]);
    let many =
        script_error(&format!(r#"{ROWS} f.drop("a", "b", "c", "d", "e", "g", "h", "i", "j")"#));
    assert!(many.contains("f.drop(names)"), "{many}");
}

#[test]
fn rows_are_drawn_under_the_seed_of_the_session() {
    let f = "let f = frame(#{ x: range(100) });";
    let drawn = |what: &str| run(&format!("{f} {what}"));
    assert_eq!(
        drawn("seed(7); let a = f.sample(5); [a == f.sample(5, 7), a == f.sample(5), a.len()]"),
        json!([true, true, 5])
    );
    assert_eq!(drawn("f.sample(5) == f.sample(5, 0)"), json!(true));
    assert_eq!(drawn("let a = f.sample(5); seed(1); a == f.sample(5)"), json!(false));
    assert_eq!(drawn("seed(3); f.shuffle() == f.shuffle(3)"), json!(true));
    assert_eq!(drawn("f.sample(0).len()"), json!(0));
    fails_with(&format!("{f} f.sample(101)"), &["at most 100 rows", "got 101"]);
    fails_with(&format!("{f} f.sample(-1)"), &["a number of rows", "got -1"]);
    assert!(script_error(&format!("{f} f.sample(10 / 2)")).contains("div_floor(a, b)"));
}
