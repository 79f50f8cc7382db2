//! `ebb run SCRIPT`: runs a script's cells, shows their values, keeps a record and writes the report.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::arguments::{self, Run};
use super::exit::{DONE, FAILED, STOPPED, USAGE, show_usage};
use super::host::{host, listen, script_folder};
use super::progress::Bars;
use super::report;
use super::screen::{Screen, Stream};
use super::signals;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::notebook::cells::{self, Cell};
use crate::notebook::outcome::Outcome;
use crate::notebook::record::{self, Record};
use crate::notebook::runner::{self, Desk};
use crate::script::engine::Session;
use crate::script::host::{Host, normal_form, real_form};
use crate::script::parameters::{self, Code, Declared};
use crate::script::report::ScriptError;
use crate::{files, place, plain};

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
    let text = Roots::anywhere().text(Path::new(name))?;
    let text = text.replace("\r\n", "\n");
    Ok(Script { name: name.to_string(), cells: cells::split(&text), text })
}

/// The script's parameters, none of them with the name of an option of `ebb run`.
fn declared(script: &Script) -> std::result::Result<Vec<Declared>, Box<ScriptError>> {
    let code: Vec<Code> = script
        .cells
        .iter()
        .filter_map(|cell| {
            let text = cell.code()?;
            let lines_before = cell.lines_before;
            Some(Code { lines_before, text })
        })
        .collect();
    let declared = parameters::find(&script.name, &script.text, &code)?;
    match parameters::unusable_name(&declared, &arguments::own_names()) {
        None => Ok(declared),
        Some((line, message)) => {
            Err(Box::new(ScriptError::at_line(&script.name, &script.text, line, message)))
        }
    }
}

fn start(script: &Script, asked: Run, words: &[String]) -> u8 {
    let bars = Bars::new();
    let stream = if asked.json { Stream::Error } else { Stream::Out };
    let screen = Screen::new(stream, bars.clone());
    let host = match report::check(asked.report.as_deref())
        .and_then(|()| prepare(script, &asked, &bars))
    {
        Ok(host) => host,
        Err(error) => return refuse(&screen, &error, USAGE),
    };
    let mut command = vec!["ebb".to_string(), "run".to_string(), script.name.clone()];
    command.extend_from_slice(words);
    match begin(script, &asked, host, command) {
        Ok((host, record)) => carry_out(script, &asked, Rc::new(host), record, &screen),
        Err(error) => refuse(&screen, &error, FAILED),
    }
}

fn prepare(script: &Script, asked: &Run, bars: &Bars) -> Result<Host> {
    let mut host = host(&asked.common, bars)?;
    host.script_folder = script_folder(&host, &script.name);
    host.given = RefCell::new(asked.given.clone());
    host.seed.set(asked.seed.unwrap_or(0));
    Ok(host)
}

/// Makes the run folder; the script may write there. A result that is asked for as JSON alone leaves none.
fn begin(
    script: &Script,
    asked: &Run,
    mut host: Host,
    command: Vec<String>,
) -> Result<(Host, Record)> {
    if let Some(report) = &asked.report {
        checked(&host, "--report", report)?;
    }
    if asked.json && asked.run_folder.is_none() {
        let record = Record::unkept(&script.name, &script.text, command, &host);
        return Ok((host, record));
    }
    let (folder, roots) = match &asked.run_folder {
        Some(folder) => checked(&host, "--run-dir", folder)?,
        None => {
            let (runs, roots) = checked(&host, "the run folder", "runs")?;
            let folder = record::free_folder(&roots, &runs, Path::new(&script.name))?;
            (folder, roots)
        }
    };
    let record = Record::begin(&folder, roots.clone(), &script.name, &script.text, command, &host)?;
    signals::set_last_word(record.abandoned(&host));
    let real = place::folder(&roots, &folder)?.path().to_path_buf();
    host.access.write.push(real.clone());
    host.run_folder = Some(real);
    Ok((host, record))
}

/// The place of what the command line names, and the roots that it must lie below when it is written. Whoever types a path
/// outside the working folder means it; one inside it that a link leads out of may be a trap of whoever made the folder.
fn checked(host: &Host, what: &str, path: &str) -> Result<(PathBuf, Roots)> {
    place::check_name(Path::new(path))?;
    let full = normal_form(&host.working_folder.join(path));
    let real = real_form(&full).map_err(|error| Error::io("write", path, error))?;
    let is_inside = |path: &Path| host.access.write.iter().any(|root| path.starts_with(root));
    if !is_inside(&full) {
        return Ok((full, Roots::anywhere()));
    }
    if !is_inside(&real) {
        return Err(Error::failed_with_hint(
            format!("{what}: {path} is a link that leads out of where the run may write"),
            "give the place that it leads to with --run-dir, or allow it with --allow-write",
        ));
    }
    Ok((full, host.write_roots()))
}

fn carry_out(script: &Script, asked: &Run, host: Rc<Host>, record: Record, screen: &Screen) -> u8 {
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
        Ok(None) => {}
        Ok(Some(report)) => {
            let line = format!("report: {}\n", plain::one_line(&report.to_string_lossy()));
            screen.remark(&screen.style().dim(&line));
        }
        Err(error) => code = code.max(refuse(screen, &error, FAILED)),
    }
    match screen.trouble() {
        Some(error) => code.max(refuse(screen, &error, FAILED)),
        None => code,
    }
}

/// The last value as one line on standard output, which nothing else is written to.
fn print_json(errors: &Screen, outcome: &Outcome) -> u8 {
    let out = Screen::new(Stream::Out, Bars::new());
    match outcome.last.to_json() {
        Ok(value) => out.write(&format!("{}\n", plain::json(&value))),
        Err(error) => return refuse(errors, &error, FAILED),
    }
    match out.trouble() {
        Some(error) => refuse(errors, &error, FAILED),
        None => DONE,
    }
}

/// Writes run.json and the report; gives the report's path, where the run is kept.
fn finish(
    desk: &Rc<RefCell<Desk>>,
    host: &Host,
    outcome: &Outcome,
    also: Option<&str>,
) -> Result<Option<PathBuf>> {
    let mut desk = desk.borrow_mut();
    let Some(record) = desk.record() else {
        return Ok(None);
    };
    let closed = record.close(host, outcome)?;
    signals::set_last_word(None);
    if let Some(file) = also {
        for (name, bytes) in report::files(file, outcome, &closed.facts, &closed.page)? {
            let (path, roots) = checked(host, "--report", &name)?;
            files::write_bytes(&roots, &path, &bytes)?;
        }
    }
    let shorter = |path: PathBuf| {
        let shorter = path.strip_prefix(&host.working_folder);
        shorter.map(Path::to_path_buf).unwrap_or(path)
    };
    Ok(closed.path.map(shorter))
}
