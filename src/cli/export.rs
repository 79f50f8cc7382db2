//! `ebb export RUN FILE`: the report of a run that was kept, as a page, Markdown or a Jupyter notebook.

use std::path::Path;

use clap::{Arg, ArgMatches, Command};

use super::host::meant_here;
use super::progress::Bars;
use super::report;
use super::screen::{Screen, Stream};
use super::watch;
use crate::error::Result;
use crate::notebook::kept;
use crate::notebook::report::html;
use crate::{files, place};

/// What the command line takes.
pub fn command() -> Command {
    Command::new("export")
        .about("Write the report of a run that was kept")
        .arg(Arg::new("RUN").required(true).help("The folder of a run"))
        .arg(Arg::new("FILE").required(true).help("The report to write: .html, .md or .ipynb"))
}

/// Reads the run and writes the report; what is worth a word goes to standard error.
pub fn main(matches: &ArgMatches) -> u8 {
    let screen = Screen::new(Stream::Error, Bars::new());
    watch::begin(None);
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    screen.ended(carry_out(&text("RUN"), &text("FILE")))
}

fn carry_out(run: &str, file: &str) -> Result<Vec<String>> {
    report::check(Some(file))?;
    place::check_name(Path::new(file))?;
    let kept = kept::open(Path::new(run))?;
    let page = html::page(&kept.outcome, &kept.facts);
    for (name, bytes) in report::files(file, &kept.outcome, &kept.facts, &page)? {
        let (path, roots) = meant_here("the report", &name)?;
        files::write_bytes(&roots, &path, &bytes)?;
    }
    Ok(kept.notes)
}
