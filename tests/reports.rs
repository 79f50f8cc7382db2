//! The page of a run: nothing in it is markup but its own, it is complete without its script, and the script is the only
//! one that may run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ebb::display::{Column, Output, Table};
use ebb::notebook::cells::{Cell, Content};
use ebb::notebook::import::import;
use ebb::notebook::outcome::{Item, Outcome, Ran};
use ebb::notebook::prose::fill;
use ebb::notebook::report::html;
use ebb::script::report::ScriptError;
use serde_json::{Value, json};

/// Markup, the end of a script, an escape sequence, a mark that reorders and a character without width.
const HOSTILE: &str = "</pre></table></script><script>alert(1)</script><img src=x onerror=alert(2)>\u{1b}[2J\u{202e}\u{200b}\"'&";

fn code(title: &str, text: &str, items: Vec<Item>) -> Ran {
    let content = Content::Code(text.to_string());
    Ran { cell: Cell { title: title.to_string(), content, lines_before: 0 }, items, seconds: 0.1 }
}

fn prose(text: &str) -> Ran {
    let content = Content::Prose(text.to_string());
    let cell = Cell { title: String::new(), content, lines_before: 0 };
    Ran { cell, items: Vec::new(), seconds: 0.0 }
}

fn table(rows: usize, text: &str) -> Item {
    let column =
        |name: &str, numeric| Column { name: name.to_string(), kind: text.to_string(), numeric };
    let row = |row: usize| vec![Some(row.to_string()), Some(format!("{text} {row}")), None];
    Item::Output(Output::Table(Table {
        columns: vec![column("n", true), column(text, false), column("none", false)],
        rows: (0..rows).map(row).collect(),
        caption: format!("{rows} rows of {text}"),
        ..Table::default()
    }))
}

fn outcome(ran: Vec<Ran>) -> Outcome {
    Outcome { ran, ..Outcome::default() }
}

fn page(ran: Vec<Ran>) -> String {
    html::page(&outcome(ran), &json!({ "script": "x.rhai" }))
}

/// The page's script and its policy.
fn script_and_policy(page: &str) -> (&str, &str) {
    let script = page.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    let policy = page.split_once("Content-Security-Policy\" content=\"").unwrap().1;
    (script, policy.split_once('"').unwrap().0)
}

#[test]
fn hostile_texts_are_text_in_every_place() {
    let chart = ebb::display::Chart {
        title: HOSTILE.to_string(),
        x_label: HOSTILE.to_string(),
        series: vec![ebb::display::Series {
            name: HOSTILE.to_string(),
            points: vec![(0.0, 1.0), (1.0, 2.0)],
            band: Vec::new(),
        }],
        ..ebb::display::Chart::default()
    };
    let items = vec![
        Item::Printed(HOSTILE.to_string()),
        Item::Note(HOSTILE.to_string()),
        Item::Output(Output::Text(HOSTILE.to_string())),
        Item::Output(Output::Markdown(HOSTILE.to_string())),
        Item::Output(Output::Chart(chart)),
        table(2, HOSTILE),
    ];
    let long = format!("// {HOSTILE}\n").repeat(20);
    let mut ran = vec![prose(&format!("# {HOSTILE}\n{HOSTILE}"))];
    ran.extend((0..6).map(|_| code(HOSTILE, &long, items.clone())));
    let error = ScriptError::at_line(HOSTILE, HOSTILE, 1, HOSTILE.to_string());
    let outcome = Outcome { ran, error: Some(Box::new(error)), ..Outcome::default() };
    let facts = json!({
        "script": HOSTILE, "status": HOSTILE, "command": [HOSTILE], "parameters": { HOSTILE: HOSTILE },
        "inputs": [{ "name": HOSTILE, "sha256": HOSTILE }],
        "metrics": { HOSTILE: { "last": HOSTILE, "count": 1 } },
    });
    let page = html::page(&outcome, &facts);
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    for forbidden in ["<img src=x", "\u{1b}", "\u{202e}", "\u{200b}"] {
        assert!(!page.contains(forbidden), "{forbidden:?} stands in the page");
    }
    // Each `pre` that opens closes once: none was closed by a text.
    assert_eq!(page.matches("<pre").count(), page.matches("</pre>").count());
    assert_eq!(page.matches("<table").count(), page.matches("</table>").count());
}

