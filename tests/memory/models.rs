//! Models whose files ask for more than they hold.

use serde_json::{Value, json};

use super::Place;

fn place() -> Place {
    let place = Place::new();
    place.model("tiny-llama", "m");
    place
}

fn changed(place: &Place, file: &str, change: impl FnOnce(&mut Value)) {
    let path = place.path().join(file);
    let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

fn doubling(times: usize) -> Value {
    let double = json!({ "type": "Replace", "pattern": { "String": "a" }, "content": "aa" });
    json!(vec![double; times])
}

#[test]
fn normalizers_that_double_a_text_again_and_again_are_refused() {
    let place = place();
    changed(&place, "m/tokenizer.json", |file| {
        file["normalizer"] = json!({ "type": "Sequence", "normalizers": doubling(40) });
    });
    let expected = "the tokenizer makes more than 1 MiB of a text";
    place.refused(r#"load_model("m").tokenize("aaaa")"#, expected);
    place.refused(r#"load_model("m").generate("aaaa")"#, expected);
}

#[test]
fn a_normalizer_that_makes_too_much_of_the_tokenizers_own_tokens_is_refused() {
    let place = place();
    changed(&place, "m/tokenizer.json", |file| {
        file["normalizer"] = json!({ "type": "Sequence", "normalizers": doubling(40) });
        file["added_tokens"].as_array_mut().unwrap().push(json!({
            "id": 2, "content": "aaaa", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": true, "special": false,
        }));
    });
    place.refused(r#"load_model("m")"#, "the tokenizer makes more than 1 MiB of a text");
}

#[test]
fn decoders_that_double_a_text_again_and_again_are_refused() {
    let place = place();
    changed(&place, "m/tokenizer.json", |file| {
        let any = json!({ "type": "Replace", "pattern": { "Regex": "." }, "content": "aa" });
        file["decoder"] = json!({ "type": "Sequence", "decoders": vec![any; 40] });
    });
    place.refused(
        r#"load_model("m").generate("hello", #{ max_new_tokens: 4 })"#,
        "the tokenizer makes more than 1 MiB of a text",
    );
}

#[test]
fn a_post_processor_of_more_tokens_than_any_text_is_refused() {
    let place = place();
    changed(&place, "m/tokenizer.json", |file| {
        let piece = json!({ "SpecialToken": { "id": "s", "type_id": 0 } });
        file["post_processor"] = json!({
            "type": "TemplateProcessing",
            "single": vec![piece; 2000],
            "pair": [],
            "special_tokens": { "s": { "id": "s", "ids": vec![0; 2000], "tokens": vec!["s"; 2000] } },
        });
    });
    place.refused(r#"load_model("m")"#, "more than 65536 tokens around a text");
}

#[test]
fn replacements_that_published_tokenizers_make_still_work() {
    let place = place();
    let before = place.run(r#"load_model("m").tokenize("hello there")"#);
    changed(&place, "m/tokenizer.json", |file| {
        let same = json!({ "type": "Replace", "pattern": { "String": "ý" }, "content": "三" });
        let old = file["normalizer"].clone();
        let mut all = vec![same; 60];
        all.extend(old.is_object().then_some(old));
        file["normalizer"] = json!({ "type": "Sequence", "normalizers": all });
    });
    let after = place.run(r#"load_model("m").tokenize("hello there")"#);
    assert_eq!(after.code, Some(0), "{}", after.err);
    assert_eq!(before.out, after.out);
}

#[test]
fn configurations_of_more_weights_than_there_is_room_for_are_refused() {
    let place = place();
    changed(&place, "m/config.json", |config| {
        config["hidden_size"] = json!(65536);
        config["intermediate_size"] = json!(262144);
    });
    let ran = place.refused(r#"load_model("m")"#, "parameters as f32 needs about");
    assert!(ran.err.contains("--memory"), "{}", ran.err);
}

#[test]
fn a_batch_whose_cache_has_no_room_is_refused() {
    let place = place();
    changed(&place, "m/config.json", |config| {
        config["max_position_embeddings"] = json!(16_000_000)
    });
    let script = r#"
        let prompts = []; prompts.pad(1000, "hello");
        load_model("m").generate(prompts, #{ max_new_tokens: 10000000, batch_size: 1000 })"#;
    let ran = place.refused(script, "generating 1000 rows of up to");
    assert!(ran.err.contains("take a smaller batch_size"), "{}", ran.err);
}
