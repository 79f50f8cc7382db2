//! Every type that Arrow writes to parquet, against what pyarrow says of the same files.

use serde_json::{Value, json};

use super::run_in;
use crate::support::shared;

/// What pyarrow says of each file: its type and the values of its column `x`.
fn told() -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(folder().join("../parquet.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parquet")
}

#[test]
fn every_type_is_read_as_what_it_means_or_refused_by_name() {
    let mut wrong = Vec::new();
    for (name, file) in told() {
        let found = run_in(&folder(), &format!("read(\"{name}.parquet\")[\"x\"]"));
        match (&file["x"], found) {
            (Value::String(_), Err(error)) => {
                assert!(error.message.contains("the column `x`"), "{}", error.message);
                assert!(!error.message.contains("well-formed"), "{}", error.message);
            }
            (expected, Ok(found)) if *expected == found => {}
            (expected, Ok(found)) => {
                wrong.push(format!("{name} ({}): {found} is not {expected}", file["type"]));
            }
            (_, Err(error)) => wrong.push(format!("{name} ({}): {}", file["type"], error.message)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_type_can_be_shown_described_and_written() {
    for (name, file) in told() {
        if file["x"].is_string() {
            continue;
        }
        let work = tempfile::tempdir().unwrap();
        let file_name = format!("{name}.parquet");
        std::fs::copy(folder().join(&file_name), work.path().join(&file_name)).unwrap();
        let script = format!(
            "let f = read({file_name:?}); let shown = f.to_string(); f.describe().rows(); f.null_count(); f.rows(); \
             if f.len() > 0 {{ f.row(0); }} \
             f.write(\"b.jsonl\"); f.write(\"b.json\"); f.write(\"b.parquet\"); f.head(1).filter(col(\"x\").is_null()); \
             [shown.len() > 0, read(\"b.parquet\") == f, f.len() == 0 || read(\"b.jsonl\").len() == f.len()]"
        );
        let found = run_in(work.path(), &script);
        assert_eq!(found.map_err(|error| error.message), Ok(json!([true, true, true])), "{name}");
        let kind = file["type"].as_str().unwrap_or_default();
        if !["list", "struct", "map"].iter().any(|part| kind.contains(part)) {
            let script = format!(
                "read({file_name:?}).write(\"b.csv\"); read(\"b.csv\").len() == read({file_name:?}).len()"
            );
            let found = run_in(work.path(), &script);
            assert_eq!(found.map_err(|error| error.message), Ok(json!(true)), "{name}");
        }
    }
}

#[test]
fn moments_of_one_zone_sort_and_compare_as_texts() {
    let script = r#"read("timestamp_us_utc.parquet").filter(col("x") > "2024-05-01 12:30").len()"#;
    assert_eq!(run_in(&folder(), script).map_err(|e| e.message), Ok(json!(1)));
}

#[test]
fn the_shared_cases_can_be_read() {
    let Some(folder) = shared("cases/parquet_types") else {
        return;
    };
    for name in ["t_tz", "categorical", "decimal"] {
        let found = run_in(&folder, &format!("read(\"{name}.parquet\").rows().len() > 0"));
        assert_eq!(found.map_err(|error| error.message), Ok(json!(true)), "{name}");
    }
}
