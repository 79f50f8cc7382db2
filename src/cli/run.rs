//! `ebb run SCRIPT`: runs a script's cells, shows their values, keeps a record and writes the report.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::arguments::{self, Common, Run};
use super::progress::Bars;
use super::screen::{Screen, Stream};
use super::{DONE, FAILED, STOPPED, USAGE, environment, show_usage};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::files;
use crate::notebook::cells::{self, Cell};
use crate::notebook::record::{self, Record};
use crate::notebook::report::html;
use crate::notebook::runner::{self, Desk, Outcome};
use crate::script::engine::Session;
use crate::script::host::{self, Access, Host};
use crate::script::parameters::{self, Code, Declared};
use crate::script::report::ScriptError;

/// A script, read and split.
struct Script {
    name: String,
    text: String,
    cells: Vec<Cell>,
}

/// Reads the words behind `ebb run` and does what they say.
pub fn main(words: &[String]) -> u8 {
    let Some(position) = arguments::script_position(words) else {
        let matches = arguments::run_without_script().try_get_matches_from(words);
        return matches.map_or_else(|error| show_usage(&error), |_| USAGE);
    };
    let mut words = words.to_vec();
    let name = words.remove(position);
    let errors = Screen::new(Stream::Error, Bars::new());
    let script = match read(&name) {
        Ok(script) => script,
        Err(error) => return refuse(&errors, &error, USAGE),
    };
    let declared = match declared(&script) {
        Ok(declared) => declared,
        Err(error) => {
            errors.remark(&errors.style().script_error(&error));
            return FAILED;
        }
    };
    match Run::read(&name, &script.cells, &declared, &words) {
        Ok(asked) => start(&script, asked, &words),
        Err(error) => show_usage(&error),
    }
}

fn refuse(screen: &Screen, error: &Error, code: u8) -> u8 {
    screen.remark(&screen.style().error(error));
    code
}

fn read(name: &str) -> Result<Script> {
    let text = files::read_text(Path::new(name))?;
    let text = text.replace("\r\n", "\n");
    Ok(Script {
        name: name.to_string(),
        cells: cells::split(&text),
        text,
    })
}

/// The script's parameters, none of them with the name of an option of `ebb run`.
fn declared(script: &Script) -> std::result::Result<Vec<Declared>, ScriptError> {
    let code: Vec<Code> = script
        .cells
        .iter()
        .filter_map(|cell| {
            Some(Code {
                lines_before: cell.lines_before,
                text: cell.code()?,
            })
        })
        .collect();
    let declared = parameters::find(&script.name, &script.text, &code)?;
    let own = arguments::own_names();
    let plain = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    let wrong = declared.iter().find_map(|parameter| {
        let name = &parameter.name;
        match (own.contains(name), plain(name)) {
            (true, _) => Some((
                parameter,
                format!("the parameter `{name}` has the name of an option of `ebb run`"),
            )),
            (_, false) => Some((
                parameter,
                format!("the parameter name {name:?} cannot be typed as an option"),
            )),
            _ => None,
        }
    });
    match wrong {
        None => Ok(declared),
        Some((parameter, message)) => Err(ScriptError {
            message,
            hint: Some("give it another name: letters, digits and underscores".to_string()),
            file: script.name.clone(),
            line: Some(parameter.line),
            line_text: script
                .text
                .lines()
                .nth(parameter.line - 1)
                .unwrap_or_default()
                .to_string(),
            column: None,
            notes: Vec::new(),
            interrupted: false,
        }),
    }
}

fn start(script: &Script, asked: Run, words: &[String]) -> u8 {
    let bars = Bars::new();
    let stream = if asked.json {
        Stream::Error
    } else {
        Stream::Out
    };
    let screen = Screen::new(stream, bars.clone());
    if let Some(report) = &asked.report
        && !report.ends_with(".html")
    {
        let error = Error::invalid(
            "--report",
            "a file name that ends in .html",
            format!("{report:?}"),
        );
        return refuse(&screen, &error, USAGE);
    }
    let mut host = match host(&asked.common, &bars, &asked.given) {
        Ok(host) => host,
        Err(error) => return refuse(&screen, &error, USAGE),
    };
    let folder = match &asked.run_folder {
        Some(folder) => host::normal_form(&host.working_folder.join(folder)),
        None => record::free_folder(&host.working_folder, Path::new(&script.name)),
    };
    let mut command = vec!["ebb".to_string(), "run".to_string(), script.name.clone()];
    command.extend_from_slice(words);
    let begun = Record::begin(&folder, &script.name, &script.text, command).and_then(|record| {
        Ok((
            record,
            host::real_form(&folder).map_err(|error| Error::io("read", &folder, error))?,
        ))
    });
    let record = match begun {
        Ok((record, real)) => {
            host.access.write.push(real.clone());
            host.run_folder = Some(real);
            record
        }
        Err(error) => return refuse(&screen, &error, FAILED),
    };
    host.given = RefCell::new(asked.given.clone());
    host.seed.set(asked.seed.unwrap_or(0));
    carry_out(script, &asked, host, record, &screen)
}

