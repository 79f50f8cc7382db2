//! Several processes at once, and signals: one gets a folder and the others are told, and no record says "running" for ever.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::script_in;

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb"));
    command
        .args(words)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "200")
        .env("XDG_DATA_HOME", folder.join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn start(folder: &Path, words: &[&str]) -> Child {
    command(folder, words).spawn().unwrap()
}

fn place(script: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("x.rhai"), script).unwrap();
    place
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn facts(run: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap()
}

/// Waits until there is something.
fn until(what: &str, mut there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !there() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn of_runs_that_ask_for_one_folder_at_once_one_gets_it() {
    let place = place("for i in 0..50 { log(#{ i: i }); }");
    for round in 0..5 {
        let folder = format!("r{round}");
        let words = ["run", "x.rhai", "--run-dir", &folder];
        let children: Vec<Child> = (0..4).map(|_| start(place.path(), &words)).collect();
        let ended: Vec<Output> =
            children.into_iter().map(|c| c.wait_with_output().unwrap()).collect();
        let (well, ill): (Vec<&Output>, Vec<&Output>) =
            ended.iter().partition(|o| o.status.success());
        assert_eq!((well.len(), ill.len()), (1, 3));
        for refused in ill {
            assert!(
                said(refused).contains("already holds the record of a run"),
                "{}",
                said(refused)
            );
        }
        let lines =
            std::fs::read_to_string(place.path().join(&folder).join("metrics.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), 50);
        assert_eq!(facts(&place.path().join(&folder))["status"], "done");
    }
    // Without a folder each gets its own.
    let children: Vec<Child> = (0..6).map(|_| start(place.path(), &["run", "x.rhai"])).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    assert_eq!(std::fs::read_dir(place.path().join("runs")).unwrap().count(), 6);
}

const LONG: &str = r#"load_model("ebb/tiny").finetune(["a cat sat", "a dog ran"], #{ steps: 100000, batch_size: 1, method: "head",
    dir: "kept", save_every: 1, resume: true });"#;

#[test]
fn two_finetunings_do_not_share_a_folder() {
    let place = place(LONG);
    let mut first = start(place.path(), &["run", "x.rhai"]);
    let log = place.path().join("kept/log.jsonl");
    until("a step", || std::fs::read(&log).is_ok_and(|log| log.len() > 200));
    let second = command(place.path(), &["run", "x.rhai"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains("another finetuning is under way in"), "{}", said(&second));
    let mut prompt = command(place.path(), &["repl"]);
    let mut prompt = prompt.stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut prompt.stdin.take().unwrap(), format!("{LONG}\n").as_bytes())
        .unwrap();
    let third = prompt.wait_with_output().unwrap();
    assert!(said(&third).contains("another finetuning is under way in"), "{}", said(&third));
    // A killed process holds nothing.
    first.kill().unwrap();
    first.wait().unwrap();
    let text = LONG.replace("100000", "100001");
    let error = script_in(place.path(), &text).unwrap_err();
    assert!(error.message.contains("belongs to another finetuning"), "{}", error.message);
}

#[test]
fn a_signal_to_end_is_heard_as_ctrl_c_is() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let place = place("log(#{ a: 1 }); loop { }");
        let child = start(place.path(), &["run", "x.rhai", "--run-dir", "r"]);
        let run = place.path().join("r");
        until("the loop", || run.join("metrics.jsonl").exists());
        assert_eq!(facts(&run)["status"], "running");
        signal(&child, name);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(130), "{name}: {}", said(&ended));
        assert_eq!(facts(&run)["status"], "stopped", "{name}");
        assert!(run.join("report.html").exists());
    }
}

#[test]
fn a_second_signal_ends_a_run_at_once_and_its_record_says_so() {
    // Nothing looks at the wish to stop inside this one comparison of long texts.
    let script =
        r#"let s = "a b "; for i in 0..15 { s += s; } log(#{ a: 1 }); rouge_l(s, s + "c")"#;
    let place = place(script);
    let mut child = start(place.path(), &["run", "x.rhai", "--run-dir", "r"]);
    let run = place.path().join("r");
    until("the log", || run.join("metrics.jsonl").exists());
    signal(&child, "-TERM");
    std::thread::sleep(Duration::from_millis(100));
    if child.try_wait().unwrap().is_none() {
        let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    }
    let started = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(facts(&run)["status"], "stopped");
}