#[test]
fn the_policy_names_the_hash_of_the_script_and_allows_nothing_else_to_run_or_load() {
    let page = page(vec![code("", "1", Vec::new())]);
    let (script, policy) = script_and_policy(&page);
    let hash = policy.split_once("'sha256-").unwrap().1.split_once('\'').unwrap().0;
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0u32;
    let mut held = 0;
    let mut bytes = Vec::new();
    for character in hash.trim_end_matches('=').chars() {
        bits = bits << 6 | digits.find(character).unwrap() as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    assert_eq!(ebb::files::hex(&bytes), ebb::files::sha256(script.as_bytes()));
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert_eq!(policy.matches("script-src").count(), 1);
    for loaded in ["http://", "https://", "<link", "@import", "url("] {
        let without = page.replace("http://www.w3.org", "");
        assert!(!without.contains(loaded), "the page asks for {loaded}");
    }
}

#[test]
fn every_row_stands_in_the_page_whether_or_not_scripts_run() {
    let page = page(vec![code("", "1", vec![table(100, "word")])]);
    let (script, _) = script_and_policy(&page);
    let without = page.replace(script, "");
    for row in 0..100 {
        assert!(without.contains(&format!("<td>word {row}<")), "row {row}");
    }
    assert!(!without.contains(" hidden"));
}

#[test]
fn figures_and_tables_are_numbered_long_code_is_folded_and_many_cells_have_contents() {
    let long = (0..13).map(|line| format!("let line_{line} = 1;\n")).collect::<String>();
    let short = "let short = 1;\n".repeat(12);
    let mut ran: Vec<Ran> = (0..5)
        .map(|n| code(&format!("cell {n}"), &long, vec![table(1, "a"), table(1, "b")]))
        .collect();
    ran.push(code("", &short, Vec::new()));
    let whole = page(ran.clone());
    assert!(whole.contains("<b>Table 10</b>. 1 rows of b"));
    assert_eq!(whole.matches("<details class=\"code\">").count(), 5);
    assert!(whole.contains("13 lines"));
    for place in 0..5 {
        assert!(whole.contains(&format!("<a href=\"#cell-{place}\">cell {place}</a>")));
        assert!(whole.contains(&format!("<section id=\"cell-{place}\">")));
    }
    assert!(!page(ran.split_off(2)).contains("<nav"), "three titled cells need no contents");
}

#[test]
fn text_beyond_what_a_page_can_hold_is_cut_and_that_is_said() {
    let printed = |length: usize| code("", "1", vec![Item::Printed("é".repeat(length))]);
    let cut = page(vec![printed(200_123)]);
    assert!(cut.contains("goes on for 123 more characters"));
    assert_eq!(cut.matches('é').count(), 200_000);
    assert!(!page(vec![printed(200_000)]).contains("cut here"));
}

#[test]
fn logged_metrics_are_shown_with_their_last_values() {
    let facts = json!({ "script": "x.rhai", "metrics": { "loss": { "last": 1.25, "count": 40 } } });
    let page = html::page(&outcome(Vec::new()), &facts);
    assert!(page.contains("<tr><td>loss<td>1.25<td>40"), "{page}");
}

#[test]
fn a_page_of_a_hundred_cells_and_a_hundred_thousand_rows_is_small() {
    let cells = (0..100).map(|n| code(&format!("cell {n}"), "1", vec![table(1000, "word")]));
    let began = std::time::Instant::now();
    let page = page(cells.collect());
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    // A generous multiple of what it takes: tests share the machine.
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    assert_eq!(page.matches("<tr><td>").count(), 100_000);
}

/// A browser without a screen, where there is one.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).find_map(|folder| {
        ["chromium", "chromium-browser", "google-chrome"]
            .iter()
            .map(|name| folder.join(name))
            .find(|file| file.is_file())
    });
    if found.is_none() {
        eprintln!("skipped: no Chromium is here");
    }
    found
}

#[test]
fn a_browser_runs_the_pages_script_and_none_of_a_models() {
    let Some(browser) = browser() else { return };
    let hostile = format!("{HOSTILE}<script>document.title = 'taken'</script>");
    let page = page(vec![code("", "1", vec![Item::Printed(hostile.clone()), table(45, &hostile)])]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, &page).unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&output.stdout);
    assert!(seen.contains("rows 1 to 20 of 45"), "the page's script did not run: {seen}");
    assert!(seen.contains("<title>x.rhai</title>"), "a text took the page");
    assert_eq!(seen.matches("<tr hidden=\"\">").count(), 25);
}

