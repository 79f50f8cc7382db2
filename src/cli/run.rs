//! `ebb run SCRIPT`: runs a script's cells, shows their values, keeps a record and writes the report.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::arguments::{self, Run};
use super::exit::{DONE, FAILED, STOPPED, USAGE, show_usage};
use super::host::{here, host, listen, meant, script_folder};
use super::progress::Bars;
use super::report;
use super::resume::{self, Resumed, typed_parameters};
use super::screen::{Screen, Stream};
use super::site::{self, Site};
use super::{signals, watch};
use crate::bundle::Bundle;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::notebook::attempts;
use crate::notebook::cells::{self, Cell};
use crate::notebook::outcome::Outcome;
use crate::notebook::record::{self, Record};
use crate::notebook::runner::{self, Desk};
use crate::script::engine::Session;
use crate::script::host::Host;
use crate::script::parameters::{self, Code, Declared};
use crate::script::report::ScriptError;
use crate::script::typed::read_value;
use crate::{files, place, plain};

/// Seconds after which it is worth a word how a failed run goes on.
const LONG: f64 = 10.0;

/// A script, read and split.
struct Script {
    name: String,
    text: String,
    cells: Vec<Cell>,
    /// The bundle that it is from, and the bundle's name.
    bundle: Option<(Bundle, String)>,
}

/// How a run ended, and where it is kept, if it is.
pub struct Ended {
    pub code: u8,
    pub folder: Option<PathBuf>,
}

impl Script {
    /// What the command line called it.
    fn called(&self) -> &str {
        self.bundle.as_ref().map_or(&self.name, |(_, name)| name)
    }
}

fn not_begun(code: u8) -> Ended {
    Ended { code, folder: None }
}

/// Reads the words behind `ebb run` and does what they say.
pub fn main(words: &[String]) -> u8 {
    run(words, &[]).code
}

/// The same; gives how the run ended. `taken` are names of options that a parameter cannot have either.
pub fn run(words: &[String], taken: &[String]) -> Ended {
    let mut words = words.to_vec();
    if let Some(folder) = resume::asked(&mut words) {
        return go_on(&folder, &words, taken);
    }
    let Some(position) = arguments::script_position(&words) else {
        let matches = arguments::run_without_script().try_get_matches_from(&words);
        return not_begun(matches.map_or_else(|error| show_usage(&error), |_| USAGE));
    };
    let name = words.remove(position);
    match read(&name) {
        Ok(script) => with_words(script, &words, taken, None),
        Err(error) => not_begun(refuse(&Screen::new(Stream::Error, Bars::new()), &error, USAGE)),
    }
}

/// Goes on with a run that did not come to its end.
fn go_on(folder: &str, words: &[String], taken: &[String]) -> Ended {
    let errors = Screen::new(Stream::Error, Bars::new());
    let resumed = match resume::read(folder) {
        Ok(resumed) => resumed,
        Err(error) => return not_begun(refuse(&errors, &error, USAGE)),
    };
    for note in &resumed.notes {
        errors.remark(&format!("note: {}\n", plain::printable(note)));
    }
    let (name, text) = (resumed.script.clone(), resumed.text.clone());
    let script = Script { name, cells: cells::split(&text), text, bundle: None };
    with_words(script, words, taken, Some(&resumed))
}

fn with_words(
    script: Script,
    words: &[String],
    taken: &[String],
    resumed: Option<&Resumed>,
) -> Ended {
    let errors = Screen::new(Stream::Error, Bars::new());
    let declared = match declared(&script, taken) {
        Ok(declared) => declared,
        Err(error) => {
            errors.remark(&errors.style().script_error(&error));
            return not_begun(FAILED);
        }
    };
    match Run::read(script.called(), &script.cells, &declared, words) {
        Ok(asked) => start(script, asked, words, resumed),
        Err(error) => not_begun(show_usage(&error)),
    }
}

fn refuse(screen: &Screen, error: &Error, code: u8) -> u8 {
    screen.remark(&screen.style().error(error));
    code
}

/// Why a script cannot be asked for its parameters.
pub enum Refused {
    File(Error),
    Script(Box<ScriptError>),
}

impl Refused {
    pub fn drawn(&self, screen: &Screen) -> String {
        match self {
            Self::File(error) => screen.style().error(error),
            Self::Script(error) => screen.style().script_error(error),
        }
    }
}

