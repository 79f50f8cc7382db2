//! `ebb check`: what it finds in scripts, what it lists, and that it keeps quiet about scripts that work.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ebb::script::check::{self, Part};
use ebb::script::host::Host;
use serde_json::Value;

/// What the program said, and its exit code.
struct Told {
    code: i32,
    text: String,
}

/// A folder with a script `x.rhai` in it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new(script: &str) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.write("x.rhai", script);
        desk
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn check(&self, words: &[&str]) -> Told {
        checked(self.0.path(), &["x.rhai"], words)
    }
}

fn checked(folder: &Path, script: &[&str], words: &[&str]) -> Told {
    let output = Command::new(env!("CARGO_BIN_EXE_ebb"))
        .arg("check")
        .args(script)
        .args(words)
        .current_dir(folder)
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("HF_HOME", folder.join("hub"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let both = [output.stdout, output.stderr].concat();
    let place = folder.canonicalize().unwrap();
    let text = String::from_utf8(both).unwrap().replace(place.to_str().unwrap(), "FOLDER");
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    Told { code: output.status.code().unwrap_or(-1), text }
}

/// What is said of a script.
fn told(script: &str) -> Told {
    Desk::new(script).check(&[])
}

fn told_of(script: String) -> Told {
    told(&script)
}

/// Says that a script has exactly one problem, in this line and column, in these words.
#[track_caller]
fn has_one(script: &str, place: &str, words: &str) {
    let told = told(script);
    assert_eq!(told.code, 1, "{script}\n{}", told.text);
    assert!(told.text.contains(&format!("x.rhai:{place}\n")), "{script}\n{}", told.text);
    assert!(told.text.contains(words), "{script}\n{}", told.text);
    assert!(told.text.ends_with("x.rhai: 1 problem"), "{script}\n{}", told.text);
}

/// Says that nothing is found in a script.
#[track_caller]
fn is_clean(script: &str) {
    let told = told(script);
    assert_eq!(told.code, 0, "{script}\n{}", told.text);
    assert!(told.text.ends_with("x.rhai: nothing is wrong"), "{script}\n{}", told.text);
}

const FRAME: &str = "let f = frame(#{ a: [1, 2] });\n";

#[test]
fn all_problems_of_a_script_are_told_at_once() {
    let told = told(
        "// %% one\nlet f = frame(#{ a: [1] });\nf.heda(2);\nfoo(1);\n// %% two\nlet = 3;\n// %% three\nfrane(#{ b: [2] });\n",
    );
    assert_eq!(told.code, 1);
    for place in ["x.rhai:3:3", "x.rhai:4:1", "x.rhai:6:5"] {
        assert!(told.text.contains(place), "{place}\n{}", told.text);
    }
    assert!(told.text.ends_with("x.rhai: 3 problems"), "{}", told.text);
}

#[test]
fn names_that_are_none() {
    has_one(
        "let rows = 1;\nprint(rowz);",
        "2:7",
        "there is no variable `rowz`, did you mean `rows`?",
    );
    has_one("print([1].map(|x| x + missing));", "1:23", "there is no variable `missing`");
    has_one("let k = 2;\nfn f(x) { x * k }\nf(1)", "2:15", "`k` is not known inside the function");
    has_one("let y = True;", "1:9", "it is written true");
    has_one("foo(1)", "1:1", "there is no function `foo`");
    has_one("read_csv(\"a.csv\")", "1:1", "read(\"rows.csv\") reads a table");
    has_one("frane(#{ a: [1] })", "1:1", "did you mean `frame`?");
}

#[test]
fn calls_that_fit_no_form() {
    has_one("fn f(a, b) { a + b }\nf(1)", "2:1", "it is called as f(a, b)");
    has_one("read(\"ebb/tasks-sample\", #{}, 3)", "1:1", "it is called as read(path)");
    has_one(&format!("{FRAME}f.head(1, 2)"), "2:3", "`head` cannot be called with");
    has_one(&format!("{FRAME}f.str_len()"), "2:3", "works on a Expr, not on a Frame");
    has_one("let text = \"a\"; text.heda()", "1:22", "there is no function `heda`");
    has_one("let f = |x| x; f(1)", "1:16", "call it as f.call(1)");
}

#[test]
fn modules_that_are_not_there_and_what_they_do_not_have() {
    has_one("import \"std/bqb\" as bbq;", "1:8", "std/bbq");
    has_one("import \"beside\" as b;", "1:8", "beside.rhai");
    has_one(
        "import \"std/bbq\" as bbq;\nbbq::prepar(1)",
        "2:6",
        "there is no function `bbq::prepar`",
    );
    has_one(
        "import \"std/bbq\" as bbq;\nbbq::prepare(1, 2, 3, 4)",
        "2:6",
        "`bbq::prepare` cannot be called with",
    );
    has_one("nowhere::f(1)", "1:10", "there is no module");
    let desk = Desk::new("import \"mine\" as mine;\nmine::twice(2)");
    desk.write("mine.rhai", "fn twice(x) { y * x }\n");
    let told = desk.check(&[]);
    assert_eq!(told.code, 1);
    assert!(told.text.contains("mine.rhai:1:15"), "{}", told.text);
}

#[test]
fn options_that_a_call_does_not_know_or_cannot_take() {
    let model = "let m = load_model(\"ebb/tiny\");\n";
    has_one(
        &format!("{model}m.finetune([\"a\"], #{{ stepz: 3 }})"),
        "2:22",
        "unknown option `stepz`",
    );
    has_one(
        &format!("{model}m.finetune([\"a\"], #{{ num_train_epochs: 3 }})"),
        "2:22",
        "here it is `epochs`",
    );
    has_one(
        &format!("{model}m.finetune([\"a\"], #{{ steps: \"3\" }})"),
        "2:22",
        "expected a whole number",
    );
    has_one(
        &format!("{model}m.finetune([\"a\"], #{{ steps: 3.5 }})"),
        "2:22",
        "expected a whole number",
    );
    is_clean(&format!("{model}m.finetune([\"a\"], #{{ steps: 3, learning_rate: 1, seed: () }})"));
}

#[test]
fn parameters() {
    has_one(
        "let n = 3;\nparam(\"n\", n)",
        "2:1",
        "`param` needs a name and a default that stand there as they are",
    );
    has_one("param(\"json\", 1)", "1:1", "has the name of an option");
    let desk = Desk::new("let n = param(\"n\", 3, \"how many\");");
    assert_eq!(desk.check(&["--n", "4"]).code, 0);
    let wrong = desk.check(&["--n", "many"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.text.contains("expected a whole number"), "{}", wrong.text);
    assert_eq!(desk.check(&["--m", "4"]).code, 2);
    let help = desk.check(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.text.contains("how many"), "{}", help.text);
}

#[test]
fn files_that_are_not_there() {
    has_one("read(\"rows.csv\")", "1:1", "rows.csv");
    has_one("load_model(\"ebb/tinny\")", "1:1", "ebb/tiny");
    has_one("load_model(\"here\")", "1:1", "there is no model `here`");
    is_clean("frame(#{ a: [1] }).write(\"rows.csv\");\nread(\"rows.csv\")");
    is_clean("if exists(\"rows.csv\") { read(\"rows.csv\"); }");
    is_clean("let path = param(\"rows\", \"\", \"\"); if path != \"\" { read(path); }");
    let default = told("read(param(\"rows\", \"rows.csv\", \"\"))");
    assert_eq!(default.code, 0);
    assert!(default.text.contains("1 warning"), "{}", default.text);
}

#[test]
fn prose_that_asks_for_no_variable_is_a_warning() {
    let told = told(
        "// %% [markdown]\n// It is {{ n }}.\n// %%\nlet n = 1;\n// %% [markdown]\n// It is {{ n }}.\n",
    );
    assert_eq!(told.code, 0);
    assert!(told.text.contains("x.rhai:2:13"), "{}", told.text);
    assert!(told.text.contains("nothing is wrong, 1 warning"), "{}", told.text);
}

#[test]
fn what_the_language_allows_is_no_problem() {
    for script in [
        "let x = 1; { let x = \"a\"; x.len(); } x + 1",
        "let f = |n| if n == 0 { 0 } else { n }; f.call(2)",
        "let m = #{ twice: |x| x * 2 }; m.twice(3)",
        "let m = #{}; m.shout = |x| x; m.shout(3)",
        "fn grown() { this + 1 } let x = 3; x.grown()",
        "fn fact(n) { if n < 2 { 1 } else { n * fact(n - 1) } } fact(4)",
        "switch 3 { 1 => \"a\", _ => \"b\" }",
        "try { throw 3; } catch (e) { print(e); }",
        "for (x, i) in [1, 2] { print(`${x} ${i}`); }",
        "let g = |a| |b| a + b; g.call(1).call(2)",
        "let total = 0; [1, 2].for_each(|| total += this); total",
        "// %% a\nlet n = 3;\nfn twice(x) { x * 2 }\n// %% b\ntwice(n)",
        "fn first() { second() }\nfn second() { 2 }\nfirst()",
        "let x = 3; x = \"text\"; x.to_upper()",
        "let f = frame(#{ len: [1] }); f.len; f[\"len\"][0]; f.rows()[0].len",
        "col(\"a\").mean().over(\"b\"); when(col(\"a\") > 1).then(1).otherwise(2)",
        "let f = Fn(\"print\"); f.call(3); let t = timestamp(); t.elapsed",
        "",
        "// only a remark",
    ] {
        is_clean(script);
    }
}

/// All scripts and pages that are shipped; each has to be at rest with the check.
#[test]
fn shipped_scripts_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting = vec![root.join("scripts"), root.join("stdlib")];
    let mut scripts: Vec<PathBuf> = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|end| end.to_str()) {
                None => waiting.push(path),
                Some("rhai") => scripts.push(path.strip_prefix(root).unwrap().to_path_buf()),
                Some(_) => {}
            }
        }
    }
    assert!(scripts.len() > 40, "{}", scripts.len());
    for script in scripts {
        let told = checked(root, &[script.to_str().unwrap()], &[]);
        assert_eq!(told.code, 0, "{}\n{}", script.display(), told.text);
    }
}

