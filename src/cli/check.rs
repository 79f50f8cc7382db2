//! `ebb check SCRIPT`: what is wrong in a script, and what it reads, writes and fetches, without running it.

use std::path::Path;
use std::rc::Rc;

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use super::arguments::{self, Check};
use super::exit::{DONE, FAILED, USAGE, show_usage};
use super::host::{host, script_folder};
use super::progress::Bars;
use super::screen::{Screen, Stream};
use crate::display::{Column, Table};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::notebook::cells::{self, Cell, Content};
use crate::notebook::prose;
use crate::plain;
use crate::script::check::found::{Found, Role, State, Use};
use crate::script::check::{self, Part};
use crate::script::parameters::{self, Code};
use crate::script::report::ScriptError;

/// What the command line takes; the options of a script are read by [`main`].
pub fn command() -> Command {
    Command::new("check")
        .about("Look for mistakes in a script, and list what it reads, writes and fetches, without running it")
        .override_usage("ebb check SCRIPT [--PARAMETER VALUE]... [OPTIONS]")
        .after_help(
            "`ebb check SCRIPT --help` lists the parameters of a script, and the options. The exit code is 0 where nothing is \
             wrong, 1 where something is, and 2 where the command line makes no sense.",
        )
        .arg(
            Arg::new("WORDS")
                .value_name("SCRIPT")
                .required(true)
                .num_args(1..)
                .allow_hyphen_values(true)
                .trailing_var_arg(true)
                .help("A .rhai file, and behind it its parameters"),
        )
}

/// Checks the script and says what was found.
pub fn main(matches: &ArgMatches) -> u8 {
    let words = matches.get_many::<String>("WORDS").into_iter().flatten();
    let mut words: Vec<String> = words.cloned().collect();
    let Some(position) = arguments::script_position(&words) else {
        let usage = command().bin_name("ebb check").no_binary_name(true);
        let read = usage.try_get_matches_from(Vec::<String>::new());
        return read.map_or_else(|error| show_usage(&error), |_| USAGE);
    };
    let name = words.remove(position);
    let errors = Screen::new(Stream::Error, Bars::new());
    let text = match Roots::anywhere().text(Path::new(&name)) {
        Ok(text) => text.replace("\r\n", "\n"),
        Err(error) => return refuse(&errors, &error),
    };
    let cells = cells::split(&text);
    // A script whose parameters cannot be read is checked without any.
    let declared = parameters::find(&name, &text, &code(&cells));
    let unusable = declared
        .as_ref()
        .ok()
        .and_then(|declared| parameters::unusable_name(declared, &arguments::own_names()));
    let reads = declared.is_ok() && unusable.is_none();
    let declared = declared.ok().filter(|_| reads).unwrap_or_default();
    let asked = match Check::read(&name, &cells, &declared, &words, reads) {
        Ok(asked) => asked,
        Err(error) => return show_usage(&error),
    };
    let mut host = match host(&asked.common, &Bars::new()) {
        Ok(host) => host,
        Err(error) => return refuse(&errors, &error),
    };
    host.script_folder = script_folder(&host, &name);
    host.given = asked.given.clone().into();
    let mut found = check::check(&Rc::new(host), &name, &text, &parts(&cells));
    if let Some((line, message)) = unusable {
        found.problems.push(ScriptError::at_line(&name, &text, line, message));
    }
    let said = if asked.json { say_json(&name, &found) } else { say(&name, &found) };
    match said {
        Ok(()) => {
            if found.problems.is_empty() {
                DONE
            } else {
                FAILED
            }
        }
        Err(error) => {
            refuse(&errors, &error);
            FAILED
        }
    }
}

fn refuse(screen: &Screen, error: &Error) -> u8 {
    screen.remark(&screen.style().error(error));
    USAGE
}

fn code(cells: &[Cell]) -> Vec<Code<'_>> {
    let code = cells
        .iter()
        .filter_map(|cell| Some(Code { lines_before: cell.lines_before, text: cell.code()? }));
    code.collect()
}

fn parts(cells: &[Cell]) -> Vec<Part<'_>> {
    cells.iter().map(part).collect()
}

fn part(cell: &Cell) -> Part<'_> {
    let lines_before = cell.lines_before;
    match &cell.content {
        Content::Code(text) => Part::Code { lines_before, text },
        Content::Prose(text) => {
            Part::Prose { lines_before, names: prose::fill(text, |_| None).unknown }
        }
    }
}

