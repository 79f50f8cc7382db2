//! Errors that teach: the likeliest mistakes of someone who comes from Python, polars or transformers, and what is said.

use std::path::Path;
use std::process::{Command, Stdio};

use ebb::script::api;
use ebb::script::assist::entries;
use ebb::script::names::{CALLS, Kind, OPTIONS, PROPERTIES, VARIABLES, elsewhere};

use crate::support;

/// What cases begin with where they need a frame.
const FRAME: &str = "let f = frame(#{ a: [1, 2], text: [\"x\", \"yy\"] });\n";

/// What the program printed for a script in a folder that holds `rows.csv` and `notes.jsonl`, both streams, with the folder
/// called FOLDER.
fn told(script: &str, words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap();
    std::fs::write(place.join("x.rhai"), script).unwrap();
    std::fs::write(place.join("rows.csv"), "a,b\n1,x\n").unwrap();
    std::fs::write(place.join("notes.jsonl"), "{\"a\": 1}\n").unwrap();
    let ran = command(&place)
        .args(["run", "x.rhai", "--run-dir", "record", "--offline", "--device", "cpu"])
        .args(words)
        .output()
        .unwrap();
    let both = [ran.stdout, ran.stderr].concat();
    let text = String::from_utf8(both).unwrap().replace(place.to_str().unwrap(), "FOLDER");
    let lines = text.lines().filter(|line| !line.starts_with("report: ") && line.trim() != "|");
    lines.map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb"));
    command
        .current_dir(folder)
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .env("XDG_DATA_HOME", folder.join(".data"))
        .env("XDG_CACHE_HOME", folder.join(".cache"))
        .stdin(Stdio::null());
    command
}

/// Each script and what was said about it.
fn screens(scripts: &[&str]) -> String {
    let mut all = String::new();
    for script in scripts {
        let said = told(&script.replace("FRAME;", FRAME.trim_end()), &[]);
        assert!(said.contains("error: "), "{script}\n{said}");
        all.push_str(&format!("{script}\n\n{}\n\n────\n", said.trim()));
    }
    all
}

#[test]
fn habits_of_python() {
    insta::assert_snapshot!(screens(&[
        "import polars as pl\nlet x = 1;",
        "import torch",
        "from transformers import AutoModelForCausalLM\nlet x = 1;",
        "def f(x):\n    return x",
        "let g = lambda x: x + 1;",
        "let xs = [1, 2];\nfor x in xs:\n    print(x)",
        "let x = 1;\nif x == 1:\n    print(x)",
        "while true:\n    1",
        "let x = 1;\nif x == 1 { 1 } elif x == 2 { 2 }",
        "try:\n    1\nexcept:\n    2",
        "try { throw \"a\" } except { 1 }",
        "raise \"wrong\"",
        "assert 1 == 2",
        "del x",
        "let a = true;\nif a and true { 1 }",
        "let a = true or false;",
        "let a = true;\nif not a { 1 }",
        "let x = 1;\nlet y = x is ();",
        "let x = True;",
        "let x = False;",
        "let x = None;",
        "let x = null;",
        "let name = \"a\";\nprint(f\"got {name}\")",
        "let pattern = r\"\\d+\";",
        "let s = 'abc';",
        "# a comment\nlet x = 1;",
        "let x = 1; # one",
        "let a = 1;\nprint a",
        "print(\"a\", end=\"\")",
        "let x = 7 // 2;\nx",
        "let c = true;\nlet x = 1 if c else 2;",
        "let c = true;\nlet x = c ? 1 : 2;",
        "let xs = [1, 2];\nlet ys = [x * 2 for x in xs];",
        "let xs = [1, 2, 3];\nxs[0:2]",
        "let xs = [1, 2, 3];\nxs[0..2]",
        "let d = {\"a\": 1};",
        "let x: int = 3;",
        "fn f(x, n=1) { x + n }",
        "class Model { }",
        "let x = 1;\nx++;",
        "-2 ** 2",
        "\"%d rows\" % 3",
        "\"{} rows\".format(3)",
        "str(3)",
        "int(\"3\")",
        "isinstance(1, 2)",
        "list(0..3)",
        "now()",
        "for (i, x) in enumerate([1, 2]) { i }",
        "sorted([2, 1])",
        "\"abc\".upper()",
        "\"a,b\".split(\",\").join(\"-\")",
        "let xs = [1];\nxs.append(2);",
        "let d = #{ a: 1 };\nd.items()",
        "let d = #{ a: 1 };\nd.keys",
        "\"abc\".length",
        "np.mean([1, 2])",
        "math.sqrt(2)",
        "open(\"rows.csv\")",
        "let g = x => x + 1;",
    ]));
}

