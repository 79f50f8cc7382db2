//! Chat templates that build values without end, each refused in words that a script can catch.

use super::Place;

/// Renders a template with a model of a few kilobytes.
fn place() -> Place {
    let place = Place::new();
    place.model("tiny-llama", "m");
    place
}

fn script(template: &str) -> String {
    format!(
        r#"let m = load_model("m"); m.chat([#{{ role: "user", content: "hello" }}], #{{ template: {template:?} }})"#
    )
}

const GROWING: &[&str] = &[
    "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s|length }}",
    "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s|length }}",
    "{{ '{:>99999999999}'.format(1) }}",
    "{{ '{:>999999999}'.format(1)|length }}",
    "{{ ('x' * 99999999 ~ 'x' * 99999999 ~ 'x' * 99999999)|length }}",
    "{% set n = 99999999 %}{% set a = 'x' * n %}{% set b = 'x' * n %}{{ (a ~ b)|length }}",
    "{% set a = 'x' * 9999 %}{% set b = a.replace('x', a) %}{{ b.replace('x', a)|length }}",
    "{% set a = 'x' * 99999 %}{{ a.join(a)|length }}",
    "{% set a = 'x' * 99999 %}{{ a|join(a)|length }}",
    "{% set a = 'x' * 9999 %}{{ (a|replace('x', a))|replace('x', a)|length }}",
    "{% macro m(s, n) %}{% if n > 0 %}{{ m(s ~ s, n - 1) }}{% endif %}{% endmacro %}{{ m('xxxxxxxx', 60) }}",
    "{% set a = 'x' * 90000000 %}{{ (a|upper ~ a|list|string)|length }}",
];

#[test]
fn a_template_that_builds_without_end_is_refused_and_can_be_caught() {
    let place = place();
    for template in GROWING {
        let ran = place.refused(&script(template), "chat template");
        assert!(!ran.err.contains("ebb itself"), "{template}: {}", ran.err);
    }
    place.caught(&script(GROWING[0]), "the chat template builds values that take more than 75 MiB");
    place.caught(&script(GROWING[2]), "the chat template");
}

#[test]
fn a_template_of_the_model_itself_is_refused_as_well() {
    let place = place();
    place.write("m/chat_template.jinja", GROWING[0]);
    place.refused(
        r#"load_model("m").chat([#{ role: "user", content: "hello" }])"#,
        "the chat template builds values",
    );
}
