//! Numbers of 64 bits, types that are asked for, and texts that stand for nothing: what a file says is what is read.

use serde_json::json;

use super::{read, read_fails, run, run_in};
use crate::support::shared;

const HASHES: &str = "{\"hash\": 14933243513335727983, \"n\": 1}
{\"hash\": 14933243513335727984, \"n\": 2}
{\"hash\": 14933243513335727983, \"n\": 3}
{\"hash\": 7, \"n\": 4}
";

/// A script over a folder with one file.
fn with_file(name: &str, text: &str, script: &str) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    run_in(folder.path(), script).unwrap_or_else(|error| panic!("{script}: {}", error.message))
}

#[test]
fn identifiers_of_64_bits_are_told_apart_and_written_as_they_were() {
    let script = |rest: &str| format!("let f = read(\"a.jsonl\"); {rest}");
    let run = |rest: &str| with_file("a.jsonl", HASHES, &script(rest));
    assert_eq!(run(r#"f.unique("hash").len()"#), json!(3));
    assert_eq!(
        run(r#"f["hash"]"#),
        json!(["14933243513335727983", "14933243513335727984", "14933243513335727983", "7"])
    );
    assert_eq!(run("f.rows()[1].hash"), json!("14933243513335727984"));
    assert_eq!(run(r#"f.filter(col("hash") == "14933243513335727983")["n"]"#), json!([1, 3]));
    assert_eq!(run(r#"f.filter(col("hash") != "14933243513335727983")["n"]"#), json!([2, 4]));
    assert_eq!(run(r#"f.filter(col("hash").is_in(["14933243513335727984"]))["n"]"#), json!([2]));
    for name in ["b.jsonl", "b.json", "b.csv", "b.tsv", "b.parquet"] {
        assert_eq!(
            run(&format!("f.write({name:?}); read({name:?})[\"hash\"] == f[\"hash\"]")),
            json!(true),
            "{name}"
        );
    }
}

#[test]
fn what_is_written_has_the_digits_that_were_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jsonl"), HASHES).unwrap();
    run_in(folder.path(), r#"read("a.jsonl").select("hash").write("b.jsonl").write("b.csv")"#)
        .unwrap();
    let lines = std::fs::read_to_string(folder.path().join("b.jsonl")).unwrap();
    assert!(lines.starts_with("{\"hash\":\"14933243513335727983\"}\n"), "{lines}");
    let cells = std::fs::read_to_string(folder.path().join("b.csv")).unwrap();
    assert!(cells.starts_with("hash\n14933243513335727983\n"), "{cells}");
}

#[test]
fn long_identifiers_compare_as_texts_and_with_no_number() {
    let run = |rest: &str| {
        let script = format!("let f = read(\"a.jsonl\"); {rest}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jsonl"), HASHES).unwrap();
        run_in(folder.path(), &script).map_err(|error| error.message)
    };
    for (script, expected) in [
        (r#"f.filter(col("hash") == "7")["n"]"#, json!([4])),
        (r#"f.filter(col("hash") == f.row(0).hash)["n"]"#, json!([1, 3])),
        (r#"f.filter(col("hash").is_in(["7"]))["n"]"#, json!([4])),
        (r#"f.filter(col("hash") > "14933243513335727983")["n"]"#, json!([2, 4])),
        (r#"f.filter(col("hash") < "14933243513335727984")["n"]"#, json!([1, 3])),
        (r#"f.join(frame(#{ hash: ["14933243513335727984"], m: [5] }), "hash")["n"]"#, json!([2])),
    ] {
        assert_eq!(run(script), Ok(expected), "{script}");
    }
    // A script rounds a number of that length: it would be equal to several.
    for script in [
        r#"f.filter(col("hash") == 14933243513335727983)"#,
        r#"f.filter(14933243513335727983 != col("hash"))"#,
        r#"f.filter(col("hash") >= 7)"#,
        r#"f.filter(col("hash") > -1)"#,
        r#"f.filter(col("hash").is_in([7]))"#,
        r#"f.filter(col("hash") == col("n"))"#,
        r#"f.join(frame(#{ hash: [7], m: [5] }), "hash")"#,
    ] {
        let found = run(script);
        assert!(found.is_err(), "{script} gave {found:?}");
    }
}

#[test]
fn the_shared_case_has_two_hashes() {
    let Some(folder) = shared("cases/jsonl_uint64") else {
        return;
    };
    let found = run_in(&folder, r#"read("dedup.jsonl").unique("hash").len()"#).unwrap();
    assert_eq!(found, json!(2));
}

#[test]
fn long_identifiers_beside_a_fraction_are_text() {
    let ids = json!(["1234567890123456789", "0.5", "1234567890123456788"]);
    let column = |rows: serde_json::Value| -> serde_json::Value {
        rows.as_array().unwrap().iter().map(|row| row["id"].clone()).collect()
    };
    let lines = "{\"id\":1234567890123456789}\n{\"id\":0.5}\n{\"id\":1234567890123456788}\n";
    assert_eq!(column(read("a.jsonl", lines).unwrap()), ids);
    let list = "[{\"id\":1234567890123456789},{\"id\":0.5},{\"id\":1234567890123456788}]";
    assert_eq!(column(read("a.json", list).unwrap()), ids);
    let cells = "id\n1234567890123456789\n0.5\n1234567890123456788\n";
    assert_eq!(column(read("a.csv", cells).unwrap()), ids);
    // Whole numbers that fit stay numbers.
    assert_eq!(
        column(read("a.csv", "id\n9007199254740992\n0.5\n").unwrap()),
        json!([9007199254740992.0, 0.5])
    );
}

#[test]
fn whole_numbers_beyond_64_bits_are_text() {
    let long = "123456789012345678901234567890";
    for (name, text) in [
        ("a.jsonl", format!("{{\"a\":{long},\"b\":\"{long}, \\\"x\"}}\n{{\"a\":-{long}}}\n")),
        ("a.json", format!("[{{\"a\":{long},\"b\":\"{long}, \\\"x\"}},{{\"a\":-{long}}}]")),
        ("a.csv", format!("a,b\n{long},\"{long}, \"\"x\"\n-{long},\n")),
    ] {
        let rows = read(name, text).unwrap();
        assert_eq!(rows[0]["a"], json!(long), "{name}");
        assert_eq!(rows[0]["b"], json!(format!("{long}, \"x")), "{name}");
        assert_eq!(rows[1]["a"], json!(format!("-{long}")), "{name}");
    }
    // One below zero and one beyond 63 bits.
    assert_eq!(
        read("a.jsonl", "{\"a\":-1}\n{\"a\":18446744073709551615}\n"),
        Ok(json!([{"a": "-1"}, {"a": "18446744073709551615"}]))
    );
}

#[test]
fn files_with_numbers_of_other_kinds_lose_no_digit_below_each_other() {
    let script = |second: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("d")).unwrap();
        std::fs::write(folder.path().join("d/1.jsonl"), "{\"id\":14933243513335727983}\n").unwrap();
        std::fs::write(folder.path().join("d/2.jsonl"), second).unwrap();
        run_in(folder.path(), r#"read("d")["id"]"#).unwrap()
    };
    assert_eq!(script("{\"id\":5}\n"), json!(["14933243513335727983", "5"]));
    assert_eq!(script("{\"id\":-5}\n"), json!(["14933243513335727983", "-5"]));
    assert_eq!(script("{\"id\":0.5}\n"), json!(["14933243513335727983", "0.5"]));
    assert_eq!(script("{\"id\":\"x\"}\n"), json!(["14933243513335727983", "x"]));
}

#[test]
fn a_type_that_is_asked_for_keeps_leading_zeros() {
    let text = r##"read(NAME, #{ types: #{ id: "str" } })["id"]"##;
    for (name, file, expected) in [
        ("a.csv", "id,x\n007,1\n8,2\n", json!(["007", "8"])),
        ("a.tsv", "id\tx\n007\t1\n1.50\t2\n", json!(["007", "1.50"])),
        ("a.jsonl", "{\"id\":\"007\"}\n{\"id\":8}\n", json!(["007", "8"])),
        ("a.json", "[{\"id\":7},{\"id\":true},{\"id\":null}]", json!(["7", "true", null])),
    ] {
        let script = text.replace("NAME", &format!("{name:?}"));
        assert_eq!(with_file(name, file, &script), expected, "{name}");
    }
    let file = "id,ok,n,x\n\"7\",true,2.0,1\n8,0,3,2.5\n";
    let script =
        r##"read("a.csv", #{ types: #{ id: "int", ok: "bool", n: "int", x: "float" } }).rows()"##;
    assert_eq!(
        with_file("a.csv", file, script),
        json!([{"id": 7, "ok": true, "n": 2, "x": 1.0}, {"id": 8, "ok": false, "n": 3, "x": 2.5}])
    );
    let script = r##"frame(#{ id: [7, ()] }).write("a.parquet"); read("a.parquet", #{ types: #{ id: "str" } })["id"]"##;
    assert_eq!(run(script), json!(["7", null]));
}

#[test]
fn a_type_that_does_not_fit_is_told_with_its_row() {
    let fails = |options: &str, parts: &[&str]| {
        let script = format!(
            "frame(#{{ id: [\"1\", \"x\"] }}).write(\"a.csv\"); read(\"a.csv\", {options})"
        );
        super::fails_with(&script, parts);
    };
    fails(
        r##"#{ types: #{ id: "int" } }"##,
        &["row 1 of the column `id`", "a whole number", "\"x\""],
    );
    fails(r##"#{ types: #{ id: "date" } }"##, &["unknown type `date`"]);
    fails(r##"#{ types: #{ idd: "str" } }"##, &["unknown column `idd`", "did you mean `id`"]);
    fails(r##"#{ types: "str" }"##, &["option `types` of read", "a map from columns"]);
}

#[test]
fn values_of_every_type_that_do_not_fit_are_told_with_row_and_column() {
    for (kind, cells, row, got) in [
        ("int", "1\n2.5\n", 1, "2.5"),
        ("int", "1\n2\n18446744073709551616\n", 2, "18446744073709551616"),
        ("float", "1\nx\n", 1, "x"),
        ("bool", "true\nfalse\nyes\n", 2, "yes"),
    ] {
        for (name, text) in [
            ("a.csv", format!("id\n{cells}")),
            ("a.jsonl", cells.lines().map(|cell| format!("{{\"id\":\"{cell}\"}}\n")).collect()),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), text).unwrap();
            let script = format!("read({name:?}, #{{ types: #{{ id: {kind:?} }} }})");
            let message = run_in(folder.path(), &script).unwrap_err().message;
            let place = format!("row {row} of the column `id`");
            assert!(message.contains(&place) && message.contains(got), "{message}");
        }
    }
    let lists = "{\"id\":[1]}\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jsonl"), lists).unwrap();
    let script = r##"read("a.jsonl", #{ types: #{ id: "str" } })"##;
    let message = run_in(folder.path(), script).unwrap_err().message;
    assert!(message.contains("the column `id`") && message.contains("text"), "{message}");
}

#[test]
fn texts_for_nothing_inside_lists_and_maps_stay() {
    let lines = "{\"x\":\"NA\",\"l\":[\"NA\"],\"m\":{\"k\":\"NA\"}}\n{\"x\":1}\n";
    let script = r##"read("a.jsonl", #{ null_values: "NA" }).rows()"##;
    assert_eq!(
        with_file("a.jsonl", lines, script),
        json!([{"x": null, "l": ["NA"], "m": {"k": "NA"}}, {"x": 1, "l": null, "m": null}])
    );
}

#[test]
fn texts_for_nothing_are_missing_where_they_are_named() {
    let file = "x,y\n1,NA\nNA,b\n2.5,-\n";
    let read_with =
        |options: &str| with_file("a.csv", file, &format!("read(\"a.csv\", {options}).rows()"));
    assert_eq!(
        read_with(r##"#{ null_values: ["NA", "-"] }"##),
        json!([{"x": 1.0, "y": null}, {"x": null, "y": "b"}, {"x": 2.5, "y": null}])
    );
    assert_eq!(read_with(r##"#{ null_values: "NA" }"##)[2], json!({"x": 2.5, "y": "-"}));
    assert_eq!(read_with("#{}")[1], json!({"x": "NA", "y": "b"}));
    let lines = "{\"x\":1}\n{\"x\":\"NA\"}\n";
    assert_eq!(
        with_file("a.jsonl", lines, r##"read("a.jsonl", #{ null_values: "NA" })["x"]"##),
        json!([1, null])
    );
}

#[test]
fn numbers_that_json_does_not_have_are_named() {
    for (word, name) in [("NaN", "NaN"), ("Infinity", "Infinity"), ("-Infinity", "-Infinity")] {
        read_fails(
            "a.jsonl",
            format!("{{\"t\":\"NaN\"}}\n{{\"a\": {word}}}\n"),
            &["a.jsonl, line 2", &format!("`{name}`")],
        );
        read_fails(
            "a.json",
            format!("[{{\"a\": 1}},\n {{\"a\": [1, {word}]}}]"),
            &["a.json, line 2", &format!("`{name}`")],
        );
    }
}

#[test]
fn files_of_the_same_name_are_told_apart_by_their_folders() {
    let write = r#"
        frame(#{ x: [1] }).write("runs/a/metrics.jsonl");
        frame(#{ x: [2] }).write("runs/b/metrics.jsonl");
    "#;
    let files = |path: &str| run(&format!("{write} read({path:?})[\"file\"]"));
    let both = json!(["a/metrics.jsonl", "b/metrics.jsonl"]);
    assert_eq!(files("runs/*/metrics.jsonl"), both);
    assert_eq!(files("runs/**/*.jsonl"), both);
    assert_eq!(files("./runs/?/metrics.jsonl"), both);
    assert_eq!(files("runs/[a]/metrics.jsonl"), json!(["a/metrics.jsonl"]));
    assert_eq!(files("runs/a"), json!(["metrics.jsonl"]));
    let deeper = r#"frame(#{ x: [3] }).write("runs/b/old/metrics.jsonl.gz");"#;
    let files = |path: &str| run(&format!("{write} {deeper} read({path:?})[\"file\"]"));
    assert_eq!(files("runs/*/metrics.jsonl"), both);
    assert_eq!(
        files("runs/**/metrics.jsonl*"),
        json!(["a/metrics.jsonl", "b/metrics.jsonl", "b/old/metrics.jsonl.gz"])
    );
    assert_eq!(files("runs/b/*/*"), json!(["old/metrics.jsonl.gz"]));
    assert_eq!(files("runs/b"), json!(["metrics.jsonl"]));
}

#[test]
fn a_packed_file_beside_its_plain_one_is_told_apart() {
    let write = r#"frame(#{ x: [1] }).write("d/a.csv"); frame(#{ x: [2] }).write("d/a.csv.gz");"#;
    let expected = json!([{"x": 1, "file": "a.csv"}, {"x": 2, "file": "a.csv.gz"}]);
    for path in ["d", "d/*"] {
        assert_eq!(run(&format!("{write} read({path:?}).rows()")), expected);
    }
}
