//! What a script's text becomes before rhai compiles it.
//!
//! rhai locks the variable at the head of a chain while its last method runs, so that in `fs[0].map("k", |row| fs.len())`
//! the closure finds `fs` locked. In `by_value__(fs[0]).map("k", |row| fs.len())` the frame goes by value and nothing is
//! locked; so chains whose methods take closures and change nothing are rewritten that way. `/=` becomes an assignment of
//! ours, because rhai has a whole division of its own for it (`%=`, `<<=` and `>>=` alike), a `switch` takes 2.0 for 2, and
//! `counts[word] ?? 0` takes a missing key for nothing. The text is edited within its lines, and [`Edits`] leads every
//! position back to where it was.

use rhai::{
    AST, ASTFlags, ASTNode, Array, Dynamic, Engine, Expr, FnCallExpr, Map, OpAssignment,
    ParseError, Position, Stmt,
};

use super::edits::{Edit, Edits, Text};
use super::methods::{self, Receiver};
use super::missing;
use super::operators::{self, BY_VALUE};
use super::powers;
use super::switches;

/// The name of a changed copy.
const CHANGED: &str = "changed__";

/// Compiles a text of a script, rewritten. `taken` says which names are functions of the script itself: those are called as
/// they stand.
pub fn compile(
    engine: &Engine,
    source: &str,
    taken: &dyn Fn(&str) -> bool,
) -> Result<(AST, Edits), ParseError> {
    let plain = engine.compile(source)?;
    powers::check(&plain, source)?;
    let own: Vec<String> =
        plain.iter_functions().map(|function| function.name.to_string()).collect();
    let methods = own_methods(&plain);
    let own = |name: &str| own.iter().chain(&methods).any(|known| known == name);
    let taken = |name: &str| taken(name) || own(name);
    let mut edits = edits_of(&plain, source, &taken);
    if edits.0.is_empty() {
        return Ok((plain, edits));
    }
    let text = edits.apply(source);
    match engine.compile(&text) {
        Ok(ast) => Ok((ast, edits)),
        Err(error) => {
            let ParseError(kind, position) = error;
            Err(ParseError(kind, edits.original(position)))
        }
    }
}

fn edits_of(ast: &AST, source: &str, taken: &dyn Fn(&str) -> bool) -> Edits {
    let text = Text::new(source);
    let mut edits = Edits::default();
    let on = |name: &str| {
        if taken(name) { Receiver::Unknown } else { methods::receiver(name) }
    };
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes {
            [.., ASTNode::Stmt(Stmt::Assignment(parts))] => {
                let (operator, _) = parts.as_ref();
                edits.0.extend(assignment(&text, operator));
            }
            [.., ASTNode::Stmt(Stmt::Switch(parts, at))] => {
                edits.0.extend(switches::edits(&text, &parts.0, *at).unwrap_or_default());
            }
            [.., ASTNode::Expr(Expr::Coalesce(operands, _))] => {
                let last = operands.len().saturating_sub(1);
                for operand in operands.iter().take(last) {
                    edits.0.extend(missing::edits(&text, operand));
                }
            }
            [before @ .., ASTNode::Expr(chain)] if !goes_on(before.last(), chain) => {
                edits.0.extend(calls(&text, chain, &on).unwrap_or_default());
            }
            _ => {}
        }
        true
    });
    edits.0.sort_by_key(|edit| (edit.line, edit.column));
    edits.0.dedup_by_key(|edit| (edit.line, edit.column, edit.inserted.clone(), edit.about));
    edits
}

/// Whether an expression is the rest of the chain in its parent.
fn goes_on(parent: Option<&ASTNode>, expression: &Expr) -> bool {
    match parent {
        Some(ASTNode::Expr(Expr::Dot(sides, flags, _) | Expr::Index(sides, flags, _))) => {
            !flags.contains(ASTFlags::BREAK) && std::ptr::eq(&sides.rhs, expression)
        }
        _ => false,
    }
}

/// `a.b /= c` as `a.b ^= () divide_assign__ c`: `^=` finds the place of `a.b` once, and what it is given divides.
fn assignment(text: &Text, operator: &OpAssignment) -> Option<Edit> {
    let (_, _, _, symbol, ..) = operator.get_op_assignment_info()?;
    let at = operator.position();
    let stands = text.starts_with(at, symbol);
    let compiled = operators::assigned(symbol).filter(|_| stands)?;
    let inserted = format!("{} () {compiled} ", operators::IN_PLACE);
    let mut edit = Edit::insertion(at, &inserted, at)?;
    edit.removed = symbol.len();
    Some(edit)
}

/// A link of a chain: the place of its dot, and its method where it is one.
struct Link<'a> {
    dot: Position,
    method: Option<(&'a FnCallExpr, Position)>,
}

/// The head of a chain and its links; none where a `?.` may end it early.
fn links(chain: &Expr) -> Option<(&Expr, Vec<Link<'_>>)> {
    let (Expr::Dot(first, ..) | Expr::Index(first, ..)) = chain else {
        return None;
    };
    let mut links = Vec::new();
    let mut rest = chain;
    while let Expr::Dot(sides, flags, dot) | Expr::Index(sides, flags, dot) = rest {
        if flags.contains(ASTFlags::NEGATED) {
            return None;
        }
        let further = match &sides.rhs {
            Expr::Dot(inner, ..) | Expr::Index(inner, ..) if !flags.contains(ASTFlags::BREAK) => {
                Some(&inner.lhs)
            }
            _ => None,
        };
        let link = match further.unwrap_or(&sides.rhs) {
            Expr::MethodCall(call, at) if matches!(rest, Expr::Dot(..)) => {
                Some((call.as_ref(), *at))
            }
            _ => None,
        };
        links.push(Link { dot: *dot, method: link });
        match further {
            Some(_) => rest = &sides.rhs,
            None => break,
        }
    }
    Some((&first.lhs, links))
}

