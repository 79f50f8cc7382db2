//! What a check knows of one text: its functions, its imports, and where what is found goes.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, EvalAltResult, FnPtr, Position, Scope};

use super::exports::Exports;
use super::found::{Found, Role};
use super::scopes::Scopes;
use super::scopes::Text;
use super::surface::Surface;
use crate::error::Error;
use crate::script::edits::Edits;
use crate::script::failure::raise_at;
use crate::script::host::Host;
use crate::script::report::{self, ScriptError};
use crate::script::said::Known;

/// A function of the text.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    pub parameters: usize,
    /// The number of its cell.
    pub cell: usize,
}

/// A place of the text: its line, also beyond those that rhai counts, and its column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    pub line: usize,
    pub column: Option<usize>,
}

impl Place {
    /// A place of a cell that so many lines stand in front of.
    pub fn of(position: Position, lines_before: usize) -> Self {
        Self { line: position.line().unwrap_or(1) + lines_before, column: position.position() }
    }

    /// As rhai says it; nowhere, beyond the lines that it counts.
    fn position(self) -> Position {
        let column = u16::try_from(self.column.unwrap_or(1)).unwrap_or(1);
        match u16::try_from(self.line) {
            Ok(line) if line > 0 => Position::new(line, column),
            _ => Position::NONE,
        }
    }
}

/// What a call of the text reads or writes.
#[derive(Clone, Debug)]
pub struct Reached {
    pub role: Role,
    pub what: Option<Text>,
    pub revision: Option<String>,
    pub call: String,
    /// The option that names it; empty for the call's own argument.
    pub argument: &'static str,
    pub place: Place,
    /// The script catches what goes wrong there.
    pub is_tried: bool,
    pub in_function: bool,
}

/// What is known of one text.
pub struct Context<'a> {
    pub engine: &'a Engine,
    pub host: &'a Rc<Host>,
    pub surface: &'a Surface,
    /// What errors call the text.
    pub file: &'a str,
    pub text: &'a str,
    /// The text's functions by name.
    pub own: HashMap<String, Vec<Own>>,
    /// The functions of the cells so far.
    pub library: AST,
    /// Keys and properties: what a map may have a closure under.
    pub keys: HashSet<String>,
    /// Variables that are assigned to somewhere: what they hold is known to the run only.
    pub assigned: HashSet<String>,
    /// Names of modules; nothing where the path, or the page, is not known.
    pub imports: HashMap<String, Vec<Option<Rc<Exports>>>>,
    /// Paths that the script asks for with `exists`.
    pub asked: HashSet<String>,
    pub reaches: Vec<Reached>,
    /// A cell could not be read: what it would have declared is not known.
    pub is_blind: bool,
    pub found: Found,
    told: HashSet<(Place, String)>,
    unknown: HashSet<String>,
}

impl<'a> Context<'a> {
    pub fn new(
        engine: &'a Engine,
        host: &'a Rc<Host>,
        surface: &'a Surface,
        file: &'a str,
        text: &'a str,
    ) -> Self {
        Self {
            engine,
            host,
            surface,
            file,
            text,
            own: HashMap::new(),
            library: AST::empty(),
            keys: HashSet::new(),
            assigned: HashSet::new(),
            imports: HashMap::new(),
            asked: HashSet::new(),
            reaches: Vec::new(),
            is_blind: false,
            found: Found::default(),
            told: HashSet::new(),
            unknown: HashSet::new(),
        }
    }

    /// Whether the text has a function of a name that takes so many values, in a cell up to `cell`.
    pub fn own_takes(&self, name: &str, count: usize, cell: usize) -> bool {
        let own = self.own.get(name).map_or(&[][..], Vec::as_slice);
        own.iter().any(|own| own.parameters == count && own.cell <= cell)
    }

    pub fn is_own(&self, name: &str) -> bool {
        self.own.contains_key(name)
    }

    /// A text that can be told without a run, of what the command line gave.
    pub fn given(&self, parameter: &str) -> Option<String> {
        self.host.given_value(parameter)
    }

    /// Notes what the run would say.
    pub fn problem(&mut self, place: Place, error: &EvalAltResult, scopes: &Scopes) {
        let said = self.said(place, error, scopes);
        if self.told.insert((place, said.message.clone())) {
            self.found.problems.push(said);
        }
    }

    /// Notes an error of ours.
    pub fn refuse(&mut self, place: Place, error: Error) {
        self.problem(place, &raise_at(place.position(), error), &Scopes::default());
    }

    /// Notes something that may be meant.
    pub fn warn(&mut self, place: Place, error: Error) {
        let raised = raise_at(place.position(), error);
        let said = self.said(place, &raised, &Scopes::default());
        if self.told.insert((place, said.message.clone())) {
            self.found.warnings.push(said);
        }
    }

    /// Notes a variable that there is not, the first time.
    pub fn unknown_variable(&mut self, name: &str, place: Place, scopes: &Scopes) {
        if !self.is_blind && self.unknown.insert(name.to_string()) {
            let error = EvalAltResult::ErrorVariableNotFound(name.to_string(), place.position());
            self.problem(place, &error, scopes);
        }
    }

    /// Notes a call that no function is for.
    pub fn unknown_function(&mut self, signature: String, place: Place, scopes: &Scopes) {
        let error = EvalAltResult::ErrorFunctionNotFound(signature, place.position());
        self.problem(place, &error, scopes);
    }

    fn said(&self, place: Place, error: &EvalAltResult, scopes: &Scopes) -> ScriptError {
        let scope = scope_of(scopes);
        let known = Known { engine: self.engine, scope: &scope, library: &self.library };
        let said = report::explain(error, &known, self.file, self.text, &Edits::default());
        let quoted = self.text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
        ScriptError {
            line: Some(place.line),
            line_text: quoted.to_string(),
            column: place.column,
            ..*said
        }
    }
}

/// The variables as rhai has them, for those who look for near names.
fn scope_of(scopes: &Scopes) -> Scope<'static> {
    let mut scope = Scope::new();
    for variable in scopes.all() {
        let closure = || FnPtr::new(&variable.name).map(Dynamic::from);
        let value = match variable.kind {
            Some("Closure") => closure().unwrap_or_default(),
            _ => Dynamic::UNIT,
        };
        scope.push_dynamic(variable.name.clone(), value);
    }
    scope
}
