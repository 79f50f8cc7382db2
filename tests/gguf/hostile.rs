//! GGUF files that are broken or mean harm: each a sentence, never a panic, whatever bytes are changed.

use std::time::{Duration, Instant};

use ebb::model::load;
use ebb::random::Stream;

use super::writer::{Meta, Stored, Writer};
use crate::support::{cpu, fixture};

fn whole() -> Writer {
    let mut writer = Writer::tiny_llama(4);
    writer.put("tokenizer.ggml.model", Meta::text("gpt2"));
    let tokens = ["<end>", "a", "b", "ab"].map(Meta::text);
    writer.put("tokenizer.ggml.tokens", Meta::List(tokens.into()));
    writer.put("tokenizer.ggml.merges", Meta::List(vec![Meta::text("a b")]));
    writer.put("tokenizer.ggml.eos_token_id", Meta::Int(0));
    writer
}

fn outcome(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    std::fs::write(&path, bytes).unwrap();
    match load::from_folder(&path, &cpu()) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[track_caller]
fn refused(change: impl Fn(&mut Writer), expected: &str) {
    let mut writer = whole();
    change(&mut writer);
    refused_bytes(&writer.bytes(), expected);
}

#[track_caller]
fn refused_bytes(bytes: &[u8], expected: &str) {
    let message = outcome(bytes).expect_err(expected);
    assert!(message.contains(expected), "{message:?} lacks {expected:?}");
}

fn tensor<'a>(writer: &'a mut Writer, name: &str) -> &'a mut Stored {
    writer.tensors.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

#[test]
fn a_whole_file_is_read() {
    outcome(&whole().bytes()).unwrap();
}