/// The edits that hand what a chain's first method with a closure is called on over by value.
fn calls(text: &Text, chain: &Expr, on: &dyn Fn(&str) -> Receiver) -> Option<Vec<Edit>> {
    let (head, links) = links(chain)?;
    let (start, name, is_this) = match head {
        Expr::Variable(variable, _, start) if variable.2.is_empty() => {
            (start, variable.1.as_str(), false)
        }
        // What a function was called on may be shared, and its closure may come as an argument.
        Expr::ThisPtr(start) => (start, "this", true),
        _ => return None,
    };
    if !text.starts_with(*start, name) {
        return None;
    }
    for (place, link) in links.iter().enumerate() {
        let Some((call, at)) = &link.method else {
            continue;
        };
        let inside = links
            .get(..place)
            .is_some_and(|before| before.iter().any(|link| link.method.is_none()));
        let name = call.name.as_str();
        let runs_script = call.args.iter().any(may_run_script);
        let captures = call.args.iter().any(|argument| matches!(argument, Expr::Stmt(_)));
        let names_one = call.args.iter().any(|argument| matches!(argument, Expr::Variable(..)));
        // What a method gave belongs to nobody: whatever is called on it may change it.
        let on_value = place
            .checked_sub(1)
            .and_then(|before| links.get(before))
            .is_some_and(|before| before.method.is_some());
        let locks = inside || captures || is_this;
        let may_lock = on_value
            || match on(name) {
                Receiver::Unchanged => locks,
                Receiver::Items => locks && !text.argument_of(at)?.contains("this"),
                Receiver::Changed => {
                    let before = place.checked_sub(1).and_then(|before| links.get(before));
                    let path =
                        Path { start: *start, last: before.map(|link| link.dot), end: link.dot };
                    if (captures || names_one)
                        && let Some(edits) = changed(text, &path, at)
                    {
                        return Some(edits);
                    }
                    false
                }
                Receiver::Unknown => false,
            };
        if !runs_script || !may_lock {
            continue;
        }
        // What stands behind the first such method goes on with its value, which nothing locks.
        return Some(vec![
            Edit::insertion(*start, &format!("{BY_VALUE}("), *at)?,
            Edit::insertion(link.dot, ")", *at)?,
        ]);
    }
    None
}

/// What a method is called on: from `start` to `end`, and where its last part begins.
struct Path {
    start: Position,
    last: Option<Position>,
    end: Position,
}

/// `a.b.sort(…)` whose closure reads `a`: a copy is sorted, and assigned where `a` holds what was sorted.
fn changed(text: &Text, path: &Path, at: &Position) -> Option<Vec<Edit>> {
    let target = text.between(path.start, path.end)?;
    if target.contains(['(', '{', '`']) {
        return None;
    }
    let target = target.trim();
    // A map may bring a method of this name that gives something else.
    let same = format!("type_of({CHANGED}) == type_of({target})");
    let condition = match path.last {
        None => same,
        Some(last) => {
            let holder = text.between(path.start, last)?;
            format!("{}({}) && {same}", operators::MAY_CHANGE, holder.trim())
        }
    };
    let assign = format!("if {condition} {{ {target} = {CHANGED}; }}");
    let closing = text.closing(*at)?;
    let mut end = Edit::insertion(closing, &format!("); {assign} {CHANGED} }})"), *at)?;
    end.removed = 1;
    Some(vec![
        Edit::insertion(path.start, &format!("({{ let {CHANGED} = {BY_VALUE}("), *at)?,
        Edit::insertion(path.end, ")", *at)?,
        end,
    ])
}

/// Methods that maps of the script bring themselves, where they may change the map that they are called on.
fn own_methods(ast: &AST) -> Vec<String> {
    let (mut names, mut changes) = (Vec::new(), false);
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes.last() {
            Some(ASTNode::Expr(Expr::Map(parts, _))) => {
                names.extend(parts.0.iter().map(|(key, _)| key.name.to_string()));
            }
            Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => keys(value, &mut names),
            Some(ASTNode::Stmt(Stmt::Assignment(parts))) => {
                changes |= matches!(head(&parts.1.lhs), Expr::ThisPtr(_));
            }
            Some(ASTNode::Expr(chain)) => {
                changes |= links(chain).is_some_and(|(head, links)| {
                    let method = links.iter().any(|link| link.method.is_some());
                    matches!(head, Expr::ThisPtr(_)) && method
                });
            }
            _ => {}
        }
        true
    });
    if changes { names } else { Vec::new() }
}

/// What a chain begins with.
fn head(chain: &Expr) -> &Expr {
    match chain {
        Expr::Dot(first, ..) | Expr::Index(first, ..) => &first.lhs,
        other => other,
    }
}

/// The keys of a constant map and of the maps in it.
fn keys(value: &Dynamic, names: &mut Vec<String>) {
    if let Some(map) = value.read_lock::<Map>() {
        names.extend(map.keys().map(ToString::to_string));
        map.values().for_each(|inner| keys(inner, names));
    }
    if let Some(array) = value.read_lock::<Array>() {
        array.iter().for_each(|inner| keys(inner, names));
    }
}

/// Whether an argument may be, or hold, a closure: anything but a plain literal.
fn may_run_script(argument: &Expr) -> bool {
    match argument {
        Expr::DynamicConstant(value, _) => value.is_fnptr(),
        Expr::BoolConstant(..) | Expr::IntegerConstant(..) | Expr::FloatConstant(..) => false,
        Expr::CharConstant(..) | Expr::StringConstant(..) | Expr::Unit(_) => false,
        _ => true,
    }
}
