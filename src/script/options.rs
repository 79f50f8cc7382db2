//! Option maps: every key read once, types checked, and what is left over named with its nearest known key.

use std::cell::RefCell;

use rhai::{Dynamic, Map};

use crate::error::{Error, Result};

/// What to try where a float came in place of a whole number.
pub const WHOLE_HINT: &str = "`/` gives a number with a fraction: div_floor(a, b) divides whole numbers, number.to_int() cuts a fraction off";

/// The options of one call. Read each key with a typed getter, then call [`Options::finish`], which refuses keys that
/// no getter asked for.
pub struct Options {
    function: &'static str,
    map: Map,
    asked: RefCell<Vec<&'static str>>,
}

impl Options {
    pub fn new(function: &'static str, map: Map) -> Self {
        Self { function, map, asked: RefCell::default() }
    }

    /// No options given.
    pub fn none(function: &'static str) -> Self {
        Self::new(function, Map::new())
    }

    /// The raw value of a key; `()` counts as not given.
    pub fn value(&self, key: &'static str) -> Option<Dynamic> {
        self.asked.borrow_mut().push(key);
        self.map.get(key).filter(|value| !value.is_unit()).cloned()
    }

    pub fn text(&self, key: &'static str) -> Result<Option<String>> {
        self.typed(key, "a string", |value| value.into_string().ok())
    }

    pub fn integer(&self, key: &'static str) -> Result<Option<i64>> {
        self.typed(key, "a whole number", |value| value.as_int().ok())
    }

    /// A whole number of at least `least`.
    pub fn count(&self, key: &'static str, least: usize) -> Result<Option<usize>> {
        self.typed(key, &format!("a whole number of at least {least}"), |value| {
            usize::try_from(value.as_int().ok()?).ok().filter(|n| *n >= least)
        })
    }

    pub fn number(&self, key: &'static str) -> Result<Option<f64>> {
        self.typed(key, "a number", |value| {
            value.as_float().ok().or_else(|| value.as_int().ok().map(|n| n as f64))
        })
    }

    pub fn boolean(&self, key: &'static str) -> Result<Option<bool>> {
        self.typed(key, "true or false", |value| value.as_bool().ok())
    }

    /// An array of strings; a single string counts as an array of one.
    pub fn texts(&self, key: &'static str) -> Result<Option<Vec<String>>> {
        self.typed(key, "a string or an array of strings", |value| {
            if value.is_string() {
                return value.into_string().ok().map(|text| vec![text]);
            }
            value.into_array().ok()?.into_iter().map(|item| item.into_string().ok()).collect()
        })
    }

    fn typed<T>(
        &self,
        key: &'static str,
        expected: &str,
        convert: impl FnOnce(Dynamic) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let got = super::convert::describe(&value);
        let whole = value.is_float() && expected.starts_with("a whole number");
        convert(value).map(Some).ok_or_else(|| {
            let error =
                Error::invalid(format!("option `{key}` of {}", self.function), expected, got);
            if whole { error.with_hint(WHOLE_HINT) } else { error }
        })
    }

    /// Refuses the first key that no getter asked for.
    pub fn finish(self) -> Result<()> {
        let asked = self.asked.into_inner();
        match self.map.keys().find(|key| !asked.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(super::names::option(Error::unknown("option", key.as_str(), asked))),
        }
    }
}
