//! A script looked through without being run: what is wrong in it, and what it reads, writes, imports and fetches.
//!
//! It says what the run would say, of all places at once, and nothing of what only the run can tell: a variable that is
//! assigned to, a value of a closure, a map's method.

mod bodies;
mod calls;
mod context;
mod exports;
pub mod found;
mod gather;
mod kinds;
mod options;
mod reach;
mod scopes;
mod settle;
mod surface;
mod texts;
mod walk;

use std::collections::HashSet;
use std::rc::Rc;

use rhai::{AST, Engine};

use self::context::{Context, Own, Place};
use self::exports::{Exports, Shelf};
use self::found::{Found, Role, State, Use};
use self::gather::Gathered;
use self::scopes::Scopes;
use self::surface::Surface;
use self::walk::Walk;
use super::captures::{self, CLOSURE};
use super::engine;
use super::host::Host;
use super::{rewrite, syntax};
use crate::error::Error;

/// A part of a script.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// A cell's code, and the lines of the file in front of it.
    Code { lines_before: usize, text: &'a str },
    /// Prose that asks for variables: `{{ name }}`.
    Prose { lines_before: usize, names: Vec<String> },
}

/// Looks through a script, and through the modules beside it that it imports.
pub fn check(host: &Rc<Host>, name: &str, text: &str, parts: &[Part]) -> Found {
    let engine = engine::engine(host);
    let surface = Surface::of(&engine);
    let shelf = Shelf::new(&engine, host);
    let desk = Desk { engine: &engine, host, surface: &surface, shelf: &shelf };
    let (mut found, mut waiting) = desk.look(name, text, parts);
    let mut seen: HashSet<String> = HashSet::new();
    while let Some(page) = waiting.pop() {
        let Some(file) = page.file.clone().filter(|file| seen.insert(file.clone())) else {
            continue;
        };
        let name = desk.shown(&file);
        let whole = [Part::Code { lines_before: 0, text: &page.text }];
        let (inner, further) = desk.look(&name, &page.text, &whole);
        found.problems.extend(inner.problems);
        found.warnings.extend(inner.warnings);
        found.uses.extend(inner.uses);
        waiting.extend(further);
    }
    found.uses.sort_by_key(|used| (used.role, used.file != name));
    found
}

/// What all texts of a check share.
struct Desk<'a> {
    engine: &'a Engine,
    host: &'a Rc<Host>,
    surface: &'a Surface,
    shelf: &'a Shelf<'a>,
}

/// A cell that could be compiled.
struct Cell {
    ast: AST,
    lines_before: usize,
}

impl<'a> Desk<'a> {
    /// What there is to say of one text, and the modules beside it.
    fn look(&self, name: &str, text: &str, parts: &[Part]) -> (Found, Vec<Rc<Exports>>) {
        let mut context = Context::new(self.engine, self.host, self.surface, name, text);
        let cells: Vec<Option<Cell>> =
            parts.iter().map(|part| self.compiled(&mut context, part)).collect();
        let mut pages = Vec::new();
        for (number, cell) in cells.iter().enumerate() {
            if let Some(cell) = cell {
                pages.extend(self.gather(&mut context, cell, number));
            }
        }
        let mut scopes = Scopes::default();
        for (number, (part, cell)) in parts.iter().zip(&cells).enumerate() {
            match (part, cell) {
                (Part::Prose { lines_before, names }, _) => {
                    prose(&mut context, &scopes, *lines_before, names);
                }
                (_, Some(cell)) => walk(&mut context, &mut scopes, cell, number),
                // What a cell with an error would have declared is not known.
                (_, None) => {
                    context.is_blind = true;
                    scopes.forget();
                }
            }
        }
        settle::settle(&mut context);
        let mut found = context.found;
        found.problems.sort_by_key(|problem| (problem.line, problem.column));
        (found, pages)
    }

    fn compiled(&self, context: &mut Context, part: &Part) -> Option<Cell> {
        let Part::Code { lines_before, text } = part else {
            return None;
        };
        let lines_before = *lines_before;
        let own = |name: &str| context.is_own(name);
        let read = rewrite::compile(self.engine, text, &own);
        let refused = match read {
            Ok(_) => None,
            Err(error) => {
                let padded = format!("{}{text}", "\n".repeat(lines_before));
                let again = rewrite::compile(self.engine, &padded, &|_| false).err();
                Some(syntax::taught(again.unwrap_or(error), &padded, lines_before))
            }
        };
        if let Some(error) = refused {
            context.problem(Place::of(error.position(), 0), &error, &Scopes::default());
            return None;
        }
        let ast = self.engine.compile(text).ok()?;
        if let Err(error) = captures::check(&ast, &[]) {
            context.problem(Place::of(error.position(), lines_before), &error, &Scopes::default());
        }
        Some(Cell { ast, lines_before })
    }