#[test]
fn headers_that_lie_are_told() {
    let good = whole().bytes();
    let with = |place: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[place..place + bytes.len()].copy_from_slice(bytes);
        changed
    };
    refused_bytes(b"", "it announces 4 bytes and has 0 bytes left");
    refused_bytes(&with(0, b"GGML"), "does not begin with the letters GGUF");
    refused_bytes(&with(4, &1u32.to_le_bytes()), "its version is 1, and 2 and 3 are read");
    refused_bytes(&with(4, &3u32.to_be_bytes()), "big-endian");
    refused_bytes(&with(8, &u64::MAX.to_le_bytes()), "it announces 18446744073709551615 tensors");
    refused_bytes(&with(16, &(1u64 << 60).to_le_bytes()), "entries of metadata");
    refused_bytes(&with(24, &u64::MAX.to_le_bytes()), "bytes of a key");
    for cut in [5, 23, 30, 200, good.len() / 2, good.len() - 1] {
        assert!(outcome(&good[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn metadata_that_cannot_be_is_told() {
    refused(|w| w.put("general.architecture", Meta::text("mamba")), "unknown GGUF architecture");
    refused(|w| w.put("general.architecture", Meta::Int(1)), "names no general.architecture");
    refused(
        |w| w.put("llama.block_count", Meta::text("one")),
        "no whole number under `llama.block_count`",
    );
    refused(|w| w.put("llama.block_count", Meta::Int(u32::MAX)), "num_hidden_layers");
    refused(|w| w.put("llama.attention.head_count", Meta::Int(0)), "num_attention_heads");
    refused(|w| w.put("llama.embedding_length", Meta::Int(8)), "shape");
    refused(|w| w.put("general.alignment", Meta::Int(0)), "no power of two");
    refused(|w| w.put("general.alignment", Meta::Int(33)), "no power of two");
    refused(
        |w| {
            let entry = ("llama.block_count".to_string(), Meta::Int(1));
            w.entries.push(entry);
        },
        "has the key \"llama.block_count\" twice",
    );
    let nested = (0..6).fold(Meta::List(Vec::new()), |inner, _| Meta::List(vec![inner]));
    let mut writer = whole();
    writer.put("x", nested);
    refused_bytes(&writer.bytes(), "lists in lists");
}

#[test]
fn tensors_without_a_use_are_listed_and_refused_within_a_block() {
    for name in [
        "blk.0.attn_q.scale",
        "blk.0.attn_q_norm.weight",
        "blk.1.attn_q.weight",
        "blk.0.ffn_gate_inp.weight",
    ] {
        let told = format!("holds the tensor `{name}`, which a llama has no use for");
        refused(|w| w.tensor(name, &[4], &[0.0; 4]), &told);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let mut writer = whole();
    writer.tensor("mm.projector.weight", &[4], &[0.0; 4]);
    std::fs::write(&path, writer.bytes()).unwrap();
    let model = load::from_folder(&path, &cpu()).unwrap();
    assert_eq!(model.lineage().unused, ["mm.projector.weight"]);
}

#[test]
fn tensors_that_cannot_be_are_told() {
    let q = "blk.0.attn_q.weight";
    refused(|w| tensor(w, q).sizes = vec![4], "shape [4, 4], as the metadata says, got [4]");
    refused(|w| tensor(w, q).sizes = vec![1 << 40, 1 << 40], "an impossible size");
    refused(|w| tensor(w, q).sizes = vec![1 << 30, 4], "the file ends before");
    refused(|w| tensor(w, q).sizes = vec![0, 4], "an impossible size");
    refused(|w| tensor(w, q).sizes = vec![1; 9], "has 9 sizes, not 1 to 4");
    refused(|w| tensor(w, q).sizes.clear(), "has 0 sizes");
    refused(|w| tensor(w, q).kind = 99, "values of the kind 99, which is not read");
    refused(|w| tensor(w, q).kind = 2, "rows of 4 values, and blocks of 32");
    refused(|w| tensor(w, q).offset = Some(1), "does not lie at a multiple of 32");
    refused(|w| tensor(w, q).offset = Some(u64::MAX - 31), "the file ends before");
    refused(|w| tensor(w, q).offset = Some(64), "lie over each other");
    refused(|w| tensor(w, q).name = "blk.0.attn_k.weight".to_string(), "twice");
    refused(
        |w| w.tensors.retain(|tensor| tensor.name != q),
        "lacks the tensor `blk.0.attn_q.weight`",
    );
    refused(|w| w.tensors.clear(), "no tensor token_embd.weight");
    refused(
        |w| tensor(w, q).data[..4].copy_from_slice(&f32::NAN.to_le_bytes()),
        "`model.layers.0.self_attn.q_proj.weight` holds values that are not finite",
    );
    // The scale of a block: an f16 that is infinite.
    let mut bytes = std::fs::read(fixture("gguf/kinds.gguf")).unwrap();
    let end = bytes.len();
    for place in (end - 4096..end).step_by(2) {
        bytes[place + 1] |= 0x7c;
    }
    refused_bytes(&bytes, "not finite numbers");
}

/// A header of two counts, and what follows.
fn raw(tensors: u64, entries: u64, rest: &[&[u8]]) -> Vec<u8> {
    [b"GGUF", &3u32.to_le_bytes()[..], &tensors.to_le_bytes(), &entries.to_le_bytes()]
        .into_iter()
        .chain(rest.iter().copied())
        .flatten()
        .copied()
        .collect()
}

/// Refused in a sentence, at once.
#[track_caller]
fn refused_soon(bytes: &[u8], what: &str) {
    let started = Instant::now();
    let message = outcome(bytes).expect_err(what);
    assert!(started.elapsed() < Duration::from_secs(5), "{what}");
    assert!(!message.contains("ebb itself") && message.len() < 1000, "{what}: {message}");
}

/// Counts and lengths that go round when they are added to or multiplied, in each place that llama.cpp believed them.
const ROUND: [u64; 12] = [
    u64::MAX,
    u64::MAX - 1,
    u64::MAX / 4 + 1,
    u64::MAX / 8 + 2,
    u64::MAX / 24 + 1,
    u64::MAX / 88 + 1,
    u64::MAX / 368 + 1,
    1 << 63,
    (1 << 63) - 1,
    1 << 61,
    1 << 40,
    1 << 32,
];

#[test]
fn published_headers_against_llama_cpp_are_told() {
    let name: &[u8] = &[&1u64.to_le_bytes()[..], b"a"].concat();
    let (list, text) = (9u32.to_le_bytes(), 8u32.to_le_bytes());
    for many in ROUND {
        let count = many.to_le_bytes();
        // CVE-2024-21836 and CVE-2026-27940: the number of tensors.
        refused_soon(&raw(many, 0, &[]), "tensors");
        refused_soon(&raw(many, 0, &[&[0; 4096]]), "tensors with bytes behind");
        // CVE-2024-23605: the number of entries of metadata.
        refused_soon(&raw(0, many, &[]), "entries");
        refused_soon(&raw(0, many, &[&[0; 4096]]), "entries with bytes behind");
        // CVE-2024-23496: the length of a text, as a key and as a value.
        refused_soon(&raw(0, 1, &[&count, b"a"]), "a key");
        refused_soon(&raw(0, 1, &[name, &text, &count, b"a"]), "a text");
        // CVE-2024-21825: lists of numbers, of texts and of lists, and texts in lists.
        for kind in 0..=12u32 {
            let kind = kind.to_le_bytes();
            refused_soon(&raw(0, 1, &[name, &list, &kind, &count]), "a list");
            refused_soon(
                &raw(0, 1, &[name, &list, &kind, &count, &[0; 4096]]),
                "a list with bytes",
            );
        }
        refused_soon(
            &raw(0, 1, &[name, &list, &text, &1u64.to_le_bytes(), &count]),
            "a text in a list",
        );
        // CVE-2024-21802: the sizes of a tensor, and how many there are.
        for sizes in [vec![many], vec![many, 2], vec![2, many], vec![many; 4], vec![1, 1, 1, many]]
        {
            let mut writer = whole();
            tensor(&mut writer, "blk.0.attn_q.weight").sizes = sizes;
            refused_soon(&writer.bytes(), "sizes");
        }
        let bytes = (many as u32).to_le_bytes();
        refused_soon(&raw(1, 0, &[name, &bytes, &[1; 64]]), "number of sizes");
        // Blocks, whose bytes are more than their values: CVE-2026-33298.
        let mut writer = whole();
        tensor(&mut writer, "blk.0.attn_q.weight").kind = 8;
        tensor(&mut writer, "blk.0.attn_q.weight").sizes = vec![many & !31, 1];
        refused_soon(&writer.bytes(), "blocks");
        // Places in the file.
        let mut writer = whole();
        tensor(&mut writer, "blk.0.attn_q.weight").offset = Some(many & !31);
        refused_soon(&writer.bytes(), "an offset");
    }
}

#[test]
fn tensors_whose_bytes_go_round_together_are_told() {
    // CVE-2025-53630: each fits, their sum does not; and with the padding behind each (ggml-org/llama.cpp 19856).
    for size in [1u64 << 61, (1 << 62) - 1, (1 << 61) - 8, (1 << 60) + 1] {
        let mut writer = whole();
        for name in ["blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"] {
            tensor(&mut writer, name).sizes = vec![size, 1];
        }
        refused_soon(&writer.bytes(), "a sum");
    }
    for alignment in [1u32 << 31, 1 << 30] {
        let mut writer = whole();
        writer.put("general.alignment", Meta::Int(alignment));
        refused_soon(&writer.bytes(), "an alignment");
    }
    // Numbers of one byte where those of four are meant.
    for key in ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"] {
        let name = [&(key.len() as u64).to_le_bytes()[..], key.as_bytes()].concat();
        let (list, byte) = (9u32.to_le_bytes(), 1u32.to_le_bytes());
        let bytes = raw(0, 1, &[&name, &list, &byte, &4u64.to_le_bytes(), &[1; 4]]);
        refused_soon(&bytes, key);
    }
}

#[test]
fn tokenizers_that_cannot_be_are_told() {
    refused(
        |w| w.put("tokenizer.ggml.model", Meta::text("rwkv")),
        "unknown tokenizer of a GGUF file",
    );
    refused(|w| w.put("tokenizer.ggml.pre", Meta::text("gpt-2b")), "unknown pre-tokenizer");
    refused(
        |w| w.put("tokenizer.ggml.pre", Meta::text("kimi-k2")),
        "pre-tokenizer `kimi-k2` of llama.cpp, which is not computed",
    );
    refused(
        |w| w.put("tokenizer.ggml.tokens", Meta::Int(4)),
        "no list under `tokenizer.ggml.tokens`",
    );
    refused(
        |w| w.put("tokenizer.ggml.tokens", Meta::List(vec![Meta::Int(4)])),
        "something else than texts",
    );
    refused(
        |w| w.put("tokenizer.ggml.tokens", Meta::List(["a", "a"].map(Meta::text).into())),
        "has the token \"a\" twice",
    );
    refused(
        |w| w.put("tokenizer.ggml.merges", Meta::List(vec![Meta::text("b a")])),
        "the merge \"b a\", which makes no token of two",
    );
    refused(
        |w| w.put("tokenizer.ggml.token_type", Meta::List(vec![Meta::Int(1)])),
        "4 kinds of tokens, one a token, got 1",
    );
    refused(|w| w.put("tokenizer.ggml.eos_token_id", Meta::Int(77)), "below the vocabulary size 4");
    refused(|w| w.entries.retain(|(key, _)| !key.contains("eos")), "no end-of-text token");
    refused(|w| w.put("tokenizer.ggml.model", Meta::text("llama")), "4 scores, one a token, got 0");
}

/// Loads files with some bytes changed, cut or moved, for so long; gives how many were tried.
fn fuzz(seed: u64, budget: Duration) -> u64 {
    let seeds = [
        whole().bytes(),
        std::fs::read(fixture("gguf/llama3.gguf")).unwrap(),
        std::fs::read(fixture("gguf/gemma3.gguf")).unwrap(),
        std::fs::read(fixture("gguf/gpt_neox.gguf")).unwrap(),
    ];
    let stream = Stream::new(seed, "gguf fuzz");
    let began = Instant::now();
    let mut tried = 0;
    while began.elapsed() < budget {
        let draw = stream.child(tried);
        let mut bytes = seeds[draw.below(0, seeds.len() as u64) as usize].clone();
        // The header is where the harm is: most changes go there.
        let reach = match draw.below(1, 4) {
            0 => bytes.len() as u64,
            1 => 64,
            _ => 4096.min(bytes.len() as u64),
        };
        for change in 0..1 + draw.below(2, 6) {
            let at = draw.below(10 + 3 * change, reach) as usize;
            let value = draw.bits(11 + 3 * change);
            match draw.below(12 + 3 * change, 6) {
                0 => bytes[at] ^= 1 << (value % 8),
                1 => bytes[at] = value as u8,
                2 => {
                    let end = (at + 8).min(bytes.len());
                    let number = [u64::MAX, 1 << 63, 1 << 31, 0, value][(value % 5) as usize];
                    bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
                }
                3 => bytes.truncate(at.max(1)),
                4 => {
                    let piece: Vec<u8> = bytes[at..(at + 16).min(bytes.len())].to_vec();
                    let to = draw.below(900 + change, bytes.len() as u64) as usize;
                    bytes.splice(to..to, piece);
                }
                _ => {
                    bytes.remove(at);
                }
            }
            if (bytes.len() as u64) < reach {
                break;
            }
        }
        let _ = outcome(&bytes);
        tried += 1;
    }
    tried
}

#[test]
fn changed_bytes_never_panic() {
    let tried = fuzz(1, Duration::from_secs(2));
    assert!(tried > 20, "{tried}");
}

#[test]
#[ignore = "ten minutes, by hand"]
fn changed_bytes_never_panic_for_ten_minutes() {
    eprintln!("{} files", fuzz(2, Duration::from_secs(600)));
}
