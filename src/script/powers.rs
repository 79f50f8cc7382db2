//! `-2 ** 2` is 4 for rhai and -4 for Python and mathematics: who writes it is asked which is meant.

use rhai::{AST, ASTNode, Expr, FnCallExpr, LexError, ParseError, ParseErrorType, Position, Stmt};

use super::edits::Text;

/// Refuses a power whose base is a minus without brackets.
pub fn check(ast: &AST, source: &str) -> Result<(), ParseError> {
    let text = Text::new(source);
    let mut found = None;
    ast.walk(&mut |nodes: &[ASTNode]| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) =
            nodes.last()
            && is_ambiguous(&text, call, *at)
        {
            found = Some(*at);
        }
        found.is_none()
    });
    found.map_or(Ok(()), |at| {
        let said =
            "`-a ** b` may mean two things: write (-a) ** b, or -(a ** b) as mathematics has it";
        let error = LexError::ImproperSymbol("**".to_string(), said.to_string());
        Err(ParseError(Box::new(ParseErrorType::BadInput(error)), at))
    })
}

fn is_ambiguous(text: &Text, call: &FnCallExpr, at: Position) -> bool {
    let (true, Some(base)) = (call.name == "**", call.args.first()) else {
        return false;
    };
    let start = match base {
        Expr::FnCall(minus, start) if minus.name == "-" && minus.args.len() == 1 => *start,
        Expr::IntegerConstant(_, start) | Expr::FloatConstant(_, start) => *start,
        _ => return false,
    };
    if !text.starts_with(start, "-") {
        return false;
    }
    // A bracket that closes between the two opened in front of the minus.
    let code = text.code_from(start);
    let mut depth = 0_i64;
    for (place, character) in code {
        if place == at {
            return true;
        }
        depth += match character {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth < 0 {
            return false;
        }
    }
    false
}
