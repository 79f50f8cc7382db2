//! Parquet files that promise more than they hold: told in a sentence before any memory is taken.

use std::process::Command;

use super::read_fails;

/// A parquet file with nothing but this footer.
fn with_footer(footer: &[u8]) -> Vec<u8> {
    let length = (footer.len() as u32).to_le_bytes();
    [b"PAR1", footer, &length, b"PAR1"].concat()
}

/// Lists of 2^31 - 1 entries in seven bytes: the schema, the groups of rows, and notes (pola-rs/polars issue 27490).
fn absurd() -> [Vec<u8>; 3] {
    let many = [0xff, 0xff, 0xff, 0xff, 0x07];
    let list = |field: u8| [&[field << 4 | 9, 0xfc][..], &many].concat();
    [list(2), list(4), list(5)]
}

#[test]
fn lists_of_more_entries_than_bytes_are_refused() {
    for footer in absurd() {
        assert_eq!(footer.len(), 7);
        read_fails(
            "a.parquet",
            with_footer(&footer),
            &["a.parquet", "tells of 2147483647 entries where 0 bytes follow"],
        );
    }
    // A text of 4 GiB, and structs without end.
    let text = [0x68, 0xff, 0xff, 0xff, 0xff, 0x0f];
    read_fails("a.parquet", with_footer(&text), &["tells of 4294967295 bytes where 0 follow"]);
    read_fails("a.parquet", with_footer(&[0x1c; 4000]), &["nested more than 32 deep"]);
    read_fails("a.parquet", with_footer(&[]), &["no parquet footer"]);
    for short in [&b"PAR1"[..], b"PAR1PAR1", b"PAR1\xff\xff\xff\xffPAR1", b"hello, world"] {
        read_fails("a.parquet", short, &["a.parquet"]);
    }
}

#[test]
fn the_program_says_so_too_within_its_memory() {
    for footer in absurd() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.parquet"), with_footer(&footer)).unwrap();
        for call in ["read(\"a.parquet\")", "read_pieces(\"a.parquet\", |piece| piece)"] {
            std::fs::write(folder.path().join("x.rhai"), call).unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_ebb"))
                .args(["run", "x.rhai", "--memory", "1GiB"])
                .current_dir(folder.path())
                .output()
                .unwrap();
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("2147483647 entries where 0 bytes follow"), "{said}");
        }
    }
}

/// 3.5 KiB of JSON whose lists lie in each other (pola-rs/polars issue 27489).
#[test]
fn json_of_nothing_but_brackets_is_refused() {
    let depth = 3584;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = format!("{}{}", open.repeat(depth), close.repeat(depth));
        read_fails("a.json", &nested, &["a.json", "recursion limit"]);
        read_fails(
            "a.jsonl",
            format!("{{\"a\":{nested}}}\n"),
            &["a.jsonl", "line 1", "recursion limit"],
        );
        read_fails("a.json", open.repeat(depth), &["a.json"]);
    }
}
