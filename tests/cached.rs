//! `cached`: values are kept, found again only where nothing they depend on has changed, and never trusted when damaged.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use ebb::script::engine::Session;
use ebb::script::host::{Event, Host};
use serde_json::{Value, json};

/// A working folder and a cache folder; each run is a session of its own, as another process would be.
struct Desk(tempfile::TempDir);

struct Ran {
    value: Result<Value, String>,
    notes: String,
    /// Whether the closure ran: the scripts print where it does.
    computed: usize,
    inputs: Vec<(String, Option<String>)>,
}

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, script: &str) -> Ran {
        self.run_with(script, |_| {})
    }

    fn run_with(&self, script: &str, change: impl FnOnce(&mut Host)) -> Ran {
        std::fs::create_dir_all(self.path("work")).unwrap();
        let mut host = Host::quiet(self.path("work"));
        host.cache = Some(self.path("cache"));
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        host.access.read.push(fixtures.canonicalize().unwrap());
        change(&mut host);
        let events: Rc<RefCell<Vec<Event>>> = Rc::default();
        let heard = events.clone();
        *host.listener.borrow_mut() = Box::new(move |event| heard.borrow_mut().push(event));
        let value = Session::new(Rc::new(host), "test.rhai").evaluate("", script);
        let value = value.map_err(|error| error.message.clone());
        let value = value.map(|value| ebb::script::convert::to_json(&value).unwrap());
        let mut ran = Ran { value, notes: String::new(), computed: 0, inputs: Vec::new() };
        for event in events.take() {
            match event {
                Event::Printed(_) => ran.computed += 1,
                Event::Note(text) => ran.notes += &format!("{text}\n"),
                Event::Input { name, sha256 } => ran.inputs.push((name, sha256)),
                _ => {}
            }
        }
        ran
    }

    /// How often the closures of two scripts ran, one after the other, in a new cache.
    fn second(first: &str, second: &str) -> usize {
        let desk = Self::new();
        let ran = desk.run(first);
        assert_eq!(ran.computed, 1, "{first}: {:?} {}", ran.value, ran.notes);
        let ran = desk.run(second);
        assert!(ran.value.is_ok(), "{second}: {:?}", ran.value);
        ran.computed
    }

    /// The files of all entries.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut ahead = vec![self.path("cache")];
        while let Some(folder) = ahead.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    ahead.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

#[test]
fn plain_values_come_back_as_they_were() {
    let desk = Desk::new();
    let script = r#"let v = cached("v", || { print("x");
        [1, 1.0, -0.0, 0.1 + 0.2, "a\u00e9\"", 'c', true, (), #{ b: [#{}], a: 9007199254740993 }] });
        [v, v.map(|x| type_of(x)), 1.0 / v[2]]"#;
    let (first, second) = (desk.run(script), desk.run(script));
    assert_eq!((first.computed, second.computed), (1, 0));
    assert_eq!(first.value.clone().unwrap(), second.value.unwrap());
    assert!(first.notes.contains("is kept ("), "{}", first.notes);
    assert!(second.notes.contains("is not computed again"), "{}", second.notes);
    assert!(second.inputs.iter().any(|(name, hash)| name == "cached: v" && hash.is_some()));
}

#[test]
fn frames_keep_their_types_and_missing_cells() {
    let desk = Desk::new();
    let script = r#"cached("f", || { print("x");
        frame(#{ i: [1, 2], f: [0.5, ()], s: ["a", ()], l: [[1], []], m: [#{ a: 1 }, #{ a: 2 }] })
            .with_columns([len().alias("small")]) })"#;
    // The types of a frame that is a key are part of it.
    let typed = format!("let f = {script}; [f, cached(f, || {{ print(\"y\"); 1 }})]");
    let (first, second) = (desk.run(&typed), desk.run(&typed));
    assert_eq!((first.computed, second.computed), (2, 0), "{} {:?}", first.notes, first.value);
    assert_eq!(first.value.unwrap(), second.value.unwrap());
}

