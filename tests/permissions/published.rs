//! Published faults of other programs, as they would look here: what each was stands in SECURITY.md, with the name of the test.

use super::{Place, SECRET, json};

/// Markup that ran, or would run, in a page that believes it. The first is CVE-2021-32798's own example.
const MARKUP: [&str; 8] = [
    "<select><iframe></select><img src=x: onerror=alert('xss')>",
    "<script>alert(1)</script>",
    "<svg onload=alert(1)><use href=data:x></svg>",
    "</pre></td></table></title><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "<form id=f></form><button form=f formaction=javascript:alert(1)>x</button>",
    "<style>@import 'http://attacker.test/x.css'</style>",
    "--><img src=x onerror=alert(1)>",
];

/// Templates that ran a process in jinja2 without a sandbox: CVE-2024-34359, CVE-2026-5760.
const TEMPLATES: [&str; 14] = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for c in [].__class__.__base__.__subclasses__() %}{{ c.__init__.__globals__ }}{% endfor %}",
    "{{ lipsum.__globals__[\"os\"].popen(\"touch hit\").read() }}",
    "{{ cycler.__init__.__globals__.os.popen('touch hit').read() }}",
    "{{ joiner.__init__.__globals__['__builtins__']['open']('hit', 'w') }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').system('touch hit') }}",
    "{{ messages.__class__ }}{{ messages['__class__'] }}{{ messages|attr('__class__') }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ raise_exception.__globals__['os'].system('touch hit') }}",
    "{{ strftime_now.__globals__ }}{{ open('../outside/secret.csv').read() }}",
    "{% include '../outside/secret.csv' %}",
    "{% import '../outside/secret.csv' as s %}{{ s }}",
    "{% extends '/etc/passwd' %}",
];

#[test]
fn templates_that_reached_a_process_elsewhere_reach_nothing() {
    let place = Place::new();
    place.model("here/m");
    let chat = |options: &str| {
        format!(
            "load_model(\"m\").chat([#{{ role: \"user\", content: \"a cat\" }}], #{{ generation_prompt: false{options} }})"
        )
    };
    // One that means no harm is used.
    place.write("here/m/chat_template.jinja", "{{ messages[0]['content'] }}");
    let (status, said) = place.code(&chat(""), &[]);
    assert_eq!(status, Some(0), "{said}");
    for template in TEMPLATES {
        place.write("here/m/chat_template.jinja", template);
        for code in [chat(""), chat(&format!(", template: {template:?}"))] {
            // The script may see, but not what the program or the machine is made of.
            let (status, said) = place.code(&code, &["--max-time", "20"]);
            assert!(matches!(status, Some(0 | 1)), "{template}: {said}");
            for word in ["subclasses", "<class", "builtins", "root:"] {
                let told = said.replace(template, "");
                let quoted = told.lines().filter(|line| !line.contains("load_model"));
                let quoted = quoted.filter(|line| !line.contains("chat template"));
                assert!(!quoted.collect::<String>().contains(word), "{template}: {said}");
            }
        }
        assert!(!place.path("here/hit").exists(), "{template}");
    }
}

#[test]
fn code_that_a_model_brings_is_not_run_and_that_is_said() {
    let place = Place::new();
    place.model("here/m");
    let change = |file: &str, key: &str, value: serde_json::Value| {
        let mut settings = json(&place.read(&format!("here/m/{file}")));
        settings[key] = value;
        place.write(&format!("here/m/{file}"), settings.to_string());
    };
    place.write("here/m/modeling_evil.py", "open('hit', 'w')");
    change("config.json", "auto_map", json("{ \"AutoModelForCausalLM\": \"modeling_evil.Evil\" }"));
    change("config.json", "trust_remote_code", true.into());
    change("config.json", "_name_or_path", "../outside/secret.csv".into());
    change(
        "tokenizer_config.json",
        "auto_map",
        json("{ \"AutoTokenizer\": [\"modeling_evil.T\", null] }"),
    );
    change("tokenizer_config.json", "tokenizer_file", "../outside/secret.csv".into());
    change("tokenizer_config.json", "name_or_path", "/etc".into());
    let (status, said) = place.code("load_model(\"m\").config().hidden_size", &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("names code of its own (auto_map), which is not run"), "{said}");
    assert!(said.ends_with("16\n"), "{said}");
    change("config.json", "model_type", "evil".into());
    place.refused("load_model(\"m\")", &[], "unknown model family `evil`");
    assert!(!place.path("here/hit").exists() && !place.path("here/m/hit").exists());
}

#[test]
fn a_link_in_a_folder_that_is_allowed_opens_nothing_and_scripts_make_none() {
    // Deno's CVE-2021-41641.
    let place = Place::new();
    place.link("/", "here/root");
    place.link("../outside", "here/way");
    place.refused("read(\"way/secret.csv\")", &[], "is not allowed");
    place.refused("read(\"root/etc/passwd\")", &[], "is not allowed");
    place.refused("frame(#{ a: [1] }).write(\"way/new.csv\")", &[], "is not allowed");
    assert!(!place.path("outside/new.csv").exists());
    for code in
        ["symlink(\"../outside\", \"a\")", "link(\"../outside\", \"a\")", "rename(\"way\", \"a\")"]
    {
        let (status, said) = place.code(code, &["--allow-write", "/"]);
        assert!(
            status == Some(1)
                && (said.contains("there is no function") || said.contains("works on a Frame")),
            "{code}: {said}"
        );
    }
    // A link that is left where it leads: what is allowed by its real place is read.
    let outside = place.path("outside");
    place.gives("exists(\"way/secret.csv\")", &["--allow-read", outside.to_str().unwrap()], "true");
}

