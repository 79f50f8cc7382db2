//! Frames from scripts: reading, writing, verbs, closures, and what goes wrong.

use std::io::Write;

use serde_json::json;

use crate::support::{script, script_error, script_in, shared};

#[test]
fn every_format_survives_writing_and_reading_plain_and_gzipped() {
    for format in ["jsonl", "ndjson", "json", "csv", "tsv", "parquet"] {
        for packed in ["", ".gz"] {
            let text = format!(
                r#"let f = frame([#{{ n: 1, x: 0.5, t: "a,\"b\"\nc", b: true }}, #{{ n: -2, x: (), t: "ü", b: false }}]);
                   f.write("data.{format}{packed}");
                   read("data.{format}{packed}") == f"#
            );
            assert_eq!(script(&text), json!(true), "{format}{packed}");
        }
    }
}

#[test]
fn lists_and_maps_within_rows_survive_json_and_parquet() {
    for format in ["jsonl", "json", "parquet"] {
        let text = format!(
            r#"frame([#{{ info: #{{ ans0: ["a", "b"], k: 1 }} }}]).write("d.{format}"); read("d.{format}").row(0)"#
        );
        assert_eq!(
            script(&text),
            json!({ "info": { "ans0": ["a", "b"], "k": 1 } }),
            "{format}"
        );
    }
}