const TUNED: &str = r#"let m = load_model("ebb/tiny");
    let t = cached("tuned", || { print("x"); m.finetune(["The cat sat.", "A dog ran."], OPTIONS) });
    [t.loss(["The cat sat."]), t.lineage(), t.log(), t.generate("The", #{ max_new_tokens: 8 })]"#;

#[test]
fn finetuned_models_come_back_with_lineage_and_log() {
    for options in ["#{ steps: 2 }", "#{ steps: 2, method: \"lora\", rank: 2 }"] {
        let desk = Desk::new();
        let script = TUNED.replace("OPTIONS", options);
        let (first, second) = (desk.run(&script), desk.run(&script));
        assert_eq!(first.computed, 1, "{:?}", first.value);
        assert_eq!(second.computed, 0, "{options}: {} {}", first.notes, second.notes);
        assert_eq!(first.value.unwrap(), second.value.unwrap(), "{options}");
    }
}

/// Runs a script in two processes; the closure of `cached` runs in the first alone, and both give the same.
fn kept(script: &str) -> Value {
    let desk = Desk::new();
    let (first, second) = (desk.run(script), desk.run(script));
    assert_eq!(first.computed, 1, "{script}: {:?}", first.value);
    assert_eq!(second.computed, 0, "{script}: {} {}", first.notes, second.notes);
    let whole = first.value.unwrap();
    assert_eq!(whole, second.value.unwrap(), "{script}");
    whole
}

const TOLD: &str = r#"[m.loss(["The cat sat."]), m.lineage(), m.parameters().rows(), m.config()]"#;

#[test]
fn models_in_gguf_blocks_come_back_in_their_blocks() {
    for kind in ["q4_0", "q5_1", "q8_0"] {
        let script = format!(
            r#"let m = cached("m", || {{ print("x"); load_model("ebb/tiny", #{{ quantize: "{kind}" }}) }}); {TOLD}"#
        );
        let told = kept(&script).to_string();
        assert!(told.contains(&format!("\"{kind}\"")), "{told}");
    }
    let folder = format!("{}/tests/fixtures/gguf", env!("CARGO_MANIFEST_DIR"));
    for name in ["kinds", "llama3", "gpt2", "gpt_neox", "gemma2", "gemma3", "qwen2", "qwen3"] {
        kept(&format!(
            r#"let m = cached("m", || {{ print("x"); load_model("{folder}/{name}.gguf") }}); {TOLD}"#
        ));
    }
}

#[test]
fn adapters_over_gguf_blocks_and_other_number_types_come_back() {
    let folder = format!("{}/tests/fixtures/gguf", env!("CARGO_MANIFEST_DIR"));
    kept(&format!(
        r#"let base = load_model("{folder}/llama3.gguf");
        let m = cached("m", || {{ print("x");
            base.finetune(["The cat sat."], #{{ steps: 2, method: "lora", rank: 2, learning_rate: 0.01 }}) }}); {TOLD}"#
    ));
    kept(&format!(
        r#"let m = cached("m", || {{ print("x"); load_model("ebb/tiny", #{{ dtype: "bf16" }}) }}); {TOLD}"#
    ));
}

#[test]
fn a_model_in_blocks_is_not_its_unpacked_self_as_a_key() {
    let script = |kind: &str| {
        format!(
            r#"let m = load_model("ebb/tiny", #{{ quantize: "{kind}" }}); cached("k", || {{ print("x"); m.config().len() }})"#
        )
    };
    assert_eq!(Desk::second(&script("q8_0"), &script("q8_0")), 0);
    assert_eq!(Desk::second(&script("q8_0"), &script("q5_0")), 1);
}

const SCORED: &str = r#"[d.score(["You silly goat!", "Thank you."]).rows(), d.labels(), d.lineage(), d.log().rows(), `${d}`]"#;

#[test]
fn classifiers_come_back_with_labels_lineage_and_log() {
    let folder = format!("{}/tests/fixtures/toxicity", env!("CARGO_MANIFEST_DIR"));
    let files = ["original.ckpt", "original-small.ckpt", "unbiased.ckpt", "multilingual.ckpt"];
    let loaded = files.map(|name| format!(r#"load_detoxify("{folder}/{name}")"#));
    let trained = r#"train_classifier(load_detoxify("ebb/toxicity-tiny"),
        frame(#{ text: ["you are kind", "you silly goat"], toxicity: [0, 1] }), #{ labels: "toxicity", steps: 2, seed: 1 })"#;
    for made in loaded.iter().map(String::as_str).chain([trained]) {
        kept(&format!(r#"let d = cached("d", || {{ print("x"); {made} }}); {SCORED}"#));
    }
}

#[test]
fn a_classifier_that_a_closure_reads_is_part_of_its_key() {
    let script = |steps: usize| {
        format!(
            r#"let rows = frame(#{{ text: ["you are kind", "you silly goat"], toxicity: [0, 1] }});
            let d = train_classifier(load_detoxify("ebb/toxicity-tiny"), rows, #{{ labels: "toxicity", steps: {steps}, seed: 1 }});
            cached("s", || {{ print("x"); d.score(["You silly goat!"]) }})"#
        )
    };
    assert_eq!(Desk::second(&script(1), &script(1)), 0);
    assert_eq!(Desk::second(&script(1), &script(2)), 1);
}

#[test]
fn a_key_of_another_kind_or_content_is_another_entry() {
    let script = |key: &str| format!(r#"cached({key}, || {{ print("x"); 1 }})"#);
    let keys = [
        "1",
        "1.0",
        "\"1\"",
        "'1'",
        "true",
        "()",
        "[]",
        "[1]",
        "[[1]]",
        "[1, 1]",
        "#{}",
        "#{ a: 1 }",
        "#{ b: 1 }",
        "#{ a: [1] }",
        "[\"ab\", \"c\"]",
        "[\"a\", \"bc\"]",
        "-0.0",
        "0.0",
        "frame(#{ x: [1] })",
        "frame(#{ x: [2] })",
        "frame(#{ y: [1] })",
        "frame(#{ x: [1.0] })",
        "frame(#{ x: [1, ()] })",
        "frame(#{ x: [\"1\"] })",
        "load_model(\"ebb/tiny\")",
        "load_model(\"ebb/tiny\").finetune([\"a cat\"], #{ steps: 1 })",
        "load_model(\"ebb/tiny\").finetune([\"a dog\"], #{ steps: 1 })",
        "load_model(\"ebb/tiny\").finetune([\"a cat\"], #{ steps: 2 })",
    ];
    let desk = Desk::new();
    for key in keys {
        assert_eq!(desk.run(&script(key)).computed, 1, "{key} was found before it was kept");
    }
    for key in keys {
        assert_eq!(desk.run(&script(key)).computed, 0, "{key} was not found again");
    }
}

#[test]
fn what_the_closure_captured_calls_or_says_is_part_of_the_key() {
    let base = r#"fn f(x) { g(x) } fn g(x) { x + 1 }
        let n = 1; let o = #{ a: [n] }; let h = |x| x * 2;
        cached("k", || { print("x"); [f(n), o.a, h.call(3), "12:5", switch n { 2 => 7, _ => 0 }] })"#;
    assert_eq!(Desk::second(base, base), 0);
    // Where it stands does not matter, nor what else the script has.
    assert_eq!(Desk::second(base, &format!("let other = 3;\n\n\n   {base}")), 0);
    for (from, to) in [
        ("let n = 1", "let n = 2"),
        ("x + 1", "x + 2"),
        ("x * 2", "x * 3"),
        ("f(n)", "g(n)"),
        ("\"12:5\"", "\"12:6\""),
        ("o.a", "o"),
        ("2 => 7", "3 => 7"),
    ] {
        assert!(base.contains(from));
        assert_eq!(Desk::second(base, &base.replace(from, to)), 1, "{from} → {to}");
    }
    assert_eq!(Desk::second(base, &format!("seed(3); {base}")), 1);
}

#[test]
fn a_parameter_that_the_closure_asks_for_is_part_of_the_key() {
    let script = r#"cached("k", || { print("x"); param("n", 1) })"#;
    let desk = Desk::new();
    let with = |value: &str| {
        let given = vec![("n".to_string(), value.to_string())];
        desk.run_with(script, |host| host.given = given.into())
    };
    assert_eq!(with("3").value.unwrap(), json!(3));
    assert_eq!(with("4").value.unwrap(), json!(4));
    assert_eq!(with("3").computed, 0);
}

#[test]
fn a_file_that_was_read_and_has_changed_is_read_again() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("work")).unwrap();
    let script = r#"cached("rows", || { print("x"); read("a.jsonl") })"#;
    std::fs::write(desk.path("work/a.jsonl"), "{\"x\": 1}\n").unwrap();
    assert_eq!(desk.run(script).computed, 1);
    assert_eq!(desk.run(script).computed, 0);
    std::fs::write(desk.path("work/a.jsonl"), "{\"x\": 2}\n").unwrap();
    let ran = desk.run(script);
    assert!(ran.notes.contains("has changed"), "{}", ran.notes);
    assert_eq!(ran.value.unwrap(), json!([{ "x": 2 }]));
}

#[test]
fn a_module_that_has_changed_makes_another_entry() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("work")).unwrap();
    let script = r#"import "own" as own; cached("k", || { print("x"); own::f() })"#;
    for value in [1, 2] {
        std::fs::write(desk.path("work/own.rhai"), format!("fn f() {{ {value} }}")).unwrap();
        assert_eq!(desk.run(script).value.unwrap(), json!(value));
        assert_eq!(desk.run(script).computed, 0);
    }
}

#[test]
fn a_parameter_that_a_module_asks_for_makes_another_entry() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("work")).unwrap();
    let module = r#"fn f() { param("times", 1, "how often") }"#;
    std::fs::write(desk.path("work/own.rhai"), module).unwrap();
    let script = r#"import "own" as own; cached("k", || { print("x"); own::f() })"#;
    for times in ["2", "3"] {
        let given = ("times".to_string(), times.to_string());
        let ran = desk.run_with(script, |host| host.given.borrow_mut().push(given));
        assert_eq!(ran.value.unwrap(), json!(times.parse::<i64>().unwrap()));
    }
}

#[test]
fn what_cannot_be_kept_is_refused_in_a_sentence() {
    for value in
        ["|| 1", "[|x| x]", "#{ p: plot(frame(#{ x: [1], y: [2] }), #{ x: \"x\", y: \"y\" }) }"]
    {
        let desk = Desk::new();
        let error = desk.run(&format!("cached(1, || {value})")).value.unwrap_err();
        assert!(error.contains("the value of cached: expected what can be kept"), "{error}");
    }
    let error = Desk::new().run("cached(|| 1, || 1)").value.unwrap_err();
    assert!(error.contains("the key of cached: expected numbers"), "{error}");
}

#[test]
fn damage_anywhere_is_told_and_computed_again() {
    let script = r#"cached("k", || { print("x"); [frame(#{ x: [1, 2] }), load_model("ebb/tiny").config().len()] })"#;
    let desk = Desk::new();
    let whole = desk.run(script).value.unwrap();
    for place in 0..desk.files().len() {
        let path = desk.files()[place].clone();
        let bytes = std::fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        for damage in [changed, bytes[..bytes.len() / 2].to_vec(), Vec::new()] {
            std::fs::write(&path, damage).unwrap();
            let ran = desk.run(script);
            assert!(ran.notes.contains("is computed again"), "{}: {}", path.display(), ran.notes);
            assert_eq!((ran.computed, ran.value.unwrap()), (1, whole.clone()));
            assert_eq!(desk.run(script).computed, 0);
        }
    }
    // A part that is gone, one that is foreign, and an entry that was killed before its note.
    let parquet = |path: &PathBuf| path.extension().is_some_and(|end| end == "parquet");
    std::fs::remove_file(desk.files().iter().find(|path| parquet(path)).unwrap()).unwrap();
    assert_eq!(desk.run(script).computed, 1);
    let note = desk.files().into_iter().find(|path| path.ends_with("entry.json")).unwrap();
    std::fs::write(note.with_file_name("foreign"), "x").unwrap();
    assert_eq!(desk.run(script).computed, 1);
    std::fs::remove_file(&note).unwrap();
    assert_eq!(desk.run(script).computed, 1);
    // A whole entry under another address.
    let stranger = r#"cached("other", || { print("x"); 1 })"#;
    desk.run(stranger);
    let other = desk.files().into_iter().find(|path| path.ends_with("entry.json") && *path != note);
    std::fs::copy(other.unwrap(), &note).unwrap();
    assert_eq!(desk.run(script).value.unwrap(), whole);
}

#[test]
fn a_closure_that_fails_keeps_nothing() {
    let desk = Desk::new();
    let ran = desk.run(r#"cached("k", || { throw "no" })"#);
    assert!(ran.value.unwrap_err().contains("no"));
    assert_eq!(desk.run("cache_list().len()").value.unwrap(), json!(0));
}

#[test]
fn entries_are_listed_with_their_size_and_cleared() {
    let desk = Desk::new();
    desk.run(r#"cached("one", || 1); cached(#{ two: 2 }, || frame(#{ x: [1] }))"#);
    let listed = desk.run(r#"cache_list().sort("bytes")"#).value.unwrap();
    assert_eq!(listed[0]["key"], "one");
    let bytes: u64 = desk.files().iter().map(|path| path.metadata().unwrap().len()).sum();
    let told = listed.as_array().unwrap().iter().map(|row| row["bytes"].as_u64().unwrap());
    assert_eq!(told.sum::<u64>(), bytes);
    // What is not ours stays.
    std::fs::write(desk.path("cache/mine.txt"), "x").unwrap();
    let cleared = desk.run("cache_clear()").value.unwrap();
    assert_eq!(cleared, json!({ "bytes": bytes, "entries": 2 }));
    assert_eq!(desk.files(), [desk.path("cache/mine.txt")]);
}

/// Runs the program on a script in the desk's folder.
fn program(desk: &Desk, script: &str) -> Command {
    std::fs::create_dir_all(desk.path("work")).unwrap();
    std::fs::write(desk.path("work/x.rhai"), script).unwrap();
    program_in(desk, "record")
}

#[test]
fn processes_share_entries_and_the_record_names_them() {
    let desk = Desk::new();
    let closure = r#"cached("k", || { let sum = 0;
        for i in 0..10 { sum += switch i { 0 | 1 | 2 | 3 => 0, _ => i }; } print("computed"); sum })"#;
    let first = program(&desk, closure).output().unwrap();
    let said = String::from_utf8_lossy(&first.stdout).to_string();
    assert!(said.contains("computed") && said.contains("39"), "{first:?}");
    let moved = format!("let a = 1;\n{closure}");
    std::fs::write(desk.path("work/x.rhai"), moved).unwrap();
    let second = program_in(&desk, "record-2").output().unwrap();
    let said = String::from_utf8_lossy(&second.stdout).to_string();
    assert!(!said.contains("computed\n") && said.contains("39"), "{said}");
    let record = std::fs::read_to_string(desk.path("work/record-2/run.json")).unwrap();
    assert!(record.contains("cached: k"), "{record}");
}

#[test]
fn two_processes_at_once_compute_once() {
    let desk = Desk::new();
    let script = r#"cached("k", || { print("computed"); sleep(1.5); 1 })"#;
    let first = program(&desk, script).spawn().unwrap();
    let second = program_in(&desk, "record-2").spawn().unwrap();
    let outputs = [first, second].map(|child| child.wait_with_output().unwrap());
    let said = outputs.map(|output| String::from_utf8_lossy(&output.stdout).to_string());
    let computed = said.iter().filter(|said| said.lines().any(|line| line.trim() == "computed"));
    assert_eq!(computed.count(), 1, "{said:?}");
}

/// The program on the script that is there, with a record of its own.
fn program_in(desk: &Desk, record: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb"));
    command.args(["run", "x.rhai", "--run-dir", record]).current_dir(desk.path("work"));
    command.env("EBB_CACHE", desk.path("cache")).env("NO_COLOR", "1");
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command
}

#[test]
fn a_killed_process_leaves_no_entry_and_no_lock() {
    let desk = Desk::new();
    let mut child = program(&desk, r#"cached("k", || { sleep(60); 1 })"#).spawn().unwrap();
    while !desk.path("cache").exists()
        || std::fs::read_dir(desk.path("cache")).unwrap().count() == 0
    {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(desk.run("cache_list().len()").value.unwrap(), json!(0));
    assert_eq!(desk.run("cache_clear().entries").value.unwrap(), json!(0));
    assert_eq!(desk.files(), Vec::<PathBuf>::new());
}
