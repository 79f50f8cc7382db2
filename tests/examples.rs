//! Every example of every script function runs as it stands.

use std::path::Path;
use std::rc::Rc;

use ebb::script::api;
use ebb::script::engine::Session;
use ebb::script::host::Host;

use crate::support::fixture;

/// A small classifier, `classifier`, for the examples that need one.
fn put_classifier(folder: &Path) {
    let (from, to) = (fixture("toxicity/bert-base-uncased"), folder.join("classifier"));
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn every_example_of_the_reference_runs() {
    let mut failures = Vec::new();
    for record in api::all() {
        let folder = tempfile::tempdir().unwrap();
        if record.example.contains("\"classifier\"") {
            put_classifier(folder.path());
        }
        let mut session =
            Session::new(Rc::new(Host::quiet(folder.path().to_path_buf())), "example");
        if let Err(error) = session.evaluate("", record.example) {
            failures.push(format!("{}: {} {:?}", record.name, error.message, error.notes));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_record_says_what_it_does() {
    for record in api::all() {
        assert!(!record.signatures.is_empty(), "{} has no signature", record.name);
        assert!(!record.example.is_empty(), "{} has no example", record.name);
        assert!(!record.summary.is_empty() && !record.summary.ends_with('.'), "{}", record.name);
    }
}
