//! GGUF files against transformers and the gguf package: values of every kind, logits of every family, tokens, and hostile
//! files.

mod hostile;
mod writer;

use ebb::generate::last_logits;
use ebb::model::{Model, load};
use ebb::train::finetune;
use ebb::train::options::{Duration, Method, Options};
use serde_json::Value;

use crate::support::{
    close, cpu, fixture, json, numbers, quiet, script_in, shared, stories, values,
};
use writer::{Meta, Writer};

fn model(name: &str) -> Model {
    load::from_folder(&fixture(&format!("gguf/{name}.gguf")), &cpu()).unwrap()
}

#[test]
fn every_kind_of_values_is_read_as_the_gguf_package_reads_it() {
    let expected = json("gguf.json");
    let model = model("kinds");
    let row = |name: &str, row: usize| -> Vec<f64> {
        let weight = model.weights().unpacked(name).unwrap().unwrap();
        values(&weight.get(row).unwrap()).into_iter().take(64).collect()
    };
    let mut kinds = std::collections::BTreeSet::new();
    for (stored, value) in expected["values"].as_object().unwrap() {
        let layer = stored.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
        let (name, place) = match (stored.as_str(), layer) {
            ("token_embd.weight", _) => ("model.embed_tokens.weight".to_string(), 3),
            ("output.weight", _) => ("lm_head.weight".to_string(), 3),
            (_, Some((layer, rest))) => {
                let module = match rest {
                    // Row 3 of the file is the second of the second pair of the first head: 32 / 2 + 1.
                    "attn_q.weight" => ("self_attn.q_proj", 17),
                    "attn_k.weight" => ("self_attn.k_proj", 17),
                    "attn_v.weight" => ("self_attn.v_proj", 3),
                    "attn_output.weight" => ("self_attn.o_proj", 3),
                    "ffn_gate.weight" => ("mlp.gate_proj", 3),
                    "ffn_up.weight" => ("mlp.up_proj", 3),
                    "ffn_down.weight" => ("mlp.down_proj", 3),
                    other => panic!("{other}"),
                };
                (format!("model.layers.{layer}.{}.weight", module.0), module.1)
            }
            (other, None) => panic!("{other}"),
        };
        let theirs = numbers(&value[1]);
        let size = theirs.iter().fold(0.0f64, |size, x| size.max(x.abs()));
        // The products of f16 scales and small whole numbers, rounded once or twice.
        close(&row(&name, place)[..theirs.len()], &theirs, 1e-6 * size.max(1e-3), stored);
        kinds.insert(value[0].as_str().unwrap().to_string());
    }
    assert_eq!(kinds.len(), 13, "{kinds:?}");
    let packed: Vec<String> = model.weights().packed.values().map(|matrix| matrix.kind()).collect();
    assert!(packed.len() >= 11, "matrices stay in their blocks: {packed:?}");
}

#[test]
fn logits_of_every_family_are_those_of_transformers() {
    let expected = json("gguf.json");
    for (name, logits) in expected["logits"].as_object().unwrap() {
        let model = model(name);
        let texts = expected["texts"].as_array().unwrap();
        for (text, theirs) in texts.iter().zip(logits.as_array().unwrap()) {
            let ids = model.tokenizer().encode(text.as_str().unwrap()).unwrap();
            let ours: Vec<f64> =
                last_logits(&model, &ids).unwrap().into_iter().map(f64::from).collect();
            let theirs = numbers(theirs);
            let size = theirs.iter().fold(1.0f64, |size, x| size.max(x.abs()));
            close(&ours, &theirs, 2e-5 * size, name);
        }
    }
}

#[test]
fn a_file_gives_its_tokenizer_and_template_and_is_saved_as_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        r#"let m = load_model("{}");
        m.save("whole");
        let again = load_model("whole");
        let ids = m.tokenize("The kettle sings <end>");
        [again.tokenize("The kettle sings <end>") == ids, again.chat_prompt("Hi"), m.loss("The kettle") - again.loss("The kettle"), ids]"#,
        fixture("gguf/qwen3.gguf").display()
    );
    let out = script_in(folder.path(), &text).unwrap();
    assert_eq!(out[0], true);
    assert_eq!(out[1], "user: Hi\n");
    assert!(out[2].as_f64().unwrap().abs() < 1e-6);
    let tiny = crate::support::tiny();
    let ids: Vec<u32> =
        out[3].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
    assert_eq!(ids, tiny.tokenizer().encode("The kettle sings <end>").unwrap());
}

