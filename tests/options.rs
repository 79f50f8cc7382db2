//! The options of script functions: what their records say of them is what the functions do with them.

use std::rc::Rc;

use ebb::display::Output;
use ebb::script::api;
use ebb::script::engine::Session;
use ebb::script::host::Host;
use ebb::script::record::{OptionDoc, Record, named_in};
use ebb::script::report::ScriptError;

/// What the words of the forms stand for, so that a form is a call as it stands.
const WORDS: &str = r#"
let m = load_model("ebb/tiny");
let d = load_detoxify("ebb/toxicity-tiny");
let f = frame(#{ x: [0.0, 1.0, 0.25, 0.75], text: ["one day", "a cat sat", "the sky is blue", "it was late"],
    kind: ["unsafe", "safe", "unsafe", "safe"], polarity: ["harmful", "nonharmful", "harmful", "nonharmful"],
    forgetting: [0.2, 0.0, 0.05, 0.3], prompt: ["one", "two", "three", "four"] });
let g = f; let frame = f; let dropped = f; let all = f;
let e = col("text"); let pattern = "a"; let separator = " ";
let by = "x"; let on = "x"; let columns = "x";
let path = "ebb/tasks-sample"; let folder = "copy"; let source = "ebb/tiny";
let text = "one day"; let texts = ["one day a cat sat", "the sky is blue"]; let data = texts;
let prompt = "one day"; let messages = "Hello";
let value = f; let values = [1.0, 2.0, 4.0]; let array = values; let a = values; let b = [1.0, 3.0, 3.0];
let labels = [0, 1, 0, 1]; let scores = [0.1, 0.9, 0.4, 0.3];
let start = #{ hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, vocab_size: 300 };
"#;

fn session(folder: &std::path::Path) -> Session {
    let mut session = Session::new(Rc::new(Host::quiet(folder.to_path_buf())), "options");
    drop(session.evaluate("", WORDS).unwrap());
    session
}

/// The call of a form with these options: "f.sort(by, #{ descending: true })".
fn call(form: &str, options: &str) -> String {
    let call = form.split(" -> ").next().unwrap();
    let call = call.replace("|piece| Frame", "|piece| piece").replace(", with,", ", \"b\",");
    let call = call.replace("[a, b]", "[\"x\", \"x\"]");
    match call.split_once("#{") {
        Some((before, behind)) => {
            let behind = behind.split_once('}').unwrap().1;
            format!("{before}#{{ {options} }}{behind}")
        }
        None => call.replace("opts)", &format!("#{{ {options} }})")),
    }
}

fn run(session: &mut Session, form: &str, options: &str) -> Result<String, Box<ScriptError>> {
    let script = format!(
        "{{ let got = {}; switch type_of(got) {{ \"Model\" | \"Scorer\" => got.lineage().to_string(), _ => got.to_string() }} }}",
        call(form, options)
    );
    session.evaluate("", &script).map(|value| value.to_string())
}

/// What a form needs beside an option to get as far as it.
fn beside(record: &Record, form: &str, option: &str) -> &'static str {
    match (record.name, option) {
        ("Model.finetune", "rank" | "alpha" | "dropout") => "steps: 1, method: \"lora\"",
        ("Model.finetune", "epochs" | "steps") => "batch_size: 2",
        ("Model.finetune", "save_every" | "keep" | "resume") => "steps: 1, dir: \"FOLDER\"",
        ("Model.finetune", _) => "steps: 1",
        ("Model.generate", "max_new_tokens") => "seed: 1",
        ("Model.generate", _) => "max_new_tokens: 4",
        ("Model.loss", "average") => "stride: 3",
        ("train_classifier", "epochs" | "steps") => "labels: \"x\"",
        ("train_classifier", "labels") => "steps: 1",
        ("train_classifier", _) => "labels: \"x\", steps: 1",
        ("plot", "bins") => "kind: \"histogram\", x: \"x\"",
        ("plot", "y") => "x: \"x\"",
        ("plot", _) => "y: \"x\"",
        ("bootstrap" | "interval", "statistic") => "seed: 0",
        ("bootstrap" | "interval", _) if form.contains("labels, scores") => "statistic: \"auroc\"",
        _ => "",
    }
}

/// `beside` and one more.
fn with(record: &Record, form: &str, option: &OptionDoc, value: &str, folder: &str) -> String {
    let beside = beside(record, form, option.name).replace("FOLDER", folder);
    let comma = if beside.is_empty() { "" } else { ", " };
    format!("{beside}{comma}{}: {value}", option.name)
}

fn takes_options(form: &str) -> bool {
    form.contains("opts") || named_in(form).is_some()
}

/// Every form with options, and its record.
fn forms() -> impl Iterator<Item = (&'static Record, &'static str)> {
    let all =
        api::all().flat_map(|record| record.signatures.iter().map(move |form| (record, *form)));
    all.filter(|(_, form)| takes_options(form))
}

/// Every option with the first form that takes it.
fn options() -> impl Iterator<Item = (&'static Record, &'static str, &'static OptionDoc)> {
    api::all().flat_map(|record| {
        record.all_options().map(move |option| {
            let takes = |form: &&&str| record.options_of(form).contains(&option);
            let form = record.signatures.iter().find(takes);
            (
                record,
                *form.unwrap_or_else(|| {
                    panic!("no form of {} takes `{}`", record.name, option.name)
                }),
                option,
            )
        })
    })
}

