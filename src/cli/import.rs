//! `ebb import NOTEBOOK -o SCRIPT`: a Jupyter notebook as a script.

use std::path::Path;

use clap::{Arg, ArgMatches, Command};

use super::progress::Bars;
use super::screen::{Screen, Stream};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::notebook::import::import;
use crate::{files, place};

/// What the command line takes.
pub fn command() -> Command {
    Command::new("import")
        .about("Make a script of a Jupyter notebook")
        .arg(Arg::new("NOTEBOOK").required(true).help("An .ipynb file"))
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .required(true)
                .value_name("SCRIPT")
                .help("The script to write, which must not be there yet"),
        )
}

/// Reads the notebook and writes the script; what is worth a word goes to standard error.
pub fn main(matches: &ArgMatches) -> u8 {
    let screen = Screen::new(Stream::Error, Bars::new());
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    screen.ended(carry_out(&text("NOTEBOOK"), &text("output")))
}

fn carry_out(notebook: &str, script: &str) -> Result<Vec<String>> {
    place::check_name(Path::new(script))?;
    let text = Roots::anywhere().text(Path::new(notebook))?;
    let imported = import(notebook, &text)?;
    let path = Path::new(script);
    if files::write_new(&Roots::anywhere(), path, imported.script.as_bytes())? {
        Ok(imported.notes)
    } else {
        Err(Error::failed_with_hint(
            format!("{script} is there already"),
            "give another name, or remove it first",
        ))
    }
}