    /// What a cell declares for the whole text.
    fn gather(&self, context: &mut Context, cell: &Cell, number: usize) -> Vec<Rc<Exports>> {
        for function in cell.ast.iter_functions() {
            if !function.name.starts_with(CLOSURE) {
                let own = Own { parameters: function.params.len(), cell: number };
                context.own.entry(function.name.to_string()).or_default().push(own);
            }
        }
        let Gathered { imports, keys, assigned, asked } = gather::of(&cell.ast);
        context.keys.extend(keys);
        context.assigned.extend(assigned);
        context.asked.extend(asked);
        let mut pages = Vec::new();
        for import in imports {
            let place = Place::of(import.at, cell.lines_before);
            let page = import.path.as_deref().map(|path| self.shelf.find(path, import.at));
            let page = match page {
                Some(Err(error)) => {
                    context.problem(place, &error, &Scopes::default());
                    None
                }
                Some(Ok(page)) => Some(page),
                None => None,
            };
            let used = self.import(context, import.path.clone(), place, page.as_deref());
            context.found.uses.push(used);
            if let Some(page) = &page {
                context.keys.extend(page.keys.iter().cloned());
                let standard = import.path.as_deref().is_some_and(|path| path.starts_with("std/"));
                pages.extend((!standard).then(|| page.clone()));
            }
            if let Some(alias) = import.alias {
                context.imports.entry(alias).or_default().push(page);
            }
        }
        pages
    }

    fn import(
        &self,
        context: &Context,
        path: Option<String>,
        place: Place,
        page: Option<&Exports>,
    ) -> Use {
        let (state, detail) = match (&path, page.map(|page| &page.file)) {
            (None, _) => (State::Open, String::new()),
            (Some(_), None) => (State::Missing, String::new()),
            (Some(_), Some(None)) => (State::Bundled, String::new()),
            (Some(_), Some(Some(file))) => (State::There, self.shown(file)),
        };
        Use {
            role: Role::Module,
            what: path,
            parameter: None,
            call: "import".to_string(),
            file: context.file.to_string(),
            line: place.line,
            state,
            detail,
            hub: None,
        }
    }

    /// A file as seen from the working folder.
    fn shown(&self, file: &str) -> String {
        let folder = &self.host.working_folder;
        let below = std::path::Path::new(file).strip_prefix(folder);
        below.map_or_else(|_| file.to_string(), |below| below.display().to_string())
    }
}

fn walk(context: &mut Context, scopes: &mut Scopes, cell: &Cell, number: usize) {
    let mut functions = cell.ast.clone_functions_only();
    functions.retain_functions(|_, _, name, _| !name.starts_with(CLOSURE));
    context.library.combine(functions);
    let bodies = bodies::of(&cell.ast);
    let (closures, own): (Vec<_>, Vec<_>) =
        bodies.iter().partition(|body| body.name.starts_with(CLOSURE));
    let mut walk = Walk {
        context,
        scopes,
        bodies: closures.into_iter().map(|body| (body.name.as_str(), body)).collect(),
        lines_before: cell.lines_before,
        cell: number,
        under_way: Vec::new(),
        functions: 0,
        tries: 0,
    };
    walk.statements(cell.ast.statements());
    for body in own {
        walk.body(body, &[]);
    }
}

/// Variables that prose asks for and that are none where it stands.
fn prose(context: &mut Context, scopes: &Scopes, lines_before: usize, names: &[String]) {
    for name in names.iter().filter(|name| scopes.find(name).is_none()) {
        let behind = context.text.lines().enumerate().skip(lines_before);
        let asks = |line: &str| {
            line.split("{{").skip(1).any(|rest| rest.trim_start().starts_with(name.as_str()))
        };
        let line = behind.map(|(number, line)| (number + 1, line)).find(|(_, line)| asks(line));
        let (line, text) = line.unwrap_or((lines_before + 1, ""));
        let column = text.split_once("{{").map(|(before, rest)| {
            let blanks = rest.chars().take_while(|character| character.is_whitespace()).count();
            before.chars().count() + 2 + blanks + 1
        });
        context.warn(
            Place { line, column },
            Error::failed(format!(
                "`{name}`, which the prose asks for, is no variable here: it stays as it stands"
            )),
        );
    }
}
