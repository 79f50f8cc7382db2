//! Tables as a terminal shows them: types under names, and how much `show` shows.

use std::process::{Command, Stdio};

use crate::support::script_error;

/// What the program writes for a script in a terminal of this width.
fn screen(columns: usize, script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.rhai"), script).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_ebb"))
        .args(["run", "x.rhai", "--run-dir", "record"])
        .current_dir(folder.path())
        .env("COLUMNS", columns.to_string())
        .env("NO_COLOR", "1")
        .env("XDG_DATA_HOME", folder.path())
        .env("XDG_CACHE_HOME", folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// Forty columns `c00` … of a frame of three rows, and thirty rows of a frame of one column.
const WIDE: &str = r#"let made = #{}; for i in range(40) { made[`c${if i < 10 { "0" } else { "" }}${i}`] = [i, i + 100, i + 200]; }
let wide = frame(made);
let long = frame(#{ x: range(30) });"#;

#[test]
fn types_stand_under_the_names() {
    let text = r#"frame([#{ id: 1, text: "yes", score: 0.5, ok: true, tokens: [1], none: () }])"#;
    let shown =
        screen(80, &format!(r#"{text}.select("id", "text", "score", "ok", "tokens", "none")"#));
    let lines: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["id", "text", "score", "ok", "tokens", "none"], "{shown}");
    assert_eq!(lines[1], ["integer", "text", "number", "boolean", "list", "empty"], "{shown}");
    assert!(lines[2][0].starts_with('─'), "{shown}");
    assert_eq!(lines[3], ["1", "yes", "0.5", "true", "[1]", "–"], "{shown}");
}

#[test]
fn all_rows_and_columns_are_shown_where_they_are_asked_for() {
    let usual = screen(80, &format!("{WIDE} wide"));
    assert!(usual.contains("not shown: ") && usual.contains("c00") && usual.contains("c39"));
    let all = screen(80, &format!("{WIDE} show(wide, #{{ all: true }});"));
    assert!(!all.contains("not shown"), "{all}");
    for column in 0..40 {
        assert!(all.contains(&format!("c{column:02}")), "c{column:02}: {all}");
        assert!(all.split_whitespace().any(|word| word == (column + 200).to_string()), "{all}");
    }
    assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    assert!(all.trim_end().ends_with("3 rows × 40 columns"), "{all}");
    let rows = screen(80, &format!("{WIDE} show(long, #{{ all: true }});"));
    assert!((0..30).all(|x| rows.lines().any(|line| line.trim() == x.to_string())), "{rows}");
    assert!(rows.contains("30 rows × 1 column\n"), "{rows}");
    let some = screen(80, &format!("{WIDE} show(long, #{{ rows: 5 }});"));
    assert!(some.contains("30 rows × 1 column; 5 shown"), "{some}");
    // The narrowest place that tables are drawn for.
    let narrow = screen(40, &format!("{WIDE} show(wide, #{{ all: true }});"));
    assert!(narrow.contains("c39") && narrow.lines().all(|line| line.chars().count() <= 40));
}

#[test]
fn long_texts_and_arrays_are_shown_whole_where_they_are_asked_for() {
    let text =
        r#"let t = ""; for i in range(60) { t += `word${i} `; } let f = frame(#{ t: [t] });"#;
    let words = |shown: &str| shown.split_whitespace().filter(|w| w.starts_with("word")).count();
    assert!(words(&screen(80, &format!("{text} f"))) < 30);
    let whole = screen(80, &format!("{text} show(f, #{{ cut: false }});"));
    assert_eq!(words(&whole), 60, "{whole}");
    let cut = screen(80, "range(100)");
    assert!(cut.contains("… 80 more"), "{cut}");
    let all = screen(80, "show(range(100), #{ all: true });");
    assert!(all.contains("99") && !all.contains("more"), "{all}");
    assert!(screen(80, "show(range(100), #{ rows: 3 });").contains("[0, 1, 2, … 97 more]"));
}

#[test]
fn what_show_does_not_know_is_refused() {
    let said = script_error("show(frame(#{ x: [1] }), #{ row: 3 })");
    assert!(said.contains("unknown option `row`, did you mean `rows`?"), "{said}");
    assert!(said.contains("known options: all, cut, rows"), "{said}");
    let said = script_error("show(1, #{ rows: 0 })");
    assert!(said.contains("a whole number of at least 1, got 0"), "{said}");
    assert!(script_error("show(1, #{ all: 1 })").contains("true or false, got 1"));
}

#[test]
fn a_glimpse_fits_the_width() {
    let shown = screen(60, r#"read("ebb/bbq-sample").glimpse()"#);
    assert!(!shown.contains("not shown"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
    assert!(shown.contains("context_condition") && shown.contains("missing"), "{shown}");
}
