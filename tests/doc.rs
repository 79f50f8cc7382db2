//! `ebb doc`: every function is in the reference, what its examples show is real, and the page is safe to open and to send.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ebb::control::Control;
use ebb::display::Output;
use ebb::notebook::outcome::Item;
use ebb::notebook::reference::parts::{Chapter, Entry, Reference};
use ebb::notebook::reference::pieces::Piece;
use ebb::notebook::reference::{self, html, markdown};
use ebb::script::api;
use ebb::script::assist::reference::Function;
use ebb::script::assist::topics::{self, TOPICS};
use ebb::script::assist::{definitions, reference as described};
use ebb::script::engine::Session;
use ebb::script::host::Host;

const HOSTILE: &str = "</pre></table></script><script>alert(1)</script><img src=x onerror=alert(2)>\u{1b}[2J\u{202e}\u{200b}\"'&";

fn host() -> Rc<Host> {
    Rc::new(Host::quiet(std::env::temp_dir()))
}

/// What a test reads of the reference, made once: the page, the Markdown, and the examples that failed.
struct Made {
    page: String,
    markdown: String,
    failed: Vec<String>,
    ran: usize,
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = reference::make(&Control::silent()).unwrap();
        eprintln!("{} examples in {:.1} s", made.ran, made.seconds);
        Made {
            page: html::page(&made),
            markdown: markdown::markdown(&made),
            failed: made.failed,
            ran: made.ran,
        }
    })
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[test]
fn every_function_is_in_exactly_one_topic() {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for member in TOPICS.iter().flat_map(|topic| topic.members()) {
        *named.entry(member).or_default() += 1;
    }
    let twice: Vec<_> = named.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "in two topics: {twice:?}");
    let lost: Vec<&str> = api::all()
        .filter(|record| topics::of(record).is_none())
        .map(|record| record.name)
        .collect();
    assert!(lost.is_empty(), "say in src/script/assist/topics/mod.rs where these belong: {lost:?}");
    let none = named.keys().filter(|member| {
        !member.ends_with(".*") && !api::all().any(|record| record.name == **member)
    });
    assert_eq!(none.collect::<Vec<_>>(), Vec::<&&str>::new(), "topics name what is no function");
    let all: usize = TOPICS.iter().map(|topic| described::records(topic).len()).sum();
    assert_eq!(all, api::all().count());
}

#[test]
fn every_topic_opens_with_a_page_and_a_worked_example() {
    for topic in TOPICS {
        let paragraphs = topic.page.split("\n\n").filter(|part| !part.starts_with("    ")).count();
        assert!(paragraphs >= 2, "{} has {paragraphs} paragraphs", topic.name);
        assert!(topic.page.contains("\n    "), "{} has no example", topic.name);
        let options = topic.page.lines().any(|line| line.starts_with("```"));
        assert!(!options, "{}: code stands in lines that begin with four spaces", topic.name);
    }
}

#[test]
fn a_topic_is_read_at_the_prompt_by_its_name() {
    let session = Session::new(host(), "test");
    for topic in TOPICS {
        let Output::Markdown(text) = session.help(topic.name) else { panic!("no prose") };
        assert!(text.starts_with(&format!("# {}\n", topic.title)), "{}: {text}", topic.name);
    }
    let Output::Markdown(tour) = session.help("") else { panic!("no prose") };
    assert!(tour.contains("`?finetuning`"));
}

#[test]
fn every_example_of_the_reference_runs_and_shows_what_it_gives() {
    let made = made();
    assert!(made.failed.is_empty(), "{}", made.failed.join("\n"));
    assert!(made.ran > 150, "{}", made.ran);
    // A value by hand, a frame and a chart: 3 / 2, and the deviation of two numbers.
    let example = place(&made.page, "Expr.+");
    assert!(example.contains("<td>1.5"), "{example}");
    assert!(place(&made.page, "plot").contains("<svg"));
    assert!(place(&made.page, "div_floor").contains("class=\"shown\""));
}

/// A function's part of the page.
fn place<'a>(page: &'a str, name: &str) -> &'a str {
    let begin = format!("<article class=\"function\" id=\"{}\"", escaped(name));
    let from = page.find(&begin).unwrap_or_else(|| panic!("{name} is not on the page"));
    let length = page[from..].find("</article>").unwrap();
    &page[from..from + length]
}

