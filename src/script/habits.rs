//! What other languages write where scripts write something else: recognised at the place where the parser stopped.

use super::assist::tokens::Kind;
use super::stumble::Place;

/// What was meant, and what to write.
pub struct Habit {
    pub message: String,
    pub hint: String,
    /// The token that it is about.
    pub at: usize,
}

/// The habit that a place shows, if it is a known one.
pub fn at(place: &Place) -> Option<Habit> {
    [
        formatted_text,
        quotes,
        comment,
        import,
        definition,
        closure,
        logic,
        word,
        conditional,
        comprehension,
        printing,
        increment,
        colon,
        loop_head,
        equals,
    ]
    .into_iter()
    .find_map(|habit| habit(place))
}

fn habit(at: usize, message: impl Into<String>, hint: impl Into<String>) -> Option<Habit> {
    Some(Habit { message: message.into(), hint: hint.into(), at })
}

/// `f"got {x}"`
fn formatted_text(place: &Place) -> Option<Habit> {
    let before = place.at.checked_sub(1)?;
    let is_prefix = matches!(place.word(before), "f" | "r" | "b" | "u" | "fr" | "rf" | "F" | "R");
    if !(is_prefix && place.is_text(place.at) && place.touches(before)) {
        return None;
    }
    let inside = place.here().trim_matches('"');
    let letter = place.word(before);
    if letter.eq_ignore_ascii_case("f") {
        let written = inside.replace('{', "${");
        return habit(
            before,
            format!("there is no {letter}\"…\""),
            format!("a text between backticks takes values in: `{written}`"),
        );
    }
    habit(
        before,
        format!("there is no {letter}\"…\""),
        format!("a text between backticks is taken as it stands, with every backslash: `{inside}`"),
    )
}

/// `'abc'`
fn quotes(place: &Place) -> Option<Habit> {
    if place.is_text(place.at) {
        return None;
    }
    let rest = place.tokens.get(place.at).and_then(|token| place.text.get(token.range.start..))?;
    let inside = rest.strip_prefix('\'')?;
    let inside = inside.split('\n').next()?.split_once('\'').map_or("abc", |(inside, _)| inside);
    habit(
        place.at,
        "a text stands between double quotes; single quotes are for one character",
        format!("write \"{}\"", inside.replace('"', "\\\"")),
    )
}

/// `# a comment`
fn comment(place: &Place) -> Option<Habit> {
    if place.here() != "#" {
        return None;
    }
    let start = place.tokens.get(place.at)?.range.end;
    let said = place.text.get(start..)?.lines().next().unwrap_or_default().trim();
    habit(place.at, "a comment begins with `//`, not with `#`", format!("write // {said}"))
}

/// `import polars as pl`, `from transformers import AutoModel`
fn import(place: &Place) -> Option<Habit> {
    let first = place.first_of_line();
    let named = first + 1;
    let is_import = match place.word(first) {
        "import" => place.is(named, Kind::Word),
        "from" => place.is(named, Kind::Word) && place.at > first,
        _ => false,
    };
    if !is_import {
        return None;
    }
    let name = place.word(named);
    let hint = format!(
        "frames, models, scores and charts are there without an import: {}. A module is imported by its path: import \"std/bbq\" as bbq;",
        match super::names::elsewhere(super::names::Kind::Variable, name) {
            Some(said) if !said.contains("import") => said,
            _ => "read(path), load_model(source), plot(frame, opts)",
        }
    );
    habit(named, format!("`{name}` is no module of ebb"), hint)
}

/// `def f(x):`, `function f(x) {…}`
fn definition(place: &Place) -> Option<Habit> {
    let first = place.first_of_line();
    let starts =
        matches!(place.word(first), "def" | "function" | "func" | "fun" | "async" | "class");
    if !starts || !place.is(first + 1, Kind::Word) {
        return None;
    }
    let word = place.word(first);
    if word == "class" {
        return habit(
            first,
            "there are no classes",
            "a map holds values together: #{ name: \"a\", size: 2 }; functions begin with `fn`",
        );
    }
    let named = if place.word(first + 1) == "def" { first + 2 } else { first + 1 };
    let last = (named..place.tokens.len()).find(|at| place.word(*at) == ")");
    let (start, end) = (place.tokens.get(named)?, last.and_then(|at| place.tokens.get(at)));
    let end = end.map_or(start.range.end, |token| token.range.end);
    let head = place.text.get(start.range.start..end)?;
    habit(
        first,
        format!("a function begins with `fn`, not with `{word}`"),
        format!("write fn {head} {{ … }}; what its last line gives is what it returns"),
    )
}

