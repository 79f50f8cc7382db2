//! Large files in pieces: the same rows as in one piece, whatever the groups, and only what is wanted.

use serde_json::json;

use super::{fails_with, run, run_in};
use crate::support::fixture;

/// Five rows in groups of two, written by pyarrow: x, texts and scores.
fn groups() -> std::path::PathBuf {
    fixture("pieces")
}

#[test]
fn the_pieces_together_are_the_file() {
    let script = r#"
        let sizes = [];
        let whole = read_pieces("groups.parquet", |piece| { sizes.push(piece.len()); piece }, #{ rows: 2 });
        [whole == read("groups.parquet"), sizes]"#;
    assert_eq!(run_in(&groups(), script).map_err(|e| e.message), Ok(json!([true, [2, 2, 1]])));
    let script = r#"
        let numbered = read_pieces("groups.parquet", |piece| piece.filter(col("x") % 2 == 1), #{ columns: "x", row_index: "row", rows: 1 });
        [numbered, numbered.columns()]"#;
    assert_eq!(
        run_in(&groups(), script).map_err(|e| e.message),
        Ok(json!([
            [{ "row": 1, "x": 1 }, { "row": 3, "x": 3 }],
            ["row", "x"]
        ]))
    );
}

#[test]
fn a_closure_may_keep_nothing_and_columns_stay() {
    let script = r#"
        let none = read_pieces("groups.parquet", |piece| ());
        let empty = read_pieces("groups.parquet", |piece| piece.filter(col("x") > 9), #{ rows: 1 });
        [none.len(), empty.len(), empty.columns()]"#;
    let expected = json!([0, 0, ["x", "texts", "scores"]]);
    assert_eq!(run_in(&groups(), script).map_err(|e| e.message), Ok(expected));
}

#[test]
fn other_files_are_one_piece() {
    let script = r#"
        frame(#{ x: [1, 2, 3] }).write("a.jsonl");
        frame(#{ x: [4] }).write("b.jsonl");
        read_pieces("*.jsonl", |piece| piece.filter(col("x") > 1), #{ row_index: "row" })"#;
    assert_eq!(
        run(script),
        json!([
            { "row": 1, "x": 2, "file": "a.jsonl" },
            { "row": 2, "x": 3, "file": "a.jsonl" },
            { "row": 3, "x": 4, "file": "b.jsonl" },
        ])
    );
}

#[test]
fn what_a_closure_or_an_option_gets_wrong_is_told() {
    let make = r#"frame(#{ x: [1, 2] }).write("a.parquet");"#;
    let says = |rest: &str, parts: &[&str]| fails_with(&format!("{make} {rest}"), parts);
    says(
        r#"read_pieces("a.parquet", |piece| 7)"#,
        &["the closure of read_pieces: expected a frame, or () to keep nothing"],
    );
    says(r#"read_pieces("a.parquet", |piece| piece, #{ columns: "y" })"#, &["unknown column `y`"]);
    says(r#"read_pieces("a.parquet", |piece| piece, #{ row_index: "x" })"#, &["already"]);
    says(r#"read_pieces("a.parquet", |piece| piece, #{ rows: 0 })"#, &["at least 1"]);
    says(r#"read_pieces("a.parquet", |piece| piece.row(5))"#, &["an index below 2"]);
}

#[test]
fn only_the_wanted_columns_and_rows_of_a_file_are_read() {
    let script = r#"[
        read("groups.parquet", #{ columns: ["scores", "x"], rows: 3 }),
        read("groups.parquet", #{ rows: 0 }).columns(),
        read("groups.parquet", #{ columns: "x", types: #{ x: "str" } })["x"],
    ]"#;
    let expected = json!([
        [{ "scores": [0.95], "x": 0 }, { "scores": [], "x": 1 }, { "scores": null, "x": 2 }],
        ["x", "texts", "scores"],
        ["0", "1", "2", "3", "4"],
    ]);
    assert_eq!(run_in(&groups(), script).map_err(|e| e.message), Ok(expected));
    // A column with bytes that are nonsense is no matter where it is not wanted.
    let path = groups().join("groups.parquet");
    let mut bytes = std::fs::read(path).unwrap();
    let place = bytes.windows(4).position(|four| four == b"kind").unwrap();
    bytes[place - 12..place + 4].fill(0xff);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.parquet"), bytes).unwrap();
    let script = r#"read("a.parquet", #{ columns: "x" })["x"]"#;
    assert_eq!(run_in(folder.path(), script).map_err(|e| e.message), Ok(json!([0, 1, 2, 3, 4])));
    let error = run_in(folder.path(), r#"read("a.parquet")"#).unwrap_err();
    assert!(error.message.contains("the column `texts`"), "{}", error.message);
}

/// What was filtered out of a piece does not keep the piece's texts.
#[test]
fn rows_that_are_kept_keep_no_others() {
    let text = "x".repeat(1000);
    let rows =
        polars::df!("text" => vec![text.as_str(); 4000], "n" => (0..4000_i64).collect::<Vec<_>>());
    let frame = rows.unwrap().slice(17, 1);
    let kept = ebb::frame::compact::compact(&frame).unwrap();
    assert!(kept.equals_missing(&frame));
    let held = |frame: &polars::prelude::DataFrame| {
        let column = frame.column("text").unwrap().as_materialized_series().clone();
        let texts = column.str().unwrap().clone();
        let chunks = texts.downcast_iter();
        chunks.map(|chunk| chunk.total_buffer_len()).sum::<usize>()
    };
    assert!(held(&frame) >= 1000, "{}", held(&frame));
    assert_eq!(held(&kept), 1000);
}
