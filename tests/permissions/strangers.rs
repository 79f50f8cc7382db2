//! Folders of strangers: runs whose record, outputs or script mean harm, given to `ebb runs`, `ebb export` and `ebb verify`.

use std::path::Path;

use super::{Place, SECRET, json};

const SCRIPT: &str = "let f = frame(#{ a: [1, 2] });\nshow(f);\nf\n";

/// A run of a script in `here/r`.
fn with_run() -> Place {
    let place = Place::new();
    place.write("here/x.rhai", SCRIPT);
    let (status, said) = place.ebb(&["run", "x.rhai", "--run-dir", "r"]);
    assert_eq!(status, Some(0), "{said}");
    place
}

fn facts(place: &Place, change: impl Fn(&mut serde_json::Value)) {
    let mut facts = json(&place.read("here/r/run.json"));
    change(&mut facts);
    place.write("here/r/run.json", facts.to_string());
}

/// Names of everything below a folder, links not followed.
fn all(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        names.push(entry.path().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            names.extend(all(&entry.path()));
        }
    }
    names.sort();
    names
}

#[test]
fn a_record_whose_script_lies_elsewhere_makes_no_folder_there() {
    let place = with_run();
    place.write("outside/m.rhai", format!("fn word() {{ \"{SECRET}\" }}"));
    let before = all(&place.path("outside"));
    let names = [
        "../../x",
        "../outside/x.rhai",
        "/etc/passwd",
        "..",
        "/",
        "",
        "a/../../../outside/x",
        "x\0y",
    ];
    for name in names.map(str::to_string).into_iter().chain(["a".repeat(5000)]) {
        facts(&place, |facts| facts["script"] = name.clone().into());
        let (status, said) = place.ebb(&["verify", "r"]);
        // Verified under another name, or refused in a sentence.
        assert!(matches!(status, Some(0..=2)), "{name:.80}: {said}");
        assert_eq!(all(&place.path("outside")), before, "{name:.80}");
        for command in
            [&["runs", "show", "r"][..], &["runs", "--in", "."], &["export", "r", "o.html"]]
        {
            let (status, said) = place.ebb(command);
            assert_eq!(status, Some(0), "{name:.80} {command:?}: {said}");
        }
    }
    let top = place.path("");
    let mut here: Vec<_> =
        std::fs::read_dir(&top).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    here.sort();
    assert_eq!(here, ["here", "outside", "said.txt"]);
}

#[test]
fn a_script_of_a_strangers_run_may_no_more_than_any_other() {
    let place = Place::new();
    for (script, record) in [
        ("read(\"../outside/secret.csv\")", "{}"),
        ("read(param(\"data\", \"plain.csv\", \"\"))", "{ \"data\": \"../outside/secret.csv\" }"),
        ("frame(#{ a: [1] }).write(\"../outside/new.csv\")", "{}"),
    ] {
        place.write("here/x.rhai", script);
        let _ = std::fs::remove_dir_all(place.path("here/r"));
        place.ebb(&["run", "x.rhai", "--run-dir", "r"]);
        facts(&place, |facts| {
            facts["parameters"] = json(record);
            facts["command"] = json(
                "[\"ebb\", \"run\", \"x.rhai\", \"--allow-read\", \"/\", \"--allow-write\", \"/\"]",
            );
        });
        let (_, said) = place.ebb(&["verify", "r"]);
        let kept = all(&place.path("here/runs"));
        for path in kept.iter().filter(|path| Path::new(path).is_file()) {
            let text = std::fs::read(path).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains(SECRET), "{path}: {said}");
        }
        assert!(!place.path("outside/new.csv").exists());
    }
}

