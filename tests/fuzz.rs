//! Every fuzz target over its seeds and over changes of them, the same ones every time: a value or a sentence, nothing else.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::path::Path;

use ebb::random::Stream;

use crate::hostile::fuzz::changed;
use crate::support::fixture;

/// Changes of each seed; `EBB_FUZZ=5000` makes more.
fn changes() -> u64 {
    std::env::var("EBB_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(25)
}

/// What stands in the corpus of a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Seeds that the fixtures are, or that are made here.
fn made(target: &str) -> Vec<Vec<u8>> {
    let read = |name: &str| std::fs::read(fixture(name)).unwrap();
    match target {
        "gguf" => vec![read("gguf/kinds.gguf"), read("gguf/llama3.gguf")],
        "pickle" => vec![read("tiny-llama.bin"), read("tiny-llama-legacy.bin")],
        "safetensors" => vec![read("tiny-llama/model.safetensors")],
        "config" => vec![read("tiny-llama/config.json")],
        "tokenizer" => vec![read("tiny-llama/tokenizer.json")],
        "parquet" => {
            let frame = ebb::frame::read::parse(
                Path::new("x.jsonl"),
                b"{\"a\":1,\"s\":\"x\",\"l\":[1,2]}\n{\"a\":null,\"s\":\"y\",\"l\":[]}\n",
            );
            vec![ebb::frame::write::parquet(&frame.unwrap()).unwrap()]
        }
        "bundle" => vec![a_bundle()],
        _ => Vec::new(),
    }
}

/// A bundle as the program makes it.
fn a_bundle() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.rhai"), "read(\"rows.jsonl\")").unwrap();
    std::fs::write(folder.path().join("rows.jsonl"), "{\"x\":1}\n").unwrap();
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_ebb"))
        .args(["bundle", "x.rhai", "-o", "x.ebb"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(folder.path().join("x.ebb")).unwrap()
}

fn over(target: &str) {
    let seeds: Vec<Vec<u8>> = corpus(target).into_iter().chain(made(target)).collect();
    assert!(!seeds.is_empty(), "{target} has no seed");
    let stream = Stream::new(3, target);
    for (place, seed) in seeds.iter().enumerate() {
        targets::run(target, seed);
        for change in 0..changes() {
            let draw = stream.child(place as u64).child(change);
            targets::run(target, &changed(seed, draw, 1500));
        }
    }
}

#[test]
fn bundles_are_unpacked_or_refused() {
    over("bundle");
}

#[test]
fn cells_are_split_and_parameters_found_or_refused() {
    over("cells");
}

#[test]
fn configurations_are_read_or_refused() {
    over("config");
}

#[test]
fn gguf_files_are_read_or_refused() {
    over("gguf");
}

#[test]
fn notebooks_are_imported_or_refused() {
    over("notebook");
}

#[test]
fn parquet_files_are_read_or_refused() {
    over("parquet");
}

#[test]
fn archives_of_torch_are_read_or_refused() {
    over("pickle");
}

#[test]
fn safetensors_are_read_or_refused() {
    over("safetensors");
}

#[test]
fn scripts_touch_nothing_outside_and_end() {
    over("script");
}

#[test]
fn tables_are_read_or_refused() {
    over("tables");
}

#[test]
fn templates_are_rendered_or_refused() {
    over("template");
}

#[test]
fn tokenizers_are_read_or_refused() {
    over("tokenizer");
}

#[test]
fn every_target_is_built_by_cargo_fuzz_and_run_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let here = std::fs::read_to_string(file!()).unwrap();
    for (target, _) in targets::TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
        assert!(folder.join(format!("fuzz_targets/{target}.rs")).exists(), "{target}");
        assert!(here.contains(&format!("over(\"{target}\")")), "{target}");
    }
}

/// Writes the seeds that are made here into the corpus, for cargo-fuzz: `EBB_WRITE_CORPUS=1 cargo test --release seeds`.
#[test]
fn seeds_are_written_where_that_is_asked_for() {
    if std::env::var_os("EBB_WRITE_CORPUS").is_none() {
        return;
    }
    for (target, _) in targets::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        std::fs::create_dir_all(&folder).unwrap();
        for (place, seed) in made(target).iter().enumerate() {
            std::fs::write(folder.join(format!("made-{place}")), seed).unwrap();
        }
    }
}