#[test]
fn a_signal_that_whoever_started_the_run_ignores_stays_ignored() {
    let place = place("log(#{ a: 1 }); sleep(0.5); 7");
    let run = "trap '' HUP; exec \"$0\" run x.rhai --run-dir r";
    let child = Command::new("sh")
        .args(["-c", run, env!("CARGO_BIN_EXE_ebb")])
        .current_dir(place.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the log", || place.path().join("r/metrics.jsonl").exists());
    signal(&child, "-HUP");
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(facts(&place.path().join("r"))["status"], "done");
}

#[test]
fn a_prompt_ends_when_it_is_asked_to() {
    for busy in [false, true] {
        let place = tempfile::tempdir().unwrap();
        let mut child = command(place.path(), &["repl"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let rest = if busy { "loop { }" } else { "" };
        let lines = format!("frame([#{{ a: 1 }}]).write(\"there.csv\");\n{rest}\n");
        std::io::Write::write_all(&mut input, lines.as_bytes()).unwrap();
        until("the file", || place.path().join("there.csv").exists());
        std::thread::sleep(Duration::from_millis(100));
        signal(&child, "-TERM");
        assert_eq!(child.wait().unwrap().code(), Some(130), "busy: {busy}");
        drop(input);
    }
}

#[test]
fn files_and_folders_have_what_the_umask_leaves() {
    use std::os::unix::fs::PermissionsExt;
    let script = r#"log(#{ a: 1 }); frame([#{ a: 1 }]).write("deep/f.csv"); let m = load_model("ebb/tiny"); m.save("m"); m.save("m");
        m.finetune(["a cat"], #{ steps: 1, method: "head", dir: "kept" });"#;
    for (mask, file, folder) in
        [("077", 0o600, 0o700), ("027", 0o640, 0o750), ("002", 0o664, 0o775)]
    {
        let place = place(script);
        let ended = Command::new("sh")
            .args([
                "-c",
                &format!("umask {mask}; exec \"$0\" run x.rhai --run-dir r"),
                env!("CARGO_BIN_EXE_ebb"),
            ])
            .current_dir(place.path())
            .output()
            .unwrap();
        assert!(ended.status.success(), "{}", said(&ended));
        let mode = |name: &str| {
            std::fs::metadata(place.path().join(name)).unwrap().permissions().mode() & 0o777
        };
        for name in [
            "deep/f.csv",
            "m/config.json",
            "m/ebb.json",
            "m/model.safetensors",
            "r/run.json",
            "r/metrics.jsonl",
            "r/report.html",
            "kept/log.jsonl",
            "kept/checkpoint-00000001/state.json",
        ] {
            assert_eq!(mode(name), file, "{mask}: {name}");
        }
        for name in ["deep", "m", "r", "kept", "kept/checkpoint-00000001"] {
            assert_eq!(mode(name), folder, "{mask}: {name}");
        }
    }
}

#[test]
fn links_in_a_project_lead_no_record_out_of_it() {
    use std::os::unix::fs::symlink;
    let (place, outside) = (place("log(#{ a: 1 }); 1"), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("victim"), "mine").unwrap();
    let run = |words: &[&str]| {
        command(place.path(), &[&["run", "x.rhai"], words].concat()).output().unwrap()
    };
    let unharmed = || {
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read(outside.path().join("victim")).unwrap(), b"mine");
    };
    symlink(outside.path(), place.path().join("runs")).unwrap();
    for words in
        [&[][..], &["--run-dir", "runs/a"], &["--run-dir", "ok", "--report", "runs/r.html"]]
    {
        let ended = run(words);
        assert_eq!(ended.status.code(), Some(1), "{words:?}");
        assert!(said(&ended).contains("leads out of"), "{}", said(&ended));
        unharmed();
    }
    for name in ["metrics.jsonl", "script.rhai", "report.html", "run.json"] {
        let folder = place.path().join(format!("with-{name}"));
        std::fs::create_dir(&folder).unwrap();
        symlink(outside.path().join("victim"), folder.join(name)).unwrap();
        let ended = run(&["--run-dir", &format!("with-{name}")]);
        assert_eq!(ended.status.code(), Some(1), "{name}: {}", said(&ended));
        unharmed();
    }
    // Meant is what is allowed, and what is typed as it is.
    let allowed = outside.path().to_string_lossy().into_owned();
    assert!(run(&["--allow-write", &allowed]).status.success());
    assert!(run(&["--run-dir", &format!("{allowed}/typed")]).status.success());
}

#[test]
fn models_are_saved_by_two_processes_at_once() {
    let place = tempfile::tempdir().unwrap();
    let script = |name: &str| {
        format!(r#"let m = load_model("ebb/tiny"); for i in 0..40 {{ m.save("{name}"); }}"#)
    };
    for (name, target) in [("a", "m1"), ("b", "m2"), ("c", "m1")] {
        std::fs::write(place.path().join(format!("{name}.rhai")), script(target)).unwrap();
    }
    // Beside each other, and one in the place of the other.
    for round in 0..2 {
        let names = ["a.rhai", "b.rhai", "c.rhai"];
        let children = names.map(|name| start(place.path(), &["run", name, "--threads", "1"]));
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "round {round}: {}", said(&output));
        }
        let names = std::fs::read_dir(place.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = names.filter(|name| name.starts_with(".ebb-")).collect();
        assert_eq!(left, Vec::<String>::new());
        script_in(place.path(), r#"load_model("m1"); load_model("m2");"#).unwrap();
        assert!(!place.path().join("m1").join(ebb::folders::MARK).exists());
    }
}

#[test]
fn a_second_signal_leaves_nothing_of_what_is_being_written() {
    let long = "x".repeat(2000);
    let place = place(&format!(
        r#"let a = []; for i in 0..20000 {{ a.push("{long}"); }} let f = frame(#{{ a: a }}); loop {{ f.write("a.jsonl"); }}"#
    ));
    let asides = || {
        let entries = std::fs::read_dir(place.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(".ebb-")).count()
    };
    let mut child = start(place.path(), &["run", "x.rhai", "--run-dir", "r"]);
    until("a file aside", || asides() == 1 || child.try_wait().unwrap().is_some());
    signal(&child, "-TERM");
    std::thread::sleep(Duration::from_millis(5));
    if child.try_wait().unwrap().is_none() {
        signal(&child, "-TERM");
    }
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success(), "{}", said(&output));
    assert_eq!(asides(), 0, "{}", said(&output));
}