/// What is wrong, then what the script reaches for, and the verdict at the end.
fn say(name: &str, found: &Found) -> Result<()> {
    let screen = Screen::new(Stream::Out, Bars::new());
    let style = screen.style();
    for problem in &found.problems {
        screen.write(&format!("{}\n", style.script_error(problem)));
    }
    for warning in &found.warnings {
        screen.write(&format!("{}\n", style.script_warning(warning)));
    }
    for (title, roles) in SECTIONS {
        let uses: Vec<&Use> = found.uses.iter().filter(|used| used.role == roles).collect();
        if !uses.is_empty() {
            screen.write(&format!("{}\n{}", style.dim(title), style.table(&table(name, &uses))));
        }
    }
    let fetched: Vec<&Use> = found.uses.iter().filter(|used| used.hub.is_some()).collect();
    if !fetched.is_empty() {
        let table = style.table(&fetches(&fetched));
        screen.write(&format!("{}\n{table}", style.dim("── fetched from the Hub")));
    }
    let count =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (problems, warnings) = (found.problems.len(), found.warnings.len());
    let warned =
        if warnings == 0 { String::new() } else { format!(", {}", count(warnings, "warning")) };
    let verdict = match problems {
        0 => format!("nothing is wrong{warned}"),
        _ => format!("{}{warned}", count(problems, "problem")),
    };
    screen.write(&format!("{}: {verdict}\n", plain::one_line(name)));
    screen.trouble().map_or(Ok(()), Err)
}

const SECTIONS: [(&str, Role); 4] = [
    ("── models", Role::Model),
    ("── data", Role::Data),
    ("── modules", Role::Module),
    ("── written", Role::Written),
];

fn table(script: &str, uses: &[&Use]) -> Table {
    let row = |used: &&Use| {
        let what = match (&used.what, &used.parameter) {
            (Some(what), Some(parameter)) => format!("{what} (--{parameter})"),
            (Some(what), None) => what.clone(),
            (None, _) => "decided when run".to_string(),
        };
        let line = if used.file == script {
            used.line.to_string()
        } else {
            format!("{}:{}", used.file, used.line)
        };
        vec![Some(what), Some(used.call.clone()), Some(line), Some(state(used))]
    };
    made(&["what", "call", "line", "state"], uses.iter().map(row).collect())
}

fn fetches(uses: &[&Use]) -> Table {
    let row = |used: &&Use| {
        let fetch = used.hub.as_ref()?;
        let kept = if fetch.cached { "in the cache" } else { "to be fetched" };
        Some(vec![
            Some(fetch.repository.clone()),
            Some(fetch.revision.clone().unwrap_or_else(|| "latest".to_string())),
            Some(kept.to_string()),
            Some(used.line.to_string()),
        ])
    };
    made(&["repository", "revision", "state", "line"], uses.iter().filter_map(row).collect())
}

fn made(names: &[&str], rows: Vec<Vec<Option<String>>>) -> Table {
    let column =
        |name: &&str| Column { name: name.to_string(), kind: String::new(), numeric: false };
    Table { columns: names.iter().map(column).collect(), rows, ..Table::default() }
}

/// What there is to say about a thing's state.
fn state(used: &Use) -> String {
    let word = match used.state {
        State::There => "there",
        State::Bundled => "bundled",
        State::Hub => "on the Hub",
        State::Missing => "missing",
        State::Made => "made",
        State::New | State::Open => "",
    };
    match (word.is_empty(), used.detail.is_empty()) {
        (false, false) => format!("{word}: {}", used.detail),
        (false, true) => word.to_string(),
        (true, _) => used.detail.clone(),
    }
}

fn say_json(name: &str, found: &Found) -> Result<()> {
    let screen = Screen::new(Stream::Out, Bars::new());
    let value = json!({
        "script": name,
        "problems": found.problems.iter().map(error).collect::<Vec<_>>(),
        "warnings": found.warnings.iter().map(error).collect::<Vec<_>>(),
        "uses": found.uses,
    });
    screen.write(&format!("{}\n", plain::json(&value)));
    screen.trouble().map_or(Ok(()), Err)
}

fn error(error: &ScriptError) -> Value {
    json!({
        "file": error.file,
        "line": error.line,
        "column": error.column,
        "message": error.message,
        "hint": error.hint,
        "notes": error.notes,
    })
}
