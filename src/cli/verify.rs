//! `ebb verify RUN`: runs it again, with its parameters and its seed, in a fresh folder, and says whether it is the same.
//!
//! A record may come from a stranger: it says what the script is run with, and permits nothing. What may be read and written
//! stands on this command line.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::arguments::{Common, with_permissions};
use super::exit::{DONE, FAILED, STOPPED, USAGE};
use super::host::{host, listen};
use super::progress::Bars;
use super::resume::typed_parameters;
use super::screen::{Screen, Stream};
use super::site::{self, Site};
use super::{signals, watch};
use crate::bundle::Bundle;
use crate::error::{Error, Result};
use crate::notebook::cells::{self, Cell};
use crate::notebook::compare::{self, Verdict};
use crate::notebook::kept::{self, Kept};
use crate::notebook::outcome::Item;
use crate::notebook::record::{self, Record};
use crate::notebook::runner::{self, Desk, Front};
use crate::script::engine::Session;
use crate::script::host::{Host, normal_form, real_form};
use crate::{place, plain};
use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Command};

/// What the command line takes.
pub fn command() -> Command {
    let within = Arg::new("within")
        .long("within")
        .value_name("SHARE")
        .default_value("0")
        .value_parser(ValueParser::new(share))
        .help("How far numbers may differ, as a share of themselves: 1e-6 for another device");
    with_permissions(
        Command::new("verify")
            .about("Run a kept run again, and say whether it is the same")
            .arg(Arg::new("RUN").required(true).help("The folder of a run, or a bundle (.ebb)"))
            .arg(within),
    )
}

fn share(typed: &str) -> std::result::Result<f64, String> {
    let share = typed.parse::<f64>().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| "expected a share from 0 to 1, such as 1e-6".to_string())
}

/// Says which cell is being run, and nothing of what it shows.
struct Quiet {
    screen: Screen,
    cells: usize,
    begun: usize,
}

impl Front for Quiet {
    fn begin(&mut self, cell: &Cell) {
        self.begun += 1;
        let title = if cell.title.is_empty() { String::new() } else { format!(": {}", cell.title) };
        let line = format!("cell {} of {}{}\n", self.begun, self.cells, plain::one_line(&title));
        self.screen.remark(&self.screen.style().dim(&line));
    }

    fn show(&mut self, _: &Item) {}
}

/// Runs the run again and compares.
pub fn main(matches: &ArgMatches) -> u8 {
    let bars = Bars::new();
    let screen = Screen::new(Stream::Out, bars.clone());
    let folder = matches.get_one::<String>("RUN").cloned().unwrap_or_default();
    let within = matches.get_one::<f64>("within").copied().unwrap_or_default();
    let refuse = |error: &Error, code: u8| {
        screen.remark(&screen.style().error(error));
        code
    };
    let (before, host, site) = match begin(&folder, Common::of(matches), &bars) {
        Ok(begun) => begun,
        Err(error) => return refuse(&error, USAGE),
    };
    let again = match again(&before, host, &folder, &screen) {
        Ok(again) => again,
        Err(error) => return refuse(&error, FAILED),
    };
    if again.was_stopped {
        return STOPPED;
    }
    let compared = opened_again(&again.folder, site.as_ref())
        .and_then(|after| Ok((compare::runs(&before, &after, within)?, after)));
    match compared {
        Ok((verdict, after)) => tell(&screen, &before, &after, &verdict, within),
        Err(error) => refuse(&error, FAILED),
    }
}

/// The run that is to be made again, what it is made in, and the bundle it is from.
fn begin(name: &str, common: Common, bars: &Bars) -> Result<(Kept, Host, Option<Site>)> {
    let site = if site::is_bundle(name) {
        Some(Site::unpack(Bundle::open(Path::new(name))?, name)?)
    } else {
        None
    };
    let folder = site.as_ref().map_or(PathBuf::from(name), Site::expected);
    let kept = kept::open(&folder)?;
    check(&kept)?;
    let mut host = prepare(&kept, common, bars)?;
    if let Some(site) = &site {
        site.settle(&mut host);
    }
    Ok((kept, host, site))
}

/// The run that was made again. One of a bundle speaks of its files as the bundle does.
fn opened_again(folder: &Path, site: Option<&Site>) -> Result<Kept> {
    let mut after = kept::open(folder)?;
    if let Some(site) = site {
        site.rename(&mut after);
    }
    Ok(after)
}

/// Refuses a run that did not come to its end.
fn check(kept: &Kept) -> Result<()> {
    let status = kept.facts["status"].as_str().unwrap_or_default();
    if status == "done" || status == "failed" {
        return Ok(());
    }
    let how = if status == "stopped" { "was stopped" } else { "did not come to its end" };
    let script = kept.facts["script"].as_str().unwrap_or("the script");
    Err(Error::failed_with_hint(
        format!(
            "the run in {} {how}, so that there is nothing whole to compare with",
            kept.folder.display()
        ),
        format!("run it anew: ebb run {script}"),
    ))
}

