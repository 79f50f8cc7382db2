//! A session: one rhai engine and scope in which cells are evaluated one after another.
//!
//! rhai keeps only variables from one evaluation to the next. So that functions, closures and imports last too, each
//! cell's functions are merged into a library (its statements cleared), and the imports seen so far stand in front of
//! every later cell. All cells together are one text, with one count of lines, from which errors quote.

use std::rc::Rc;

use rhai::{
    AST, ASTNode, Dynamic, Engine, EvalAltResult, NativeCallContext, Position, Scope, Stmt,
};

use super::api;
use super::assist::{self, Candidates, Signature, View};
use super::bounds;
use super::calls;
use super::captures;
use super::display;
use super::edits::Edits;
use super::failure::Failure;
use super::host::{Event, Host};
use super::last;
use super::missing;
use super::modules::Library;
use super::operators;
use super::parser::{EXPRESSION_DEPTH, hash_alike};
use super::places;
use super::report::{self, ScriptError};
use super::rewrite;
use super::said::Known;
use super::syntax;
use super::unfinished;
use crate::aside;
use crate::display::Output;
use crate::memory;

/// Characters in a string and elements in an array or map: larger than any honest script's, smaller than memory.
const LARGEST_STRING: usize = 1 << 28;
const LARGEST_ARRAY: usize = 1 << 24;
const LARGEST_MAP: usize = 1 << 20;

/// Bytes of an array's element and of a map's entry.
const ELEMENT: u64 = 16;
const ENTRY: u64 = 64;

/// A notebook under way.
pub struct Session {
    engine: Engine,
    host: Rc<Host>,
    scope: Scope<'static>,
    library: AST,
    imports: Vec<(String, String)>,
    text: String,
    edits: Edits,
    name: String,
    /// Whether `_` is the last value.
    keeps_last: bool,
}

impl Session {
    /// `name` is what errors call the text: the script's path, or "input".
    pub fn new(host: Rc<Host>, name: &str) -> Self {
        Self {
            engine: engine(&host),
            host,
            scope: Scope::new(),
            library: AST::empty(),
            imports: Vec::new(),
            text: String::new(),
            edits: Edits::default(),
            name: name.to_string(),
            keeps_last: false,
        }
    }

    pub fn host(&self) -> &Rc<Host> {
        &self.host
    }

    /// Everything evaluated so far, from which an error's line is drawn.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Evaluates the next cell and returns its last value. `lines_before` are lines of the file in front of it that are not
    /// code (markers, prose), so that lines count as in the file.
    pub fn evaluate(
        &mut self,
        lines_before: &str,
        cell: &str,
    ) -> Result<Dynamic, Box<ScriptError>> {
        self.text.push_str(lines_before);
        let before = self.text.matches('\n').count();
        self.text.push_str(cell);
        if !cell.ends_with('\n') {
            self.text.push('\n');
        }
        self.evaluate_at(before, cell).map_err(|error| self.explain(&error))
    }

    /// Whether what was evaluated last said `exit()`.
    pub fn has_left(&self) -> bool {
        self.host.left.take()
    }

    /// An error that came after evaluation (a value that cannot be shown), as an error of the script.
    pub fn failed(&self, error: crate::error::Error) -> Box<ScriptError> {
        let raised = super::failure::raise_at(rhai::Position::NONE, error);
        self.explain(&raised)
    }

    fn explain(&self, error: &rhai::EvalAltResult) -> Box<ScriptError> {
        let known = Known { engine: &self.engine, scope: &self.scope, library: &self.library };
        report::explain(error, &known, &self.name, &self.text, &self.edits)
    }

