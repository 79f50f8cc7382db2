//! The parameters of a script, found without running it: every `param("name", default, "doc")` with literal arguments.

use rhai::{AST, ASTNode, Dynamic, Engine, Expr, FnCallExpr, Position, Scope, Stmt};
use serde_json::Value;

use super::edits::Edits;
use super::parser::parser;
use super::report::{self, ScriptError};
use super::said::Known;
use super::syntax;
use super::typed::default_value;
use crate::error::Error;

/// A parameter as the script declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub name: String,
    /// A string, whole number, number or boolean; a value given on the command line is read as the same.
    pub default: Value,
    pub doc: String,
    /// The line of the script, from 1.
    pub line: usize,
}

/// A cell's code with the lines of the file in front of it.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    pub lines_before: usize,
    pub text: &'a str,
}

/// Reads the parameters out of a script's cells in the order in which they stand there. `whole` is the script that an
/// error's line is quoted from. A text that does not parse is an error, and so is a name or default that is no literal.
pub fn find(name: &str, whole: &str, cells: &[Code]) -> Result<Vec<Declared>, Box<ScriptError>> {
    let engine = parser();
    let known = Known { engine: &engine, scope: &Scope::new(), library: &AST::empty() };
    let mut found: Vec<Declared> = Vec::new();
    for cell in cells {
        let explain =
            |error: Box<_>| report::explain(&error, &known, name, whole, &Edits::default());
        let declared = of_cell(&engine, cell).map_err(explain)?;
        for parameter in declared {
            if !found.iter().any(|known| known.name == parameter.name) {
                found.push(parameter);
            }
        }
    }
    Ok(found)
}

/// The line of the first parameter whose name cannot be typed as an option, and why; `taken` are the door's own options.
pub fn unusable_name(declared: &[Declared], taken: &[String]) -> Option<(usize, String)> {
    declared.iter().find_map(|parameter| {
        let name = &parameter.name;
        let message = if taken.contains(name) {
            format!("the parameter `{name}` has the name of an option of the command line; give it another one")
        } else if !is_word(name) {
            format!("the parameter name {name:?} cannot be typed as an option: use letters, digits and underscores")
        } else {
            return None;
        };
        Some((parameter.line, message))
    })
}

fn is_word(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.chars().all(rest)
}

fn of_cell(engine: &Engine, cell: &Code) -> Result<Vec<Declared>, Box<rhai::EvalAltResult>> {
    let padded = format!("{}{}", "\n".repeat(cell.lines_before), cell.text);
    let ast = engine
        .compile(&padded)
        .map_err(|error| syntax::taught(error, &padded, cell.lines_before))?;
    let mut found = Vec::new();
    let mut wrong = None;
    ast.walk(&mut |nodes: &[ASTNode]| {
        let call = match nodes.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, position))) => Some((call, position)),
            Some(ASTNode::Stmt(Stmt::FnCall(call, position))) => Some((call, position)),
            _ => None,
        };
        if let Some((call, position)) = call
            && call.name == "param"
            && call.namespace.is_empty()
        {
            match of_call(call, *position) {
                Some(parameter) => found.push(parameter),
                None => wrong = wrong.or(Some(*position)),
            }
        }
        true
    });
    match wrong {
        None => Ok(found),
        Some(position) => Err(super::failure::raise_at(position, not_literal())),
    }
}

/// The parameter that a call of `param` declares; none where its name, default or text is no literal.
pub fn of_call(call: &FnCallExpr, position: Position) -> Option<Declared> {
    let literals = call.args.iter().map(|argument| argument.get_literal_value(None));
    declared(&literals.collect::<Option<Vec<Dynamic>>>()?, position)
}

/// What is said about any other call of it.
pub fn not_literal() -> Error {
    Error::failed_with_hint(
        "`param` needs a name and a default that stand there as they are",
        "it is called as param(\"name\", default, \"what it is\"), where the default is a number, string or boolean; the command \
         line is read before the script runs",
    )
}

fn declared(literals: &[Dynamic], position: Position) -> Option<Declared> {
    let (name, default, doc) = match literals {
        [name, default] => (name, default, None),
        [name, default, doc] => (name, default, Some(doc)),
        _ => return None,
    };
    let doc = match doc {
        Some(doc) => doc.clone().into_string().ok()?,
        None => String::new(),
    };
    Some(Declared {
        name: name.clone().into_string().ok()?,
        default: default_value(default)?,
        doc,
        line: position.line().unwrap_or(1),
    })
}
