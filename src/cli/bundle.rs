//! `ebb bundle SCRIPT|RUN -o x.ebb`: a script with what it reads and what came of it, in one archive that others can run and
//! check. A script is run first; a run that was kept is taken as it is.

use std::path::{Path, PathBuf};

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::arguments::{script_position, with_permissions};
use super::exit::{DONE, FAILED, USAGE, show_usage};
use super::host::{here, meant_here};
use super::progress::Bars;
use super::run;
use super::screen::{Screen, Stream};
use crate::bundle::{ENDING, Manifest};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::notebook::bundled::{self, Asked, Bundled};
use crate::notebook::kept;
use crate::{files, memory, place, plain};

/// What the command line takes. Words that are not here belong to the script, and are read when its parameters are known.
pub fn command() -> Command {
    with_permissions(own(named()))
}

fn named() -> Command {
    let subject = Arg::new("SCRIPT|RUN").required(true);
    Command::new("bundle")
        .about("Make one archive of a run that others can run and check")
        .override_usage(
            "ebb bundle SCRIPT -o FILE.ebb [--PARAMETER VALUE]... [OPTIONS]\n       ebb bundle RUN -o FILE.ebb [OPTIONS]",
        )
        .arg(subject.help("A .rhai file, which is run first, or the folder of a run that was kept"))
}

/// What it takes for a run that was kept: nothing is run, so that nothing says how.
fn for_run() -> Command {
    own(named()).no_binary_name(true).bin_name("ebb bundle").arg(
        Arg::new("library")
            .long("library")
            .value_name("FOLDER")
            .action(ArgAction::Append)
            .help("Take std/NAME from FOLDER/NAME.rhai where the run did so and its record does not say it"),
    )
}

/// The options that are this command's, and not the run's.
fn own(command: Command) -> Command {
    let option =
        |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    let size = || ValueParser::new(size);
    command
        .arg(
            Arg::new("o")
                .short('o')
                .value_name("FILE")
                .required(true)
                .help("The bundle to write: FILE.ebb"),
        )
        .arg(
            option("largest", "SIZE")
                .default_value("16MiB")
                .value_parser(size())
                .help("The largest input that goes inside; larger ones are named with their hash"),
        )
        .arg(
            option("most", "SIZE")
                .default_value("64MiB")
                .value_parser(size())
                .help("The most that all inputs inside may take together"),
        )
        .arg(
            option("with", "PATH")
                .action(ArgAction::Append)
                .help("Also put this file or folder inside, which the run's record does not name"),
        )
}

fn size(typed: &str) -> std::result::Result<u64, String> {
    memory::parse(typed).ok_or_else(|| "expected a size such as 16MiB or 2GiB".to_string())
}

/// Reads the words behind `ebb bundle` and does what they say.
pub fn main(words: &[String]) -> u8 {
    let (ours, theirs) = divided(words);
    let subject =
        script_position(&theirs).and_then(|at| theirs.get(at)).cloned().unwrap_or_default();
    let is_run = Roots::anywhere().find(Path::new(&subject)).is_ok_and(|found| found.is_folder());
    let asks_help = words.iter().any(|word| word == "--help" || word == "-h");
    if subject.is_empty() || asks_help {
        let asked = command().bin_name("ebb bundle").no_binary_name(true);
        let matches = asked.try_get_matches_from(words);
        return matches.map_or_else(|error| show_usage(&error), |_| USAGE);
    }
    if is_run {
        return match for_run().try_get_matches_from(words) {
            Ok(matches) => bundle(&matches, &folders(&matches), Path::new(&subject)),
            Err(error) => show_usage(&error),
        };
    }
    let own = own(Command::new("bundle").bin_name("ebb bundle").no_binary_name(true));
    match own.try_get_matches_from(ours) {
        Ok(matches) => run_and_bundle(&matches, &theirs),
        Err(error) => show_usage(&error),
    }
}

/// The words of this command's own options, and all others.
fn divided(words: &[String]) -> (Vec<String>, Vec<String>) {
    let names = own_names().into_iter().map(|name| format!("--{name}"));
    let names: Vec<String> = names.collect();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let is_name = word == "-o" || names.contains(word);
        let has_value = names.iter().any(|name| word.starts_with(&format!("{name}=")));
        let is_joined = word.starts_with("-o") && !is_name;
        if is_name || has_value || is_joined {
            ours.push(word.clone());
            ours.extend(words.next().filter(|_| is_name).cloned());
        } else {
            theirs.push(word.clone());
        }
    }
    (ours, theirs)
}