    fn evaluate_at(
        &mut self,
        before: usize,
        cell: &str,
    ) -> Result<Dynamic, Box<rhai::EvalAltResult>> {
        let imports: String = self
            .imports
            .iter()
            .map(|(path, alias)| format!("import {path:?} as {alias}; "))
            .collect();
        // The imports share the line before the cell: every line of the cell keeps its number.
        let padding = "\n".repeat(before.saturating_sub(1));
        let source = match before {
            0 => cell.to_string(),
            _ => format!("{padding}{imports}\n{cell}"),
        };
        let own = |name: &str| {
            let mut functions = self.library.iter_functions();
            functions.any(|function| function.name == name)
        };
        let (ast, edits) = rewrite::compile(&self.engine, &source, &own)
            .map_err(|error| syntax::taught(error, &source, before))?;
        self.edits.extend(edits);
        let merged = self.library.merge(&ast);
        calls::check(&self.engine, &merged, &self.closures())?;
        captures::check(&merged, &self.variables())?;
        // Functions last even when the cell fails half way: variables that it set may hold closures.
        self.library = merged.clone();
        self.library.clear_statements();
        let control = self.host.control.clone();
        let _timed = control.begin_time();
        let value = aside::under(&control, || {
            self.engine
                .eval_ast_with_scope::<Dynamic>(&mut self.scope, &merged)
                .map_err(|error| places::placed(error, &merged))
        });
        let value = match value {
            Err(error) if matches!(*error, rhai::EvalAltResult::Return(..)) => match *error {
                rhai::EvalAltResult::Return(value, _) => Ok(value),
                other => Err(Box::new(other)),
            },
            other => other,
        }?;
        self.remember_imports(&ast);
        if self.keeps_last && !value.is_unit() {
            self.scope.set_or_push(last::LAST, value.clone());
        }
        Ok(value)
    }

    fn remember_imports(&mut self, ast: &AST) {
        ast.walk(&mut |nodes: &[ASTNode]| {
            if let [ASTNode::Stmt(Stmt::Import(parts, _))] = nodes {
                let (path, alias) = parts.as_ref();
                if let rhai::Expr::StringConstant(path, _) = path {
                    let alias = alias.as_str().to_string();
                    self.imports.retain(|(_, known)| *known != alias);
                    if !alias.is_empty() {
                        self.imports.push((path.to_string(), alias));
                    }
                }
            }
            true
        });
    }

    /// The names of variables that hold closures.
    fn closures(&self) -> Vec<String> {
        let variables = self.scope.iter_raw();
        let closures = variables.filter(|(_, _, value)| value.is::<rhai::FnPtr>());
        closures.map(|(name, _, _)| name.to_string()).collect()
    }

    /// Lets cells speak of the last value that was not nothing as `_`. It costs a copy of each, so scripts that do not ask
    /// for it go without.
    pub fn keep_last(&mut self) {
        self.keeps_last = true;
    }

    /// Calls the text that follows otherwise: a script was run, and now a person types.
    pub fn rename(&mut self, name: &str) {
        self.name = name.to_string();
    }

    /// What may be typed at a byte of a text.
    pub fn complete(&self, text: &str, cursor: usize) -> Candidates {
        self.seen(|view| assist::complete::complete(view, text, cursor))
    }

    /// The call that a byte of a text stands in.
    pub fn signature_at(&self, text: &str, cursor: usize) -> Option<Signature> {
        self.seen(|view| assist::complete::signature_at(view, text, cursor))
    }

    /// What there is to say about a name: "finetune", "m0.finetune", "std/bbq".
    pub fn help(&self, name: &str) -> Output {
        self.seen(|view| assist::help::help(view, name))
    }

    /// The answer where a text is a question and no code: `?m0.finetune`, or `help(finetune)` with a name that holds no text.
    pub fn answer(&self, text: &str) -> Option<Output> {
        let name = assist::help::asked(text)?;
        let is_value = self.seen(|view| view.variable(name).is_some());
        // `help(rows)` is a call, which rhai answers by the value.
        (!is_value || text.contains('?')).then(|| self.help(name))
    }

    /// What help and completion look at.
    fn seen<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        look(&View {
            engine: &self.engine,
            scope: &self.scope,
            functions: &assist::functions(&self.library),
            imports: &self.imports,
            host: &self.host,
        })
    }

    /// The variables in scope, newest first, each with what it holds.
    pub fn held(&self) -> Vec<assist::Held> {
        self.seen(assist::held)
    }

    /// The names of the variables in scope, newest first.
    pub fn variables(&self) -> Vec<String> {
        self.scope.iter().map(|(name, _, _)| name.to_string()).collect()
    }

    /// What a variable holds, as it stands within prose.
    pub fn in_prose(&self, name: &str) -> Option<String> {
        self.scope.get(name).map(display::in_prose)
    }

    /// Whether a text is the beginning of something longer, so that a prompt should ask for more lines.
    pub fn is_unfinished(&self, text: &str) -> bool {
        unfinished::is_unfinished(&self.engine, text)
    }
}