#[test]
fn every_function_has_its_place_with_all_its_options() {
    let page = &made().page;
    for record in api::all() {
        let part = place(page, record.name);
        assert!(part.contains("class=\"code\""), "{} shows no example", record.name);
        for option in record.all_options() {
            let row = format!(
                "<tr><td><code>{}</code></td><td>{}</td>",
                option.name,
                escaped(option.kind)
            );
            assert!(part.contains(&row), "{}: the option {}", record.name, option.name);
        }
    }
    for module in ["std/bbq", "std/forget_filter"] {
        assert!(page.contains(&format!("<section class=\"module\" id=\"{module}\"")), "{module}");
    }
    assert!(place(page, "std/bbq.prepare").contains("bbq::prepare(rows, opts)"));
}

#[test]
fn every_link_leads_to_one_place_on_the_page() {
    let page = &made().page;
    let values = |name: &str| -> Vec<&str> {
        let begin = format!("{name}=\"");
        page.split(begin.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    };
    let mut places = BTreeSet::new();
    for place in values(" id") {
        assert!(places.insert(place), "{place} is there twice");
    }
    for link in values(" href") {
        match link.strip_prefix('#') {
            Some(place) => assert!(places.contains(place), "{link} leads nowhere"),
            None => assert!(link.starts_with("https://"), "{link}"),
        }
    }
    for stable in
        ["Frame.select", "Frame.tail", "read", "Model.finetune", "frames", "std/bbq.split"]
    {
        assert!(places.contains(stable), "{stable}");
    }
}

/// Tags that need no end, because HTML closes them or because they hold nothing.
const OPEN: [&str; 11] =
    ["meta", "input", "br", "hr", "img", "tr", "td", "th", "!doctype", "link", "wbr"];

/// What is wrong with how the tags of a page lie in each other.
fn fault(page: &str) -> Option<String> {
    let script = page.find("<script>").map_or(page.len(), |at| at + "<script>".len());
    let style = page.find("<style>")?..page.find("</style>")?;
    let mut open: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(next) = page[at..].find('<') {
        let from = at + next;
        let Some(length) = page[from..].find('>') else { return Some("a tag without end".into()) };
        at = from + length + 1;
        if style.contains(&from) && from != style.start || from >= script {
            continue;
        }
        let tag = &page[from + 1..from + length];
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| !c.is_whitespace() && *c != '/')
            .collect();
        if OPEN.contains(&name.as_str()) || tag.ends_with('/') || tag.starts_with('?') {
            continue;
        }
        if !tag.starts_with('/') {
            open.push(name);
        } else if open.pop().as_ref() != Some(&name) {
            let around = &page[from.saturating_sub(120)..(at + 40).min(page.len())];
            return Some(format!("</{name}> closes what is not open: {around}"));
        }
    }
    (open != ["html", "body", "script"]).then(|| format!("left open: {open:?}"))
}

#[test]
fn the_page_is_well_formed_small_and_loads_nothing() {
    let page = &made().page;
    assert_eq!(fault(page), None);
    eprintln!("the page has {} kB", page.len() / 1000);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    for loading in [" src=", "<link", "@import", "url(", "<iframe", "<object", "<embed", "srcset"] {
        assert!(!page.contains(loading), "{loading}");
    }
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(page.contains("default-src 'none'; script-src 'sha256-"));
    assert!(
        !page.contains(&*std::env::temp_dir().join("ebb-doc").to_string_lossy()),
        "a folder's name"
    );
}

#[test]
fn hostile_texts_are_text_on_the_page() {
    let code = Piece::Code {
        text: HOSTILE.to_string(),
        items: vec![Item::Printed(HOSTILE.to_string()), Item::Note(HOSTILE.to_string())],
    };
    let entry = Entry {
        function: Function {
            name: HOSTILE.to_string(),
            others: vec![format!("{HOSTILE}2")],
            forms: vec![HOSTILE.to_string()],
            summary: format!("{HOSTILE} `{HOSTILE}`"),
            see: vec![HOSTILE.to_string()],
            ..Function::default()
        },
        doc: vec![Piece::Prose(HOSTILE.to_string())],
        example: vec![code],
    };
    let chapter = Chapter {
        name: HOSTILE.to_string(),
        title: HOSTILE.to_string(),
        entries: vec![entry],
        ..Chapter::default()
    };
    let page = html::page(&Reference { chapters: vec![chapter], ..Reference::default() });
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!page.contains("<img"));
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}') && !page.contains('\u{200b}'));
    assert_eq!(fault(&page), None);
}