#[test]
fn habits_of_polars_and_pandas() {
    insta::assert_snapshot!(screens(&[
        "FRAME;\nf.filter(col(\"txt\") == \"x\")",
        "FRAME;\nf.filter(\"a > 1\")",
        "FRAME;\nf.filter(col(\"a\") = 1)",
        "FRAME;\nf.filter(col(\"a\") == 1 and col(\"text\") == \"x\")",
        "FRAME;\nf.filter(not col(\"a\").is_null())",
        "FRAME;\nif col(\"a\") > 1 { 1 }",
        "FRAME;\nf.sort(\"a\", descending=true)",
        "FRAME;\nf.sort(\"a\", #{ reverse: true })",
        "FRAME;\nf[0:3]",
        "FRAME;\nf[[\"a\", \"text\"]]",
        "FRAME;\nf[\"b\"]",
        "FRAME;\nf.shape",
        "FRAME;\nf.columns",
        "FRAME;\nf.iloc[0]",
        "FRAME;\nfor row in f { row }",
        "FRAME;\nf.select(col(\"text\").str.len())",
        "FRAME;\nf.select(col(\"text\").contains(\"x\"))",
        "read_csv(\"rows.csv\")",
        "pl.read_csv(\"rows.csv\")",
        "load_dataset(\"org/name\")",
        "FRAME;\nf.write_csv(\"out.csv\")",
        "FRAME;\nf.to_csv(\"out.csv\")",
        "FRAME;\nf.unnest(\"a\")",
        "FRAME;\nf.dropna()",
        "FRAME;\nf.drop_nulls()",
        "FRAME;\nf.fillna(0)",
        "FRAME;\nf.groupby(\"a\")",
        "FRAME;\nf.astype(\"int\")",
        "FRAME;\nf.cast(\"int\")",
        "FRAME;\nf.apply(|row| row.a)",
        "FRAME;\nf.merge(f, \"a\")",
        "FRAME;\nf.append(f)",
        "FRAME;\nf.rename(\"a\", \"b\")",
        "plt.plot([1, 2])",
    ]));
}

#[test]
fn habits_of_transformers() {
    insta::assert_snapshot!(screens(&[
        "from_pretrained(\"gpt2\")",
        "AutoModelForCausalLM.from_pretrained(\"gpt2\")",
        "pipeline(\"text-generation\")",
        "let m = load_model(\"ebb/tiny\");\nm.encode(\"a\")",
        "let m = load_model(\"ebb/tiny\");\nm.decode([1])",
        "let m = load_model(\"ebb/tiny\");\nm.nll([\"a\"])",
        "let m = load_model(\"ebb/tiny\");\nm.train([\"a\"])",
        "let m = load_model(\"ebb/tiny\");\nm.tokenizer",
        "let m = load_model(\"ebb/tiny\");\nm.generate(\"a\", max_new_tokens=3)",
        "let m = load_model(\"ebb/tiny\");\nm.generate(\"a\", #{ do_sample: true })",
        "let m = load_model(\"ebb/tiny\");\nm.finetune([\"a\"], #{ num_train_epochs: 1 })",
        "let m = load_model(\"ebb/tiny\");\nm.finetune([\"a\"], #{ per_device_train_batch_size: 1 })",
        "let m = load_model(\"ebb/tiny\");\nm.finetune([\"a\"], #{ method: \"lora\", r: 4 })",
        "let m = load_model(\"ebb/tiny\");\nm.finetune([\"a\"], #{ method: \"lora\", lora_alpha: 4 })",
        "let m = load_model(\"ebb/tiny\");\nm.finetune([\"a\"], #{ method: \"lora\", target_modules: [\"q_proj\"] })",
        "let m = load_model(\"ebb/tiny\");\nm.finetune([\"a\"], #{ eval_steps: 4 })",
        "let m = load_model(\"ebb/tiny\");\nm.finetune([\"a\"], #{ epochs: \"3\" })",
        "load_model(\"ebb/tiny\", #{ torch_dtype: \"bf16\" })",
        "load_model(\"ebb/tiny\", #{ dtype: \"float16\" })",
        "load_model(\"ebb/tiny\", #{ device: \"gpu\" })",
        "load_model(\"ebb/tiny\", #{ device: \"cuda\" })",
        "load_model(\"ebb/tiny\", #{ device: 0 })",
        "load_model(\"ebb/tyny\")",
        "load_model(\"gpt2\")",
        "let m = load_model(\"ebb/tiny\");\nm.logits(\"a\".pad(100000, \"b\"))",
    ]));
}

