//! `ebb gather SWEEP`: the runs of a sweep as one table, one frame and one page.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use serde_json::json;

use super::exit::{DONE, FAILED};
use super::progress::Bars;
use super::screen::{Screen, Stream};
use crate::display::Output;
use crate::doorway::Roots;
use crate::error::Result;
use crate::frame::write;
use crate::notebook::outcome::Item;
use crate::notebook::report::html;
use crate::notebook::sweep::{gather, table};
use crate::{files, place, plain};

/// What the command line takes.
pub fn command() -> Command {
    Command::new("gather")
        .about("Gather the runs of a sweep: a table over its parameters, a frame and a page")
        .arg(Arg::new("SWEEP").required(true).help("The folder of a sweep"))
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FILE")
                .help("The page [default: report.html in the sweep's folder]"),
        )
        .arg(Arg::new("data").long("data").value_name("FILE").help(
            "A row a run: .parquet, .jsonl, .csv [default: results.parquet in the sweep's folder]",
        ))
}

/// Shows the table and writes the page and the frame.
pub fn main(matches: &ArgMatches) -> u8 {
    let screen = Screen::new(Stream::Out, Bars::new());
    match carry_out(matches, &screen) {
        Ok(()) => DONE,
        Err(error) => {
            screen.remark(&screen.style().error(&error));
            FAILED
        }
    }
}

fn carry_out(matches: &ArgMatches, screen: &Screen) -> Result<()> {
    let folder = PathBuf::from(matches.get_one::<String>("SWEEP").cloned().unwrap_or_default());
    let target = |name: &str, usual: &str| -> Result<PathBuf> {
        let path =
            matches.get_one::<String>(name).map_or_else(|| folder.join(usual), PathBuf::from);
        place::check_name(&path)?;
        Ok(path)
    };
    let (page, data) = (target("output", "report.html")?, target("data", "results.parquet")?);
    let sweep = gather::read_all(&folder)?;
    let show = |table| screen.write(&screen.style().item(&Item::Output(Output::Table(table))));
    if let Some(failures) = table::failures(&sweep) {
        show(failures);
    }
    show(table::summary(&sweep));
    write::file(&sweep.frame()?, &Roots::anywhere(), &data)?;
    let facts = json!({ "script": sweep.plan.script, "script_sha256": sweep.plan.script_sha256, "ebb": env!("CARGO_PKG_VERSION") });
    let text = html::page(&table::report(&sweep), &facts);
    files::write_bytes(&Roots::anywhere(), &page, text.as_bytes())?;
    let told = |path: &Path| plain::one_line(&path.to_string_lossy());
    screen.remark(&screen.style().dim(&format!("page: {}\nrows: {}\n", told(&page), told(&data))));
    Ok(())
}