#[test]
fn what_a_run_logged_stands_in_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let script = "for n in range(0, 3) { log(#{ loss: 1.5 - n }); }";
    std::fs::write(folder.path().join("x.rhai"), script).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_ebb"))
        .args(["run", "x.rhai", "--run-dir", "record"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let facts: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("record/run.json")).unwrap())
            .unwrap();
    assert_eq!(facts["metrics"]["loss"], json!({ "last": -0.5, "count": 3 }));
    let page = std::fs::read_to_string(folder.path().join("record/report.html")).unwrap();
    assert!(page.contains("<tr><td>loss<td>-0.5<td>3"));
}

/// A folder with a script, in which the program is run.
fn ebb(folder: &Path, words: &[&str]) -> (i32, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_ebb"))
        .args(words)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (run.status.code().unwrap(), String::from_utf8_lossy(&run.stderr).to_string())
}

const SCRIPT: &str = "// %% [markdown]\n// # Title\n//\n// Some *prose* with 100 %.\n//\n// %%% no marker\n\n\
    // %% first\nlet rows = frame(#{ word: [\"a|b\", \"<c>\"], n: [1, 2] });\nprint(\"hello\");\nnote(\"a note\");\nrows\n\n\
    // %%\nplot(rows, #{ x: \"n\", y: \"n\", title: \"T\" })\n\n// %% [markdown] a name\n// The end.\n";

#[test]
fn a_notebook_holds_what_cells_showed_and_gives_the_script_back() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.rhai"), SCRIPT).unwrap();
    let (code, told) =
        ebb(folder.path(), &["run", "x.rhai", "--run-dir", "record", "--report", "x.ipynb"]);
    assert_eq!(code, 0, "{told}");
    let text = std::fs::read_to_string(folder.path().join("x.ipynb")).unwrap();
    let notebook: Value = serde_json::from_str(&text).unwrap();
    // What the schema of nbformat 4.5 asks for.
    assert_eq!((&notebook["nbformat"], &notebook["nbformat_minor"]), (&json!(4), &json!(5)));
    let spec = json!({ "display_name": "ebb", "language": "rhai", "name": "ebb" });
    assert_eq!(notebook["metadata"]["kernelspec"], spec);
    let kinds: Vec<&Value> =
        notebook["cells"].as_array().unwrap().iter().map(|cell| &cell["cell_type"]).collect();
    assert_eq!(kinds, ["markdown", "code", "code", "markdown"]);
    let first = &notebook["cells"][1];
    assert_eq!((&first["id"], &first["execution_count"]), (&json!("cell-1"), &json!(1)));
    let shown = &first["outputs"];
    assert_eq!(shown[0], json!({ "name": "stdout", "output_type": "stream", "text": ["hello\n"] }));
    assert_eq!(shown[1]["text"], json!(["note: a note\n"]));
    let plain = shown[2]["data"]["text/plain"].to_string();
    assert!(plain.contains("a|b") && plain.contains("word"), "{plain}");
    assert!(shown[2]["data"]["text/html"].to_string().contains("&lt;c&gt;"));
    let chart = &notebook["cells"][2]["outputs"][0]["data"];
    assert!(chart["image/svg+xml"][0].as_str().unwrap().starts_with("<svg"));

    let (code, told) = ebb(folder.path(), &["import", "x.ipynb", "-o", "back.rhai"]);
    assert_eq!((code, told.as_str()), (0, ""));
    let back = std::fs::read_to_string(folder.path().join("back.rhai")).unwrap();
    let parts = |script: &str| -> Vec<(String, String)> {
        let cells = ebb::notebook::cells::split(script).into_iter();
        let text = |cell: &Cell| match &cell.content {
            Content::Code(text) | Content::Prose(text) => text.trim().to_string(),
        };
        cells.map(|cell| (cell.title.clone(), text(&cell))).collect()
    };
    assert_eq!(parts(&back), parts(SCRIPT));
    let (code, told) = ebb(folder.path(), &["import", "x.ipynb", "-o", "back.rhai"]);
    assert_eq!(code, 1);
    assert!(told.contains("back.rhai is there already"), "{told}");
}

#[test]
fn a_report_in_markdown_has_tables_code_and_charts_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.rhai"), SCRIPT).unwrap();
    let (code, told) =
        ebb(folder.path(), &["run", "x.rhai", "--run-dir", "record", "--report", "page.md"]);
    assert_eq!(code, 0, "{told}");
    let page = std::fs::read_to_string(folder.path().join("page.md")).unwrap();
    assert!(page.starts_with("# Title\n"), "{page}");
    for wanted in [
        "## first\n",
        "```rust\nlet rows = ",
        "```text\nhello\n```",
        "> Note: a note",
        "| n | word |\n| ---: | --- |\n| 1 | a\\|b |\n| 2 | &lt;c&gt; |\n",
        "![Figure 1. T](<page-figure-1.svg>)",
    ] {
        assert!(page.contains(wanted), "{wanted:?} is missing in {page}");
    }
    let chart = std::fs::read_to_string(folder.path().join("page-figure-1.svg")).unwrap();
    assert!(chart.starts_with("<svg"));
}

