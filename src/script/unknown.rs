//! Names that are none, and calls that fit no form: what a variable, a property or a function could have meant.

use std::any::TypeId;

use rhai::{AST, Engine, Scope};

use super::api;
use super::assist::entries::{self, Entry};
use super::failure::Failure;
use super::modules;
use super::names::{self, Kind};
use super::operators;
use super::options::WHOLE_HINT;
use super::said::{Around, Known, Said, friendly_types, lower_first, plain, with_hint};
use crate::error::nearest;

/// What to try where `()` came in place of a value.
const NOTHING_HINT: &str = "a value is `()`, nothing: push, insert, append and clear change what they are called on and give \
     nothing, and so does a function whose last line ends with a semicolon; a frame's missing value is `()` too, and so is a \
     key that a map does not have yet: counts[word] = (counts[word] ?? 0) + 1";

/// What to try where a text stands beside a number.
const TEXT_HINT: &str = "parse_float(text) and parse_int(text) make a number of a text, number.to_string() a text of a number";

/// What to write where a frame was asked for a column by a name that is a function, or another tool's.
pub fn column_or_function(failure: &Failure, around: &Around) -> Option<String> {
    let rest = failure.message.strip_prefix("unknown column `")?;
    let (name, _) = rest.split_once('`')?;
    let behind =
        around.behind.strip_prefix('.').or(around.before.ends_with('.').then_some(around.behind));
    let is_property = behind.is_some_and(|behind| behind.starts_with(name));
    is_property.then_some(())?;
    let known = entries::entries();
    let said = match names::elsewhere(Kind::Property("Frame"), name) {
        Some(said) => said.to_string(),
        None if known.iter().any(|entry| entry.on == "Frame" && entry.name == name) => {
            format!("`{name}` is a function: write f.{name}(…)")
        }
        None => return None,
    };
    Some(match &failure.hint {
        Some(hint) => format!("{said}; {hint}"),
        None => said,
    })
}

/// What to write where a function of a type was named without its brackets, or by another tool's name.
pub fn as_a_call(kind: &str, name: &str, known: &Known) -> Option<String> {
    let on = owner_of(kind);
    if let Some(said) = names::elsewhere(Kind::Property(kind), name) {
        return Some(said.to_string());
    }
    let mut methods = entries::entries().into_iter();
    let form = methods.find(|entry| entry.on == on && entry.name == name).map(|entry| entry.form);
    let builtin = || function_names(known).iter().any(|function| function == name);
    match form {
        Some(form) => Some(format!("`{name}` is a function: {form}")),
        None if on == "Map" && builtin() => {
            Some(format!("`{name}` is a function: write map.{name}()"))
        }
        None => None,
    }
}

/// A variable that there is not.
pub fn unknown_variable(name: &str, scope: &Scope, around: &Around) -> Said {
    let known: Vec<&str> = scope.iter_raw().map(|(known, _, _)| known).collect();
    if known.contains(&name) {
        return with_hint(
            format!(
                "`{name}` is not known inside the function: functions see only their arguments"
            ),
            format!(
                "hand `{name}` over as an argument, or write a closure, which sees the variables around it: let f = |x| …"
            ),
        );
    }
    if let Some(hint) = undeclared(name, around) {
        return with_hint(format!("there is no variable `{name}`"), hint);
    }
    plain(match nearest(name, known) {
        Some(near) => format!("there is no variable `{name}`, did you mean `{near}`?"),
        None => format!("there is no variable `{name}`"),
    })
}

/// What was meant by a variable that is none, as what stands around it tells.
fn undeclared(name: &str, around: &Around) -> Option<String> {
    let behind = around.behind.strip_prefix(name).unwrap_or_default().trim_start();
    if around.before.trim_end().ends_with("import") {
        let said = names::elsewhere(Kind::Variable, name).filter(|said| said.contains("import"));
        return Some(format!(
            "{}; a module is imported by its path: import \"std/bbq\" as bbq;",
            said.unwrap_or("frames, models, scores and charts are there without an import")
        ));
    }
    let is_module = |line: &str| {
        line.trim_start().starts_with("import ")
            && line.trim_end().ends_with(&format!(" as {name};"))
    };
    if behind.starts_with('.') && around.text.lines().any(is_module) {
        return Some(format!("it is a module: its functions are called as {name}::function(…)"));
    }
    if let Some(said) = names::elsewhere(Kind::Variable, name) {
        return Some(said.to_string());
    }
    let operator = behind.get(..2).unwrap_or(behind);
    if around.before.trim().is_empty() && behind.starts_with('=') && operator != "==" {
        return Some(
            format!("a variable is declared with `let`: let {} ", around.behind.trim_end())
                .trim_end()
                .to_string(),
        );
    }
    if matches!(operator, "+=" | "-=" | "*=" | "/=" | "%=") {
        return Some(format!("it needs a value before it can be changed: let {name} = 0;"));
    }
    None
}

