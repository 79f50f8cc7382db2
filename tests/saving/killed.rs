//! A process that is killed while it replaces a model, at many moments: one whole model stands under the name each time.
//!
//! `EBB_KILLS` says how often; 40 times without it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ebb::model::load;

use crate::support::{bits, cpu, script_in};

const REPLACE: &str =
    r#"let a = load_model("a"); let b = load_model("b"); loop { b.save("out"); a.save("out"); }"#;

fn start(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ebb"))
        .args(["run", "x.rhai", "--threads", "1"])
        .current_dir(folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What tells the folder under a name from the one that was there before; nothing where there is none.
fn inode(folder: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).ok().map(|facts| facts.ino())
}

#[test]
fn a_kill_while_a_model_is_replaced_leaves_a_whole_one() {
    let kills: u64 = std::env::var("EBB_KILLS").map_or(40, |text| text.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("x.rhai"), REPLACE).unwrap();
    let begin = r#"let m = load_model("ebb/tiny"); m.save("a"); m.save("out");
        m.finetune(["a cat sat"], #{ method: "head", steps: 1 }).save("b")"#;
    script_in(place.path(), begin).unwrap();
    let read = |name: &str| load::from_folder(&place.path().join(name), &cpu()).map(|m| bits(&m));
    let (a, b) = (read("a").unwrap(), read("b").unwrap());
    assert!(a != b);
    let mut seen = [0, 0];
    for kill in 0..kills {
        let before = inode(&place.path().join("out"));
        let mut child = start(place.path());
        // From the first replacement on, each time at another moment of those that follow it.
        while child.try_wait().unwrap().is_none() && inode(&place.path().join("out")) == before {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_micros(kill * 7919 % 60_000));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        let out = read("out").unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        assert!(out == a || out == b, "kill {kill}: half of each");
        seen[usize::from(out == b)] += 1;
    }
    assert!(kills < 40 || seen.iter().all(|count| *count > 0), "{seen:?}");
    script_in(place.path(), r#"load_model("a").save("out")"#).unwrap();
    assert!(read("out").unwrap() == a);
    let mut names: Vec<String> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["a", "b", "out", "runs", "x.rhai"], "nothing is left behind");
}
