//! A small Hub on this machine: what huggingface.co answers to those who fetch a model or a data set, with faults on demand.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use ebb::files::sha256;
use serde_json::{Value, json};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the server has and how it misbehaves.
#[derive(Clone, Default)]
pub struct Plan {
    pub files: BTreeMap<String, Vec<u8>>,
    /// They are those of the data set `org/data`, not of the model `org/tiny`.
    pub is_data: bool,
    /// Only who brings this token is let in.
    pub token: Option<String>,
    /// Everyone sees the repository; only the token's owner gets its files.
    pub gated: bool,
    /// Where the files of large storage are: another server's address.
    pub storage: Option<String>,
    /// Bodies that may still be cut in the middle, the connection with them: those of pieces that begin later than
    /// `cut_from`.
    pub cuts: usize,
    pub cut_from: usize,
    /// Bytes that the files of large storage lack at their end.
    pub lacks: usize,
    /// What is added to the sizes of files that are told beforehand.
    pub size_off: i64,
    /// Bytes of files differ from what was told.
    pub corrupt: bool,
    pub ignores_ranges: bool,
    /// Every answer has this status.
    pub status: Option<u16>,
    /// What the ETags of files are, whatever they have in them.
    pub etag: Option<String>,
    pub commit: Option<String>,
    /// What the listing says beside the files.
    pub also_listed: Vec<Value>,
}

#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub token: Option<String>,
    pub range: Option<String>,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    pub plan: Arc<Mutex<Plan>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Begins to serve; it ends with the tests.
    pub fn start(plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            plan: Arc::new(Mutex::new(plan)),
            asked: Arc::default(),
        };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(stream));
            }
        });
        server
    }

    /// The requests since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub fn change(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.plan.lock().unwrap());
    }

    fn answer(&self, stream: TcpStream) {
        let Some(asked) = read(&stream) else { return };
        self.asked.lock().unwrap().push(asked.clone());
        let (head, body, cut) = {
            let mut plan = self.plan.lock().unwrap();
            let plain = as_model(&plan, asked.path.split('?').next().unwrap());
            let mut answer = respond(&mut plan, &asked, &plain);
            if let Some(status) = plan.status {
                answer = Answer::status(status, "");
            }
            answer.bytes(&asked.method)
        };
        let mut stream = stream;
        let _ = stream.write_all(head.as_bytes());
        let end = cut.unwrap_or(body.len()).min(body.len());
        let _ = stream.write_all(&body[..end]);
        let _ = stream.flush();
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_string(), words.next()?.to_string());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim().split_once(':') {
            Some((name, value)) => {
                headers.insert(name.to_lowercase(), value.trim().to_string());
            }
            None => break,
        }
    }
    let token = headers.get("authorization");
    Some(Asked {
        method,
        path,
        token: token.map(|value| value.replace("Bearer ", "")),
        range: headers.get("range").cloned(),
    })
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    cut: Option<usize>,
}

impl Answer {
    fn status(status: u16, code: &str) -> Self {
        let mut headers = Vec::new();
        if !code.is_empty() {
            headers.push(("X-Error-Code".to_string(), code.to_string()));
        }
        Self { status, headers, body: b"{}".to_vec(), cut: None }
    }

    fn json(value: &Value) -> Self {
        Self { body: value.to_string().into_bytes(), ..Self::status(200, "") }
    }

    fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    fn bytes(self, method: &str) -> (String, Vec<u8>, Option<usize>) {
        let mut head = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", self.status);
        if !self.headers.iter().any(|(name, _)| name == "Content-Length") {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let body = if method == "HEAD" { Vec::new() } else { self.body };
        (head + "\r\n", body, self.cut)
    }
}

/// A data set's address as that of the model `org/tiny`, under which the answers are alike; in a data set's world there is no
/// model.
fn as_model(plan: &Plan, path: &str) -> String {
    if !plan.is_data || path.starts_with("/storage/") {
        return path.to_string();
    }
    let named = [
        ("/api/datasets/org/data/", "/api/models/org/tiny/"),
        ("/datasets/org/data/", "/org/tiny/"),
    ];
    let found = named.into_iter().find_map(|(from, to)| Some((to, path.strip_prefix(from)?)));
    found.map_or("/nothing".to_string(), |(to, rest)| format!("{to}{rest}"))
}

fn respond(plan: &mut Plan, asked: &Asked, path: &str) -> Answer {
    let known = plan.token.is_none() || plan.token == asked.token;
    let commit = plan.commit.clone().unwrap_or(COMMIT.to_string());
    if let Some(name) = path.strip_prefix("/storage/") {
        return contents(plan, name, asked);
    }
    if let Some(rest) = path.strip_prefix("/api/models/org/tiny/") {
        if !known && !plan.gated {
            return Answer::status(401, "RepoNotFound");
        }
        return match rest.split_once('/') {
            Some(("revision", revision)) => match revision {
                "main" | COMMIT | "refs%2Fpr%2F1" | "refs%2Fconvert%2Fparquet" => {
                    Answer::json(&json!({ "id": "org/tiny", "sha": commit }))
                }
                _ => Answer::status(404, "RevisionNotFound"),
            },
            Some(("tree", _)) => Answer::json(&Value::Array(listing(plan))),
            _ => Answer::status(404, ""),
        };
    }
    match path.strip_prefix(&format!("/org/tiny/resolve/{commit}/")) {
        Some(_) if !known && plan.gated => Answer::status(403, "GatedRepo"),
        Some(name) => resolve(plan, name, asked, &commit),
        // As the real one: what is not there looks like what is not to be seen.
        None => Answer::status(401, "RepoNotFound"),
    }
}

fn listing(plan: &Plan) -> Vec<Value> {
    let entry = |(path, bytes): (&String, &Vec<u8>)| {
        let mut entry =
            json!({ "type": "file", "oid": git(bytes), "size": bytes.len(), "path": path });
        if is_large(path) {
            entry["lfs"] = json!({ "oid": sha256(bytes), "size": bytes.len(), "pointerSize": 130 });
        }
        entry
    };
    let mut listed: Vec<Value> = plan.files.iter().map(entry).collect();
    listed.push(json!({ "type": "directory", "oid": git(b""), "size": 0, "path": "onnx" }));
    listed.extend(plan.also_listed.clone());
    listed
}

fn resolve(plan: &mut Plan, name: &str, asked: &Asked, commit: &str) -> Answer {
    let Some(bytes) = plan.files.get(name) else {
        return Answer::status(404, "EntryNotFound");
    };
    let size = bytes.len() as i64 + plan.size_off;
    let etag = if is_large(name) { sha256(bytes) } else { git(bytes) };
    let etag = plan.etag.clone().unwrap_or(etag);
    let storage = plan.storage.clone().filter(|_| is_large(name));
    let mut answer = match &storage {
        Some(storage) => {
            Answer::status(302, "").header("Location", format!("{storage}/storage/{name}"))
        }
        None if asked.method == "HEAD" => Answer::status(200, ""),
        None => contents(plan, name, asked),
    };
    answer = answer.header("X-Repo-Commit", commit);
    if is_large(name) {
        answer = answer
            .header("X-Linked-Etag", format!("\"{etag}\""))
            .header("X-Linked-Size", size)
            .header("ETag", "\"something else\"");
    } else {
        answer = answer.header("ETag", format!("\"{etag}\""));
        if asked.method == "HEAD" {
            answer = answer.header("Content-Length", size);
        }
    }
    answer
}

fn contents(plan: &mut Plan, name: &str, asked: &Asked) -> Answer {
    let Some(bytes) = plan.files.get(name) else {
        return Answer::status(404, "");
    };
    let mut bytes = bytes.clone();
    if plan.corrupt && is_large(name) {
        bytes[100] ^= 1;
    }
    if is_large(name) {
        bytes.truncate(bytes.len() - plan.lacks);
    }
    let range = asked.range.as_deref().filter(|_| !plan.ignores_ranges);
    let range = range.map(|range| {
        let (start, end) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
        (start, (end + 1).min(bytes.len()))
    });
    let whole = bytes.len();
    let mut answer = match range {
        Some((start, _)) if start >= whole => return Answer::status(416, ""),
        Some((start, end)) => Answer {
            body: bytes[start..end].to_vec(),
            ..Answer::status(206, "")
                .header("Content-Range", format!("bytes {start}-{}/{whole}", end - 1))
        },
        None => Answer { body: bytes, ..Answer::status(200, "") },
    };
    let start = range.map_or(0, |(start, _)| start);
    if is_large(name) && plan.cuts > 0 && start >= plan.cut_from && asked.method == "GET" {
        plan.cuts -= 1;
        answer.cut = Some(answer.body.len() / 2);
    }
    answer
}

/// Weights and parquet are kept in large storage, as .gitattributes on the Hub says.
fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".parquet")
}

/// Forty digits that depend on the contents, as git's hash does.
fn git(bytes: &[u8]) -> String {
    sha256(bytes)[..40].to_string()
}
