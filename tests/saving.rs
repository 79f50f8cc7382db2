//! Saving destroys nothing that is not ours: what is replaced, what is refused, and what a kill leaves.

#[cfg(unix)]
mod killed;

use std::path::Path;

use candle_core::DType;
use ebb::folders;
use ebb::model::{load, save};

use crate::support::{bits, cpu, fixture, script_in, tiny, tiny_with_adapter};

/// What is in a folder and in the folders inside it, with the bytes of each file.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.push((format!("{name}/"), Vec::new()));
            found.extend(contents(&path));
        } else {
            found.push((name, std::fs::read(&path).unwrap()))
        }
    }
    found.sort();
    found
}

/// Saving in `folder` is refused with words that hold `wanted`, and nothing in `place` changes.
#[track_caller]
fn refused(place: &Path, working_folder: &Path, script: &str, wanted: &str) {
    let before = contents(place);
    let error = script_in(working_folder, script).expect_err(script);
    let said = format!("{} ({})", error.message, error.hint.unwrap_or_default());
    assert!(said.contains(wanted), "{script}: {said}");
    assert!(contents(place) == before, "{script} changed something");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_working_folder_is_not_replaced_by_a_model() {
    let place = tempfile::tempdir().unwrap();
    let project = place.path().join("project");
    std::fs::create_dir(&project).unwrap();
    std::fs::write(project.join("thesis.txt"), "years of work").unwrap();
    script_in(&project, r#"frame([#{a:1}]).write("config.json")"#).unwrap();
    for name in [".", "./", "a/..", "../project"] {
        let script = format!(r#"load_model("ebb/tiny").save("{name}")"#);
        refused(place.path(), &project, &script, "the run works in");
    }
    for name in ["..", "../..", "/"] {
        let script = format!(r#"load_model("ebb/tiny").save("{name}")"#);
        refused(place.path(), &project, &script, "not allowed");
    }
    // Nor when all that is in it is a model of ours.
    let model = place.path().join("model");
    save::to_folder(&tiny(), &model, DType::F32).unwrap();
    let script = r#"load_model("ebb/tiny").save(".")"#;
    refused(place.path(), &model, script, "the run works in");
    // Nor an empty one: there is no place beside it that the run may write in.
    let empty = place.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refused(place.path(), &empty, script, "the run works in");
}

#[test]
fn a_folder_is_replaced_only_where_every_entry_is_as_it_was_saved() {
    let place = tempfile::tempdir().unwrap();
    let model = place.path().join("m");
    let save = r#"load_model("ebb/tiny").save("m")"#;
    script_in(place.path(), save).unwrap();
    script_in(place.path(), save).unwrap();
    let fresh = || {
        let _ = std::fs::remove_dir_all(&model);
        script_in(place.path(), save).unwrap();
    };
    for stranger in ["notes.txt", ".hidden", "pytorch_model.bin", "optimizer.pt", "ebb.txt"] {
        fresh();
        std::fs::write(model.join(stranger), "mine").unwrap();
        refused(place.path(), place.path(), save, &format!("`{stranger}`"));
    }
    fresh();
    std::fs::create_dir(model.join("checkpoint-500")).unwrap();
    refused(place.path(), place.path(), save, "`checkpoint-500`");
    for changed in ["config.json", "model.safetensors", "tokenizer.json"] {
        fresh();
        let mut bytes = std::fs::read(model.join(changed)).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(model.join(changed), bytes).unwrap();
        refused(place.path(), place.path(), save, &format!("`{changed}`"));
    }
    fresh();
    let note = std::fs::read_to_string(model.join("ebb.json")).unwrap();
    for spoiled in [note.replace("\"source\"", "\"remark\""), "{}".to_string(), String::new()] {
        std::fs::write(model.join("ebb.json"), spoiled).unwrap();
        refused(place.path(), place.path(), save, "no ebb.json says");
    }
    std::fs::remove_file(model.join("ebb.json")).unwrap();
    refused(place.path(), place.path(), save, "no ebb.json says");
}

#[test]
fn a_model_folder_that_somebody_else_made_is_not_replaced() {
    let place = tempfile::tempdir().unwrap();
    copy(&fixture("tiny-llama"), &place.path().join("theirs"));
    copy(&fixture("tiny-llama-lora"), &place.path().join("adapter"));
    std::fs::write(place.path().join("file"), "mine").unwrap();
    for (name, wanted) in
        [("theirs", "is not a model"), ("adapter", "is not a model"), ("file", "not a folder")]
    {
        let script = format!(r#"load_model("ebb/tiny").save("{name}")"#);
        refused(place.path(), place.path(), &script, wanted);
    }
}

#[test]
fn an_adapter_takes_the_place_of_a_model_and_a_model_that_of_an_adapter() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("m");
    for model in [tiny(), tiny_with_adapter(), tiny()] {
        save::to_folder(&model, &folder, DType::F32).unwrap();
        assert_eq!(folder.join("adapter_config.json").exists(), model.adapter().is_some());
        assert_eq!(folder.join("model.safetensors").exists(), model.adapter().is_none());
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
    assert!(bits(&load::from_folder(&folder, &cpu()).unwrap()) == bits(&tiny()));
    // An empty folder takes a model too.
    let empty = place.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    save::to_folder(&tiny(), &empty, DType::F32).unwrap();
    assert!(empty.join("model.safetensors").exists());
}

#[test]
fn what_killed_saves_left_is_swept_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    // A model with the mark of the name that it got as it was replaced.
    let left = at(".ebb-save-0123456789abcdef");
    save::to_folder(&tiny(), &at("m"), DType::F32).unwrap();
    std::fs::rename(at("m"), &left).unwrap();
    let mark = folders::mark(".ebb-save-0123456789abcdef");
    std::fs::write(left.join(folders::MARK), &mark).unwrap();
    let strangers = [
        (".ebb-save-fedcba9876543210", "notes.txt"),
        (".ebb-save-fedcba9876543211", "config.json"),
        (".ebb-save-backup", "model.safetensors"),
        (".ebb-notes", "model.safetensors"),
        (".ebb-save-not.ours", "config.json"),
    ];
    // Models of ours that somebody gave such a name, one of them with a mark that is of another.
    for name in [".ebb-save-best", ".ebb-save-aaaaaaaaaaaaaaaa", ".ebb-save-bbbbbbbbbbbbbbbb"] {
        save::to_folder(&tiny(), &at("m"), DType::F32).unwrap();
        std::fs::rename(at("m"), at(name)).unwrap();
    }
    std::fs::write(at(".ebb-save-bbbbbbbbbbbbbbbb").join(folders::MARK), &mark).unwrap();
    for (folder, file) in strangers {
        std::fs::create_dir(at(folder)).unwrap();
        std::fs::write(at(folder).join(file), "mine").unwrap();
    }
    // One that is under way is held by its process.
    let under_way = at(".ebb-save-00000000aaaaaaaa");
    std::fs::create_dir(&under_way).unwrap();
    let lock = std::fs::File::open(&under_way).unwrap();
    lock.lock().unwrap();
    save::to_folder(&tiny(), &at("m"), DType::F32).unwrap();
    assert!(!left.exists() && under_way.exists());
    for (folder, file) in strangers {
        assert!(at(folder).join(file).exists(), "{folder}");
    }
    for name in [".ebb-save-best", ".ebb-save-aaaaaaaaaaaaaaaa", ".ebb-save-bbbbbbbbbbbbbbbb"] {
        assert!(load::from_folder(&at(name), &cpu()).is_ok(), "{name}");
    }
    drop(lock);
    save::to_folder(&tiny(), &at("m"), DType::F32).unwrap();
    assert!(!under_way.exists());
}

#[cfg(unix)]
#[test]
fn a_link_is_not_a_model_to_replace_elsewhere() {
    use std::os::unix::fs::symlink;
    let (place, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    save::to_folder(&tiny(), &outside.path().join("m"), DType::F32).unwrap();
    symlink(outside.path().join("m"), place.path().join("m")).unwrap();
    symlink(outside.path(), place.path().join("out")).unwrap();
    symlink(outside.path().join("new"), place.path().join("dangling")).unwrap();
    let before = contents(outside.path());
    for name in ["m", "out", "out/m", "out/new", "dangling", "dangling/m"] {
        let script = format!(r#"load_model("ebb/tiny").save("{name}")"#);
        assert!(script_in(place.path(), &script).is_err(), "{name}");
        assert!(contents(outside.path()) == before, "{name}");
    }
    // A link inside what may be written stands for where it leads to.
    script_in(place.path(), r#"load_model("ebb/tiny").save("model-1")"#).unwrap();
    symlink("model-1", place.path().join("latest")).unwrap();
    script_in(place.path(), r#"load_model("ebb/tiny").save("latest")"#).unwrap();
    assert!(place.path().join("latest").is_symlink());
}

#[test]
fn names_of_what_is_under_way_are_none_for_scripts() {
    let place = tempfile::tempdir().unwrap();
    for script in [
        r#"load_model("ebb/tiny").save(".ebb-save-best")"#,
        r#"load_model("ebb/tiny").save("x/.ebb-old-m")"#,
        r#"frame([#{a: 1}]).write(".ebb-aside-0123456789abcdef")"#,
        r#"frame([#{a: 1}]).write(".ebb-x/a.csv")"#,
        r#"load_model("ebb/tiny").finetune(["a"], #{ steps: 1, method: "head", dir: ".ebb-mine" })"#,
        r#"load_model("ebb/tiny").finetune(["a"], #{ steps: 1, method: "head", tensorboard: ".ebb-mine" })"#,
    ] {
        refused(place.path(), place.path(), script, "names that begin with .ebb-");
    }
}

#[test]
fn what_is_wrong_with_a_name_is_said_before_anything_is_written() {
    let place = tempfile::tempdir().unwrap();
    let long = "n".repeat(300);
    for name in ["x\\x00y", "x\\x00y/m", &long, &format!("{long}/m")] {
        let wanted = if name.contains('x') { "zero character" } else { "255 bytes at most" };
        let model = format!(r#"load_model("ebb/tiny").save("{name}")"#);
        refused(place.path(), place.path(), &model, wanted);
        let table = format!(r#"frame([#{{a: 1}}]).write("{name}.csv")"#);
        refused(place.path(), place.path(), &table, wanted);
    }
}

#[test]
fn a_folder_that_was_moved_away_is_taken_back_only_if_it_is_ours() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    std::fs::create_dir(at(".ebb-old-best")).unwrap();
    std::fs::write(at(".ebb-old-best").join("config.json"), "mine").unwrap();
    save::to_folder(&tiny(), &at("best"), DType::F32).unwrap();
    assert_eq!(std::fs::read_to_string(at(".ebb-old-best").join("config.json")).unwrap(), "mine");
    save::to_folder(&tiny(), &at("m"), DType::F32).unwrap();
    std::fs::rename(at("m"), at(".ebb-old-m")).unwrap();
    let error = script_in(place.path(), r#"load_model("m")"#).unwrap_err();
    assert!(error.message.contains("which is in `.ebb-old-m`"), "{}", error.message);
    save::to_folder(&tiny(), &at("m"), DType::F32).unwrap();
    assert!(!at(".ebb-old-m").exists() && at("m").exists());
}

#[test]
fn what_killed_writes_left_goes_when_a_process_first_writes_into_the_folder() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let (left, held) = (at(".ebb-aside-0123456789abcdef"), at(".ebb-aside-fedcba9876543210"));
    for path in [&left, &held, &at(".ebb-aside-mine"), &at("notes")] {
        std::fs::write(path, "half").unwrap();
    }
    let lock = std::fs::File::open(&held).unwrap();
    lock.lock().unwrap();
    script_in(place.path(), r#"frame([#{a: 1}]).write("a.csv")"#).unwrap();
    assert!(!left.exists() && held.exists());
    assert!(at(".ebb-aside-mine").exists() && at("notes").exists());
}

#[cfg(unix)]
#[test]
fn what_is_replaced_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let set = |name: &str, mode: u32| {
        std::fs::set_permissions(at(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    let mode = |name: &str| std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    let write = r#"frame([#{a: 1}]).write("a.csv")"#;
    script_in(place.path(), write).unwrap();
    for wanted in [0o600, 0o640, 0o444] {
        set("a.csv", wanted);
        script_in(place.path(), write).unwrap();
        assert_eq!(mode("a.csv"), wanted);
    }
    std::fs::create_dir(at("m")).unwrap();
    set("m", 0o700);
    for _ in 0..2 {
        save::to_folder(&tiny(), &at("m"), DType::F32).unwrap();
        assert_eq!(mode("m"), 0o700);
    }
    set("m/model.safetensors", 0o600);
    save::to_folder(&tiny(), &at("m"), DType::F32).unwrap();
    assert_eq!((mode("m"), mode("m/model.safetensors")), (0o700, 0o600));
}
