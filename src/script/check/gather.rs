//! What is to be known of a whole text before its first line is looked at.

use std::collections::HashSet;

use rhai::{AST, ASTNode, Array, Dynamic, Expr, Map, Position, Stmt};

/// An `import`.
pub struct Import {
    /// Nothing where only the run can tell.
    pub path: Option<String>,
    /// Nothing where it has no name.
    pub alias: Option<String>,
    pub at: Position,
}

/// What was gathered.
#[derive(Default)]
pub struct Gathered {
    pub imports: Vec<Import>,
    /// Keys of maps and names of properties: what a closure may be under.
    pub keys: HashSet<String>,
    /// Variables that are assigned to.
    pub assigned: HashSet<String>,
    /// Paths asked for with `exists`.
    pub asked: HashSet<String>,
}

pub fn of(ast: &AST) -> Gathered {
    let mut gathered = Gathered::default();
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes.last() {
            Some(ASTNode::Stmt(statement)) => of_statement(statement, &mut gathered),
            Some(ASTNode::Expr(expression)) => of_expression(expression, &mut gathered),
            _ => {}
        }
        true
    });
    gathered
}

fn of_statement(statement: &Stmt, gathered: &mut Gathered) {
    match statement {
        Stmt::Import(parts, _) => {
            let (path, alias) = parts.as_ref();
            let literal = match path {
                Expr::StringConstant(path, _) => Some(path.to_string()),
                _ => None,
            };
            let alias = Some(alias.name.to_string()).filter(|alias| !alias.is_empty());
            gathered.imports.push(Import { path: literal, alias, at: path.start_position() });
        }
        Stmt::Assignment(parts) => {
            if let Expr::Variable(variable, ..) = &parts.1.lhs {
                gathered.assigned.insert(variable.1.to_string());
            }
        }
        _ => {}
    }
}

fn of_expression(expression: &Expr, gathered: &mut Gathered) {
    match expression {
        Expr::Map(parts, _) => {
            gathered.keys.extend(parts.0.iter().map(|(key, _)| key.name.to_string()));
        }
        Expr::DynamicConstant(value, _) => keys(value, &mut gathered.keys),
        Expr::Property(property, _) => {
            gathered.keys.insert(property.2.to_string());
        }
        Expr::Index(sides, ..) => {
            if let Expr::StringConstant(key, _) = &sides.rhs {
                gathered.keys.insert(key.to_string());
            }
        }
        Expr::FnCall(call, _) if call.name == "exists" => {
            if let Some(Expr::StringConstant(path, _)) = call.args.first() {
                gathered.asked.insert(path.to_string());
            }
        }
        _ => {}
    }
}

/// The keys of a constant map and of what is in it.
fn keys(value: &Dynamic, names: &mut HashSet<String>) {
    if let Some(map) = value.read_lock::<Map>() {
        names.extend(map.keys().map(ToString::to_string));
        map.values().for_each(|inner| keys(inner, names));
    }
    if let Some(array) = value.read_lock::<Array>() {
        array.iter().for_each(|inner| keys(inner, names));
    }
}
