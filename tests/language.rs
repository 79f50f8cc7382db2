//! What scripts may rely on beyond rhai: closures that read what they are handed to, division, values of in-place functions,
//! whole numbers that refuse rather than go round, and errors that say what to do. Expected values are worked by hand.

use std::rc::Rc;

use ebb::script::engine::Session;
use ebb::script::host::Host;
use serde_json::{Value, json};

use crate::support::{script, script_error};

const FRAME: &str = r#"let f = frame(#{ n: [1, 2, 3, 4] }); let g = frame(#{ n: [5, 6] });"#;

/// The last value of a script that begins with [`FRAME`].
#[track_caller]
fn with_frame(text: &str) -> Value {
    script(&format!("{FRAME}\n{text}"))
}

/// The cells of a session one after another; the last one's value, or its error.
fn cells(texts: &[&str]) -> Result<Value, Box<ebb::script::report::ScriptError>> {
    let folder = tempfile::tempdir().unwrap();
    let host = Rc::new(Host::quiet(folder.path().to_path_buf()));
    let mut session = Session::new(host, "input");
    let mut last = Value::Null;
    for text in texts {
        last = ebb::script::convert::to_json(&session.evaluate("", text)?).unwrap();
    }
    Ok(last)
}

#[test]
fn a_closure_reads_the_frame_it_is_handed_to() {
    for (text, expected) in [
        (r#"f.map("k", |row| f.len())["k"]"#, json!([4, 4, 4, 4])),
        (r#"f.filter_rows(|row| row.n * 2 > f.len()).len()"#, json!(2)),
        (r#"f.map("k", |row| g.len()); g.map("k", |row| g.len())["k"]"#, json!([2, 2])),
        (r#"f.head(3).map("k", |row| f.len())["k"]"#, json!([4, 4, 4])),
        (r#"f.map("k", |row| f.len()).map("j", |row| row.k + f.len())["j"]"#, json!([8, 8, 8, 8])),
        (
            r#"f.map("k", |row| f.map("j", |other| f.len() + g.len()).row(0).j)["k"]"#,
            json!([6, 6, 6, 6]),
        ),
        (
            r#"let out = []; for i in 0..2 { f = f.map(`k${i}`, |row| f.len() + i); } f.columns()"#,
            json!(["n", "k0", "k1"]),
        ),
        (r#"fn tall(t) { t.map("k", |row| t.len()) } tall(f)["k"]"#, json!([4, 4, 4, 4])),
        (
            r#"fn with_length(name) { this.map(name, |row| row.n) } f.with_length("k").len()"#,
            json!(4),
        ),
        (
            r#"fn each_with(closure) { this.map("k", closure) } f.each_with(|row| f.len())["k"]"#,
            json!([4, 4, 4, 4]),
        ),
        (r#"let run = || f.map("k", |row| f.len()); run.call()["k"]"#, json!([4, 4, 4, 4])),
        (r#"let fs = [f, g]; fs[1].map("k", |row| fs.len())["k"]"#, json!([2, 2])),
        (
            r#"let d = #{ train: f }; d.train.map("k", |row| d.train.len())["k"]"#,
            json!([4, 4, 4, 4]),
        ),
        (
            r#"let d = #{ a: [f] }; d.a[0].head(2).map("k", |row| d.a[0].len()).map("k", |row| row.k + d.a.len())["k"]"#,
            json!([5, 5]),
        ),
        (r#"f["n"].map(|n| n + f.len())"#, json!([5, 6, 7, 8])),
        (r#"let m = #{ a: 1, b: 2 }; m.keys().sort(|x, y| m[y] - m[x])[0]"#, json!("b")),
        (
            r#"let m = #{ a: 1, b: 2 }; let by = |x, y| m[y] - m[x]; m.keys().sort(by)"#,
            json!(["b", "a"]),
        ),
        (
            r#"let xs = [3, 1]; xs.filter(|x| x > 0).sort(|a, b| (a - b) * xs.len()).retain(|x| x < xs.len())"#,
            json!([1]),
        ),
        (r#"let m = #{ a: 1 }; let n = []; m.keys().for_each(|| n.push(m[this])); n"#, json!([1])),
        (
            r#"f["n"]
              .filter(|n| n < f.len())
              .map(|n| n * f.len())"#,
            json!([4, 8, 12]),
        ),
        (r#"f = f.map("share", |row| row.n / f.len()); f["share"]"#, json!([0.25, 0.5, 0.75, 1.0])),
        (
            r#"let e = col("n"); let h = |x| e + x; f.select(e.alias("m")); f.select((e + 1).alias("m"))["m"]"#,
            json!([2, 3, 4, 5]),
        ),
        (r#"let xs = [1, 2, 3]; xs.map(|x| x / xs.len())"#, json!([1.0 / 3.0, 2.0 / 3.0, 1.0])),
        (r#"if true { let inner = f; inner.map("k", |row| inner.len()).len() }"#, json!(4)),
        (r#"`${f.filter_rows(|row| row.n < f.len()).len()} rows`"#, json!("3 rows")),
    ] {
        assert_eq!(with_frame(text), expected, "{text}");
    }
}

#[test]
fn closures_see_a_variable_that_changes_as_rhai_has_it() {
    assert_eq!(with_frame("let count = || f.len(); f = f.head(1); count.call()"), json!(1));
    assert_eq!(
        with_frame(
            "let count = || f.len(); f.map(\"k\", |r| f.len()); f = g; [count.call(), f.len()]"
        ),
        json!([2, 2])
    );
    assert_eq!(
        script("let xs = [1]; let grow = |x| xs.push(x); xs.push(2); grow.call(3); xs"),
        json!([1, 2, 3])
    );
    assert_eq!(script("let n = 1; let add = |x| n += x; add.call(2); n"), json!(3));
    assert!(
        script_error("const F = frame(#{ n: [1] }); let c = || F.len(); F = 3;")
            .contains("constant")
    );
}

#[test]
fn a_closure_reads_the_model_it_is_handed_to() {
    let texts = script(
        r#"let m = load_model("ebb/tiny"); let f = frame(#{ q: ["a", "b"] });
        let n = |row| m.tokenize(row.q).len();
        m.generate(f, #{ prompt: |row| `${row.q} ${m.tokenize(row.q).len()}`, max_new_tokens: 1 }).len()"#,
    );
    assert_eq!(texts, json!(2));
}

#[test]
fn closures_read_what_they_are_handed_to_across_cells_and_modules() {
    let last = cells(&[
        FRAME,
        "let rate = |row| row.n / f.len();",
        "f.map(\"rate\", rate);",
        "f = f.map(\"rate\", rate);",
        "f.map(\"k\", |row| row.rate * f.len())[\"k\"]",
    ]);
    assert_eq!(last.unwrap(), json!([1.0, 2.0, 3.0, 4.0]));
    let folder = tempfile::tempdir().unwrap();
    let module = "fn shares(t) { let ts = [t]; ts[0].map(\"share\", |row| row.n / ts[0].len()) }";
    std::fs::write(folder.path().join("rates.rhai"), module).unwrap();
    let value = crate::support::script_in(
        folder.path(),
        "import \"rates\" as rates; rates::shares(frame(#{ n: [1, 2] }))[\"share\"]",
    );
    assert_eq!(value.unwrap(), json!([0.5, 1.0]));
}

#[test]
fn errors_in_rewritten_lines_keep_their_place() {
    let at = |text: &str| {
        let error = cells(&[text]).unwrap_err();
        (error.line, error.column, error.message)
    };
    let (line, column, _) = at(
        "let fs = [frame(#{ n: [1] })];\nlet a = fs[0].map(\"k\", |row| fs.nothing()) + missing;",
    );
    assert_eq!((line, column), (Some(2), Some(33)));
    let (line, column, message) =
        at("let fs = [frame(#{ n: [1] })]; fs[0].map(\"k\", |row| fs.len()).head(1) + missing;");
    assert_eq!((line, column), (Some(1), Some(73)), "{message}");
    let (line, column, _) = at("let fs = [1];\nlet x = fs[0]\n    .map(\"k\", fs);");
    assert_eq!((line, column), (Some(3), Some(6)));
    let (line, column, _) = at("let a = 3; a /= missing;");
    assert_eq!((line, column), (Some(1), Some(17)));
    let (line, column, _) = at("let fs = [1]; let x = fs[0].map(\"k\", |r| fs); }");
    assert_eq!((line, column), (Some(1), Some(47)));
    let error = cells(&["let xs = [1];\nxs.for_each(|| this += xs.len());"]).unwrap_err();
    assert!(error.message.contains("handed to"), "{error:?}");
    assert_eq!(error.line, Some(2), "{error:?}");
}

#[test]
fn division_gives_a_fraction_as_in_expressions() {
    for (text, expected) in [
        ("3 / 2", json!(1.5)),
        ("4 / 2", json!(2.0)),
        ("let a = 3; a /= 2; a", json!(1.5)),
        ("let a = 8; a /= 1 + 3; a", json!(2.0)),
        ("let a = #{ b: [3] }; a.b[0] /= 2; a.b", json!([1.5])),
        ("let a = 3; let h = || a /= 2; h.call(); a", json!(1.5)),
        ("fn half(x) { x /= 2; x } half(3)", json!(1.5)),
        ("6 / 2 * 3", json!(9.0)),
        ("2 + 6 / 4", json!(3.5)),
        ("12 / 2 / 3", json!(2.0)),
        ("-3 / 2", json!(-1.5)),
        ("(1 / 0).is_infinite()", json!(true)),
        ("(0 / 0).is_nan()", json!(true)),
        ("7.0 / 2 + 7 / 2.0", json!(7.0)),
        ("const N = 3; N / 2", json!(1.5)),
        ("div_floor(7, 2)", json!(3)),
        ("div_floor(-7, 2)", json!(-4)),
        ("7.div_floor(2)", json!(3)),
        ("7 % 2", json!(1)),
        ("2 ** 3", json!(8)),
        ("2.0 ** -1", json!(0.5)),
        (r#"frame(#{ a: [1, 2, 3] }).map("q", |r| r.a / 2)["q"]"#, json!([0.5, 1.0, 1.5])),
        (
            r#"frame(#{ a: [1, 2, 3] }).select((col("a") / 2).alias("q"))["q"]"#,
            json!([0.5, 1.0, 1.5]),
        ),
        (
            r#"frame(#{ a: [-7, 7] }).select(div_floor(col("a"), 2).alias("q"))["q"]"#,
            json!([-4, 3]),
        ),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    assert!(script_error("div_floor(1, 0)").contains("zero"));
    assert!(script_error("div_floor(1.5, 2)").contains("two whole numbers, got 1.5"));
    assert!(script_error("5 % 0").contains("zero"));
    assert!(script_error("2 ** -1").contains("2.0 ** -1"));
    assert!(
        script_error(r#""a" / 2"#).contains("the operator `/` does not work on string, integer")
    );
}

#[test]
fn a_fraction_where_a_whole_number_is_needed_says_so() {
    for text in [
        "frame(#{ a: [1, 2] }).head(5 / 2)",
        "frame(#{ a: [1, 2] }).head(4 / 2)",
        "frame(#{ a: [1, 2] }).sample(1, 2 / 2)",
        "[1, 2, 3][2 / 2]",
        "[1, 2, 3].truncate(4 / 2)",
        "for i in 0..4 / 2 { }",
        "range(0, 4 / 2)",
        r#""abc".sub_string(2 / 2)"#,
        r#"load_model("ebb/tiny").generate("a", #{ max_new_tokens: 8 / 2 })"#,
        r#"col("a").shift(2 / 2)"#,
    ] {
        let said = script_error(text);
        assert!(
            said.contains("whole number") && said.contains("div_floor(a, b)"),
            "{text}: {said}"
        );
    }
}

#[test]
fn functions_that_change_in_place_give_the_value_too() {
    for (text, expected) in [
        (r#"let x = "abc".replace("a", "b"); x"#, json!("bbc")),
        (r#"let t = "abc"; t.replace('a', "x"); t"#, json!("xbc")),
        (r#"let t = " a "; [t.trim(), t]"#, json!(["a", "a"])),
        (r#""a b".replace(" ", "").make_upper()"#, json!("AB")),
        (r#"let t = "Ab"; t.make_lower(); t"#, json!("ab")),
        (r#""abcdef".truncate(2)"#, json!("ab")),
        (r#""abcdef".crop(1, 2)"#, json!("bc")),
        (r#""abcdef".crop(-2)"#, json!("ef")),
        (r#""abca".remove("a")"#, json!("bc")),
        ("[3, 1, 2].sort()", json!([1, 2, 3])),
        ("let a = [3, 1, 2]; a.sort(); a", json!([1, 2, 3])),
        ("[2, 0.5, 1].sort()", json!([0.5, 1, 2])),
        (r#"["b", "a"].sort()"#, json!(["a", "b"])),
        ("[3, 1, 2].sort(|a, b| b - a)", json!([3, 2, 1])),
        ("[3, 1, 2].sort(|a, b| a < b)", json!([1, 2, 3])),
        ("[3, 1, 2, 5, 4].sort_desc()", json!([5, 4, 3, 2, 1])),
        (
            "[[2, 0], [1, 0], [2, 1], [1, 1]].sort(|a, b| a[0] - b[0])",
            json!([[1, 0], [1, 1], [2, 0], [2, 1]]),
        ),
        ("[1, 2].reverse()", json!([2, 1])),
        ("[1, 1, 2, 1].dedup()", json!([1, 2, 1])),
        ("let a = [1, 2, 3]; [a.retain(|x| x > 1), a]", json!([[2, 3], [2, 3]])),
        ("[1, 2, 3].truncate(2)", json!([1, 2])),
        ("[1, 2, 3].chop(2)", json!([2, 3])),
        ("let m = #{ a: [2, 1] }; m.a.sort(); m.a", json!([1, 2])),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    assert!(script_error("let a = [1].push(2); a.len()").contains("push"));
    assert!(script_error("let a = [1]; let b = a.push(2); b + 1").contains("push"));
    assert!(script_error(r#"[1, "a"].sort()"#).contains("numbers only, or texts only"));
    assert!(script_error("[2, 1].sort(|a, b| a.nothing)").contains("nothing"));
    assert!(script_error("[2, 1].sort(|a, b| \"x\")").contains("closure"));
}

#[test]
fn a_name_that_is_a_function_and_a_closure_is_told() {
    for texts in [
        &["fn say(t) { \"old \" + t }\nlet say = |t| \"new \" + t;\nsay(\"x\")"] as &[&str],
        &["fn say(t) { \"old \" + t }", "let say = |t| \"new \" + t;", "say(\"x\")"],
        &["let concat = |frames| 1; concat([])"],
        &["fn say(t) { t } let say = |t| \"new \" + t; let loud = |t| say(t); loud.call(\"x\")"],
    ] {
        let error = cells(texts).unwrap_err();
        assert!(
            error.message.contains("function and a variable that holds a closure"),
            "{texts:?}: {error:?}"
        );
    }
    assert_eq!(
        cells(&["fn say(t) { \"old \" + t }", "let say = |t| \"new \" + t;", "say.call(\"x\")"])
            .unwrap(),
        json!("new x")
    );
    assert!(script_error("let twice = |x| x * 2; twice(2)").contains("twice.call(2)"));
}

#[test]
fn a_closure_that_would_read_a_function_for_a_variable_is_told() {
    for texts in [
        &["fn tasks(x) { 1 } let tasks = [3]; let c = |m| tasks; c.call(1)"] as &[&str],
        &["let tasks = [3];", "fn tasks(x) { 1 } let c = |m| tasks; c.call(1)"],
        &["fn tasks(x) { 1 } fn all(tasks) { let c = |m| tasks; c.call(1) } all([3])"],
        &["fn tasks(x) { 1 } for tasks in [3] { let c = |m| tasks; c.call(1); }"],
        &[
            "fn tasks(x) { 1 } let tasks = [3]; let c = |m| { let d = |n| tasks; d.call(1) }; c.call(1)",
        ],
    ] {
        let error = cells(texts).unwrap_err();
        let told = "`tasks` is a function and a variable around this closure";
        assert!(error.message.contains(told), "{texts:?}: {error:?}");
        assert!(error.line.is_some(), "{error:?}");
    }
    for (text, value) in [
        ("let tasks = [3]; let c = |m| tasks; fn tasks(x) { 1 } c.call(1)", json!([3])),
        ("fn tasks(x) { 1 } let tasks = [3]; let c = |tasks| tasks; c.call(1)", json!(1)),
        (
            "fn tasks(x) { 1 } let tasks = [3]; let c = |m| { let tasks = 2; tasks }; c.call(1)",
            json!(2),
        ),
        ("fn tasks(x) { x + 1 } let c = |m| m.call(1); c.call(tasks)", json!(2)),
        (
            "fn tasks(x) { 1 } fn other(tasks) { tasks } let c = |m| type_of(tasks); c.call(1)",
            json!("Fn"),
        ),
    ] {
        assert_eq!(cells(&[text]).unwrap(), value, "{text}");
    }
}

#[test]
fn functions_see_only_their_arguments_and_say_so() {
    let said = script_error("let h = 3; fn f() { h + 1 } f()");
    assert!(said.contains("functions see only their arguments"), "{said}");
    assert!(!said.contains("did you mean"), "{said}");
    assert!(script_error("let height = 3; heigth").contains("did you mean `height`?"));
}

#[test]
fn a_text_of_one_token_has_no_loss() {
    for call in ["loss(\"\\n\")", "perplexity([\"\\n\"])", "log_probs(\"\\n\")"] {
        let text = format!("let m = load_model(\"ebb/tiny\"); m.{call}");
        let said = script_error(&text);
        assert!(said.contains("is one token and has no loss"), "{said}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for text in [
        "(0.0 / 0.0).to_int()",
        "1e30.to_int()",
        "(-1e30).to_int()",
        "(1 / 0).to_int()",
        "9223372036854775808.0.to_int()",
    ] {
        assert!(script_error(text).contains("to_int"), "{text}");
    }
    assert_eq!(script("[2.9.to_int(), (-2.9).to_int()]"), json!([2, -2]));
    for text in [
        "9223372036854775807 + 1",
        "9223372036854775807 * 2",
        "-9223372036854775807 - 2",
        "2 ** 64",
        "let a = 9223372036854775807; a += 1;",
    ] {
        let said = script_error(text);
        assert!(said.contains("overflow") && said.contains("to_float()"), "{text}: {said}");
    }
    let said = script_error(r#"load_model("ebb/tiny").generate("a", #{ temperature: 1e30 })"#);
    assert!(said.contains("a number from 0 to 1000"), "{said}");
}

#[test]
fn whole_columns_never_go_round() {
    let frame = "let f = frame(#{ k: [\"a\", \"a\"], x: [9223372036854775807, 1], y: [-9223372036854775807 - 1, 1] });";
    for expression in [
        "f.select(col(\"x\") + 1)",
        "f.select(1 + col(\"x\"))",
        "f.select(col(\"y\") - 1)",
        "f.select(col(\"x\") * 2)",
        "f.select(col(\"x\") * col(\"x\"))",
        "f.select((col(\"x\") + col(\"x\") + col(\"x\")).alias(\"z\"))",
        "f.select(col(\"x\").sum())",
        "f.select(col(\"x\").cum_sum())",
        "f.select(col(\"y\").abs())",
        "f.select(-col(\"y\"))",
        "f.group_by(\"k\").agg(col(\"x\").sum())",
        "f.with_columns(col(\"x\").sum().over(\"k\").alias(\"s\"))",
        "f.filter(col(\"x\") + 1 > 0)",
        "f.sort(col(\"x\") + 1)",
        "f.with_columns((col(\"x\") + 1).alias(\"z\"))",
    ] {
        let said = script_error(&format!("{frame} {expression}"));
        assert!(said.contains("does not fit into 64 bits"), "{expression}: {said}");
    }
    for (expression, expected) in [
        ("f.select((col(\"x\") - 1).alias(\"z\"))[\"z\"]", json!([9223372036854775806i64, 0])),
        ("f.select((col(\"x\") + 1 - 2).alias(\"z\"))[\"z\"]", json!([9223372036854775806i64, 0])),
        (
            "f.select((col(\"x\").cast(\"float\") + 1).alias(\"z\"))[\"z\"]",
            json!([9223372036854775808.0, 2.0]),
        ),
        ("f.group_by(\"k\").agg((col(\"y\") * 0).sum().alias(\"z\"))[\"z\"]", json!([0])),
        (
            "f.select((col(\"x\") - col(\"x\").min()).alias(\"z\"))[\"z\"]",
            json!([9223372036854775806i64, 0]),
        ),
        ("f.select(len() + 1)[\"len\"]", json!([3])),
        ("f.select((-col(\"x\"))).columns()", json!(["x"])),
    ] {
        assert_eq!(script(&format!("{frame} {expression}")), expected, "{expression}");
    }
    assert!(!script_error("frame(#{ x: [1e30] }).select(col(\"x\").cast(\"int\"))").contains('\n'));
    assert!(
        !script_error("frame(#{ x: [0.0 / 0.0] }).select(col(\"x\").cast(\"int\"))").contains('\n')
    );
}

#[test]
fn errors_of_tables_are_one_sentence_without_a_plan() {
    for text in [
        "frame(#{ id: [1] }).join(frame(#{ id: [\"a\"] }), \"id\")",
        "frame(#{ id: [1], x: [\"b\"] }).select(col(\"x\") - 1)",
        "frame(#{ x: [\"b\"] }).select(col(\"x\").cast(\"int\"))",
        "frame(#{ x: [\"b\"] }).filter(col(\"x\"))",
        "frame(#{ x: [\"b\"] }).select(col(\"x\").field(\"y\"))",
        "frame(#{ x: [1] }).select([col(\"x\"), col(\"x\")])",
        "frame(#{ x: [1, 2] }).select(col(\"x\").str_len())",
        "frame(#{ x: [[1]] }).group_by(\"x\").agg(col(\"x\").list_join(\"-\"))",
    ] {
        let said = script_error(text);
        for trace in ["plan", "\n", "i64", "FAILED", "DF [", "PROJECT", "This error"] {
            assert!(!said.contains(trace), "{text}: {said}");
        }
    }
}

#[test]
fn numbers_compare_exactly() {
    for (text, expected) in [
        ("1e-17 > 0.0", true),
        ("1e-300 > 0", true),
        ("-1e-17 < 0", true),
        ("1e-17 == 0.0", false),
        ("1e-17 != 0", true),
        ("0.1 + 0.2 == 0.3", false),
        ("0.1 + 0.2 != 0.3", true),
        ("0.1 + 0.2 > 0.3", true),
        ("0.1 + 0.2 <= 0.3", false),
        ("1e-30 < 1e-20", true),
        ("1e-20 <= 1e-30", false),
        ("let inf = 1 / 0; inf > 1.0", true),
        ("let inf = 1 / 0; inf == inf", true),
        ("let inf = 1 / 0; inf != inf", false),
        ("let inf = 1 / 0; -inf < inf", true),
        ("let inf = 1 / 0; inf >= 9223372036854775807", true),
        ("let nan = 0 / 0; nan == nan", false),
        ("let nan = 0 / 0; nan != nan", true),
        ("let nan = 0 / 0; nan < 1 || nan > 1 || nan <= 1 || nan >= 1", false),
        ("let nan = 0 / 0; nan == 0 || 0 == nan", false),
        ("0.0 == -0.0", true),
        ("1 == 1.0 && 1.0 == 1", true),
        ("9007199254740993 == 9007199254740992.0", false),
        ("9007199254740993 > 9007199254740992.0", true),
        ("9007199254740992.0 < 9007199254740993", true),
        ("9007199254740992 == 9007199254740992.0", true),
        ("9223372036854775807 < 9223372036854775808.0", true),
        ("9223372036854775807 == 9223372036854775808.0", false),
        ("-9223372036854775807 - 1 == -9223372036854775808.0", true),
        ("3 < 3.5 && -3 > -3.5 && 3.5 > 3 && -3.5 < -3", true),
        ("1 < -2", false),
        ("const P = 1e-25; P < 1e-20", true),
        ("1e-17 in [0.0]", false),
        ("0.3 in [0.1 + 0.2]", false),
        ("1 in [1.0]", true),
        ("9007199254740993 in [9007199254740992.0]", false),
        ("[1e-17] == [0.0]", false),
        ("[1, 2] == [1.0, 2.0]", true),
        ("#{ a: 1e-17 } == #{ a: 0.0 }", false),
        ("#{ a: 1 } == #{ a: 1.0 }", true),
        ("[0.0, 1e-17].index_of(1e-17) == 1", true),
        ("[0.0].contains(1e-17)", false),
        ("[0.0, 1e-17, 0.0].dedup().len() == 3", true),
        ("[1, 1.0].dedup().len() == 1", true),
        ("[1e-18, 0.0, 1e-19].sort() == [0.0, 1e-19, 1e-18]", true),
        ("[2, 1].sort(|a, b| a * 1e-18 < b * 1e-18) == [1, 2]", true),
        ("[9007199254740993, 9007199254740992.0].sort()[1] == 9007199254740993", true),
        ("max(9007199254740993, 1.0) == 9007199254740993", true),
        ("min(1, 0.5) == 0.5 && max(1e-18, 0) == 1e-18", true),
        ("max(1, 0 / 0) == 1 && min(0 / 0, 2) == 2", true),
        ("\"a\" < \"b\" && \"a\" == 'a' && \"b\" >= \"a\"", true),
        ("true == true && false != true", true),
        ("() == () && 3 != () && \"a\" != ()", true),
        ("() < 3 || () >= 3", false),
        ("\"3\" == 3 || [3] == 3", false),
        ("let x = 1.0; if x == 1.0 && !(x < 1.0) { true } else { false }", true),
        ("let i = 0; while i < 3.0 { i += 1 } i == 3", true),
        ("`${1e-17 > 0}` == \"true\"", true),
    ] {
        assert_eq!(script(text), json!(expected), "{text}");
    }
    let frame = "let f = frame(#{ p: [1e-25, 1e-10] });";
    for text in [
        "f.filter_rows(|row| row.p < 1e-20).len()",
        "f.filter(col(\"p\") < 1e-20).len()",
        "f[\"p\"].filter(|p| p < 1e-20).len()",
    ] {
        assert_eq!(script(&format!("{frame} {text}")), json!(1), "{text}");
    }
}

#[test]
fn an_order_of_unlike_values_is_refused() {
    for (text, types) in [
        ("\"0.7\" > 0.5", "`>` does not work on string, number"),
        ("1 < \"2\"", "`<` does not work on integer, string"),
        ("true <= 1", "`<=` does not work on boolean, integer"),
        ("[1] < 2", "`<` does not work on array, integer"),
        ("[1] < [2]", "`<` does not work on array, array"),
        ("frame(#{ a: [1] }) > 2", "`>` does not work on Frame, integer"),
    ] {
        let said = script_error(text);
        assert!(said.contains(types), "{text}: {said}");
    }
}

#[test]
fn a_switch_takes_a_whole_float_for_the_whole_number() {
    for (text, expected) in [
        ("switch 4 / 2 { 2 => \"two\", _ => \"other\" }", json!("two")),
        ("let n = 2; switch n { 2.0 => \"two\", _ => \"other\" }", json!("two")),
        ("let n = -2.0; switch n { 1 | -2 => \"two\", _ => \"other\" }", json!("two")),
        ("let n = 2.5; switch n { 2.5 => \"half\", _ => \"other\" }", json!("half")),
        ("let n = 2.0; switch n { 1 => 1.0, 2 if n > 2.0 => 2.0, 2 => 3.0, _ => 4.0 }", json!(3.0)),
        ("let t = \"b\"; switch t { \"a\" => 1, \"b\" => 2.0, _ => 3 }", json!(2.0)),
        (
            "let m = #{ k: 3 }; switch (m.k + 1) / 2 { 0..2 => \"low\", 2..9 => \"high\", _ => \"none\" }",
            json!("high"),
        ),
        (
            "let n = 6; switch [1, 2, 3].map(|x| x * 2)[2] / 2 { 3 => { let m = #{ a: 2.0 }; m.a }, _ => 0 }",
            json!(2.0),
        ),
        (
            "let n = 1; switch n { 1 => `{ ${ \"}\" } 2.0 => `, /* 2.0 => */ 2.0 => \"b\", _ => 0 }",
            json!("{ } 2.0 => "),
        ),
        (
            "let out = []; for n in [0.0, -0.0, 1e3] { out.push(switch n { 0 => \"zero\", 1000 => \"thousand\", _ => \"other\" }); } out",
            json!(["zero", "zero", "thousand"]),
        ),
        (
            "let n = 3; switch n { 1 => switch n { 3.0 => 1, _ => 2 }, 3.0 => switch n / 1 { 3 => 5, _ => 6 }, _ => 7 }",
            json!(5),
        ),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    let error = cells(&["let n = 1;\nswitch n { 1.0 => missing, _ => 0 }"]).unwrap_err();
    assert_eq!((error.line, error.column), (Some(2), Some(19)));
}

#[test]
fn errors_in_a_module_name_the_line_of_a_chain() {
    let folder = tempfile::tempdir().unwrap();
    let module = "fn shares(t) {\n  let ts = [t];\n  ts[0]\n    .head(1)\n    .map(\"share\",\n      |row| ts[0].nothing())\n}\nfn short(t) {\n  let ts = [t];\n  ts[0]\n    .head(1)\n    .map(|row| ts.len())\n}";
    std::fs::write(folder.path().join("rates.rhai"), module).unwrap();
    for (call, line) in [("shares", 6), ("short", 12)] {
        let text = format!("import \"rates\" as rates;\nrates::{call}(frame(#{{ n: [1, 2] }}))");
        let error = crate::support::script_in(folder.path(), &text).unwrap_err();
        let notes = error.notes.join("; ");
        assert!(notes.contains(&format!("in rates, line {line}")), "{error:?}");
        assert_eq!(error.line, Some(2), "{error:?}");
    }
}

#[test]
fn maps_with_closures_of_their_own_are_called_as_they_are() {
    for (text, expected) in [
        ("let d = #{ inner: #{ n: 3, map: |x| this.n + x } }; d.inner.map(2)", json!(5)),
        (
            "let d = #{ inner: #{ n: 3, map: |x| x.call(this.n) } }; d.inner.map(|n| n + d.len())",
            json!(4),
        ),
        (
            "let d = #{ inner: #{ generate: |c| c.call(1) } }; let k = 4; d.inner.generate(|n| n + k)",
            json!(5),
        ),
        (
            "let d = #{ inner: #{ n: 0, map: |c| { this.n += c.call(1); } } }; let k = 4; d.inner.map(|n| n + k); d.inner.n",
            json!(5),
        ),
        (
            "let d = #{ inner: #{ n: 3, filter: |c| c.call(1) } }; let k = 1; d[\"inner\"].filter(|n| n == k)",
            json!(true),
        ),
        ("let steps = #{ map: |x, f| f.call(x) }; let k = 2; steps.map(3, |x| x * k)", json!(6)),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
}

#[test]
fn the_remainder_has_the_sign_of_the_right_side_as_in_expressions() {
    for (text, expected) in [
        ("[-7 % 3, 7 % 3, 7 % -3, -7 % -3, 6 % 3, -6 % 3]", json!([2, 1, -2, -1, 0, 0])),
        ("[-7.5 % 2, 7.5 % -2.0, 7 % 2.5]", json!([0.5, -0.5, 2.0])),
        ("let a = -7; a %= 3; a", json!(2)),
        ("let a = #{ b: [-7] }; a.b[0] %= 1 + 2; a.b", json!([2])),
        ("div_floor(-7, 3) * 3 + -7 % 3", json!(-7)),
        ("(-9223372036854775807 - 1) % -1", json!(0)),
        ("frame(#{ x: [-7, 7] }).select(col(\"x\") % 3)[\"x\"]", json!([2, 1])),
        ("10 % 4 * 2", json!(4)),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    assert!(script_error("let a = 1; a %= 0;").contains("zero"));
    assert!(
        script_error("\"a\" % 2").contains("the operator `%` does not work on string, integer")
    );
}

#[test]
fn shifts_lose_no_bits_in_silence() {
    for (text, expected) in [
        ("1 << 62", json!(4611686018427387904i64)),
        ("-1 << 3", json!(-8)),
        ("-9 >> 1", json!(-5)),
        ("[1 >> 64, -1 >> 100]", json!([0, -1])),
        ("let a = 1; a <<= 3; a >>= 1; a", json!(4)),
        ("1 + 1 << 3", json!(9)),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    for text in ["1 << 63", "1 << 64", "5 << 62", "let a = 1; a <<= 70;"] {
        let said = script_error(text);
        assert!(said.contains("does not fit into 64 bits"), "{text}: {said}");
    }
    assert!(script_error("1 << -1").contains("a whole number from 0"));
}

#[test]
fn a_power_of_a_bare_minus_asks_what_is_meant() {
    for text in [
        "-2 ** 2",
        "let x = 3; 1 - -x ** 2",
        "fn f(x) { -x ** 2 } f(1)",
        "print(-2.0 ** 2)",
        "[1].map(|x| -x ** 2)",
    ] {
        let said = script_error(text);
        assert!(said.contains("(-a) ** b, or -(a ** b)"), "{text}: {said}");
    }
    for (text, expected) in [
        ("(-2) ** 2", json!(4)),
        ("-(2 ** 2)", json!(-4)),
        ("let x = 3; [(-x) ** 2, 1 - x ** 2, -(x ** 2), (1 - -x) ** 2]", json!([9, -8, -9, 16])),
        ("2 ** 3 ** 2", json!(512)),
        ("2.0 ** -1", json!(0.5)),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
}

#[test]
fn parts_of_arrays_texts_and_maps_change_and_are_given() {
    for (text, expected) in [
        ("[1, 2, 3].splice(0, 2, [9])", json!([9, 3])),
        ("[1, 2, 3].splice(-1, 1, [9, 8])", json!([1, 2, 9, 8])),
        ("let a = [1, 2, 3]; a.splice(1..3, []); a", json!([1])),
        ("[1, 2, 3].splice(0..=0, [7])", json!([7, 2, 3])),
        ("[1, 2, 3].splice(9, 1, [4])", json!([1, 2, 3, 4])),
        ("[1, 2, 3].retain(0..2)", json!([1, 2])),
        ("[1, 2, 3].retain(1, 2)", json!([2, 3])),
        ("[1, 2, 3].retain(1..=1)", json!([2])),
        ("let a = [1, 2, 3]; a.retain(2..9); a", json!([3])),
        ("[1, 2].pad(4, 0)", json!([1, 2, 0, 0])),
        ("[1, 2].pad(1, 0)", json!([1, 2])),
        ("[1, 2, 3, 7].dedup(|a, b| b - a == 1)", json!([1, 3, 7])),
        ("let a = [1, 2]; a.set(-1, 5); a", json!([1, 5])),
        (r#""abc".pad(6, "-=")"#, json!("abc-=-")),
        (r#""abc".pad(5, ' ')"#, json!("abc  ")),
        (r#""abcd".crop(1..3)"#, json!("bc")),
        (r#""abcd".crop(1..=9)"#, json!("bcd")),
        (r#"let t = "abc"; t.set(1, 'x'); t"#, json!("axc")),
        ("#{ a: 1 }.mixin(#{ a: 2, b: 3 })", json!({ "a": 2, "b": 3 })),
        ("let m = #{ a: 1 }; m.fill_with(#{ a: 2, b: 3 }); m", json!({ "a": 1, "b": 3 })),
        ("#{ a: 1, b: 2 }.retain(|key, value| value > 1)", json!({ "b": 2 })),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    assert!(script_error("let a = [1]; a.set(3, 2)").contains("a place below 1"));
    assert!(script_error("let t = \"a\"; t.set(3, 'b')").contains("a place below 1"));
    assert!(script_error("[1].pad(1 << 40, 0)").contains("at most"));
    assert!(script_error("[1, 2, 3][0..2]").contains("got range"));
    assert!(script_error("let m = #{ a: 1 }; #{ b: 1 }.c + m.a").contains("no property `c`"));
}

#[test]
fn functions_of_numbers_take_whole_numbers() {
    for (text, expected) in [
        ("[4.sqrt(), 0.exp(), 1.ln(), 0.sin()]", json!([2.0, 1.0, 0.0, 0.0])),
        ("[1000.log(10), 8.log(2), 100.0.log(10.0), 9.log(3.0)]", json!([3.0, 3.0, 2.0, 2.0])),
        ("[3.round(), 3.floor(), 2.5.round(), 3.is_nan()]", json!([3, 3, 3.0, false])),
        (
            "[2.675.round(2), 1.23456.round(3), 1e300.round(2), 7.round(2)]",
            json!([2.67, 1.235, 1e300, 7]),
        ),
        ("[[1, 2, 3].sum(), [0.5, 1].sum(), [].sum(), [1, 2].mean()]", json!([6, 1.5, 0, 1.5])),
        ("[[3, 1.5, 2].min(), [3, 1.5, 2].max()]", json!([1.5, 3])),
        ("[1, 0 / 0].max().is_nan()", json!(true)),
        ("frame(#{ x: [1, 2, 3] })[\"x\"].mean()", json!(2.0)),
        ("frame(#{ x: [1, 2, 3] }).select(col(\"x\").mean())[\"x\"]", json!([2.0])),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    assert!(script_error("100.0.log()").contains("number.ln()"));
    assert!(script_error("[].mean()").contains("at least one number"));
    assert!(script_error("[1, ()].sum()").contains("an array of numbers"));
    assert!(script_error("[9223372036854775807, 1].sum()").contains("64 bits"));
}

#[test]
fn an_assignment_with_an_operator_finds_its_place_once() {
    let next = "let arr = [100, 200]; let i = -1; let next = || { i += 1; i };";
    for (text, expected) in [
        ("arr[next.call()] /= 10; arr", json!([10.0, 200])),
        ("arr[next.call()] *= 10; arr", json!([1000, 200])),
        ("arr[next.call()] %= 30; arr", json!([10, 200])),
        ("arr[next.call()] <<= 1; [arr, i]", json!([[200, 200], 0])),
        ("arr[next.call()] >>= 1 + 1; [arr, i]", json!([[25, 200], 0])),
        (
            "let m = #{ a: [arr] }; m.a[next.call()][next.call()] /= 2; [m.a, i]",
            json!([[[100, 100.0]], 1]),
        ),
        ("arr[0] /= next.call() + 5; arr", json!([20.0, 200])),
        ("fn halve() { this /= 2; } let x = 3; x.halve(); x", json!(1.5)),
    ] {
        assert_eq!(script(&format!("{next} {text}")), expected, "{text}");
    }
    let expression = "let e = col(\"n\"); e /= 2; frame(#{ n: [3] }).select(e.alias(\"h\"))[\"h\"]";
    assert_eq!(script(expression), json!([1.5]));
    let swapped = "let e = 6; e /= col(\"n\"); frame(#{ n: [3] }).select(e.alias(\"h\"))[\"h\"]";
    assert_eq!(script(swapped), json!([2.0]));
    assert!(
        script_error("let a = \"x\"; a /= 2;")
            .contains("the operator `/` does not work on string, integer")
    );
    assert!(script_error("const A = 3; A /= 2;").contains("constant"));
    let error = cells(&["let a = [\"x\"];\na[0] /= 2;"]).unwrap_err();
    assert_eq!((error.line, error.column), (Some(2), Some(6)), "{error:?}");
}

#[test]
fn closures_read_what_any_method_of_a_record_is_handed_to_in_a_map() {
    let begin = r#"let m = load_model("ebb/tiny"); let ms = #{ base: m }; let f = frame(#{ q: ["one two", "three four"] });"#;
    for text in [
        "ms.base.loss(f, #{ text: |r| ms.base.detokenize(ms.base.tokenize(r.q)) })",
        "for k in ms.keys() { ms[k].perplexity(f, #{ text: |r| r.q + ms.len() }); }",
        "let d = #{ m: m, f: f }; d.m.loss(d.f, #{ text: |r| r.q + d.f.len() })",
        "ms.base.generate(f, #{ prompt: |r| r.q + ms.len(), max_new_tokens: 1 })",
        "let d = #{ f: f }; d.f.map(\"k\", |r| d.f.len())",
        "let d = #{ f: f }; d.f.filter_rows(|r| d.f.len() > 1)",
    ] {
        script(&format!("{begin} {text}; 0"));
    }
    for record in ebb::script::api::all() {
        let takes = record
            .signatures
            .iter()
            .filter(|form| form.contains("opts") || form.contains("closure"));
        for form in takes {
            let Some((on, method)) = form.split('(').next().and_then(|call| call.split_once('.'))
            else {
                continue;
            };
            let known = ebb::script::methods::receiver(method);
            let passes = known == ebb::script::methods::Receiver::Unchanged || method == "sort";
            assert!(passes || on.len() > 1, "{form}: {known:?}");
        }
    }
}

#[test]
fn closures_read_the_array_that_they_change() {
    for (text, expected) in [
        ("let xs = [3, 1, 2]; xs.sort(|x, y| (x - y) * xs.len()); xs", json!([1, 2, 3])),
        ("let xs = [3, 1, 2]; xs.sort(|x, y| xs[0] * (x - y))", json!([1, 2, 3])),
        ("let xs = [3, 1, 2]; [xs.retain(|x| x < xs.len()).len(), xs]", json!([2, [1, 2]])),
        ("let xs = [3, 1, 2]; xs.index_of(|x| x == xs.len() - 1)", json!(2)),
        ("let xs = [3, 1, 2]; let n = 0; xs.for_each(|x| n += xs.len()); n", json!(9)),
        ("let xs = [1, 2, 4]; xs.dedup(|a, b| b - a < xs.len() - 1); xs", json!([1, 4])),
        ("let d = #{ xs: [2, 1], n: 1 }; d.xs.sort(|x, y| (x - y) * d.n); d.xs", json!([1, 2])),
        ("let d = [[2, 1], [5]]; d[0].sort(|x, y| (x - y) * d.len()); d", json!([[1, 2], [5]])),
        ("let m = #{ a: 1, b: 2 }; m.retain(|k, v| v < m.len()); m", json!({ "a": 1 })),
        ("let xs = [1, 2]; xs.reduce_rev(|s, x| s * xs.len() + x)", json!(5)),
        (
            "let counts = #{ cat: 3, dog: 5 }; let out = []; for k in counts.keys().sort(|x, y| counts[y] - counts[x]) { out.push(k); } out",
            json!(["dog", "cat"]),
        ),
        ("f[\"n\"].sort(|x, y| y - x + 0 * f.len())", json!([4, 3, 2, 1])),
        ("f[\"n\"].index_of(|x| x == f.len())", json!(3)),
        ("f[\"n\"].retain(|x| x < f.len())", json!([1, 2, 3])),
        ("let d = #{ f: f }; d.f[\"n\"].sort(|x, y| y - x + 0 * d.f.len())", json!([4, 3, 2, 1])),
        ("let d = #{ f: f }; d.f[\"n\"].reduce(|s, x| s + x * d.len())", json!(10)),
    ] {
        assert_eq!(with_frame(text), expected, "{text}");
    }
    let error = cells(&["let xs = [2, 1];\nxs.sort(|a, b| missing + xs.len())"]).unwrap_err();
    assert_eq!((error.line, error.column), (Some(2), Some(16)), "{error:?}");
}

#[test]
fn what_is_worked_on_is_told_with_its_line() {
    for (text, line) in [
        ("let xs = [1];\nxs.for_each(|x| this += xs.len());", 2),
        ("let xs = [1];\nlet n = |x| xs.len();\nxs.filter(n);", 3),
        ("let xs = [1];\nlet n = |x| x + 1;\nlet grow = |x|\n  xs.push(1);\nxs.map(grow);", 5),
    ] {
        let error = cells(&[text]).unwrap_err();
        assert!(error.message.contains("handed to"), "{text}: {error:?}");
        assert_eq!(error.line, Some(line), "{text}: {error:?}");
    }
}

#[test]
fn reduce_begins_with_the_first_item() {
    for (text, expected) in [
        ("[1.0, 2.0].reduce(|a, b| a + b)", json!(3.0)),
        ("[10, 2, 3].reduce(|a, b| a - b)", json!(5)),
        ("[10, 2, 3].reduce_rev(|a, b| a - b)", json!(-9)),
        ("[7].reduce(|a, b| a + b)", json!(7)),
        ("[\"a\", \"b\"].reduce(|a, b| a + b)", json!("ab")),
        ("[1, 2, 3].reduce(|a, b| a + b, 10)", json!(16)),
        ("[].reduce(|a, b| a + b, 0)", json!(0)),
        ("[5, 6, 7].reduce(|a, b, i| a + b * i)", json!(25)),
        ("[5, 6, 7].reduce_rev(|a, b, i| a + b * i)", json!(13)),
        ("const XS = [1, 2]; XS.reduce(|a, b| a + b)", json!(3)),
        ("let k = 2; [1, 2].reduce(|a, b| (a + b) * k)", json!(6)),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    assert!(script_error("[].reduce(|a, b| a + b)").contains("a start value"));
    assert!(script_error("() + 1.5").contains("does not work on nothing, number"));
}

#[test]
fn a_missing_key_is_nothing_in_front_of_a_question() {
    for (text, expected) in [
        (
            "let counts = #{}; for w in [\"a\", \"b\", \"a\"] { counts[w] = (counts[w] ?? 0) + 1; } counts",
            json!({ "a": 2, "b": 1 }),
        ),
        ("let m = #{ a: 1 }; [m.a ?? 0, m.b ?? 0, m[\"a\"] ?? 0]", json!([1, 0, 1])),
        ("let m = #{ a: #{} }; m.a.b ?? m.a.c ?? 3", json!(3)),
        ("let m = #{ a: () }; m.a ?? 2", json!(2)),
        (
            "let m = #{ a: #{ b: 1 } }; [m?.a?.b ?? 0, m?.c?.b ?? 0, m?.a?[\"x\"] ?? 5, m?[\"c\"]?.b ?? 6]",
            json!([1, 0, 5, 6]),
        ),
        ("let m = #{ a: [1, 2] }; [m.a[1] ?? 0, m.a[-1] ?? 0]", json!([2, 2])),
        ("const M = #{ a: 1 }; M.b ?? 4", json!(4)),
        ("let m = #{}; let k = \"]\"; m[k + \"]\"] ?? `${m[\"[\"] ?? 1}`", json!("1")),
        ("let m = #{}; let read = |k| m[k] ?? 7; read.call(\"x\")", json!(7)),
        ("fn of() { this.a ?? 8 } let m = #{}; m.of()", json!(8)),
        ("let f = frame(#{ n: [1] }); f[\"n\"] ?? 0", json!([1])),
        ("let f = frame(#{ n: [1, ()] }); f.map(\"k\", |r| r.n ?? 5)[\"k\"]", json!([1, 5])),
        (
            "let h = \"\"; try { [].reduce(|a, b| a) } catch (e) { h = e.hint ?? \"\"; } h.len() > 0",
            json!(true),
        ),
        ("let m = #{ xs: [] }; let d = #{ n: m }; d.n.xs.find(|x| d.n) ?? 3", json!(3)),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    for text in ["let m = #{}; m.the", "let m = #{}; m[\"the\"]", "let m = #{}; m.the.b ?? 0"] {
        let said = script_error(text);
        assert!(said.contains("no property `the`") && said.contains("?? 0"), "{text}: {said}");
    }
    assert!(script_error("let m = #{}; m[\"x\"] += 1;").contains("does not have yet"));
    let frame = "frame(#{ n: [1] })";
    assert!(script_error(&format!("let f = {frame}; f[\"x\"] ?? 0")).contains("x"));
    assert!(script_error("[1][3] ?? 0").contains("out of bounds"));
    assert!(script_error("let a = 5; a.nothing ?? 0").contains("no property `nothing` in integer"));
    let error = cells(&["let m = [1];\nlet x = m[0] ?? 1; m[\"k\"] ?? missing"]).unwrap_err();
    assert_eq!((error.line, error.column), (Some(2), Some(21)), "{error:?}");
}

#[test]
fn a_text_beside_a_number_says_how_to_make_one_of_the_other() {
    for text in ["\"5\" > 3", "frame(#{ s: [\"5\"] }).filter_rows(|r| r.s > 3)", "\"a\" * 2"] {
        assert!(script_error(text).contains("parse_float(text)"), "{text}");
    }
    assert_eq!(script("frame(#{ s: [\"5\"] }).filter_rows(|r| r.s == 5).len()"), json!(0));
}
