//! The program from outside: exit codes, what goes to which stream, help, the screens of errors, and the run folder.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A folder with a script in it, in which the program is run.
struct Desk(tempfile::TempDir);

struct Ran {
    code: i32,
    out: String,
    /// Standard error without the line that names the report.
    err: String,
}

impl Desk {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.rhai"), script).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ebb"));
        command
            .args(words)
            .current_dir(self.path())
            .env("COLUMNS", "80")
            .env("NO_COLOR", "1")
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn ebb(&self, words: &[&str]) -> Ran {
        finished(self.command(words).spawn().unwrap())
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.ebb(&[&["run", "x.rhai", "--run-dir", "record"], words].concat())
    }

    fn record(&self) -> Value {
        let bytes = std::fs::read(self.path().join("record/run.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

fn finished(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let lines = err.lines().filter(|line| !line.starts_with("report: "));
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: lines.collect::<Vec<_>>().join("\n"),
    }
}

fn run(script: &str, words: &[&str]) -> Ran {
    Desk::new(script).run(words)
}

#[test]
fn the_version_is_printed() {
    let ran = Desk::new("").ebb(&["--version"]);
    assert_eq!((ran.code, ran.out), (0, format!("ebb {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_help_of_the_program() {
    let ran = Desk::new("").ebb(&["--help"]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(ran.out);
}

#[test]
fn the_help_of_run() {
    let ran = Desk::new("").ebb(&["run", "--help"]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(ran.out);
}

const PARAMETERS: &str = r#"// %% [markdown]
// # Forgetting, small
// What a short safety round undoes.
// %% settings
let rows = param("rows", 240, "noisy training rows");
let phi = param("phi", 0.1, "forgetting threshold");
let seed = param("seed", 0, "seed of everything random");
let name = param("model", "ebb/tiny", "bundled name or folder");
let loud = param("loud", false, "say more");
frame(#{ here: [1] }).write("it_ran.csv");
// %% values
[rows, phi, seed, name, loud]
"#;

#[test]
fn the_help_of_a_script_is_found_without_running_it() {
    let desk = Desk::new(PARAMETERS);
    let ran = desk.ebb(&["run", "x.rhai", "--help"]);
    assert_eq!(ran.code, 0);
    assert!(!desk.path().join("it_ran.csv").exists());
    insta::assert_snapshot!(ran.out);
}

#[test]
fn parameters_take_values_in_every_form() {
    let values = |words: &[&str]| -> Value {
        let ran = run(PARAMETERS, &[words, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        serde_json::from_str(&ran.out).unwrap()
    };
    assert_eq!(values(&[]), json!([240, 0.1, 0, "ebb/tiny", false]));
    assert_eq!(
        values(&["--rows=-5", "--phi", "-2e-1", "--seed", "7", "--model=-x", "--loud"]),
        json!([-5, -0.2, 7, "-x", true])
    );
    assert_eq!(values(&["--rows", "-5", "--loud", "false"])[4], json!(false));
}

#[test]
fn a_command_line_that_makes_no_sense_is_exit_code_2() {
    for (words, told) in [
        (&["--rowz", "3"][..], "a similar argument exists: '--rows'"),
        (&["--rows", "many"], "expected a whole number"),
        (&["--rows", "2.5"], "expected a whole number"),
        (&["--phi", "x"], "expected a number"),
        (&["--loud=maybe"], "expected true or false"),
        (&["--rows"], "a value is required"),
        (&["stray"], "unexpected argument 'stray'"),
        (&["--report", "x.pdf"], "ends in .html"),
        (&["--allow-read", "absent"], "there is no such file or folder"),
        (&["--threads", "0"], "0 is not in"),
        (&["--device", "tpu"], "expected auto, cpu or cuda:0"),
    ] {
        let ran = run(PARAMETERS, words);
        assert_eq!(ran.code, 2, "{words:?}: {}", ran.err);
        assert!(ran.err.contains(told), "{words:?}: {}", ran.err);
        assert_eq!(ran.out, "");
    }
    for (words, told) in [
        (&["run"][..], "SCRIPT"),
        (&["run", "absent.rhai"], "cannot read absent.rhai: there is no such file or folder"),
        (&["kernell"], "a similar subcommand exists: 'kernel'"),
    ] {
        let ran = Desk::new("").ebb(words);
        assert_eq!(ran.code, 2, "{words:?}");
        assert!(ran.err.contains(told), "{words:?}: {}", ran.err);
    }
}

#[test]
fn a_parameter_may_not_have_the_name_of_an_option() {
    let ran = run("param(\"json\", 1, \"no\")", &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("has the name of an option"), "{}", ran.err);
}

#[test]
fn json_is_the_one_line_on_standard_output() {
    let ran = run(
        "print(\"aside\"); show(1);\nframe(#{ a: [1.5, 0.0/0.0], b: [\"x\", ()] })",
        &["--json"],
    );
    assert_eq!(ran.out, "[{\"a\":1.5,\"b\":\"x\"},{\"a\":null,\"b\":null}]\n");
    assert_eq!(ran.err.lines().next(), Some("aside"));
    assert_eq!(run("let x = 1;", &["--json"]).out, "null\n");
    let failed = run("print(1);\nabsent", &["--json"]);
    assert_eq!((failed.code, failed.out.as_str()), (1, ""));
}

#[test]
fn values_of_cells_are_shown_under_their_titles() {
    let script = "// %% a frame\nlet f = frame(#{ name: [\"one\", \"two\\n\\x1b[31m\"], value: [1.0, 2.25], missing: [(), 3] });\nf\n\
                  // %% a map\n#{ rows: f.len(), frame: f, list: [1, 2], text: \"a\", none: () }\n// %% quiet\nlet y = 2;\n\
                  // %% printed\nprint(\"a\\x07b\");\n";
    let ran = run(script, &[]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(ran.out);
}

#[test]
fn a_wide_table_fits_with_what_it_leaves_out() {
    let names: Vec<String> = (10..40).map(|n| format!("a_column_{n}")).collect();
    let columns: Vec<String> = names.iter().map(|name| format!("{name}: [1]")).collect();
    let ran = run(&format!("frame(#{{ {} }})", columns.join(", ")), &[]);
    assert_eq!(ran.code, 0);
    let widest = ran.out.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{}", ran.out);
    assert!(names.iter().all(|name| ran.out.contains(name)), "{}", ran.out);
}

/// Scripts that fail, with the screens their authors see.
#[test]
fn the_screens_of_errors() {
    let scripts = [
        "let x = (1 + ;",
        "let rows = 3;\nlet y = rws + 1;",
        "let f = frame(#{ a: [1] });\nfram(1);",
        "let f = frame(#{ a: [1] });\nf.head(\"x\")",
        "let f = frame(#{ text: [\"a\"] });\nf.select([col(\"txt\")])",
        "// %% one\nfn prepare(f) {\n  f.absent()\n}\n// %% two\nlet x = 1;\nprepare(x)",
        "import \"std/mixture\" as mixture;\nmixture::noisy(10, 0.5, [], 1)",
        "import \"std/mixtur\" as mixture;",
        "read(\"/etc/hostname\")",
        "read(\"absent.csv\")",
        "fn f(n) { f(n + 1) }\nf(0)",
        "let a = #{ b: 1 };\na.c.d",
        "let a = [1, 2];\na[7]",
        "if 1 { 2 }",
        "fn prepare(f) { f }\nprepare(1, 2)",
        "fn prepare(f) { f }\nprepar(1)",
        "throw \"a \\x1b[31mred\\x1b[0m word\"",
        "plot(frame(#{ a: [1] }), #{ x: \"a\", y: \"a\", titel: \"x\" })",
    ];
    let mut screens = String::new();
    for script in scripts {
        let desk = Desk::new(script);
        let ran = desk.run(&[]);
        assert_eq!(ran.code, 1, "{script}");
        let folder = desk.path().canonicalize().unwrap();
        screens.push_str(&ran.err.replace(folder.to_str().unwrap(), "FOLDER"));
        screens.push_str("\n\n");
    }
    insta::assert_snapshot!(screens);
}

#[test]
fn a_run_leaves_a_record() {
    let desk = Desk::new(
        "let n = param(\"n\", 2, \"\");\nfor i in 0..n { log(#{ step: i, loss: 1.5 }); }\nread(\"in.csv\").write(run_dir() + \"/out.csv\")",
    );
    std::fs::write(desk.path().join("in.csv"), "a\n1\n").unwrap();
    let ran = desk.run(&["--n", "3", "--seed", "9", "--report", "copy.html"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let folder = desk.path().join("record");
    let metrics = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 3);
    assert_eq!(metrics.lines().next(), Some("{\"loss\":1.5,\"step\":0}"));
    for file in ["script.rhai", "report.html", "out.csv"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    assert_eq!(
        std::fs::read(folder.join("report.html")).unwrap(),
        std::fs::read(desk.path().join("copy.html")).unwrap()
    );
    let record = desk.record();
    assert_eq!(record["status"], "done");
    assert_eq!(record["parameters"], json!({ "n": 3 }));
    assert_eq!(record["seed"], 9);
    assert_eq!(record["inputs"][0]["sha256"].as_str().unwrap().len(), 64);
    assert!(record["inputs"][0]["name"].as_str().unwrap().ends_with("in.csv"));
    assert_eq!(record["cells"][0]["line"], 1);
}

#[test]
fn a_failed_run_leaves_a_record_and_a_report_too() {
    let desk = Desk::new("// %% a\n1\n// %% b\nabsent");
    assert_eq!(desk.run(&[]).code, 1);
    let record = desk.record();
    assert_eq!(record["status"], "failed");
    assert_eq!(record["error"]["line"], 4);
    let page = std::fs::read_to_string(desk.path().join("record/report.html")).unwrap();
    assert!(page.contains("there is no variable `absent`"));
    let again = desk.run(&[]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("already holds the record of a run"));
}

#[test]
fn without_a_folder_records_are_numbered() {
    let desk = Desk::new("1");
    desk.ebb(&["run", "x.rhai"]);
    desk.ebb(&["run", "x.rhai"]);
    let mut names: Vec<String> = std::fs::read_dir(desk.path().join("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().to_string())
        .collect();
    names.sort();
    assert_eq!(names.len(), 2);
    assert!(names[0].ends_with("-x-1") && names[1].ends_with("-x-2"), "{names:?}");
}

#[test]
fn a_script_reaches_only_what_it_was_given() {
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("in.csv");
    std::fs::write(&file, "a\n1\n").unwrap();
    let (file, folder) = (file.to_str().unwrap(), other.path().to_str().unwrap());
    let by_parameter = "read(param(\"data\", \"none\", \"\")).len()";
    assert_eq!(run(by_parameter, &["--data", file]).code, 0);
    assert_eq!(run(by_parameter, &["--data", &format!("{folder}/*.csv")]).code, 0);
    let by_name = format!("read({file:?}).len()");
    let refused = run(&by_name, &[]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("is not allowed"), "{}", refused.err);
    let separated = format!("param(\"sep\", \",\", \"\"); {by_name}");
    for typed in ["/", "..", "/*"] {
        let refused = run(&separated, &["--sep", typed]);
        assert!(refused.err.contains("is not allowed"), "{}", refused.err);
    }
    assert_eq!(run(&by_name, &["--allow-read", folder]).code, 0);
    let writes = format!("frame(#{{ a: [1] }}).write({:?}); 1", format!("{folder}/new/out.csv"));
    assert_eq!(run(&writes, &["--allow-read", folder]).code, 1);
    assert_eq!(run(&writes, &["--allow-write", &format!("{folder}/new")]).code, 0);
}

#[test]
fn a_folder_overrides_the_standard_library() {
    let desk = Desk::new("import \"std/mixture\" as mixture;\nmixture::mine()");
    std::fs::create_dir(desk.path().join("library")).unwrap();
    std::fs::write(desk.path().join("library/mixture.rhai"), "fn mine() { 42 }").unwrap();
    let ran = desk.run(&["--library", "library", "--json"]);
    assert_eq!(ran.out, "42\n", "{}", ran.err);
}

#[test]
fn a_script_imports_what_stands_beside_it_and_the_record_has_its_hash() {
    let desk = Desk::new("");
    let folder = desk.path().join("scripts");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("tools.rhai"), "fn half(n) { n / 2 }").unwrap();
    let script = "import \"tools\" as tools;\ntools::half(8)";
    std::fs::write(folder.join("y.rhai"), script).unwrap();
    let ran = desk.ebb(&["run", "scripts/y.rhai", "--run-dir", "record", "--json"]);
    assert_eq!(ran.out, "4.0\n", "{}", ran.err);
    let input = &desk.record()["inputs"][0];
    assert!(input["name"].as_str().unwrap().ends_with("tools.rhai"));
    assert_eq!(input["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let desk = Desk::new("for i in 0..20000 { print(\"a line that fills the pipe\"); }");
    let mut child = desk.command(&["run", "x.rhai", "--run-dir", "record"]).spawn().unwrap();
    drop(child.stdout.take());
    let ran = finished(child);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(desk.record()["status"], "done");
}

#[test]
fn what_the_tables_are_built_without_is_told_as_that() {
    let ran = run("frame(#{ a: [[1, 2], [3]] }).select(col(\"a\") + 1)", &[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("built without") && ran.err.contains("list_arithmetic"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("itself failed"), "{}", ran.err);
}

/// What nobody can see may stand in names, parameters and values: it is written out wherever the program shows it.
#[test]
fn what_cannot_be_seen_is_written_out_at_every_door() {
    let odd = "x\u{1b}[31m\u{202e}\u{200b}\u{feff}.rhai";
    let desk = Desk::new("");
    let script = r#"let a = param("a", 1, "d"); #{ v: "\u009b2J\u202E\U000E0041" }"#;
    std::fs::write(desk.path().join(odd), script).unwrap();
    let hides =
        |text: &str| text.chars().any(|c| !matches!(c, '\n' | ' '..='~' | '·' | '─' | '…' | '–'));
    for words in [
        vec!["run", odd, "--help"],
        vec!["run", odd],
        vec!["run", odd, "--json", "--run-dir", "record"],
        vec!["run", odd, "--report", "r.html"],
        vec!["run", odd, "--a", "\u{9b}"],
        vec!["run", odd, "--\u{1b}[31mb"],
        vec!["run", "no\u{1b}[31m\u{2028}"],
        vec!["\u{1b}]0;x\u{7}"],
        vec!["repl", "--\u{202e}"],
    ] {
        let ran = desk.ebb(&words);
        let text = format!("{}{}", ran.out, ran.err);
        assert!(!text.is_empty() && !hides(&text), "{words:?}: {text:?}");
    }
    let page = std::fs::read_to_string(desk.path().join("r.html")).unwrap();
    assert!(!hides(&page), "the report");
    let record = std::fs::read_to_string(desk.path().join("record/run.json")).unwrap();
    assert!(!hides(&record), "{record}");
    assert_eq!(serde_json::from_str::<Value>(&record).unwrap()["script"], odd);
    let ran = desk.ebb(&["run", odd, "--json"]);
    let value: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(value["v"].as_str().unwrap().ends_with("\u{9b}2J\u{202e}\u{e0041}"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_the_output_is_a_sentence() {
    let desk = Desk::new("print(1);");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = desk.command(&["run", "x.rhai"]);
    let ran = finished(command.stdout(full).spawn().unwrap());
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("the disk is full"), "{}", ran.err);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_script_and_the_record_says_so() {
    let desk = Desk::new("print(\"begun\");\ntry { loop {} } catch { print(\"caught\"); }");
    let mut child = desk.command(&["run", "x.rhai", "--run-dir", "record"]).spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line, "begun\n");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ran = finished(child);
    assert_eq!(ran.code, 130);
    assert!(ran.err.starts_with("error: stopped"), "{}", ran.err);
    assert_eq!(desk.record()["status"], "stopped");
}

#[test]
fn the_prompt_reads_standard_input_piece_by_piece() {
    let desk = Desk::new("");
    let mut child = desk.command(&[]).stdin(Stdio::piped()).spawn().unwrap();
    let typed =
        "let x = 3;\nfn f(n) {\n  n * x2\n}\nlet g = |n|\n  n + x;\ng.call(4)\nf(1)\n[1,\n 2]\n";
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let ran = finished(child);
    assert_eq!(ran.out, "7\n[1, 2]\n");
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err);
}

#[test]
fn the_prompt_takes_options_with_and_without_its_name() {
    for words in [&["--threads", "1", "--offline"][..], &["repl", "--threads", "1"]] {
        let desk = Desk::new("");
        let mut child = desk.command(words).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"6 * 7\n").unwrap();
        let ran = finished(child);
        assert_eq!((ran.code, ran.out.as_str()), (0, "42\n"), "{}", ran.err);
    }
    let both = Desk::new("").ebb(&["--offline", "run", "x.rhai"]);
    assert_eq!(both.code, 2);
    assert!(both.err.contains("ebb [OPTIONS]"), "{}", both.err);
}
