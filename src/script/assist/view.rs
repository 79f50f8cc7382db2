//! What a session holds, as far as help and completion look at it.

use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, FuncInfo, NativeCallContext, Scope, ScriptFnMetadata};

use super::super::host::Host;
use super::super::values::Frame;
use super::pages::{self, Own, Page};
use crate::model::Model;

/// A look into a session.
pub struct View<'a> {
    pub engine: &'a Engine,
    pub scope: &'a Scope<'static>,
    /// The script's own functions.
    pub functions: &'a [Own],
    /// Paths of modules and the names that they were imported under.
    pub imports: &'a [(String, String)],
    pub host: &'a Rc<Host>,
}

impl View<'_> {
    /// A variable's value; the newest of the name.
    pub fn variable(&self, name: &str) -> Option<&Dynamic> {
        self.scope.iter_raw().find(|(known, _, _)| *known == name).map(|(_, _, value)| value)
    }

    /// The names of the variables, newest first, each once, with what they hold.
    pub fn variables(&self) -> Vec<(&str, &Dynamic)> {
        let mut found: Vec<(&str, &Dynamic)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (name, _, value) in self.scope.iter_raw() {
            if seen.insert(name) {
                found.push((name, value));
            }
        }
        found
    }

    /// What kind of thing a value is, in the word that records begin with: "Frame", "Model", "Text".
    pub fn kind(&self, value: &Dynamic) -> String {
        match value.type_name() {
            "string" => "Text".to_string(),
            "array" => "Array".to_string(),
            "map" => "Map".to_string(),
            "i64" | "f64" => "Number".to_string(),
            "bool" => "Boolean".to_string(),
            "Fn" => "Closure".to_string(),
            // rhai's name where it was registered, else the type's path.
            other => {
                let named = self.engine.map_type_name(other);
                named.rsplit("::").next().unwrap_or(named).to_string()
            }
        }
    }

    /// A module's page, by the name that it was imported under or by its own.
    pub fn page(&self, name: &str) -> Option<(String, Page)> {
        let imported = self.imports.iter().find(|(_, alias)| alias == name);
        let path = imported.map_or_else(|| format!("std/{name}"), |(path, _)| path.clone());
        let page = pages::page(self.host, &path)?;
        Some((path, page))
    }
}

/// The functions of a script.
pub fn functions(library: &AST) -> Vec<Own> {
    library.iter_functions().map(|function| own(&function)).collect()
}

/// The functions of the script that a call stands in.
pub fn functions_of(context: &NativeCallContext) -> Vec<Own> {
    let of_script = |info: FuncInfo| {
        let is_here = info.namespace.is_empty();
        info.script.filter(|_| is_here).map(|function| own(&function))
    };
    context.engine().collect_fn_metadata(Some(context), of_script, false)
}

fn own(function: &ScriptFnMetadata) -> Own {
    Own {
        name: function.name.to_string(),
        parameters: function.params.iter().map(ToString::to_string).collect(),
        doc: pages::uncommented(&function.comments.join("\n")),
    }
}

/// The columns of a frame with their types.
pub fn columns(value: &Dynamic) -> Vec<(String, String)> {
    let frame = value.read_lock::<Frame>();
    let columns = frame.iter().flat_map(|frame| {
        let columns = frame.0.columns().iter();
        let named = columns.map(|column| (column.name().to_string(), column.dtype().to_string()));
        named.collect::<Vec<_>>()
    });
    columns.collect()
}

/// A variable, for a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub name: String,
    pub kind: String,
    /// "240 × 5", "1,049,600 parameters", "12 characters"; empty where nothing is to be counted.
    pub size: String,
}

/// The variables that scripts made, newest first.
pub fn held(view: &View) -> Vec<Held> {
    let described = view.variables().into_iter().map(|(name, value)| Held {
        name: name.to_string(),
        kind: view.kind(value),
        size: size(value),
    });
    described.collect()
}

fn size(value: &Dynamic) -> String {
    if let Some(frame) = value.read_lock::<Frame>() {
        return format!("{} rows × {} columns", frame.0.height(), frame.0.width());
    }
    if let Some(model) = value.read_lock::<Model>() {
        return format!("{} parameters", model.parameter_count());
    }
    if let Some(array) = value.read_lock::<rhai::Array>() {
        return format!("{} items", array.len());
    }
    if let Some(map) = value.read_lock::<rhai::Map>() {
        return format!("{} keys", map.len());
    }
    match value.read_lock::<rhai::ImmutableString>() {
        Some(text) => format!("{} characters", text.chars().count()),
        None => String::new(),
    }
}
