//! `ebb doc`: the reference as a page or as Markdown, definition files for editors, manual pages, and what shells complete.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::arguments;
use super::exit::{DONE, FAILED, STOPPED};
use super::progress::Bars;
use super::screen::{Screen, Stream};
use super::signals;
use crate::control::Control;
use crate::doorway::{Found, Roots};
use crate::error::{Error, Result};
use crate::notebook::reference::{self, html, markdown};
use crate::notebook::report::timing::duration;
use crate::script::assist::definitions;
use crate::script::host::Host;
use crate::{files, place, plain};

/// What is written where nothing else is asked for.
const PAGE: &str = "reference.html";

/// What the command line takes.
pub fn command() -> Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("doc")
        .about("Write the reference: a page, Markdown, definitions for editors, manual pages")
        .long_about(
            "Write the reference. Its examples are run in a temporary folder, and the page shows what they gave. Without an \
             option the page is written to reference.html.",
        )
        .arg(value("output", "FILE", "The page to write (.html) [default: reference.html]").short('o'))
        .arg(value("markdown", "FILE", "Write the reference as Markdown"))
        .arg(value("definitions", "FOLDER", "Write Rhai definition files (.d.rhai) for language servers"))
        .arg(value("man", "FOLDER", "Write manual pages of the program and its commands"))
        .arg(
            value("completions", "SHELL", "Print what a shell completes")
                .value_parser(value_parser!(Shell)),
        )
}

/// Writes what is asked for; what is worth a word goes to standard error.
pub fn main(matches: &ArgMatches, program: Command) -> u8 {
    let bars = Bars::new();
    let screen = Screen::new(Stream::Out, bars.clone());
    match carry_out(matches, program, &screen, &bars) {
        Ok(()) => DONE,
        Err(error) => {
            screen.remark(&screen.style().error(&error));
            if matches!(error, Error::Interrupted) { STOPPED } else { FAILED }
        }
    }
}

fn carry_out(matches: &ArgMatches, program: Command, screen: &Screen, bars: &Bars) -> Result<()> {
    let text = |name: &str| matches.get_one::<String>(name).map(PathBuf::from);
    let shell = matches.get_one::<Shell>("completions").copied();
    let (definitions, man) = (text("definitions"), text("man"));
    let (mut page, markdown) = (text("output"), text("markdown"));
    if [&definitions, &man, &markdown].iter().all(|asked| asked.is_none()) && shell.is_none() {
        page.get_or_insert_with(|| PathBuf::from(PAGE));
    }
    // Examples take their time: what cannot be written is said before.
    for file in page.iter().chain(&markdown) {
        check_file(file)?;
    }
    for folder in definitions.iter().chain(&man) {
        check_folder(folder)?;
    }
    if let Some(page) = &page {
        check_ending(page)?;
    }
    if let Some(folder) = &definitions {
        write_all(folder, &definition_files()?, screen)?;
    }
    if let Some(folder) = &man {
        write_all(folder, &manual(whole(program.clone()))?, screen)?;
    }
    if let Some(shell) = shell {
        screen.write(&completions(shell, whole(program)));
    }
    if page.is_some() || markdown.is_some() {
        write_reference(page.as_deref(), markdown.as_deref(), screen, bars)?;
    }
    Ok(())
}

/// The page and the Markdown, from one run of the examples.
fn write_reference(
    page: Option<&Path>,
    markdown: Option<&Path>,
    screen: &Screen,
    bars: &Bars,
) -> Result<()> {
    let control = Control::new(bars.progress(), signals::listen());
    let made = reference::make(&control)?;
    for trouble in &made.failed {
        screen.remark(&format!("note: the example of {}\n", plain::one_line(trouble)));
    }
    let texts = [(page, html::page as fn(&_) -> _), (markdown, markdown::markdown)];
    for (file, write) in texts {
        let Some(file) = file else { continue };
        let text = write(&made);
        files::write_bytes(&Roots::anywhere(), file, text.as_bytes())?;
        let size = text.len().div_ceil(1000);
        let shown = plain::one_line(&file.display().to_string());
        let told = format!(
            "{shown}: {} functions, {} examples run in {}, {size} kB\n",
            made.entries().count(),
            made.ran,
            duration(made.seconds)
        );
        screen.remark(&told);
    }
    Ok(())
}

/// Refuses a file that cannot be written, as far as that can be known beforehand.
fn check_file(file: &Path) -> Result<()> {
    if let Ok(Found::Folder(_)) = Roots::anywhere().find(file) {
        return Err(Error::failed_with_hint(
            format!("{} is a folder", file.display()),
            "name a file in it",
        ));
    }
    place::around(&Roots::anywhere(), file).map(|_| ())
}

fn check_folder(folder: &Path) -> Result<()> {
    place::check_name(folder)?;
    match Roots::anywhere().find(folder) {
        Ok(Found::File(_)) => Err(Error::failed_with_hint(
            format!("{} is a file", folder.display()),
            "name a folder; it is made where it is missing",
        )),
        _ => Ok(()),
    }
}

fn check_ending(page: &Path) -> Result<()> {
    let ending = page.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if ["html", "htm"].contains(&ending.as_str()) {
        return Ok(());
    }
    let got = page.display().to_string();
    Err(Error::invalid("option --output", "a file that ends in .html", got)
        .with_hint("--markdown FILE writes Markdown"))
}

fn write_all(folder: &Path, all: &[(String, Vec<u8>)], screen: &Screen) -> Result<()> {
    for (name, bytes) in all {
        files::write_bytes(&Roots::anywhere(), &folder.join(name), bytes)?;
    }
    let shown = plain::one_line(&folder.display().to_string());
    screen.remark(&format!("{shown}: {} files\n", all.len()));
    Ok(())
}

fn definition_files() -> Result<Vec<(String, Vec<u8>)>> {
    let nowhere = std::env::current_dir().map_err(|error| Error::io("read", ".", error))?;
    let host = Rc::new(Host::quiet(nowhere));
    let files = definitions::files(&host).into_iter();
    Ok(files.map(|(name, text)| (name, text.into_bytes())).collect())
}

/// The program with the options of `run`, which are read apart from the others.
fn whole(program: Command) -> Command {
    let named = |run: Command| {
        let about = run.get_about().cloned().unwrap_or_default();
        arguments::run_without_script().about(about)
    };
    program.mut_subcommand("run", named)
}

/// A manual page for the program and each of its commands: "ebb.1", "ebb-kernel-install.1".
fn manual(mut program: Command) -> Result<Vec<(String, Vec<u8>)>> {
    program.build();
    let mut pages = Vec::new();
    let mut waiting = vec![("ebb".to_string(), program)];
    while let Some((name, command)) = waiting.pop() {
        let inner = command.get_subcommands().filter(|inner| inner.get_name() != "help");
        let inner = inner.map(|inner| (format!("{name}-{}", inner.get_name()), inner.clone()));
        waiting.extend(inner);
        let file = format!("{name}.1");
        let page = clap_mangen::Man::new(command.name(name.clone()))
            .title(name)
            .source(concat!("ebb ", env!("CARGO_PKG_VERSION")))
            .manual("ebb");
        let mut bytes = Vec::new();
        page.render(&mut bytes).map_err(|error| Error::io("write", &file, error))?;
        pages.push((file, bytes));
    }
    pages.sort();
    Ok(pages)
}

fn completions(shell: Shell, mut program: Command) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut program, "ebb", &mut bytes);
    String::from_utf8_lossy(&bytes).to_string()
}