#[test]
fn slips_of_the_hand() {
    insta::assert_snapshot!(screens(&[
        "let x = 1\nlet y = 2;",
        "FRAME;\nlet g = f.head(1)\ng.len()",
        "let x = (1 + 2;\nlet y = 3;",
        "let xs = [1, 2;\nlet y = 3;",
        "let m = #{ a: 1, b: 2;\nlet y = 3;",
        "fn f(x) {\n  if x > 1 {\n    1\n  else {\n    2\n  }\n}\nlet y = 1;",
        "fn f(x) {\n  for i in 0..x {\n    print(i);\n}\n\nlet y = 1;\nfn g(x) {\n  x\n}",
        "let f = |x| {\n  x + 1;\nf.call(1)",
        "let s = \"abc;\nlet t = 1;",
        "let s = `abc;\nlet t = 1;",
        "let x = 1);",
        "let x = 1;\n}",
        "[1 2]",
        "#{ a = 1 }",
        "let m = #{ a: 1 b: 2 };",
        "let path = \"C:\\data\";",
        "let x = 1;\nif x = 1 { 2 }",
        "7 === 8",
        "let a = 1, b = 2;",
        "for i = 0; i < 3; i += 1 { }",
        "fn add(a, b)\n  a + b",
        "let x = 2;\nprnt x;",
        "let rows = 3;\nprint(row);",
        "xs = [1, 2];",
        "total += 1;",
        "const N = 3;\nN = 4;",
        "let g = |x| x + 1;\ng(2)",
        "let g = |x| x + 1;\ng.call(1, 2)",
        "fn f(a, b) { a + b }\nf(1)",
        "fn f(x) { x + n }\nlet n = 2;\nf(1)",
        "FRAME;\nf.head(\"a\")",
        "FRAME;\nf.join(f)",
        "let m = load_model(\"ebb/tiny\");\nm.select(\"text\")",
        "\"a\" * 3",
        "let d = #{ a: 1 };\nd += 1;",
        "let xs = [1, 2];\nxs[2]",
        "let xs = [1, 2];\nxs[\"a\"]",
        "\"abc\"[7]",
        "let d = #{ a: 1 };\nd[\"b\"]",
        "import \"std/bbq\" as bbq;\nbbq.load()",
        "import \"std/mixture\" as mixture;\nmixture::nosy([])",
        "import \"mixtures\" as mixtures;",
        "read(\"row.csv\")",
        "read(\"notes.csv\")",
        "read(\"data/rows.csv\")",
        "read(\"ebb/task-sample\")",
        "read(\"rows.csv\", #{ usecols: [\"a\"] })",
        "return 1 +;",
    ]));
}

#[test]
fn too_little_memory_is_said_in_words() {
    let said = told("let xs = [];\nxs.pad(100000000, 1);", &["--memory", "300MiB"]);
    insta::assert_snapshot!(said);
}

#[test]
fn a_cause_in_a_module_is_reached_through_closures_and_functions_of_titled_cells() {
    let script = "// %% Load\nimport \"std/mixture\" as mixture;\nfn mix(n) {\n  mixture::noisy(n, 0.5, [], 1)\n}\n// %% Mix two sizes\nlet sizes = [10, 20];\nlet mixed = sizes.map(|n| mix(n));";
    insta::assert_snapshot!(told(script, &[]));
}

