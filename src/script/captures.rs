//! What closures read by a name that a function and a variable share. rhai lets a closure capture a variable only where no function
//! written before it has the same name; otherwise the closure reads the function, whatever the variable holds.

use std::collections::HashSet;

use rhai::{AST, ASTNode, EvalAltResult, Expr, FnPtr, Position, Stmt};

use super::alone::alone;
use super::failure::raise_at;
use crate::error::Error;

/// How rhai's names of closures begin.
pub const CLOSURE: &str = "anon$";

/// A function of the script or a closure, by what matters here.
struct Body {
    name: String,
    parameters: Vec<String>,
    facts: Facts,
}

/// What stands in a body, without the bodies of the closures in it.
#[derive(Default)]
struct Facts {
    declared: HashSet<String>,
    closures: Vec<String>,
    read: Vec<(String, Position)>,
}

/// Refuses closures that read a function where they mean a variable around them. `variables` are those known before.
pub fn check(ast: &AST, variables: &[String]) -> Result<(), Box<EvalAltResult>> {
    let bodies = bodies(ast);
    let functions: HashSet<&str> = bodies
        .iter()
        .map(|body| body.name.as_str())
        .filter(|name| !name.starts_with(CLOSURE))
        .collect();
    if functions.is_empty() {
        return Ok(());
    }
    let top = facts(&ast.clone_statements_only());
    let around: HashSet<String> = top.declared.iter().chain(variables).cloned().collect();
    let top = Holder { facts: &top, seen: around, within: Vec::new() };
    let mut waiting = vec![top];
    for body in bodies.iter().filter(|body| !body.name.starts_with(CLOSURE)) {
        waiting.push(Holder { facts: &body.facts, seen: own(body), within: Vec::new() });
    }
    // A closure sees what the one that holds it sees.
    while let Some(holder) = waiting.pop() {
        for body in bodies.iter().filter(|body| holder.holds(body)) {
            let own = own(body);
            let mistaken = body.facts.read.iter().find(|(name, _)| {
                functions.contains(name.as_str())
                    && holder.seen.contains(name)
                    && !own.contains(name)
            });
            if let Some((name, position)) = mistaken {
                return Err(raise_at(*position, ambiguous(name)));
            }
            let within = holder.within.iter().copied().chain([body.name.as_str()]).collect();
            let seen = holder.seen.union(&own).cloned().collect();
            waiting.push(Holder { facts: &body.facts, seen, within });
        }
    }
    Ok(())
}

/// A body that holds closures, the variables that they see in it, and the closures that it stands in.
struct Holder<'a> {
    facts: &'a Facts,
    seen: HashSet<String>,
    within: Vec<&'a str>,
}

impl Holder<'_> {
    /// Whether a closure stands here; rhai's walk finds a closure within itself, too.
    fn holds(&self, body: &Body) -> bool {
        self.facts.closures.contains(&body.name) && !self.within.contains(&body.name.as_str())
    }
}

fn ambiguous(name: &str) -> Error {
    Error::failed_with_hint(
        format!(
            "`{name}` is a function and a variable around this closure; the closure would read the function"
        ),
        "give the variable or the function another name",
    )
}

/// The names that a body declares itself; a closure's parameters begin with what it captured.
fn own(body: &Body) -> HashSet<String> {
    body.parameters.iter().chain(&body.facts.declared).cloned().collect()
}

fn bodies(ast: &AST) -> Vec<Body> {
    let all = ast.iter_functions();
    all.map(|function| {
        let alone = alone(ast, function.name, function.params.len());
        Body {
            name: function.name.to_string(),
            parameters: function.params.iter().map(ToString::to_string).collect(),
            facts: facts(&alone),
        }
    })
    .collect()
}

fn facts(ast: &AST) -> Facts {
    let mut facts = Facts::default();
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes.last() {
            Some(ASTNode::Stmt(Stmt::Var(parts, ..))) => {
                facts.declared.insert(parts.0.as_str().to_string());
            }
            Some(ASTNode::Stmt(Stmt::For(parts, _))) => {
                let names = [Some(&parts.0), parts.1.as_ref()];
                facts
                    .declared
                    .extend(names.into_iter().flatten().map(|name| name.name.to_string()));
            }
            Some(ASTNode::Stmt(Stmt::TryCatch(parts, _))) => {
                if let Expr::Variable(variable, ..) = &parts.expr {
                    facts.declared.insert(variable.1.to_string());
                }
            }
            Some(ASTNode::Expr(Expr::Variable(variable, _, position))) => {
                facts.read.push((variable.1.to_string(), *position));
            }
            Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => {
                let pointer = value.clone().try_cast::<FnPtr>();
                facts.closures.extend(pointer.map(|pointer| pointer.fn_name().to_string()));
            }
            _ => {}
        }
        true
    });
    facts
}
