//! Reading and writing files.

use std::io::Write;

use ebb::script::engine::Session;
use ebb::script::host::{Event, Host};
use serde_json::{Value, json};

use super::{read, read_fails, run, run_in};
use crate::support::shared;

const ROWS: &str = r#"[
    #{ text: "plain", count: 1, share: 0.5, flag: true },
    #{ text: "a \"quoted\", word\nand a line", count: -2, share: 1e-9, flag: false },
    #{ text: "ünï — ✓", count: (), share: (), flag: () },
]"#;

fn expected() -> Value {
    json!([
        {"count": 1, "flag": true, "share": 0.5, "text": "plain"},
        {"count": -2, "flag": false, "share": 1e-9, "text": "a \"quoted\", word\nand a line"},
        {"count": null, "flag": null, "share": null, "text": "ünï — ✓"},
    ])
}

#[test]
fn every_format_gives_back_what_was_written() {
    for extension in ["jsonl", "ndjson", "json", "csv", "tsv", "parquet"] {
        for packed in ["", ".gz"] {
            let name = format!("rows.{extension}{packed}");
            let script = format!("frame({ROWS}).write({name:?}); read({name:?})");
            assert_eq!(run(&script), expected(), "{name}");
        }
    }
}

#[test]
fn nested_values_come_back_from_json_and_parquet() {
    let rows = r#"[
        #{ info: #{ name: "a", tags: ["x", "y"] }, pairs: [[1, 2], [3]] },
        #{ info: #{ name: "b", tags: [] }, pairs: [] },
        #{ info: (), pairs: () },
    ]"#;
    let expected = json!([
        {"info": {"name": "a", "tags": ["x", "y"]}, "pairs": [[1, 2], [3]]},
        {"info": {"name": "b", "tags": []}, "pairs": []},
        {"info": null, "pairs": null},
    ]);
    for name in ["a.jsonl", "a.json", "a.parquet"] {
        let script = format!("frame({rows}).write({name:?}); read({name:?})");
        assert_eq!(run(&script), expected, "{name}");
    }
}

#[test]
fn csv_has_no_form_for_lists_and_leaves_no_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"frame([#{ x: [1, 2] }]).write("lists.csv")"#;
    assert!(run_in(folder.path(), script).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_failed_write_keeps_the_older_file() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"frame(#{ x: [1] }).write("a.csv"); frame([#{ x: [1, 2] }]).write("a.csv")"#;
    assert!(run_in(folder.path(), script).is_err());
    let kept = std::fs::read_to_string(folder.path().join("a.csv")).unwrap();
    assert_eq!(kept, "x\n1\n");
}

