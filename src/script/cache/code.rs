//! The code that a closure runs: its own, and that of every function of the script that it may call, without the places where
//! it stands in its file.

use std::collections::BTreeSet;

use rhai::NativeCallContext;

use crate::error::{Error, Result};
use crate::script::host::Host;

/// Arguments that a function may have, those that a closure captured among them.
const MOST_ARGUMENTS: usize = 64;

/// The code of a function and of all that it may call. Whatever in it has the name of a function counts as a call.
pub fn of(context: &NativeCallContext, host: &Host, name: &str) -> Result<Vec<String>> {
    let mut parts = Vec::new();
    let mut known = BTreeSet::from([name.to_string()]);
    let mut ahead = vec![name.to_string()];
    let mut reads_parameters = false;
    while let Some(name) = ahead.pop() {
        let mut bodies = bodies(context, &name);
        bodies.sort();
        if bodies.is_empty() && name.starts_with("anon$") {
            return Err(Error::failed_with_hint(
                "cached cannot see the code of this closure, and would not know when it changes",
                "write the closure in the call: cached(key, || …)",
            ));
        }
        for body in bodies {
            if body.contains("global::") || body.contains("\"global\"") {
                return Err(Error::failed_with_hint(
                    "cached: what its closure calls reads a constant through `global::`, whose value is not part of the key",
                    "hand the value over as an argument",
                ));
            }
            for word in words(&body) {
                reads_parameters |= word == "param";
                if known.insert(word.to_string()) {
                    ahead.push(word.to_string());
                }
            }
            parts.push(plain(&body));
        }
    }
    // What a module's function does may have changed with any file that a module came from.
    for module in host.modules.borrow().values() {
        parts.push(module.sha256.clone());
        reads_parameters |= module.asks_parameters;
    }
    if reads_parameters {
        parts.extend(
            host.given
                .borrow()
                .iter()
                .chain(host.recorded.borrow().iter())
                .map(|(name, value)| format!("{name}={value}")),
        );
    }
    Ok(parts)
}

/// The functions of a name that scripts define, as they were parsed.
fn bodies(context: &NativeCallContext, name: &str) -> Vec<String> {
    let modules = context.iter_namespaces();
    let found = modules.flat_map(|module| {
        (0..MOST_ARGUMENTS).filter_map(|count| module.get_script_fn(name, count))
    });
    found.map(|function| format!("{:?} {:?}", function.params, function.body)).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

/// Code without places (`12:5`, `12:5-9`) and without the names of closures, which are made of places too. Texts stay whole.
fn plain(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => quoted(rest),
            c if is_word(c) => {
                let end = rest.find(|c| !is_word(c) && c != ':' && c != '-').unwrap_or(rest.len());
                let token = rest.get(..end).unwrap_or(rest);
                if is_place(token) {
                    rest = rest.get(end..).unwrap_or_default();
                    continue;
                }
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            }
            other => other.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        let bare = token.trim_matches('"');
        let is_closure = bare.starts_with("anon$") && bare.chars().all(is_word);
        out.push_str(if is_closure { "anon" } else { token });
        rest = behind;
    }
    out
}

/// Digits with a colon behind the first ones: nothing else that is parsed is shown like that outside of quotes.
fn is_place(token: &str) -> bool {
    let made = token.chars().all(|c| c.is_ascii_digit() || c == ':' || c == '-');
    let digits = token.trim_start_matches(|c: char| c.is_ascii_digit());
    made && digits
        .strip_prefix(':')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The length of a quoted text at the beginning, quotes included.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
