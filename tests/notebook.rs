//! A session keeps what cells define; scripts split into cells; parameters are found without running; reports escape.

use std::cell::RefCell;
use std::rc::Rc;

use ebb::notebook::cells::{self, Content};
use ebb::notebook::outcome::{Item, Outcome};
use ebb::notebook::report::html;
use ebb::notebook::runner::{self, Desk, Front};
use ebb::plain;
use ebb::script::display::CellValue;
use ebb::script::engine::Session;
use ebb::script::host::{Event, Host};
use ebb::script::parameters::{self, Code};
use ebb::script::report::ScriptError;
use ebb::script::typed;
use serde_json::{Value, json};

struct Notebook {
    session: Session,
    folder: tempfile::TempDir,
}

impl Notebook {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Rc::new(Host::quiet(folder.path().to_path_buf()));
        Self { session: Session::new(host, "input"), folder }
    }

    /// A cell's value as JSON.
    fn value(&mut self, cell: &str) -> Value {
        let value = self.session.evaluate("", cell).unwrap();
        CellValue::from(value).to_json().unwrap()
    }

    fn error(&mut self, cell: &str) -> Box<ScriptError> {
        self.session.evaluate("", cell).unwrap_err()
    }
}

#[test]
fn variables_and_functions_last_from_cell_to_cell() {
    let mut notebook = Notebook::new();
    notebook.value("let x = 3; fn double(n) { n * 2 }");
    assert_eq!(notebook.value("double(x)"), json!(6));
    notebook.value("x += 1;");
    assert_eq!(notebook.value("double(x)"), json!(8));
}

#[test]
fn closures_last_with_what_they_captured() {
    let mut notebook = Notebook::new();
    notebook.value("let k = 10; let add = |n| n + k;");
    assert_eq!(notebook.value("add.call(1)"), json!(11));
    assert_eq!(notebook.value("[1, 2].map(add)"), json!([11, 12]));
    notebook.value("k = 20;");
    assert_eq!(notebook.value("add.call(1)"), json!(21));
}

#[test]
fn a_closure_of_an_earlier_cell_goes_through_a_native_function() {
    let mut notebook = Notebook::new();
    notebook.value("fn twice(n) { n * 2 } let scale = |row| twice(row.a);");
    let rows = notebook.value("frame(#{ a: [1, 2] }).map(\"b\", scale)");
    assert_eq!(rows, json!([{ "a": 1, "b": 2 }, { "a": 2, "b": 4 }]));
}

#[test]
fn imports_last_and_functions_use_them() {
    let mut notebook = Notebook::new();
    let module = "fn half(n) { div_floor(n, 2) } export const LIMIT = 7;";
    std::fs::write(notebook.folder.path().join("tools.rhai"), module).unwrap();
    notebook.value("import \"tools\" as tools;");
    assert_eq!(notebook.value("tools::half(8)"), json!(4));
    notebook.value("let through = |n| tools::half(n);");
    assert_eq!(notebook.value("[4, 6].map(through)"), json!([2, 3]));
    assert_eq!(notebook.value("tools::LIMIT"), json!(7));
    assert_eq!(notebook.value("import \"std/mixture\" as m; 1"), json!(1));
}

#[test]
fn a_function_defined_again_replaces_the_former() {
    let mut notebook = Notebook::new();
    notebook.value("fn f() { 1 }");
    notebook.value("fn f() { 2 }");
    assert_eq!(notebook.value("f()"), json!(2));
}

#[test]
fn what_a_failing_cell_defined_before_it_failed_stays() {
    let mut notebook = Notebook::new();
    notebook.error("fn f() { 5 } let g = |n| n + f(); nothing_here");
    assert_eq!(notebook.value("g.call(1)"), json!(6));
}

#[test]
fn errors_point_at_the_line_of_the_whole_text() {
    let mut notebook = Notebook::new();
    notebook.value("import \"std/mixture\" as mixture;\nlet x = 1;");
    let error = notebook.error("\n\nlet y = x + absent;");
    assert_eq!((error.line, error.column), (Some(5), Some(13)));
    assert_eq!(error.line_text, "let y = x + absent;");
}

#[test]
fn an_error_inside_a_function_tells_where_it_was_called() {
    let mut notebook = Notebook::new();
    let error = notebook.error("fn f(a) {\n  a.absent()\n}\nlet b = 1;\nf(b)");
    assert_eq!(error.line, Some(2));
    assert_eq!(error.notes, ["in `f`, called at line 5"]);
}

#[test]
fn an_error_inside_a_module_shows_the_call_and_names_the_module() {
    let mut notebook = Notebook::new();
    let module = "fn broken(n) {\n  n.absent()\n}";
    std::fs::write(notebook.folder.path().join("tools.rhai"), module).unwrap();
    let error = notebook.error("import \"tools\" as tools;\ntools::broken(1)");
    assert_eq!(error.line_text, "tools::broken(1)");
    assert_eq!(error.notes, ["in tools, line 2"]);
}