fn carry_out(script: &Script, asked: &Run, host: Host, record: Record, screen: &Screen) -> u8 {
    let host = Rc::new(host);
    if let Err(error) = record.write(&host, None) {
        return refuse(screen, &error, FAILED);
    }
    let desk = Desk::new(Box::new(screen.clone()), Some(record));
    listen(&host, &desk);
    let mut session = Session::new(host.clone(), &script.name);
    let outcome = runner::run(&mut session, &desk, &script.text, &script.cells);
    let mut code = match &outcome.error {
        None => DONE,
        Some(error) => {
            screen.remark(&screen.style().script_error(error));
            if error.interrupted { STOPPED } else { FAILED }
        }
    };
    if asked.json && outcome.error.is_none() {
        code = code.max(print_json(screen, &outcome));
    }
    match finish(&desk, &host, &outcome, asked.report.as_deref()) {
        Ok(report) => screen.remark(
            &screen
                .style()
                .dim(&format!("report: {}\n", report.display())),
        ),
        Err(error) => code = code.max(refuse(screen, &error, FAILED)),
    }
    match screen.trouble() {
        Some(error) => code.max(refuse(screen, &error, FAILED)),
        None => code,
    }
}

/// Hands every event of the session to the desk.
pub fn listen(host: &Rc<Host>, desk: &Rc<RefCell<Desk>>) {
    let desk = desk.clone();
    *host.listener.borrow_mut() = Box::new(move |event| desk.borrow_mut().hear(event));
}

/// The last value as one line on standard output, which nothing else is written to.
fn print_json(errors: &Screen, outcome: &Outcome) -> u8 {
    let out = Screen::new(Stream::Out, Bars::new());
    match outcome.last.to_json() {
        Ok(value) => out.write(&format!("{value}\n")),
        Err(error) => return refuse(errors, &error, FAILED),
    }
    match out.trouble() {
        Some(error) => refuse(errors, &error, FAILED),
        None => DONE,
    }
}

/// Writes run.json and the report; gives the report's path.
fn finish(
    desk: &Rc<RefCell<Desk>>,
    host: &Host,
    outcome: &Outcome,
    also: Option<&str>,
) -> Result<PathBuf> {
    let mut desk = desk.borrow_mut();
    let Some(record) = desk.record() else {
        return Ok(PathBuf::new());
    };
    record.write(host, Some(outcome))?;
    let page = html::page(outcome, &record.facts(host, Some(outcome)));
    let path = record.folder().join("report.html");
    files::write_bytes(&path, page.as_bytes())?;
    if let Some(file) = also {
        files::write_bytes(Path::new(file), page.as_bytes())?;
    }
    let shorter = path.strip_prefix(&host.working_folder);
    Ok(shorter.map(Path::to_path_buf).unwrap_or(path))
}

/// What the script functions are handed: permissions, folders, the Hub's settings, progress and the wish to stop.
pub fn host(common: &Common, bars: &Bars, given: &[(String, String)]) -> Result<Host> {
    let working_folder = std::env::current_dir()
        .and_then(|folder| folder.canonicalize())
        .map_err(|error| Error::io("read", ".", error))?;
    if let Some(threads) = common.threads {
        // A second pool in one process cannot be had; the first one serves.
        let _ = rayon::ThreadPoolBuilder::new()
            .num_threads(usize::from(threads))
            .build_global();
    }
    let mut access = Access {
        read: vec![working_folder.clone()],
        write: vec![working_folder.clone()],
        offline: common.offline,
    };
    for path in &common.allow_read {
        access.read.push(existing(path)?);
    }
    for path in &common.allow_write {
        let full = host::normal_form(&working_folder.join(path));
        access
            .write
            .push(host::real_form(&full).map_err(|error| Error::io("write", path, error))?);
    }
    access
        .read
        .extend(given.iter().filter_map(|(_, value)| typed_path(value)));
    let library = common.library.iter().map(|folder| existing(folder));
    let library = library.collect::<Result<Vec<PathBuf>>>()?;
    let control = Control::new(bars.progress(), super::stop_on_interrupt());
    Ok(Host {
        control,
        access,
        device: common.device.clone(),
        library,
        hub: environment::hub(),
        ..Host::quiet(working_folder)
    })
}

fn existing(path: &str) -> Result<PathBuf> {
    Path::new(path)
        .canonicalize()
        .map_err(|error| Error::io("read", path, error))
}

/// The path that a parameter's value names, or the folder in front of its first wildcard; nothing if there is none.
fn typed_path(value: &str) -> Option<PathBuf> {
    if value.is_empty() {
        return None;
    }
    if let Ok(path) = Path::new(value).canonicalize() {
        return Some(path);
    }
    let wild = value.find(['*', '?', '['])?;
    let (folder, _) = value.get(..wild)?.rsplit_once('/')?;
    Path::new(folder).canonicalize().ok()
}
