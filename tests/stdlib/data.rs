//! Published data sets as rows: by the definitions, worked by hand on small frames, and over the real files, where they are, by
//! counts that a script in Python with json, re and pandas took of them.

use serde_json::{Value, json};

use crate::support::{script, script_error, shared};

/// Where the real files are, if they are.
const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data");

/// A script's value and its notes.
fn noted(text: &str) -> (Value, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let host = ebb::script::host::Host::quiet(folder.path().to_path_buf());
    let notes = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let heard = notes.clone();
    *host.listener.borrow_mut() = Box::new(move |event| {
        if let ebb::script::host::Event::Note(text) = event {
            heard.borrow_mut().push(text);
        }
    });
    let mut session = ebb::script::engine::Session::new(std::rc::Rc::new(host), "test.rhai");
    let value = session.evaluate("", text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    (ebb::script::convert::to_json(&value).unwrap(), notes.take())
}

/// Rows of HarmfulQA: the first has blue "0" (six turns) and red "1"; the second no red at all and a short blue; the third has the roles the
/// wrong way round in red, and an empty answer in blue.
const TALKS: &str = r#"import "std/harmfulqa" as harmfulqa;
let talk = |tag, roles| { let t = []; for (role, i) in roles { t.push(#{ from: role, value: tag + i }); } t };
let two = ["human", "gpt", "human", "gpt"];
let odd = talk.call("y", two); odd[1].value = " ";
let rows = frame([
    #{ id: 1, topic: "t", subtopic: "s", question: "Q1.", blue_conversations: #{ "0": talk.call("b", two + ["human", "gpt"]) },
       red_conversations: #{ "1": talk.call("r", two) } },
    #{ id: 2, topic: "t", subtopic: "s", question: "Q2.", blue_conversations: #{ "1": talk.call("x", ["human", "gpt"]) }, red_conversations: #{} },
    #{ id: 3, topic: "t", subtopic: "s", question: "Q3.", blue_conversations: #{ "0": odd },
       red_conversations: #{ "0": talk.call("z", ["gpt", "human", "gpt", "human"]) } },
]);
"#;

#[test]
fn harmfulqa_takes_the_last_two_pairs_of_the_first_conversation_of_each_colour() {
    let (value, notes) = noted(&format!(
        r#"{TALKS} let f = harmfulqa::pairs(rows); ["que", "ans", "polarity", "id", "turn"].map(|name| f[name])"#
    ));
    let expected = json!([
        ["Q1. r0", "Q1. r2", "Q1. b2", "Q1. b4", "Q3. y2"],
        ["r1", "r3", "b3", "b5", "y3"],
        ["harmful", "harmful", "nonharmful", "nonharmful", "nonharmful"],
        [1, 1, 1, 1, 3],
        [1, 2, 1, 2, 2]
    ]);
    assert_eq!(value, expected);
    assert_eq!(notes.len(), 2, "{notes:?}");
    for told in [
        "3 of 6 conversations left out",
        "1 of rows without a red conversation",
        "1 with fewer than four turns",
        "1 whose last four turns are not human, gpt, human, gpt",
    ] {
        assert!(notes[0].contains(told), "{notes:?}");
    }
    assert!(notes[1].contains("1 of 6 pairs left out: 1 with an empty"), "{notes:?}");
}

#[test]
fn published_harmfulqa_looks_blue_up_by_reds_key_and_joins_without_a_space() {
    let (value, notes) = noted(&format!(
        r#"{TALKS} harmfulqa::pairs(rows, #{{ published: true, share: 1 }})["que"]"#
    ));
    // Red's keys are 1, none and 0: only the third row's blue is found.
    assert_eq!(value, json!(["Q1.r0", "Q1.r2", "Q3.y2"]));
    assert!(notes[0].contains("2 of rows without a red conversation"), "{notes:?}");
    assert!(notes[0].contains("1 without the key of red's conversation"), "{notes:?}");
}

#[test]
fn harmfulqa_of_another_schema_names_the_field_and_the_row() {
    let missing = script_error(
        r#"import "std/harmfulqa" as h; h::pairs(frame(#{ id: [1], topic: ["t"], question: ["q"], red: ["r"] }))"#,
    );
    assert!(missing.contains("`red_conversations`") && missing.contains("row 0"), "{missing}");
    let text = script_error(
        r#"import "std/harmfulqa" as h; h::pairs(frame(#{ id: [1], topic: ["t"], question: ["q"], red_conversations: ["r"], blue_conversations: ["b"] }))"#,
    );
    assert!(text.contains("in row 0 the field `red_conversations`"), "{text}");
}

#[test]
fn squad_keeps_all_answers_and_counts_questions_without() {
    let file = r#"import "std/squad" as squad;
        let file = frame([#{ version: "v2.0", data: [#{ title: "T", paragraphs: [#{ context: "C c.", qas: [
            #{ id: "a", question: "Q?", is_impossible: false, answers: [#{ text: "one", answer_start: 0 }, #{ text: "1", answer_start: 2 }] },
            #{ id: "b", question: "R?", is_impossible: true, answers: [] },
            #{ id: "c", question: "S?", is_impossible: false, answers: [#{ text: " ", answer_start: 0 }] },
        ] }] }] }]);"#;
    let (value, notes) = noted(&format!("{file} squad::rows(file).rows()"));
    assert_eq!(value.as_array().unwrap().len(), 1);
    assert_eq!(
        (&value[0]["que"], &value[0]["ans"], &value[0]["answers"], &value[0]["title"]),
        (&json!("C c. Q?"), &json!("one"), &json!(["one", "1"]), &json!("T"))
    );
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains("2 of 3 questions left out"), "{notes:?}");
    assert!(notes[0].contains("1 without an answer, as v2 says"), "{notes:?}");
    let (value, _) =
        noted(&format!(r#"{file} squad::rows(file, #{{ no_answer: "none" }})["answers"]"#));
    assert_eq!(value, json!([["one", "1"], ["none"]]));
    let hub = script(
        r#"import "std/squad" as squad; squad::rows(frame([#{ id: "a", title: "T", context: "C.", question: "Q?",
            answers: #{ text: ["x", "y"], answer_start: [0, 1] } }])).row(0).answers"#,
    );
    assert_eq!(hub, json!(["x", "y"]));
    let error =
        script_error(r#"import "std/squad" as s; s::rows(frame([#{ data: [#{ title: "T" }] }]))"#);
    assert!(error.contains("`paragraphs`") && error.contains("item 0 of `data`"), "{error}");
}

#[test]
fn hh_rlhf_takes_the_last_human_turn_and_its_answer() {
    let (value, notes) = noted(
        r#"import "std/hh_rlhf" as hh;
        let talk = |texts| { let t = ""; for (text, i) in texts { t += if i % 2 == 0 { "\n\nHuman: " } else { "\n\nAssistant: " }; t += text; } t };
        let f = hh::pairs(frame(#{
            chosen: [talk.call(["a", "b", "c\n\nmore", "d"]), talk.call(["a"]), talk.call(["a", ""])],
            rejected: [talk.call(["a", "B"]), talk.call(["a", "b", "c"]), "\n\nHuman: a\n\nAssistant: b\n\nAssistant: c"] }));
        ["que", "ans", "polarity", "id"].map(|name| f[name])"#,
    );
    let expected = json!([["a", "c\n\nmore"], ["B", "d"], ["harmful", "nonharmful"], [0, 0]]);
    assert_eq!(value, expected);
    for told in [
        "4 of 6 dialogues",
        "1 without a human turn and an answer",
        "1 that end in a human turn",
        "1 with two assistant turns",
        "1 with an empty last",
    ] {
        assert!(notes[0].contains(told), "{told}: {notes:?}");
    }
}

#[test]
fn toxic_chunks_are_flattened_sorted_and_sampled_by_their_scores() {
    let (value, notes) = noted(
        r#"import "std/toxic" as toxic;
        let f = toxic::flatten(frame(#{ texts: [["a", "b", "c"], ["d", " "], []], scores: [[0.95, 0.05, 0.5], [0.51, 0.2], []] }));
        [f["text"], f["polarity"], toxic::samples(f, 1, 0).toxic["text"], toxic::samples(f, 1, 0).non_toxic["text"]]"#,
    );
    let expected = json!([
        ["b", "c", "d", "a"],
        ["nonharmful", "nonharmful", "harmful", "harmful"],
        ["a"],
        ["b"]
    ]);
    assert_eq!(value, expected);
    assert!(notes[0].contains("1 of 5 texts left out"), "{notes:?}");
    let (value, notes) = noted(
        r#"import "std/toxic" as toxic;
        toxic::flatten(frame(#{ text: ["a", "b", "c", "d"], score: [0.0 / 0.0, (), 1.5, 0.3] }))["text"]"#,
    );
    assert_eq!(value, json!(["d"]));
    for told in
        ["1 without a score", "1 with a score that is not a number", "1 with a score outside"]
    {
        assert!(notes[0].contains(told), "{notes:?}");
    }
    let uneven = script_error(
        r#"import "std/toxic" as t; t::flatten(frame(#{ texts: [["a"], ["b", "c"]], scores: [[0.1], [0.2]] }))"#,
    );
    assert!(
        uneven.contains("in row 1 the field `texts` has 2 items and `scores` has 1"),
        "{uneven}"
    );
    let few = script_error(
        r#"import "std/toxic" as t; t::samples(frame(#{ text: ["a"], toxic_score: [0.95] }), 1, 0)"#,
    );
    assert!(few.contains("asks for 1 texts with a score below 0.1 and there are 0"), "{few}");
    let none = script_error(r#"import "std/toxic" as t; t::flatten(frame(#{ comment: ["a"] }))"#);
    assert!(none.contains("texts, text") && none.contains("row 0"), "{none}");
}

#[test]
fn shipped_samples_are_read_in_the_layouts_of_the_real_data() {
    let (value, notes) = noted(
        r#"import "std/harmfulqa" as h; import "std/squad" as s; import "std/toxic" as t;
        let pairs = h::pairs("ebb/harmfulqa-sample");
        let questions = s::rows("ebb/squad-sample");
        let texts = t::flatten("ebb/toxic-sample");
        [pairs.len() > 300, pairs.filter(col("polarity") == "harmful").len(), questions.len(), questions.filter(col("answers").list_len() == 3).len(),
         texts.filter(col("toxic_score").is_between(0.1, 0.9)).len() > 0, t::samples(texts, 300, 0).toxic.len()]"#,
    );
    // 96 rows with two red pairs each; 96 towns with five answerable questions and an unanswerable one, one with three spellings.
    assert_eq!(value, json!([true, 192, 480, 96, true, 300]));
    assert!(notes.iter().any(|note| note.contains("with fewer than four turns")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("96 of 576 questions left out")), "{notes:?}");
}

#[test]
fn real_rows_are_counted_as_python_counts_them() {
    if shared("data/hh_rlhf").is_none() {
        return;
    }
    let text = format!(
        r#"import "std/hh_rlhf" as hh; import "std/squad" as squad; import "std/toxic" as toxic; import "std/harmfulqa" as harmfulqa;
        let letters = |f| f.select((col("que").str_len() + col("ans").str_len()).sum().alias("n")).row(0).n;
        let pairs = hh::pairs("{REAL}/hh_rlhf/harmless-base_test.jsonl.gz");
        let bad = pairs.filter(col("side") == "rejected");
        let good = pairs.filter(col("side") == "chosen");
        let questions = squad::rows("{REAL}/squad/xquad.en.json");
        let q = questions.select([col("que").str_len().sum(), col("ans").str_len().sum(), col("id").n_unique()]).row(0);
        let talk = toxic::flatten("{REAL}/context_toxicity/gc.csv", #{{ score: "api" }});
        let web = toxic::flatten("{REAL}/rtp/quark_val_5000.jsonl", #{{ text: col("continuation").field("text"), score: col("continuation").field("toxicity") }});
        let ends = |f| [f.len(), f.filter(col("toxic_score") > 0.9).len(), f.filter(col("toxic_score") < 0.1).len(), f.filter(col("polarity") == "harmful").len()];
        [[bad.len(), letters.call(bad), good.len(), letters.call(good)], [questions.len(), q.que, q.ans, q.id],
         ends.call(talk), ends.call(web), harmfulqa::questions("{REAL}/harmfulqa/harmfulqa.json").len()]"#
    );
    // As the data's README counts the scores of RealToxicityPrompts: 32 of 5,000 missing, 1,711 above 0.5.
    let expected = json!([
        [2311, 623_007, 2304, 523_047],
        [1190, 1_031_063, 22_556, 1190],
        [10_000, 15, 6307, 241],
        [4968, 360, 1251, 1711],
        1960
    ]);
    assert_eq!(script(&text), expected);
}

#[test]
fn the_examples_of_the_pages_run() {
    let pages = [
        "bbq",
        "crows_pairs",
        "harmfulqa",
        "hh_rlhf",
        "prompts",
        "safety_instructions",
        "sources",
        "squad",
        "stereoset",
        "toxic",
    ];
    for page in pages {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib").join(page);
        let text = std::fs::read_to_string(path.with_extension("rhai")).unwrap();
        // An example is what stands indented in a doc comment, up to the function that it belongs to.
        let examples = text.split("\nfn ").filter_map(|part| {
            let lines = part.lines().filter_map(|line| line.strip_prefix("///     "));
            let example = lines.collect::<Vec<_>>().join("\n");
            (!example.is_empty()).then_some(example)
        });
        let examples: Vec<String> = examples.collect();
        assert!(!examples.is_empty(), "{page} has no example");
        examples.iter().for_each(|example| drop(script(example)));
    }
}

#[test]
fn toxic_texts_of_a_file_in_pieces_are_those_of_the_whole_frame() {
    let folder = crate::support::fixture("pieces");
    let text = r#"import "std/toxic" as toxic;
        let file = toxic::flatten("groups.parquet");
        let whole = toxic::flatten(read("groups.parquet"));
        let rude = toxic::flatten("groups.parquet", #{ keep: col("toxic_score") > 0.9 });
        let of_file = toxic::samples("groups.parquet", 1, 3);
        let of_frame = toxic::samples(whole, 1, 3);
        [file == whole, file["text"], rude["text"], of_file.toxic == of_frame.toxic, of_file.non_toxic == of_frame.non_toxic]"#;
    let expected = json!([
        true,
        ["a kind word", "a warm word", "a rude word", "more words"],
        ["a rude word", "more words"],
        true,
        true
    ]);
    assert_eq!(
        crate::support::script_in(&folder, text).map_err(|error| error.message),
        Ok(expected)
    );
    let large = r#"import "std/toxic" as toxic;
        let of_file = toxic::samples("ebb/toxic-sample", 50, 7);
        let of_frame = toxic::samples(toxic::flatten(read("ebb/toxic-sample")), 50, 7);
        [of_file.toxic == of_frame.toxic, of_file.non_toxic == of_frame.non_toxic]"#;
    assert_eq!(script(large), json!([true, true]));
}

/// Several files are several pieces: texts are numbered through them, and what was left out is counted over all.
#[test]
fn toxic_texts_of_several_pieces_are_drawn_as_those_of_one_frame() {
    let folder = tempfile::tempdir().unwrap();
    let from = crate::support::fixture("pieces").join("groups.parquet");
    for name in ["a.parquet", "b.parquet"] {
        std::fs::copy(&from, folder.path().join(name)).unwrap();
    }
    let text = r#"import "std/toxic" as toxic;
        let whole = toxic::flatten(read("*.parquet"));
        let of_file = toxic::samples("*.parquet", 3, 3);
        let of_frame = toxic::samples(whole, 3, 3);
        [toxic::flatten("*.parquet") == whole, whole.len(), of_file.toxic == of_frame.toxic, of_file.non_toxic == of_frame.non_toxic]"#;
    let found = crate::support::script_in(folder.path(), text);
    assert_eq!(found.map_err(|error| error.message), Ok(json!([true, 8, true, true])));
}
