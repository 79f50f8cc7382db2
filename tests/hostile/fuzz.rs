//! Whole files with some bytes changed, cut, moved or doubled: whatever comes, a model or a sentence.

use std::path::Path;
use std::time::{Duration, Instant};

use ebb::doorway::Roots;
use ebb::model::chat::{ChatTemplate, Message};
use ebb::model::load;
use ebb::random::Stream;
use ebb::train::checkpoint::Keeping;
use ebb::train::examples::{Source, tokenize};
use ebb::train::finetune_with;
use ebb::train::options::{Duration as Length, Options};
use ebb::train::outputs::Outputs;
use serde_json::json;

use super::Spoilt;
use crate::support::{cpu, fixture, quiet, tiny};

/// A changed copy. Most changes go to the first `head` bytes.
pub fn changed(bytes: &[u8], draw: Stream, head: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in 0..1 + draw.below(0, 5) {
        if bytes.is_empty() {
            break;
        }
        let reach = match draw.below(10 + 8 * change, 4) {
            0 => bytes.len(),
            _ => head.min(bytes.len()),
        };
        let at = draw.below(11 + 8 * change, reach as u64) as usize;
        let value = draw.bits(12 + 8 * change);
        match draw.below(13 + 8 * change, 7) {
            0 => bytes[at] ^= 1 << (value % 8),
            1 => bytes[at] = value as u8,
            2 => bytes[at] = b"{}[]\",:0129-.eE"[(value % 15) as usize],
            3 => bytes.truncate(at),
            4 => {
                let piece = bytes[at..(at + 1 + value as usize % 40).min(bytes.len())].to_vec();
                let to = draw.below(14 + 8 * change, bytes.len() as u64) as usize;
                bytes.splice(to..to, piece);
            }
            5 => {
                let end = (at + 1 + value as usize % 8).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + 8).min(bytes.len());
                let number = [u64::MAX, 1 << 63, 1 << 31, 0, value][(value % 5) as usize];
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
        }
    }
    bytes
}

/// Tries changed copies of a file for so long; gives how many, and how many were taken all the same.
fn tries(
    bytes: &[u8],
    seed: u64,
    budget: Duration,
    head: usize,
    take: impl Fn(&[u8]) -> bool,
) -> (u64, u64) {
    let stream = Stream::new(seed, "fuzz");
    let began = Instant::now();
    let (mut tried, mut taken) = (0, 0);
    while began.elapsed() < budget {
        taken += u64::from(take(&changed(bytes, stream.child(tried), head)));
        tried += 1;
    }
    (tried, taken)
}

/// Changes one file of a model's folder.
fn of_model(from: &Path, name: &str, head: usize, seed: u64, budget: Duration) -> (u64, u64) {
    let spoilt = Spoilt::new();
    if name == "pytorch_model.bin" {
        spoilt.remove("model.safetensors");
    }
    let bytes = std::fs::read(from).unwrap();
    tries(&bytes, seed, budget, head, |bytes| spoilt.write(name, bytes).load().is_ok())
}

fn adapters(seed: u64, budget: Duration) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let options = load::LoadOptions { adapter: Some(folder.path().to_path_buf()), ..cpu() };
    let names = ["adapter_config.json", "adapter_model.safetensors"];
    let whole = names.map(|name| std::fs::read(fixture("tiny-llama-lora").join(name)).unwrap());
    let stream = Stream::new(seed, "which");
    let count = std::cell::Cell::new(0);
    tries(&[0; 8], seed, budget, 8, |_| {
        let n = count.replace(count.get() + 1);
        for (place, (name, bytes)) in names.iter().zip(&whole).enumerate() {
            let bytes = if stream.below(n, 2) == place as u64 {
                changed(bytes, stream.child(n), 1500)
            } else {
                bytes.clone()
            };
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let base = fixture("tiny-llama");
        load::open("tiny", Some(&base), &options, &Default::default()).is_ok()
    })
}