/// "name (type, type)" → what was called wrongly: a known name with other arguments, or an unknown name.
pub fn unknown_function(signature: &str, known: &Known, around: &Around) -> Said {
    let (name, arguments) = match signature.split_once(" (") {
        Some((name, rest)) => (name, rest.strip_suffix(')').unwrap_or(rest)),
        None => (signature, ""),
    };
    let name = operators::written(name);
    let types = friendly_types(arguments);
    if let Some((module, function)) = name.split_once("::") {
        return of_module(module, function, &types, around);
    }
    if name.starts_with("anon$") {
        let parameters = forms_of(name, known.library).join("");
        let parameters = parameters.trim_start_matches(name).trim_matches(['(', ')']);
        return with_hint(
            format!("the closure |{parameters}| cannot be called with ({types})"),
            "a closure is handed as many values as it has parameters: (|a, b| a + b).call(1, 2)"
                .to_string(),
        );
    }
    if arguments.contains("f64") && wants_whole(name, arguments, known.engine) {
        return with_hint(
            format!("`{name}`: expected a whole number, got a number with a fraction"),
            WHOLE_HINT.to_string(),
        );
    }
    if arguments.split(", ").any(|kind| kind == "()") {
        let work = if name.starts_with(|first: char| first.is_alphabetic() || first == '_') {
            format!("`{name}` cannot be called with ({types})")
        } else {
            format!("the operator `{name}` does not work on {types}")
        };
        return with_hint(work, NOTHING_HINT.to_string());
    }
    if !name.starts_with(|first: char| first.is_alphabetic() || first == '_') {
        return operator(name, &types);
    }
    if known.scope.get(name).is_some_and(|value| value.is::<rhai::FnPtr>()) {
        let handed = around.behind.strip_prefix(name).and_then(|rest| rest.split_once(')'));
        let handed = handed.filter(|(inside, _)| inside.matches('(').count() == 1);
        let handed = handed.map_or("(…", |(handed, _)| handed);
        return with_hint(
            format!("`{name}` is a variable that holds a closure, not a function"),
            format!("call it as {name}.call{handed})"),
        );
    }
    wrongly_called(name, &types, known)
}

/// An operator between values that it is not for.
fn operator(name: &str, types: &str) -> Said {
    let message = format!("the operator `{name}` does not work on {types}");
    let texts = types.contains("string") && (types.contains("integer") || types.contains("number"));
    let hint = if name == "%" && types.starts_with("string") {
        Some("a text between backticks takes values in: `got ${x}`")
    } else if name == "+" && types.starts_with("map") {
        Some("map.key = value sets a key, and map.mixin(other) takes in those of another map")
    } else if texts {
        Some(TEXT_HINT)
    } else {
        None
    };
    Said { hint: hint.map(str::to_string), ..plain(message) }
}

/// A function that is not there, or not for these arguments.
fn wrongly_called(name: &str, types: &str, known: &Known) -> Said {
    let wrongly = format!("`{name}` cannot be called with ({types})");
    let first = types.split(", ").next().unwrap_or_default();
    let forms = forms_of(name, known.library);
    let called: Vec<Entry> =
        entries::entries().into_iter().filter(|entry| entry.name == name).collect();
    let on = owner_of(first);
    let is_own = known.library.iter_functions().any(|function| function.name == name);
    let fits = is_own || called.iter().any(|entry| entry.on == on || entry.on.is_empty());
    if !fits && let Some(said) = names::elsewhere(Kind::Call(first), name) {
        let is_there =
            !called.is_empty() || function_names(known).iter().any(|known| known == name);
        let message = if !is_there {
            format!("there is no function `{name}` for ({types})")
        } else {
            wrongly
        };
        return with_hint(message, said.to_string());
    }
    if !forms.is_empty() {
        let hint = format!("it is called as {}", forms.join(" or "));
        let owners = called.iter().map(|entry| entry.on.as_str());
        let mut owners: Vec<&str> = owners.filter(|on| !on.contains('.')).collect();
        owners.sort_unstable();
        owners.dedup();
        let works = format!("`{name}` works on a {}, not on a {first}", owners.join(" or a "));
        let is_wrong_type = !fits && !first.is_empty() && !owners.is_empty();
        return with_hint(if is_wrong_type { works } else { wrongly }, hint);
    }
    let names = function_names(known);
    plain(match nearest(name, names.iter().map(String::as_str)) {
        Some(near) if near == name => wrongly,
        Some(near) => format!("there is no function `{name}`, did you mean `{near}`?"),
        None => format!("there is no function `{name}` for ({types})"),
    })
}