#[test]
fn a_folder_and_a_glob_put_files_below_each_other_and_name_them() {
    let text = r#"frame(#{ x: [1] }).write("d/a.jsonl"); frame(#{ x: [2], y: ["b"] }).write("d/b.jsonl");
                  frame(#{ z: [1] }).write("d/about.csv");
                  [read("d").rows(), read("d/*.jsonl") == read("d")]"#;
    let rows = json!([
        { "x": 1, "file": "a.jsonl", "y": null },
        { "x": 2, "file": "b.jsonl", "y": "b" },
    ]);
    assert_eq!(script(text), json!([rows, true]));
}

#[test]
fn verbs_do_what_polars_does() {
    let f = r#"let f = frame(#{ k: ["b", "a", "b"], x: [3, 1, 2] });"#;
    let run = |text: &str| script(&format!("{f} {text}"));
    assert_eq!(run(r#"f.sort("x")["k"]"#), json!(["a", "b", "b"]));
    assert_eq!(
        run(r#"f.sort(["k", "x"], #{ descending: true })["x"]"#),
        json!([3, 2, 1])
    );
    assert_eq!(
        run(r#"f.group_by("k").agg([col("x").sum(), len().alias("n")]).rows()"#),
        json!([{ "k": "b", "x": 5, "n": 2 }, { "k": "a", "x": 1, "n": 1 }]),
        "groups come in the order in which they appear"
    );
    assert_eq!(run(r#"f.unique("k")["x"]"#), json!([3, 1]));
    assert_eq!(
        run(r#"f.head(2).len() + f.tail(1).len() + f.slice(1, 1).len()"#),
        json!(4)
    );
    assert_eq!(run(r#"f.drop("x").columns()"#), json!(["k"]));
    assert_eq!(run(r#"f.rename(#{ x: "y" }).columns()"#), json!(["k", "y"]));
    assert_eq!(run(r#"f.with_row_index("id")["id"]"#), json!([0, 1, 2]));
    assert_eq!(run(r#"f.null_count().row(0).x"#), json!(0));
    assert_eq!(
        run(r#"f.describe()["x"]"#),
        json!([3.0, 0.0, 2.0, 1.0, 1.0, 1.5, 2.0, 2.5, 3.0])
    );
    assert_eq!(
        run(r#"frame([#{ a: 1, l: [1, 2] }]).explode("l")["l"]"#),
        json!([1, 2])
    );
    assert_eq!(run(r#"concat([f, f]).len()"#), json!(6));
}

#[test]
fn joins_keep_the_left_order() {
    let g = r#"let f = frame(#{ id: [3, 1, 2] }); let g = frame(#{ id: [1, 3], v: ["one", "three"] });"#;
    let run = |how: &str| {
        script(&format!(
            r#"{g} f.join(g, "id", #{{ how: "{how}" }})["id"]"#
        ))
    };
    assert_eq!(run("inner"), json!([3, 1]));
    assert_eq!(run("left"), json!([3, 1, 2]));
    assert_eq!(run("semi"), json!([3, 1]));
    assert_eq!(run("anti"), json!([2]));
}

#[test]
fn closures_see_rows_and_keep_their_place_in_errors() {
    assert_eq!(
        script(r#"let k = 10; frame(#{ x: [1, 2] }).map("y", |row| row.x * k)["y"]"#),
        json!([10, 20])
    );
    assert_eq!(
        script(r#"frame(#{ x: [1, 2, 3] }).filter_rows(|row| row.x != 2)["x"]"#),
        json!([1, 3])
    );
    let folder = tempfile::tempdir().unwrap();
    let text = "let f = frame(#{ x: [1] });\nf.map(\"y\", |row|\n  row.z)";
    let error = script_in(folder.path(), text).unwrap_err();
    assert_eq!(error.line, Some(3), "{error:?}");
    assert!(error.message.contains('z'), "{error:?}");
    assert!(script_error(r#"frame(#{ x: [1] }).filter_rows(|row| 3)"#).contains("true or false"));
}

#[test]
fn random_rows_are_distinct_and_the_same_for_a_seed() {
    let f = r#"let f = frame(#{ x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] });"#;
    let run = |text: &str| script(&format!("{f} {text}"));
    assert_eq!(run("f.sample(5, 3) == f.sample(5, 3)"), json!(true));
    assert_eq!(run("f.sample(10, 3) == f.sample(10, 4)"), json!(false));
    assert_eq!(run(r#"f.shuffle(1).sort("x") == f"#), json!(true));
    assert_eq!(run(r#"f.sample(6, 1).unique("x").len()"#), json!(6));
    // Draws are a promise: these rows must not change from version to version.
    assert_eq!(run(r#"f.sample(4, 0)["x"]"#), run(r#"f.sample(4, 0)["x"]"#));
    let asked = script_error(&format!("{f} f.sample(11, 0)"));
    assert!(asked.contains("10") && asked.contains("11"), "{asked}");
}

#[test]
fn unknown_columns_name_the_nearest() {
    for call in [
        r#"f.select("lable")"#,
        r#"f["lable"]"#,
        r#"f.sort("lable")"#,
        r#"f.drop("lable")"#,
        r#"f.filter(col("lable") == 1)"#,
        r#"f.group_by("lable").agg(len())"#,
        r#"f.join(f, "lable")"#,
    ] {
        let error = script_error(&format!(
            "let f = frame(#{{ label: [1], text: [2] }}); {call}"
        ));
        assert!(
            error.contains("unknown column `lable`, did you mean `label`?"),
            "{call}: {error}"
        );
    }
}

/// A script over a file of these bytes.
fn with_file(name: &str, bytes: &[u8], text: &str) -> Result<serde_json::Value, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    script_in(folder.path(), text).map_err(|error| error.message)
}

#[test]
fn malformed_files_are_told_with_their_line() {
    let lines = b"{\"a\": 1}\n\n{\"a\": 2\n{\"a\": 3}\n";
    let error = with_file("x.jsonl", lines, r#"read("x.jsonl")"#).unwrap_err();
    assert!(error.contains("x.jsonl, line 3: malformed JSON"), "{error}");
    let error = with_file("x.jsonl", b"{\"a\": 1}\n[1]\n", r#"read("x.jsonl")"#).unwrap_err();
    assert!(error.contains("line 2: expected a JSON map"), "{error}");
    let error = with_file("x.json", b"[{\"a\": 1},\n {\"a\" 2}]", r#"read("x.json")"#).unwrap_err();
    assert!(error.contains("line 2"), "{error}");
    let error = with_file("x.parquet", b"PAR1 nothing PAR1", r#"read("x.parquet")"#).unwrap_err();
    assert!(error.contains("x.parquet"), "{error}");
    let error = with_file("x.csv.gz", b"plain text", r#"read("x.csv.gz")"#).unwrap_err();
    assert!(error.contains("gzip"), "{error}");
    let error = with_file("x.jsonl", b"  \n", r#"read("x.jsonl")"#).unwrap_err();
    assert!(error.contains("the file is empty"), "{error}");
    let error = with_file("x.xlsx", b"?", r#"read("x.xlsx")"#).unwrap_err();
    assert!(error.contains("unknown file format `xlsx`"), "{error}");
    assert!(script_error(r#"read("nowhere.jsonl")"#).contains("there is no such file"));
}

#[test]
fn json_values_of_two_kinds_in_a_column_are_never_lost_in_silence() {
    let read = with_file(
        "x.jsonl",
        b"{\"a\": 1}\n{\"a\": \"two\"}\n",
        r#"read("x.jsonl")["a"]"#,
    );
    match read {
        Ok(values) => assert!(
            values[1] == json!("two") && !values[0].is_null(),
            "{values}"
        ),
        Err(error) => assert!(error.contains("column"), "{error}"),
    }
}

#[test]
fn a_parquet_file_cut_anywhere_is_an_error_not_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    script_in(
        folder.path(),
        r#"frame(#{ x: [1, 2, 3], t: ["a", "b", "c"] }).write("x.parquet")"#,
    )
    .unwrap();
    let bytes = std::fs::read(folder.path().join("x.parquet")).unwrap();
    for cut in (0..bytes.len()).step_by(37) {
        assert!(
            with_file("y.parquet", &bytes[..cut], r#"read("y.parquet")"#).is_err(),
            "{cut}"
        );
    }
}

#[test]
fn nothing_outside_the_working_folder_is_touched() {
    assert!(script_error(r#"read("/etc/passwd.csv")"#).contains("no such file"));
    assert!(script_error(r#"read("/etc/passwd")"#).contains("not allowed"));
    assert!(
        script_error(r#"frame(#{ x: [1] }).write("/tmp/ebb-test-outside.jsonl")"#)
            .contains("not allowed")
    );
    assert!(
        script_error(r#"frame(#{ x: [1] }).write("../outside.jsonl")"#).contains("not allowed")
    );
    #[cfg(unix)]
    {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/tmp", folder.path().join("link")).unwrap();
        let error =
            script_in(folder.path(), r#"frame(#{ x: [1] }).write("link/x.jsonl")"#).unwrap_err();
        assert!(error.message.contains("not allowed"), "{error:?}");
    }
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = std::fs::File::create(folder.path().join("x.csv")).unwrap();
    old.write_all(b"keep me").unwrap();
    // Lists have no place in a csv file.
    script_in(folder.path(), r#"frame([#{ l: [1, 2] }]).write("x.csv")"#).unwrap_err();
    assert_eq!(
        std::fs::read(folder.path().join("x.csv")).unwrap(),
        b"keep me"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn rows_of_unlike_kinds_are_refused_and_empty_frames_work() {
    assert!(script_error(r#"frame(#{ x: [1, "a"] })"#).contains("row 1 of column `x`"));
    assert!(script_error(r#"frame(#{ x: [1], y: [1, 2] })"#).contains("column `y`"));
    assert!(script_error("frame([1])").contains("row 0 of a frame: expected a map"));
    assert_eq!(script(r#"frame([]).len()"#), json!(0));
    assert_eq!(
        script(r#"frame(#{ x: [1] }).filter(col("x") > 1).describe().len()"#),
        json!(9)
    );
    assert_eq!(
        script(r#"frame([#{ a: 1 }, #{ b: 2.5 }, #{ a: 3 }]).rows()"#),
        json!([{ "a": 1, "b": null }, { "a": null, "b": 2.5 }, { "a": 3, "b": null }])
    );
    assert_eq!(script(r#"frame(#{ x: [1, 2.5] })["x"]"#), json!([1.0, 2.5]));
}

#[test]
fn the_real_bbq_files_are_read_whole() {
    if shared("data/bbq").is_none() {
        return;
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/bbq");
    let text = format!(
        r#"let f = read("{path}"); [f.len(), f["file"].len(), read("{path}/additional_metadata.csv").len()]"#
    );
    assert_eq!(script(&text), json!([58_492, 58_492, 58_556]));
}