#[test]
fn the_markdown_has_every_function_and_what_it_shows() {
    let text = &made().markdown;
    for record in api::all() {
        let place = format!("<a id=\"{}\"></a>", escaped(record.name));
        assert!(text.contains(&place), "{}", record.name);
        assert!(text.contains(record.example.trim_matches('\n')), "{}", record.name);
    }
    assert!(text.contains("| `steps` | whole number |"));
    assert!(text.matches("\n```rhai\n").count() > 300);
}

/// Definitions as a script: each `fn name(a: T, …) -> U;` a function, which the language's own parser reads.
fn as_script(file: &str, text: &str) -> String {
    let mut lines = text.lines().filter(|line| !line.starts_with("///") && !line.trim().is_empty());
    let head = lines.next().unwrap();
    assert!(head.starts_with("module ") && head.ends_with(';'), "{file}: {head}");
    let mut script = String::new();
    for (number, line) in lines.enumerate() {
        let line = line.strip_suffix(';').unwrap_or_else(|| panic!("{file}: {line}"));
        if let Some(rest) = line.strip_prefix("op ") {
            let (sides, gives) =
                rest.split_once(") -> ").unwrap_or_else(|| panic!("{file}: {line}"));
            let (operator, sides) = sides.split_once('(').unwrap();
            assert_eq!(sides.split(", ").count(), 2, "{file}: {line}");
            assert!(!operator.is_empty() && !gives.is_empty());
            continue;
        }
        let rest = line.strip_prefix("fn ").unwrap_or_else(|| panic!("{file}: {line}"));
        let (call, gives) = rest.split_once(") -> ").unwrap_or_else(|| panic!("{file}: {line}"));
        let is_type =
            |kind: &str| kind == "?" || kind.chars().all(|c| c.is_alphanumeric() || c == '_');
        assert!(is_type(gives), "{file}: {line}");
        let (name, parameters) = call.split_once('(').unwrap();
        let parameters = parameters.split(", ").filter(|part| !part.is_empty()).map(|part| {
            let (word, kind) = part.split_once(": ").unwrap_or_else(|| panic!("{file}: {line}"));
            assert!(is_type(kind), "{file}: {line}");
            word.trim_start_matches("...").to_string()
        });
        let parameters: Vec<String> = parameters.collect();
        // Forms may share their number of parameters: a script tells them apart by name.
        script.push_str(&format!("fn {name}_{number}({}) {{}}\n", parameters.join(", ")));
    }
    script
}

#[test]
fn definition_files_are_read_by_the_language_and_hold_every_function() {
    let files = definitions::files(&host());
    let named: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert!(named.contains(&"ebb.d.rhai") && named.contains(&"std-bbq.d.rhai"), "{named:?}");
    let engine = rhai::Engine::new();
    for (name, text) in files.iter().filter(|(name, _)| !name.starts_with("__")) {
        let script = as_script(name, text);
        assert!(script.contains("fn "), "{name}");
        engine.compile(&script).unwrap_or_else(|error| panic!("{name}: {error}\n{script}"));
    }
    let ours = &files[0].1;
    assert!(ours.contains("fn select(f: Frame, exprs: ?) -> Frame;"), "{ours}");
    assert!(ours.contains("fn select(f: Frame, ...expr: ?) -> Frame;"), "{ours}");
    assert!(ours.contains("fn finetune(m: Model, data: ?, opts: Map) -> Model;"));
    assert!(ours.contains("op +(Expr, ?) -> Expr;"));
    assert!(ours.contains("fn frame(map: Map) -> Frame;"));
    assert!(ours.contains("fn min(a: ?, b: ?) -> ?;"), "a form that does not say what it gives");
    assert!(ours.contains("/// - `steps` (whole number"));
    for record in api::all() {
        assert!(ours.contains(&format!("/// {}.\n", record.summary)), "{}", record.name);
    }
    let bbq = &files.iter().find(|(name, _)| name == "std-bbq.d.rhai").unwrap().1;
    assert!(
        bbq.contains("module \"std/bbq\";")
            && bbq.contains("fn split(rows: ?, r: ?, seed: ?) -> ?;")
    );
    assert!(!bbq.contains("fn prepared("), "private functions are nobody's business");
}

