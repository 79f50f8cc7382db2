//! What may be called: the functions that an engine has, by the kinds of what they take, and the reference's forms.

use std::any::TypeId;
use std::collections::HashMap;

use rhai::{Array, Dynamic, Engine, FnPtr, FuncInfo, ImmutableString, Map};

use crate::display::Chart;
use crate::model::Model;
use crate::script::api::expr::Expr;
use crate::script::api::tokenizer::TokenizerFile;
use crate::script::api::toxicity::Scorer;
use crate::script::assist::entries::{self, Entry};
use crate::script::values::Frame;

/// What kind of thing an expression gives, in the words that records begin with; `None` where only the run can tell.
pub type Kind = Option<&'static str>;

/// The kinds that are told apart.
const KINDS: [&str; 11] = [
    "Frame",
    "Expr",
    "Model",
    "Scorer",
    "Plot",
    "Tokenizer",
    "Text",
    "Array",
    "Map",
    "Number",
    "Boolean",
];

/// What rhai itself answers, without a function of that name.
const OF_THE_LANGUAGE: [&str; 9] =
    ["call", "curry", "Fn", "is_shared", "is_def_fn", "is_def_var", "type_of", "print", "debug"];

/// How rhai calls the function that reads a property, and the one that reads `x[index]`.
const GETTER: &str = "get$";
const INDEXER: &str = "index$get$";

/// The functions of an engine and the forms of the reference.
pub struct Surface {
    functions: HashMap<String, Vec<Vec<TypeId>>>,
    entries: HashMap<String, Vec<Entry>>,
}

impl Surface {
    pub fn of(engine: &Engine) -> Self {
        let of_one = |info: FuncInfo| {
            let function = info.metadata;
            Some((function.name.to_string(), function.param_types.to_vec()))
        };
        let mut functions: HashMap<String, Vec<Vec<TypeId>>> = HashMap::new();
        for (name, parameters) in engine.collect_fn_metadata(None, of_one, true) {
            functions.entry(name).or_default().push(parameters);
        }
        let mut entries: HashMap<String, Vec<Entry>> = HashMap::new();
        for entry in entries::entries() {
            entries.entry(entry.name.clone()).or_default().push(entry);
        }
        Self { functions, entries }
    }

    /// Whether there is a function of a name.
    pub fn has(&self, name: &str) -> bool {
        OF_THE_LANGUAGE.contains(&name) || self.functions.contains_key(name)
    }

    /// Whether a function takes so many values, the first of them of a kind; a method's first is what it is called on.
    pub fn takes(&self, name: &str, count: usize, first: Kind) -> bool {
        if OF_THE_LANGUAGE.contains(&name) {
            return true;
        }
        let forms = self.functions.get(name).map_or(&[][..], Vec::as_slice);
        let fits = |form: &&Vec<TypeId>| form.len() == count;
        forms.iter().filter(fits).any(|form| form.first().is_none_or(|id| is_of(*id, first)))
    }

    /// Whether values of a kind have a property.
    pub fn has_property(&self, kind: &'static str, name: &str) -> bool {
        self.takes(&format!("{GETTER}{name}"), 1, Some(kind)) || self.takes(INDEXER, 2, Some(kind))
    }

    /// The reference's forms of a function (`on` is "") or of a kind's method; of all kinds' where it is not known.
    pub fn forms(&self, on: Kind, name: &str) -> Vec<&Entry> {
        let named = self.entries.get(name).map_or(&[][..], Vec::as_slice);
        let fits = |entry: &&Entry| match on {
            Some(on) => entry.on == on,
            None => !entry.on.is_empty(),
        };
        named.iter().filter(fits).collect()
    }

    /// What a function or a kind's method gives, where all its forms say the same.
    pub fn given(&self, on: &'static str, name: &str) -> Kind {
        let forms = self.forms(Some(on), name);
        let first = forms.first()?.gives.as_deref()?;
        // A form without an arrow may give something else, but for verbs of frames and expressions, which give their like.
        let says = |entry: &&Entry| {
            let told = entry.form.contains("->") || matches!(on, "Frame" | "Expr");
            told && entry.gives.as_deref() == Some(first)
        };
        forms.iter().all(says).then(|| kind_of_word(first))?
    }
}

/// A word of the reference as a kind.
fn kind_of_word(word: &str) -> Kind {
    KINDS.into_iter().find(|kind| *kind == word)
}

/// Whether a parameter takes values of a kind.
fn is_of(parameter: TypeId, kind: Kind) -> bool {
    let Some(kind) = kind else {
        return true;
    };
    let types: &[TypeId] = match kind {
        "Frame" => &[TypeId::of::<Frame>()],
        "Expr" => &[TypeId::of::<Expr>()],
        "Model" => &[TypeId::of::<Model>()],
        "Scorer" => &[TypeId::of::<Scorer>()],
        "Plot" => &[TypeId::of::<Chart>()],
        "Tokenizer" => &[TypeId::of::<TokenizerFile>()],
        "Text" => &[TypeId::of::<ImmutableString>(), TypeId::of::<String>()],
        "Array" => &[TypeId::of::<Array>()],
        "Map" => &[TypeId::of::<Map>()],
        "Number" => &[TypeId::of::<i64>(), TypeId::of::<f64>()],
        "Boolean" => &[TypeId::of::<bool>()],
        "Closure" => &[TypeId::of::<FnPtr>()],
        "Nothing" => &[TypeId::of::<()>()],
        _ => return true,
    };
    parameter == TypeId::of::<Dynamic>() || types.contains(&parameter)
}