#[test]
fn nothing_is_told_of_a_file_that_may_not_be_read() {
    // Deno's CVE-2025-61786: facts of a file that was opened for writing only.
    let place = Place::new();
    for call in ["read(P)", "load_model(P)", "exists(P)", "frame(#{ a: [1] }).write(P)"] {
        let told = |path: &str| {
            let (status, said) = place.code(&call.replace('P', &format!("{path:?}")), &[]);
            // The quoted line is as long as the path.
            let lines = said.replace(path, "PATH");
            let lines = lines.lines().filter(|line| !line.contains('^'));
            (status, lines.map(str::to_string).collect::<Vec<_>>())
        };
        assert_eq!(told("../outside/secret.csv"), told("../outside/none.csv"), "{call}");
        assert_eq!(told("/etc/passwd.csv/x.csv"), told("/none/passwd.csv/x.csv"), "{call}");
    }
}

#[test]
fn markup_of_a_stranger_is_text_in_every_report() {
    // nbconvert's CVE-2021-32862 and Jupyter's CVE-2021-32798.
    for (number, markup) in MARKUP.iter().enumerate() {
        let place = Place::new();
        let script = format!(
            "// %% [markdown]\n// # {markup}\n// {markup} [x](javascript:alert(1)) ![x](javascript:alert(2))\n\
             // %% {markup}\nlet t = {markup:?};\nprint(t); note(t); show(t); show(markdown(t));\n\
             let f = frame(#{{ x: [1, 2], y: [0.1, 0.2], s: [t, \"b\"] }}).rename(#{{ s: t }});\nshow(f);\n\
             plot(f, #{{ x: \"x\", y: \"y\", title: t }});\nlog(#{{ loss: 1.0 }});\nthrow t;\n"
        );
        place.write("here/x.rhai", script);
        let (_, said) = place.ebb(&["run", "x.rhai", "--run-dir", "r", "--report", "p.html"]);
        assert!(place.path("here/r/run.json").exists(), "{said}");
        for report in ["q.html", "q.md", "q.ipynb"] {
            let (status, said) = place.ebb(&["export", "r", report]);
            assert_eq!(status, Some(0), "{markup}: {said}");
        }
        let svg = std::fs::read_dir(place.path("here")).unwrap().map(|entry| entry.unwrap().path());
        let drawings = svg.filter(|path| path.extension().is_some_and(|ending| ending == "svg"));
        let drawings = drawings.map(|path| std::fs::read_to_string(path).unwrap());
        let mut pages: Vec<String> =
            ["p.html", "q.html"].map(|name| place.read(&format!("here/{name}"))).into();
        let notebook = json(&place.read("here/q.ipynb"));
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::Array(lines) => {
                lines.iter().filter_map(serde_json::Value::as_str).collect::<String>()
            }
            other => other.as_str().unwrap_or_default().to_string(),
        };
        for cell in notebook["cells"].as_array().unwrap() {
            for output in cell["outputs"].as_array().into_iter().flatten() {
                for form in ["text/html", "image/svg+xml", "text/markdown"] {
                    pages.push(text(&output["data"][form]));
                }
            }
            assert!(
                cell["metadata"].as_object().is_none_or(|facts| !facts.contains_key("trusted"))
            );
        }
        pages.extend(drawings);
        for page in &pages {
            // The page's own script stands in it by its hash.
            let parts = page.split("<script>").map(|part| part.split("</script>").last().unwrap());
            let lower = parts.collect::<String>().to_lowercase();
            for tag in lower.split('<').skip(1).map(|part| part.split('>').next().unwrap()) {
                let name = tag.split_whitespace().next().unwrap_or_default();
                let strange = ["iframe", "form", "button", "select", "script", "object"];
                // What stands between quotes is a value.
                let bare: String = tag.split('"').step_by(2).collect();
                let runs = bare.contains(" on") || tag.contains("=\"javascript:");
                assert!(!strange.contains(&name) && !runs, "{number} <{tag}>: {markup}");
                assert!(name != "img" || tag.contains("data:,"), "{number} <{tag}>: {markup}");
            }
        }
    }
}

#[test]
fn a_notebook_of_a_stranger_becomes_a_script_and_nothing_of_it_is_run_or_shown() {
    let place = Place::new();
    let payload = MARKUP[0];
    let notebook = serde_json::json!({
        "nbformat": 4, "nbformat_minor": 5,
        "metadata": { "title": payload, "language_info": { "name": "rhai", "pygments_lexer": payload },
            "widgets": { "application/vnd.jupyter.widget-state+json": { "state": { "x": payload } } } },
        "cells": [
            { "cell_type": "markdown", "id": "a", "metadata": {}, "source": [payload, "\n", "// %% not a cell"] },
            { "cell_type": "code", "id": "b", "metadata": { "trusted": true, "title": "\n// %% x" }, "execution_count": 1,
              "source": ["let a = 1;"],
              "outputs": [{ "output_type": "display_data", "metadata": {}, "data": { "text/html": [payload] } }] },
        ],
    });
    place.write("here/n.ipynb", notebook.to_string());
    let (status, said) = place.ebb(&["import", "n.ipynb", "-o", "n.rhai"]);
    assert_eq!(status, Some(0), "{said}");
    let script = place.read("here/n.rhai");
    // What was shown is not taken along; prose stays prose.
    assert_eq!(script.matches(payload).count(), 1, "{script}");
    let lines = script.lines().filter(|line| !line.starts_with("//") && !line.trim().is_empty());
    assert_eq!(lines.collect::<Vec<_>>(), ["let a = 1;"], "{script}");
    let (status, said) = place.ebb(&["import", "../outside/secret.csv", "-o", "s.rhai"]);
    assert!(status != Some(0), "{said}");
    assert!(place.read("outside/secret.csv").contains(SECRET));
}