fn own_names() -> Vec<String> {
    let own = own(Command::new("bundle"));
    own.get_arguments().filter_map(Arg::get_long).map(str::to_string).collect()
}

fn folders(matches: &ArgMatches) -> Vec<String> {
    matches.get_many::<String>("library").into_iter().flatten().cloned().collect()
}

fn run_and_bundle(matches: &ArgMatches, words: &[String]) -> u8 {
    let screen = Screen::new(Stream::Error, Bars::new());
    if let Err(error) = check_file(matches) {
        screen.remark(&screen.style().error(&error));
        return USAGE;
    }
    let ended = run::run(words, &own_names());
    match ended.folder {
        Some(folder) if ended.code == DONE => bundle(matches, &[], &folder),
        Some(folder) => {
            let folder = plain::one_line(&folder.display().to_string());
            let line = format!(
                "nothing is bundled; `ebb bundle {folder}` makes a bundle of a run that failed, too\n"
            );
            screen.remark(&screen.style().dim(&line));
            ended.code
        }
        None if ended.code == DONE => {
            let error = Error::failed_with_hint(
                "a run that keeps no record cannot be bundled",
                "leave out --json, or name a folder with --run-dir",
            );
            screen.remark(&screen.style().error(&error));
            USAGE
        }
        None => ended.code,
    }
}

/// Refuses a name that no bundle has, before anything is run.
fn check_file(matches: &ArgMatches) -> Result<PathBuf> {
    let file = PathBuf::from(matches.get_one::<String>("o").cloned().unwrap_or_default());
    place::check_name(&file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if name.len() > ENDING.len() && name.ends_with(ENDING) {
        Ok(file)
    } else {
        let got = file.display().to_string();
        Err(Error::invalid("-o", format!("a file name that ends in {ENDING}"), got))
    }
}

/// Makes the bundle of a run that was kept.
fn bundle(matches: &ArgMatches, library: &[String], run: &Path) -> u8 {
    let screen = Screen::new(Stream::Out, Bars::new());
    match carry_out(matches, library, run) {
        Ok((file, made)) => {
            for note in &made.notes {
                screen.remark(&format!("note: {}\n", plain::printable(note)));
            }
            let file = plain::one_line(&file.display().to_string());
            screen.write(&told(&file, made.bytes.len() as u64, &made.manifest));
            DONE
        }
        Err(error) => {
            screen.remark(&screen.style().error(&error));
            FAILED
        }
    }
}

fn carry_out(matches: &ArgMatches, library: &[String], run: &Path) -> Result<(PathBuf, Bundled)> {
    let file = check_file(matches)?;
    let bytes = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
    let with = matches.get_many::<String>("with").into_iter().flatten().map(PathBuf::from);
    let real = |folder: &String| {
        Roots::anywhere().folder(Path::new(folder)).map(|found| found.path().to_path_buf())
    };
    let asked = Asked {
        largest: bytes("largest"),
        most: bytes("most"),
        with: with.collect(),
        library: library.iter().map(real).collect::<Result<_>>()?,
        working_folder: here()?,
    };
    let kept = kept::open(run)?;
    bundled::check_ended(&kept, &kept::status(run, &kept.facts))?;
    let made = bundled::bundle(&kept, &asked)?;
    let (path, roots) = meant_here("-o", &file.to_string_lossy())?;
    files::write_bytes(&roots, &path, &made.bytes)?;
    Ok((file, made))
}

/// "x.ebb: 12 files, 31405 bytes".
fn told(file: &str, bytes: u64, manifest: &Manifest) -> String {
    let mut out = format!("{file}: {} files, {bytes} bytes\n", manifest.entries.len() + 1);
    for placed in &manifest.place {
        let (path, bytes) = (plain::one_line(&placed.path), placed.bytes);
        out.push_str(&format!("besides it: {path} ({bytes} bytes)\n"));
    }
    for fetched in &manifest.fetch {
        out.push_str(&format!("to be fetched: {}\n", plain::one_line(&fetched.name)));
    }
    out
}
