//! Where texts begin, end and are joined: one begin token, one end token, and the tokens of the joined text.

use ebb::model::text::TextTokenizer;
use ebb::train::examples::{Example, Source, tokenize};

use crate::support::{script, script_in, shared, stories, tiny};

fn row(tokenizer: &TextTokenizer, source: Source) -> (Example, usize) {
    let (mut rows, noted) = tokenize(tokenizer, &[source], 512).unwrap();
    (rows.remove(0), noted.across)
}

fn text(text: &str) -> Source {
    Source::Text(text.to_string())
}

fn pair(prompt: &str, completion: &str) -> Source {
    Source::Pair { prompt: prompt.to_string(), completion: completion.to_string() }
}

/// The first loss of a training on the real model.
fn first_loss(data: &str, options: &str) -> f64 {
    let source = format!(
        r#"let m = load_model("{}").finetune({data}, #{{ steps: 1, batch_size: 1 {options} }}); m.log().column("loss")[0]"#,
        shared("models/stories260k").unwrap().canonicalize().unwrap().display()
    );
    script(&source).as_f64().unwrap()
}

#[test]
fn an_end_token_is_appended_only_where_the_text_lacks_one() {
    let Some(model) = stories() else { return };
    let end = model.tokenizer().end_ids()[0];
    for with in ["Lily had a ball.", "Lily had a ball.</s>"] {
        let (example, _) = row(model.tokenizer(), text(with));
        let ends = example.ids.iter().filter(|id| **id == end).count();
        assert_eq!((ends, example.ids.last()), (1, Some(&end)), "{with}");
        let (example, _) = row(model.tokenizer(), pair("Lily had", &with[8..]));
        let ends = example.ids.iter().filter(|id| **id == end).count();
        assert_eq!((ends, example.ids.last()), (1, Some(&end)), "{with}");
    }
    let loss = first_loss(r#"["Lily had a ball.</s>"]"#, "");
    assert!((loss - 5.405761).abs() < 2e-6, "{loss}");
    // The tokenizer that has no begin token has an end token to append or to keep.
    let (plain, kept) = (text("The kettle sings"), text("The kettle sings<end>"));
    let tiny = tiny();
    assert_eq!(row(tiny.tokenizer(), plain), row(tiny.tokenizer(), kept));
}

#[test]
fn a_text_that_begins_with_the_begin_token_gets_no_second_one() {
    let Some(model) = stories() else { return };
    let tokenizer = model.tokenizer();
    let plain = tokenizer.encode("Lily had a ball.").unwrap();
    assert_eq!(tokenizer.encode("<s>Lily had a ball.").unwrap(), plain);
    let (_, noted) = tokenize(tokenizer, &[text("<s>Lily"), text("Lily")], 64).unwrap();
    assert_eq!(noted.began_themselves, 1);
}

#[test]
fn prompt_and_completion_are_the_tokens_of_the_joined_text() {
    let Some(model) = stories() else { return };
    let tiny = tiny();
    for tokenizer in [model.tokenizer(), tiny.tokenizer()] {
        for (prompt, completion) in [
            ("Q: 2+2=", "4"),
            ("The answer is ans", "2"),
            ("The kettle", " sings"),
            ("Is it? ", "yes"),
            ("Naïve caf", "és 🙂 here"),
            ("🙂", "🙂"),
            ("a\n", "\nb"),
            ("", "Once"),
        ] {
            let what = format!("{prompt:?} + {completion:?}");
            let (example, across) = row(tokenizer, pair(prompt, completion));
            let whole = row(tokenizer, text(&format!("{prompt}{completion}"))).0;
            assert_eq!(example.ids, whole.ids, "{what}");
            let first = example.labels.iter().position(|label| *label != -100).unwrap();
            assert!(example.labels[first..].iter().all(|label| *label != -100));
            let own = tokenizer.encode_prompt(prompt).unwrap();
            if across == 0 {
                assert_eq!(example.ids[..first], own, "{what}");
            } else {
                assert!(first < own.len(), "{what}: a token across is trained on");
            }
        }
    }
    let data = r#"frame([#{ p: "Q: 2+2=", c: "4" }])"#;
    let loss = first_loss(data, r#", prompt: "p", completion: "c""#);
    assert!((loss - 20.195684).abs() < 2e-5, "{loss}");
}

#[test]
fn rows_of_token_ids_are_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let run = |data: &str| {
        let text = format!(
            r#"load_model("ebb/tiny").finetune({data}, #{{ steps: 1, shuffle: false }}).log().column("loss")[0]"#
        );
        script_in(folder.path(), &text)
    };
    let ids = run("[[5, 6, 7], [8, 9]]").unwrap();
    assert_eq!(run("[#{ ids: [5, 6, 7] }, #{ ids: [8, 9], labels: [8, 9] }]").unwrap(), ids);
    let masked =
        run("[#{ ids: [5, 6, 7], labels: [-100, -100, 7] }, #{ ids: [8, 9], labels: [-100, 9] }]");
    assert_ne!(masked.unwrap(), ids);
    let error = run("[#{ ids: [5, 6], labels: [5, 0.5] }]").unwrap_err();
    assert!(error.message.contains("whole numbers"), "{}", error.message);
    let error = run("[#{ input_ids: [5, 6] }]").unwrap_err();
    assert!(error.message.contains("`ids`"), "{}", error.message);
}
