//! `ebb runs`: the runs that were kept, listed, shown, compared and cleared away.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::exit::{DONE, FAILED};
use super::host::meant_here;
use super::progress::Bars;
use super::screen::{Screen, Stream};
use super::watch;
use crate::display::{Column, Output, Table};
use crate::doorway::{Folder, Roots};
use crate::error::{Error, Result};
use crate::frame::write;
use crate::memory;
use crate::notebook::history::history;
use crate::notebook::listing::{self, Line};
use crate::notebook::outcome::Item;
use crate::notebook::{compare, kept};
use crate::{place, plain};

/// Lines around a changed line of a script that are shown.
const AROUND: usize = 1;

/// What the command line takes.
pub fn command() -> Command {
    let run = |name: &'static str| Arg::new(name).required(true).help("The folder of a run");
    let folder = Arg::new("in")
        .long("in")
        .value_name("FOLDER")
        .default_value("runs")
        .global(true)
        .help("Where the runs are");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    let keep = Arg::new("keep")
        .long("keep")
        .value_name("N")
        .value_parser(clap::value_parser!(usize))
        .help("Remove all but the newest N runs of each script");
    let unfinished = Arg::new("unfinished")
        .long("unfinished")
        .action(ArgAction::SetTrue)
        .help("Remove runs that failed, were stopped or were killed");
    let yes = Arg::new("yes")
        .long("yes")
        .action(ArgAction::SetTrue)
        .help("Remove them; without it they are only listed");
    Command::new("runs")
        .about("List the runs that were kept, show or compare them, clear them away")
        .arg(folder)
        .arg(json.help("Print a JSON line for each run"))
        .subcommand(
            Command::new("show").about("Show what a run was made with and gave").arg(run("RUN")),
        )
        .subcommand(
            Command::new("compare")
                .about(
                    "Compare two runs: settings, results, what cells showed, lines of the script",
                )
                .arg(run("BEFORE"))
                .arg(run("AFTER")),
        )
        .subcommand(
            Command::new("metrics")
                .about("Write what all runs logged as one table: a row for each number")
                .arg(Arg::new("FILE").required(true).help("A .parquet, .jsonl or .csv file")),
        )
        .subcommand(Command::new("clean").about("Remove runs").arg(keep).arg(unfinished).arg(yes))
}

/// Reads which of the four is meant.
pub fn main(matches: &ArgMatches) -> u8 {
    let screen = Screen::new(Stream::Out, Bars::new());
    // A run may come from a stranger.
    watch::begin(None);
    let runs = PathBuf::from(matches.get_one::<String>("in").map_or("runs", String::as_str));
    let done = match matches.subcommand() {
        Some(("show", options)) => show(&screen, &named(&runs, options, "RUN")),
        Some(("compare", options)) => {
            compare(&screen, &named(&runs, options, "BEFORE"), &named(&runs, options, "AFTER"))
        }
        Some(("metrics", options)) => metrics(&screen, &runs, options),
        Some(("clean", options)) => clean(&screen, &runs, options),
        _ => list(&screen, &runs, matches.get_flag("json")),
    };
    match done.and_then(|()| screen.trouble().map_or(Ok(()), Err)) {
        Ok(()) => DONE,
        Err(error) => {
            screen.remark(&screen.style().error(&error));
            FAILED
        }
    }
}

/// The folder of a run by its path, or by its name among the runs.
fn named(runs: &Path, options: &ArgMatches, argument: &str) -> PathBuf {
    let given = PathBuf::from(options.get_one::<String>(argument).cloned().unwrap_or_default());
    let among = runs.join(&given);
    let is_there = |path: &Path| Roots::anywhere().find(path).is_ok();
    if !is_there(&given) && is_there(&among) { among } else { given }
}

fn table(screen: &Screen, table: Table) {
    screen.write(&screen.style().item(&Item::Output(Output::Table(table))));
}

fn list(screen: &Screen, runs: &Path, json: bool) -> Result<()> {
    let lines = listing::list(runs)?;
    if !json {
        table(screen, listing::table(&lines));
        return Ok(());
    }
    for line in lines {
        let mut facts = line.facts;
        facts["run"] = line.folder.display().to_string().into();
        facts["status"] = line.status.into();
        facts["bytes"] = line.bytes.into();
        screen.write(&format!("{}\n", plain::json(&facts)));
    }
    Ok(())
}

/// A table of names and values.
fn facts_table(rows: Vec<(String, String)>) -> Table {
    let column =
        |name: &str| Column { name: name.to_string(), kind: String::new(), numeric: false };
    Table {
        columns: ["", "value"].map(column).to_vec(),
        rows: rows.into_iter().map(|(name, value)| vec![Some(name), Some(value)]).collect(),
        ..Table::default()
    }
}