#[test]
fn an_adapter_trains_over_blocks_and_is_merged_saved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("gguf/kinds.gguf"), folder.path().join("base.gguf")).unwrap();
    let text = r#"let base = load_model("base.gguf");
        let tuned = base.finetune(["The kettle sings", "A lamp burns"], #{ steps: 30, lr: 1e-2, method: "lora", rank: 4, dropout: 0.0,
            targets: "all-linear" });
        tuned.save("adapter");
        tuned.merge().save("merged");
        let losses = tuned.log()["loss"];
        [losses[0], losses[29], tuned.loss("A lamp burns"), load_model("base.gguf", #{ adapter: "adapter" }).loss("A lamp burns"),
            load_model("merged").loss("A lamp burns"), load_model("adapter").loss("A lamp burns")]"#;
    let out = numbers(&script_in(folder.path(), text).unwrap());
    assert!(out[1] < 0.7 * out[0], "the loss falls: {out:?}");
    close(&out[3..4], &out[2..3], 1e-6, "the adapter over the file");
    close(&out[4..5], &out[2..3], 1e-4, "merged");
    close(&out[5..6], &out[2..3], 1e-6, "the adapter with the base that it names");
}

#[test]
fn packed_matrices_are_not_trained() {
    let model = model("kinds");
    let rows = [ebb::train::examples::Example { ids: vec![5, 6, 7], labels: vec![5, 6, 7] }];
    let options =
        Options { method: Method::Full, duration: Duration::Steps(1), ..Options::default() };
    let error = finetune(&model, &rows, &[], &options, &quiet()).err().unwrap();
    assert!(error.to_string().contains("quantized weights cannot be trained"), "{error}");
}

/// A llama of one block that does nothing, with the tokenizer of a tokenizer.json.
fn speaking(tokenizer: &Value, model: &str, entries: Vec<(&str, Meta)>) -> Model {
    let vocabulary = tokenizer["model"]["vocab"].as_object().unwrap();
    let mut tokens = vec![String::new(); vocabulary.len()];
    for (token, id) in vocabulary {
        tokens[id.as_u64().unwrap() as usize] = token.clone();
    }
    let mut writer = Writer::tiny_llama(tokens.len());
    writer.put("tokenizer.ggml.model", Meta::text(model));
    let texts = tokens.iter().map(|token| Meta::text(token)).collect();
    writer.put("tokenizer.ggml.tokens", Meta::List(texts));
    for (key, value) in entries {
        writer.put(key, value);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    std::fs::write(&path, writer.bytes()).unwrap();
    load::from_folder(&path, &cpu()).unwrap()
}

/// Real paragraphs, and texts that are hard to cut.
fn paragraphs() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "  two  spaces ",
        "tabs\tand\nlines\r\n\n",
        "12345 1,000.50",
        "don't WON'T I'll",
        "naïve façade — “quotes”",
        "日本語のテキスト",
        "🙂👩‍👩‍👧",
        "a\u{301}",
        "x = y**2; // code\n    return z",
        "<s>literal</s>",
        "\u{0}\u{7f}",
    ]
    .map(str::to_string)
    .to_vec();
    if let Some(path) = shared("data/squad/xquad.en.json") {
        let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for article in all["data"].as_array().unwrap() {
            for paragraph in article["paragraphs"].as_array().unwrap().iter().take(3) {
                texts.push(paragraph["context"].as_str().unwrap().to_string());
            }
        }
    }
    texts
}

fn same_tokens(model: &Model, tokenizer: &Value, begin: Option<u32>) {
    let theirs = tokenizers::Tokenizer::from_bytes(serde_json::to_vec(tokenizer).unwrap()).unwrap();
    for text in paragraphs() {
        let expected = theirs.encode(text.as_str(), false).unwrap().get_ids().to_vec();
        assert_eq!(model.tokenizer().encode_plain(&text).unwrap(), expected, "{text:?}");
        // A text that begins with the begin token gets no second one.
        let begin = begin.filter(|begin| expected.first() != Some(begin));
        let whole: Vec<u32> = begin.into_iter().chain(expected).collect();
        assert_eq!(model.tokenizer().encode(&text).unwrap(), whole, "{text:?}");
        assert_eq!(
            model.tokenizer().decode(&whole).unwrap(),
            theirs.decode(&whole, true).unwrap(),
            "{text:?}"
        );
    }
}

