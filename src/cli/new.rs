//! `ebb new NAME`: a script to begin with, that runs as it stands.

use std::path::Path;

use clap::{Arg, ArgMatches, Command};

use super::exit::{DONE, FAILED};
use super::progress::Bars;
use super::screen::{Screen, Stream};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::{files, place, plain};

const STARTER: &str = include_str!("starter.rhai");

/// What the command line takes.
pub fn command() -> Command {
    Command::new("new")
        .about("Write a script to begin with: cells, parameters, a finetuning and a chart")
        .arg(Arg::new("NAME").required(true).help("The script's name, with or without .rhai"))
}

/// Writes the script, where none of that name is there yet.
pub fn main(matches: &ArgMatches) -> u8 {
    let screen = Screen::new(Stream::Out, Bars::new());
    let name = matches.get_one::<String>("NAME").cloned().unwrap_or_default();
    match write(&name) {
        Ok(file) => {
            let file = plain::one_line(&file);
            screen.write(&format!("{file} is written. Next: ebb run {file}\n"));
            DONE
        }
        Err(error) => {
            screen.remark(&screen.style().error(&error));
            FAILED
        }
    }
}

fn write(name: &str) -> Result<String> {
    let file = if name.ends_with(".rhai") { name.to_string() } else { format!("{name}.rhai") };
    let path = Path::new(&file);
    place::check_name(path)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let text = STARTER.replace("NAME", &plain::one_line(&stem));
    if files::write_new(&Roots::anywhere(), path, text.as_bytes())? {
        Ok(file)
    } else {
        Err(Error::failed_with_hint(
            format!("{file} is there already"),
            "give another name, or remove it first",
        ))
    }
}