/// An engine with every record registered, limits set and the standard library at hand.
pub fn engine(host: &Rc<Host>) -> Engine {
    hash_alike();
    let mut engine = Engine::new();
    engine.set_max_call_levels(host.limits.calls);
    engine.set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH);
    // One value may take an eighth of the run's memory: an operation on it makes another, and both are in use for a while.
    let room = memory::limit().map_or(u64::MAX, |limit| limit / 8);
    let most = |bytes: u64, largest: usize| {
        usize::try_from(room / bytes).map_or(largest, |most| most.min(largest)).max(1)
    };
    engine.set_max_string_size(most(1, LARGEST_STRING));
    engine.set_max_array_size(most(ELEMENT, LARGEST_ARRAY));
    engine.set_max_map_size(most(ENTRY, LARGEST_MAP));
    engine.disable_symbol("eval");
    // Constants are left as they are written: `-2 ** 2` would be folded before anyone could ask what it means.
    engine.set_optimization_level(rhai::OptimizationLevel::None);
    engine.set_fail_on_invalid_map_property(true);
    engine
        .register_type_with_name::<Failure>("error")
        .register_fn("to_string", |failure: &mut Failure| failure.to_string())
        .register_fn("to_debug", |failure: &mut Failure| failure.to_string())
        .register_get("message", |failure: &mut Failure| failure.message.clone())
        .register_get("hint", |failure: &mut Failure| {
            failure.hint.clone().map_or(Dynamic::UNIT, Dynamic::from)
        });
    operators::replace(&mut engine);
    last::name(&mut engine, operators::meant);
    hand_out_records(&mut engine);
    for record in api::all() {
        (record.register)(&mut engine, host);
    }
    answer_help(&mut engine, host);
    let printed = host.clone();
    engine.on_print(move |text| printed.tell(Event::Printed(text.to_string())));
    let debugged = host.clone();
    engine.on_debug(move |text, _, position| {
        debugged.tell(Event::Printed(format!("{position:?} {text}")));
    });
    let counted = host.clone();
    engine.on_progress(move |_| {
        if counted.control.is_stopped() {
            return Some(Dynamic::UNIT);
        }
        let over = counted.count_operation().and_then(|()| counted.control.check()).err()?;
        Some(Dynamic::from(Failure::from(&over)))
    });
    bounds::register(&mut engine);
    missing::register(&mut engine);
    engine.set_module_resolver(Library::new(host.clone()));
    engine
}

/// `help(…)` inside a script: the functions of the script are those of the call.
fn answer_help(engine: &mut Engine, host: &Rc<Host>) {
    let asked = host.clone();
    engine.register_fn("help", move || asked.tell(Event::Shown(assist::help::tour())));
    let host = host.clone();
    engine.register_fn("help", move |context: NativeCallContext, value: Dynamic| {
        let own = assist::functions_of(&context);
        let view = View {
            engine: context.engine(),
            scope: &Scope::new(),
            functions: &own,
            imports: &[],
            host: &host,
        };
        let name = value.clone().into_string().unwrap_or_else(|_| view.kind(&value));
        host.tell(Event::Shown(assist::help::help(&view, &name)));
    });
}

/// A variable that a closure captures is shared, and rhai locks it while a method of it runs: a closure that reads the frame
/// it is handed to would find it locked. Frames, models, expressions and charts never change, so a variable that shares one
/// gives its handle instead, which nothing locks. An assignment through the handle reaches the closures too.
///
/// Here a value that lies too deep is refused as well: rhai knows one such place.
#[expect(deprecated, reason = "rhai marks what may change with its version, which is locked")]
fn hand_out_records(engine: &mut Engine) {
    let depth = bounds::Depth::default();
    engine.on_var(move |name, index, context| {
        let scope = context.scope();
        let mut variables = scope.iter_raw();
        let found = match index.checked_sub(1) {
            Some(place) => variables.nth(place),
            None => variables.find(|(known, _, _)| *known == name),
        };
        let Some((_, _, value)) = found else {
            return Ok(None);
        };
        // What is being worked on can be neither asked for its kind nor read; rhai would say so without a place.
        if value.is_shared() && value.is_locked() {
            return Err(EvalAltResult::ErrorDataRace(name.to_string(), Position::NONE).into());
        }
        depth.check(name, value)?;
        Ok((value.is_shared() && api::is_record(value)).then(|| value.clone()))
    });
}