#[test]
fn every_form_with_options_has_them_described() {
    for (record, form) in forms() {
        let described = record.options_of(form);
        assert!(!described.is_empty(), "{form} takes options, and its record describes none");
        for name in named_in(form).unwrap_or_default() {
            let is_known = described.iter().any(|option| option.name == name);
            assert!(is_known, "{form}: `{name}` is not described");
        }
        let mut names: Vec<&str> = described.iter().map(|option| option.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{form} describes an option twice");
    }
    for (record, _, option) in options() {
        let what = format!("option `{}` of {}", option.name, record.name);
        let is_sentence =
            |text: &str| !text.is_empty() && !text.ends_with('.') && !text.contains('\n');
        assert!(!option.kind.is_empty(), "{what} has no type");
        assert!(
            is_sentence(option.meaning),
            "{what} has no meaning in one line without a full stop"
        );
        assert!(!record.doc.contains("Options:"), "{} tells options in prose", record.name);
    }
}

#[test]
fn an_unknown_option_is_refused_with_all_that_the_record_describes() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    for (record, form) in forms() {
        let beside = beside(record, form, "");
        let comma = if beside.is_empty() { "" } else { ", " };
        let error = run(&mut session, form, &format!("{beside}{comma}no_such_option: 1"))
            .expect_err(&format!("{form} takes any option"));
        assert!(
            error.message.contains("unknown option `no_such_option`"),
            "{form}: {}",
            error.message
        );
        let hint = error.hint.clone().unwrap_or_default();
        let known =
            hint.strip_prefix("known options: ").unwrap_or_else(|| panic!("{form}: {hint}"));
        // What the function asks for, on one side, and what its record describes, on the other.
        let mut described: Vec<&str> =
            record.options_of(form).iter().map(|option| option.name).collect();
        described.sort_unstable();
        assert_eq!(known.split(", ").collect::<Vec<_>>(), described, "{form}");
    }
}

#[test]
fn an_option_has_the_type_that_its_record_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    let mut seen = 0;
    for (record, form, option) in options() {
        let expected = match option.kind {
            "string" => "a string",
            "number" => "a number",
            "whole number" => "a whole number",
            "true or false" => "true or false",
            "string or array of strings" => "a string or an array of strings",
            _ => continue,
        };
        seen += 1;
        let given = with(record, form, option, "#{}", "one");
        let error = run(&mut session, form, &given).expect_err(&given).message.clone();
        let ends = [",", " of at least"].map(|end| format!("expected {expected}{end}"));
        assert!(
            error.contains(&format!("option `{}`", option.name))
                && ends.iter().any(|end| error.contains(end)),
            "{form}: `{}` is said to be {}: {error}",
            option.name,
            option.kind
        );
    }
    assert!(seen > 80, "{seen}");
}

#[test]
fn a_default_is_what_the_function_does_without_the_option() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    for (record, form, option) in options().filter(|(_, _, option)| !option.default.is_empty()) {
        // Where texts are is asked of a frame only.
        let form = match option.kind {
            "column, template or closure" => ["data", "texts", "prompt"]
                .iter()
                .fold(form.to_string(), |form, word| form.replace(&format!("({word},"), "(f,")),
            _ => form.to_string(),
        };
        let form = form.as_str();
        let beside = beside(record, form, option.name)
            .replace("FOLDER", &format!("without_{}", option.name));
        let told = |outcome: Result<String, Box<ScriptError>>| match outcome {
            Ok(value) => value,
            Err(error) => format!("error: {}", error.message),
        };
        let without = told(run(&mut session, form, &beside));
        let given = with(record, form, option, option.default, &format!("with_{}", option.name));
        let with = told(run(&mut session, form, &given));
        assert_eq!(without, with, "{form} with {given}");
    }
}

#[test]
fn completion_tells_defaults_and_help_has_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(folder.path());
    let said = |text: &str, name: &str| {
        let found = session.complete(text, text.len()).items;
        found.into_iter().find(|item| item.text == name).map(|item| item.summary)
    };
    assert_eq!(
        said("m.finetune(f, #{ steps: 2, ra", "rank").as_deref(),
        Some("default 8: The rank of LoRA's matrices")
    );
    // Each form has its own: `n` is one of `str_replace` only.
    assert!(said("col(\"x\").str_replace(\"a\", \"b\", #{ ", "n").is_some());
    assert!(said("col(\"x\").str_replace_all(\"a\", \"b\", #{ ", "n").is_none());
    // A map that is data has no keys to offer.
    assert_eq!(said("frame(#{ ", "column"), None);
    let Output::Markdown(page) = session.help("finetune") else { panic!("no page") };
    assert!(
        page.contains("| `rank` | whole number | `8` | The rank of LoRA's matrices |"),
        "{page}"
    );
    let Output::Markdown(page) = session.help("batch_size") else { panic!("no page") };
    assert!(page.contains("- of `Model.generate` (whole number): default 32: "), "{page}");
}