/// The program in a folder: its exit code, standard output and standard error. Ended where it takes too long.
fn ebb(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let (out, told) = (folder.join(".out"), folder.join(".told"));
    let mut run = Command::new(env!("CARGO_BIN_EXE_ebb"))
        .args(words)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&out).unwrap())
        .stderr(std::fs::File::create(&told).unwrap())
        .spawn()
        .unwrap();
    let code = ended(&mut run).unwrap_or(-1);
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    (code, read(&out), read(&told))
}

/// The exit code of a program that ends within a few minutes.
fn ended(run: &mut std::process::Child) -> Option<i32> {
    let began = Instant::now();
    loop {
        if let Some(status) = run.try_wait().unwrap() {
            return status.code();
        }
        if began.elapsed() > Duration::from_secs(240) {
            run.kill().unwrap();
            run.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn shells_and_manual_pages_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, told) = ebb(folder.path(), &["doc", "--completions", shell]);
        assert_eq!(code, 0, "{told}");
        for word in ["export", "verify", "definitions", "run-dir"] {
            assert!(out.contains(word), "{shell} does not know {word}");
        }
    }
    let (code, _, told) = ebb(folder.path(), &["doc", "--man", "man", "--definitions", "editor"]);
    assert_eq!(code, 0, "{told}");
    let page = |name: &str| std::fs::read_to_string(folder.path().join("man").join(name)).unwrap();
    assert!(page("ebb.1").contains(".TH ebb 1"));
    assert!(page("ebb-run.1").contains("run\\-dir"), "{}", page("ebb-run.1"));
    assert!(page("ebb-doc.1").contains("definitions"));
    assert!(page("ebb-kernel-install.1").contains(".TH"));
    assert!(folder.path().join("editor/ebb.d.rhai").is_file());
    // Once more into the same folders, and nothing else was written.
    let (code, _, told) = ebb(folder.path(), &["doc", "--man", "man", "--definitions", "editor"]);
    assert_eq!(code, 0, "{told}");
    assert!(!folder.path().join("reference.html").exists());
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    std::fs::create_dir(folder.path().join("there.html")).unwrap();
    for (words, said) in [
        (&["doc", "-o", "there.html"][..], "there.html is a folder"),
        (&["doc", "-o", "file/page.html"], "not a directory"),
        (&["doc", "-o", "page.md"], "--markdown FILE"),
        (&["doc", "--man", "file"], "file is a file"),
        (&["doc", "--definitions", "file/inner"], "not a directory"),
        (&["doc", "--completions", "tcsh"], "tcsh"),
    ] {
        let began = Instant::now();
        let (code, _, told) = ebb(folder.path(), words);
        assert!(code == 1 || code == 2, "{words:?} gave {code}: {told}");
        assert!(told.contains(said), "{words:?}: {told}");
        assert!(began.elapsed().as_secs() < 60, "{words:?}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("file")).unwrap(), "x");
}

/// A browser without a screen, where there is one.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: no Chromium is here");
    }
    found
}

#[test]
fn a_browser_finds_what_is_typed() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reference.html");
    std::fs::write(&file, &made().page).unwrap();
    let seen = |query: &str| {
        let out = folder.path().join("dom");
        let mut run = Command::new(&browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(format!("file://{}?q={query}", file.display()))
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&out).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        ended(&mut run);
        std::fs::read_to_string(out).unwrap()
    };
    let page = seen("max_new_tokens");
    let shown = |page: &str, name: &str| {
        let from = page.find(&format!("<article class=\"function\" id=\"{name}\"")).unwrap();
        !page[from..].split('>').next().unwrap().contains("hidden")
    };
    let told = page.split("id=\"told\"").nth(1).unwrap().split('<').next().unwrap();
    assert!(told.contains("function"), "the script did not run: {told}");
    assert!(shown(&page, "Model.generate") && !shown(&page, "Frame.select"));
    let page = seen("frame%20tail");
    assert!(shown(&page, "Frame.head") && !shown(&page, "Model.generate"));
}
