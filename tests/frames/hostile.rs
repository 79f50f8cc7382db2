//! Files from strangers: nothing that they hold may stop the program or take its memory.

use std::io::Write;

use ebb::random::Stream;

use super::{read, read_fails, run_in};

#[test]
fn deep_nesting_is_refused() {
    let depth = 100_000;
    let lists = format!("{{\"a\":{}{}}}\n", "[".repeat(depth), "]".repeat(depth));
    read_fails("a.jsonl", &lists, &["line 1", "recursion limit"]);
    read_fails("a.json", &lists, &["recursion limit"]);
    let maps = format!("{}1{}\n", "{\"a\":".repeat(depth), "}".repeat(depth));
    read_fails("a.jsonl", maps, &["recursion limit"]);
}

#[test]
fn lists_deeper_than_any_honest_file_has_them_can_be_read_and_shown() {
    let depth = 60;
    let lists = format!("{{\"a\":{}{}}}\n", "[".repeat(depth), "]".repeat(depth));
    assert!(read("a.jsonl", lists).is_ok());
}

#[test]
fn many_names_in_one_row_do_not_take_forever() {
    let names: Vec<String> = (0..100_000).map(|i| format!("\"k{i}\":{i}")).collect();
    let row = format!("{{\"a\":{{{}}}}}\n", names.join(","));
    let began = std::time::Instant::now();
    let _ = read("a.jsonl", row);
    assert!(began.elapsed().as_secs() < 20);
}

/// A small file in which each byte in turn of the footer, and many elsewhere, is another: an error or a frame, never an
/// end of the program.
#[test]
fn a_damaged_parquet_file_is_an_error_or_a_frame() {
    let folder = tempfile::tempdir().unwrap();
    let script =
        r#"frame([#{ a: 1, b: "x", c: [1.5] }, #{ a: 2, b: "y", c: [] }]).write("a.parquet")"#;
    run_in(folder.path(), script).unwrap();
    let whole = std::fs::read(folder.path().join("a.parquet")).unwrap();
    let path = std::path::Path::new("a.parquet");
    let stream = Stream::new(0, "damage");
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << stream.below(place as u64, 8);
        let _ = ebb::frame::read::parse(path, &damaged);
    }
    for length in (0..whole.len()).step_by(7) {
        assert!(ebb::frame::read::parse(path, &whole[..length]).is_err());
    }
}

/// Random damage to a table of text: whatever comes of it, it is an error or a frame.
#[test]
fn a_damaged_csv_file_is_an_error_or_a_frame() {
    let whole = b"name,count,share\n\"a, b\",1,0.5\nplain,2,1e3\n\"line\nbreak\",,\n".to_vec();
    let path = std::path::Path::new("a.csv");
    let stream = Stream::new(0, "damage");
    for round in 0..4000_u64 {
        let mut damaged = whole.clone();
        let draws = stream.child(round);
        for change in 0..1 + draws.below(0, 3) {
            let place = draws.below(1 + change, damaged.len() as u64) as usize;
            let letters = b"\",\n\r\0x9-.\xff";
            damaged[place] = letters[draws.below(10 + change, letters.len() as u64) as usize];
        }
        damaged.truncate(1 + draws.below(20, damaged.len() as u64) as usize);
        let _ = ebb::frame::read::parse(path, &damaged);
    }
}

#[test]
fn a_gzip_file_that_unpacks_without_end_stops_at_a_bound() {
    // Not 4 GiB here: only that a file of one repeated byte is read as what it is.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![b' '; 64 << 20]).unwrap();
    read_fails("a.jsonl.gz", packed.finish().unwrap(), &["the file is empty"]);
}

#[test]
fn texts_out_of_data_are_never_read_as_patterns_or_columns() {
    let rows = read("a.jsonl", "{\"*\":1,\"^b.*$\":2,\"{x}\":\"{*}\"}\n").unwrap();
    assert_eq!(rows, serde_json::json!([{"*": 1, "^b.*$": 2, "{x}": "{*}"}]));
}
