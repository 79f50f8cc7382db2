//! Functions that change a part of a text, an array or a map where it stands, and give the changed value; rhai's own give
//! nothing, or what was taken out.

use std::ops::{Range, RangeInclusive};

use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use crate::error::{Error, Result};
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[
    Record::new(
        "Array.splice",
        &[
            "array.splice(start, n, others) -> array",
            "array.splice(range, others)",
            "array.retain(range)",
            "array.pad(n, item)",
            "array.dedup(|a, b| condition)",
            "text.pad(n, part)",
            "text.crop(range)",
        ],
        "Changes a part of the array or text in its variable and gives the whole",
        r#"let a = [1, 2, 3]; [a.splice(0, 2, [9]), a.pad(4, 0), "abc".pad(5, "-"), "abcd".crop(1..3)]"#,
        |engine, _| {
            arrays(engine);
            texts(engine);
        },
    )
    .doc("drain and extract give the part itself: drain takes it out of the array, extract leaves it there. set(place, item) refuses a place that is not there."),
    Record::new(
        "Map.mixin",
        &[
            "map.mixin(other) -> map",
            "map.fill_with(other)",
            "map.retain(|key, value| condition)",
        ],
        "Changes the map in its variable and gives it",
        "let m = #{ a: 1 }; [m.mixin(#{ a: 2, b: 3 }), m.retain(|key, value| value > 2)]",
        |engine, _| maps(engine),
    )
    .doc("mixin takes all of the other map's keys, fill_with those that are missing."),
];

/// The places of `n` items from `start` on, from the end where it is negative.
fn places(length: usize, start: i64, n: i64) -> Range<usize> {
    let back = usize::try_from(start.unsigned_abs()).unwrap_or(length);
    let start = if start < 0 { length.saturating_sub(back) } else { back.min(length) };
    let n = usize::try_from(n).unwrap_or(0);
    start..start.saturating_add(n).min(length)
}

fn within(length: usize, range: &Range<i64>) -> Range<usize> {
    let start = range.start.max(0);
    places(length, start, range.end.saturating_sub(start))
}

fn open(range: &RangeInclusive<i64>) -> Range<i64> {
    *range.start()..range.end().saturating_add(1)
}

fn arrays(engine: &mut Engine) {
    engine
        .register_fn("splice", |array: &mut Array, start: i64, n: i64, others: Array| {
            splice(array, places(array.len(), start, n), others)
        })
        .register_fn("splice", |array: &mut Array, range: Range<i64>, others: Array| {
            splice(array, within(array.len(), &range), others)
        })
        .register_fn("splice", |array: &mut Array, range: RangeInclusive<i64>, others: Array| {
            splice(array, within(array.len(), &open(&range)), others)
        })
        .register_fn("retain", |array: &mut Array, start: i64, n: i64| {
            keep(array, places(array.len(), start, n))
        })
        .register_fn("retain", |array: &mut Array, range: Range<i64>| {
            keep(array, within(array.len(), &range))
        })
        .register_fn("retain", |array: &mut Array, range: RangeInclusive<i64>| {
            keep(array, within(array.len(), &open(&range)))
        })
        .register_fn("dedup", dedup)
        .register_fn(
            "set",
            |context: NativeCallContext, array: &mut Array, place: i64, item: Dynamic| {
                let at = place_of(array.len(), place).at(&context)?;
                if let Some(known) = array.get_mut(at) {
                    *known = item;
                }
                ScriptResult::Ok(())
            },
        );
}

fn splice(array: &mut Array, places: Range<usize>, others: Array) -> Array {
    array.splice(places, others);
    array.clone()
}

fn keep(array: &mut Array, places: Range<usize>) -> Array {
    array.truncate(places.end);
    array.drain(..places.start.min(places.end));
    array.clone()
}

/// Items that the closure takes for the same as the one before go.
fn dedup(context: NativeCallContext, array: &mut Array, closure: FnPtr) -> ScriptResult<Array> {
    let mut kept = Array::with_capacity(array.len());
    for item in array.iter() {
        let same = match kept.last() {
            Some(last) => {
                let said: Dynamic =
                    closure.call_within_context(&context, (Dynamic::clone(last), item.clone()))?;
                truth("dedup", &said).at(&context)?
            }
            None => false,
        };
        if !same {
            kept.push(item.clone());
        }
    }
    *array = kept;
    Ok(array.clone())
}

fn truth(name: &str, said: &Dynamic) -> Result<bool> {
    said.as_bool().map_err(|_| {
        Error::invalid(name, "a closure that gives true or false", convert::describe(said))
    })
}

fn place_of(length: usize, place: i64) -> Result<usize> {
    let at = if place < 0 {
        i64::try_from(length).unwrap_or(i64::MAX).saturating_add(place)
    } else {
        place
    };
    let at = usize::try_from(at).ok().filter(|at| *at < length);
    at.ok_or_else(|| Error::invalid("set", format!("a place below {length}"), place.to_string()))
}

fn texts(engine: &mut Engine) {
    engine
        .register_fn("crop", |text: &mut ImmutableString, range: Range<i64>| crop(text, &range))
        .register_fn("crop", |text: &mut ImmutableString, range: RangeInclusive<i64>| {
            crop(text, &open(&range))
        })
        .register_fn(
            "set",
            |context: NativeCallContext, text: &mut ImmutableString, place: i64, new: char| {
                let at = place_of(text.chars().count(), place).at(&context)?;
                let changed: String = text
                    .chars()
                    .enumerate()
                    .map(|(place, old)| if place == at { new } else { old })
                    .collect();
                *text = changed.into();
                ScriptResult::Ok(())
            },
        );
}

fn crop(text: &mut ImmutableString, range: &Range<i64>) -> ImmutableString {
    let places = within(text.chars().count(), range);
    let kept: String = text.chars().skip(places.start).take(places.len()).collect();
    *text = kept.into();
    text.clone()
}

fn maps(engine: &mut Engine) {
    engine
        .register_fn("mixin", |map: &mut Map, other: Map| {
            map.extend(other);
            map.clone()
        })
        .register_fn("fill_with", |map: &mut Map, other: Map| {
            for (key, value) in other {
                map.entry(key).or_insert(value);
            }
            map.clone()
        })
        .register_fn("retain", retain);
}

fn retain(context: NativeCallContext, map: &mut Map, closure: FnPtr) -> ScriptResult<Map> {
    let mut kept = Map::new();
    for (key, value) in map.iter() {
        let said: Dynamic =
            closure.call_within_context(&context, (key.to_string(), value.clone()))?;
        if truth("retain", &said).at(&context)? {
            kept.insert(key.clone(), value.clone());
        }
    }
    *map = kept;
    Ok(map.clone())
}