#[test]
fn modules_outside_the_working_folder_are_refused() {
    let mut notebook = Notebook::new();
    for path in ["../tools", "/tmp/tools", "a/../../tools"] {
        let error = notebook.error(&format!("import {path:?} as tools;"));
        assert!(error.message.contains("may not be imported"), "{}", error.message);
    }
}

#[test]
fn wrong_calls_are_told_with_the_forms_that_work() {
    let mut notebook = Notebook::new();
    let error = notebook.error("frame(#{ a: [1] }).head(\"x\")");
    assert_eq!(error.message, "`head` cannot be called with (Frame, string)");
    assert_eq!(error.hint.as_deref(), Some("it is called as f.head(n)"));
    let error = notebook.error("fram(1)");
    assert_eq!(error.message, "there is no function `fram`, did you mean `frame`?");
}

#[test]
fn eval_is_not_to_be_had() {
    assert!(Notebook::new().error("eval(\"1 + 1\")").message.contains("eval"));
}

#[test]
fn a_wish_to_stop_ends_a_loop_that_catches_everything() {
    let mut notebook = Notebook::new();
    let stop = notebook.session.host().control.stop_flag().clone();
    let waiter = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let error = notebook.error("loop { try { loop {} } catch { } }");
    waiter.join().unwrap();
    assert!(error.interrupted);
}

#[test]
fn unfinished_input_is_told_from_mistakes() {
    let notebook = Notebook::new();
    for text in [
        "fn f(x) {",
        "[1,",
        "(1 +",
        "x.",
        "f(1).\n",
        "/* open",
        "let f = |x|",
        "let f = |x, y| \n",
        "let s = `two\nlines",
        "#{ a: 1",
        "let x =",
        "if true {\n 1\n}\nelse {",
        "frame(#{ a: [1] })\n  .",
    ] {
        assert!(notebook.session.is_unfinished(text), "{text:?} is unfinished");
    }
    for text in [
        "1 + 1",
        "fn f(x) { x }",
        "let x = ;",
        "read(\"data/*.jsonl\") +* 1",
        "// open /* here",
        "\"open\n",
        "a || b",
        ")",
        "x.\n\n",
        "/* done */ 1",
        "\"a /* b\"",
    ] {
        assert!(!notebook.session.is_unfinished(text), "{text:?} is not unfinished");
    }
}

#[test]
fn a_script_splits_at_its_markers() {
    let script = "// preface\n// %% [markdown]\n// # Title\n// Prose.\n// %% first\nlet x = 1;\n\n//%% second\nx\n// %% empty\n\n";
    let cells = cells::split(script);
    let shape: Vec<(&str, bool, usize)> = cells
        .iter()
        .map(|cell| (cell.title.as_str(), cell.code().is_some(), cell.lines_before))
        .collect();
    assert_eq!(shape, [("", true, 0), ("", false, 2), ("first", true, 5), ("second", true, 8)]);
    assert_eq!(cells[1].content, Content::Prose("# Title\nProse.".to_string()));
    assert_eq!(cells[2].code(), Some("let x = 1;\n\n"));
    let introduction = cells::introduction(&cells).unwrap();
    assert_eq!(introduction, ("Title".to_string(), "Prose.".to_string()));
}

#[test]
fn a_script_without_markers_is_one_cell() {
    assert_eq!(cells::split("let x = 1;\nx").len(), 1);
    assert!(cells::split("").is_empty());
}

fn declared(text: &str) -> Result<Vec<parameters::Declared>, Box<ScriptError>> {
    parameters::find("x.rhai", text, &[Code { lines_before: 0, text }])
}

#[test]
fn parameters_are_found_anywhere_without_running() {
    let text = "let a = param(\"a\", -3, \"first\");\nfn f() { param(\"b\", 0.5) }\nif false { [param(\"c\", \"x\", \"third\")] }\n\
                let p = |x| param(\"d\", true, \"fourth\"); param(\"a\", 9, \"again\");";
    let found = declared(text).unwrap();
    let shape: Vec<(&str, &Value, usize)> =
        found.iter().map(|one| (one.name.as_str(), &one.default, one.line)).collect();
    assert_eq!(shape.len(), 4, "{shape:?}");
    for expected in
        [("a", &json!(-3), 1), ("b", &json!(0.5), 2), ("c", &json!("x"), 3), ("d", &json!(true), 4)]
    {
        assert!(shape.contains(&expected), "{expected:?} in {shape:?}");
    }
}

#[test]
fn a_parameter_that_is_no_literal_is_an_error_with_its_line() {
    let error = declared("let n = 3;\nparam(\"a\", n + 1, \"x\")").unwrap_err();
    assert_eq!(error.line, Some(2));
    assert!(error.message.contains("stand there as they are"));
}

