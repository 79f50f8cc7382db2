//! Models and data sets from a Hub on this machine: the cache it fills, what is asked and with which token, faults, and the environment.

mod data;
mod server;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ebb::control::{Control, Progress, Task};
use ebb::error::{Error, Result};
use ebb::files::sha256;
use ebb::hub::{Fetched, Settings, fetch_model, fetch_tokenizer};
use ebb::model::Model;
use ebb::model::load;
use ebb::toxicity::LoadOptions;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{bits, cpu, fixture, quiet, tiny, tiny_with_adapter};
use server::{Asked, COMMIT, Plan, Server};

const WEIGHTS: &str = "model.safetensors";

fn plan() -> Plan {
    let mut plan = Plan::default();
    for entry in std::fs::read_dir(fixture("tiny-llama")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        plan.files.insert(name, std::fs::read(&path).unwrap());
    }
    for name in ["README.md", "train.py", "pytorch_model.bin", "onnx/model.safetensors"] {
        plan.files.insert(name.to_string(), b"not to be fetched".to_vec());
    }
    plan
}

/// A server and an empty cache.
struct Desk {
    server: Server,
    cache: TempDir,
    token: Option<String>,
}

impl Desk {
    fn new(plan: Plan) -> Self {
        Self { server: Server::start(plan), cache: tempfile::tempdir().unwrap(), token: None }
    }

    fn settings(&self) -> Settings {
        Settings {
            cache: Some(self.cache.path().to_path_buf()),
            token: self.token.clone(),
            endpoint: Some(self.server.url.clone()),
            offline: false,
            checkpoints: None,
            only: None,
            ..Settings::default()
        }
    }

    fn offline(&self) -> Settings {
        Settings { offline: true, ..self.settings() }
    }

    fn fetch(&self) -> Result<Fetched> {
        fetch_model("org/tiny", None, &self.settings(), &quiet())
    }

    fn open(&self, name: &str) -> Result<Model> {
        load::open(name, None, &cpu(), &self.settings())
    }

    fn said(&self, name: &str) -> String {
        told(self.open(name).map(|_| ()))
    }

    fn folder(&self) -> std::path::PathBuf {
        self.cache.path().join("models--org--tiny")
    }

    fn blobs(&self) -> Vec<String> {
        names(&self.folder().join("blobs"))
    }

    fn weights(&self) -> Vec<u8> {
        self.server.plan.lock().unwrap().files[WEIGHTS].clone()
    }
}