#[test]
fn the_examples_of_the_readme_and_of_the_starter_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let blocks = text.split("```rhai\n").skip(1).filter_map(|block| block.split("```").next());
    let blocks: Vec<&str> = blocks.collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let told = told(block);
        assert_eq!(told.code, 0, "{block}\n{}", told.text);
    }
    is_clean(&std::fs::read_to_string(root.join("src/cli/starter.rhai")).unwrap());
}

/// The examples run in another test: what runs is not to be complained about.
#[test]
fn the_examples_of_the_reference_pass() {
    let folder = tempfile::tempdir().unwrap();
    let host = Rc::new(Host::quiet(folder.path().to_path_buf()));
    // A classifier that the examples speak of.
    std::fs::create_dir(folder.path().join("classifier")).unwrap();
    for record in ebb::script::api::all() {
        let whole = [Part::Code { lines_before: 0, text: record.example }];
        let found = check::check(&host, record.name, record.example, &whole);
        assert!(found.problems.is_empty(), "{}\n{:?}", record.name, found.problems);
    }
}

const LISTED: &str = r#"// %%
import "std/bbq" as bbq;
let name = param("model", "ebb/tiny", "");
let m = load_model(name);
let far = load_model("org/name", #{ revision: "v2" });
let rows = read("hf/org/rows@main:train.jsonl");
let some = read("rows.csv");
let out = param("out", "results", "");
let tuned = m.finetune(some, #{ steps: 2, dir: `${out}/checkpoints` });
tuned.save(out + "/model");
load_model(out + "/model");
some.write("new.csv");
fn again(path) { read(path) }
again("new.csv")
"#;

#[test]
fn what_a_script_reaches_for_is_listed() {
    let desk = Desk::new(LISTED);
    desk.write("rows.csv", "text\na\n");
    let told = desk.check(&[]);
    assert_eq!(told.code, 0, "{}", told.text);
    insta::assert_snapshot!(told.text);
}

#[test]
fn the_same_as_data() {
    let desk = Desk::new(LISTED);
    desk.write("rows.csv", "text\na\n");
    let told = desk.check(&["--json", "--out", "there"]);
    let value: Value = serde_json::from_str(&told.text).unwrap();
    assert_eq!(value["problems"], Value::from(Vec::<Value>::new()));
    let uses = value["uses"].as_array().unwrap();
    let find = |what: &str| uses.iter().find(|used| used["what"] == what).unwrap();
    assert_eq!(find("ebb/tiny")["state"], "bundled");
    assert_eq!(find("ebb/tiny")["parameter"], "model");
    assert_eq!(find("org/name")["hub"]["revision"], "v2");
    assert_eq!(find("org/name")["hub"]["cached"], false);
    let lines = |what: &str| -> Vec<i64> {
        let uses = uses.iter().filter(|used| used["what"] == what);
        uses.map(|used| used["line"].as_i64().unwrap()).collect()
    };
    assert_eq!(lines("there/model"), [11, 10], "what is loaded stands before what is written");
    assert_eq!(find("rows.csv")["state"], "there");
    assert_eq!(find("std/bbq")["role"], "module");
    assert!(uses.iter().any(|used| used["what"].is_null() && used["line"] == 13));
}

#[test]
fn nothing_is_run() {
    let desk = Desk::new("frame(#{ a: [1] }).write(\"made.csv\"); print(\"loud\"); loop { }");
    let told = desk.check(&[]);
    assert_eq!(told.code, 0, "{}", told.text);
    assert!(!told.text.contains("loud"));
    let names: Vec<_> = std::fs::read_dir(desk.0.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn the_screen_of_a_script_with_mistakes() {
    let told = told(
        "// %% Data\nlet rows = frame(#{ text: [\"a\", \"b\"], n: [1, 2] });\nrows.groupby(\"n\");\n\n\
         // %% Model\nlet m0 = load_model(\"ebb/tiny\");\nlet m1 = m0.finetune(rows, #{ num_train_epochs: 3, steps: \"ten\" });\n\
         m1.save(fodler);\n",
    );
    assert_eq!(told.code, 1);
    insta::assert_snapshot!(told.text);
}

#[test]
fn usage() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(checked(folder.path(), &[], &[]).code, 2);
    let missing = checked(folder.path(), &["none.rhai"], &[]);
    assert_eq!(missing.code, 2);
    assert!(missing.text.contains("none.rhai"), "{}", missing.text);
    let desk = Desk::new("1");
    assert_eq!(desk.check(&["--nonsense"]).code, 2);
    assert_eq!(checked(desk.0.path(), &["--json", "x.rhai"], &[]).code, 0);
}

#[test]
fn what_is_no_script_is_said_in_words() {
    let desk = Desk::new("");
    desk.write("x.rhai", [0xff, 0xfe, 0x00, 0x01]);
    let told = desk.check(&[]);
    assert_eq!(told.code, 2);
    assert!(told.text.starts_with("error: "), "{}", told.text);
    has_one("if true {\n    print(1);\n", "1:9", "this `{` is not closed");
    let deep = told_of(format!("let x = {}1{};", "(".repeat(3000), ")".repeat(3000)));
    assert_eq!(deep.code, 1);
    assert!(deep.text.contains("too many operations in one expression"), "{}", deep.text);
    let blocks = format!("{}{}", "if true { ".repeat(3000), "}".repeat(3000));
    assert_eq!(told_of(blocks).code, 1);
}

/// Closures of a function are looked for in it alone: ten in one function took minutes.
#[test]
fn many_closures_beside_a_function_take_no_time() {
    let links: String = (0..40).map(|n| format!(".map(|y| y + {n} * x)")).collect();
    let start = Instant::now();
    is_clean(&format!("fn a(x) {{ [1].map(|y| y + x) }}\nfn b(x) {{ [1]{links} }}\nb(2)"));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn ten_thousand_cells_are_checked_in_a_few_seconds() {
    let cells: Vec<String> = (0..10_000)
        .map(|n| format!("// %% cell {n}\nlet x{n} = {n};\nfn f{n}(a) {{ a }}\n[1].map(|a| a + x{n});\nf{n}(x{n});\n"))
        .collect();
    let desk = Desk::new(&cells.concat());
    let start = Instant::now();
    let told = desk.check(&[]);
    assert_eq!(told.code, 0, "{}", told.text);
    // A second or two on two cores; a machine that is busy with other tests may take much longer.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