fn show(screen: &Screen, folder: &Path) -> Result<()> {
    let facts = kept::facts(folder)?;
    let mut rows = vec![("status".to_string(), kept::status(folder, &facts))];
    let plain_facts = [
        "script",
        "command",
        "started",
        "ended",
        "first_seed",
        "device",
        "threads",
        "ebb",
        "system",
    ];
    for name in plain_facts {
        let value = match &facts[name] {
            Value::Null => continue,
            Value::Array(words) => words.iter().map(listing::shown).collect::<Vec<_>>().join(" "),
            value => listing::shown(value),
        };
        rows.push((name.replace("first_seed", "seed"), value));
    }
    for (name, value) in facts["parameters"].as_object().into_iter().flatten() {
        rows.push((format!("--{name}"), listing::shown(value)));
    }
    for input in facts["inputs"].as_array().into_iter().flatten() {
        let hash =
            input["sha256"].as_str().map_or("no hash".to_string(), |hash| format!("sha256 {hash}"));
        rows.push((format!("input {}", listing::shown(&input["name"])), hash));
    }
    for (name, metric) in facts["metrics"].as_object().into_iter().flatten() {
        let value =
            format!("{} (logged {} times)", listing::shown(&metric["last"]), metric["count"]);
        rows.push((format!("metric {name}"), value));
    }
    for cell in facts["cells"].as_array().into_iter().flatten() {
        let title = cell["title"].as_str().filter(|title| !title.is_empty());
        let name =
            title.map_or(format!("cell at line {}", cell["line"]), |title| format!("cell {title}"));
        rows.push((name, format!("{} s", cell["seconds"])));
    }
    if let Some(message) = facts["error"]["message"].as_str() {
        let line =
            facts["error"]["line"].as_u64().map_or(String::new(), |line| format!(" (line {line})"));
        rows.push(("error".to_string(), format!("{message}{line}")));
    }
    table(screen, facts_table(rows));
    let (real, page) = (Roots::really(folder), folder.join("report.html"));
    if Roots::below(&real).find(&real.join("report.html")).is_ok() {
        screen.write(&format!("report: {}\n", plain::one_line(&page.to_string_lossy())));
    }
    Ok(())
}

fn compare(screen: &Screen, before: &Path, after: &Path) -> Result<()> {
    let (before, after) = (kept::open(before)?, kept::open(after)?);
    table(screen, listing::side_by_side(&before.facts, &after.facts));
    if before.script != after.script {
        screen.write(&format!("\nThe scripts differ:\n{}", changed(&before.script, &after.script)));
        return Ok(());
    }
    let verdict = compare::runs(&before, &after, 0.0)?;
    if verdict.differences.is_empty() {
        screen.write("\nThe script is the same, and so is what its cells showed.\n");
        return Ok(());
    }
    screen.write("\nThe script is the same; what differs first in each cell:\n");
    for difference in &verdict.differences {
        screen.write(&difference.told());
    }
    Ok(())
}

/// The lines of two scripts that differ, with their numbers and the lines around them.
fn changed(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut out = String::new();
    for (place, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if place > 0 {
            out.push_str("  …\n");
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let (sign, number) = match change.tag() {
                ChangeTag::Delete => ('-', change.old_index()),
                ChangeTag::Insert => ('+', change.new_index()),
                ChangeTag::Equal => (' ', change.new_index()),
            };
            let number = number.map_or(0, |number| number + 1);
            let text = plain::one_line(change.value().trim_end_matches('\n'));
            out.push_str(&format!("{sign} {number:>4} {text}\n"));
        }
    }
    out
}

/// What all runs logged, as one table for other tools.
fn metrics(screen: &Screen, runs: &Path, options: &ArgMatches) -> Result<()> {
    let file = PathBuf::from(options.get_one::<String>("FILE").cloned().unwrap_or_default());
    place::check_name(&file)?;
    let frame = history(&listing::list(runs)?)?;
    write::file(&frame, &Roots::anywhere(), &file)?;
    let file = plain::one_line(&file.to_string_lossy());
    screen.write(&format!("{} numbers are in {file}\n", frame.height()));
    Ok(())
}

fn clean(screen: &Screen, runs: &Path, options: &ArgMatches) -> Result<()> {
    let keep = options.get_one::<usize>("keep").copied();
    let unfinished = options.get_flag("unfinished");
    if keep.is_none() && !unfinished {
        return Err(Error::failed_with_hint(
            "it is not said which runs are to go",
            "name them with --keep N (all but the newest N of each script) or --unfinished",
        ));
    }
    let (folder, roots) = meant_here("the folder of the runs", &runs.to_string_lossy())?;
    let lines = listing::list(&folder)?;
    let held = roots.folder(&folder)?;
    let chosen = listing::chosen(&lines, keep, unfinished);
    let bytes: u64 = chosen.iter().map(|line| line.bytes).sum();
    let runs = match chosen.len() {
        1 => "1 run".to_string(),
        count => format!("{count} runs"),
    };
    if !options.get_flag("yes") {
        for line in &chosen {
            screen.write(&format!("{}  {}\n", plain::one_line(&line.name), line.status));
        }
        screen.write(&format!("{runs} of {} would go; --yes removes them\n", memory::shown(bytes)));
        return Ok(());
    }
    for line in chosen {
        remove(&held, line)?;
    }
    screen.write(&format!("{runs} removed, {}\n", memory::shown(bytes)));
    Ok(())
}

/// Removes a run with all that its script put into its folder, out of that very folder that was listed. What a link leads to
/// stays.
fn remove(runs: &Folder, line: &Line) -> Result<()> {
    let failed = |error| Error::io("remove", &line.folder, error);
    std::fs::remove_dir_all(runs.way(&line.name)).map_err(failed)
}
