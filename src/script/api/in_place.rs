//! Functions that change a text or an array where it stands. rhai's own give nothing; these give the changed value too, so
//! that `let sorted = values.sort()` holds what it says.
//!
//! What only grows or empties an array (`push`, `insert`, `append`, `clear`) gives nothing still: its value would be a copy of
//! the whole array on every call.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, FnPtr, FuncRegistration, ImmutableString, NativeCallContext};

use super::comparisons;
use crate::error::{Error, Result};
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[
    Record::new(
        "Text.replace",
        &[
            "text.replace(old, new) -> string",
            "text.trim()",
            "text.make_upper()",
            "text.make_lower()",
            "text.truncate(n)",
            "text.remove(part)",
            "text.crop(start, n)",
        ],
        "Changes the text in its variable and gives it",
        r#"let text = " a-b "; [text.trim(), text.replace("-", "+"), text]"#,
        register_texts,
    )
    .doc("to_upper(), to_lower() and sub_string(start, n) give a new text and leave the old one."),
    Record::new(
        "Array.sort",
        &[
            "array.sort() -> array",
            "array.sort(|a, b| order)",
            "array.sort_desc()",
            "array.reverse()",
            "array.dedup()",
            "array.truncate(n)",
            "array.chop(n)",
            "array.retain(|item| condition)",
            "array.reduce(|sum, item| value)",
            "array.reduce(|sum, item| value, start)",
        ],
        "Changes the array in its variable and gives it",
        "let values = [3, 1, 2]; [values.sort(), values.reverse(), values.retain(|x| x > 1), values]",
        register_arrays,
    )
    .doc(
        "The closure of `sort` gives a number below, equal to or above 0, or true where a comes before b. Without one, numbers \
         or texts are sorted. reduce without a start value begins with the first item, and reduce_rev with the last. push, insert, append and clear change the array and give nothing.",
    ),
];

/// Registers a change of a text.
fn text(engine: &mut Engine, name: &str, change: fn(&str) -> String) {
    engine.register_fn(name, move |text: &mut ImmutableString| changed(text, change(text)));
}

fn changed(text: &mut ImmutableString, new: String) -> ImmutableString {
    *text = new.into();
    text.clone()
}

fn register_texts(engine: &mut Engine, _host: &std::rc::Rc<crate::script::host::Host>) {
    text(engine, "trim", |text| text.trim().to_string());
    text(engine, "make_upper", str::to_uppercase);
    text(engine, "make_lower", str::to_lowercase);
    engine.register_fn("replace", |text: &mut ImmutableString, old: &str, new: &str| {
        changed(text, text.replace(old, new))
    });
    engine.register_fn("replace", |text: &mut ImmutableString, old: char, new: char| {
        changed(text, text.replace(old, new.encode_utf8(&mut [0; 4])))
    });
    engine.register_fn("replace", |text: &mut ImmutableString, old: char, new: &str| {
        changed(text, text.replace(old, new))
    });
    engine.register_fn("replace", |text: &mut ImmutableString, old: &str, new: char| {
        changed(text, text.replace(old, new.encode_utf8(&mut [0; 4])))
    });
    engine.register_fn("remove", |text: &mut ImmutableString, part: &str| {
        changed(text, text.replace(part, ""))
    });
    engine.register_fn("remove", |text: &mut ImmutableString, part: char| {
        changed(text, text.replace(part, ""))
    });
    engine.register_fn("truncate", |text: &mut ImmutableString, n: i64| {
        let kept = text.chars().take(usize::try_from(n).unwrap_or(0)).collect();
        changed(text, kept)
    });
    engine.register_fn("crop", |text: &mut ImmutableString, start: i64| {
        let kept = part(text, start, i64::MAX);
        changed(text, kept)
    });
    engine.register_fn("crop", |text: &mut ImmutableString, start: i64, n: i64| {
        let kept = part(text, start, n);
        changed(text, kept)
    });
}

/// `n` characters from `start` on, from the end when it is negative.
fn part(text: &str, start: i64, n: i64) -> String {
    let length = text.chars().count();
    let count = |n: i64| usize::try_from(n).unwrap_or(0);
    let skipped = if start < 0 {
        length.saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(length))
    } else {
        count(start)
    };
    text.chars().skip(skipped).take(count(n)).collect()
}

fn register_arrays(engine: &mut Engine, _host: &std::rc::Rc<crate::script::host::Host>) {
    engine.register_fn("sort", |context: NativeCallContext, array: &mut Array| {
        sort(array, false).at(&context)
    });
    engine.register_fn("sort_desc", |context: NativeCallContext, array: &mut Array| {
        sort(array, true).at(&context)
    });
    for name in ["sort", "sort_by"] {
        engine.register_fn(name, sort_by);
    }
    engine.register_fn("reverse", |array: &mut Array| {
        array.reverse();
        array.clone()
    });
    engine.register_fn("truncate", |array: &mut Array, n: i64| {
        array.truncate(usize::try_from(n).unwrap_or(0));
        array.clone()
    });
    engine.register_fn("chop", |array: &mut Array, n: i64| {
        let kept = usize::try_from(n).unwrap_or(0).min(array.len());
        array.drain(..array.len() - kept);
        array.clone()
    });
    engine.register_fn("dedup", dedup);
    engine.register_fn("retain", retain);
    for (name, from_end) in [("reduce", false), ("reduce_rev", true)] {
        FuncRegistration::new(name).with_purity(true).register_into_engine(
            engine,
            move |context: NativeCallContext, array: &mut Array, closure: FnPtr| {
                reduce(&context, array, &closure, from_end)
            },
        );
    }
}

