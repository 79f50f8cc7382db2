//! Every function that a script can call, with the most extreme numbers in every place that takes a number: none ends in a
//! panic, and none takes long.

use std::path::Path;
use std::time::Duration;

use ebb::script::api;

use super::program::Program;
use crate::support::fixture;

/// Whole and other numbers at the ends of what there is.
const NUMBERS: [&str; 9] = [
    "9223372036854775807",
    "(-9223372036854775807 - 1)",
    "0",
    "-1",
    "(0.0/0.0)",
    "(1.0/0.0)",
    "1e308",
    "-1e308",
    "4294967296",
];

/// Where the numbers of an example stand: outside its texts and comments, not within names.
fn places(code: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if let Some(open) = quote {
            quote = (byte != open).then_some(open);
            at += 1;
        } else if matches!(byte, b'"' | b'`') {
            quote = Some(byte);
            at += 1;
        } else if byte.is_ascii_alphabetic() || byte == b'_' {
            while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                at += 1;
            }
        } else if byte.is_ascii_digit() {
            let start = at;
            while at < bytes.len()
                && (bytes[at].is_ascii_digit()
                    || (bytes[at] == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit))
                    || bytes[at] == b'e')
            {
                at += 1;
            }
            found.push(start..at);
        } else {
            at += 1;
        }
    }
    found
}

/// The example with each of its numbers in turn made extreme.
fn spoilt(example: &str) -> Vec<String> {
    let mut scripts = Vec::new();
    for place in places(example) {
        for number in NUMBERS {
            let (before, after) = (&example[..place.start], &example[place.end..]);
            scripts.push(format!("{before}{number}{after}"));
        }
    }
    scripts
}

/// The options of a record, with an extreme value each.
fn with_options(record: &ebb::script::record::Record) -> Vec<String> {
    let names: Vec<&str> =
        record.options.iter().copied().flatten().map(|option| option.name).collect();
    let Some(open) = record.example.rfind("#{") else {
        let Some(close) = record.example.rfind(')') else {
            return Vec::new();
        };
        let (before, after) = record.example.split_at(close);
        let separator = if before.ends_with('(') { "" } else { ", " };
        return values(&names, |option| format!("{before}{separator}#{{ {option} }}{after}"));
    };
    let (before, after) = record.example.split_at(open + 2);
    values(&names, |option| format!("{before} {option}, {after}"))
}

fn values(names: &[&str], script: impl Fn(&str) -> String) -> Vec<String> {
    let mut scripts = Vec::new();
    for name in names {
        for number in NUMBERS {
            scripts.push(script(&format!("{name}: {number}")));
        }
    }
    scripts
}

/// One line that leaves nothing behind.
fn line(script: &str) -> String {
    format!("{{ {} }}\n\n\n", script.replace('\n', " "))
}

/// Runs scripts one after another at the prompt, and gives those that it does not come through, soon.
fn faults(scripts: &[String]) -> Vec<String> {
    let program = Program::new();
    copy_model(program.folder());
    let mut wrong = Vec::new();
    for chunk in scripts.chunks(32) {
        let text: String = chunk.iter().map(|script| line(script)).collect();
        let (said, ended) = program.prompt(&text, Duration::from_secs(20));
        if ended && !said.contains("ebb itself failed") {
            continue;
        }
        for script in chunk {
            // The program's own start and a loaded machine count, too.
            let (said, ended) = program.prompt(&line(script), Duration::from_secs(3));
            if !ended || said.contains("ebb itself failed") {
                wrong.push(format!("{script} (ended: {ended}): {}", said.trim()));
            }
        }
    }
    wrong
}

