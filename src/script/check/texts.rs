//! Texts that can be told without a run: literals, what is put together of them, and parameters.

use rhai::Expr;

use super::scopes::{Scopes, Text};

/// What an expression is, as a text; `given` says what the command line gave for a parameter.
pub fn of(
    expression: &Expr,
    scopes: &Scopes,
    given: &dyn Fn(&str) -> Option<String>,
) -> Option<Text> {
    match expression {
        Expr::StringConstant(text, _) => Some(Text::literal(text)),
        Expr::CharConstant(character, _) => Some(Text::literal(&character.to_string())),
        Expr::InterpolatedString(parts, _) => joined(parts, scopes, given),
        Expr::Variable(variable, ..) if variable.2.is_empty() => {
            scopes.find(&variable.1)?.text.clone()
        }
        Expr::FnCall(call, _) if call.name == "+" => joined(&call.args, scopes, given),
        Expr::FnCall(call, _) if call.name == "param" && call.namespace.is_empty() => {
            let [Expr::StringConstant(name, _), default, ..] = call.args.as_slice() else {
                return None;
            };
            let Expr::StringConstant(default, _) = default else {
                return None;
            };
            let typed = given(name);
            Some(Text {
                is_default: typed.is_none(),
                text: typed.unwrap_or_else(|| default.to_string()),
                parameter: Some(name.to_string()),
            })
        }
        // A block that is one expression, as the `${…}` of a text is.
        Expr::Stmt(block) => match block.statements() {
            [rhai::Stmt::Expr(inner)] => of(inner, scopes, given),
            _ => None,
        },
        _ => None,
    }
}

fn joined(parts: &[Expr], scopes: &Scopes, given: &dyn Fn(&str) -> Option<String>) -> Option<Text> {
    let mut all = Text::literal("");
    for part in parts {
        all = all.and(of(part, scopes, given)?);
    }
    Some(all)
}