/// `lambda x: x + 1`, `x => x + 1`, `x -> x + 1`
fn closure(place: &Place) -> Option<Habit> {
    let is_lambda = place.before() == "lambda";
    if !is_lambda && !matches!(place.here(), "=>" | "->") {
        return None;
    }
    let at = if is_lambda { place.at - 1 } else { place.at };
    habit(
        at,
        format!("a closure is not written with `{}`", place.word(at)),
        "write |x| x + 1, and |a, b| a + b; one that a variable holds is called as f.call(2)",
    )
}

/// `and`, `or`, `not`
fn logic(place: &Place) -> Option<Habit> {
    match (place.here(), place.before()) {
        ("and", _) => habit(
            place.at,
            "there is no `and`",
            "write a && b of booleans, and a & b of expressions: filter(col(\"a\") > 1 & col(\"b\") < 2)",
        ),
        ("or", _) => habit(
            place.at,
            "there is no `or`",
            "write a || b of booleans, and a | b of expressions: filter(col(\"a\") > 1 | col(\"b\") < 2)",
        ),
        (next, "not") if next != "in" => habit(
            place.at - 1,
            "there is no `not`",
            format!("write !{next} of a boolean or an expression; of more than one word !(…)"),
        ),
        ("not", _) if place.word(place.at + 1) == "in" => {
            habit(place.at, "there is no `not in`", "write x !in xs")
        }
        _ => None,
    }
}

/// Words that stand for something here, told by themselves: the word, and what to write.
const WORDS: &[(&str, &str)] = &[
    ("elif", "write else if … { … }"),
    ("elsif", "write else if … { … }"),
    ("except", "write try { … } catch (error) { … }"),
    (
        "finally",
        "write try { … } catch (error) { … }; what is to happen in any case stands behind it",
    ),
    ("is", "write a == b; of what may be missing a == ()"),
    ("raise", "write throw \"what went wrong\""),
    ("assert", "write if !(condition) { throw \"what went wrong\" }"),
    ("del", "map.remove(key) and xs.remove(i) take something out; a variable needs no end"),
    ("yield", "a function gives one value: push the values to an array and return it"),
    ("global", "functions see only their arguments; a closure |x| … sees the variables around it"),
    (
        "nonlocal",
        "functions see only their arguments; a closure |x| … sees the variables around it",
    ),
    ("with", "files are read at once and closed: read(\"rows.csv\"), f.write(\"out.csv\")"),
    ("match", "write switch x { 1 => …, _ => … }"),
    ("var", "write let x = 1;"),
    ("null", "nothing, a missing value, is written ()"),
    ("nil", "nothing, a missing value, is written ()"),
    ("async", "there is nothing to wait for: every call gives its value"),
    ("await", "there is nothing to wait for: every call gives its value"),
];

fn word(place: &Place) -> Option<Habit> {
    let known = |at: usize| {
        let word = place.word(at);
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, said)| (word, at, *said))
    };
    let before = place.at.checked_sub(1).filter(|at| place.word(*at) != "is");
    let (word, at, said) = known(place.at).or_else(|| known(before?))?;
    habit(at, format!("there is no `{word}`"), said)
}

/// `x if c else y`, `c ? x : y`
fn conditional(place: &Place) -> Option<Habit> {
    let line = place.line(place.at);
    let on_line = |word: &str| {
        (place.at..place.tokens.len()).any(|at| place.line(at) == line && place.word(at) == word)
    };
    let is_python = place.here() == "if" && on_line("else");
    if is_python || place.here() == "?" {
        return habit(
            place.at,
            format!("a value by a condition is not written with `{}` behind it", place.here()),
            "write if condition { a } else { b }, which gives a value: let x = if c { 1 } else { 2 };",
        );
    }
    None
}

/// `[x * 2 for x in xs]`
fn comprehension(place: &Place) -> Option<Habit> {
    let open = place.open()?;
    if place.here() != "for" || !matches!(place.word(open), "[" | "(" | "{" | "#{") {
        return None;
    }
    let inside = place
        .text
        .get(place.tokens.get(open)?.range.end..place.tokens.get(place.at)?.range.start)?;
    let name = place.word(place.at + 1);
    let array = place.word(place.at + 3);
    habit(
        place.at,
        "there are no comprehensions",
        format!(
            "write {array}.map(|{name}| {}), and {array}.filter(|{name}| …) for a condition",
            inside.trim()
        ),
    )
}

