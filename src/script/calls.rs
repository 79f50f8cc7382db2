//! Calls by a name that a function and a variable share. rhai calls the function, whatever the variable holds; one who wrote
//! `let say = |text| …` means the closure.

use rhai::{AST, ASTNode, Engine, EvalAltResult, Expr, FnPtr, Position, Stmt};

use super::alone::alone;
use super::captures::CLOSURE;
use super::failure::raise_at;
use crate::error::Error;

/// Refuses calls of functions whose name a closure's variable has too. `closures` are variables known before.
pub fn check(engine: &Engine, ast: &AST, closures: &[String]) -> Result<(), Box<EvalAltResult>> {
    let whole = ast.clone_statements_only();
    let mut outer = closures.to_vec();
    outer.extend(assigned(&whole));
    let mut found = calls_of(&whole, &outer);
    for function in ast.iter_functions() {
        let (name, count) = (function.name, function.params.len());
        let body = alone(ast, name, count);
        let mut inner = assigned(&body);
        // Closures see the variables around them, functions do not.
        if name.starts_with(CLOSURE) {
            inner.extend_from_slice(&outer);
        }
        found.extend(calls_of(&body, &inner));
    }
    match found.into_iter().find(|(name, _)| is_function(engine, ast, name)) {
        None => Ok(()),
        Some((name, position)) => Err(raise_at(position, ambiguous(&name))),
    }
}

/// What is said where a call could mean either.
pub fn ambiguous(name: &str) -> Error {
    Error::failed_with_hint(
        format!(
            "`{name}` is a function and a variable that holds a closure; `{name}(…)` would call the function"
        ),
        format!("call the closure as {name}.call(…), or give it another name"),
    )
}

/// Variables that are given a closure.
fn assigned(ast: &AST) -> Vec<String> {
    let mut names = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes.last() {
            Some(ASTNode::Stmt(Stmt::Var(parts, ..))) if is_closure(&parts.1) => {
                names.push(parts.0.as_str().to_string());
            }
            Some(ASTNode::Stmt(Stmt::Assignment(parts))) if is_closure(&parts.1.rhs) => {
                if let Expr::Variable(variable, ..) = &parts.1.lhs {
                    names.push(variable.1.to_string());
                }
            }
            _ => {}
        }
        true
    });
    names
}

/// A closure as it stands: a constant, or a block that shares what it captures.
fn is_closure(expression: &Expr) -> bool {
    match expression {
        Expr::DynamicConstant(value, _) => value.is::<FnPtr>(),
        Expr::Stmt(block) => matches!(block.statements().first(), Some(Stmt::Share(_))),
        _ => false,
    }
}

fn calls_of(ast: &AST, names: &[String]) -> Vec<(String, Position)> {
    let mut found = Vec::new();
    if names.is_empty() {
        return found;
    }
    ast.walk(&mut |nodes: &[ASTNode]| {
        let (Some(ASTNode::Expr(Expr::FnCall(call, position)))
        | Some(ASTNode::Stmt(Stmt::FnCall(call, position)))) = nodes.last()
        else {
            return true;
        };
        if call.namespace.is_empty() && names.iter().any(|name| *name == call.name.as_str()) {
            found.push((call.name.to_string(), *position));
        }
        true
    });
    found
}

/// Whether rhai would find a function: the script's own, or one of the engine's.
fn is_function(engine: &Engine, ast: &AST, name: &str) -> bool {
    let own = ast.iter_functions().any(|function| function.name == name);
    let known = |info: rhai::FuncInfo| (info.metadata.name == name).then_some(());
    own || !engine.collect_fn_metadata(None, known, true).is_empty()
}