fn checkpoints(seed: u64, budget: Duration) -> (u64, u64) {
    let model = tiny();
    let rows = [Source::Text("the kettle sings".to_string()), Source::Text("a lamp".to_string())];
    let rows = tokenize(model.tokenizer(), &rows, 64).unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    let outputs = Outputs {
        checkpoints: Some(Keeping {
            folder: folder.path().to_path_buf(),
            roots: Roots::anywhere(),
            every: 1,
            keep: 1,
            resume: true,
        }),
        ..Outputs::default()
    };
    let options = Options { duration: Length::Steps(1), ..Options::default() };
    let run = || finetune_with(&model, &rows, &[], &options, &outputs, &quiet());
    run().unwrap();
    let place = folder.path().join("checkpoint-00000001");
    let names = ["state.json", "variables.safetensors", "moments.safetensors", "log.jsonl"];
    let whole = names.map(|name| std::fs::read(place.join(name)).unwrap());
    let stream = Stream::new(seed, "which");
    let count = std::cell::Cell::new(0);
    tries(&[0; 8], seed, budget, 8, |_| {
        let n = count.replace(count.get() + 1);
        let which = stream.below(n, 4) as usize;
        for (place_of, (name, bytes)) in names.iter().zip(&whole).enumerate() {
            let bytes = if place_of == which {
                changed(bytes, stream.child(n), 1500)
            } else {
                bytes.clone()
            };
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join(name), bytes).unwrap();
        }
        run().is_ok()
    })
}

fn templates(seed: u64, budget: Duration) -> (u64, u64) {
    let template = "{% macro say(m, n=2) %}{{ m.role|upper }}: {{ m['content']|trim }}{% endmacro %}{% for m in messages %}\
        {% if loop.first and m.role == 'system' %}[{{ m.content }}]{% else %}{{ say(m) }}{{ '\\n' * 3 }}{% endif %}{% endfor %}\
        {% set ns = namespace(i=0) %}{% for c in range(9) %}{% set ns.i = ns.i + c %}{% endfor %}{{ ns.i }}{{ messages|tojson }}\
        {% if add_generation_prompt %}assistant:{% endif %}";
    let messages = [("system", "Be kind."), ("user", "Hi {{ 7 }}"), ("assistant", "Yes.")];
    let messages = messages.map(|(role, content)| Message::new(role, content));
    let settings = json!({ "bos_token": "<s>", "eos_token": "</s>" });
    tries(template.as_bytes(), seed, budget, template.len(), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let template = ChatTemplate::new(&text, &settings);
        template.is_ok_and(|template| template.render(&messages, true).is_ok())
    })
}

/// A reader that is ours, by what it reads.
type Reader = (&'static str, fn(u64, Duration) -> (u64, u64));

const READERS: [Reader; 7] = [
    ("safetensors", |seed, budget| {
        let from = fixture("tiny-llama/model.safetensors");
        of_model(&from, "model.safetensors", 2500, seed, budget)
    }),
    ("torch.save archives", |seed, budget| {
        of_model(&fixture("tiny-llama.bin"), "pytorch_model.bin", 4000, seed, budget)
    }),
    ("config.json", |seed, budget| {
        of_model(&fixture("tiny-llama/config.json"), "config.json", 800, seed, budget)
    }),
    ("tokenizer.json", |seed, budget| {
        let from = fixture("tiny-llama/tokenizer.json");
        of_model(&from, "tokenizer.json", 6500, seed, budget)
    }),
    ("adapters", adapters),
    ("checkpoints", checkpoints),
    ("chat templates", templates),
];

#[test]
fn changed_files_never_panic() {
    for (what, reader) in READERS {
        let (tried, _) = reader(1, Duration::from_millis(400));
        assert!(tried > 10, "{what}: {tried}");
    }
}

#[test]
#[ignore = "ten minutes, by hand"]
fn changed_files_never_panic_for_ten_minutes() {
    let readers = READERS.map(|(what, reader)| {
        let run = move || {
            let (tried, taken) = reader(2, Duration::from_secs(600));
            eprintln!("{what}: {tried} files, {taken} of them taken");
        };
        std::thread::spawn(run)
    });
    for reader in readers {
        reader.join().unwrap();
    }
}
