//! What kind of thing an expression gives, as far as that can be told without a run.

use rhai::{ASTFlags, Expr, FnCallExpr, FnPtr};

use super::scopes::Scopes;
use super::surface::{Kind, Surface};

/// What kinds are told from.
pub struct Reader<'a> {
    pub surface: &'a Surface,
    pub scopes: &'a Scopes,
    /// Whether a name is a function of the script itself, of which nothing is known.
    pub is_own: &'a dyn Fn(&str) -> bool,
}

impl Reader<'_> {
    pub fn of(&self, expression: &Expr) -> Kind {
        match expression {
            Expr::StringConstant(..) | Expr::InterpolatedString(..) => Some("Text"),
            Expr::IntegerConstant(..) | Expr::FloatConstant(..) => Some("Number"),
            Expr::BoolConstant(..) => Some("Boolean"),
            Expr::Array(..) => Some("Array"),
            Expr::Map(..) => Some("Map"),
            Expr::Unit(_) => Some("Nothing"),
            Expr::DynamicConstant(value, _) if value.is::<FnPtr>() => Some("Closure"),
            Expr::DynamicConstant(value, _) if value.is_array() => Some("Array"),
            Expr::DynamicConstant(value, _) if value.is_map() => Some("Map"),
            Expr::Variable(variable, ..) if variable.2.is_empty() => {
                self.scopes.find(&variable.1)?.kind
            }
            Expr::FnCall(call, _) => self.of_call("", call),
            Expr::Stmt(block) if is_closure(block.statements()) => Some("Closure"),
            Expr::Dot(..) | Expr::Index(..) => self.of_chain(expression),
            _ => None,
        }
    }

    /// What a call gives; `on` is what a method is called on.
    pub fn of_call(&self, on: &'static str, call: &FnCallExpr) -> Kind {
        let plain = call.namespace.is_empty() && !call.is_operator_call();
        (plain && !(self.is_own)(&call.name)).then(|| self.surface.given(on, &call.name))?
    }

    fn of_chain(&self, chain: &Expr) -> Kind {
        let (Expr::Dot(first, ..) | Expr::Index(first, ..)) = chain else {
            return None;
        };
        let mut kind = self.of(&first.lhs);
        for link in links(chain)? {
            kind = self.of_link(kind, &link);
        }
        kind
    }

    /// What a link gives, of what it stands behind.
    pub fn of_link(&self, before: Kind, link: &Link) -> Kind {
        match link {
            Link::Method(call, _) => self.of_call(before?, call),
            Link::Index(_) => (before? == "Frame").then_some("Array"),
            Link::Property(..) => None,
        }
    }
}

/// A closure that captures variables: a block that shares them first.
pub fn is_closure(statements: &[rhai::Stmt]) -> bool {
    matches!(statements.first(), Some(rhai::Stmt::Share(_)))
}

/// A piece of a chain behind its head.
pub enum Link<'a> {
    Method(&'a FnCallExpr, rhai::Position),
    Property(&'a str, rhai::Position),
    Index(&'a Expr),
}

/// The links of a chain; none where a `?.` may end it early, or where it is no chain.
pub fn links(chain: &Expr) -> Option<Vec<Link<'_>>> {
    let mut links = Vec::new();
    let mut rest = chain;
    while let Expr::Dot(sides, flags, _) | Expr::Index(sides, flags, _) = rest {
        let goes_on = !flags.contains(ASTFlags::BREAK);
        let further = match &sides.rhs {
            Expr::Dot(inner, ..) | Expr::Index(inner, ..) if goes_on => Some(&inner.lhs),
            _ => None,
        };
        let element = further.unwrap_or(&sides.rhs);
        links.push(match (element, rest) {
            (element, Expr::Index(..)) => Link::Index(element),
            (Expr::MethodCall(call, at), _) => Link::Method(call, *at),
            (Expr::Property(property, at), _) => Link::Property(property.2.as_str(), *at),
            _ => return None,
        });
        match further {
            Some(_) => rest = &sides.rhs,
            None => break,
        }
    }
    Some(links)
}
