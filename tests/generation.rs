//! Generation: the same text whatever the batch, stopping, limits and sampling.

use ebb::generate::{Options, generate, last_logits};
use ebb::model::Model;

use crate::support::{quiet, shared, stories, tiny};

fn prompts(model: &Model) -> Vec<Vec<u32>> {
    let words = [
        "The kettle",
        "A",
        "Seven lamps burn in the long hall",
        "Bread is",
        "coins twice and",
        "Nobody knows who left",
    ];
    let text = |i: usize| format!("{} {}", words[i % 6], words[(i / 6) % 6]);
    (0..33).map(|i| model.tokenizer().encode(&text(i)).unwrap()).collect()
}

fn texts(model: &Model, prompts: &[Vec<u32>], options: &Options) -> Vec<(Vec<u32>, String)> {
    let outcome = generate(model, prompts, &[], options, &quiet()).unwrap();
    outcome.completions.into_iter().map(|completion| (completion.ids, completion.text)).collect()
}

#[test]
fn a_row_has_the_same_text_in_batches_of_1_7_and_32() {
    let model = tiny();
    let prompts = prompts(&model);
    let run = |batch_size| {
        texts(&model, &prompts, &Options { batch_size, max_new_tokens: 20, ..Options::default() })
    };
    let alone = run(1);
    assert_eq!(alone, run(7));
    assert_eq!(alone, run(32));
}

/// 200 contexts and questions of BBQ.
fn real_prompts(model: &Model) -> Option<Vec<Vec<u32>>> {
    let lines = std::fs::read_to_string(shared("data/bbq/Age.jsonl")?).unwrap();
    let prompt = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let (context, question) = (&row["context"], &row["question"]);
        let text = format!("{} {}", context.as_str().unwrap(), question.as_str().unwrap());
        model.tokenizer().encode(&text).unwrap()
    };
    let prompts: Vec<Vec<u32>> = lines.lines().step_by(18).take(200).map(prompt).collect();
    assert_eq!(prompts.len(), 200);
    Some(prompts)
}

#[test]
fn two_hundred_real_prompts_have_the_same_text_in_batches_of_1_7_and_32_in_several_families() {
    let families =
        ["gpt2", "gpt_neox", "mistral", "qwen3"].map(|name| crate::families::model(name).0);
    for model in stories().into_iter().chain(families) {
        let Some(prompts) = real_prompts(&model) else {
            return;
        };
        let run = |batch_size| {
            let options = Options { batch_size, max_new_tokens: 24, ..Options::default() };
            texts(&model, &prompts, &options)
        };
        let alone = run(1);
        let lengths: std::collections::BTreeSet<usize> =
            alone.iter().map(|(ids, _)| ids.len()).collect();
        assert!(alone == run(7), "{}", model.config().family.name());
        assert!(alone == run(32), "{}", model.config().family.name());
        eprintln!("{}: lengths {lengths:?}", model.config().family.name());
    }
}

#[test]
fn rows_that_wait_take_the_places_of_those_that_ended() {
    let model = tiny();
    let prompts = prompts(&model);
    // Stop strings end rows at different tokens, so that places become free one after another, in sampled texts too.
    for temperature in [0.0, 0.8] {
        let run = |batch_size| {
            let options = Options {
                batch_size,
                max_new_tokens: 30,
                stop: vec!["e".to_string(), "t".to_string()],
                temperature,
                seed: 5,
                ..Options::default()
            };
            texts(&model, &prompts, &options)
        };
        let alone = run(1);
        let lengths: std::collections::BTreeSet<usize> =
            alone.iter().map(|(ids, _)| ids.len()).collect();
        assert!(lengths.len() > 3, "rows must end at different tokens: {lengths:?}");
        for batch_size in [2, 3, 4, 5, 8, 16, 40] {
            assert_eq!(alone, run(batch_size), "batches of {batch_size}");
        }
    }
}

#[test]
fn decoding_with_a_cache_equals_running_the_whole_text_each_time() {
    let model = tiny();
    let prompt = model.tokenizer().encode("Seven lamps").unwrap();
    let mut naive = prompt.clone();
    for _ in 0..16 {
        let logits = last_logits(&model, &naive).unwrap();
        let best = (0..logits.len()).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap()
            as u32;
        if model.tokenizer().end_ids().contains(&best) {
            break;
        }
        naive.push(best);
    }
    let options = Options { max_new_tokens: 16, ..Options::default() };
    assert_eq!(texts(&model, std::slice::from_ref(&prompt), &options)[0].0, naive[prompt.len()..]);
}

