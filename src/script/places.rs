//! Where a closure read what it is handed to: rhai refuses the call before it knows its place.

use rhai::{AST, ASTNode, EvalAltResult, Expr, FnCallExpr, Position, Stmt};

/// The error with the place of the call that it is about, where it has none.
pub fn placed(mut error: Box<EvalAltResult>, ast: &AST) -> Box<EvalAltResult> {
    if let EvalAltResult::ErrorDataRace(text, position) = &*error
        && position.is_none()
        && let Some(place) = call(ast, text)
    {
        error.set_position(place);
    }
    error
}

/// The first call of the function that the error names whose arguments hold a closure; else whose arguments may.
fn call(ast: &AST, text: &str) -> Option<Position> {
    let name = text.split('\'').nth(1)?;
    let mut found: Option<(bool, Position)> = None;
    ast.walk(&mut |nodes: &[ASTNode]| {
        if let Some(
            ASTNode::Expr(Expr::MethodCall(call, at) | Expr::FnCall(call, at))
            | ASTNode::Stmt(Stmt::FnCall(call, at)),
        ) = nodes.last()
            && call.name == name
            && !call.args.is_empty()
        {
            let captures = captures(call);
            if found.is_none_or(|(before, _)| captures && !before) {
                found = Some((captures, *at));
            }
        }
        true
    });
    found.map(|(_, place)| place)
}

/// Whether an argument is, or holds, a closure that captures a variable.
fn captures(call: &FnCallExpr) -> bool {
    let mut found = false;
    for argument in &call.args {
        argument.walk(&mut Vec::new(), &mut |nodes: &[ASTNode]| {
            found |= matches!(nodes.last(), Some(ASTNode::Stmt(Stmt::Share(_))));
            !found
        });
    }
    found
}