/// A script's text and its parameters.
pub fn parameters_of(
    name: &str,
    taken: &[String],
) -> std::result::Result<(String, Vec<Declared>), Refused> {
    let script = read(name).map_err(Refused::File)?;
    let declared = declared(&script, taken).map_err(Refused::Script)?;
    Ok((script.text, declared))
}

fn read(name: &str) -> Result<Script> {
    if site::is_bundle(name) {
        let bundle = Bundle::open(Path::new(name))?;
        let (text, script) = (bundle.script()?, bundle.manifest.script.clone());
        let bundle = Some((bundle, name.to_string()));
        return Ok(Script { name: script, cells: cells::split(&text), text, bundle });
    }
    let text = Roots::anywhere().text(Path::new(name))?;
    let text = text.replace("\r\n", "\n");
    Ok(Script { name: name.to_string(), cells: cells::split(&text), text, bundle: None })
}

/// The script's parameters, none of them with the name of an option of `ebb run`.
fn declared(
    script: &Script,
    taken: &[String],
) -> std::result::Result<Vec<Declared>, Box<ScriptError>> {
    let code: Vec<Code> = script
        .cells
        .iter()
        .filter_map(|cell| {
            let text = cell.code()?;
            let lines_before = cell.lines_before;
            Some(Code { lines_before, text })
        })
        .collect();
    let mut declared = parameters::find(&script.name, &script.text, &code)?;
    if let Some((bundle, _)) = &script.bundle {
        take_recorded(&mut declared, bundle);
    }
    let names = [&arguments::own_names(), taken].concat();
    match parameters::unusable_name(&declared, &names) {
        None => Ok(declared),
        Some((line, message)) => {
            Err(Box::new(ScriptError::at_line(&script.name, &script.text, line, message)))
        }
    }
}

/// What a bundle's parameters were is what they are unless the command line gives others.
fn take_recorded(declared: &mut [Declared], bundle: &Bundle) {
    let recorded = typed_parameters(&bundle.manifest.parameters);
    for parameter in declared {
        let typed = recorded.iter().find(|(name, _)| *name == parameter.name);
        let value = typed.map(|(name, typed)| read_value(name, typed, &parameter.default));
        if let Some(Ok(value)) = value {
            parameter.default = value;
        }
    }
}

fn start(mut script: Script, mut asked: Run, words: &[String], resumed: Option<&Resumed>) -> Ended {
    let bars = Bars::new();
    let stream = if asked.json { Stream::Error } else { Stream::Out };
    let screen = Screen::new(stream, bars.clone());
    let mut command = vec!["ebb".to_string(), "run".to_string(), script.called().to_string()];
    let host = match report::check(asked.report.as_deref())
        .and_then(|()| prepare(&mut script, &mut asked, resumed, &bars))
    {
        Ok(host) => host,
        Err(error) => return not_begun(refuse(&screen, &error, USAGE)),
    };
    if let Some(resumed) = resumed {
        command.extend(["--resume".to_string(), resumed.folder.display().to_string()]);
    }
    command.extend_from_slice(words);
    match begin(&script, &asked, resumed, host, command) {
        Ok((host, record)) => {
            let folder = host.run_folder.clone();
            Ended { code: carry_out(&script, &asked, Rc::new(host), record, &screen), folder }
        }
        Err(error) => not_begun(refuse(&screen, &error, FAILED)),
    }
}

fn prepare(
    script: &mut Script,
    asked: &mut Run,
    resumed: Option<&Resumed>,
    bars: &Bars,
) -> Result<Host> {
    let mut host = host(&asked.common, bars)?;
    if let Some((bundle, name)) = script.bundle.take() {
        // What the command line names stands where the program was started.
        for path in [&mut asked.report, &mut asked.run_folder].into_iter().flatten() {
            *path = host.working_folder.join(&path).to_string_lossy().to_string();
        }
        Site::unpack(bundle, &name)?.settle(&mut host);
        host.given = RefCell::new(asked.given.clone());
        host.seed.set(asked.seed.unwrap_or(host.seed.get()));
        return Ok(host);
    }
    host.script_folder = script_folder(&host, &script.name);
    host.given = RefCell::new(asked.given.clone());
    host.seed.set(asked.seed.or(resumed.map(|resumed| resumed.seed)).unwrap_or(0));
    if let Some(resumed) = resumed {
        // What the record names outside is not this command line's to open.
        let here = host.working_folder.clone();
        host.script_folder = host.script_folder.filter(|folder| folder.starts_with(&here));
        host.recorded = RefCell::new(resumed.recorded.clone());
        host.resumes = true;
    }
    Ok(host)
}

