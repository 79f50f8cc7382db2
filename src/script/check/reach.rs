//! What a call reads or writes, by its name and where its paths stand.

use rhai::{Expr, FnCallExpr};

use super::found::Role;
use super::scopes::Text;
use super::surface::Kind;

/// What a call reaches for.
pub struct Reach {
    pub role: Role,
    /// Nothing where only the run can tell.
    pub what: Option<Text>,
    pub revision: Option<String>,
    /// The option that names it; empty for the call's own argument.
    pub argument: &'static str,
}

/// Functions whose first argument is a path, and methods, with the kinds that they are called on.
const FUNCTIONS: [(&str, Role); 4] = [
    ("load_model", Role::Model),
    ("load_detoxify", Role::Model),
    ("read", Role::Data),
    ("read_pieces", Role::Data),
];
const METHODS: [(&str, &[&str]); 2] =
    [("save", &["Model", "Scorer", "Plot"]), ("write", &["Frame"])];

/// Options that name a path.
const OPTIONS: [(&str, &str, Role); 4] = [
    ("load_model", "adapter", Role::Model),
    ("load_detoxify", "tokenizer", Role::Model),
    ("finetune", "dir", Role::Written),
    ("finetune", "tensorboard", Role::Written),
];

/// What a call reaches for; `on` is the kind that a method is called on.
pub fn of(on: Option<Kind>, call: &FnCallExpr, text: &dyn Fn(&Expr) -> Option<Text>) -> Vec<Reach> {
    let name = call.name.as_str();
    let mut found = Vec::new();
    let role = match on {
        None => FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, role)| *role),
        Some(kind) => METHODS
            .iter()
            .any(|(known, kinds)| *known == name && kind.is_none_or(|kind| kinds.contains(&kind)))
            .then_some(Role::Written),
    };
    if let (Some(role), Some(first)) = (role, call.args.first()) {
        let revision = option(call, "revision").and_then(text).map(|text| text.text);
        found.push(Reach { role, what: text(first), revision, argument: "" });
    }
    for (known, key, role) in OPTIONS {
        if let (true, Some(value)) = (known == name, option(call, key)) {
            found.push(Reach { role, what: text(value), revision: None, argument: key });
        }
    }
    found
}

/// The value of an option, where the map stands in the call.
fn option<'a>(call: &'a FnCallExpr, key: &str) -> Option<&'a Expr> {
    call.args.iter().find_map(|argument| match argument {
        Expr::Map(parts, _) => {
            parts.0.iter().find(|(known, _)| known.name == key).map(|(_, value)| value)
        }
        _ => None,
    })
}