#[test]
fn write_returns_the_frame_and_makes_missing_folders() {
    assert_eq!(run(r#"frame(#{ x: [1, 2] }).write("a/b/c.jsonl").len()"#), json!(2));
}

#[test]
fn a_folder_puts_its_files_below_each_other_and_names_them() {
    let script = r#"
        frame(#{ x: [1], y: ["a"] }).write("data/b.jsonl");
        frame(#{ x: [2], z: [0.5] }).write("data/a.jsonl");
        frame(#{ about: ["not a row"] }).write("data/table.csv");
        read(PATH).select(["x", "y", "z", "file"])
    "#;
    let expected = json!([
        {"x": 2, "y": null, "z": 0.5, "file": "a.jsonl"},
        {"x": 1, "y": "a", "z": null, "file": "b.jsonl"},
    ]);
    for path in ["data", "data/", "data/*.jsonl", "data/?.jsonl", "data/[ab].jsonl"] {
        assert_eq!(run(&script.replace("PATH", &format!("{path:?}"))), expected, "{path}");
    }
    let one = run(&script.replace("PATH", "\"data/[a].jsonl\"").replace(r#""y", "z", "#, ""));
    assert_eq!(one, json!([{"x": 2, "file": "a.jsonl"}]));
}

#[test]
fn a_name_with_brackets_is_a_name_where_there_is_such_a_file() {
    let script = r#"frame(#{ x: [1] }).write("data[1].csv"); read("data[1].csv")"#;
    assert_eq!(run(script), json!([{"x": 1}]));
}

#[test]
fn numbers_of_several_files_take_a_common_type() {
    let script = r#"
        frame(#{ x: [1] }).write("d/1.jsonl");
        frame(#{ x: [2.5] }).write("d/2.jsonl");
        read("d")["x"]
    "#;
    assert_eq!(run(script), json!([1.0, 2.5]));
}

#[test]
fn missing_things_are_told() {
    super::fails_with(r#"read("no.jsonl")"#, &["cannot read no.jsonl", "no such file"]);
    super::fails_with(r#"read("*.jsonl")"#, &["no file matches \"*.jsonl\""]);
    super::fails_with(r#"read("notes.docx")"#, &["no such file"]);
    super::fails_with(r#"frame(#{ x: [1] }).write("notes.docx")"#, &["unknown file format `docx`"]);
    super::fails_with(r#"read("ebb/bbq-sampel")"#, &["did you mean `ebb/bbq-sample`"]);
    super::fails_with(r#"read("hf/org/name")"#, &["Hub"]);
    super::fails_with(
        r#"frame(#{ abc: [1] }).write("a.csv"); read("a.csv", #{ columns: ["abd"] })"#,
        &["unknown column `abd`", "did you mean `abc`"],
    );
    super::fails_with(r#"read("a.csv", #{ colums: [] })"#, &["unknown option `colums`"]);
}

#[test]
fn paths_outside_the_working_folder_are_refused() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.jsonl");
    std::fs::write(&secret, "{\"a\":1}\n").unwrap();
    super::fails_with(&format!("read({:?})", secret.display().to_string()), &["not allowed"]);
    let pattern = format!("read({:?})", outside.path().join("*.jsonl").display().to_string());
    super::fails_with(&pattern, &["not allowed"]);
    super::fails_with(r#"frame(#{ x: [1] }).write("../escaped.csv")"#, &["not allowed"]);
}

#[cfg(unix)]
#[test]
fn a_link_in_a_folder_does_not_lead_out_of_it() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.jsonl");
    std::fs::write(&secret, "{\"a\":1}\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::os::unix::fs::symlink(&secret, folder.path().join("data/link.jsonl")).unwrap();
    for script in [r#"read("data")"#, r#"read("data/*.jsonl")"#] {
        let error = run_in(folder.path(), script).unwrap_err();
        assert!(error.message.contains("not allowed"), "{}", error.message);
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link_that_leads_out() {
    let outside = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    let error = run_in(folder.path(), r#"frame(#{ x: [1] }).write("link/x.jsonl")"#).unwrap_err();
    assert!(error.message.contains("not allowed"), "{}", error.message);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn every_file_read_is_told_with_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "x\n1\n").unwrap();
    let host = std::rc::Rc::new(Host::quiet(folder.path().to_path_buf()));
    let told = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let listener = told.clone();
    *host.listener.borrow_mut() = Box::new(move |event| {
        if let Event::Input { name, sha256 } = event {
            listener.borrow_mut().push((name, sha256.unwrap()));
        }
    });
    let _ = Session::new(host, "test").evaluate("", r#"read("a.csv")"#).unwrap();
    let told = told.borrow();
    assert_eq!(told.len(), 1);
    assert!(told[0].0.ends_with("a.csv"));
    assert_eq!(told[0].1, ebb::files::sha256(b"x\n1\n"));
}

#[test]
fn bundled_samples_are_there() {
    assert!(run(r#"read("ebb/bbq-sample").len()"#).as_i64().unwrap() > 100);
    assert!(run(r#"read("ebb/tasks-sample").len()"#).as_i64().unwrap() > 100);
}

#[test]
fn json_lines_may_have_a_mark_blank_lines_and_windows_line_ends() {
    let text = "\u{feff}{\"a\":1}\r\n\r\n{\"a\":2}\r\n   \n";
    assert_eq!(read("a.jsonl", text), Ok(json!([{"a": 1}, {"a": 2}])));
    assert_eq!(
        read("a.jsonl", "{\"a\":1}\n{\"b\":[]}"),
        Ok(json!([{"a": 1, "b": null}, {"a": null, "b": []}]))
    );
}

#[test]
fn values_of_mixed_kinds_are_never_lost() {
    let rows = |text: &str| read("a.jsonl", text);
    assert_eq!(rows("{\"a\":1}\n{\"a\":2.5}\n"), Ok(json!([{"a": 1.0}, {"a": 2.5}])));
    assert_eq!(
        rows("{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":true}\n{\"a\":2.5}\n{\"a\":null}\n"),
        Ok(json!([{"a": "1"}, {"a": "x"}, {"a": "true"}, {"a": "2.5"}, {"a": null}]))
    );
    assert_eq!(
        rows("{\"a\":{\"b\":1}}\n{\"a\":{\"b\":\"x\",\"c\":2}}\n"),
        Ok(json!([{"a": {"b": "1", "c": null}}, {"a": {"b": "x", "c": 2}}]))
    );
    assert_eq!(rows("{\"a\":[1,null,2.5]}\n"), Ok(json!([{"a": [1.0, null, 2.5]}])));
    assert_eq!(
        rows("{\"a\":[{\"b\":1}]}\n{\"a\":[{\"c\":\"z\"},null]}\n"),
        Ok(json!([{"a": [{"b": 1, "c": null}]}, {"a": [{"b": null, "c": "z"}, null]}]))
    );
    // 2^63 has no signed form of 64 bits: its digits are kept as text.
    assert_eq!(rows("{\"a\":9223372036854775808}\n"), Ok(json!([{"a": "9223372036854775808"}])));
}

#[test]
fn what_no_column_can_hold_is_told_with_its_line() {
    read_fails(
        "a.jsonl",
        "{\"a\":1}\n\n{\"a\":[1]}\n",
        &["a.jsonl, line 3", "`a`", "a whole number", "a list here"],
    );
    read_fails(
        "a.jsonl",
        "{\"a\":{\"b\":[1]}}\n{\"a\":{\"b\":{}}}\n",
        &["line 2", "`a.b`", "a list", "a map here"],
    );
    read_fails("a.json", "[{\"a\":\"x\"}, {\"a\":{}}]", &["row 1", "`a`"]);
}

#[test]
fn malformed_json_is_told_with_its_line() {
    read_fails(
        "a.jsonl",
        "{\"a\":1}\n{\"a\":2\n{\"a\":3}\n",
        &["a.jsonl, line 2", "malformed JSON"],
    );
    read_fails("a.jsonl", "{\"a\":1} junk\n", &["line 1", "trailing characters"]);
    read_fails(
        "a.jsonl",
        "{\"a\":1}\n[1]\n",
        &["line 2", "expected a JSON map on each line, got a list"],
    );
    read_fails("a.jsonl", b"{\"a\":\"\xff\"}\n", &["line 1", "malformed JSON"]);
    read_fails("a.csv", b"a\xff,b\n1,2\n", &["a.csv, line 1", "no UTF-8"]);
    read_fails("a.tsv", b"a\tb\n1\t\xe9\n", &["a.tsv, line 2", "no UTF-8"]);
    read_fails("a.json", "[{\"a\":1},\n{\"a\":2]", &["a.json, line 2"]);
    read_fails("a.json", "[{\"a\":1}, 2]", &["row 1", "expected a map, got a whole number"]);
    read_fails("a.json", "3", &["expected a list of maps"]);
    read_fails("a.jsonl", " \n", &["the file is empty"]);
}

#[test]
fn json_under_either_name_is_read_as_what_it_is() {
    assert_eq!(read("a.json", "[]"), Ok(json!([])));
    assert_eq!(read("a.json", "{\"a\": [1, 2]}"), Ok(json!([{"a": [1, 2]}])));
    assert_eq!(read("a.json", "{\"a\": 1}\n{\"a\": 2}\n"), Ok(json!([{"a": 1}, {"a": 2}])));
}

#[test]
fn csv_cells_keep_quotes_commas_and_line_breaks() {
    assert_eq!(
        read("a.csv", "a,b\n1,\"x, \"\"y\"\"\nz\"\n,\n"),
        Ok(json!([{"a": 1, "b": "x, \"y\"\nz"}, {"a": null, "b": null}]))
    );
    assert_eq!(read("a.csv", "\u{feff}a,b\r\n1,2\r\n"), Ok(json!([{"a": 1, "b": 2}])));
    assert_eq!(read("a.csv", "a,b\n"), Ok(json!([])));
    assert_eq!(read("a.csv", "a\n1\nx\n2.5\n"), Ok(json!([{"a": "1"}, {"a": "x"}, {"a": "2.5"}])));
    assert_eq!(read("a.tsv", "a\tb\n1\tx y\n"), Ok(json!([{"a": 1, "b": "x y"}])));
}

#[test]
fn a_csv_column_is_what_all_of_its_cells_are() {
    let column = |cells: &str| -> Value {
        let rows = read("a.csv", format!("x,y\n{}", cells.replace(';', ",\n"))).unwrap();
        rows.as_array().unwrap().iter().map(|row| row["x"].clone()).collect()
    };
    assert_eq!(column("1;2;"), json!([1, 2]));
    assert_eq!(column("1;2.50;"), json!([1.0, 2.5]));
    assert_eq!(column("1;2.50;x;"), json!(["1", "2.50", "x"]));
    assert_eq!(column("1;true;"), json!(["1", "true"]));
    assert_eq!(column("true;False;;"), json!([true, false, null]));
    assert_eq!(column("1;;3;"), json!([1, null, 3]));
    // As polars and pandas have it: leading zeros need `types`, quotes or not.
    assert_eq!(column("\"007\";\"8\";"), json!([7, 8]));
    assert_eq!(column("007;x;"), json!(["007", "x"]));
    assert_eq!(column("+5;6;"), json!(["+5", "6"]));
    assert_eq!(column(" 5;6;"), json!([" 5", "6"]));
    // JSON, in which a test sees it, has no infinity.
    assert_eq!(column("-0;1e3;inf;"), json!([-0.0, 1000.0, null]));
    assert_eq!(column(";;"), json!([null, null]));
}

#[test]
fn csv_may_have_a_mark_and_windows_line_ends() {
    let text = "\u{feff}id,name\r\n1,\"a\r\nb\"\r\n2,c\r\n";
    assert_eq!(
        read("a.csv", text).unwrap(),
        json!([{"id": 1, "name": "a\r\nb"}, {"id": 2, "name": "c"}])
    );
}

#[test]
fn columns_of_one_name_are_told_apart() {
    assert_eq!(
        read("a.csv", "a,b,a\n1,2,3\n").unwrap(),
        json!([{"a": 1, "b": 2, "a_duplicated_0": 3}])
    );
    // The last of a key counts, as in Python.
    assert_eq!(read("a.jsonl", "{\"a\":1,\"a\":2}\n").unwrap(), json!([{"a": 2}]));
}

#[test]
fn csv_records_of_another_length_are_told_with_their_line() {
    read_fails("a.csv", "a,b\n1,2\n3\n", &["a.csv, line 3", "expected 2 cells, got 1"]);
    read_fails("a.csv", "a,b\n1,\"x\ny\"\n3,4,5\n", &["line 4", "expected 2 cells, got 3"]);
    read_fails("a.csv", "a,b\n1,2\n3,\"open\n4,5\n", &["line 3", "never closed"]);
    read_fails("a.csv", "a,b\n1,5\" disk\n2,6\" disk\n", &["line 2", "a quote stands inside"]);
}

#[test]
fn a_torn_gzip_file_is_told() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(b"{\"a\":1}\n").unwrap();
    let mut packed = packed.finish().unwrap();
    packed.truncate(packed.len() - 5);
    read_fails("a.jsonl.gz", &packed, &["not a whole gzip file"]);
    read_fails("a.jsonl.gz", b"plain text", &["not a whole gzip file"]);
}

/// All 58,492 rows of the benchmark's eleven files. How long it takes is printed, not asserted: the other tests run beside it.
#[test]
fn the_real_benchmark_is_read_whole() {
    let Some(folder) = shared("data/bbq") else {
        return;
    };
    let script = r#"let began = timestamp(); let rows = read("."); let seconds = began.elapsed;
        let names = rows.select(col("answer_info").field("ans0").item(0).n_unique()).row(0);
        [rows.len(), names.values()[0], rows["question_index"][0], seconds]"#;
    let found = run_in(&folder, script).unwrap();
    assert_eq!(found[0], json!(58_492));
    assert_eq!(found[1], json!(2_509));
    assert_eq!(found[2], json!("1"));
    eprintln!("read 58,492 rows in {} s", found[3]);
}

/// Every table of the real data can be read, with the number of records that its README states.
#[test]
fn the_real_tables_have_their_number_of_rows() {
    let Some(folder) = shared("data") else {
        return;
    };
    for (file, rows) in [
        ("bbq/additional_metadata.csv", 58_556),
        ("crows_pairs/crows_pairs_anonymized.csv", 1_508),
        ("context_toxicity/gc.csv", 10_000),
        ("context_toxicity/gn.csv", 10_000),
        ("toxic_spans/comments.csv", 16_100),
        ("toxic_spans/annotations.csv", 59_215),
        ("surge_toxicity/toxicity_en.csv", 1_000),
        ("davidson/labeled_data.csv", 24_783),
        ("unintended_bias/toxicity_fuzzed_testset.csv", 1_492),
        ("unintended_bias/toxicity_nonfuzzed_testset.csv", 1_492),
        ("alpaca/alpaca_5000.json", 5_000),
        ("safety_instructions/safety_only_data_Instructions.json", 2_483),
        ("hh_rlhf/harmless-base_test.jsonl.gz", 2_312),
        ("rtp/quark_val_5000.jsonl", 5_000),
        ("squad/xquad.en.json", 1),
        ("stereoset/dev.json.gz", 1),
        ("harmfulqa/harmfulqa.json", 1),
    ] {
        let found = run_in(&folder, &format!("read({file:?}).len()"));
        assert_eq!(found.map_err(|e| e.message), Ok(json!(rows)), "{file}");
    }
}
