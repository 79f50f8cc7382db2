//! `counts[word] ?? 0`: a map's missing key is nothing where `??` says what to take then, and an error everywhere else.
//!
//! rhai fails at the key before it comes to `??`, so the last part in front of it is read by a function of ours.

use rhai::{
    ASTFlags, Dynamic, Engine, EvalAltResult, Expr, FuncRegistration, Map, NativeCallContext,
    Position,
};

use super::edits::{Edit, Text};
use super::failure::ScriptResult;

const KEY: &str = "key_or_nothing__";
const PROPERTY: &str = "property_or_nothing__";

/// One part of a chain: `.name`, or `[key]`.
struct Part<'a> {
    is_index: bool,
    /// `?.` or `?[`, which stop at nothing.
    stops: bool,
    at: Position,
    what: &'a Expr,
}

/// The edits of an expression that stands in front of `??`.
pub fn edits(text: &Text, operand: &Expr) -> Vec<Edit> {
    let parts = parts(text, operand);
    let mut edits = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let goes_on = parts.get(place + 1).is_some_and(|next| !next.stops);
        if !goes_on {
            edits.extend(read(text, part).unwrap_or_default());
        }
    }
    edits
}

fn parts<'a>(text: &Text, chain: &'a Expr) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut rest = chain;
    while let Expr::Dot(sides, flags, at) | Expr::Index(sides, flags, at) = rest {
        let further = match &sides.rhs {
            Expr::Dot(inner, ..) | Expr::Index(inner, ..) if !flags.contains(ASTFlags::BREAK) => {
                Some(&inner.lhs)
            }
            _ => None,
        };
        parts.push(Part {
            is_index: matches!(rest, Expr::Index(..)),
            // The flags of a chain of brackets may be those of the next one.
            stops: text.starts_with(*at, "?"),
            at: *at,
            what: further.unwrap_or(&sides.rhs),
        });
        if further.is_none() {
            break;
        }
        rest = &sides.rhs;
    }
    parts
}

/// `[key]` as `.key_or_nothing__(key)`, `.name` as `.property_or_nothing__("name")`.
fn read(text: &Text, part: &Part) -> Option<Vec<Edit>> {
    if part.is_index {
        let written = if part.stops { "?[" } else { "[" };
        if !text.starts_with(part.at, written) {
            return None;
        }
        let inserted = format!("{}.{KEY}(", written.trim_end_matches('['));
        let mut open = Edit::insertion(part.at, &inserted, part.at)?;
        open.removed = written.len();
        let mut close = Edit::insertion(text.closing(part.at)?, ")", part.at)?;
        close.removed = 1;
        return Some(vec![open, close]);
    }
    let Expr::Property(property, at) = part.what else {
        return None;
    };
    let name = property.2.as_str();
    if !text.starts_with(*at, name) {
        return None;
    }
    let mut edit = Edit::insertion(*at, &format!("{PROPERTY}({name:?})"), *at)?;
    edit.removed = name.chars().count();
    Some(vec![edit])
}

/// Registers the functions that read.
pub fn register(engine: &mut Engine) {
    FuncRegistration::new(KEY).with_purity(true).register_into_engine(
        engine,
        |context: NativeCallContext, value: &mut Dynamic, key: Dynamic| {
            if let Some(found) = in_map(value, &key) {
                return Ok(found);
            }
            item(&context, value, key)
        },
    );
    FuncRegistration::new(PROPERTY)
        .with_purity(true)
        .register_into_engine(engine, |context: NativeCallContext, value: &mut Dynamic, name: Dynamic| {
            if let Some(found) = in_map(value, &name) {
                return Ok(found);
            }
            let getter = format!("get${name}");
            match context.call_native_fn_raw(&getter, true, &mut [value]) {
                Err(error) if matches!(*error, EvalAltResult::ErrorFunctionNotFound(..)) => {
                    let kind = context.engine().map_type_name(value.type_name()).to_string();
                    Err(EvalAltResult::ErrorDotExpr(
                        format!("Unknown property '{name}' - a getter is not registered for type '{kind}'"),
                        context.call_position(),
                    )
                    .into())
                }
                other => other,
            }
        });
}

/// What a map has for a key; none where it is no map, or no key.
fn in_map(value: &Dynamic, key: &Dynamic) -> Option<Dynamic> {
    let map = value.read_lock::<Map>()?;
    let key = key.read_lock::<rhai::ImmutableString>()?;
    Some(map.get(key.as_str()).cloned().unwrap_or(Dynamic::UNIT))
}

/// An item of something else than a map, as brackets give it.
fn item(
    context: &NativeCallContext,
    value: &mut Dynamic,
    mut key: Dynamic,
) -> ScriptResult<Dynamic> {
    if let (Some(array), Ok(place)) = (value.read_lock::<rhai::Array>(), key.as_int()) {
        let length = i64::try_from(array.len()).unwrap_or(i64::MAX);
        let at = if place < 0 { length.saturating_add(place) } else { place };
        let found = usize::try_from(at).ok().and_then(|at| array.get(at));
        return found.cloned().ok_or_else(|| {
            EvalAltResult::ErrorArrayBounds(array.len(), place, context.call_position()).into()
        });
    }
    let name = |value: &Dynamic| context.engine().map_type_name(value.type_name()).to_string();
    let kinds = format!("{} [{}]", name(value), name(&key));
    match context.call_native_fn_raw("index$get$", true, &mut [value, &mut key]) {
        Err(error) if matches!(*error, EvalAltResult::ErrorFunctionNotFound(..)) => {
            Err(EvalAltResult::ErrorIndexingType(kinds, context.call_position()).into())
        }
        other => other,
    }
}
