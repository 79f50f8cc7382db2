//! Frames that grow: joins, rows below each other, lists, and files that unpack to far more than they are.

use std::io::Write;

use super::Place;

fn gzipped(bytes: &[u8], times: usize) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..times {
        packed.write_all(bytes).unwrap();
    }
    packed.finish().unwrap()
}

#[test]
fn frames_below_each_other_in_a_loop_are_refused_and_can_be_caught() {
    let script = "let f = frame(#{ k: [0, 1] }); for i in 0..40 { f = concat([f, f]); }";
    let ran = Place::new().refused(script, "a frame of all rows");
    assert!(ran.err.contains("--memory"), "{}", ran.err);
    Place::new().caught(script, "a frame of all rows");
    let texts = r#"let f = frame(#{ k: ["a text of some length, so that it stands apart"] }); for i in 0..40 { f = concat([f, f]); }"#;
    Place::new().refused(texts, "a frame of all rows");
    let nothing = "let f = frame(#{ k: [()] }); for i in 0..70 { f = concat([f, f]); }";
    Place::new().refused(nothing, "memory");
}

#[test]
fn joins_on_equal_keys_are_counted_before_they_are_made() {
    let frames = "let f = frame(#{ k: [0], x: [1] }); for i in 0..16 { f = concat([f, f]); }";
    for how in ["inner", "left", "full"] {
        let script = format!(r#"{frames} f.join(f, "k", #{{ how: "{how}" }})"#);
        Place::new().refused(&script, "the join would have up to 429");
    }
    let fewer = "let f = frame(#{ k: [0], x: [1] }); for i in 0..14 { f = concat([f, f]); }";
    Place::new().refused(&format!(r#"{fewer} f.join(f, "k")"#), "the join, of 268435456 rows,");
    Place::new().refused(
        &format!(r#"{fewer} f.join(f, (), #{{ how: "cross" }})"#),
        "the join, of 268435456 rows,",
    );
    Place::new().caught(&format!(r#"{fewer} f.join(f, "k")"#), "the join, of 268435456 rows,");
}

#[test]
fn joins_that_stay_small_are_made_however_large_the_frames() {
    let script = r#"
        let f = frame(#{ k: [0], i: [1] }); for i in 0..17 { f = concat([f, f]); }
        let g = f.with_columns(col("i").cum_sum());
        [g.join(g, "i").len(), f.join(f, "k", #{ how: "semi" }).len()]"#;
    let ran = Place::new().run(script);
    assert_eq!(ran.out, "[131072, 131072]\n", "{}", ran.err);
}

#[test]
fn lists_that_are_repeated_or_laid_out_are_refused() {
    let frames = "let f = frame(#{ k: [0], x: [1] }); for i in 0..15 { f = concat([f, f]); }";
    let lists = format!(
        r#"{frames} let g = f.group_by("k").agg(col("x").implode().alias("all")); let h = f.join(g, "k"); h.explode("all")"#
    );
    let ran = Place::new().run(&lists);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_eq!(ran.facts["status"], "failed");
}

#[test]
fn files_of_many_small_rows_are_refused_before_they_are_parsed() {
    for (name, line) in [
        ("rows.jsonl.gz", &b"{\"a\":1}\n"[..]),
        ("rows.csv.gz", b"1,2,3,4\n"),
        ("rows.tsv.gz", b"1\n"),
        ("rows.jsonl.gz", b"{}\n"),
        ("rows.jsonl.gz", b"{\"a\":[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9]}\n"),
    ] {
        let place = Place::new();
        place.write(name, gzipped(&line.repeat(1000), 40_000_000 / line.len() / 1000));
        let ran = place.refused(&format!("read({name:?})"), name);
        assert!(ran.err.contains("--memory"), "{}", ran.err);
    }
}

#[test]
fn a_file_that_unpacks_to_more_than_there_is_room_for_is_refused() {
    let place = Place::new();
    place.write("zeros.csv.gz", gzipped(&[b'0'; 1 << 20], 500));
    place.refused(r#"read("zeros.csv.gz")"#, "unpacks to more than");
    place.caught(r#"read("zeros.csv.gz")"#, "unpacks to more than");
    place.write("list.json", [&b"[0"[..], &b",0".repeat(20_000_000), b"]"].concat());
    place.refused(r#"read("list.json")"#, "list.json");
}

#[test]
fn rows_that_all_have_other_names_are_refused() {
    let place = Place::new();
    let rows: String = (0..20_000).map(|row| format!("{{\"n{row}\":1}}\n")).collect();
    place.write("rows.jsonl", rows);
    place.refused(r#"read("rows.jsonl")"#, "a table of 20000 columns and 400000000 cells");
}

#[test]
fn columns_that_other_rows_lack_count_as_well() {
    let maps = "let rows = []; for i in 0..5000 { let m = #{}; m[`n${i}`] = 1; rows.push(m); }";
    Place::new()
        .caught(&format!("{maps} frame(rows)"), "a table of 5000 columns and 25000000 cells");
    let place = Place::new();
    let rows: String = (0..20_000).map(|row| format!("{{\"m\":{{\"n{row}\":1}}}}\n")).collect();
    place.write("rows.jsonl", rows);
    place.refused(r#"read("rows.jsonl")"#, "a table of 20000 columns and 400000000 cells");
}

#[test]
fn files_within_the_budget_are_read() {
    let place = Place::new();
    let rows: String =
        (0..20_000).map(|row| format!("{{\"n\":{row},\"t\":\"a, b: c\"}}\n")).collect();
    place.write("rows.jsonl.gz", gzipped(rows.as_bytes(), 1));
    let ran = place.run(r#"read("rows.jsonl.gz").len()"#);
    assert_eq!(ran.out, "20000\n", "{}", ran.err);
}
