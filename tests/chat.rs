//! Chat templates against transformers' apply_chat_template, byte for byte; and what hostile or broken ones are told.

use ebb::model::chat::{ChatTemplate, Message, render, template_of};
use ebb::model::load;
use serde_json::{Value, json};

use crate::support::{cpu, json as fixture_json, script_in};

fn conversation(value: &Value) -> Vec<Message> {
    serde_json::from_value(value.clone()).unwrap()
}

fn user(content: &str) -> Vec<Message> {
    conversation(&json!([{ "role": "user", "content": content }]))
}

fn refused(template: &str) -> String {
    match render(template, &user("Hello"), &Value::Null, false) {
        Ok(text) => panic!("{template} gave {text:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn texts_equal_transformers_byte_for_byte_and_what_it_refuses_is_refused() {
    let fixture = fixture_json("chat.json");
    let (mut equal, mut refused) = (0, 0);
    for (name, entry) in fixture["templates"].as_object().unwrap() {
        let template = entry["template"].as_str().unwrap();
        let template = ChatTemplate::new(template, &entry["settings"]).unwrap();
        for (title, theirs) in entry["texts"].as_object().unwrap() {
            let messages = conversation(&fixture["conversations"][title]);
            for (place, prompt) in [(0, false), (1, true)] {
                let ours = template.render(&messages, prompt);
                let what = format!("{name}, {title}, prompt {prompt}");
                match theirs[place].as_str() {
                    Some(text) => {
                        assert_eq!(ours.unwrap_or_else(|e| panic!("{what}: {e}")), text, "{what}");
                        equal += 1;
                    }
                    None => {
                        let said = theirs[place]["refused"].as_str().unwrap();
                        let error = ours.expect_err(&what).to_string();
                        assert_eq!(
                            error,
                            format!("the chat template refuses the conversation: \"{said}\"")
                        );
                        refused += 1;
                    }
                }
            }
        }
    }
    assert_eq!((equal, refused), (174, 26));
}

#[test]
fn the_template_is_the_file_else_the_settings_text_else_the_one_named_default() {
    let text = json!({ "chat_template": "a" });
    assert_eq!(template_of(&text, Some("file")).unwrap(), "file");
    assert_eq!(template_of(&text, None).unwrap(), "a");
    let named = json!({ "chat_template": [
        { "name": "tool_use", "template": "t" },
        { "name": "default", "template": "d" },
    ] });
    assert_eq!(template_of(&named, None).unwrap(), "d");
    let said = |settings: Value| template_of(&settings, None).unwrap_err().to_string();
    assert_eq!(said(json!({})), "the model has no chat template");
    assert_eq!(said(json!(null)), "the model has no chat template");
    assert_eq!(
        said(json!({ "chat_template": [{ "name": "rag", "template": "t" }] })),
        "the model has chat templates named rag, and none named default"
    );
    assert_eq!(
        said(json!({ "chat_template": 3 })),
        "chat_template in tokenizer_config.json is neither a text nor a list of named templates"
    );
}

#[test]
fn broken_templates_are_told_with_their_line() {
    assert_eq!(
        refused("a\n{% for m in messages %}"),
        "the chat template cannot be read (line 2): syntax error: unexpected end of input, expected end of block"
    );
    assert_eq!(
        refused("a\n{{ messages|shout }}"),
        "the chat template cannot be rendered (line 2): unknown filter: filter shout is unknown"
    );
    assert_eq!(
        refused("{{ messages[0].content.nothing() }}"),
        "the chat template cannot be rendered (line 1): unknown method: string has no method named nothing"
    );
    assert_eq!(
        refused("{{ absent|tojson }}"),
        "the chat template cannot be rendered (line 1): invalid operation: a value that is undefined has no JSON"
    );
    assert!(refused("{{ strftime_now('%!') }}").contains("cannot be rendered (line 1)"));
    assert!(refused("{% include '/etc/passwd' %}").contains("cannot be rendered"));
    let error = render("{{ x }}", &[], &Value::Null, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rendering a chat template: expected at least one message, got none"
    );
}

#[test]
fn the_date_is_written_as_strftime_writes_it() {
    let text = render("{{ strftime_now('%d %b %Y') }}", &user(""), &Value::Null, false).unwrap();
    let words: Vec<&str> = text.split(' ').collect();
    assert_eq!(words.iter().map(|word| word.len()).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn a_template_can_neither_run_nor_write_nor_call_itself_without_end() {
    let endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    assert_eq!(refused(endless), "the chat template does not come to an end (line 1)");
    let long = "{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}";
    assert!(refused(long).starts_with("the chat template writes more than 16 MiB"));
    let deep = "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}";
    assert!(refused(deep).contains("recursion limit exceeded"), "{}", refused(deep));
    let nested = "{% set ns = namespace(x=[]) %}{% for a in range(20000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson }}";
    assert!(refused(nested).contains("too large for tojson"), "{}", refused(nested));
    let dropped = "{% set ns = namespace(x=[]) %}{% for a in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}";
    assert!(refused(dropped).contains("does not come to an end"), "{}", refused(dropped));
    let brackets = format!("{{{{ {} }}}}", "[".repeat(100_000));
    assert!(refused(&brackets).contains("at most 32768 words and signs"));
    assert!(refused(&"x".repeat(2 << 20)).contains("at most 1048576 bytes"));
}

#[test]
fn what_a_conversation_says_is_never_taken_for_a_template() {
    let text = render(
        "{{ messages[0].content }}",
        &user("{{ 7 * 7 }} {% raw %} <b>&amp;</b>"),
        &Value::Null,
        false,
    );
    assert_eq!(text.unwrap(), "{{ 7 * 7 }} {% raw %} <b>&amp;</b>");
}

#[test]
fn expressions_of_templates_are_written_as_jinja2_writes_them() {
    let fixture = fixture_json("templates.json");
    let mut other = Vec::new();
    for pair in fixture["written"].as_array().unwrap() {
        let expression = pair[0].as_str().unwrap();
        let t = &fixture["t"];
        let template = format!("{{% set t = {t} %}}{{{{ {expression} }}}}");
        let ours = render(&template, &user("Hello"), &Value::Null, false).ok();
        if ours.as_deref() != pair[1].as_str() {
            other.push(format!("{expression}: {ours:?}, not {}", pair[1]));
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

/// A model with a chat template in the folder `m`.
fn speaking(folder: &std::path::Path) {
    script_in(folder, r#"load_model("ebb/tiny").save("m")"#).unwrap();
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    std::fs::write(folder.join("m/chat_template.jinja"), template).unwrap();
}

#[test]
fn a_model_speaks_through_its_template() {
    let folder = tempfile::tempdir().unwrap();
    speaking(folder.path());
    let run = |text: &str| script_in(folder.path(), &format!(r#"let m = load_model("m"); {text}"#));
    assert_eq!(run(r#"m.chat_prompt("Hi")"#).unwrap(), "user: Hi\nassistant:");
    let turns = r#"[#{ role: "system", content: "Be kind." }, #{ role: "user", content: "Hi" }]"#;
    assert_eq!(
        run(&format!("m.chat({turns}, #{{ generation_prompt: false }})")).unwrap(),
        "system: Be kind.\nuser: Hi\n"
    );
    let own = r##"m.chat_prompt("Hi", #{ template: "<{{ messages[0].content }}>" })"##;
    assert_eq!(run(own).unwrap(), "<Hi>");
    let options = "max_new_tokens: 8, seed: 1";
    let spoken = run(&format!(r#"m.generate("Hi", #{{ chat: true, {options} }})"#)).unwrap();
    let plain = run(&format!(r#"m.generate(m.chat_prompt("Hi"), #{{ {options} }})"#)).unwrap();
    assert_eq!(spoken, plain, "this tokenizer has no begin token");
    let many = format!(
        r#"m.generate(["Hi", {turns}, [#{{ role: "user", content: "Hi" }}]], #{{ chat: true, {options} }})"#
    );
    let many = run(&many).unwrap();
    assert_eq!((&many[0], &many[2]), (&spoken, &spoken));
    let frame =
        format!(r#"m.generate(frame([#{{ prompt: "Hi" }}]), #{{ chat: true, {options} }})"#);
    assert_eq!(run(&frame).unwrap()[0], spoken);
    // Saved again, the template goes along.
    let again = run(r#"m.save("again"); load_model("again").chat_prompt("Hi")"#).unwrap();
    assert_eq!(again, "user: Hi\nassistant:");
}

#[test]
fn a_conversation_goes_on_from_call_to_call_until_another_model_is_spoken_to() {
    let folder = tempfile::tempdir().unwrap();
    speaking(folder.path());
    let options = "#{ max_new_tokens: 6, seed: 1 }";
    let talk = format!(
        r#"let m = load_model("m");
        let first = m.chat("Hi", {options});
        let second = m.chat("And you?", {options});
        let said = m.conversation();
        let by_hand = m.generate([said[0], #{{ role: "assistant", content: first.trim_all() }}, said[2]],
            #{{ chat: true, max_new_tokens: 6, seed: 1 }});
        let anew = m.chat("Hi", #{{ anew: true, max_new_tokens: 6, seed: 1 }});
        let system = m.chat("Hi", #{{ system: "Be kind.", max_new_tokens: 6, seed: 1 }});
        let of_system = m.conversation();
        let other = load_model("m");
        let fresh = other.conversation();
        [first, second, said, by_hand, anew, of_system, fresh, m.chat(said) == m.chat_prompt(said)]"#
    )
    .replace("first.trim_all()", "said[1].content");
    let told = script_in(folder.path(), &talk).unwrap();
    let role = |place: usize| told[2][place]["role"].as_str().unwrap().to_string();
    assert_eq!([role(0), role(1), role(2), role(3)], ["user", "assistant", "user", "assistant"]);
    assert_eq!(told[2].as_array().unwrap().len(), 4);
    assert_eq!(told[2][1]["content"], told[0].as_str().unwrap().trim());
    assert_eq!(told[1], told[3], "the second answer is that to the whole conversation");
    assert_eq!(told[4], told[0], "anew forgets");
    assert_eq!(told[5][0]["content"], "Be kind.");
    assert_eq!(told[5].as_array().unwrap().len(), 3);
    assert_eq!(told[6], serde_json::json!([]));
    assert_eq!(told[7], true);
}

#[test]
fn conversations_that_are_none_are_told() {
    let folder = tempfile::tempdir().unwrap();
    speaking(folder.path());
    let refused = |text: &str| {
        let error =
            script_in(folder.path(), &format!(r#"let m = load_model("m"); {text}"#)).unwrap_err();
        format!("{} ({})", error.message, error.hint.unwrap_or_default())
    };
    let lacks = refused(r#"m.chat([#{ role: "user", text: "Hi" }])"#);
    assert!(lacks.contains("a string under `content`"), "{lacks}");
    assert!(refused("m.chat(5)").contains("an array of messages"));
    assert!(refused("m.generate(5, #{ chat: true })").contains("an array of prompts"));
    let none = refused(r#"load_model("ebb/tiny").chat_prompt("Hi")"#);
    assert!(none.contains("chat template"), "{none}");
}

#[test]
fn a_turn_ends_with_the_end_tokens_of_the_generation_config_too() {
    let folder = tempfile::tempdir().unwrap();
    speaking(folder.path());
    let load = || load::from_folder(&folder.path().join("m"), &cpu()).unwrap();
    let before = load().tokenizer().end_ids().to_vec();
    let path = folder.path().join("m/generation_config.json");
    std::fs::write(&path, r#"{ "eos_token_id": [7, 9] }"#).unwrap();
    assert_eq!(load().tokenizer().end_ids(), [before, vec![7, 9]].concat());
    std::fs::write(&path, "{").unwrap();
    let error = load::from_folder(&folder.path().join("m"), &cpu()).err().unwrap();
    assert!(error.to_string().contains("generation_config.json"), "{error}");
}
