//! The functions and closures of a compiled text, with what stands in them.

use rhai::{AST, ASTNode, Stmt};

use crate::script::alone::alone;

/// A function, or a closure, by rhai's name.
pub struct Body {
    pub name: String,
    /// Those of a closure begin with what it captured.
    pub parameters: Vec<String>,
    pub statements: Vec<Stmt>,
}

/// All of a text.
pub fn of(ast: &AST) -> Vec<Body> {
    let all = ast.iter_functions().map(|function| {
        let alone = alone(ast, function.name, function.params.len());
        Body {
            name: function.name.to_string(),
            parameters: function.params.iter().map(ToString::to_string).collect(),
            statements: statements(&alone),
        }
    });
    all.collect()
}

/// The statements of the one function that a text has: those with nothing above them.
fn statements(ast: &AST) -> Vec<Stmt> {
    let mut found = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = nodes {
            found.push((*statement).clone());
        }
        true
    });
    found
}