#[test]
fn a_stop_string_ends_the_row_and_is_cut_off() {
    let model = tiny();
    let prompt = vec![model.tokenizer().encode("Nobody knows").unwrap()];
    let free = &texts(&model, &prompt, &Options { max_new_tokens: 30, ..Options::default() })[0];
    let stop: String = free.1.chars().skip(5).take(2).collect();
    let options = Options { max_new_tokens: 30, stop: vec![stop.clone()], ..Options::default() };
    let stopped = &texts(&model, &prompt, &options)[0];
    let place = free.1.find(&stop).unwrap();
    assert_eq!(stopped.1, free.1[..place]);
    assert!(stopped.0.len() < free.0.len());
}

#[test]
fn rows_end_at_the_limit_and_at_the_end_of_the_context() {
    let model = tiny();
    let long: Vec<u32> = (0..400).map(|i| 40 + (i % 100)).collect();
    let outcome = generate(
        &model,
        &[vec![50], long],
        &[],
        &Options { max_new_tokens: 40, ..Options::default() },
        &quiet(),
    )
    .unwrap();
    assert!(outcome.completions[0].ids.len() <= 40);
    assert!(outcome.completions[1].ids.len() <= 40);
    assert_eq!(outcome.cut, 1, "the long prompt lost its beginning");
}

#[test]
fn sampling_repeats_under_a_seed_and_does_not_depend_on_the_batch() {
    let model = tiny();
    let prompts = prompts(&model);
    let run = |seed, batch_size| {
        let options = Options {
            temperature: 1.0,
            top_p: 0.9,
            seed,
            batch_size,
            max_new_tokens: 12,
            ..Options::default()
        };
        texts(&model, &prompts, &options)
    };
    assert_eq!(run(1, 1), run(1, 32));
    assert_ne!(run(1, 32), run(2, 32));
    let one = Options { temperature: 0.7, top_k: 1, max_new_tokens: 12, ..Options::default() };
    let greedy = Options { max_new_tokens: 12, ..Options::default() };
    assert_eq!(texts(&model, &prompts, &one), texts(&model, &prompts, &greedy));
}

#[test]
fn impossible_prompts_and_options_are_refused() {
    let model = tiny();
    let fails = |prompt: Vec<u32>, options: Options| {
        generate(&model, &[prompt], &[], &options, &quiet()).unwrap_err().to_string()
    };
    assert!(fails(Vec::new(), Options::default()).contains("prompt 0 is empty"));
    assert!(fails(vec![9999], Options::default()).contains("below 280"));
    assert!(
        fails(vec![5], Options { max_new_tokens: 0, ..Options::default() })
            .contains("max_new_tokens")
    );
    assert!(fails(vec![5], Options { top_p: 0.0, ..Options::default() }).contains("top_p"));
    assert!(
        fails(vec![5], Options { stop: vec![String::new()], ..Options::default() })
            .contains("stop")
    );
}

#[test]
fn a_row_that_reaches_the_end_of_the_context_keeps_its_text_and_cuts_no_other_short() {
    let model = tiny();
    let context = model.config().max_position_embeddings;
    let long: Vec<u32> = (0..60).map(|i| 40 + (i * 7) % 100).collect();
    let prompts = [long, vec![50, 60], vec![70; 9]];
    let run = |batch_size| {
        let options = Options { max_new_tokens: context - 2, batch_size, ..Options::default() };
        texts(&model, &prompts, &options)
    };
    let alone = run(1);
    assert_eq!(alone, run(3));
    let endless = alone.iter().zip(&prompts);
    let mut reached = 0;
    for ((ids, text), prompt) in endless {
        if ids.len() == context + 1 - prompt.len() {
            reached += 1;
            let expected = model.tokenizer().decode_continuation(prompt, ids).unwrap();
            assert_eq!(*text, expected, "the text of a row that filled the context");
        }
    }
    assert!(reached > 0, "no row reached the end of the context");
}

/// Greedy decoding without a cache: the whole text anew for each token, as many as `most`.
fn naive(model: &Model, prompt: &[u32], most: usize) -> Vec<u32> {
    let mut ids = prompt.to_vec();
    while ids.len() < prompt.len() + most {
        let logits = last_logits(model, &ids).unwrap();
        let order = (0..logits.len()).rev();
        let best = order.max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap() as u32;
        if model.tokenizer().end_ids().contains(&best) {
            break;
        }
        ids.push(best);
    }
    ids.split_off(prompt.len())
}

