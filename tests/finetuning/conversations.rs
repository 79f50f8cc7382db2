//! Conversations that are trained on and scored: as the template writes them, whole or the assistant's turns alone.

use ebb::model::chat::{ChatTemplate, Message};
use ebb::model::turns;
use ebb::train::examples::{Source, example};
use serde_json::{Value, json};

use crate::support::{close, script_in, shared, stories};

fn messages(value: Value) -> Vec<Message> {
    let array = value.as_array().unwrap().iter();
    array.map(|one| Message::from_json(one).unwrap()).collect()
}

fn talk() -> Vec<Message> {
    messages(json!([
        { "role": "user", "content": "Hi" },
        { "role": "assistant", "content": "Héllo" },
        { "role": "user", "content": "Who?" },
        { "role": "assistant", "content": "Me" },
    ]))
}

/// What the assistant says of the talk under a template.
fn said(template: &str) -> Vec<String> {
    let settings = json!({ "bos_token": "<s>", "eos_token": "</s>" });
    let template = ChatTemplate::new(template, &settings).unwrap();
    let (text, turns) = turns::of_the_assistant(&template, &talk()).unwrap();
    assert_eq!(text, template.render(&talk(), false).unwrap());
    turns.into_iter().map(|turn| text[turn].to_string()).collect()
}

#[test]
fn what_the_assistant_says_is_told_by_marks_or_by_difference() {
    let marked = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]\n    {% if m.role == 'assistant' %}\n    {%- generation -%}\n  {{ m.content }}{{ eos_token }}\n  {%- endgeneration -%}\n{% else %}{{ m.content }}{% endif %}{% endfor %}";
    assert_eq!(said(marked), ["Héllo</s>", "Me</s>"]);
    let plain = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    assert_eq!(said(plain), ["Héllo</s>", "Me</s>"]);
    let without_prompt = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";
    assert_eq!(said(without_prompt), ["[assistant]Héllo", "[assistant]Me"]);
}

#[test]
fn templates_that_rewrite_earlier_turns_or_hide_their_marks_are_refused() {
    let refused = |template: &str| {
        let template = ChatTemplate::new(template, &Value::Null).unwrap();
        let error = turns::of_the_assistant(&template, &talk()).unwrap_err();
        error.to_string()
    };
    let last_only = "{% for m in messages %}{% if loop.last %}{{ m.content }}{% else %}({{ m.role }}){% endif %}{% endfor %}";
    assert!(refused(last_only).contains("otherwise when others follow"));
    let hidden = "{% macro say(m) %}<{% generation %}{{ m.content }}{% endgeneration %}>{% endmacro %}{% for m in messages %}{{ say(m) }}{% endfor %}";
    assert!(refused(hidden).contains("between its generation marks"), "{}", refused(hidden));
}

#[test]
fn tokens_that_touch_what_the_assistant_says_are_trained_on_and_no_other() {
    let Some(model) = stories() else { return };
    let text = "<s>user: Hi assistant: Hello there</s>user: Bye";
    let start = text.find("Hello").unwrap();
    let end = text.find("user: Bye").unwrap();
    let source = Source::Rendered {
        text: text.to_string(),
        trained: Some(std::iter::once(start..end).collect()),
    };
    let (example, _, _) = example(model.tokenizer(), &source).unwrap();
    assert_eq!(example.ids, model.tokenizer().encode_plain(text).unwrap());
    let trained: Vec<u32> =
        example.labels.iter().filter(|label| **label != -100).map(|label| *label as u32).collect();
    assert_eq!(trained.last(), Some(&2), "the end token is learnt");
    assert_eq!(model.tokenizer().decode(&trained).unwrap().trim(), "Hello there");
    assert!(trained.len() < example.ids.len() / 2);
}

/// A folder with the real model under a template that writes begin and end tokens.
fn speaking(template: &str) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let from = crate::support::shared("cases/chat_training/model")?;
    std::fs::create_dir(folder.path().join("m")).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join("m").join(path.file_name().unwrap())).unwrap();
    }
    std::fs::write(folder.path().join("m/chat_template.jinja"), template).unwrap();
    Some(folder)
}

const WRITES_BOTH: &str = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}";

