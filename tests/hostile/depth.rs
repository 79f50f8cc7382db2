//! Values, expressions, modules and templates that lie deep in each other: each is told in a sentence or worked with, and
//! soon; none ends the program by a stack that overflows.

use std::time::{Duration, Instant};

use ebb::model::chat::{self, Message};

use super::program::Program;

/// Runs a script that shall end by itself, soon, and gives what it said.
#[track_caller]
fn said(program: &Program, script: &str) -> String {
    let started = Instant::now();
    let (code, said) = program.run(script);
    let took = started.elapsed();
    assert!(
        matches!(code, Some(0 | 1)),
        "{code:?}: {}\n{}",
        &said[said.len().saturating_sub(400)..],
        &script[..script.len().min(400)]
    );
    assert!(!said.contains("ebb itself failed"), "{said}");
    assert!(took < Duration::from_secs(8), "{took:?}: {}", &script[..script.len().min(400)]);
    said
}

#[track_caller]
fn refused(script: &str, expected: &str) {
    let said = said(&Program::new(), script);
    assert!(said.contains("error: "), "it went well; expected {expected:?}");
    assert!(said.contains(expected), "{said:.600} lacks {expected:?}");
}

const AN_EXPRESSION: &str = "operations at most 256 deep";
const A_VALUE: &str = "arrays and maps at most 1000 deep";
const A_COLUMN: &str = "lists and maps at most 64 deep";

#[test]
fn modules_that_import_each_other_are_told_as_a_circle() {
    let program = Program::new();
    program.write("a.rhai", "import \"b\" as b;");
    program.write("b.rhai", "import \"./a\" as a;");
    let said_of = |script: &str| said(&program, script);
    let circle = said_of("import \"a\" as a;");
    assert!(circle.contains("the module a imports itself (a → b → a)"), "{circle}");
    let circle = said_of("import \"././b\" as b;");
    assert!(circle.contains("the module b imports itself (b → a → b)"), "{circle}");
    program.write("c.rhai", "import \"c\" as c;");
    let circle = said_of("import \"c\" as c;");
    assert!(circle.contains("the module c imports itself (c → c)"), "{circle}");
    let circle = said_of("import \"x\" as x;");
    assert!(circle.contains("the module x imports itself (x → x)"), "{circle}");
    // A function that imports when it is called makes a circle, too.
    program.write("d.rhai", "fn f() { import \"d\" as d; d::f() } f();");
    let circle = said_of("import \"d\" as d; d::f()");
    assert!(circle.contains("the module d imports itself"), "{circle}");
}

#[test]
fn a_chain_of_modules_ends_somewhere_and_a_wide_tree_is_read_once() {
    let program = Program::new();
    for place in 0..300 {
        program.write(&format!("m{place}.rhai"), format!("import \"m{}\" as m;", place + 1));
        let import = |name: &str| format!("import \"w{}\" as {name};", place + 1);
        program.write(&format!("w{place}.rhai"), format!("{}{}", import("a"), import("b")));
    }
    program.write("w20.rhai", "export const X = 1;");
    let chain = said(&program, "import \"m0\" as m;");
    assert!(chain.contains("a chain of more than 32 modules"), "{chain}");
    let tree = said(&program, "import \"w0\" as w; \"read\"");
    assert!(tree.contains("read") && !tree.contains("error"), "{tree}");
}

#[test]
fn long_expressions_in_a_script_are_refused_as_they_are_read() {
    let many = 200_000;
    for script in [
        format!("let x = {}1", "1 + ".repeat(many)),
        format!("frame(#{{ x: [1] }}).select({}col(\"x\"))", "col(\"x\") + ".repeat(many)),
        format!("let x = {}1{}", "(".repeat(many), ")".repeat(many)),
        format!("let x = {}true", "!".repeat(many)),
        format!("let x = {}1", "-".repeat(many)),
        format!("let x = {}{}", "[".repeat(many), "]".repeat(many)),
        format!("let x = {}1{}", "#{ a: ".repeat(many), "}".repeat(many)),
        format!("let x = col(\"x\"){}", ".abs()".repeat(many)),
        format!("let x = 1{}", "[0]".repeat(many)),
        format!("{}{}", "{".repeat(many), "}".repeat(many)),
        format!("if true {{}} {}", "else if true {}".repeat(many)),
        format!("let f = {}1", "|x| ".repeat(many)),
        format!("let x = {}1{}", "`${".repeat(many), "}`".repeat(many)),
    ] {
        let said = said(&Program::new(), &script);
        assert!(said.contains("error: "), "{said:.300}: {script:.100}");
    }
}

