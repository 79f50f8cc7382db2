//! Data sets of a Hub by their ids: which file is read, what the run's record says, and what is told where there is no network.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use ebb::files::sha256;
use ebb::hub::Settings;
use ebb::script::convert;
use ebb::script::engine::Session;
use ebb::script::host::{Event, Host};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{COMMIT, Plan, Server};

/// A server with a data set, an empty cache, and a folder to run scripts in.
struct Desk {
    server: Server,
    cache: TempDir,
    work: TempDir,
    offline: bool,
}

/// What a script gave, or said; and what it read, with the hash of each.
type Ran = (Result<Value, String>, Vec<(String, String)>);

impl Desk {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec()));
        let files: BTreeMap<String, Vec<u8>> = files.collect();
        Self {
            server: Server::start(Plan { files, is_data: true, ..Plan::default() }),
            cache: tempfile::tempdir().unwrap(),
            work: tempfile::tempdir().unwrap(),
            offline: false,
        }
    }

    fn offline(self) -> Self {
        Self { offline: true, ..self }
    }

    fn run(&self, script: &str) -> Ran {
        let mut host = Host::quiet(self.work.path().to_path_buf());
        host.access.offline = self.offline;
        host.hub = Settings {
            cache: Some(self.cache.path().to_path_buf()),
            endpoint: Some(self.server.url.clone()),
            ..Settings::default()
        };
        let inputs = Rc::new(RefCell::new(Vec::new()));
        let heard = inputs.clone();
        host.listener = RefCell::new(Box::new(move |event| {
            if let Event::Input { name, sha256 } = event {
                heard.borrow_mut().push((name, sha256.unwrap()));
            }
        }));
        let mut session = Session::new(Rc::new(host), "test.rhai");
        let value = session.evaluate("", script);
        let value = value.map(|value| convert::to_json(&value).unwrap());
        let said = |error: Box<ebb::script::report::ScriptError>| {
            format!("{} ({})", error.message, error.hint.unwrap_or_default())
        };
        (value.map_err(said), inputs.take())
    }

    #[track_caller]
    fn gives(&self, script: &str, expected: Value) {
        assert_eq!(self.run(script).0, Ok(expected), "{script}");
    }

    #[track_caller]
    fn says(&self, script: &str, parts: &[&str]) {
        let said = self.run(script).0.unwrap_err();
        for part in parts {
            assert!(said.contains(part), "{script}: {said:?} has no {part:?}");
        }
    }

    fn snapshot(&self) -> PathBuf {
        self.cache.path().join("datasets--org--data/snapshots").join(COMMIT)
    }
}

const ROWS: &[u8] = b"{\"x\":1}\n{\"x\":2}\n";
const OTHER: &[u8] = b"{\"x\":3}\n";

/// Rows as a parquet file, written by the program.
fn parquet(rows: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    crate::support::script_in(folder.path(), &format!("frame({rows}).write(\"a.parquet\")"))
        .unwrap();
    std::fs::read(folder.path().join("a.parquet")).unwrap()
}