#[test]
fn rows_of_a_batch_equal_decoding_without_a_cache_and_end_at_the_end_token() {
    // Trained to end its texts, so that rows leave the batch at unlike times.
    let sources = ["Bread is warm.", "A small boat waits.", "The kettle sings."];
    let sources = sources.map(|text| ebb::train::examples::Source::Text(text.to_string()));
    let base = tiny();
    let rows = ebb::train::examples::tokenize(base.tokenizer(), &sources, 128).unwrap().0;
    let options = ebb::train::options::Options {
        duration: ebb::train::options::Duration::Steps(60),
        batch_size: 3,
        learning_rate: 1e-2,
        ..Default::default()
    };
    let model = ebb::train::finetune(&base, &rows, &[], &options, &quiet()).unwrap();
    let words = ["Bread", "A small", "The kettle", "Seven lamps"];
    let prompts = words.map(|text| model.tokenizer().encode(text).unwrap());
    let limit = Options { max_new_tokens: 30, ..Options::default() };
    let texts = texts(&model, &prompts, &limit);
    let mut ended = 0;
    for (prompt, (ids, text)) in prompts.iter().zip(&texts) {
        assert_eq!(*ids, naive(&model, prompt, 30));
        assert!(ids.iter().all(|id| !model.tokenizer().end_ids().contains(id)));
        assert_eq!(*text, model.tokenizer().decode_continuation(prompt, ids).unwrap());
        ended += usize::from(ids.len() < 30);
    }
    assert!(ended >= 3, "{texts:?}");
    assert_eq!(texts[0].1, " is warm.");
}

#[test]
fn a_row_has_no_more_tokens_than_asked_for() {
    let model = tiny();
    let prompts = prompts(&model);
    for most in [1, 2, 9] {
        let options = Options { max_new_tokens: most, ..Options::default() };
        let lengths = texts(&model, &prompts, &options).into_iter().map(|(ids, _)| ids.len());
        assert_eq!(lengths.max(), Some(most));
    }
}

/// Drafts of every kind for texts that a model writes: whole, too long, cut, changed in the middle, wrong from the first
/// token on, and none.
fn drafts_of(texts: &[(Vec<u32>, String)]) -> Vec<Vec<u32>> {
    let draft = |(row, (ids, _)): (usize, &(Vec<u32>, String))| match row % 6 {
        0 => ids.clone(),
        1 => [ids.as_slice(), &[40, 41, 42, 43, 44, 45, 46, 47, 48, 49]].concat(),
        2 => ids[..ids.len() / 2].to_vec(),
        3 => ids
            .iter()
            .enumerate()
            .map(|(i, id)| if i == ids.len() / 2 { 50 } else { *id })
            .collect(),
        4 => ids.iter().map(|id| (id + 1) % 200).collect(),
        _ => Vec::new(),
    };
    texts.iter().enumerate().map(draft).collect()
}

#[test]
fn drafts_change_no_token_however_right_they_are() {
    let families = ["gpt2", "gpt_neox", "gemma3", "mistral", "opt"];
    let families = families.map(|name| crate::families::model(name).0);
    for model in [tiny()].into_iter().chain(families) {
        let prompts: Vec<Vec<u32>> =
            prompts(&model).into_iter().map(|ids| ids[..ids.len().min(12)].to_vec()).collect();
        for (temperature, stop) in [(0.0, vec![]), (0.0, vec!["e".to_string()]), (0.9, vec![])] {
            let options = |batch_size| Options {
                batch_size,
                max_new_tokens: 14,
                stop: stop.clone(),
                temperature,
                seed: 3,
                ..Options::default()
            };
            let plain = texts(&model, &prompts, &options(8));
            let drafts = drafts_of(&plain);
            for batch_size in [1, 5, 32] {
                let options = options(batch_size);
                let outcome = generate(&model, &prompts, &drafts, &options, &quiet()).unwrap();
                let written: Vec<_> =
                    outcome.completions.into_iter().map(|it| (it.ids, it.text)).collect();
                assert!(written == plain, "{} by {batch_size}", model.config().family.name());
            }
        }
    }
}

#[test]
fn a_draft_text_becomes_the_tokens_that_the_model_would_write() {
    let mut models = vec![tiny()];
    models.extend(stories());
    for model in models {
        let tokenizer = model.tokenizer();
        for (prompt, rest) in
            [("Nobody knows who", " left the lamp burning."), ("Q: one\nA:", " two\n")]
        {
            let whole = tokenizer.encode_prompt(&format!("{prompt}{rest}")).unwrap();
            let prompt = tokenizer.encode_prompt(prompt).unwrap();
            assert!(whole.starts_with(&prompt));
            let draft = ebb::generate::draft::ids(tokenizer, &prompt, rest).unwrap();
            assert_eq!(draft, whole[prompt.len()..], "{rest:?}");
        }
    }
}