#[test]
fn a_run_goes_on_with_no_script_from_outside() {
    let place = Place::new();
    place.write("here/x.rhai", "try { import \"m\" as m; m::word() } catch {}\nthrow \"first\"");
    place.write("outside/m.rhai", "fn word() { print(\"second\") }");
    place.ebb(&["run", "x.rhai", "--run-dir", "r"]);
    let secret = place.path("outside/secret.csv");
    place.link("../outside/secret.csv", "here/linked.rhai");
    for name in [
        "../outside/secret.csv",
        secret.to_str().unwrap(),
        "linked.rhai",
        "/proc/self/environ",
        "/dev/zero",
    ] {
        facts(&place, |facts| facts["script"] = name.into());
        let (status, said) = place.ebb(&["run", "--resume", "r"]);
        assert_eq!(status, Some(1), "{name}: {said}");
        // The script is run as it was kept.
        assert!(said.contains("first"), "{name}: {said}");
        assert!(!said.contains("second"), "{name}: {said}");
        for path in all(&place.path("here/r")).iter().filter(|path| Path::new(path).is_file()) {
            let text = std::fs::read(path).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains(SECRET), "{name}: {path}");
        }
    }
}

#[test]
fn a_table_of_a_strangers_run_lies_in_its_folder_or_is_refused() {
    let place = with_run();
    let outputs = place.read("here/r/outputs.jsonl");
    let secret = place.path("outside/secret.csv");
    place.write("outside/table-1.csv", format!("a\n{SECRET}\n"));
    for name in [
        "../../../outside/secret.csv",
        "../../outside/secret.csv",
        secret.to_str().unwrap(),
        "/dev/zero",
        "/proc/self/environ",
    ] {
        let changed = outputs.replace("table-1.parquet", name);
        assert_ne!(changed, outputs);
        // Another hash, so that the rows themselves are compared.
        let hash = outputs.split("\"sha256\":\"").nth(1).unwrap().split('"').next().unwrap();
        place.write("here/r/outputs.jsonl", changed.replace(hash, &"0".repeat(64)));
        let (status, said) = place.ebb(&["verify", "r"]);
        assert_eq!(status, Some(1), "{name}: {said}");
        assert!(said.contains("does not lie in the run's folder"), "{name}: {said}");
    }
    // The folder of the tables is a link to one outside, and so is a table.
    let hash =
        outputs.split("\"sha256\":\"").nth(1).unwrap().split('"').next().unwrap().to_string();
    let other = outputs.replace(&hash, &"0".repeat(64));
    place.write("here/r/outputs.jsonl", other.replace("table-1.parquet", "table-1.csv"));
    std::fs::remove_dir_all(place.path("here/r/outputs")).unwrap();
    place.link("../../outside", "here/r/outputs");
    let (status, said) = place.ebb(&["verify", "r"]);
    assert!(status == Some(1) && said.contains("does not lie in the run's folder"), "{said}");
    std::fs::remove_file(place.path("here/r/outputs")).unwrap();
    std::fs::create_dir(place.path("here/r/outputs")).unwrap();
    place.link("../../../outside/table-1.csv", "here/r/outputs/table-1.csv");
    let (status, said) = place.ebb(&["verify", "r"]);
    assert!(status == Some(1) && said.contains("does not lie in the run's folder"), "{said}");
}

#[test]
fn files_of_a_run_that_are_links_pipes_or_endless_are_refused() {
    for name in ["run.json", "script.rhai", "outputs.jsonl", "metrics.jsonl"] {
        let place = with_run();
        let file = format!("here/r/{name}");
        for kind in ["link", "device", "pipe", "endless"] {
            let _ = std::fs::remove_file(place.path(&file));
            match kind {
                "link" => place.link("../../outside/secret.csv", &file),
                "device" => place.link("/dev/zero", &file),
                "pipe" => {
                    let made = std::process::Command::new("mkfifo").arg(place.path(&file)).status();
                    assert!(made.unwrap().success());
                }
                _ => {
                    // A terabyte that takes no room on the disk.
                    let made = std::fs::File::create(place.path(&file)).unwrap();
                    made.set_len(1 << 40).unwrap();
                }
            }
            for command in
                [&["export", "r", "o.html"][..], &["verify", "r"], &["runs", "compare", "r", "r"]]
            {
                let (status, said) = place.ebb(command);
                assert!(matches!(status, Some(1 | 2)), "{name} {kind} {command:?}: {said}");
            }
            // The list passes what is no run, and does not hang over one.
            let (status, said) = place.ebb(&["runs", "--in", "."]);
            assert_eq!(status, Some(0), "{name} {kind}: {said}");
        }
    }
}