#[test]
fn llama_2s_tokens_come_out_of_scores_alone() {
    let Some(path) = shared("models/tokenizers/llama2_tokenizer.json") else {
        return;
    };
    let tokenizer: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let count = tokenizer["model"]["vocab"].as_object().unwrap().len();
    // SentencePiece's own: specials and bytes at 0, each piece one less than the one before, runs of spaces last of all.
    let vocabulary = tokenizer["model"]["vocab"].as_object().unwrap().iter();
    let runs: std::collections::BTreeSet<usize> = vocabulary
        .filter(|(token, _)| token.chars().count() > 1 && token.chars().all(|c| c == '▁'))
        .map(|(_, id)| id.as_u64().unwrap() as usize)
        .collect();
    let score = |id: usize| match id {
        0..259 => Meta::Float(0.0),
        id if runs.contains(&id) => Meta::Float(-1e9),
        id => Meta::Float(-((id - 259) as f32)),
    };
    let kind = |id: usize| {
        Meta::Int(match id {
            0 => 2,
            1 | 2 => 3,
            3..259 => 6,
            _ => 1,
        })
    };
    for begins in [true, false] {
        let entries = vec![
            ("tokenizer.ggml.scores", Meta::List((0..count).map(score).collect())),
            ("tokenizer.ggml.token_type", Meta::List((0..count).map(kind).collect())),
            ("tokenizer.ggml.bos_token_id", Meta::Int(1)),
            ("tokenizer.ggml.eos_token_id", Meta::Int(2)),
            ("tokenizer.ggml.unknown_token_id", Meta::Int(0)),
            ("tokenizer.ggml.add_bos_token", Meta::Flag(begins)),
        ];
        let model = speaking(&tokenizer, "llama", entries);
        same_tokens(&model, &tokenizer, begins.then_some(1));
    }
}

#[test]
fn gpt_2s_tokens_come_out_of_merges() {
    let Some(path) = shared("models/tokenizers/gpt2_tokenizer.json") else {
        return;
    };
    let tokenizer: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let merges = tokenizer["model"]["merges"].as_array().unwrap().iter().map(|pair| match pair {
        Value::String(text) => Meta::text(text),
        pair => Meta::text(&format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap())),
    });
    let model = speaking(
        &tokenizer,
        "gpt2",
        vec![
            ("tokenizer.ggml.pre", Meta::text("gpt-2")),
            ("tokenizer.ggml.merges", Meta::List(merges.collect())),
            ("tokenizer.ggml.eos_token_id", Meta::Int(50256)),
        ],
    );
    same_tokens(&model, &tokenizer, None);
}

#[test]
fn a_file_without_a_pre_tokenizer_and_one_with_an_alias_cut_as_llama_cpp_does() {
    for name in ["none", "smaug-bpe"] {
        let Some(path) = shared(&format!("cases/gguf_pre/{name}.gguf")) else {
            return;
        };
        let model = load::from_folder(&path, &cpu()).unwrap();
        let ids = model.tokenizer().encode("the 12345 = 45").unwrap();
        assert_eq!(ids, [263, 221, 258, 261, 221, 29, 221, 261], "{name}");
    }
}

#[test]
fn a_folder_of_one_file_is_that_model_and_of_several_is_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let copy =
        |name: &str| std::fs::copy(fixture("gguf/gpt2.gguf"), folder.path().join(name)).unwrap();
    copy("a.gguf");
    load::from_folder(folder.path(), &cpu()).unwrap();
    copy("b.gguf");
    let error = load::from_folder(folder.path(), &cpu()).err().unwrap();
    assert!(error.to_string().contains("several GGUF files: a.gguf, b.gguf"), "{error}");
}

#[test]
fn rows_of_stories260k_are_put_back_in_order() {
    // Written as llama.cpp lays it out, the same model gives the same logits.
    let Some(model) = stories() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stories.gguf");
    std::fs::write(&path, Writer::of_llama(&model).bytes()).unwrap();
    let again = load::from_folder(&path, &cpu()).unwrap();
    assert_eq!(
        last_logits(&again, &[1, 403, 407]).unwrap(),
        last_logits(&model, &[1, 403, 407]).unwrap()
    );
}