/// What a screen of a terminal, a page or a notebook's cell holds, without the marks of its form.
fn plain(text: &str) -> String {
    let text = text.replace("&quot;", "\"").replace("&#39;", "'").replace("&#x27;", "'");
    let text = text.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_same_words_stand_in_a_run_at_the_prompt_in_json_and_on_the_page() {
    let unreadable = "let x = 1 if true else 2;";
    for script in [
        unreadable,
        "read_csv(\"rows.csv\")",
        "let x = True;",
        "load_model(\"ebb/tiny\", #{ torch_dtype: \"f32\" })",
        "xs = [1, 2];",
    ] {
        let error = support::script_in(tempfile::tempdir().unwrap().path(), script).unwrap_err();
        let (message, hint) = (plain(&error.message), plain(error.hint.as_deref().unwrap()));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.rhai"), script).unwrap();
        std::fs::write(folder.path().join("typed"), format!("{script}\n")).unwrap();
        let run = |words: &[&str], typed: bool| {
            let mut command = command(folder.path());
            command.args(words).env("COLUMNS", "400");
            if typed {
                command.stdin(std::fs::File::open(folder.path().join("typed")).unwrap());
            }
            let ran = command.output().unwrap();
            plain(&String::from_utf8(ran.stderr).unwrap())
        };
        let page = |name: &str| plain(&std::fs::read_to_string(folder.path().join(name)).unwrap());
        let ran = run(&["run", "x.rhai", "--run-dir", "record"], false);
        let json = run(&["run", "x.rhai", "--run-dir", "other", "--json"], false);
        let prompt = run(&["repl"], true);
        let mut fronts = vec![("run", ran), ("--json", json), ("prompt", prompt)];
        // A script that cannot be read is not run: it has no page.
        if script != unreadable {
            fronts.push(("page", page("record/report.html")));
        }
        for (front, said) in fronts {
            assert!(said.contains(&message), "{front}: {message}\n{said}");
            assert!(said.contains(&hint), "{front}: {hint}\n{said}");
        }
    }
}

fn is_ours(name: &str) -> bool {
    entries::entries().iter().any(|entry| entry.name == name)
}

#[test]
fn no_name_of_other_tools_is_one_of_ours() {
    let everywhere = CALLS.iter().filter(|(_, types, _)| types.is_empty());
    let names = everywhere.flat_map(|(names, ..)| names.split(' '));
    let ours: Vec<&str> = names.filter(|name| is_ours(name)).collect();
    assert_eq!(ours, Vec::<&str>::new());
}

#[test]
fn every_call_that_is_advised_is_in_the_reference_or_in_the_language() {
    let language = [
        "push",
        "append",
        "keys",
        "values",
        "starts_with",
        "ends_with",
        "sub_string",
        "trim",
        "to_upper",
        "to_lower",
        "parse_int",
        "parse_float",
        "to_string",
        "to_int",
        "to_float",
        "type_of",
        "timestamp",
        "reduce",
        "sort",
        "reverse",
        "map",
        "len",
        "exp",
        "sqrt",
        "mixin",
    ];
    let calls = CALLS.iter().chain(PROPERTIES).map(|(_, _, said)| *said);
    let others = VARIABLES.iter().map(|(_, said)| *said);
    for said in calls.chain(others) {
        for (at, _) in said.match_indices('(') {
            let head = &said[..at];
            let start = head.rfind(|c: char| !c.is_alphanumeric() && c != '_');
            let name = &head[start.map_or(0, |at| at + 1)..];
            assert!(
                name.is_empty() || is_ours(name) || language.contains(&name),
                "{name} in {said}"
            );
        }
    }
}

#[test]
fn every_option_that_is_advised_is_one() {
    let options = api::all().flat_map(|record| record.options.iter().copied().flatten());
    let known: Vec<&str> = options.map(|option| option.name).collect();
    let is_known = |name: &str| known.contains(&name);
    for (_, ours) in OPTIONS {
        assert!(is_known(ours), "{ours}");
    }
}

#[test]
fn a_name_of_another_tool_is_told_by_where_it_stands() {
    assert!(elsewhere(Kind::Call("Frame"), "append").unwrap().contains("concat"));
    assert!(elsewhere(Kind::Call("array"), "append").unwrap().contains("push"));
    assert_eq!(elsewhere(Kind::Call("map"), "append"), None);
    assert_eq!(elsewhere(Kind::Option, "eval_steps"), Some("validate_every"));
    assert_eq!(elsewhere(Kind::Variable, "eval_steps"), None);
}
