//! Calls: whether there is such a function for so many values, of these kinds, and with these options.

use rhai::{EvalAltResult, Expr, FnCallExpr, Namespace, Position};

use super::context::{Context, Place};
use super::options;
use super::scopes::Scopes;
use super::surface::Kind;
use crate::script::{calls, parameters};

/// A call and what is known of it.
pub struct Call<'a> {
    pub call: &'a FnCallExpr,
    pub place: Place,
    /// The kinds of its arguments.
    pub kinds: &'a [Kind],
    /// The last cell whose functions may be called.
    pub cell: usize,
    pub lines_before: usize,
}

impl Call<'_> {
    fn name(&self) -> &str {
        &self.call.name
    }

    fn count(&self) -> usize {
        self.call.args.len()
    }

    /// "head (Frame, i64)", as rhai says it.
    fn signature(&self, on: Option<Kind>) -> String {
        let types: Vec<&str> = on
            .map(type_word)
            .into_iter()
            .chain(
                self.call
                    .args
                    .iter()
                    .zip(self.kinds)
                    .map(|(argument, kind)| literal_type(argument, *kind)),
            )
            .collect();
        format!("{} ({})", self.name(), types.join(", "))
    }
}

/// A call of a function.
pub fn function(context: &mut Context, scopes: &Scopes, met: &Call) {
    let name = met.name();
    if met.call.is_operator_call() || !is_name(name) {
        return;
    }
    if !met.call.namespace.is_empty() {
        return of_module(context, scopes, met);
    }
    let holds_closure = scopes.find(name).is_some_and(|variable| variable.kind == Some("Closure"));
    if holds_closure && (context.is_own(name) || context.surface.has(name)) {
        return context.refuse(met.place, calls::ambiguous(name));
    }
    let may_be_own = context.is_blind && !context.surface.has(name);
    if may_be_own || context.own_takes(name, met.count(), met.cell) {
        return;
    }
    let first = met.kinds.first().copied().flatten();
    if !context.surface.takes(name, met.count(), first) {
        return context.unknown_function(met.signature(None), met.place, scopes);
    }
    if name == "param" && parameters::of_call(met.call, Position::NONE).is_none() {
        return context.refuse(met.place, parameters::not_literal());
    }
    // A function may be called on what it is a method of: head(f, 3).
    check_options(context, Some(""), met);
}

/// A call of a method.
pub fn method(context: &mut Context, scopes: &Scopes, on: Kind, met: &Call) {
    let name = met.name();
    let count = met.count();
    let own = [count, count + 1].iter().any(|count| context.own_takes(name, *count, met.cell));
    // A map may have a closure under any key.
    let on = on.filter(|kind| *kind != "Map");
    let is_key = on.is_none() && context.keys.contains(name);
    let may_be_own = context.is_blind && !context.surface.has(name);
    if own || is_key || may_be_own {
        return;
    }
    if !context.surface.takes(name, count + 1, on) {
        return context.unknown_function(met.signature(Some(on)), met.place, scopes);
    }
    check_options(context, on, met);
}

/// A property of a value whose kind is known.
pub fn property(context: &mut Context, scopes: &Scopes, on: Kind, name: &str, place: Place) {
    // Any name may be a key of a map or a column of a frame.
    let Some(kind) = on.filter(|kind| !matches!(*kind, "Map" | "Frame" | "Nothing" | "Closure"))
    else {
        return;
    };
    if context.surface.has_property(kind, name) {
        return;
    }
    let said = format!(
        "Unknown property '{name}' - a getter is not registered for type '{}'",
        type_word(Some(kind))
    );
    context.problem(place, &EvalAltResult::ErrorDotExpr(said, Position::NONE), scopes);
}

/// `module::name`.
pub fn module_variable(context: &mut Context, path: &Namespace, name: &str, place: Place) {
    let [module] = path.path.as_slice() else {
        return;
    };
    let module = module.name.to_string();
    if module == "global" {
        return;
    }
    let Some(known) = context.imports.get(&module) else {
        let error = EvalAltResult::ErrorModuleNotFound(module, Position::NONE);
        return context.problem(place, &error, &Scopes::default());
    };
    if known.iter().all(|page| page.as_ref().is_some_and(|page| !page.variables.contains(name))) {
        let error =
            EvalAltResult::ErrorVariableNotFound(format!("{module}::{name}"), Position::NONE);
        context.problem(place, &error, &Scopes::default());
    }
}

fn of_module(context: &mut Context, scopes: &Scopes, met: &Call) {
    let [module] = met.call.namespace.path.as_slice() else {
        return;
    };
    let module = module.name.to_string();
    let Some(pages) = context.imports.get(&module) else {
        let error = EvalAltResult::ErrorModuleNotFound(module, Position::NONE);
        return context.problem(met.place, &error, scopes);
    };
    let (name, count) = (met.name(), met.count());
    let has = |page: &super::exports::Exports| {
        page.functions.iter().any(|(known, takes)| known == name && *takes == count)
    };
    if pages.iter().all(|page| page.as_ref().is_some_and(|page| !has(page))) {
        let signature = format!("{module}::{}", met.signature(None));
        context.unknown_function(signature, met.place, scopes);
    }
}

/// Option maps among the arguments.
fn check_options(context: &mut Context, on: Kind, met: &Call) {
    let forms = context.surface.forms(on, met.name());
    let mut wrong = Vec::new();
    for (at, argument) in met.call.args.iter().enumerate() {
        wrong.extend(options::problems(&forms, at, met.count(), argument));
    }
    for (at, error) in wrong {
        let place = if at.is_none() { met.place } else { Place::of(at, met.lines_before) };
        context.refuse(place, error);
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// rhai's word for the type of an argument.
fn literal_type(argument: &Expr, kind: Kind) -> &'static str {
    match argument {
        Expr::IntegerConstant(..) => "i64",
        Expr::FloatConstant(..) => "f64",
        _ => type_word(kind),
    }
}

/// rhai's word for a kind; what only the run can tell is left open.
fn type_word(kind: Kind) -> &'static str {
    match kind {
        Some("Text") => "&str | ImmutableString | String",
        Some("Array") => "array",
        Some("Map") => "map",
        Some("Number") => "number",
        Some("Boolean") => "bool",
        Some("Closure") => "Fn",
        Some("Nothing") => "()",
        Some(other) => other,
        None => "…",
    }
}
