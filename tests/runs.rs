//! Runs as they are kept: what cells showed as data, the page of a run under way, and reports made of a kept run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder with scripts in it, in which the program is run.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.rhai"), script).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ebb"));
        command
            .args(words)
            .current_dir(self.0.path())
            .env("COLUMNS", "100")
            .env("NO_COLOR", "1")
            .env("XDG_CACHE_HOME", self.path("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn ebb(&self, words: &[&str]) -> (i32, String, String) {
        told(&self.command(words).output().unwrap())
    }

    /// Runs the script into the folder `record`.
    fn run(&self) -> (i32, String, String) {
        self.ebb(&["run", "x.rhai", "--run-dir", "record"])
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        self.text(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

const SCRIPT: &str = r##"// %% [markdown]
// # A run
// Prose.

// %% tables
let rows = frame(#{ n: [1, 2, 3], x: [0.30000000000000004, 1.0/3.0, ()], s: ["a\x1b[31m", (), "<b>"] });
show(rows);
print("printed");
note("noted");
rows.select(["x"])

// %% chart
plot(frame(#{ x: [1, 2, 3], y: [0.1, (), 0.3] }), #{ x: "x", y: "y", title: "T" })

// %% prose
markdown("*written*")
"##;

#[test]
fn what_cells_showed_is_kept_as_data_with_all_rows_of_tables() {
    let desk = Desk::new(SCRIPT);
    assert_eq!(desk.run().0, 0, "{:?}", desk.run());
    let lines = desk.lines("record/outputs.jsonl");
    let cells: Vec<u64> = lines.iter().map(|line| line["cell"].as_u64().unwrap()).collect();
    assert_eq!(cells, [0, 1, 2, 3]);
    let items = lines[1]["items"].as_array().unwrap();
    assert_eq!(items[1]["printed"], "printed");
    assert_eq!(items[2]["note"], "noted");
    let table = &items[0]["output"]["table"];
    assert_eq!(table["columns"][2]["kind"], "number");
    assert_eq!(table["kept"]["file"], "table-1.parquet");
    // All digits are in the rows that are kept, and the table that was shown has four.
    assert_eq!(table["rows"][1][2], "0.3333");
    let read = r#"read("record/outputs/table-1.parquet").rows()"#;
    std::fs::write(desk.path("y.rhai"), read).unwrap();
    let (code, out, err) = desk.ebb(&["run", "y.rhai", "--json"]);
    assert_eq!(code, 0, "{err}");
    let rows: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(rows[0]["x"], 0.300_000_000_000_000_04);
    assert_eq!(rows[1]["x"], 1.0 / 3.0);
    assert_eq!(rows[0]["s"], "a\u{1b}[31m");
    let chart = &lines[2]["items"][0]["output"]["chart"];
    assert_eq!(chart["title"], "T");
    assert_eq!(
        chart["series"][0]["points"],
        serde_json::json!([[1.0, 0.1], [2.0, null], [3.0, 0.3]])
    );
    assert_eq!(lines[3]["items"][0]["output"]["markdown"], "*written*");
    // What steers a terminal is written out in the file, too.
    assert!(!desk.text("record/outputs.jsonl").contains('\u{1b}'));
}

#[test]
fn reports_of_a_kept_run_are_those_that_the_run_wrote() {
    let desk = Desk::new(SCRIPT);
    for name in ["x.html", "x.md", "x.ipynb"] {
        let (code, _, err) =
            desk.ebb(&["run", "x.rhai", "--run-dir", &format!("of-{name}"), "--report", name]);
        assert_eq!(code, 0, "{err}");
        let (code, out, err) =
            desk.ebb(&["export", &format!("of-{name}"), &format!("again-{name}")]);
        assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
        // Images are named after the report.
        let again = desk.text(&format!("again-{name}")).replace("again-x", "x");
        assert_eq!(again, desk.text(name), "{name}");
    }
    assert!(desk.path("again-x-1.svg").exists() || desk.path("again-x-figure-1.svg").exists());
}

#[test]
fn a_failed_run_is_exported_with_its_error() {
    let desk = Desk::new("// %% good\n1\n// %% bad\nabsent\n// %% never\n2");
    assert_eq!(desk.run().0, 1);
    assert_eq!(desk.ebb(&["export", "record", "again.html"]).0, 0);
    assert_eq!(desk.text("again.html"), desk.text("record/report.html"));
    let page = desk.text("again.html");
    assert!(page.contains("absent") && page.contains("x.rhai, line 4"), "{page}");
    assert!(!page.contains("never"), "{page}");
}

/// Waits until `is_there` gives something.
fn wait<T>(is_there: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = is_there() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ended(mut child: Child) {
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn the_page_of_a_run_under_way_shows_what_is_done() {
    let script = "// %% first\nprint(\"first is done\");\n// %% <second>\nsleep(1.2);\n// %% third\nsleep(600)";
    let desk = Desk::new(script);
    let child = desk.command(&["run", "x.rhai", "--run-dir", "record"]).spawn().unwrap();
    let page = wait(|| {
        let page = std::fs::read_to_string(desk.path("record/report.html")).ok()?;
        page.contains("cell 3 of 3: third").then_some(page)
    });
    assert!(page.contains("first is done") && page.contains("&lt;second&gt;"), "{page}");
    assert!(page.contains("http-equiv=\"refresh\"") && page.contains("· running"), "{page}");
    ended(child);
    // What a killed run had is there, and an export says that it was under way.
    let (code, _, err) = desk.ebb(&["export", "record", "killed.html"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let page = desk.text("killed.html");
    assert!(page.contains("first is done") && !page.contains("refresh"), "{page}");
}

#[test]
fn a_page_that_is_done_does_not_load_itself_again() {
    let desk = Desk::new("1");
    assert_eq!(desk.run().0, 0);
    assert!(!desk.text("record/report.html").contains("refresh"));
}

#[test]
fn a_result_asked_for_as_json_leaves_no_run_but_where_a_folder_is_named() {
    let desk = Desk::new("log(#{ x: 1 });\n[1, run_dir() == ()]");
    let (code, out, err) = desk.ebb(&["run", "x.rhai", "--json", "--report", "x.html"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "[1,true]\n", "[1, true]\n"));
    assert!(!desk.path("runs").exists());
    assert!(desk.text("x.html").contains("Logged metrics"));
    let (code, out, _) = desk.ebb(&["run", "x.rhai", "--json", "--run-dir", "record"]);
    assert_eq!((code, out.as_str()), (0, "[1,false]\n"));
    assert!(desk.path("record/outputs.jsonl").exists());
}

#[test]
fn what_is_no_kept_run_is_told_in_a_sentence() {
    let desk = Desk::new(SCRIPT);
    assert_eq!(desk.run().0, 0);
    let refused = |change: &dyn Fn(&Path)| {
        let folder = desk.path("changed");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        for name in ["run.json", "script.rhai", "outputs.jsonl"] {
            std::fs::copy(desk.path("record").join(name), folder.join(name)).unwrap();
        }
        change(&folder);
        let (code, _, err) = desk.ebb(&["export", "changed", "again.html"]);
        assert!(!err.contains("panicked"), "{err}");
        (code, err)
    };
    assert_eq!(refused(&|_| {}), (0, String::new()));
    let write = |name: &'static str, text: String| {
        move |folder: &Path| std::fs::write(folder.join(name), &text).unwrap()
    };
    let (code, err) = refused(&|folder| std::fs::remove_file(folder.join("run.json")).unwrap());
    assert!(code == 1 && err.contains("changed holds no run"), "{err}");
    let (code, err) = refused(&write("run.json", "[1]".to_string()));
    assert!(code == 1 && err.contains("run.json: expected what ebb writes about a run"), "{err}");
    let (code, err) = refused(&write("script.rhai", "2".to_string()));
    assert!(code == 1 && err.contains("is not the script that was run"), "{err}");
    // A line that a kill cut short is left out, and that is said; one that is broken is refused with its place.
    let whole = desk.text("record/outputs.jsonl");
    let (code, err) = refused(&write("outputs.jsonl", whole[..whole.len() - 20].to_string()));
    assert!(code == 0 && err.contains("line 4 of outputs.jsonl is cut short"), "{err}");
    let (code, err) = refused(&write("outputs.jsonl", format!("{{}}\n{whole}")));
    assert!(code == 1 && err.contains("outputs.jsonl, line 1: missing field"), "{err}");
    let (code, err) =
        refused(&|folder| std::fs::remove_file(folder.join("outputs.jsonl")).unwrap());
    assert!(code == 0 && err.contains("the run kept no outputs.jsonl"), "{err}");
    let (code, _, err) = desk.ebb(&["export", "record", "again.pdf"]);
    assert!(code == 1 && err.contains("a file name that ends in .html, .md or .ipynb"), "{err}");
    let (code, _, err) = desk.ebb(&["export", "absent", "again.html"]);
    assert!(code == 1 && err.contains("absent"), "{err}");
}

/// A script whose result is the content of a file, or a number that is no function of anything.
fn verified(script: &str, change: impl Fn(&Desk), words: &[&str]) -> (i32, String, String) {
    let desk = Desk::new(script);
    std::fs::write(
        desk.path("rows.jsonl"),
        "{\"x\": 1.0, \"s\": \"a\"}\n{\"x\": 2.0, \"s\": \"b\"}\n",
    )
    .unwrap();
    let (code, _, err) = desk.ebb(&["run", "x.rhai", "--run-dir", "record", "--seed", "3"]);
    assert!(code < 2, "{err}");
    change(&desk);
    let told = desk.ebb(&[&["verify", "record"], words].concat());
    let left: Vec<_> =
        std::fs::read_dir(desk.path("runs")).map(|runs| runs.collect()).unwrap_or_default();
    assert_eq!(left.len(), usize::from(told.0 == 1), "{told:?}");
    told
}

const VERIFIED: &str = r##"// %% data
let rows = read("rows.jsonl");
show(rows);
print(`the run is in ${run_dir()}`);
// %% draws
log(#{ mean: rows.x.mean() });
frame(#{ draw: random_integers(5, 1000, 1, "draw") })
// %% chart
plot(rows, #{ x: "x", y: "x", kind: "scatter" })"##;

#[test]
fn a_run_that_gives_the_same_is_said_to_be_the_same() {
    let (code, out, err) = verified(VERIFIED, |_| {}, &[]);
    assert_eq!(
        (code, out.as_str()),
        (0, "same: 3 cells, 2 tables, 1 chart, 1 text, 1 metrics line\n"),
        "{err}"
    );
    assert!(err.contains("cell 2 of 3: draws"), "{err}");
    let failing = "1\n// %% bad\nabsent";
    let (code, out, err) = verified(failing, |_| {}, &[]);
    assert_eq!((code, out.as_str()), (0, "same: 2 cells, 1 text\n"), "{err}");
}

#[test]
fn an_input_that_has_changed_is_named_with_the_cell_that_it_changes() {
    let rows = "{\"x\": 1.0, \"s\": \"a\"}\n{\"x\": 2.5, \"s\": \"b\"}\n";
    let change = |desk: &Desk| std::fs::write(desk.path("rows.jsonl"), rows).unwrap();
    let (code, out, _) = verified(VERIFIED, change, &[]);
    assert_eq!(code, 1);
    let told = mask_hashes(&out);
    let (before, after) = told.split_once("the input ").unwrap();
    let (_, after) = after.split_once("rows.jsonl").unwrap();
    insta::assert_snapshot!(format!("{before}the input FOLDER/rows.jsonl{after}"));
    // Within a wide share it is the same.
    let (code, out, _) = verified(VERIFIED, change, &["--within", "0.3"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("numbers within 3e-1"), "{out}");
}

/// Twelve digits of a hash are what they are.
fn mask_hashes(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let digits = word.trim_end_matches([',', '\n']);
        let is_hash = digits.len() == 12 && digits.chars().all(|c| c.is_ascii_hexdigit());
        if is_hash { word.replace(digits, "HASH") } else { word.to_string() }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_script_that_depends_on_what_it_wrote_is_told_from_one_with_another_input() {
    let script = r#"let before = try_read(); fn try_read() { try { return read("own.jsonl").len(); } catch { return 0; } }
        frame(#{ x: [1] }).write("own.jsonl"); before"#;
    let (code, out, _) = verified(script, |_| {}, &[]);
    assert_eq!(code, 1);
    assert!(out.contains("text 1: \"0\" before, \"1\" now (relative difference 1.00e0)"), "{out}");
    assert!(out.contains("own.jsonl was not read before"), "{out}");
}

#[test]
fn parameters_and_the_seed_are_those_of_the_record_and_permit_nothing() {
    let script = r#"let n = param("n", 1, "how many"); let path = param("path", "rows.jsonl", "rows");
        [n, read(path).len(), random_integers(3, 1000, 1, "x").len()]"#;
    let desk = Desk::new(script);
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("rows.jsonl");
    std::fs::write(&file, "{\"x\": 1}\n").unwrap();
    let file = file.display().to_string();
    let words = ["run", "x.rhai", "--run-dir", "record", "--n", "7", "--path", &file];
    let (code, out, err) = desk.ebb(&words);
    assert_eq!((code, out.as_str()), (0, "[7, 1, 3]\n"), "{err}");
    let (code, out, _) = desk.ebb(&["verify", "record"]);
    assert!(code == 1 && out.contains("is not allowed"), "{out}");
    let (code, out, err) = desk.ebb(&["verify", "record", "--allow-read", &file]);
    assert_eq!((code, out.as_str()), (0, "same: 1 cell, 1 text\n"), "{err}");
}

#[test]
fn a_finetuned_model_is_verified_to_the_last_bit_and_not_out_of_the_cache() {
    let script = r#"let m = load_model("ebb/tiny");
        let t = cached("tuned", || { print("computed"); m.finetune(["The cat sat.", "A dog ran."], #{ steps: 2, batch_size: 1 }) });
        show(t.log().select(["step", "loss"])); t.loss(["The cat sat."])"#;
    let (code, out, err) = verified(script, |_| {}, &["--threads", "1"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "same: 1 cell, 1 table, 2 texts, 1 finetuning\n"),
        "{err}"
    );
}

#[test]
fn what_cannot_be_verified_is_told_in_a_sentence() {
    let desk = Desk::new("1");
    assert_eq!(desk.run().0, 0);
    let facts = desk.text("record/run.json");
    for (status, words) in [("running", "did not come to its end"), ("stopped", "was stopped")] {
        let changed = facts.replace("\"done\"", &format!("\"{status}\""));
        std::fs::write(desk.path("record/run.json"), changed).unwrap();
        let (code, _, err) = desk.ebb(&["verify", "record"]);
        assert!(code == 2 && err.contains(words) && err.contains("ebb run x.rhai"), "{err}");
    }
    for words in [&["verify", "absent"][..], &["verify", "record", "--within", "2"], &["verify"]] {
        assert_eq!(desk.ebb(words).0, 2, "{words:?}");
    }
}

/// A folder with a run that is done, one that failed, and one that was killed, of two scripts.
fn several() -> Desk {
    let desk =
        Desk::new("let n = param(\"n\", 1, \"how many\");\nlog(#{ loss: 0.5 / n });\nprint(n);");
    std::fs::write(desk.path("bad.rhai"), "// %% it\nabsent").unwrap();
    std::fs::write(desk.path("long.rhai"), "sleep(600)").unwrap();
    assert_eq!(desk.ebb(&["run", "x.rhai"]).0, 0);
    assert_eq!(desk.ebb(&["run", "x.rhai", "--n", "2"]).0, 0);
    assert_eq!(desk.ebb(&["run", "bad.rhai"]).0, 1);
    let child = desk.command(&["run", "long.rhai"]).spawn().unwrap();
    let page = || {
        names(&desk).into_iter().find(|name| {
            name.contains("long") && desk.path("runs").join(name).join("report.html").exists()
        })
    };
    let long = wait(page);
    let line = wait(|| {
        desk.ebb(&["runs", "--json"])
            .1
            .lines()
            .find(|line| line.contains("long"))
            .map(str::to_string)
    });
    assert!(line.contains("\"status\":\"running\""), "{line}");
    // What is under way is never cleared away.
    let (code, out, _) = desk.ebb(&["runs", "clean", "--keep", "0"]);
    assert!(code == 0 && out.contains("3 runs of"), "{out}");
    assert!(!out.contains(&long), "{out}");
    ended(child);
    desk
}

fn names(desk: &Desk) -> Vec<String> {
    let runs = std::fs::read_dir(desk.path("runs")).unwrap();
    let mut names: Vec<String> =
        runs.map(|run| run.unwrap().file_name().to_string_lossy().to_string()).collect();
    names.sort();
    names
}

#[test]
fn runs_are_listed_with_what_differs_compared_and_cleared_away() {
    let desk = several();
    let (code, out, err) = desk.ebb(&["runs"]);
    assert_eq!(code, 0, "{err}");
    for told in ["killed", "failed", "done", "n 2", "n 1", "loss 0.25", "4 runs"] {
        assert!(out.contains(told), "{told}: {out}");
    }
    assert!(out.find("long").unwrap() < out.find("bad").unwrap(), "the newest is first: {out}");
    let names = names(&desk);
    let [bad, _, one, two] = names.as_slice() else { panic!("{names:?}") };
    let (code, out, _) = desk.ebb(&["runs", "show", bad]);
    assert!(
        code == 0
            && out.contains("absent")
            && out.contains("line 2")
            && out.contains("report: runs/"),
        "{out}"
    );
    let (code, out, _) = desk.ebb(&["runs", "show", two]);
    assert!(code == 0 && out.contains("0.25 (logged 1 times)") && out.contains("--n"), "{out}");
    let (code, out, _) = desk.ebb(&["runs", "compare", one, two]);
    assert_eq!(code, 0);
    for told in
        ["--n", "metric loss", "0.5", "0.25", "cell 1 (line 1), text 1: \"1\" before, \"2\" now"]
    {
        assert!(out.contains(told), "{told}: {out}");
    }
    let (code, out, _) = desk.ebb(&["runs", "compare", one, bad]);
    assert_eq!(code, 0);
    assert!(out.contains("-    3 print(n);") && out.contains("+    2 absent"), "{out}");
    // Nothing goes without being asked for twice.
    let (code, out, _) = desk.ebb(&["runs", "clean", "--unfinished"]);
    assert!(code == 0 && out.contains("2 runs of") && out.contains("--yes"), "{out}");
    assert_eq!(self::names(&desk).len(), 4);
    assert_eq!(desk.ebb(&["runs", "clean", "--unfinished", "--yes"]).0, 0);
    assert_eq!(self::names(&desk), [one.clone(), two.clone()]);
    assert_eq!(desk.ebb(&["runs", "clean", "--keep", "1", "--yes"]).0, 0);
    assert_eq!(&self::names(&desk), std::slice::from_ref(two));
}

#[test]
fn what_all_runs_logged_is_one_table_for_other_tools() {
    let desk = Desk::new(
        "let n = param(\"n\", 1, \"how many\");\nfor i in 0..3 { log(#{ step: i * 10, loss: n + 0.5 * i, word: \"x\" }); }\nlog(#{ done: true, loss: 9 });",
    );
    assert_eq!(desk.ebb(&["run", "x.rhai"]).0, 0);
    assert_eq!(desk.ebb(&["run", "x.rhai", "--n", "2"]).0, 0);
    let (code, out, err) = desk.ebb(&["runs", "metrics", "all.jsonl"]);
    assert_eq!((code, out.as_str()), (0, "8 numbers are in all.jsonl\n"), "{err}");
    let rows = desk.lines("all.jsonl");
    let newest: Vec<(f64, f64)> = rows
        .iter()
        .take(4)
        .map(|row| (row["step"].as_f64().unwrap(), row["value"].as_f64().unwrap()))
        .collect();
    assert_eq!(newest, [(0.0, 2.0), (10.0, 2.5), (20.0, 3.0), (3.0, 9.0)]);
    assert!(rows.iter().all(|row| row["metric"] == "loss" && row["script"] == "x.rhai"));
    assert_eq!(desk.ebb(&["runs", "metrics", "all.parquet"]).0, 0);
    std::fs::write(desk.path("x.rhai"), "1").unwrap();
    let (code, _, err) = desk.ebb(&["runs", "--in", "none", "metrics", "x.csv"]);
    assert!(code == 1 && err.contains("there is no folder none"), "{err}");
}

#[test]
fn what_is_no_list_of_runs_is_told_in_a_sentence() {
    let desk = Desk::new("1");
    let (code, _, err) = desk.ebb(&["runs"]);
    assert!(code == 1 && err.contains("there is no folder runs"), "{err}");
    let (code, _, err) = desk.ebb(&["runs", "clean"]);
    assert!(code == 1 && err.contains("--keep N"), "{err}");
    // Files, folders that are no runs, and links are passed and stay.
    std::fs::create_dir_all(desk.path("runs/mine")).unwrap();
    std::fs::write(desk.path("runs/mine/run.json"), "no JSON").unwrap();
    std::fs::write(desk.path("runs/notes.txt"), "x").unwrap();
    assert_eq!(desk.run().0, 0);
    #[cfg(unix)]
    std::os::unix::fs::symlink(desk.path("record"), desk.path("runs/link")).unwrap();
    let (code, out, _) = desk.ebb(&["runs", "clean", "--keep", "0", "--yes"]);
    assert_eq!((code, out.as_str()), (0, "0 runs removed, 0 MiB\n"));
    assert!(desk.path("record/run.json").exists() && desk.path("runs/mine/run.json").exists());
}

#[test]
fn a_line_that_is_evaluated_leaves_no_run() {
    let desk = Desk::new("");
    let (code, out, err) = desk.ebb(&["-e", "print(1); [2, 3]"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "1\n[2, 3]\n", ""));
    let (code, out, err) = desk.ebb(&["-e", "-1 + 3", "--json"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "2\n", "2\n"));
    let (code, _, err) = desk.ebb(&["-e", "absent"]);
    assert!(code == 1 && err.contains("--> -e:1:1"), "{err}");
    assert_eq!(desk.ebb(&["--json"]).0, 2);
    assert!(!desk.path("runs").exists());
}

#[test]
fn exit_ends_a_script_and_says_what_was_not_run() {
    let desk = Desk::new(
        "print(1);\nif true { exit(7) }\nprint(2)\n// %% next\nprint(3)\n// %% last\nprint(4)",
    );
    let (code, out, err) = desk.ebb(&["run", "x.rhai", "--run-dir", "record", "--json"]);
    assert_eq!((code, out.as_str()), (0, "7\n"), "{err}");
    assert!(err.contains("exit(): the cells after this one (2) were not run"), "{err}");
    assert!(!err.contains('3') && desk.text("record/run.json").contains("\"done\""), "{err}");
    let (code, out, _) = desk.ebb(&["-e", "try { exit() } catch { print(1) }"]);
    assert_eq!((code, out.as_str()), (0, ""));
    let mut child = desk.command(&[]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"1 + 1\nexit()\n5 + 5\n").unwrap();
    let (code, out, err) = told(&child.wait_with_output().unwrap());
    assert_eq!((code, out.as_str(), err.as_str()), (0, "2\n", ""));
}

#[test]
fn a_new_script_runs_as_it_stands_and_replaces_nothing() {
    let desk = Desk::new("");
    let (code, out, err) = desk.ebb(&["new", "probe"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "probe.rhai is written. Next: ebb run probe.rhai\n"),
        "{err}"
    );
    let (code, out, err) = desk.ebb(&["run", "probe.rhai", "--steps", "2", "--rows", "8"]);
    assert!(code == 0 && out.contains("held out"), "{err}");
    let (code, out, _) = desk.ebb(&["runs"]);
    assert!(code == 0 && out.contains("loss_after"), "{out}");
    let (code, _, err) = desk.ebb(&["new", "probe.rhai"]);
    assert!(code == 1 && err.contains("probe.rhai is there already"), "{err}");
    let (code, _, err) = desk.ebb(&["new", "absent/probe"]);
    assert!(code < 2 && !err.contains("panicked"), "{err}");
}

const STOPPED: &str = r##"let seed = param("steps", 3, "steps");
let m = load_model("ebb/tiny").finetune(["The cat sat.", "A dog ran."], #{ steps: seed, batch_size: 1, dir: run_dir() + "/learning", save_every: 1 });
show(m.log().select(["step", "loss"]));
fn exists_now() { try { read("go.jsonl"); return true; } catch { return false; } }
if !exists_now() { throw "not yet" }
m.loss(["The cat sat."])
"##;

#[test]
fn a_failed_run_goes_on_in_its_folder_from_its_checkpoints() {
    let desk = Desk::new(STOPPED);
    let (code, _, err) = desk.ebb(&["run", "x.rhai", "--run-dir", "record", "--steps", "4"]);
    assert!(code == 1 && err.contains("not yet"), "{err}");
    let checkpoints = || {
        let folder = std::fs::read_dir(desk.path("record/learning")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().to_string_lossy().to_string());
        let mut names: Vec<String> = names.filter(|name| name.starts_with("checkpoint")).collect();
        names.sort();
        names
    };
    let before = checkpoints();
    assert_eq!(before.last().unwrap(), "checkpoint-00000004");
    let made =
        std::fs::metadata(desk.path("record/learning/checkpoint-00000004/state.json")).unwrap();
    std::fs::write(desk.path("go.jsonl"), "{\"x\": 1}\n").unwrap();
    let (code, out, err) = desk.ebb(&["run", "--resume", "record"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("4 rows"), "all four steps are in the log: {out}");
    // Nothing was trained again: the checkpoint is the file that it was.
    let after =
        std::fs::metadata(desk.path("record/learning/checkpoint-00000004/state.json")).unwrap();
    assert_eq!(after.modified().unwrap(), made.modified().unwrap());
    assert_eq!(checkpoints(), before);
    // The first attempt's record is set aside, and the run is whole and the same as one that never failed.
    assert!(desk.text("record/attempt-1/run.json").contains("\"failed\""));
    assert!(desk.text("record/run.json").contains("\"done\""));
    let (code, whole, err) = desk.ebb(&["run", "x.rhai", "--run-dir", "whole", "--steps", "4"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, whole);
    let (code, _, err) = desk.ebb(&["run", "--resume", "record"]);
    assert!(code == 2 && err.contains("is done: there is nothing to go on with"), "{err}");
    let (code, _, err) = desk.ebb(&["run", "--resume"]);
    assert!(code == 2 && err.contains("--resume names no run"), "{err}");
}

#[test]
fn a_stopped_finetuning_says_what_is_kept_and_how_to_go_on() {
    let script = r#"print("begun");
        load_model("ebb/tiny").finetune(["The cat sat."], #{ steps: 100000, batch_size: 1, DIR })"#;
    for (dir, told) in [
        ("dir: \"learning\", save_every: 1", "with resume: true goes on from there"),
        ("seed: 1", "with the option `dir` it keeps checkpoints"),
    ] {
        let desk = Desk::new(&script.replace("DIR", dir));
        let mut child = desk.command(&["run", "x.rhai", "--run-dir", "record"]).spawn().unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut String::new()).unwrap();
        if dir.starts_with("dir") {
            wait(|| {
                desk.path("learning/checkpoint-00000001")
                    .exists()
                    .then_some(())
                    .or_else(|| desk.path("learning/checkpoint-00000003").exists().then_some(()))
            });
        } else {
            std::thread::sleep(Duration::from_millis(300));
        }
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
        let (code, _, err) = told_of(child);
        assert_eq!(code, 130, "{err}");
        assert!(rest.contains(told), "{rest}");
        assert!(err.contains("to go on: ebb run --resume record"), "{err}");
    }
}

fn told_of(child: Child) -> (i32, String, String) {
    told(&child.wait_with_output().unwrap())
}

#[test]
fn a_checkpoint_is_opened_as_the_model_that_it_holds() {
    let desk = Desk::new(
        r#"let m0 = load_model("ebb/tiny");
        let rows = ["The cat sat.", "A dog ran.", "It was late."];
        let same = [];
        for method in ["full", "lora", "last_block", "head"] {
            let plan = #{ steps: 6, batch_size: 1, method: method, learning_rate: 0.001 };
            m0.finetune(rows, plan + #{ dir: "of-" + method, save_every: 2, keep: 9 });
            let there = m0.finetune(rows, plan + #{ stop_after: 4 });
            let opened = load_model("of-" + method + "/checkpoint-00000004");
            same.push(opened.loss(rows) == there.loss(rows) && opened.lineage() == there.lineage());
            let whole = load_model("of-" + method + "/checkpoint-00000006");
            same.push(whole.loss(rows) == m0.finetune(rows, plan).loss(rows) && whole.log().len() == 6);
        }
        let m1 = m0.finetune(rows, #{ steps: 1 });
        m1.finetune(rows, #{ steps: 2, dir: "second", save_every: 1 });
        same.push(load_model("second/checkpoint-00000002", #{ base: m1 }).lineage().stages.len() == 4);
        same"#,
    );
    let (code, out, err) = desk.ebb(&["run", "x.rhai", "--json"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "[true,true,true,true,true,true,true,true,true]\n"),
        "{err}"
    );
    for (code, said) in [
        (
            r#"load_model("second/checkpoint-00000002")"#,
            "give that model: load_model(folder, #{ base: m1 })",
        ),
        (
            r#"load_model("second/checkpoint-00000002", #{ base: load_model("ebb/tiny") })"#,
            "expected the model that it was trained from, ebb/tiny after 3 finetunings",
        ),
        (
            r#"load_model("ebb/tiny", #{ base: load_model("ebb/tiny") })"#,
            "`base` is for checkpoints",
        ),
        (
            r#"load_model("of-full/checkpoint-00000004", #{ quantize: "q8_0" })"#,
            "the options `base` and `device` alone",
        ),
    ] {
        let (_, _, err) = desk.ebb(&["-e", code]);
        assert!(err.contains(said), "{code}: {err}");
    }
    std::fs::write(desk.path("of-head/checkpoint-00000004/variables.safetensors"), "x").unwrap();
    let (_, _, err) = desk.ebb(&["-e", r#"load_model("of-head/checkpoint-00000004")"#]);
    assert!(err.contains("has changed since it was written"), "{err}");
}

#[test]
fn a_killed_run_goes_on_with_its_parameters_and_only_once() {
    let script = "let phi = param(\"phi\", 0.1, \"threshold\"); print(phi); try { read(\"go.jsonl\"); } catch { sleep(600); }\n();";
    let desk = Desk::new(script);
    let mut child =
        desk.command(&["run", "x.rhai", "--phi", "0.7", "--run-dir", "record"]).spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut String::new()).unwrap();
    let (code, _, err) = desk.ebb(&["run", "--resume", "record"]);
    assert!(code == 2 && err.contains("is under way"), "{err}");
    ended(child);
    std::fs::write(desk.path("go.jsonl"), "{\"x\": 1}\n").unwrap();
    // Of several that would go on with it, one does.
    let several: Vec<Child> =
        (0..6).map(|_| desk.command(&["run", "--resume", "record"]).spawn().unwrap()).collect();
    let ended: Vec<(i32, String, String)> = several.into_iter().map(told_of).collect();
    let done: Vec<_> = ended.iter().filter(|(code, _, _)| *code == 0).collect();
    assert_eq!(done.len(), 1, "{ended:?}");
    assert_eq!(done[0].1, "0.7\n");
    assert!(desk.path("record/attempt-1").exists() && !desk.path("record/attempt-2").exists());
}

#[test]
fn folders_of_short_names_and_results_that_name_the_folder_are_compared_rightly() {
    let desk = Desk::new(
        "let n = param(\"n\", 1, \"n\"); print(`n is ${n}`); log(#{ at: run_dir(), n: 1 }); frame(#{ p: [run_dir() + \"/x\"] })",
    );
    assert_eq!(desk.ebb(&["run", "x.rhai", "--n", "3", "--run-dir", "3"]).0, 0);
    assert_eq!(desk.ebb(&["run", "x.rhai", "--n", "4", "--run-dir", "4"]).0, 0);
    let (_, out, _) = desk.ebb(&["runs", "compare", "3", "4"]);
    assert!(out.contains("\"n is 3\" before, \"n is 4\" now"), "{out}");
    let (code, out, _) = desk.ebb(&["verify", "3"]);
    assert_eq!((code, out.as_str()), (0, "same: 1 cell, 1 table, 1 text, 1 metrics line\n"));
    // From within, and from beside.
    let inner = desk.command(&["verify", "."]).current_dir(desk.path("3")).output().unwrap();
    assert!(told(&inner).1.starts_with("same:"), "{inner:?}");
    for words in [
        &["export", "nope", "x.html"][..],
        &["verify", "nope"],
        &["runs", "show", "nope"],
        &["run", "--resume", "nope"],
    ] {
        let (_, _, err) = desk.ebb(words);
        assert!(err.contains("nope holds no run"), "{words:?}: {err}");
    }
}