/// The word that the reference has for a type.
fn owner_of(kind: &str) -> &str {
    match kind {
        "string" => "Text",
        "array" => "Array",
        "map" => "Map",
        "integer" | "number" => "Number",
        other => other,
    }
}

/// A function that a module does not have, or not for these arguments.
fn of_module(module: &str, function: &str, types: &str, around: &Around) -> Said {
    let mut imported = around.text.lines().filter_map(|line| {
        let (path, name) = line.trim().strip_prefix("import \"")?.split_once("\" as ")?;
        (name.trim_end_matches(';').trim() == module).then_some(path)
    });
    let forms = imported.next_back().map(modules::standard_forms).unwrap_or_default();
    let name_of = |form: &str| form.split('(').next().unwrap_or_default().to_string();
    let names: Vec<String> = forms.iter().map(|form| name_of(form)).collect();
    let written = |form: &String| format!("{module}::{form}");
    if names.iter().any(|name| name == function) {
        let own: Vec<String> =
            forms.iter().filter(|form| name_of(form) == function).map(written).collect();
        return with_hint(
            format!("`{module}::{function}` cannot be called with ({types})"),
            format!("it is called as {}", own.join(" or ")),
        );
    }
    let near = nearest(function, names.iter().map(String::as_str));
    let near = near.map_or(String::new(), |near| format!(", did you mean `{module}::{near}`?"));
    Said {
        hint: (!forms.is_empty()).then(|| {
            format!("it has {}", forms.iter().map(written).collect::<Vec<_>>().join(", "))
        }),
        ..plain(format!("there is no function `{module}::{function}`{near}"))
    }
}

/// Whether a function of this name takes whole numbers where floats were given.
fn wants_whole(name: &str, arguments: &str, engine: &Engine) -> bool {
    if !name.starts_with(|first: char| first.is_alphabetic()) {
        return matches!(name, ".." | "..=");
    }
    let given: Vec<&str> = arguments.split(", ").collect();
    let fits = |info: rhai::FuncInfo| {
        let function = info.metadata;
        let whole = TypeId::of::<i64>();
        let expected = function.param_types.iter().zip(&given);
        let mut floats = expected.filter(|(_, kind)| **kind == "f64").peekable();
        let all = floats.peek().is_some() && floats.all(|(expected, _)| *expected == whole);
        let first = given.first().copied().unwrap_or_default();
        let first_fits = first == "f64" || takes(function.param_types.first(), first);
        (function.name == name && function.param_types.len() == given.len() && all && first_fits)
            .then_some(())
    };
    !engine.collect_fn_metadata(None, fits, true).is_empty()
}

/// Whether a parameter is of the type that the first argument has; unknown types pass.
fn takes(parameter: Option<&TypeId>, kind: &str) -> bool {
    let expected = match kind {
        "Frame" => TypeId::of::<api::frame::Frame>(),
        "Expr" => TypeId::of::<api::expr::Expr>(),
        "array" => TypeId::of::<rhai::Array>(),
        "map" => TypeId::of::<rhai::Map>(),
        "i64" => TypeId::of::<i64>(),
        kind if kind.contains("ImmutableString") => TypeId::of::<rhai::ImmutableString>(),
        _ => return true,
    };
    parameter == Some(&expected) || parameter == Some(&TypeId::of::<rhai::Dynamic>())
}

/// "Frame.head" is called as "head".
fn short(full: &'static str) -> &'static str {
    full.rsplit('.').next().unwrap_or(full)
}

/// The forms in which a function is called: the script's own, else the reference's.
fn forms_of(name: &str, library: &AST) -> Vec<String> {
    let own = library.iter_functions().filter(|function| function.name == name);
    let own: Vec<String> =
        own.map(|function| format!("{name}({})", function.params.join(", "))).collect();
    if !own.is_empty() {
        return own;
    }
    api::all()
        .filter(|record| short(record.name) == name)
        .flat_map(|record| record.signatures.iter())
        .filter(|form| form.contains(&format!("{name}(")))
        .map(|form| form.to_string())
        .collect()
}

fn function_names(known: &Known) -> Vec<String> {
    let records = api::all().map(|record| short(record.name).to_string());
    let own = known.library.iter_functions();
    let own = own.map(|function| function.name.to_string());
    let builtin =
        known.engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
    records
        .chain(own)
        .chain(builtin)
        .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .collect()
}

/// "Unknown property 'x' - a getter is not registered for type 'y'" in our words.
pub fn property(text: &str, known: &Known) -> Said {
    let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [name, kind, ..] => {
            let kind = friendly_types(kind);
            let message = format!("there is no property `{name}` in {kind}");
            Said { hint: as_a_call(&kind, name, known), ..plain(message) }
        }
        _ => plain(lower_first(text)),
    }
}
