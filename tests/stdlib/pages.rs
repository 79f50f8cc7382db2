//! `stdlib/README.md` is run: each block of Rhai in a session of its own, and what it shows is what stands below it. Where an
//! output changes on purpose, `EBB_REWRITE_PAGES=1 cargo test pages` writes the page anew.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ebb::display::Output;
use ebb::script::display::CellValue;
use ebb::script::engine::Session;
use ebb::script::host::{Event, Host};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib")
}

/// A page in parts: what is no block, and blocks of Rhai with what stands below them.
enum Part {
    Prose(String),
    Block { code: String, shown: String },
}

const CODE: &str = "```rhai\n";
const SHOWN: &str = "\n```text\n";
const END: &str = "```\n";

fn parts(page: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = page;
    while let Some((prose, after)) = rest.split_once(CODE) {
        parts.push(Part::Prose(prose.to_string()));
        let (code, after) = after.split_once(END).expect("a block ends");
        let (shown, after) = match after.strip_prefix(SHOWN) {
            Some(after) => after.split_once(END).expect("an output ends"),
            None => ("", after),
        };
        parts.push(Part::Block { code: code.to_string(), shown: shown.to_string() });
        rest = after;
    }
    parts.push(Part::Prose(rest.to_string()));
    parts
}

fn page_of(parts: &[Part]) -> String {
    let text = |part: &Part| match part {
        Part::Prose(prose) => prose.clone(),
        Part::Block { code, shown } if shown.is_empty() => format!("{CODE}{code}{END}"),
        Part::Block { code, shown } => format!("{CODE}{code}{END}{SHOWN}{shown}{END}"),
    };
    parts.iter().map(text).collect()
}

/// What a block shows: its notes, what it prints, and its last value.
fn shown_by(code: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::quiet(folder.path().to_path_buf());
    let lines = Rc::new(RefCell::new(Vec::new()));
    let heard = lines.clone();
    host.listener = RefCell::new(Box::new(move |event| match event {
        Event::Note(text) => heard.borrow_mut().push(format!("note: {text}")),
        Event::Printed(text) => heard.borrow_mut().push(text),
        Event::Shown(output) => heard.borrow_mut().push(plain(output)),
        Event::Metrics(_) | Event::Finetuned(_) | Event::Input { .. } => {}
    }));
    let mut session = Session::new(Rc::new(host), "stdlib/README.md");
    let value = session.evaluate("", code).unwrap_or_else(|error| panic!("{code}: {error:?}"));
    let output = CellValue::from(value).output().unwrap();
    let mut lines = lines.take();
    lines.extend(output.map(plain));
    lines.into_iter().map(|line| format!("{line}\n")).collect()
}

fn plain(output: Output) -> String {
    match output {
        Output::Text(text) | Output::Markdown(text) => text,
        Output::Table(table) => {
            let names: Vec<&str> =
                table.columns.iter().map(|column| column.name.as_str()).collect();
            let mut lines = vec![names.join(" | ")];
            for row in &table.rows {
                let cells = row.iter().map(|cell| cell.as_deref().unwrap_or("—"));
                lines.push(cells.collect::<Vec<_>>().join(" | ").replace('\n', "↵"));
            }
            lines.push(format!("({})", table.caption));
            lines.join("\n")
        }
        Output::Chart(_) => "(a chart)".to_string(),
    }
}

#[test]
fn the_guides_blocks_show_what_stands_below_them() {
    let path = folder().join("README.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut parts = parts(&page);
    assert_eq!(page_of(&parts), page, "the page is taken apart and put together again");
    let mut changed = Vec::new();
    for part in &mut parts {
        if let Part::Block { code, shown } = part {
            let now = shown_by(code);
            if *shown != now {
                changed.push(format!("{code}\nshows\n{now}\nand the page says\n{shown}"));
                *shown = now;
            }
        }
    }
    let rewrite = std::env::var("EBB_REWRITE_PAGES").is_ok_and(|value| value == "1");
    if rewrite {
        std::fs::write(&path, page_of(&parts)).unwrap();
        return;
    }
    let how = "EBB_REWRITE_PAGES=1 cargo test pages writes the page anew";
    assert!(changed.is_empty(), "{}\n{how}", changed.join("\n"));
}

#[test]
fn the_guide_has_a_section_with_a_block_for_every_module() {
    let page = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let mut missing = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "rhai") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let section = page.split_once(&format!("\n## std/{name}\n")).map(|(_, rest)| rest);
        let section = section.and_then(|rest| rest.split("\n## ").next());
        let import = format!("import \"std/{name}\"");
        if !section.is_some_and(|section| section.contains(CODE) && section.contains(&import)) {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "stdlib/README.md has no section with a block for {missing:?}");
}

#[test]
fn an_output_that_is_not_the_pages_is_found() {
    let page = "A\n\n```rhai\nprint(\"a\"); 1 + 1\n```\n\n```text\na\n3\n```\nB\n";
    let parts = parts(page);
    assert_eq!(page_of(&parts), page);
    let Part::Block { code, shown } = &parts[1] else { panic!("a block") };
    assert_eq!((shown.as_str(), shown_by(code).as_str()), ("a\n3\n", "a\n2\n"));
}