#[test]
fn a_conversation_is_the_same_rows_however_it_is_handed_over() {
    let Some(folder) = speaking(WRITES_BOTH) else {
        return;
    };
    let talk = r#"[#{ role: "user", content: "Who has a ball?" }, #{ role: "assistant", content: "Lily has." }]"#;
    let run = |text: &str| {
        let text = format!(
            r#"let m = load_model("m"); let talk = {talk}; let one = #{{ steps: 1, batch_size: 1 }};
let rendered = m.chat(talk, #{{ generation_prompt: false }}); {text}"#
        );
        script_in(folder.path(), &text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    };
    let ids = run("m.tokenize(rendered, #{ add_special: false })");
    assert_eq!(ids[0], 1);
    assert_eq!(ids.as_array().unwrap().last().unwrap(), 2);
    let count = |id: i64| ids.as_array().unwrap().iter().filter(|one| **one == id).count();
    assert_eq!((count(1), count(2)), (1, 1));
    assert_eq!(run("m.tokenize(rendered)"), ids);
    let loss = run("m.loss(rendered, #{ chat: true })").as_f64().unwrap();
    let same = |text: &str| {
        let ours = run(text).as_f64().unwrap();
        assert!((ours - loss).abs() < 2e-6, "{text}: {ours}, not {loss}");
    };
    for data in [
        "[rendered], one",
        "[rendered], one + #{ chat: true }",
        "[talk], one + #{ chat: true }",
        "frame([#{ said: talk }]), one + #{ chat: \"said\" }",
        "frame([#{ said: talk }]), one + #{ chat: |row| row.said }",
        "frame([#{ text: rendered }]), one + #{ chat: true }",
        "[m.tokenize(rendered, #{ add_special: false })], one",
    ] {
        same(&format!(r#"m.finetune({data}).log().column("loss")[0]"#));
    }
    same("m.loss(talk, #{ chat: true })");
    same("m.loss([talk], #{ chat: true })[0]");
    same("m.loss(frame([#{ said: talk }]), #{ chat: \"said\" })[0]");
    same("m.perplexity([talk], #{ chat: true })[0].ln()");
    // The assistant's turn alone, by labels of its own.
    let own = run(r#"let ids = m.tokenize(rendered, #{ add_special: false });
let before = m.tokenize(m.chat([talk[0]], #{ generation_prompt: false }), #{ add_special: false }).len();
let labels = []; for place in 0..ids.len() { labels.push(if place < before { -100 } else { ids[place] }); }
m.finetune([#{ ids: ids, labels: labels }], one).log().column("loss")[0]"#);
    let ours = run(
        r#"m.finetune([talk], one + #{ chat: true, assistant_only: true }).log().column("loss")[0]"#,
    );
    assert!((ours.as_f64().unwrap() - own.as_f64().unwrap()).abs() < 2e-6);
    let scored = run("m.loss(talk, #{ chat: true, assistant_only: true })");
    assert!((scored.as_f64().unwrap() - own.as_f64().unwrap()).abs() < 2e-6);
}

#[test]
fn options_of_conversations_that_do_not_fit_are_told() {
    let Some(folder) = speaking(WRITES_BOTH) else {
        return;
    };
    let refused = |text: &str| {
        let text = format!(r#"let m = load_model("m"); {text}"#);
        script_in(folder.path(), &text).unwrap_err().message
    };
    let told = refused(r#"m.finetune(["Hi"], #{ assistant_only: true })"#);
    assert!(told.contains("about conversations"), "{told}");
    let told = refused(r#"m.finetune(["Hi"], #{ chat: true, assistant_only: true })"#);
    assert!(told.contains("row 0 is a rendered text"), "{told}");
    let told = refused(r#"m.finetune(["Hi"], #{ chat: "said" })"#);
    assert!(told.contains("names a column"), "{told}");
    let told = refused(r#"m.loss([5], #{ chat: true })"#);
    assert!(told.contains("row 0 of loss"), "{told}");
}

/// Messages as transformers renders them, under the template of the case.
const TOOLS: &str = "{% for m in messages %}<{{ m.role }}{% if m.name is defined %} {{ m.name }}{% endif %}>{% if m.tool_calls is defined and m.tool_calls %}{% for c in m.tool_calls %}[{{ c.function.name }} {{ c.function.arguments | tojson }}]{% endfor %}{% endif %}{% if m.content is string %}{{ m.content }}{% elif m.content %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}{% if m.reasoning is defined %}({{ m.reasoning }}){% endif %}\n{% endfor %}";

#[test]
fn messages_go_to_the_template_whole_through_files_and_frames() {
    let Some(folder) = speaking(TOOLS) else {
        return;
    };
    let rows = [
        json!({ "messages": [
            { "role": "user", "content": "add 2 and 3" },
            { "role": "assistant", "content": null, "tool_calls": [
                { "type": "function", "function": { "name": "add", "arguments": { "a": 2, "b": 3 } } } ] },
            { "role": "tool", "name": "add", "content": "5" },
        ] }),
        json!({ "messages": [
            { "role": "user", "name": "Ann", "content": "greet" },
            { "role": "assistant", "content": "Hi", "reasoning": "be kind" },
            { "role": "assistant", "tool_calls": [
                { "type": "function", "function": { "name": "wave", "arguments": { "times": 2, "b": 1 } } } ] },
        ] }),
    ];
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    std::fs::write(folder.path().join("talks.jsonl"), lines.join("\n")).unwrap();
    let expected = [
        "<user>add 2 and 3<assistant>[add {\"a\": 2, \"b\": 3}]<tool add>5",
        "<user Ann>greet<assistant>Hi(be kind)<assistant>[wave {\"b\": 1, \"times\": 2}]",
    ];
    let made = script_in(
        folder.path(),
        r#"let m = load_model("m"); let f = read("talks.jsonl"); f.write("again.jsonl"); f.write("again.parquet");
let made = [];
for g in [f, read("again.jsonl"), read("again.parquet")] {
    for row in g.rows() { made.push(m.chat(row.messages, #{ generation_prompt: false })); }
}
made"#,
    );
    let made = made.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(made, json!([expected, expected, expected].concat()));
}

#[test]
fn a_template_that_wants_text_gets_the_text_of_parts() {
    let list = messages(json!([
        { "role": "user", "content": [{ "type": "text", "text": "Hi " }, { "type": "text", "text": "there" }] },
    ]));
    let rendered = |template: &str| {
        let template = ChatTemplate::new(template, &Value::Null).unwrap();
        template.render(&list, false)
    };
    assert_eq!(rendered("{{ messages[0].content }}").unwrap(), "Hi there");
    assert_eq!(rendered("{{ '<' + messages[0].content + '>' }}").unwrap(), "<Hi there>");
    let parts = "{% for part in messages[0].content %}[{{ part.text }}]{% endfor %}";
    assert_eq!(rendered(parts).unwrap(), "[Hi ][there]");
    let image = messages(json!([{ "role": "user", "content": [{ "type": "image" }] }]));
    let template = ChatTemplate::new("{{ messages[0].content }}", &Value::Null).unwrap();
    let error = template.render(&image, false).unwrap_err().to_string();
    assert!(error.contains("takes only texts"), "{error}");
}

#[test]
fn reasoning_is_seen_under_the_names_that_templates_know() {
    let settings = Value::Null;
    let template = "{{ messages[0].reasoning_content }}|{{ messages[0].thinking }}|{{ messages[0].reasoning }}";
    let template = ChatTemplate::new(template, &settings).unwrap();
    for (key, expected) in
        [("reasoning", "so|so|so"), ("thinking", "so|so|"), ("reasoning_content", "so|so|")]
    {
        let one = messages(json!([{ "role": "assistant", "content": "Yes", key: "so" }]));
        assert_eq!(template.render(&one, false).unwrap(), expected);
    }
}

/// What the assistant says of a talk that it begins.
fn said_first(template: &str) -> Vec<String> {
    let talk = messages(json!([
        { "role": "assistant", "content": "Hello I start" },
        { "role": "user", "content": "ok" },
        { "role": "assistant", "content": "bye" },
    ]));
    let settings = json!({ "bos_token": "<s>", "eos_token": "</s>" });
    let template = ChatTemplate::new(template, &settings).unwrap();
    let (text, turns) = turns::of_the_assistant(&template, &talk).unwrap();
    turns.into_iter().map(|turn| text[turn].to_string()).collect()
}

#[test]
fn the_words_before_a_first_turn_of_the_assistant_are_none_of_it() {
    let said = ["Hello I start</s>\n", "bye</s>\n"];
    let turn = "[{{ m.role }}]{{ m.content }}{{ eos_token }}\n";
    let prompt = "{% if add_generation_prompt %}[assistant]{% endif %}";
    let plain = format!("{{{{ bos_token }}}}{{% for m in messages %}}{turn}{{% endfor %}}{prompt}");
    assert_eq!(said_first(&plain), said);
    // Words of a system that is not there, and a look at the first message.
    let opening =
        "{% if messages[0].role != 'system' %}[system]Be kind.{{ eos_token }}\n{% endif %}";
    let with_system = format!("{opening}{{% for m in messages %}}{turn}{{% endfor %}}{prompt}");
    assert_eq!(said_first(&with_system), said);
    // What a template writes of a turn behind the prompt is the turn's, as in later ones.
    let thinking = format!(
        "{{% for m in messages %}}[{{{{ m.role }}}}]{{% if m.role == 'assistant' %}}<think></think>{{% endif %}}{{{{ m.content }}}}{{{{ eos_token }}}}\n{{% endfor %}}{prompt}"
    );
    assert_eq!(
        said_first(&thinking),
        ["<think></think>Hello I start</s>\n", "<think></think>bye</s>\n"]
    );
    let without_prompt =
        format!("{{{{ bos_token }}}}{{% for m in messages %}}{turn}{{% endfor %}}");
    assert_eq!(said_first(&without_prompt)[0], said[0]);
}

/// Rows as transformers 5.23 renders them: keys in the order that the file gives, a `content` that is null as if it were
/// not there.
#[test]
fn the_order_of_keys_and_a_content_of_nothing_are_as_in_transformers() {
    let folder = tempfile::tempdir().unwrap();
    script_in(folder.path(), r#"load_model("ebb/tiny").save("m")"#).unwrap();
    let template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls[0] | tojson }}{% endif %}{% endfor %}";
    std::fs::write(folder.path().join("m/chat_template.jinja"), template).unwrap();
    let row = r#"{"messages": [{"role": "user", "content": "add"}, {"role": "assistant", "content": null, "tool_calls": [{"name": "add", "arguments": {"x": 3, "b": 1}}]}]}"#;
    std::fs::write(folder.path().join("talks.jsonl"), row).unwrap();
    let expected = "<user>add<assistant>{\"name\": \"add\", \"arguments\": {\"x\": 3, \"b\": 1}}";
    let run = |text: &str| {
        let text = format!(r#"let m = load_model("m"); let f = read("talks.jsonl"); {text}"#);
        script_in(folder.path(), &text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    };
    for conversation in [
        r#"f["messages"][0]"#,
        "f.row(0).messages",
        "f.rows()[0].messages",
        "{ let talk = f.row(0).messages; talk[0].content = \"add\"; talk }",
        "f.map(\"messages\", |row| row.messages).row(0).messages",
        "frame(f.rows()).row(0).messages",
        "{ f.write(\"again.jsonl\"); read(\"again.jsonl\").row(0).messages }",
        "{ frame(f.rows()).write(\"b.jsonl\"); read(\"b.jsonl\").row(0).messages }",
    ] {
        let chat = format!("m.chat({conversation}, #{{ generation_prompt: false }})");
        assert_eq!(run(&chat), expected, "{conversation}");
    }
    let loss = run(r#"m.loss(f, #{ chat: "messages" })[0]"#);
    for other in [
        r#"m.loss(f, #{ chat: |row| row.messages })[0]"#,
        r#"m.loss([f["messages"][0]], #{ chat: true })[0]"#,
        r#"m.loss(f["messages"][0], #{ chat: true })"#,
        r#"m.loss(f["messages"], #{ chat: true })[0]"#,
    ] {
        assert_eq!(run(other), loss, "{other}");
    }
}

/// What a script that renders messages is told.
fn told(template: &str, rows: &str, text: &str) -> Vec<String> {
    use std::cell::RefCell;
    use std::rc::Rc;

    use ebb::script::engine::Session;
    use ebb::script::host::{Event, Host};

    let folder = tempfile::tempdir().unwrap();
    script_in(folder.path(), r#"load_model("ebb/tiny").save("m")"#).unwrap();
    std::fs::write(folder.path().join("m/chat_template.jinja"), template).unwrap();
    std::fs::write(folder.path().join("talks.jsonl"), rows).unwrap();
    let notes = Rc::new(RefCell::new(Vec::new()));
    let heard = notes.clone();
    let host = Host::quiet(folder.path().to_path_buf());
    *host.listener.borrow_mut() = Box::new(move |event| {
        if let Event::Note(note) = event {
            heard.borrow_mut().push(note);
        }
    });
    let text = format!(r#"let m = load_model("m"); let f = read("talks.jsonl"); {text}"#);
    let mut session = Session::new(Rc::new(host), "test.rhai");
    if let Err(error) = session.evaluate("", &text) {
        panic!("{text}: {error:?}");
    }
    drop(session);
    notes.take()
}

#[test]
fn what_a_table_or_a_map_cannot_keep_of_messages_is_told() {
    let whole = "{% for m in messages %}{{ m.role }}{% if m.tool_calls %}{{ m.tool_calls[0] | tojson }}{% endif %}{% endfor %}";
    let parts = "{% for m in messages %}{{ m.role }}{% if m.tool_calls %}{{ m.tool_calls[0].name }}{% endif %}{% endfor %}";
    let row = r#"{"messages": [{"role": "assistant", "tool_calls": [{"name": "add", "arguments": {"x": 3, "b": null}}]}]}"#;
    let literal = r#"m.chat([#{ role: "assistant", tool_calls: [#{ name: "add", arguments: #{ x: 3, b: () } }] }]);"#;
    let twice = format!("{literal} {literal}");
    let of_the_script = told(whole, row, &twice);
    assert_eq!(of_the_script.len(), 1, "{of_the_script:?}");
    assert!(of_the_script[0].contains("order of the alphabet"), "{of_the_script:?}");
    assert_eq!(told(parts, row, literal), Vec::<String>::new());
    for text in [
        r#"m.chat(f["messages"][0]);"#,
        r#"m.loss(f, #{ chat: "messages" });"#,
        r#"m.generate(f, #{ chat: true, prompt: "messages", max_new_tokens: 1 });"#,
    ] {
        let of_the_table = told(whole, row, text);
        assert_eq!(of_the_table.len(), 1, "{text}: {of_the_table:?}");
        assert!(of_the_table[0].contains("`b`"), "{of_the_table:?}");
    }
    let full = row.replace("null", "1");
    assert_eq!(told(whole, &full, r#"m.chat(f["messages"][0]);"#), Vec::<String>::new());
}

/// An argument that a script writes as () is null, as transformers has it: only keys of the message itself are dropped.
#[test]
fn nothing_within_a_map_of_the_script_is_null() {
    let folder = tempfile::tempdir().unwrap();
    let rendered = script_in(
        folder.path(),
        r#"let talk = [#{ role: "assistant", content: (), name: (), tool_calls: [#{ a: () }] }];
load_model("ebb/tiny").chat(talk, #{ template: "{{ messages[0].keys() | list }} {{ messages[0].tool_calls | tojson }}" })"#,
    );
    assert_eq!(rendered.unwrap(), "['role', 'tool_calls'] [{\"a\": null}]");
}

/// transformers 5.23 on the ids that its own apply_chat_template gives: 7.9418511. The tolerance is rounding in f32.
#[test]
fn a_rendered_talk_is_trained_on_as_transformers_tokenizes_it() {
    let Some(model) = shared("cases/chat_training/model") else {
        return;
    };
    let script = format!(
        r#"let m = load_model({:?});
        let text = m.chat([#{{ role: "user", content: "Hello" }}, #{{ role: "assistant", content: "Hi" }}], #{{ generation_prompt: false }});
        let first = |options| m.finetune([text], options).log()["loss"][0];
        [first.call(#{{ steps: 1 }}), first.call(#{{ steps: 1, chat: true }}), m.loss([text])[0], m.loss([text], #{{ chat: true }})[0]]"#,
        model.canonicalize().unwrap().display().to_string()
    );
    let place = tempfile::tempdir().unwrap();
    let losses = script_in(place.path(), &script).unwrap();
    let losses: Vec<f64> = serde_json::from_value(losses).unwrap();
    close(&losses, &[7.941_851_1; 4], 1e-5, "losses");
}