#[test]
fn prose_of_nested_marks_is_shown() {
    let many = 50_000;
    for mark in ["> ", "- ", "[", "*", "**a", "`", "<b>", "![", "#", "|a", "1. "] {
        let script = format!("// %% [markdown]\n// {}\n// %%\n1", mark.repeat(many));
        let said = said(&Program::new(), &script);
        assert!(!said.contains("error: "), "{mark}: {said:.300}");
    }
}

#[test]
fn expressions_built_in_a_loop_have_a_bound() {
    for step in [
        "e = e + col(\"x\")",
        "e = col(\"x\") - e",
        "e = e | (col(\"x\") > 1)",
        "e = -e",
        "e = !e",
        "e = e.abs()",
        "e = e + e",
        "e = e.str_lower()",
        "e = e.str_replace(\"a\", \"b\")",
        "e = e.str_contains(\"a\")",
        "e = e.cast(\"int\")",
        "e = e.alias(\"y\")",
        "e = when(e > 1).then(1).otherwise(2)",
        "e = when(true).then(e).otherwise(e)",
        "e = e.fill_null(e)",
        "e = e.shift(1)",
        "e = e.item(0)",
        "e = e.field(\"a\")",
        "e = e.over(\"x\")",
        "e = rouge1(e, \"a\")",
        "e = e.is_between(e, e)",
        "e = e.sort()",
        "e = e.is_in([1, 2])",
        "e = e.quantile(0.5)",
        "e = e.round(1)",
        "e = div_floor(e, 2)",
        "e = \"a\" + e",
        "e = 1 - e",
        "e = e.str_slice(0, 1)",
    ] {
        refused(&format!("let e = col(\"x\"); for i in 0..200000 {{ {step}; }}"), AN_EXPRESSION);
    }
    refused(
        "let c = when(col(\"x\") > 0).then(0); for i in 0..200000 { c = c.when(col(\"x\") == i).then(i); } c.otherwise(1)",
        AN_EXPRESSION,
    );
}

#[test]
fn expressions_up_to_the_bound_are_worked_with() {
    let program = Program::new();
    for (step, times, expected) in [
        ("e = e + col(\"x\")", 254, "\"x\": 255"),
        ("e = -e", 250, "\"x\": 1"),
        ("e = when(col(\"x\") > 5).then(0).otherwise(e)", 200, "\"literal\": 1"),
        ("e = e + e", 10, "\"x\": 1024"),
    ] {
        let script = format!(
            "let e = col(\"x\"); for i in 0..{times} {{ {step}; }} let f = frame(#{{ x: [1] }}); show(f.filter(e == e).len()); print(f.select(e).rows())"
        );
        let said = said(&program, &script);
        assert!(!said.contains("error: "), "{step}: {said}");
        assert!(said.contains(expected), "{step}: {said}");
    }
}

#[test]
fn values_nested_in_a_loop_have_a_bound() {
    for step in [
        "a = [a]",
        "a = #{ a: a }",
        "a = [0, a, 0]",
        "a = [[1], a]",
        "a = #{ a: 1, b: [a] }",
        "let b = []; b.push(a); a = b",
        "a = [a.len(), a]",
    ] {
        refused(&format!("let a = [1]; for i in 0..100000 {{ {step}; }}"), A_VALUE);
    }
    refused("fn wrap(x) { [x] } let a = [1]; for i in 0..100000 { a = wrap(a); }", A_VALUE);
    refused("let s = [1]; let f = || s; for i in 0..100000 { s = [s]; }", A_VALUE);
}

