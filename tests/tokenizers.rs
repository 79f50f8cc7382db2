//! Tokenizers of folders without a tokenizer.json, against the ids that transformers gives for the same files, and files
//! that are none.

use std::path::Path;

use ebb::generate::{Options, generate};
use ebb::model::config::Config;
use ebb::model::text::TextTokenizer;
use ebb::model::text::files::{TokenizerFiles, build};
use ebb::model::{Model, load};
use serde_json::{Value, json};

use crate::support::{cpu, fixture, ids, json as fixture_json, quiet};

fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    std::fs::read(folder.join(name)).ok()
}

fn files_in(folder: &Path) -> TokenizerFiles {
    TokenizerFiles {
        source: "a folder".to_string(),
        config: serde_json::from_slice(&read(folder, "config.json").unwrap()).unwrap(),
        pieces: read(folder, "tokenizer.model"),
        vocabulary: read(folder, "vocab.json").zip(read(folder, "merges.txt")),
        settings: read(folder, "tokenizer_config.json"),
        special_tokens: read(folder, "special_tokens_map.json"),
        added_tokens: read(folder, "added_tokens.json"),
    }
}

fn config() -> Config {
    let config = json!({
        "model_type": "llama", "vocab_size": 450, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 1, "max_position_embeddings": 64, "eos_token_id": 2, "bos_token_id": 1,
    });
    Config::from_json(&config).unwrap()
}

fn tokenizer(files: &TokenizerFiles) -> ebb::error::Result<TextTokenizer> {
    let (tokenizer, settings) = build(files)?;
    let bytes = |value: &Value| serde_json::to_vec(value).unwrap();
    TextTokenizer::from_bytes(&bytes(&tokenizer), Some(&bytes(&settings)), &config())
}

fn same_as_transformers(tokenizer: &TextTokenizer, name: &str) {
    for case in fixture_json("tokenizers.json")[name].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let ours = tokenizer.encode(text).unwrap();
        assert_eq!(ours, ids(&case["ids"]), "{name}: {text:?}");
        let ours = tokenizer.encode_plain(text).unwrap();
        assert_eq!(ours, ids(&case["plain"]), "{name}, plain: {text:?}");
    }
}

#[test]
fn ids_without_a_tokenizer_json_are_those_of_transformers() {
    let expected = fixture_json("tokenizers.json");
    assert!(expected.as_object().unwrap().len() >= 13);
    for name in expected.as_object().unwrap().keys() {
        let files = files_in(&fixture(&format!("tokenizers/{name}")));
        same_as_transformers(&tokenizer(&files).unwrap(), name);
    }
}

/// A model of random weights in a folder that has the tokenizer files of a fixture.
fn folder_with(name: &str) -> (tempfile::TempDir, Model) {
    let from = fixture(&format!("tokenizers/{name}"));
    let made = tokenizer(&files_in(&from)).unwrap();
    let model = load::random(config(), made.into(), 1, &cpu()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model");
    ebb::model::save::to_folder(&model, &folder, model.dtype()).unwrap();
    std::fs::remove_file(folder.join("tokenizer.json")).unwrap();
    std::fs::remove_file(folder.join("tokenizer_config.json")).unwrap();
    for file in std::fs::read_dir(&from).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap();
        if name != "config.json" {
            std::fs::copy(&file, folder.join(name)).unwrap();
        }
    }
    let model = load::from_folder(&folder, &cpu()).unwrap();
    (place, model)
}

#[test]
fn such_a_folder_loads_and_is_saved_with_a_tokenizer_json() {
    for name in
        ["llama", "llama_legacy", "llama_decoder", "llama_unnamed", "normalized", "unigram", "opt"]
    {
        let (place, model) = folder_with(name);
        same_as_transformers(model.tokenizer(), name);
        let saved = place.path().join("saved");
        ebb::model::save::to_folder(&model, &saved, model.dtype()).unwrap();
        assert!(saved.join("tokenizer.json").is_file());
        let again = load::from_folder(&saved, &cpu()).unwrap();
        same_as_transformers(again.tokenizer(), name);
    }
}

#[test]
fn a_saved_tokenizer_reads_back_as_it_was_written() {
    let (_place, model) = folder_with("llama");
    let text = "Bread needs flour, water, salt and time — 500 g of it.";
    let ids = model.tokenizer().encode(text).unwrap();
    assert_eq!(ids.first(), Some(&1), "a begin token comes first");
    assert_eq!(model.tokenizer().decode(&ids).unwrap(), text);
}

#[test]
fn a_prompt_that_is_cut_keeps_its_begin_token() {
    let (_place, model) = folder_with("llama");
    let long = model.tokenizer().encode(&"The old mill stands. ".repeat(40)).unwrap();
    let options = Options { max_new_tokens: 4, ..Options::default() };
    let run = |prompt: Vec<u32>| generate(&model, &[prompt], &[], &options, &quiet()).unwrap();
    let outcome = run(long.clone());
    assert_eq!(outcome.cut, 1);
    // The context of 64 less the four new ones: the begin token and the last 59.
    let expected = [&[1], &long[long.len() - 59..]].concat();
    assert_eq!(outcome.completions, run(expected).completions);
}

