//! Values of scripts that grow.

use super::Place;

#[test]
fn texts_lists_and_maps_that_grow_without_end_are_refused() {
    for script in [
        r#"let s = "x"; loop { s += s; }"#,
        r#"let s = ""; s.pad(1000000, "x"); let all = []; loop { all.push(s + all.len()); }"#,
        r#"let s = ""; s.pad(1000000, "x"); let m = #{}; let i = 0; loop { m[`k${i}`] = s + i; i += 1; }"#,
        "let a = [0]; loop { a.append(a); }",
        "let b = blob(1000000000, 7);",
        "let a = []; a.pad(1000000000, 1);",
    ] {
        let place = Place::new();
        let ran = place.run(script);
        assert_eq!(ran.code, Some(1), "{script}: {}", ran.err);
        assert!(ran.err.starts_with("error: "), "{script}: {}", ran.err);
        assert_eq!(ran.facts["status"], "failed", "{script}");
    }
}

#[test]
fn what_stops_them_names_the_budget_and_what_raises_it() {
    let script = r#"
        let f = frame(#{ k: [0.0] }); for i in 0..18 { f = concat([f, f]); }
        let all = []; for i in 0..1000 { all.push(f.with_columns(col("k") * 2 + i)); }"#;
    let ran = Place::new().refused(script, "300 MiB of memory");
    assert!(ran.err.contains("--memory"), "{}", ran.err);
}