#[test]
fn values_that_leave_a_script_have_a_smaller_bound() {
    let nested = "let a = [1]; let m = #{ a: 1 }; for i in 0..200 { a = [a]; m = #{ a: m }; }";
    for (use_, expected) in [
        ("frame(#{ x: a })", A_COLUMN),
        ("frame([m])", A_COLUMN),
        ("frame(#{ x: [1] }).with_column(\"y\", a)", A_COLUMN),
        ("frame(#{ x: [1] }).map(\"y\", |row| m)", A_COLUMN),
        ("log(m)", "lists and maps at most 64 deep"),
        ("col(\"x\").is_in(a)", A_COLUMN),
    ] {
        refused(&format!("{nested} {use_}"), expected);
    }
    let program = Program::new();
    for use_ in [
        "show(a); show(m);",
        "print(a); print(m);",
        "a",
        "m",
        "a == a",
        "`${a} ${m}`",
        "m.to_json()",
        "let b = a; b[0] = 1; b",
        "a + a",
        "[a, m].sort(|x, y| 0)",
        "throw a",
    ] {
        said(&program, &format!("{nested} {use_}"));
    }
}

#[test]
fn frames_whose_lists_grow_deeper_have_a_bound() {
    refused(
        "let f = frame(#{ x: [1] }); for i in 0..100000 { f = f.select(col(\"x\").implode()); }",
        A_COLUMN,
    );
    refused(
        "let f = frame(#{ k: [1], x: [1] }); for i in 0..100000 { f = f.group_by(\"k\").agg(col(\"x\")); }",
        A_COLUMN,
    );
    refused(
        "let f = frame(#{ x: [1] }); for i in 0..100000 { f = frame([#{ x: f.rows() }]); }",
        A_COLUMN,
    );
}

#[test]
fn nested_files_are_told() {
    for levels in [100, 100_000] {
        let program = Program::new();
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        program.write("a.json", format!("[{{\"x\": {open}1{close}}}]"));
        program.write("a.jsonl", format!("{{\"x\": {open}1{close}}}\n"));
        let (open, close) = ("{\"a\":".repeat(levels), "}".repeat(levels));
        program.write("b.json", format!("[{{\"x\": {open}1{close}}}]"));
        for file in ["a.json", "a.jsonl", "b.json"] {
            let said = said(&program, &format!("read(\"{file}\")"));
            assert!(said.contains("error: "), "{levels} {file}: {said:.300}");
        }
        program.write("x.txt", format!("{open}1{close}"));
        said(&program, &format!("parse_json(`{open}1{close}`)"));
    }
    // What was written can be read again.
    let program = Program::new();
    let script = "let a = [1]; for i in 0..30 { a = [a]; } let f = frame(#{ x: a });
        for end in [\"json\", \"jsonl\", \"parquet\"] { f.write(`f.${end}`); if read(`f.${end}`) != f { throw end; } }
        show(f); f.rows()";
    let said = said(&program, script);
    assert!(!said.contains("error: "), "{said}");
}

#[test]
fn chat_templates_of_nested_operators_are_told() {
    let many = 100_000;
    for template in [
        format!("{{{{ {}true }}}}", "not ".repeat(many)),
        format!("{{{{ messages{} }}}}", "|list".repeat(many)),
        format!("{{{{ {}1{} }}}}", "(".repeat(many), ")".repeat(many)),
        format!("{{{{ {}1{} }}}}", "[".repeat(many), "]".repeat(many)),
        format!("{{{{ {}1 }}}}", "-".repeat(many)),
        format!("{{{{ {}1 }}}}", "1 ~ ".repeat(many)),
        format!("{{{{ a{} }}}}", ".a".repeat(many)),
        format!("{{{{ a{} }}}}", "[0]".repeat(many)),
        format!("{{{{ a{} }}}}", "()".repeat(many)),
        format!("{{{{ {}1 }}}}", "1 if 1 else ".repeat(many / 2)),
        format!("{}{}", "{% if 1 %}".repeat(many / 2), "{% endif %}".repeat(many / 2)),
        format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(many / 2)),
        "{% for a in b %}".repeat(many / 2),
    ] {
        for part in [1, 4, 16] {
            // Also as many as are still taken, and some fewer.
            let template = match part {
                1 => template.clone(),
                part => shorter(&template, part),
            };
            let message = Message::new("user", "a");
            let started = Instant::now();
            // Whether it is taken or refused: by a sentence, and soon.
            let _ = chat::render(&template, &[message], &serde_json::Value::Null, false);
            assert!(started.elapsed() < Duration::from_secs(3), "{template:.100}");
        }
    }
}

/// A part of the middle left out.
fn shorter(template: &str, part: usize) -> String {
    let keep = template.len() / part / 2;
    let (start, end) = (keep, template.len() - keep);
    format!("{}{}", &template[..start], &template[end..])
}
