//! The order of keys in maps that came out of frames. rhai's maps put keys in the order of the alphabet; which order they had
//! is told by the tag that rhai keeps beside every value, and that goes wherever the value goes.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rhai::{Dynamic, Identifier, Map};

/// How many orders are kept: a struct column has one, with one for each struct in it.
const MOST: usize = 1 << 20;

/// Keys in the order that they had.
type Keys = Arc<[Identifier]>;

#[derive(Default)]
struct Orders {
    numbers: HashMap<Keys, i32>,
    /// The order with number `n` stands at `n - 1`: values that nobody tagged have the tag 0.
    keys: Vec<Keys>,
}

static ORDERS: LazyLock<Mutex<Orders>> = LazyLock::new(Mutex::default);

/// A map as a script's value that remembers the order of its keys.
pub fn ordered(entries: Vec<(Identifier, Dynamic)>) -> Dynamic {
    let keys: Keys = entries.iter().map(|(key, _)| key.clone()).collect();
    let mut value = Dynamic::from(entries.into_iter().collect::<Map>());
    let mut orders = ORDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let number = match orders.numbers.get(&keys) {
        Some(number) => *number,
        None if orders.keys.len() >= MOST => 0,
        None => {
            orders.keys.push(keys.clone());
            let number = i32::try_from(orders.keys.len()).unwrap_or(0);
            orders.numbers.insert(keys, number);
            number
        }
    };
    value.set_tag(number);
    value
}

/// The order that is remembered for a map, if any: keys that were put in since are not among them.
fn remembered(value: &Dynamic) -> Option<Keys> {
    let place = usize::try_from(value.tag()).ok()?.checked_sub(1)?;
    let orders = ORDERS.lock().unwrap_or_else(PoisonError::into_inner);
    orders.keys.get(place).cloned()
}

/// Whether a map came out of a frame.
pub fn is_remembered(value: &Dynamic) -> bool {
    remembered(value).is_some()
}

/// A map's entries in the order that is remembered, those that were put in since behind them.
pub fn entries<'a>(value: &Dynamic, map: &'a Map) -> Vec<(&'a Identifier, &'a Dynamic)> {
    let Some(keys) = remembered(value) else {
        return map.iter().collect();
    };
    let known = keys.iter().filter_map(|key| map.get_key_value(key));
    let later = map.iter().filter(|(key, _)| !keys.contains(key));
    known.chain(later).collect()
}