#[test]
fn clearing_away_takes_runs_of_ours_only_and_follows_no_link() {
    let place = with_run();
    let runs = place.path("here/runs");
    std::fs::create_dir(&runs).unwrap();
    // Another program's folder, a link to a run, and a run full of links.
    place.write(
        "here/runs/theirs/run.json",
        "{\"status\": \"failed\", \"name\": \"of another program\"}",
    );
    place.write("here/runs/theirs/work.txt", "worth keeping");
    place.link("../r", "here/runs/link");
    std::fs::rename(place.path("here/r"), place.path("here/runs/own")).unwrap();
    place.link("../../../outside", "here/runs/own/way");
    place.link("../../../outside/secret.csv", "here/runs/own/secret.csv");
    let (status, said) = place.ebb(&["runs", "clean", "--keep", "0", "--unfinished", "--yes"]);
    assert!(status == Some(0) && said.contains("1 run removed"), "{said}");
    assert!(!place.path("here/runs/own").exists());
    assert_eq!(place.read("here/runs/theirs/work.txt"), "worth keeping");
    assert!(place.read("outside/secret.csv").contains(SECRET));
    assert!(place.path("here/runs/link").symlink_metadata().is_ok());
}

#[test]
fn a_folder_of_runs_that_is_a_link_to_another_is_not_cleared_away() {
    let place = with_run();
    std::fs::create_dir(place.path("outside/runs")).unwrap();
    std::fs::rename(place.path("here/r"), place.path("outside/runs/r")).unwrap();
    place.link("../outside/runs", "here/runs");
    let (status, said) = place.ebb(&["runs", "clean", "--keep", "0", "--yes"]);
    assert!(status == Some(1) && said.contains("is a link that leads out"), "{said}");
    assert!(place.path("outside/runs/r/run.json").exists());
    // Whoever names the place itself means it.
    let (status, said) =
        place.ebb(&["runs", "clean", "--in", "../outside/runs", "--keep", "0", "--yes"]);
    assert!(status == Some(0) && said.contains("1 run removed"), "{said}");
}

#[test]
fn charts_that_no_run_would_make_are_drawn_or_refused() {
    let place = with_run();
    let series =
        |points: &str, band: &str| format!(r#"{{"name":"s","points":{points},"band":{band}}}"#);
    let line = series("[[0,1],[1,2]]", "[]");
    for chart in [
        format!(r#"{{"kind":"line","series":[{}]}}"#, series("[[1e308,1e308],[-1e308,-1e308]]", "[]")),
        format!(r#"{{"kind":"line","series":[{}]}}"#, series("[[1e-320,1e-320],[2e-320,3e-320]]", "[]")),
        format!(r#"{{"kind":"line","x_scale":"log","y_scale":"log","series":[{}]}}"#, series("[[-1,0],[0,-5]]", "[]")),
        format!(r#"{{"kind":"bar","categories":["a"],"error_bars":true,"series":[{}]}}"#, series("[[0,1]]", "[[0,1],[0,1],[2,3]]")),
        format!(r#"{{"kind":"bar","categories":["a"],"series":[{}]}}"#, series("[[1e18,1],[-5,2]]", "[]")),
        format!(r#"{{"kind":"histogram","series":[{}]}}"#, series("[[1,1e300],[2,-1e300]]", "[]")),
        r#"{"kind":"heat_map"}"#.to_string(),
        r#"{"kind":"heat_map","categories":["a","b"],"grid":{"rows":["r","q","z"],"values":[[1.0],[]],"counts":[[1]],"label":"l"}}"#.to_string(),
        format!(r#"{{"kind":"line","series":[{line},{line}],"panels":[{{"title":"p","series":[]}},{{"title":"q","series":[{line},{line},{line}]}}]}}"#),
        r#"{"kind":"scatter"}"#.to_string(),
    ] {
        let output = format!(r#"{{"cell":0,"seconds":0.1,"items":[{{"output":{{"chart":{chart}}}}}]}}"#);
        place.write("here/r/outputs.jsonl", format!("{output}\n"));
        for report in ["o.html", "o.md", "o.ipynb"] {
            // `ebb` sees to it that none panics or hangs.
            let (status, said) = place.ebb(&["export", "r", report]);
            assert!(matches!(status, Some(0 | 1)), "{chart}: {said}");
        }
    }
}
