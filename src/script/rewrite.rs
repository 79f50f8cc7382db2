//! What a script's text becomes before rhai compiles it.
//!
//! rhai locks the variable at the head of a chain while its last method runs, so that in `fs[0].map("k", |row| fs.len())`
//! the closure finds `fs` locked. Written as `map(fs[0], "k", |row| fs.len())` the frame goes by value and nothing is locked;
//! so chains whose methods take closures and change nothing are rewritten that way. `a /= b` becomes `a = a / b`, because
//! rhai has a whole division of its own for `/=`. The text is edited within its lines, and [`Edits`] leads every position
//! back to where it was.

use rhai::{
    AST, ASTFlags, ASTNode, Engine, Expr, FnCallExpr, OpAssignment, ParseError, Position, Stmt,
};

/// The operator `/` among compiled tokens; rhai's own divides whole numbers without a fraction.
pub const DIVIDE: &str = "÷";
/// The same where `a /= b` stood: an operator that binds weaker than all others.
pub const DIVIDE_ASSIGN: &str = "divide_assign__";

/// Methods that run a closure and change nothing.
const TAKE_CLOSURES: &[&str] = &[
    "map",
    "filter",
    "filter_rows",
    "generate",
    "finetune",
    "reduce",
    "some",
    "all",
    "find",
    "find_map",
];

/// One edit within a line; columns are counted from 0 in characters.
#[derive(Clone, Debug)]
struct Edit {
    line: usize,
    column: usize,
    removed: usize,
    inserted: String,
    /// What an error about the inserted text is about.
    about: Position,
}

/// The edits of a text, in its order.
#[derive(Clone, Debug, Default)]
pub struct Edits(Vec<Edit>);

impl Edits {
    /// Where a position of the edited text was before.
    pub fn original(&self, position: Position) -> Position {
        let (Some(line), Some(column)) = (position.line(), position.position()) else {
            return position;
        };
        let mut column = column - 1;
        for edit in self.0.iter().filter(|edit| edit.line == line) {
            let length = edit.inserted.chars().count();
            if column >= edit.column + length {
                column = column + edit.removed - length;
            } else if column >= edit.column {
                return edit.about;
            } else {
                break;
            }
        }
        place(line, column)
    }

    /// The edits of a later text of the same script.
    pub fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    fn apply(&mut self, source: &str) -> String {
        self.0.sort_by_key(|edit| (edit.line, edit.column));
        let mut lines: Vec<Vec<char>> = source
            .split('\n')
            .map(|line| line.chars().collect())
            .collect();
        for edit in self.0.iter().rev() {
            if let Some(line) = lines.get_mut(edit.line - 1) {
                let end = (edit.column + edit.removed).min(line.len());
                line.splice(edit.column.min(end)..end, edit.inserted.chars());
            }
        }
        let lines: Vec<String> = lines
            .into_iter()
            .map(|line| line.into_iter().collect())
            .collect();
        lines.join("\n")
    }
}

fn place(line: usize, column: usize) -> Position {
    match (u16::try_from(line), u16::try_from(column + 1)) {
        (Ok(line), Ok(column)) => Position::new(line, column),
        _ => Position::NONE,
    }
}

/// Compiles a text of a script, rewritten. `taken` says which names are functions of the script itself: those are called as
/// they stand.
pub fn compile(
    engine: &Engine,
    source: &str,
    taken: &dyn Fn(&str) -> bool,
) -> Result<(AST, Edits), ParseError> {
    let plain = engine.compile(source)?;
    let own: Vec<String> = plain
        .iter_functions()
        .map(|function| function.name.to_string())
        .collect();
    let taken = |name: &str| taken(name) || own.iter().any(|known| known == name);
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
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes {
            [.., ASTNode::Stmt(Stmt::Assignment(parts))] => {
                let (operator, sides) = parts.as_ref();
                edits.0.extend(divide_assign(&text, operator, &sides.lhs));
            }
            [before @ .., ASTNode::Expr(chain)] if !goes_on(before.last(), chain) => {
                edits
                    .0
                    .extend(calls(&text, chain, taken).unwrap_or_default());
            }
            _ => {}
        }
        true
    });
    edits.0.sort_by_key(|edit| (edit.line, edit.column));
    edits
        .0
        .dedup_by_key(|edit| (edit.line, edit.column, edit.inserted.clone(), edit.about));
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