/// Numbers or texts in order; NaN stands last.
fn sort(array: &mut Array, descending: bool) -> Result<Array> {
    let numbers = |value: &Dynamic| value.is_int() || value.is_float();
    let texts = |value: &Dynamic| value.is_string() || value.is_char();
    let first = array.first().cloned().unwrap_or_default();
    let alike: &dyn Fn(&Dynamic) -> bool = if numbers(&first) { &numbers } else { &texts };
    if array.len() > 1
        && let Some(odd) = array.iter().find(|value| !alike(value))
    {
        return Err(Error::invalid(
            "sort",
            "numbers only, or texts only",
            format!("{} beside {}", convert::describe(odd), convert::describe(&first)),
        )
        .with_hint("say the order of other values with a closure: array.sort(|a, b| a.n < b.n)"));
    }
    array.sort_by(|a, b| if descending { order(b, a) } else { order(a, b) });
    Ok(array.clone())
}

fn order(a: &Dynamic, b: &Dynamic) -> Ordering {
    let nan = |value: &Dynamic| value.as_float().is_ok_and(f64::is_nan);
    match comparisons::numbers(a, b) {
        Some(order) => order.unwrap_or_else(|| nan(a).cmp(&nan(b))),
        None => a.to_string().cmp(&b.to_string()),
    }
}

/// A merge sort: it stays in bounds whatever the closure says, equal items keep their order, and the closure's own errors
/// come out.
fn sort_by(context: NativeCallContext, array: &mut Array, closure: FnPtr) -> ScriptResult<Array> {
    let mut width = 1;
    while width < array.len() {
        let mut merged = Array::with_capacity(array.len());
        for pair in array.chunks(width.saturating_mul(2)) {
            let (left, right) = pair.split_at(width.min(pair.len()));
            let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
            while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
                let takes_right = comes_before(&context, &closure, b, a)?;
                merged.extend(if takes_right { right.next() } else { left.next() }.cloned());
            }
            merged.extend(left.chain(right).cloned());
        }
        *array = merged;
        width = width.saturating_mul(2);
    }
    Ok(array.clone())
}

/// Whether the closure puts `b` strictly in front of `a`.
fn comes_before(
    context: &NativeCallContext,
    closure: &FnPtr,
    b: &Dynamic,
    a: &Dynamic,
) -> ScriptResult<bool> {
    let said: Dynamic = closure.call_within_context(context, (b.clone(), a.clone()))?;
    let number = said.as_float().or(said.as_int().map(|whole| whole as f64));
    match (said.as_bool(), number) {
        (Ok(flag), _) => Ok(flag),
        (_, Ok(number)) => Ok(number < 0.0),
        _ => Err(Error::invalid(
            "sort",
            "a closure that gives a number or true or false",
            convert::describe(&said),
        ))
        .at(context),
    }
}

/// `reduce` without a start value begins with the first item, or from the end with the last one.
fn reduce(
    context: &NativeCallContext,
    array: &Array,
    closure: &FnPtr,
    from_end: bool,
) -> ScriptResult<Dynamic> {
    let mut places: Vec<usize> = (0..array.len()).collect();
    if from_end {
        places.reverse();
    }
    let mut items = places.into_iter().filter_map(|place| Some((array.get(place)?.clone(), place)));
    let Some((mut result, _)) = items.next() else {
        let error = Error::invalid("reduce", "a start value, as there are no items", "none");
        let error =
            error.with_hint("write it behind the closure: array.reduce(|sum, x| sum + x, 0)");
        return Err(error).at(context);
    };
    for (mut item, place) in items {
        let place = i64::try_from(place).unwrap_or(i64::MAX).into();
        let name = if from_end { "reduce_rev" } else { "reduce" };
        result = closure.call_raw_with_extra_args(
            name,
            context,
            Some(&mut item),
            [result],
            [place],
            Some(1),
        )?;
    }
    Ok(result)
}

/// Runs of equal items become one.
fn dedup(context: NativeCallContext, array: &mut Array) -> ScriptResult<Array> {
    let mut kept = Array::with_capacity(array.len());
    for item in array.iter() {
        let same = match kept.last() {
            Some(last) => context
                .call_native_fn::<bool>("==", (Dynamic::clone(last), item.clone()))
                .unwrap_or(false),
            None => false,
        };
        if !same {
            kept.push(item.clone());
        }
    }
    *array = kept;
    Ok(array.clone())
}

fn retain(context: NativeCallContext, array: &mut Array, closure: FnPtr) -> ScriptResult<Array> {
    let mut kept = Array::with_capacity(array.len());
    for item in array.iter() {
        let said: Dynamic = closure.call_within_context(&context, (item.clone(),))?;
        let keeps = said.as_bool().map_err(|_| {
            Error::invalid("retain", "a closure that gives true or false", convert::describe(&said))
        });
        if keeps.at(&context)? {
            kept.push(item.clone());
        }
    }
    *array = kept;
    Ok(array.clone())
}