/// A model so small that it is trained in no time.
fn copy_model(folder: &Path) {
    let model = folder.join("tiny-llama");
    std::fs::create_dir(&model).unwrap();
    for entry in std::fs::read_dir(fixture("tiny-llama")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, model.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn no_function_fails_over_an_extreme_number() {
    let scripts: Vec<String> = api::all()
        // One waits as long as it is asked to, the other trains; its options are tried below.
        .filter(|record| !["sleep", "Model.finetune"].contains(&record.name))
        .flat_map(|record| spoilt(record.example).into_iter().chain(with_options(record)))
        // It trains for as many steps as it is asked to.
        .filter(|script| {
            !(script.contains("train_classifier") && script.contains("steps: 4294967296"))
        })
        .collect();
    assert!(scripts.len() > 1000, "{} scripts", scripts.len());
    let wrong = faults(&scripts);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_function_of_the_language_fails_over_an_extreme_number() {
    let calls = [
        r#""ab".pad(N, "x")"#,
        r#""ab".pad(N, 'x')"#,
        r#""ab".pad(N, "")"#,
        r#""abc".sub_string(N, 2)"#,
        r#""abc".sub_string(1, N)"#,
        r#""abc".crop(N, N)"#,
        r#""abc".truncate(N)"#,
        r#""abc"[N]"#,
        r#""abc".get(N)"#,
        r#"let s = "abc"; s.set(N, 'x')"#,
        r#""abc".index_of("b", N)"#,
        r#""a,b".split(",", N)"#,
        r#""a,b".split_rev(",", N)"#,
        r#""abc".split(N)"#,
        r#""abc".remove(N)"#,
        "range(0, N).len",
        "range(N, 5).len",
        "range(0, 10, N).len",
        "range(0, N, 1).contains(3)",
        "range(N, -3, -1).len",
        "let a = [1, 2]; a.pad(N, 0)",
        "let a = [1]; a[N]",
        "let a = [1, 2]; a.extract(N, 2)",
        "let a = [1, 2]; a.extract(0, N)",
        "let a = [1, 2]; a.splice(N, 1, [3])",
        "let a = [1, 2]; a.splice(0, N, [3])",
        "let a = [1, 2]; a.insert(N, 3)",
        "let a = [1, 2]; a.truncate(N)",
        "let a = [1, 2]; a.chop(N)",
        "let a = [1, 2]; a.remove(N)",
        "let a = [1, 2]; a.drain(N, 1)",
        "let a = [1, 2]; a.drain(0, N)",
        "let a = [1, 2]; a.retain(N, 1)",
        "let a = [1, 2]; a.split(N)",
        "let a = [3, 1]; a.index_of(1, N)",
        "blob(N)",
        "blob(3, N)",
        "let b = blob(3); b.pad(N, 1)",
        "let b = blob(3); b.parse_le_int(N, 2)",
        "let b = blob(3); b.write_be(N, N, 2)",
        "let b = blob(3); b[N]",
        "1 << N",
        "1 >> N",
        "N << N",
        "N >> 1",
        "2 ** N",
        "2.0 ** N",
        "N ** 2",
        "N * N",
        "N + N",
        "N - N",
        "N / N",
        "N % N",
        "N / -1",
        "N % -1",
        "-N",
        "N.abs()",
        "abs(N)",
        "sign(N)",
        "N.to_int()",
        "N.to_float()",
        "N.to_hex()",
        "N.to_binary()",
        "N.to_octal()",
        "N.floor()",
        "N.round(N)",
        "round(1.5, N)",
        "1.5.round(N)",
        "sqrt(N)",
        "exp(N)",
        "ln(N)",
        "log(N, N)",
        "sin(N)",
        "hypot(N, N)",
        "atan(N, N)",
        "parse_int(\"1\", N)",
        "parse_int(\"99999999999999999999\")",
        "parse_float(\"1e999\")",
        "is_even(N)",
        "is_zero(N)",
        "min(N, N)",
        "max(N, 1)",
        "N.get_bit(N)",
        "let n = 5; n.set_bit(N, true)",
        "let n = 5; n.get_bits(N, 3)",
        "let n = 5; n.get_bits(0, N)",
        "let n = 5; n.set_bits(N, 3, 2)",
        "let n = 5; n.set_bits(0, N, N)",
        "bits(5, N).len",
        "bits(5, 0, N).len",
        "N.bits(N, 3)",
        "5.bits(1, N)",
        "let n = 5; n[N]",
        "timestamp() + N",
        "timestamp() - N",
        "let t = timestamp(); t += N",
        "let t = timestamp(); t -= N",
        "to_char(N)",
        "N.to_char()",
        "for i in 0..N { break; }",
        "for i in N..3 { break; }",
        "for i in range(N, 3, N) { break; }",
        "(0..N).contains(1)",
        "(N..=N).len",
        "switch N { 0..3 => 1, _ => 2 }",
        "#{ a: N }.to_json()",
        "\"x\" * N",
        "N * \"x\"",
        "'x' + N",
        "\"abc\" - N",
        "`${N}`",
        "random_integers(N, 10, 0, \"x\")",
        "random_integers(3, N, N, \"x\")",
        "seed(N); seed()",
        "frame(#{ x: [N] }).describe()",
        "frame(#{ x: [N, 1] })",
        "[N, 1].sort()",
        "show([N])",
    ];
    let scripts: Vec<String> =
        calls.iter().flat_map(|call| NUMBERS.map(|number| call.replace('N', number))).collect();
    let wrong = faults(&scripts);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_option_of_finetuning_fails_over_an_extreme_number() {
    let record = api::all().find(|record| record.name == "Model.finetune");
    let options = record.unwrap().options.iter().copied().flatten();
    let names: Vec<&str> = options.map(|option| option.name).collect();
    assert!(names.len() > 10, "{names:?}");
    let mut scripts = values(&names, |option| {
        format!("load_model(\"tiny-llama\").finetune([\"a text\"], #{{ {option} }})")
    });
    // Who asks for so many steps gets them.
    scripts.retain(|script| {
        let long = |name: &str| {
            script.contains(&format!("{{ {name}: 9")) || script.contains(&format!("{{ {name}: 4"))
        };
        !long("epochs") && !long("steps") && !long("max_steps")
    });
    let wrong = faults(&scripts);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