/// `a.b /= c` as `a.b = a.b / c`.
fn divide_assign(text: &Text, operator: &OpAssignment, left: &Expr) -> Option<Edit> {
    let (_, _, _, symbol, ..) = operator.get_op_assignment_info()?;
    let at = operator.position();
    let target = text.between(left.start_position(), at)?;
    (symbol == "/=" && text.starts_with(at, symbol)).then(|| Edit {
        line: at.line().unwrap_or(1),
        column: at.position().unwrap_or(1) - 1,
        removed: 2,
        inserted: format!("= {} {DIVIDE_ASSIGN} ", target.trim()),
        about: at,
    })
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
        links.push(Link {
            dot: *dot,
            method: link,
        });
        match further {
            Some(_) => rest = &sides.rhs,
            None => break,
        }
    }
    Some((&first.lhs, links))
}

/// The edits that make the methods of a chain function calls: an opening in front of its head, a comma for each `.name(`.
fn calls(text: &Text, chain: &Expr, taken: &dyn Fn(&str) -> bool) -> Option<Vec<Edit>> {
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
    let mut edits = Vec::new();
    let mut openings = Vec::new();
    for (place, link) in links.iter().enumerate() {
        let Some((call, at)) = link.method else {
            continue;
        };
        let inside = links
            .get(..place)
            .is_some_and(|before| before.iter().any(|link| link.method.is_none()));
        let name = call.name.as_str();
        let runs_script = call.args.iter().any(may_run_script);
        let captures = call
            .args
            .iter()
            .any(|argument| matches!(argument, Expr::Stmt(_)));
        if !TAKE_CLOSURES.contains(&name)
            || taken(name)
            || !runs_script
            || !(inside || captures || is_this)
        {
            continue;
        }
        edits.extend(text.as_comma(link.dot, name, at)?);
        openings.push(Edit {
            line: start.line()?,
            column: start.position()? - 1,
            removed: 0,
            inserted: format!("{name}("),
            about: at,
        });
    }
    // The last method is called last: its opening stands first.
    edits.extend(openings.into_iter().rev());
    Some(edits)
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

/// A text by lines and characters, as rhai counts them.
struct Text(Vec<Vec<char>>);

impl Text {
    fn new(source: &str) -> Self {
        Self(
            source
                .split('\n')
                .map(|line| line.chars().collect())
                .collect(),
        )
    }

    fn rest(&self, at: Position) -> Option<&[char]> {
        let line = self.0.get(at.line()?.checked_sub(1)?)?;
        line.get(at.position()?.checked_sub(1)?..)
    }

    fn starts_with(&self, at: Position, word: &str) -> bool {
        let word: Vec<char> = word.chars().collect();
        self.rest(at).is_some_and(|rest| rest.starts_with(&word))
    }

    /// The text from one place to another, line breaks as spaces; none where a comment stands in between.
    fn between(&self, start: Position, end: Position) -> Option<String> {
        let mut out = String::new();
        for line in start.line()?..=end.line()? {
            let characters = self.0.get(line.checked_sub(1)?)?;
            let from = if line == start.line()? {
                start.position()? - 1
            } else {
                0
            };
            let to = if line == end.line()? {
                end.position()? - 1
            } else {
                characters.len()
            };
            out.extend(characters.get(from..to)?);
            out.push(' ');
        }
        (!out.contains("//") && !out.contains("/*")).then_some(out)
    }

    /// `.name(` as blanks and a comma, which moves nothing. Only white space may stand in front of the bracket.
    fn as_comma(&self, dot: Position, name: &str, at: Position) -> Option<Vec<Edit>> {
        if !self.starts_with(dot, ".") || !self.starts_with(at, name) {
            return None;
        }
        let length = name.chars().count();
        let behind = self.rest(at)?.get(length..)?;
        let gap = behind
            .iter()
            .take_while(|character| character.is_whitespace())
            .count();
        if behind.get(gap) != Some(&'(') {
            return None;
        }
        let edit = |position: Position, removed: usize, inserted: String| {
            Some(Edit {
                line: position.line()?,
                column: position.position()? - 1,
                removed,
                inserted,
                about: at,
            })
        };
        let call = format!("{}{},", " ".repeat(length), " ".repeat(gap));
        Some(vec![
            edit(dot, 1, " ".to_string())?,
            edit(at, length + gap + 1, call)?,
        ])
    }
}