#[test]
fn a_report_of_another_ending_is_refused_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.rhai"), "1").unwrap();
    let (code, told) = ebb(folder.path(), &["run", "x.rhai", "--report", "x.docx"]);
    assert_eq!(code, 2);
    assert!(told.contains(".html, .md or .ipynb"), "{told}");
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn notebooks_that_cannot_be_taken_as_they_are_are_told_of() {
    let refused = |text: &str| import("x.ipynb", text).err().unwrap().to_string();
    assert!(refused("{\"cells\": [").contains("ends in the middle of its JSON, at line 1"));
    assert!(refused("# no").contains("not a notebook, which is JSON"));
    assert!(refused("{}").contains("it has no whole number `nbformat`"));
    assert!(refused("{\"nbformat\": 9, \"nbformat_minor\": 0}").contains("9.0"));
    let python = json!({
        "nbformat": 4, "nbformat_minor": 2,
        "metadata": { "kernelspec": { "name": "python3", "display_name": "Python 3" } },
        "cells": [
            { "cell_type": "markdown", "metadata": {}, "source": "look\n%% here",
              "attachments": { "a.png": { "image/png": "AA==" } } },
            { "cell_type": "code", "metadata": {}, "execution_count": null, "source": ["a\n", "b"],
              "outputs": [{ "output_type": "strange" }] },
            { "cell_type": "raw", "metadata": {}, "source": "raw" },
        ],
    });
    let taken = import("x.ipynb", &python.to_string()).unwrap();
    assert_eq!(
        taken.script,
        "// %% [markdown]\n// look\n// \\%% here\n\n// %%\na\nb\n\n// %% [markdown]\n// raw\n"
    );
    assert_eq!(
        taken.notes,
        [
            "the notebook was written for the kernel \"python3\": its code is taken as it stands, and is hardly Rhai",
            "cell 1: attachments are left behind: a.png",
            "cell 3: raw text is taken as prose",
        ]
    );
}

#[test]
fn prose_shows_what_variables_hold_and_no_value_is_markup() {
    let values = |name: &str| match name {
        "score" => Some("0.91".to_string()),
        "text" => Some("*a* <b>\n[c](d)".to_string()),
        _ => None,
    };
    let filled = fill("F1 {{ score }}, {{text}}, {{ absent }}, {{ 1 + 1 }}, {{", values);
    assert_eq!(filled.text, "F1 0.91, \\*a\\* &lt;b\\> \\[c\\](d), {{ absent }}, {{ 1 + 1 }}, {{");
    assert_eq!(filled.unknown, ["absent"]);
}

#[test]
fn a_run_fills_prose_and_shows_the_prose_that_a_script_makes() {
    let folder = tempfile::tempdir().unwrap();
    let script = "// %%\nlet f1 = 0.5; let text = \"a_b\";\nmarkdown(\"some **bold** words\");\n\
                  // %% [markdown]\n// The score is {{ f1 }} for {{ text }}, not {{ absent }}.\n// %%\n1\n";
    std::fs::write(folder.path().join("x.rhai"), script).unwrap();
    let (code, told) = ebb(folder.path(), &["run", "x.rhai", "--run-dir", "record"]);
    assert_eq!(code, 0, "{told}");
    let page = std::fs::read_to_string(folder.path().join("record/report.html")).unwrap();
    assert!(page.contains("<p>The score is 0.5 for a_b, not {{ absent }}.</p>"), "{page}");
    assert!(page.contains("Note: `absent`, which the prose asks for"));
    assert!(page.contains("some <strong>bold</strong> words"));
}

#[test]
fn the_settings_of_each_finetuning_stand_in_the_page() {
    let options = |rate: f64| json!({ "learning_rate": rate, "epochs": 2 });
    let facts = json!({ "script": "x.rhai", "finetunings": [
        { "model": "ebb/tiny", "stage": 1, "rows": 8, "seed": 3, "options": options(0.5) },
        { "model": "ebb/tiny", "stage": 2, "rows": 9, "seed": 3, "options": options(0.25) },
    ] });
    let page = html::page(&outcome(Vec::new()), &facts);
    assert!(page.contains("<tr><td>rows<td>8<td>9"));
    assert!(page.contains("<tr><td>learning_rate<td>0.5<td>0.25"));
}