/// The session's host as the record says: parameters and seed, the device and the threads where this command line names none.
fn prepare(kept: &Kept, mut common: Common, bars: &Bars) -> Result<Host> {
    if common.device == "auto"
        && let Some(device) = kept.facts["device"].as_str()
    {
        common.device = device.to_string();
    }
    let mut host = host(&common, bars)?;
    let script = kept.facts["script"].as_str().unwrap_or_default();
    let beside = normal_form(&host.working_folder.join(script));
    let beside = beside.parent().and_then(|folder| real_form(folder).ok());
    // A folder outside is that of another machine, or not this command line's to open.
    host.script_folder = beside.filter(|folder| folder.starts_with(&host.working_folder));
    let recorded = kept.facts["parameters"].as_object().map(typed_parameters);
    host.recorded = RefCell::new(recorded.unwrap_or_default());
    host.seed.set(kept.facts["first_seed"].as_u64().unwrap_or_default());
    // What was computed before must be computed again.
    host.cache = None;
    Ok(host)
}

/// A run that was made again.
struct Again {
    folder: PathBuf,
    was_stopped: bool,
}

fn again(before: &Kept, mut host: Host, name: &str, screen: &Screen) -> Result<Again> {
    let script = before.facts["script"].as_str().unwrap_or("script.rhai").to_string();
    let stem = Path::new(&script).file_stem().unwrap_or_default().to_string_lossy().to_string();
    let roots = host.write_roots();
    let runs = host.working_folder.join("runs");
    let folder = record::free_folder(&roots, &runs, Path::new(&format!("{stem}-again")))?;
    let command = ["ebb".to_string(), "verify".to_string(), name.to_string()];
    let begun =
        Record::begin(&folder, roots.clone(), &script, &before.script, command.to_vec(), &host)?;
    signals::set_last_word(begun.abandoned(&host));
    let real = place::folder(&roots, &folder)?.path().to_path_buf();
    host.access.write.push(real.clone());
    host.run_folder = Some(real);
    watch::over_time(&host.control);
    let host = Rc::new(host);
    let cells = cells::split(&before.script);
    let count = cells.iter().filter(|cell| cell.code().is_some()).count();
    let front = Quiet { screen: screen.clone(), cells: count, begun: 0 };
    let desk = Desk::new(Box::new(front), Some(begun));
    listen(&host, &desk);
    let mut session = Session::new(host.clone(), &script);
    let outcome = runner::run(&mut session, &desk, &before.script, &cells);
    if let Some(record) = desk.borrow_mut().record() {
        record.close(&host, &outcome)?;
    }
    signals::set_last_word(None);
    let was_stopped = outcome.error.as_ref().is_some_and(|error| error.interrupted);
    Ok(Again { folder, was_stopped })
}

/// Says what came of it; a run that is the same leaves no second folder.
fn tell(screen: &Screen, before: &Kept, after: &Kept, verdict: &Verdict, within: f64) -> u8 {
    let style = screen.style();
    for note in &before.notes {
        screen.remark(&format!("note: {}\n", plain::printable(note)));
    }
    if verdict.differences.is_empty() {
        let how = if within > 0.0 { format!(", numbers within {within:e}") } else { String::new() };
        screen.write(&format!("same: {}{how}\n", counted(verdict)));
        // It was made by this command, for this comparison.
        if let Err(error) = std::fs::remove_dir_all(&after.folder) {
            screen.remark(&style.error(&Error::io("remove", &after.folder, error)));
        }
        return DONE;
    }
    screen.write(&format!("different: {}\n", counted(verdict)));
    for difference in &verdict.differences {
        screen.write(&difference.told());
    }
    let causes = compare::causes(&before.facts, &after.facts);
    if causes.is_empty() {
        screen.write("The records say the same of program, inputs, parameters, seed and device: does the script take something \
                      from the time, the network, or files that it writes itself?\n");
    } else {
        screen.write("Likely causes:\n");
    }
    for cause in causes {
        screen.write(&format!("  {}\n", plain::printable(&cause)));
    }
    let shorter = plain::one_line(&after.folder.to_string_lossy());
    screen.remark(&style.dim(&format!("the second run: {shorter}\n")));
    FAILED
}

/// "3 cells, 2 tables, 1 chart".
fn counted(verdict: &Verdict) -> String {
    let counts = verdict.counts;
    let parts = [
        (counts.cells, "cell"),
        (counts.tables, "table"),
        (counts.charts, "chart"),
        (counts.texts, "text"),
        (counts.metrics, "metrics line"),
        (counts.finetunings, "finetuning"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, noun)| match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    });
    let parts: Vec<String> = parts.collect();
    let all = if parts.is_empty() { "nothing shown".to_string() } else { parts.join(", ") };
    match counts.shown_only {
        0 => all,
        count => format!("{all} ({count} of the tables by the rows that were shown alone)"),
    }
}