#[test]
fn values_are_read_by_the_kind_of_the_default() {
    let read = |typed: &str, default: Value| typed::read_value("p", typed, &default).ok();
    assert_eq!(read("-3", json!(1)), Some(json!(-3)));
    assert_eq!(read("1_000", json!(1)), Some(json!(1000)));
    assert_eq!(read("2.5", json!(1)), None);
    assert_eq!(read("2", json!(0.5)), Some(json!(2.0)));
    assert_eq!(read("2e-4", json!(0.5)), Some(json!(2e-4)));
    assert_eq!(read("nan", json!(0.5)), None);
    assert_eq!(read("true", json!(false)), Some(json!(true)));
    assert_eq!(read("yes", json!(false)), None);
    assert_eq!(read("3", json!("x")), Some(json!("3")));
}

#[test]
fn control_characters_and_reordering_marks_are_written_out() {
    assert_eq!(plain::printable("a\u{1b}[31m\r\n\tb"), "a\\u{1b}[31m\\u{d}\n\tb");
    assert_eq!(plain::printable("\u{202e}abc\u{9b}"), "\\u{202e}abc\\u{9b}");
    assert_eq!(plain::one_line("a\nb"), "a\\nb");
}

/// A front that keeps what it was shown.
struct Notes(Rc<RefCell<Vec<String>>>);

impl Front for Notes {
    fn begin(&mut self, cell: &cells::Cell) {
        self.0.borrow_mut().push(format!("begin {}", cell.title));
    }
    fn show(&mut self, item: &Item) {
        self.0.borrow_mut().push(format!("{item:?}"));
    }
}

fn run(script: &str) -> (Vec<String>, Outcome) {
    let folder = tempfile::tempdir().unwrap();
    let host = Rc::new(Host::quiet(folder.path().to_path_buf()));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let desk = Desk::new(Box::new(Notes(seen.clone())), None);
    let listener = desk.clone();
    *host.listener.borrow_mut() = Box::new(move |event: Event| listener.borrow_mut().hear(event));
    let mut session = Session::new(host, "x.rhai");
    let outcome = runner::run(&mut session, &desk, script, &cells::split(script));
    let seen = seen.borrow().clone();
    (seen, outcome)
}

#[test]
fn things_are_shown_in_the_order_in_which_they_happen() {
    let (seen, outcome) = run("// %% a\nprint(1);\nshow(2);\n3\n// %% b\nlet x = 4;\n// %% c\nx");
    assert_eq!(
        seen,
        [
            "begin a",
            "Printed(\"1\")",
            "Output(Text(\"2\"))",
            "Output(Text(\"3\"))",
            "begin b",
            "begin c",
            "Output(Text(\"4\"))"
        ]
    );
    assert_eq!(outcome.last.to_json().unwrap(), json!(4));
    assert_eq!(outcome.ran[0].items.len(), 3);
}

#[test]
fn cells_after_a_failing_one_are_not_run_and_its_line_is_that_of_the_file() {
    let (seen, outcome) =
        run("// %% [markdown]\n// Text.\n// %% a\n1\n\n// %% b\n\nabsent\n// %% c\n2\n");
    assert_eq!(seen.last().unwrap(), "begin b");
    let error = outcome.error.unwrap();
    assert_eq!((error.line, error.line_text.as_str()), (Some(8), "absent"));
}

#[test]
fn nothing_in_a_report_is_markup_but_its_own() {
    let script = "// %% [markdown]\n// # <b>Title</b>\n// <img src=x onerror=alert(1)> [go](javascript:alert(1)) ![p](http://x/y.png)\n\
                  // %% <i>cell</i>\nprint(\"<script>alert(1)</script>\"); // </pre><script>\n\
                  frame(#{ \"<u>\": [\"<script>\", \"&amp; \\x1b[0m\"] })\n\
                  // %%\nplot(frame(#{ x: [1, 2], y: [1, 2] }), #{ x: \"x\", y: \"y\", title: \"<script>t</script>\" })\n\
                  // %%\nthrow \"<script>e</script>\"";
    let (_, outcome) = run(script);
    assert_eq!(outcome.ran.len(), 4);
    let page =
        html::page(&outcome, &json!({ "script": "<s>.rhai", "parameters": { "p": "<p1>" } }));
    assert_eq!(page.matches("<script").count(), 1, "the page's own script and no other");
    for forbidden in [
        "<script>alert",
        "<script>t",
        "<script>e",
        "<img src=\"x\"",
        "<img src=\"http",
        "javascript:",
        "<b>Title",
        "<i>cell",
        "<u>",
        "<s>",
        "<p1>",
        "\u{1b}",
    ] {
        assert!(!page.contains(forbidden), "{forbidden} stands in the report");
    }
    for wanted in ["&lt;script&gt;", "<svg", "&lt;b&gt;Title", "class=\"error\""] {
        assert!(page.contains(wanted), "{wanted} is missing in the report");
    }
}