#[test]
fn the_only_file_of_a_data_set_is_read_once_and_recorded_with_its_commit_and_hash() {
    let desk = Desk::new(&[
        ("README.md", b"# Data"),
        ("load.py", b"raise SystemExit"),
        ("dataset_infos.json", b"{}"),
        ("data/train.jsonl", ROWS),
    ]);
    let (value, inputs) = desk.run(r#"read("hf/org/data")"#);
    assert_eq!(value, Ok(json!([{ "x": 1 }, { "x": 2 }])));
    let name = format!("hf/org/data@{COMMIT}:data/train.jsonl");
    assert_eq!(inputs, [(name, sha256(ROWS))]);
    assert_eq!(std::fs::read(desk.snapshot().join("data/train.jsonl")).unwrap(), ROWS);
    let link = std::fs::read_link(desk.snapshot().join("data/train.jsonl")).unwrap();
    assert!(link.starts_with("../../../blobs"), "{}", link.display());
    let reference = desk.cache.path().join("datasets--org--data/refs/main");
    assert_eq!(std::fs::read_to_string(reference).unwrap(), COMMIT);
    assert!(!desk.snapshot().join("load.py").exists(), "nothing but what is read is fetched");

    desk.server.asked();
    desk.gives(r#"read("hf/org/data").len()"#, json!(2));
    let asked = desk.server.asked();
    assert!(
        asked.iter().all(|asked| asked.path.starts_with("/api/datasets/org/data/")),
        "{asked:?}"
    );
    // What was read once is there without a network, and asks nobody.
    let desk = desk.offline();
    desk.gives(r#"read("hf/org/data").len()"#, json!(2));
    desk.gives(r#"read("hf/org/data:data/train.jsonl").len()"#, json!(2));
    assert!(desk.server.asked().is_empty());
}

#[test]
fn parts_of_one_table_are_put_below_each_other_and_checked_by_their_hashes() {
    let (first, second) = (parquet("#{ x: [1, 2] }"), parquet("#{ x: [3] }"));
    let names = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"];
    let desk = Desk::new(&[(names[0], &first), (names[1], &second)]);
    let (value, inputs) = desk.run(r#"read("hf/org/data@refs/convert/parquet")"#);
    assert_eq!(value, Ok(json!([{ "x": 1 }, { "x": 2 }, { "x": 3 }])));
    let expected = [(names[0], &first), (names[1], &second)]
        .map(|(name, bytes)| (format!("hf/org/data@{COMMIT}:{name}"), sha256(bytes)));
    assert_eq!(inputs, expected);
    let desk = Desk::new(&[(names[0], &first)]);
    desk.server.change(|plan| plan.corrupt = true);
    desk.says(
        r#"read("hf/org/data")"#,
        &["data/train-00000-of-00002.parquet of org/data", "SHA-256"],
    );
    assert!(!desk.snapshot().join(names[0]).exists());
}

#[test]
fn of_several_files_none_is_taken_unless_it_is_named() {
    let desk = Desk::new(&[("train.jsonl", ROWS), ("test.jsonl", OTHER), ("notes.txt", b"x")]);
    desk.says(
        r#"read("hf/org/data")"#,
        &[
            "several data files, and none is named: test.jsonl, train.jsonl",
            "read(\"hf/org/data:test.jsonl\")",
        ],
    );
    desk.gives(r#"read("hf/org/data:test.jsonl")"#, json!([{ "x": 3 }]));
    desk.gives(
        r#"read("hf/org/data:*.jsonl").rows()"#,
        json!([
            { "x": 3, "file": "test.jsonl" },
            { "x": 1, "file": "train.jsonl" },
            { "x": 2, "file": "train.jsonl" },
        ]),
    );
    desk.says(
        r#"read("hf/org/data:dev.jsonl")"#,
        &["has no file `dev.jsonl`", "test.jsonl, train.jsonl"],
    );
    desk.says(r#"read("hf/org/data:notes.txt")"#, &["unknown file format `txt`"]);
    desk.says(r#"read("hf/org/nothing")"#, &["has no data set org/nothing, or it is private"]);
    desk.says(r#"read("hf/org/data@v9:test.jsonl")"#, &["org/data has no revision `v9`"]);
    // A file that lies in the cache alone is not taken for the only one that there is.
    let desk = Desk::new(&[("train.jsonl", ROWS), ("test.jsonl", OTHER)]);
    desk.gives(r#"read("hf/org/data:test.jsonl").len()"#, json!(1));
    let desk = desk.offline();
    desk.says(r#"read("hf/org/data")"#, &["several data files, and none is named"]);
}

#[test]
fn without_a_network_the_file_to_fetch_is_named_and_where_it_goes() {
    let desk = Desk::new(&[("train.jsonl", ROWS), ("test.jsonl", OTHER)]);
    let address = format!("{}/datasets/org/data", desk.server.url);
    let desk = desk.offline();
    let title = "the data set org/data@main:train.jsonl is not in the Hub's cache";
    let fetch = format!("fetch {address}/resolve/main/train.jsonl");
    let put = "put it into the working folder and use read(\"train.jsonl\")";
    desk.says(r#"read("hf/org/data:train.jsonl")"#, &[title, "the run is offline", &fetch, put]);
    desk.says(r#"read("hf/org/data")"#, &[&format!("choose a file at {address}/tree/main")]);
    assert!(desk.server.asked().is_empty());

    // Once the commit is known, so is the place; what is put there is read.
    let desk = Desk { offline: false, ..desk };
    desk.gives(r#"read("hf/org/data:test.jsonl").len()"#, json!(1));
    let desk = desk.offline();
    let place = desk.snapshot().join("train.jsonl");
    desk.says(r#"read("hf/org/data:train.jsonl")"#, &[&format!("put it at {}", place.display())]);
    std::fs::write(&place, ROWS).unwrap();
    desk.gives(r#"read("hf/org/data:train.jsonl").len()"#, json!(2));
    desk.says(r#"read("hf/org/data:dev.jsonl")"#, &["has no file `dev.jsonl`"]);

    // A server that does not answer is no other case.
    let mut desk = Desk { offline: false, ..desk };
    desk.server.url = "http://127.0.0.1:1".to_string();
    desk.gives(r#"read("hf/org/data:train.jsonl").len()"#, json!(2));
    desk.says(
        r#"read("hf/other/data:a.csv")"#,
        &["no answer from", "http://127.0.0.1:1/datasets/other/data/resolve/main/a.csv"],
    );
}

#[test]
fn what_pythons_libraries_left_in_the_cache_is_read() {
    let desk = Desk::new(&[]).offline();
    let place = desk.snapshot().join("data/a.csv");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, "x\n7\n").unwrap();
    let refs = desk.cache.path().join("datasets--org--data/refs");
    std::fs::create_dir_all(&refs).unwrap();
    std::fs::write(refs.join("main"), COMMIT).unwrap();
    desk.gives(r#"read("hf/org/data:data/a.csv")"#, json!([{ "x": 7 }]));
    desk.gives(&format!("read(\"hf/datasets/org/data@{COMMIT}:data/a.csv\").len()"), json!(1));
    // Whether it is the only file nobody noted.
    desk.says(r#"read("hf/org/data")"#, &["is not in the Hub's cache", "choose a file at"]);
}

#[test]
fn names_that_would_lead_elsewhere_are_refused_before_anybody_is_asked() {
    let desk = Desk::new(&[("a.jsonl", ROWS)]);
    for name in ["org", "org/..", "../data", "org/data/more", "org/data@../x:a.jsonl", "org/da ta"]
    {
        desk.says(&format!("read(\"hf/{name}\")"), &["fetching"]);
    }
    for file in ["../a.jsonl", "/etc/passwd", "a/../b.jsonl", ".hidden.jsonl", ""] {
        desk.says(&format!("read(\"hf/org/data:{file}\")"), &["expected a path in the repository"]);
    }
    assert!(desk.server.asked().is_empty());
    let listed = |path: &str| json!({ "type": "file", "oid": "0", "size": 5, "path": path });
    desk.server.change(|plan| {
        plan.also_listed =
            ["../b.jsonl", "/tmp/b.jsonl", "a/../../b.jsonl", "x\\b.jsonl"].map(listed).to_vec();
    });
    desk.gives(r#"read("hf/org/data").len()"#, json!(2));
}

/// Runs a script by the program, and gives the run folder's record.
fn record(desk: &Desk, home: &Path, options: &[&str]) -> (Option<i32>, String, Value) {
    std::fs::write(home.join("x.rhai"), "read(\"hf/org/data\").len()\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ebb"))
        .args(["run", "x.rhai", "--run-dir", "run"])
        .args(options)
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("NO_COLOR", "1")
        .env("HF_ENDPOINT", &desk.server.url)
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let run = std::fs::read(home.join("run/run.json")).unwrap_or_default();
    (output.status.code(), said, serde_json::from_slice(&run).unwrap_or_default())
}

#[test]
fn the_runs_record_has_the_revision_and_the_hash() {
    let desk = Desk::new(&[("train.jsonl", ROWS)]);
    let home = tempfile::tempdir().unwrap();
    let (code, said, _) = record(&desk, home.path(), &["--offline"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the run is offline") && said.contains("choose a file at"), "{said}");
    let _ = std::fs::remove_dir_all(home.path().join("run"));
    let (code, said, record) = record(&desk, home.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    let text = record.to_string();
    assert!(text.contains(&format!("hf/org/data@{COMMIT}:train.jsonl")), "{text}");
    assert!(text.contains(&sha256(ROWS)), "{text}");
}