/// Makes the run folder; the script may write there. A result that is asked for as JSON alone leaves none.
fn begin(
    script: &Script,
    asked: &Run,
    resumed: Option<&Resumed>,
    mut host: Host,
    command: Vec<String>,
) -> Result<(Host, Record)> {
    if let Some(report) = &asked.report {
        checked(&host, "--report", report)?;
    }
    if asked.json && asked.run_folder.is_none() && resumed.is_none() {
        let record = Record::unkept(&script.name, &script.text, command, &host);
        return Ok((host, record));
    }
    let (folder, roots) = match (resumed, &asked.run_folder) {
        (Some(_), Some(_)) => {
            return Err(Error::failed(
                "--resume goes on in the run's own folder: leave --run-dir out",
            ));
        }
        (Some(resumed), None) => {
            let (folder, roots) = checked(&host, "--resume", &resumed.folder.to_string_lossy())?;
            attempts::set_aside(&folder, &roots)?;
            (folder, roots)
        }
        (None, Some(folder)) => checked(&host, "--run-dir", folder)?,
        (None, None) => {
            let (runs, roots) = checked(&host, "the run folder", "runs")?;
            let folder = record::free_folder(&roots, &runs, Path::new(&script.name))?;
            (folder, roots)
        }
    };
    let record = Record::begin(&folder, roots.clone(), &script.name, &script.text, command, &host)?;
    if let Some(resumed) = resumed {
        // From here on the record is held by itself.
        resumed.held.take();
    }
    signals::set_last_word(record.abandoned(&host));
    let real = place::folder(&roots, &folder)?.path().to_path_buf();
    host.access.write.push(real.clone());
    host.run_folder = Some(real);
    Ok((host, record))
}

/// The place of what the command line names, and the roots that it must lie below when it is written.
pub fn checked(host: &Host, what: &str, path: &str) -> Result<(PathBuf, Roots)> {
    let hint = "give the place that it leads to with --run-dir, or allow it with --allow-write";
    meant(&host.working_folder, &host.access.write, what, path, hint)
}

fn carry_out(script: &Script, asked: &Run, host: Rc<Host>, record: Record, screen: &Screen) -> u8 {
    watch::over_time(&host.control);
    let desk = Desk::new(Box::new(screen.clone()), Some(record));
    listen(&host, &desk);
    let mut session = Session::new(host.clone(), &script.name);
    let outcome = runner::run(&mut session, &desk, &script.text, &script.cells);
    let mut code = match &outcome.error {
        None => DONE,
        Some(error) => {
            screen.remark(&screen.style().script_error(error));
            let seconds: f64 = outcome.ran.iter().map(|ran| ran.seconds).sum();
            if error.interrupted || seconds >= LONG {
                tell_how_to_go_on(&host, screen);
            }
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

/// How a kept run that did not come to its end goes on.
fn tell_how_to_go_on(host: &Host, screen: &Screen) {
    let Some(folder) = &host.run_folder else { return };
    let folder = folder.strip_prefix(&host.working_folder).unwrap_or(folder);
    let folder = plain::one_line(&folder.to_string_lossy());
    // A bundle's script is run in a folder of its own.
    let place = match here() {
        Ok(here) if here != host.working_folder => {
            let place = host.working_folder.strip_prefix(&here).unwrap_or(&host.working_folder);
            format!(", in {}", plain::one_line(&place.to_string_lossy()))
        }
        _ => String::new(),
    };
    screen.remark(&screen.style().dim(&format!("to go on{place}: ebb run --resume {folder}\n")));
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
        let here = here().unwrap_or_else(|_| host.working_folder.clone());
        let shorter = path.strip_prefix(here);
        shorter.map(Path::to_path_buf).unwrap_or(path)
    };
    Ok(closed.path.map(shorter))
}