fn told(result: Result<()>) -> String {
    let error = result.expect_err("this is to be refused");
    format!("{error} ({})", error.hint().unwrap_or_default())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn of_files(asked: Vec<Asked>) -> Vec<Asked> {
    let files = asked.into_iter();
    files.filter(|asked| !asked.path.starts_with("/api/")).collect()
}

fn ranges(asked: Vec<Asked>) -> Vec<Option<String>> {
    let gets =
        asked.into_iter().filter(|asked| asked.method == "GET" && asked.path.ends_with(WEIGHTS));
    gets.map(|asked| asked.range).collect()
}

#[test]
fn a_model_is_fetched_whole_into_the_standard_cache_and_only_once() {
    let desk = Desk::new(plan());
    let model = desk.open("org/tiny").unwrap();
    assert_eq!(bits(&model), bits(&tiny()));
    assert_eq!(model.lineage().source, format!("org/tiny@{COMMIT}"));
    let snapshot = desk.folder().join("snapshots").join(COMMIT);
    assert_eq!(
        names(&snapshot),
        [
            "config.json",
            "generation_config.json",
            WEIGHTS,
            "tokenizer.json",
            "tokenizer_config.json"
        ]
    );
    let reference = std::fs::read_to_string(desk.folder().join("refs/main")).unwrap();
    assert_eq!(reference, COMMIT);
    assert_eq!(
        std::fs::read_link(snapshot.join(WEIGHTS)).unwrap(),
        Path::new("../../blobs").join(sha256(&desk.weights()))
    );
    assert_eq!(desk.blobs().len(), 5);
    let asked = desk.server.asked();
    assert!(asked.iter().all(|asked| asked.token.is_none()));
    assert_eq!(
        of_files(asked).len(),
        15,
        "what the Hub says of each file, then its only piece, for which hf-hub asks twice"
    );

    let again = desk.open("org/tiny").unwrap();
    assert_eq!(bits(&again), bits(&model));
    let asked = desk.server.asked();
    assert_eq!(asked.len(), 2, "the commit and the listing: {asked:?}");
    assert!(of_files(asked).is_empty());

    let fetched = Fetched { folder: snapshot, commit: COMMIT.to_string() };
    for revision in [COMMIT, "refs/pr/1"] {
        let found = fetch_model("org/tiny", Some(revision), &desk.settings(), &quiet());
        assert_eq!(found.unwrap(), fetched);
    }
    assert!(of_files(desk.server.asked()).is_empty());
    assert_eq!(names(&desk.folder().join("refs/refs/pr")), ["1"]);
}

#[test]
fn a_tokenizer_is_fetched_without_the_weights() {
    let desk = Desk::new(plan());
    let fetched = fetch_tokenizer("org/tiny", &desk.settings(), &quiet()).unwrap();
    let wanted = ["config.json", "tokenizer.json", "tokenizer_config.json"];
    assert_eq!(names(&fetched.folder), wanted);
    assert_eq!(fetch_tokenizer("org/tiny", &desk.offline(), &quiet()).unwrap(), fetched);
    assert_eq!(bits(&desk.open("org/tiny").unwrap()), bits(&tiny()), "the rest follows");
}

#[test]
fn a_classifier_is_fetched_and_loaded_as_its_folder_is() {
    let folder = fixture("toxicity/bert-base-uncased");
    let mut plan = Plan::default();
    for name in names(&folder) {
        plan.files.insert(name.clone(), std::fs::read(folder.join(name)).unwrap());
    }
    let desk = Desk::new(plan);
    let open = |place: Option<&Path>| {
        let options = LoadOptions::default();
        let made = ebb::toxicity::open("org/tiny", place, &options, &desk.settings()).unwrap();
        Arc::new(made).score(vec!["You are kind.".to_string()], 1, &quiet()).unwrap()
    };
    assert_eq!(open(None), open(Some(&folder)));
}

#[test]
fn the_base_of_an_adapter_is_fetched() {
    let desk = Desk::new(plan());
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture("tiny-llama-lora")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = folder.path().join("adapter_config.json");
    let mut settings: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    settings["base_model_name_or_path"] = json!("org/tiny");
    std::fs::write(&path, settings.to_string()).unwrap();
    let open = |settings: &Settings| load::open("adapter", Some(folder.path()), &cpu(), settings);
    let model = open(&desk.settings()).unwrap();
    assert_eq!(bits(&model), bits(&tiny_with_adapter()));
    let source = &model.lineage().source;
    assert!(source.ends_with(&format!(" over org/tiny@{COMMIT}")), "{source}");
    assert_eq!(bits(&open(&desk.offline()).unwrap()), bits(&model));
    let mut at = |revision: &str| {
        settings["revision"] = json!(revision);
        std::fs::write(&path, settings.to_string()).unwrap();
        open(&desk.settings())
    };
    assert_eq!(bits(&at("main").unwrap()), bits(&model));
    let error = at("v9").err().unwrap().to_string();
    assert_eq!(error, "org/tiny has no revision `v9`");
}

#[test]
fn a_redirect_is_followed_and_the_token_stays_with_the_hub() {
    let storage = Server::start(plan());
    let mut desk = Desk::new(Plan {
        token: Some("hf_secret".to_string()),
        storage: Some(storage.url.clone()),
        ..plan()
    });
    desk.token = Some("hf_secret".to_string());
    assert_eq!(bits(&desk.open("org/tiny").unwrap()), bits(&tiny()));
    let asked = desk.server.asked();
    assert!(asked.len() > 10);
    assert!(asked.iter().all(|asked| asked.token.as_deref() == Some("hf_secret")));
    let elsewhere = storage.asked();
    assert_eq!(elsewhere.len(), 2);
    assert!(elsewhere.iter().all(|asked| asked.token.is_none()));
}

#[test]
fn refusals_say_what_to_do() {
    let desk = Desk::new(plan());
    let url = desk.server.url.clone();
    assert_eq!(
        desk.said("org/nothing"),
        format!(
            "{url} has no model org/nothing, or it is private (check the spelling; for a private model set HF_TOKEN)"
        )
    );
    assert_eq!(
        desk.said("org/tiny@v9"),
        "org/tiny has no revision `v9` (give a branch, a tag or a commit; without one it is `main`)"
    );
    desk.server.change(|plan| {
        plan.token = Some("good".to_string());
        plan.gated = true;
    });
    assert_eq!(
        desk.said("org/tiny"),
        format!(
            "org/tiny is gated: its terms have to be accepted first (accept them at {url}/org/tiny, then set HF_TOKEN to a token of that account)"
        )
    );
    let desk = Desk { token: Some("other".to_string()), ..desk };
    assert!(
        desk.said("org/tiny")
            .starts_with("org/tiny is gated, and the token's account may not read it yet")
    );
    desk.server.change(|plan| plan.gated = false);
    assert_eq!(
        desk.said("org/tiny"),
        format!(
            "{url} has no model org/tiny, or the token may not read it (check the spelling, and what the token in HF_TOKEN may read)"
        )
    );
    desk.server.change(|plan| plan.status = Some(401));
    assert!(desk.said("org/tiny").starts_with("the Hub does not accept the token (check HF_TOKEN"));
    desk.server.change(|plan| plan.status = Some(503));
    assert_eq!(
        desk.said("org/tiny"),
        format!(
            "org/tiny cannot be fetched: {url} answers with status 503 (try again later; with --offline only the cache is used)"
        )
    );
    desk.server.change(|plan| *plan = Plan::default());
    assert!(
        desk.said("org/tiny").starts_with("org/tiny at main has no file that a model is made of")
    );
    let desk = Desk { token: Some("two words\n".to_string()), ..desk };
    let said = desk.said("org/tiny");
    assert!(said.starts_with("the Hub's token has spaces"), "{said}");
    assert!(!said.contains("two words"));
}

#[test]
fn names_that_would_lead_elsewhere_are_refused() {
    let desk = Desk::new(plan());
    for name in [
        "org/..",
        "org/ti ny",
        "org/tiny/more",
        "../tiny",
        "org/tiny@../../x",
        "org/tiny@a?b",
        "org/tiny@",
    ] {
        assert!(desk.open(name).is_err(), "{name}");
    }
    assert!(desk.server.asked().is_empty());
    let listed = |path: &str| json!({ "type": "file", "oid": "0", "size": 5, "path": path });
    desk.server.change(|plan| {
        let paths =
            ["../config.json", "/tmp/model.safetensors", "..\\x.safetensors", ".x.safetensors"];
        plan.also_listed = paths.map(listed).to_vec();
    });
    desk.fetch().unwrap();
    assert_eq!(names(&desk.folder().join("snapshots").join(COMMIT)).len(), 5);

    let desk = Desk::new(Plan { etag: Some("../../../../tmp/x".to_string()), ..plan() });
    assert!(desk.said("org/tiny").contains("has no ETag that can be used"));
    let desk = Desk::new(Plan { commit: Some("../../x".to_string()), ..plan() });
    assert!(desk.said("org/tiny").contains("names no commit"));
    assert_eq!(names(desk.cache.path()), Vec::<String>::new());
}

/// A server whose weights take several pieces.
fn large(change: impl FnOnce(&mut Plan)) -> Desk {
    let mut plan = plan();
    let bytes = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
    plan.files.insert(WEIGHTS.to_string(), bytes.collect());
    change(&mut plan);
    Desk::new(plan)
}

impl Desk {
    /// Whether the weights in the cache are the server's.
    fn has_weights(&self) -> bool {
        let pointer = self.folder().join("snapshots").join(COMMIT).join(WEIGHTS);
        std::fs::read(pointer).unwrap() == self.weights()
    }
}

fn range(from: usize, to: usize) -> Option<String> {
    Some(format!("bytes={from}-{}", to - 1))
}

#[test]
fn a_large_file_comes_in_pieces() {
    let desk = large(|_| {});
    desk.fetch().unwrap();
    assert!(desk.has_weights());
    let k = 1 << 10;
    assert_eq!(
        ranges(desk.server.asked()),
        [
            range(0, 256 * k),
            range(256 * k, 768 * k),
            range(768 * k, 1792 * k),
            range(1792 * k, 3_000_000)
        ]
    );
}

#[test]
fn a_connection_that_is_cut_goes_on_where_it_ended() {
    let k = 1 << 10;
    let desk = large(|plan| (plan.cuts, plan.cut_from) = (1, 256 * k));
    desk.fetch().unwrap();
    assert!(desk.has_weights());
    let asked = ranges(desk.server.asked());
    assert_eq!(asked[..3], [range(0, 256 * k), range(256 * k, 768 * k), range(256 * k, 512 * k)]);

    // Cut for good: the next program goes on.
    let desk = large(|plan| (plan.cuts, plan.cut_from) = (5, 768 * k));
    let said = told(desk.fetch().map(|_| ()));
    assert!(
        said.starts_with(
            "model.safetensors of org/tiny did not come whole: 786432 of 3000000 bytes are here; "
        ),
        "{said}"
    );
    assert!(said.ends_with("(try again: it goes on from where it ended)"), "{said}");
    let partial = format!("{}.incomplete", sha256(&desk.weights()));
    let kept = std::fs::metadata(desk.folder().join("blobs").join(partial)).unwrap();
    assert_eq!(kept.len(), 768 * 1024);
    desk.server.asked();
    desk.fetch().unwrap();
    assert!(desk.has_weights());
    assert_eq!(ranges(desk.server.asked())[0], range(768 * k, 1024 * k));
    assert!(desk.blobs().iter().all(|name| !name.ends_with(".incomplete")));
}

#[test]
fn a_server_that_cannot_go_on_gives_the_whole_file_again() {
    let desk = large(|plan| (plan.cuts, plan.cut_from) = (5, 1));
    assert!(desk.fetch().is_err());
    desk.server.change(|plan| plan.ignores_ranges = true);
    desk.fetch().unwrap();
    assert!(desk.has_weights());
}

#[test]
fn a_busy_server_is_asked_again() {
    let desk = Desk::new(plan());
    desk.server.change(|plan| plan.status = Some(503));
    let server = desk.server.clone();
    let helper = std::thread::spawn(move || {
        while server.asked().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        server.change(|plan| plan.status = None);
    });
    assert_eq!(bits(&desk.open("org/tiny").unwrap()), bits(&tiny()));
    helper.join().unwrap();
}

#[test]
fn bytes_other_than_those_announced_never_enter_the_cache() {
    let whole = plan().files[WEIGHTS].len();
    let desk = Desk::new(Plan { corrupt: true, ..plan() });
    let said = desk.said("org/tiny");
    let etag = sha256(&desk.weights());
    let expected = format!(
        "fetching model.safetensors of org/tiny: expected {whole} bytes with the ETag {etag}, got bytes of SHA-256 "
    );
    assert!(said.starts_with(&expected), "{said}");
    assert!(desk.blobs().iter().all(|name| !name.contains(&etag)), "{:?}", desk.blobs());
    desk.server.change(|plan| plan.corrupt = false);
    assert_eq!(bits(&desk.open("org/tiny").unwrap()), bits(&tiny()));
}

#[test]
fn a_body_of_the_wrong_size_is_refused() {
    for off in [-7i64, 7] {
        let desk = Desk::new(Plan { size_off: off, ..plan() });
        let listed = desk.server.plan.lock().unwrap().files["config.json"].len() as i64;
        let expected = format!(
            "fetching config.json of org/tiny: expected {listed} bytes, as the Hub lists it, got {} announced",
            listed + off
        );
        let said = desk.said("org/tiny");
        assert!(said.starts_with(&expected), "{said}");
    }
    let desk = large(|plan| plan.lacks = 10);
    let said = told(desk.fetch().map(|_| ()));
    assert!(
        said.starts_with(
            "fetching model.safetensors of org/tiny: expected 3000000 bytes with the ETag "
        ),
        "{said}"
    );
    assert!(said.contains("got 1164982 bytes where 1164992 were asked for"), "{said}");
    assert!(desk.offline_said().contains("is not in the Hub's cache"));
}

impl Desk {
    fn offline_said(&self) -> String {
        told(fetch_model("org/tiny", None, &self.offline(), &quiet()).map(|_| ()))
    }
}

#[test]
fn offline_only_the_cache_is_used() {
    let desk = Desk::new(plan());
    assert_eq!(
        desk.offline_said(),
        format!(
            "org/tiny at main is not in the Hub's cache ({}), and the run is offline (fetch it once without --offline and without HF_HUB_OFFLINE, or give a folder)",
            desk.cache.path().display()
        )
    );
    let fetched = desk.fetch().unwrap();
    desk.server.asked();
    for revision in [None, Some("main"), Some(COMMIT)] {
        let found = fetch_model("org/tiny", revision, &desk.offline(), &quiet());
        assert_eq!(found.unwrap(), fetched);
    }
    assert!(desk.server.asked().is_empty());
}

#[test]
fn where_no_hub_answers_the_cache_serves() {
    let desk = Desk::new(plan());
    let fetched = desk.fetch().unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Settings {
        endpoint: Some(format!("http://{}", gone.local_addr().unwrap())),
        ..desk.settings()
    };
    drop(gone);
    let found = fetch_model("org/tiny", None, &settings, &quiet());
    assert_eq!(found.unwrap(), fetched);
    let said = told(fetch_model("org/other", None, &settings, &quiet()).map(|_| ()));
    assert!(
        said.starts_with("org/other cannot be fetched: no answer from http://127.0.0.1:"),
        "{said}"
    );
    let settings = Settings { endpoint: Some("ftp://x".to_string()), ..settings };
    let said = told(fetch_model("org/tiny", None, &settings, &quiet()).map(|_| ()));
    assert!(
        said.starts_with("reaching the Hub: expected an endpoint such as https://huggingface.co"),
        "{said}"
    );
}

/// Notes what it is told, and asks to stop once weights are under way.
#[derive(Clone, Default)]
struct Watch {
    heard: Arc<Mutex<Vec<(u64, u64, String)>>>,
    stop: Arc<AtomicBool>,
    stops: bool,
    total: u64,
}

impl Progress for Watch {
    fn begin(&self, label: &str, total: u64, unit: &str) -> Box<dyn Task> {
        assert_eq!((label, unit), ("fetching org/tiny", "bytes"));
        Box::new(Watch { total, ..self.clone() })
    }
}

impl Task for Watch {
    fn update(&mut self, done: u64, remark: &str) {
        let heard = (done, self.total, remark.to_string());
        self.heard.lock().unwrap().push(heard);
        if self.stops && remark == WEIGHTS {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn progress_is_told_in_bytes_and_a_wish_to_stop_is_heard() {
    let desk = Desk::new(plan());
    let fetch = |stops: bool| {
        let watch = Watch { stops, ..Watch::default() };
        let control = Control::new(Arc::new(watch.clone()), watch.stop.clone());
        let result = fetch_model("org/tiny", None, &desk.settings(), &control);
        (result, watch.heard.lock().unwrap().clone())
    };
    let (stopped, _) = fetch(true);
    assert!(matches!(stopped, Err(Error::Interrupted)));
    assert!(desk.offline_said().contains("is not in the Hub's cache"));
    let (whole, heard) = fetch(false);
    whole.unwrap();
    let (done, total, name) = heard.last().unwrap();
    assert_eq!(done, total);
    assert!(heard.iter().any(|(_, _, name)| name == WEIGHTS), "{name}");
    assert!(heard.windows(2).all(|pair| pair[0].0 <= pair[1].0));
}

/// Runs a script that loads the model, with nothing of the environment but what is given.
fn run(desk: &Desk, home: &Path, variables: &[(&str, &str)]) -> (i32, String) {
    let script = home.join("x.rhai");
    std::fs::write(&script, "load_model(\"org/tiny\").config().hidden_size\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb"));
    command
        .args(["run", "x.rhai"])
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("NO_COLOR", "1")
        .env("HF_ENDPOINT", &desk.server.url)
        .envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(text).unwrap())
}

#[test]
fn the_door_reads_the_variables_of_the_hub() {
    let token = |value: &str| Some(value.to_string());
    let desk = Desk::new(Plan { token: token("hf_right"), ..plan() });
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_string();
    let fetched = |root: &str| Path::new(root).join("models--org--tiny/refs/main").exists();
    let run = |variables: &[(&str, &str)]| run(&desk, home.path(), variables);

    let (code, said) = run(&[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("has no model org/tiny, or it is private"), "{said}");
    let (code, said) = run(&[("HF_TOKEN", "hf_right\n"), ("HF_HUB_CACHE", &path("a"))]);
    assert_eq!(code, 0, "{said}");
    assert!(fetched(&path("a")));
    std::fs::write(path("token"), " hf_right\n").unwrap();
    let (code, said) = run(&[("HF_TOKEN_PATH", &path("token")), ("HF_HOME", &path("b"))]);
    assert_eq!(code, 0, "{said}");
    assert!(fetched(&path("b/hub")));
    std::fs::create_dir_all(path("c")).unwrap();
    std::fs::write(path("c/token"), "hf_right").unwrap();
    assert_eq!(run(&[("HF_HOME", &path("c"))]).0, 0);
    assert!(fetched(&path("c/hub")));
    assert_eq!(run(&[("HF_TOKEN", "hf_right"), ("XDG_CACHE_HOME", &path("d"))]).0, 0);
    assert!(fetched(&path("d/huggingface/hub")));
    assert_eq!(run(&[("HF_TOKEN", "hf_right")]).0, 0);
    assert!(fetched(&path(".cache/huggingface/hub")));
    let (code, _) = run(&[("HF_HOME", &path("c")), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]);
    assert_eq!(code, 1);

    desk.server.asked();
    let (code, said) = run(&[("HF_HUB_OFFLINE", "1"), ("HF_HUB_CACHE", &path("a"))]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&[("HF_HUB_OFFLINE", "1"), ("HF_HUB_CACHE", &path("e"))]);
    assert_eq!(code, 1);
    assert!(said.contains("and the run is offline"), "{said}");
    assert!(desk.server.asked().is_empty());
}
