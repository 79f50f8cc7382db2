//! Ctrl-C in the middle of long work: the program ends within about a second, and its record says that it was stopped.

use std::time::Duration;

use super::program::{Program, interrupted};

/// A loaded machine is slower to give the program its turn.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Makes `setup` in a script, then interrupts `work`. `within` is how long the setup may take at most.
#[track_caller]
fn stops(program: &Program, setup: &str, work: &str) {
    let marker = program.folder().join("begun.jsonl");
    let script = format!("{setup}; frame(#{{ x: [1] }}).write(\"begun.jsonl\"); {work}");
    let child = program.start(&script);
    for _ in 0..3000 {
        if marker.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(marker.exists(), "{script} does not begin");
    let Some(took) = interrupted(child, Duration::from_millis(250)) else {
        panic!("done before it could be interrupted: {work}");
    };
    assert!(took < PATIENCE, "{took:?} in {work}");
    let record = std::fs::read_to_string(program.folder().join("record/run.json")).unwrap();
    assert!(record.contains("\"status\": \"stopped\""), "{record}");
    std::fs::remove_file(&marker).unwrap();
    std::fs::remove_dir_all(program.folder().join("record")).unwrap();
}

/// Two million rows of numbers, and texts of them.
const NUMBERS: &str =
    "let n = random_integers(2000000, 1000000000, 0, \"n\"); let f = frame(#{ n: n })";

#[test]
fn waiting_and_loops_stop() {
    let program = Program::new();
    stops(&program, "", "sleep(1e9)");
    stops(&program, "", "loop {}");
    stops(&program, "", "let a = []; loop { a.push(1); }");
    stops(&program, "", "fn f(n) { if n > 0 { f(n - 1); f(n - 1); } } f(60)");
    stops(&program, "", "[1].map(|x| loop {})");
    stops(&program, "", "frame(#{ x: [1] }).map(\"y\", |row| loop {})");
}

#[test]
fn scores_stop() {
    let program = Program::new();
    let words =
        "let a = \"\"; let b = \"\"; for i in 0..120000 { a += `a${i % 7} `; b += `a${i % 5} `; }";
    stops(&program, words, "loop { rouge_l(a, b); }");
    stops(&program, words, "loop { rouge2(a, b); rouge1([a, a], [b, b]); }");
    stops(
        &program,
        words,
        "let f = frame(#{ a: [a, a, a, a], b: [b, b, b, b] }); loop { f.select(rouge_l(col(\"a\"), col(\"b\"))); }",
    );
    stops(
        &program,
        words,
        "let f = frame(#{ a: [a, a, a, a], b: [b, b, b, b] }); loop { f.select(squad_f1(col(\"a\"), col(\"b\"))); }",
    );
}

#[test]
fn work_on_large_frames_stops() {
    let program = Program::new();
    let texts = format!("{NUMBERS}; f = f.with_columns(template(\"text {{n}}\").alias(\"t\"))");
    for work in [
        "f.sort([\"t\", \"n\"])",
        "f.group_by(\"t\").agg(col(\"n\").sum())",
        "f.join(f, \"t\")",
        "f.unique()",
        "f.rows()",
        "f.column(\"t\")",
        "f.select(col(\"t\").str_matches(\"^(te|tx|x)+t.*[0-4]+$\"))",
        "f.describe()",
        "f.shuffle(1)",
        "f.with_columns(col(\"n\").sum().over(\"t\"))",
        "f.with_columns(exact_match(col(\"t\"), \"text 1\").alias(\"s\"))",
        "f.write(\"f.jsonl.gz\")",
        "f.write(\"f.parquet\")",
        "f.write(\"f.csv\")",
        "f.head(5000).join(f.head(5000), (), #{ how: \"cross\" })",
        "f.map(\"u\", |row| row.n)",
        "frame(f.rows())",
    ] {
        stops(&program, &texts, &format!("loop {{ {work}; }}"));
    }
}

#[test]
fn reading_large_files_stops() {
    let program = Program::new();
    let lines: String =
        (0..1_500_000).map(|n| format!("{{\"n\":{n},\"t\":\"text {n}\"}}\n")).collect();
    program.write("f.jsonl", &lines);
    program.write("f.csv", lines.replace("{\"n\":", "").replace("\"t\":", "").replace('}', ""));
    for file in ["f.jsonl", "f.csv"] {
        stops(&program, "", &format!("loop {{ read(\"{file}\"); }}"));
    }
}

#[test]
fn tokenizers_stop() {
    let program = Program::new();
    let text = "let t = \"\"; for i in 0..200000 { t += `word${i * 7919 % 100003} `; }";
    stops(&program, text, "loop { train_tokenizer([t, t], #{ vocab_size: 50000 }); }");
    stops(&program, &format!("{text} let m = load_model(\"ebb/tiny\")"), "loop { m.tokenize(t); }");
    stops(&program, &format!("{text} let m = load_model(\"ebb/tiny\")"), "loop { m.generate(t); }");
}

#[test]
fn training_and_saving_stop() {
    let program = Program::new();
    let model = "let m = load_model(\"ebb/tiny\"); let rows = []; for i in 0..64 { rows.push(`a short text of number ${i}`); }";
    stops(&program, model, "m.finetune(rows, #{ epochs: 100000, batch_size: 8 })");
    stops(&program, model, "loop { m.save(\"out\"); }");
    stops(&program, "", "loop { load_model(\"ebb/tiny\"); }");
}

#[test]
fn work_of_the_language_itself_stops() {
    let program = Program::new();
    stops(
        &program,
        "let a = random_integers(3000000, 1000000000, 0, \"n\")",
        "loop { let b = a; b.sort(); }",
    );
    stops(
        &program,
        "let a = random_integers(1000000, 1000000000, 0, \"n\")",
        "loop { frame(#{ a: a }); show(a); a.index_of(-1); a == a; a.to_json(); }",
    );
}

#[test]
fn pipes_stop() {
    let program = Program::new();
    let path = program.folder().join("pipe.jsonl");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let (code, said) = program.run("read(\"pipe.jsonl\")");
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn the_prompt_goes_on_after_an_interrupt() {
    use std::io::Write;
    let program = Program::new();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_ebb"))
        .current_dir(program.folder())
        .env("XDG_DATA_HOME", program.folder().join("data"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let work = format!("{NUMBERS}; loop {{ f.sort(\"n\"); }}\n\n\nprint(\"still \" + \"here\")\n");
    input.write_all(work.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("still here"), "{said} {}", String::from_utf8_lossy(&output.stderr));
}
