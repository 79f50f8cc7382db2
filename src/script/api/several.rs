//! Methods that take columns or expressions one by one, `f.select("a", "b")`, as well as in an array.

use std::any::TypeId;
use std::iter::{once, repeat_n};

use rhai::{Dynamic, Engine, NativeCallContext};

use crate::error::{Error, Result};
use crate::script::failure::At;

/// As many arguments one after another: more read better as an array.
const MOST: usize = 8;

/// Registers a method of `S` that takes from one to [`MOST`] arguments. `read` takes what one argument names (alone it may be an
/// array), under the name that errors call it by.
pub fn register<S, P, R>(
    engine: &mut Engine,
    name: &'static str,
    read: fn(&str, &Dynamic) -> Result<Vec<P>>,
    apply: fn(S, Vec<P>) -> Result<R>,
) where
    S: Clone + 'static,
    P: 'static,
    R: Clone + 'static,
{
    for count in 1..=MOST {
        let kinds: Vec<TypeId> =
            once(TypeId::of::<S>()).chain(repeat_n(TypeId::of::<Dynamic>(), count)).collect();
        engine.register_raw_fn(
            name,
            kinds,
            move |context: NativeCallContext, arguments: &mut [&mut Dynamic]| {
                let (on, given) = taken::<S, P>(name, arguments, read).at(&context)?;
                apply(on, given).at(&context)
            },
        );
    }
}

/// What a method is called on, and what its arguments name.
fn taken<S: Clone + 'static, P>(
    name: &str,
    arguments: &[&mut Dynamic],
    read: fn(&str, &Dynamic) -> Result<Vec<P>>,
) -> Result<(S, Vec<P>)> {
    let (on, given) = match arguments {
        [on, given @ ..] => (on.flatten_clone().try_cast::<S>(), given),
        [] => (None, arguments),
    };
    let on = on.ok_or_else(|| Error::failed(format!("`{name}` is called on something else")))?;
    let mut named = Vec::new();
    for (place, argument) in given.iter().enumerate() {
        let called = match given.len() {
            1 => name.to_string(),
            _ => format!("argument {} of {name}", place + 1),
        };
        named.extend(read(&called, &argument.flatten_clone())?);
    }
    Ok((on, named))
}