fn refused(change: impl Fn(&mut TokenizerFiles), name: &str, expected: &str) {
    let mut files = files_in(&fixture(&format!("tokenizers/{name}")));
    change(&mut files);
    match tokenizer(&files) {
        Ok(_) => panic!("{expected}: it was read"),
        Err(error) => assert!(error.to_string().contains(expected), "{error}"),
    }
}

fn settings(value: Value) -> Option<Vec<u8>> {
    Some(serde_json::to_vec(&value).unwrap())
}

#[test]
fn files_that_make_no_tokenizer_are_told() {
    refused(
        |files| files.settings = settings(json!({ "tokenizer_class": "XLNetTokenizer" })),
        "llama",
        "unknown tokenizer_class of a model without tokenizer.json",
    );
    refused(
        |files| files.settings = settings(json!({ "tokenizer_class": "GPT2Tokenizer" })),
        "llama",
        "no vocab.json and merges.txt",
    );
    refused(
        |files| files.settings = settings(json!({ "tokenizer_class": "LlamaTokenizer" })),
        "opt",
        "no tokenizer.model",
    );
    refused(
        |files| files.settings = settings(json!({ "tokenizer_class": "LlamaTokenizer" })),
        "unigram",
        "a Unigram model",
    );
    refused(
        |files| files.settings = settings(json!({ "split_special_tokens": true })),
        "gpt2",
        "split_special_tokens",
    );
    refused(
        |files| files.added_tokens = settings(json!({ "<pad>": 430 })),
        "llama",
        "the added token \"<pad>\" is to have the id 430, and would get 420",
    );
    refused(
        |files| files.vocabulary = Some((b"[1]".to_vec(), Vec::new())),
        "gpt2",
        "vocab.json cannot be read as a map from tokens to ids",
    );
    refused(
        |files| files.vocabulary = Some((br#"{"a": 1, "b": 1}"#.to_vec(), Vec::new())),
        "gpt2",
        "vocab.json gives the id 1 to two tokens",
    );
    refused(
        |files| files.vocabulary = Some((br#"{"a": 0}"#.to_vec(), b"a b".to_vec())),
        "gpt2",
        "the merge \"a b\", which makes no token of two",
    );
    refused(
        |files| files.pieces = Some(b"IQ== 0\nIg== 1\n".to_vec()),
        "llama",
        "tokenizer.model is not a whole SentencePiece model",
    );
    refused(|files| files.pieces = Some(Vec::new()), "llama", "it has no pieces");
}

#[test]
fn no_broken_sentencepiece_file_brings_the_program_down() {
    let whole = read(&fixture("tokenizers/llama"), "tokenizer.model").unwrap();
    for end in 0..whole.len().min(900) {
        let mut files = files_in(&fixture("tokenizers/llama"));
        files.pieces = Some(whole[..end].to_vec());
        // Cut between two pieces it is a smaller model; anywhere else it is told.
        let _ = tokenizer(&files);
    }
    for place in (0..whole.len()).step_by(7) {
        for bits in [0xff, 0x80, 0x07] {
            let mut bytes = whole.clone();
            bytes[place] ^= bits;
            let mut files = files_in(&fixture("tokenizers/llama"));
            files.pieces = Some(bytes);
            let _ = build(&files);
        }
    }
}

/// The older special_tokens_map.json writes tokens as plain maps; in tokenizer_config.json transformers takes maps only where
/// they say what they are, and raises a TypeError otherwise.
#[test]
fn tokens_of_a_special_tokens_map_are_saved_as_transformers_reads_them() {
    let from = fixture("tokenizers/opt");
    let flags = |token: &str| json!({ "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": true });
    let map = json!({
        "bos_token": flags("</s>"), "eos_token": flags("</s>"), "unk_token": flags("</s>"), "pad_token": flags("<pad>"),
        "additional_special_tokens": [flags("<pad>"), "</s>"],
    });
    let mut files = files_in(&from);
    files.special_tokens = Some(map.to_string().into_bytes());
    let made = tokenizer(&files).unwrap();
    same_as_transformers(&made, "opt");
    let place = tempfile::tempdir().unwrap();
    made.save(&ebb::doorway::Roots::anywhere(), place.path()).unwrap();
    let saved = std::fs::read(place.path().join("tokenizer_config.json")).unwrap();
    let saved: Value = serde_json::from_slice(&saved).unwrap();
    for key in ["bos_token", "eos_token", "unk_token", "pad_token"] {
        let token = &saved[key];
        assert!(token.is_string() || token["__type"] == "AddedToken", "{key}: {token}");
    }
    let listed = &saved["additional_special_tokens"];
    assert_eq!(listed[0]["__type"], "AddedToken");
    assert_eq!(listed[1], "</s>");
}