/// `print a`
fn printing(place: &Place) -> Option<Habit> {
    let at = [place.at.checked_sub(1), Some(place.at)].into_iter().flatten();
    let mut at = at.filter(|at| matches!(place.word(*at), "print" | "debug" | "echo"));
    let at = at.rfind(|at| place.word(at + 1) != "(")?;
    let start = place.tokens.get(at + 1)?.range.start;
    let rest = place.text.get(start..)?.lines().next()?.trim().trim_end_matches(';');
    habit(at, format!("`{}` is a function", place.word(at)), format!("write print({rest})"))
}

/// `x++`
fn increment(place: &Place) -> Option<Habit> {
    let mut before = [place.at, place.at.saturating_sub(1)].into_iter();
    let at = before
        .find(|at| matches!(place.word(*at), "+" | "-") && place.word(*at) == place.word(at + 1))?;
    let sign = place.word(at);
    let name = at.checked_sub(1).map_or("x", |name| place.word(name));
    habit(at, format!("there is no `{sign}{sign}`"), format!("write {name} {sign}= 1"))
}

/// `if x:`, `f[0:3]`, `let x: int`, `{"a": 1}`
fn colon(place: &Place) -> Option<Habit> {
    if place.here() != ":" {
        return None;
    }
    let first = place.first_of_line();
    let head = place.word(first);
    if matches!(head, "if" | "for" | "while" | "else" | "try" | "elif" | "with") {
        let start = place.tokens.get(first)?.range.start;
        let written = place.text.get(start..place.tokens.get(place.at)?.range.start)?;
        return habit(
            place.at,
            "a block stands between braces, not behind a colon",
            format!("write {written} {{ … }}"),
        );
    }
    match place.open().map(|at| place.word(at)) {
        Some("[") => habit(
            place.at,
            "there are no slices with a colon",
            "of a frame f.head(n), f.tail(n) and f.slice(start, n); of an array xs.extract(0..3), of a text text[0..3]",
        ),
        Some("{")
            if place.is_text(place.at.checked_sub(1)?)
                || place.word(place.at.saturating_sub(2)) == "{" =>
        {
            habit(
                place.at,
                "a map begins with `#{`",
                "write #{ \"a\": 1 }; braces alone are a block",
            )
        }
        _ if matches!(head, "let" | "const" | "fn") => habit(
            place.at,
            "types are not written down",
            "write let x = 3; and fn f(x) { … }: a value knows its type, and type_of(x) tells it",
        ),
        _ => None,
    }
}

/// `f(x=1)`, `filter(col("a") = 1)`, `if x = 1`
fn equals(place: &Place) -> Option<Habit> {
    if place.here() != "=" {
        return None;
    }
    let before = place.at.checked_sub(1)?;
    let open = place.open();
    let first = place.word(place.first_of_line());
    if first == "fn" {
        return habit(
            place.at,
            "a parameter has no default",
            "write two functions, fn f(x) { f(x, 1) } and fn f(x, n) { … }, or hand a map over and read opts.n ?? 1",
        );
    }
    match open.map(|at| place.word(at)) {
        Some("#{") => habit(
            place.at,
            "a key and its value are divided by `:`, not by `=`",
            format!("write #{{ {}: … }}", place.word(before)),
        ),
        Some("(")
            if place.is(before, Kind::Word)
                && matches!(place.word(before.checked_sub(1)?), "(" | ",") =>
        {
            let (name, value) = (place.word(before), place.word(place.at + 1));
            habit(
                before,
                format!("`{name}=…`: arguments have no names"),
                format!(
                    "what is optional goes into a map behind the others: #{{ {name}: {value} }}; to compare, write =="
                ),
            )
        }
        _ => habit(place.at, "`=` assigns a value, `==` compares two", "write == here"),
    }
}

/// `for i = 0; i < 3; i++`
fn loop_head(place: &Place) -> Option<Habit> {
    let first = place.first_of_line();
    let is_for = place.word(first) == "for" || place.here() == "for";
    let is_head =
        place.here() == "=" || matches!(place.here(), "let" | "var") && place.before() == "(";
    (is_for && is_head).then_some(())?;
    habit(
        place.at,
        "a `for` loop goes over an array, a range or the keys of a map",
        "write for i in 0..3 { … }",
    )
}
