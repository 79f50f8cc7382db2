//! What the prompt does itself: lines that begin with `:`.

use std::path::Path;

use super::prompt::Prompt;
use crate::cli::report;
use crate::display::{Column, Output, Table};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;
use crate::notebook::cells::{self, Content};
use crate::notebook::outcome::{Item, Outcome, Ran};
use crate::place;
use crate::script::assist;
use crate::script::host::normal_form;

/// The commands with what each does.
const COMMANDS: &[(&str, &str)] = &[
    (":help", "this list; help() is a tour, help(\"finetune\") or ?finetune tells of a name"),
    (":vars", "the variables: name, kind and size"),
    (
        ":time",
        "shows, or no longer shows, how long each cell took; over a second it is always shown",
    ),
    (":save FILE", "writes the inputs that worked as a script, a cell each"),
    (":report FILE", "writes what worked with what it showed: .html, .md or .ipynb"),
    (":load FILE", "runs a script's cells here"),
    (":clear", "forgets all variables and functions"),
];

/// Whether a text is a command and no code.
pub fn is_command(text: &str) -> bool {
    text.trim_start().starts_with(':')
}

/// The commands that begin as the text does; nothing where it is none.
pub fn complete(text: &str, cursor: usize) -> Option<Vec<assist::Item>> {
    let typed =
        text.get(..cursor).filter(|typed| typed.starts_with(':') && !typed.contains(' '))?;
    let found = COMMANDS.iter().map(|(form, said)| {
        let name = form.split(' ').next().unwrap_or(form);
        assist::Item::new(name, *said)
    });
    Some(found.filter(|item| item.text.starts_with(typed)).collect())
}

/// Does what a line asks for; says whether it went well.
pub fn carry_out(prompt: &Prompt, line: &str) -> bool {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let result = match name {
        ":help" | ":?" => {
            let lines = COMMANDS.iter().map(|(form, said)| format!("{form:<13} {said}\n"));
            prompt.screen.write(&lines.collect::<String>());
            Ok(())
        }
        ":vars" => {
            prompt.show(Output::Table(variables(prompt)));
            Ok(())
        }
        ":time" => {
            let shown = !prompt.timed.get();
            prompt.timed.set(shown);
            let what = if shown { "shown" } else { "shown over a second only" };
            prompt.screen.write(&format!("the time of each cell is {what}\n"));
            Ok(())
        }
        ":clear" => {
            prompt.forget();
            Ok(())
        }
        ":save" => file(name, rest).and_then(|file| save(prompt, file)),
        ":report" => file(name, rest).and_then(|file| report(prompt, file)),
        ":load" => match file(name, rest)
            .and_then(|file| Ok((file, Roots::anywhere().text(Path::new(file))?)))
        {
            Ok((file, text)) => return prompt.run(file, &text),
            Err(error) => Err(error),
        },
        other => {
            let known = COMMANDS.iter().map(|(form, _)| form.split(' ').next().unwrap_or(form));
            Err(Error::unknown("command", other, known.collect::<Vec<_>>()))
        }
    };
    match result {
        Ok(()) => true,
        Err(error) => {
            prompt.screen.remark(&prompt.screen.style().error(&error));
            false
        }
    }
}

fn file<'a>(name: &str, rest: &'a str) -> Result<&'a str> {
    let file = rest.trim().trim_matches('"');
    if file.is_empty() {
        let example = if name == ":report" { "notes.html" } else { "notes.rhai" };
        Err(Error::failed(format!("{name} needs the name of a file: {name} {example}")))
    } else {
        Ok(file)
    }
}

fn variables(prompt: &Prompt) -> Table {
    let held = prompt.session.borrow().held();
    let column =
        |name: &str| Column { name: name.to_string(), kind: String::new(), numeric: false };
    let rows: Vec<Vec<Option<String>>> = held
        .into_iter()
        .map(|held| vec![Some(held.name), Some(held.kind), Some(held.size)])
        .collect();
    let caption = match rows.len() {
        1 => "1 variable".to_string(),
        count => format!("{count} variables"),
    };
    Table {
        columns: ["name", "kind", "size"].map(column).to_vec(),
        rows,
        caption,
        ..Table::default()
    }
}

/// The script that the cells that worked make: code under its marker, prose as comments.
fn script(worked: &[Ran]) -> String {
    let cells = worked.iter().map(|ran| {
        let title =
            if ran.cell.title.is_empty() { String::new() } else { format!(" {}", ran.cell.title) };
        match &ran.cell.content {
            Content::Code(code) => format!("// %%{title}\n{}\n\n", code.trim_end()),
            Content::Prose(text) => {
                let lines = text.lines().map(|line| format!("// {line}\n"));
                format!("// %% [markdown]{title}\n{}\n", lines.collect::<String>())
            }
        }
    });
    cells.collect()
}

/// Writes the inputs that worked.
fn save(prompt: &Prompt, file: &str) -> Result<()> {
    let text = script(&worked(prompt)?);
    write(prompt, file, text.as_bytes())?;
    let count = cells::split(&text).len();
    prompt
        .show_item(&Item::Note(format!("{count} cells are in {file}; `ebb run {file}` runs them")));
    Ok(())
}

/// Writes what worked with what it showed, in the format that the file's name ends in.
fn report(prompt: &Prompt, file: &str) -> Result<()> {
    report::check(Some(file))?;
    let ran = worked(prompt)?;
    let count = ran.len();
    let outcome = Outcome { ran, ..Outcome::default() };
    let closed = match prompt.desk.borrow_mut().record() {
        Some(record) => record.close(&prompt.host, &outcome)?,
        None => return Err(Error::failed("this prompt keeps no record to report")),
    };
    for (name, bytes) in report::files(file, &outcome, &closed.facts, &closed.page)? {
        write(prompt, &name, &bytes)?;
    }
    prompt.show_item(&Item::Note(format!("{count} cells and what they showed are in {file}")));
    Ok(())
}

fn worked(prompt: &Prompt) -> Result<Vec<Ran>> {
    let worked = prompt.worked.borrow().clone();
    if worked.is_empty() {
        return Err(Error::failed("there is nothing to save yet: no input has worked"));
    }
    Ok(worked)
}

/// Writes a file below the working folder, or where a path outside leads, which whoever types it means. A file that is
/// there already is kept, unless this prompt wrote it.
fn write(prompt: &Prompt, file: &str, bytes: &[u8]) -> Result<()> {
    place::check_name(Path::new(file))?;
    let host = &prompt.host;
    let path = normal_form(&host.absolute(file));
    let is_inside = host.access.write.iter().any(|root| path.starts_with(root));
    let roots = if is_inside { host.write_roots() } else { Roots::anywhere() };
    let mut saved = prompt.saved.borrow_mut();
    if saved.contains(&path) {
        files::write_bytes(&roots, &path, bytes)?;
    } else if !files::write_new(&roots, &path, bytes)? {
        return Err(Error::failed_with_hint(
            format!("{file} is there already"),
            "give another name, or remove it first",
        ));
    }
    saved.push(path);
    Ok(())
}
