//! Links, names and kinds of files that lead out of what a run may read: nothing outside is read, listed or told of.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ebb::doorway::{Found, Roots};
use ebb::error::Error;
use ebb::files;
use ebb::hub;
use ebb::model::load::{self, LoadOptions};
use ebb::script::engine::Session;
use ebb::script::host::Host;
use serde_json::{Value, json};

use crate::support::{bits, cpu, fixture, tiny};

/// What must never be seen.
const SECRET: &str = "outside-a-secret";

/// A working folder, and a folder beside it that no script may read.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for folder in ["here", "outside"] {
            std::fs::create_dir(place.path(folder)).unwrap();
        }
        place.write("outside/secret.csv", format!("a\n{SECRET}\n"));
        place.write("outside/secret.jinja", SECRET);
        place.write("here/plain.csv", "a\ninside\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn link(&self, target: &str, name: &str) {
        symlink(target, self.path(name)).unwrap();
    }

    fn copy(&self, from: &Path, name: &str) {
        std::fs::create_dir_all(self.path(name)).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, self.path(name).join(path.file_name().unwrap())).unwrap();
        }
    }

    /// Evaluates a script in `here`, with parameters as the command line gives them.
    fn given(&self, values: &[(&str, &str)], text: &str) -> Result<Value, String> {
        let host = Host::quiet(self.path("here"));
        let values = values.iter();
        *host.given.borrow_mut() = values.map(|(n, v)| (n.to_string(), v.to_string())).collect();
        let mut session = Session::new(Rc::new(host), "test.rhai");
        let value = session.evaluate("", text).map_err(|error| {
            let told = format!("{} ({})", error.message, error.hint.unwrap_or_default());
            assert!(!told.contains(SECRET), "{told}");
            told
        })?;
        Ok(ebb::script::convert::to_json(&value).unwrap())
    }

    fn run(&self, text: &str) -> Result<Value, String> {
        self.given(&[], text)
    }

    #[track_caller]
    fn refused(&self, text: &str) -> String {
        let told = self.run(text).expect_err(text);
        assert!(told.contains("is not allowed"), "{text}: {told}");
        assert!(told.contains("--allow-read"), "{text}: {told}");
        told
    }
}

#[test]
fn a_path_outside_reads_the_same_whether_something_is_there_or_not() {
    let place = Place::new();
    place.link("../outside/secret.csv", "here/there.csv");
    place.link("../outside/nothing.csv", "here/gone.csv");
    let outside = place.path("outside");
    let pairs = [
        ("../outside/secret.csv", "../outside/nothing.csv"),
        ("/etc/passwd", "/etc/no-such"),
        ("/etc/passwd/x", "/etc/no-such/x"),
        ("../outside/../here/plain.csv", "../nowhere/../here/plain.csv"),
        ("there.csv", "gone.csv"),
        ("/proc/self/environ", "/proc/self/no-such"),
        ("/dev/null", "/dev/no-such"),
        ("..", "../.."),
        (outside.to_str().unwrap(), "/no/such/folder"),
    ];
    for (there, missing) in pairs {
        for call in ["read", "load_model"] {
            let told = |path: &str| {
                let told = place.refused(&format!("{call}({path:?})"));
                told.replace(path, "PATH")
            };
            assert_eq!(told(there), told(missing), "{call} {there} {missing}");
        }
        for path in [there, missing] {
            assert_eq!(place.run(&format!("exists({path:?})")), Ok(json!(false)));
        }
    }
    let told = place.run("read(\"no-such.csv\")").unwrap_err();
    assert!(told.contains("there is no such file"), "{told}");
    assert_eq!(place.run("read(\"./plain.csv\").len()"), Ok(json!(1)));
    assert_eq!(place.run("read(\"../here/plain.csv\").len()"), Ok(json!(1)));
}

#[test]
fn a_pattern_lists_only_folders_that_may_be_read() {
    let place = Place::new();
    place.link("../outside", "here/way");
    place.link("../nowhere", "here/gone");
    place.link("../outside/secret.csv", "here/linked.csv");
    for (pattern, expected) in [
        (".?/.?/.?/etc/pass*", "no file matches"),
        (".?/outside/*.csv", "no file matches"),
        ("[.][.]/outside/*", "no file matches"),
        ("*/../outside/*.csv", "may not climb out"),
        ("../*/secret.csv", "is not allowed"),
        ("/etc/pass*", "is not allowed"),
        ("/etc/no-such/pass*", "is not allowed"),
        ("/*/passwd", "is not allowed"),
        ("way/*.csv", "is not allowed"),
        ("gone/*.csv", "is not allowed"),
        ("wa?/*.csv", "is not allowed"),
        ("gon?/*.csv", "is not allowed"),
        ("lin*.csv", "is not allowed"),
    ] {
        let told = place.run(&format!("read({pattern:?})")).unwrap_err();
        assert!(told.contains(expected), "{pattern}: {told}");
        assert!(!told.contains("secret.csv") || pattern.contains("secret"), "{told}");
    }
    place.refused("read(\".\")");
    std::fs::remove_file(place.path("here/linked.csv")).unwrap();
    place.link("plain.csv", "here/inner.csv");
    // As editors lock a file.
    place.link("somebody@somewhere.1", "here/.#plain.csv");
    assert_eq!(place.run("read(\".\").len()"), Ok(json!(2)));
    assert_eq!(place.run("read(\"**/*.csv\").len()"), Ok(json!(2)));
    assert_eq!(place.run("read(\"[ip]*.csv\").len()"), Ok(json!(2)));
}

#[test]
fn a_parameters_value_permits_reading_only_where_it_is_used_as_a_path() {
    let place = Place::new();
    let outside = place.path("outside");
    let (outside, home) = (outside.to_str().unwrap(), place.path(""));
    let secret = format!("read(\"{outside}/secret.csv\").len()");
    for value in ["/", "//", "..", "../", ".", "", home.to_str().unwrap(), "/*", "../*"] {
        let told = place.given(&[("sep", value)], &secret).expect_err(value);
        assert!(told.contains("is not allowed"), "{value}: {told}");
    }
    assert!(place.given(&[("sep", "/")], "read(\"/\")").is_err());
    for (value, text) in [
        (outside, secret.as_str()),
        ("../outside", secret.as_str()),
        ("../outside/secret.csv", secret.as_str()),
        ("../outside", "read(param(\"data\", \"\", \"\") + \"/secret.csv\").len()"),
        ("../outside", "read(param(\"data\", \"\", \"\")).len()"),
        ("../outside/*.csv", "read(param(\"data\", \"\", \"\")).len()"),
        ("../outside", "read(param(\"data\", \"\", \"\") + \"/s*.csv\").len()"),
    ] {
        assert_eq!(place.given(&[("data", value)], text), Ok(json!(1)), "{value}");
    }
    let told =
        place.given(&[("data", "../outside/nothing.csv")], "read(param(\"data\", \"\", \"\"))");
    assert!(told.unwrap_err().contains("there is no such file"));
    let told =
        place.given(&[("data", "../outside/secret.csv")], "read(\"../outside/secret.jinja\")");
    assert!(told.unwrap_err().contains("is not allowed"));
}

#[test]
fn only_regular_files_are_read() {
    let place = Place::new();
    for name in ["here/pipe.csv", "here/config.json", "here/m.rhai"] {
        let made = Command::new("mkfifo").arg(place.path(name)).status();
        assert!(made.unwrap().success());
    }
    let _socket = std::os::unix::net::UnixListener::bind(place.path("here/socket.csv")).unwrap();
    for (text, expected) in [
        ("read(\"pipe.csv\")", "it is a pipe, not a file"),
        ("read(\"socket.csv\")", "it is a socket, not a file"),
        ("read(\"pip?.csv\")", "it is a pipe, not a file"),
        ("read(\".\")", "it is a pipe, not a file"),
        ("load_model(\".\")", "it is a pipe, not a file"),
        ("import \"m\" as m;", "it is a pipe, not a file"),
    ] {
        let told = place.run(text).expect_err(text);
        assert!(told.contains(expected), "{text}: {told}");
    }
    assert_eq!(place.run("exists(\"pipe.csv\")"), Ok(json!(false)));
}

#[test]
fn a_link_in_a_model_folder_that_leads_outside_is_refused() {
    let names = [
        "chat_template.jinja",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "generation_config.json",
        "model.safetensors",
        "ebb.json",
    ];
    for name in names {
        let place = Place::new();
        place.copy(&fixture("tiny-llama"), "here/m");
        let _ = std::fs::remove_file(place.path("here/m").join(name));
        let told = |target: &str| {
            let link = format!("here/m/{name}");
            place.link(target, &link);
            let told = place.refused("load_model(\"m\").save(\"copy\")");
            std::fs::remove_file(place.path(&link)).unwrap();
            assert!(told.contains(name), "{told}");
            told
        };
        assert_eq!(told("../../outside/secret.jinja"), told("../../outside/nothing"));
        assert!(!place.path("here/copy").exists());
    }
}

#[test]
fn an_adapters_base_lies_where_the_run_may_read() {
    let place = Place::new();
    place.copy(&fixture("tiny-llama"), "base");
    place.copy(&fixture("tiny-llama-lora"), "here");
    let named = |base: &str| {
        let path = place.path("here/adapter_config.json");
        let mut settings: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        settings["base_model_name_or_path"] = json!(base);
        std::fs::write(path, settings.to_string()).unwrap();
    };
    let told = |base: &str| {
        named(base);
        place.refused("load_model(\".\")").replace(base, "BASE")
    };
    assert_eq!(told("../base"), told("../none"));
    let (base, none) = (place.path("base"), place.path("none"));
    assert_eq!(told(base.to_str().unwrap()), told(none.to_str().unwrap()));
    place.link("../base", "here/linked");
    named("linked");
    assert!(place.run("load_model(\".\")").is_err());
    place.copy(&fixture("tiny-llama"), "here/base");
    named("base");
    assert!(place.run("load_model(\".\").config().hidden_size").is_ok());
}

#[test]
fn links_of_the_hubs_cache_lead_to_its_blobs_and_nowhere_else() {
    let place = Place::new();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let repository = "cache/models--org--tiny";
    place.copy(&fixture("tiny-llama"), &format!("{repository}/blobs"));
    let snapshot = format!("{repository}/snapshots/{commit}");
    std::fs::create_dir_all(place.path(&snapshot)).unwrap();
    for entry in std::fs::read_dir(fixture("tiny-llama")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        place.link(&format!("../../blobs/{name}"), &format!("{snapshot}/{name}"));
    }
    let settings = hub::Settings {
        cache: Some(place.path("cache")),
        offline: true,
        ..hub::Settings::default()
    };
    let options = LoadOptions { roots: Roots::of([place.path("here")]), ..cpu() };
    let open = || load::open(&format!("org/tiny@{commit}"), None, &options, &settings);
    assert_eq!(bits(&open().unwrap()), bits(&tiny()));
    // By its path, with that folder alone permitted.
    let given = [("model", place.path(&snapshot).to_str().unwrap().to_string())];
    let given: Vec<(&str, &str)> = given.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let text = "load_model(param(\"model\", \"\", \"\")).config().hidden_size";
    assert!(place.given(&given, text).is_ok());
    place.link("../../../../outside/secret.jinja", &format!("{snapshot}/chat_template.jinja"));
    let told = open().err().unwrap().to_string();
    assert!(told.contains("chat_template.jinja") && told.contains("is not allowed"), "{told}");
    assert!(place.given(&given, text).unwrap_err().contains("is not allowed"));
}

#[test]
fn a_module_is_no_link_to_the_outside() {
    let place = Place::new();
    place.write("outside/m.rhai", format!("fn f() {{ \"{SECRET}\" }}"));
    place.link("../outside/m.rhai", "here/m.rhai");
    place.refused("import \"m\" as m; m::f()");
}

/// Ends the threads that look at it, also when a test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn links_that_are_swapped_while_files_are_read_give_no_byte_from_outside() {
    let place = Place::new();
    std::fs::create_dir(place.path("here/real")).unwrap();
    place.write("here/real/secret.csv", "a\ninside\n");
    place.link("real", "here/folder");
    place.link("plain.csv", "here/file.csv");
    let roots = Roots::of([place.path("here")]);
    let stop = AtomicBool::new(false);
    let swap = |name: &str, targets: [&str; 2]| {
        let aside = place.path(&format!("here/.{name}"));
        let link = place.path(&format!("here/{name}"));
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            symlink(targets[turn % 2], &aside).unwrap();
            std::fs::rename(&aside, &link).unwrap();
            turn += 1;
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| swap("folder", ["real", "../outside"]));
        scope.spawn(|| swap("file.csv", ["plain.csv", "../outside/secret.csv"]));
        let _stop = Stop(&stop);
        let (mut inside, mut refused) = (0, 0);
        let mut rounds = 0;
        // On a busy machine the other threads may come to their turn late.
        while rounds < 4000 || (rounds < 400_000 && (inside == 0 || refused == 0)) {
            rounds += 1;
            for name in ["here/folder/secret.csv", "here/file.csv"] {
                match roots.text(&place.path(name)) {
                    Ok(text) => {
                        assert_eq!(text, "a\ninside\n");
                        inside += 1;
                    }
                    Err(error) => {
                        assert!(!error.to_string().contains(SECRET));
                        refused += 1;
                    }
                }
            }
            let listed = roots.list(&place.path("here/folder")).unwrap_or_default();
            assert!(listed.iter().all(|entry| entry.name != "secret.jinja"));
        }
        assert!(inside > 0 && refused > 0, "{inside} inside, {refused} refused");
    });
}

#[test]
fn roots_are_canonical_and_what_the_system_shows_of_itself_is_below_none() {
    let everything = Roots::of([PathBuf::from("/")]);
    for path in ["/proc/self/environ", "/proc/self/fd/0", "/sys/kernel/mm", "/dev/null"] {
        let outcome = everything.find(Path::new(path));
        assert!(matches!(outcome, Err(Error::NotAllowed { .. })), "{path}: {outcome:?}");
    }
    let place = Place::new();
    let found = everything.find(&place.path("outside/../here/./plain.csv"));
    assert_eq!(found.unwrap(), Found::File(place.path("here/plain.csv")));
    // One file is a root of its own.
    let one = Roots::of([place.path("here/plain.csv")]);
    assert!(one.bytes(&place.path("here/plain.csv")).is_ok());
    for other in ["here", "here/plain.csv2", "outside/secret.csv"] {
        assert!(matches!(one.find(&place.path(other)), Err(Error::NotAllowed { .. })));
    }
    // Links in a circle end.
    place.link("b", "here/a");
    place.link("a", "here/b");
    assert!(Roots::of([place.path("here")]).find(&place.path("here/a")).is_err());
    assert!(Roots::anywhere().find(&place.path("here/a")).is_err());
}

/// Exchanges two names in one step, as another process might.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    let name = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap();
    let (one, other, here) = (name(one), name(other), libc::AT_FDCWD);
    // SAFETY: both are texts that end in a zero byte and live through the call.
    let result =
        unsafe { libc::renameat2(here, one.as_ptr(), here, other.as_ptr(), libc::RENAME_EXCHANGE) };
    assert_eq!(result, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn links_that_are_swapped_while_files_are_written_take_nothing_outside() {
    let place = Place::new();
    std::fs::create_dir(place.path("here/cur")).unwrap();
    std::fs::create_dir(place.path("away")).unwrap();
    std::fs::create_dir(place.path("away/n")).unwrap();
    place.link("../away", "here/link");
    let stop = AtomicBool::new(false);
    let seen = AtomicBool::new(false);
    let written = AtomicUsize::new(0);
    let writes = [
        r#"f.write("cur/n/x.csv")"#,
        r#"f.write("cur/new/x.csv")"#,
        r#"f.plot(#{ x: "a", y: "a" }).save("cur/n/x.svg")"#,
        r#"m.save("cur/n/m")"#,
        r#"m.finetune(["a cat"], #{ steps: 1, method: "head", dir: "cur/n/d", resume: true, tensorboard: "cur/n/t" })"#,
    ];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Every fiftieth time (the folder is itself then) it is left alone until a write has gone through, however
            // slow the disk: writes that are all refused would show nothing.
            for turn in 0.. {
                let before = written.load(Ordering::Relaxed);
                while turn % 50 == 0
                    && written.load(Ordering::Relaxed) == before
                    && !stop.load(Ordering::Relaxed)
                {
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                exchange(&place.path("here/cur"), &place.path("here/link"));
                std::thread::sleep(std::time::Duration::from_micros(turn % 50 * 40));
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let entries = std::fs::read_dir(place.path("away")).unwrap().count();
                let inner = std::fs::read_dir(place.path("away/n")).unwrap().count();
                if entries != 1 || inner != 0 {
                    seen.store(true, Ordering::Relaxed);
                }
            }
        });
        let _stop = Stop(&stop);
        let host = Host::quiet(place.path("here"));
        let mut session = Session::new(Rc::new(host), "test.rhai");
        let begin = r#"let f = frame(#{ a: [1.0, 2.0] }); let m = load_model("ebb/tiny");"#;
        let _ = session.evaluate("", begin).unwrap();
        for round in 0..120 {
            for (number, write) in writes.iter().enumerate() {
                if number < 3 || round % 10 == 0 {
                    let done = session.evaluate("", write).is_ok();
                    written.fetch_add(usize::from(done), Ordering::Relaxed);
                }
            }
        }
    });
    assert!(written.load(Ordering::Relaxed) > 0);
    assert!(!seen.load(Ordering::Relaxed), "something was outside for a moment");
    assert_eq!(std::fs::read_dir(place.path("away")).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(place.path("away/n")).unwrap().count(), 0);
}

#[test]
fn a_report_goes_to_the_place_that_was_checked() {
    let place = Place::new();
    std::fs::create_dir(place.path("outside/deep")).unwrap();
    place.link("../outside/deep", "here/dl");
    place.write("here/x.rhai", "1");
    let run = |report: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_ebb"))
            .args(["run", "x.rhai", "--report", report])
            .current_dir(place.path("here"))
            .env("XDG_DATA_HOME", place.path("data"))
            .output();
        output.unwrap().status.success()
    };
    assert!(run("dl/../esc.html"));
    assert!(place.path("here/esc.html").exists() && !place.path("outside/esc.html").exists());
    assert!(!run("dl/esc.html"));
    assert!(!place.path("outside/deep/esc.html").exists());
    // Whoever types a place outside means it.
    assert!(run("../outside/typed.html"));
    assert!(place.path("outside/typed.html").exists());
}

#[test]
fn a_module_that_is_there_and_refused_is_not_taken_from_elsewhere() {
    let place = Place::new();
    std::fs::create_dir(place.path("here/sub")).unwrap();
    place.write("here/helper.rhai", "fn word() { \"another\" }");
    place.write("here/other.rhai", "fn word() { \"other\" }");
    place.write("outside/helper.rhai", format!("fn word() {{ \"{SECRET}\" }}"));
    let run = |module: &str| {
        let host =
            Host { script_folder: Some(place.path("here/sub")), ..Host::quiet(place.path("here")) };
        let mut session = Session::new(Rc::new(host), "test.rhai");
        let text = format!("import \"{module}\" as h; h::word()");
        let value = session.evaluate("", &text).map_err(|error| error.message.clone());
        value.map(|value| value.to_string())
    };
    assert_eq!(run("other").unwrap(), "other");
    place.link("../../outside/helper.rhai", "here/sub/helper.rhai");
    let told = run("helper").unwrap_err();
    assert!(told.contains("is not allowed"), "{told}");
    std::fs::remove_file(place.path("here/sub/helper.rhai")).unwrap();
    let made = Command::new("mkfifo").arg(place.path("here/sub/helper.rhai")).status();
    assert!(made.unwrap().success());
    let told = run("helper").unwrap_err();
    assert!(told.contains("a pipe"), "{told}");
    std::fs::remove_file(place.path("here/sub/helper.rhai")).unwrap();
    assert_eq!(run("helper").unwrap(), "another");
}

#[test]
fn a_long_chain_of_folders_is_searched_in_one_pass() {
    let place = Place::new();
    // As long as a path may be.
    let room = 4000 - place.path("here").as_os_str().len();
    let deepest = format!("here/{}", "d/".repeat(room / 2));
    std::fs::create_dir_all(place.path(&deepest)).unwrap();
    place.write(&format!("{deepest}s.jsonl"), "{\"a\": 1}\n");
    let started = std::time::Instant::now();
    assert_eq!(place.run("read(\"**/s.jsonl\").len()"), Ok(json!(1)));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    // And it stops where that is wished.
    let stop = std::sync::Arc::new(AtomicBool::new(true));
    let control = ebb::control::Control::new(std::sync::Arc::new(ebb::control::Silent), stop);
    let roots = Roots::of([place.path("here")]);
    let found = ebb::frame::read::files_of("**/s.jsonl", &place.path("here"), &roots, &control);
    assert!(matches!(found, Err(Error::Interrupted)));
}

#[test]
fn a_root_to_write_in_may_be_a_file_or_yet_to_be_made() {
    let place = Place::new();
    let new = Roots::of([place.path("beside/new")]);
    let write = |roots: &Roots, name: &str| files::write_bytes(roots, &place.path(name), b"x");
    write(&new, "beside/new/deep/x.csv").unwrap();
    let one = Roots::of([place.path("outside/one.csv")]);
    write(&one, "outside/one.csv").unwrap();
    write(&one, "outside/one.csv").unwrap();
    for (roots, name) in [
        (&new, "beside/x.csv"),
        (&new, "beside/newer/x.csv"),
        (&one, "outside/other.csv"),
        (&one, "elsewhere/x.csv"),
    ] {
        let outcome = write(roots, name);
        let told = outcome.unwrap_err().to_string();
        assert!(told.contains("write") && told.contains("is not allowed"), "{told}");
        assert!(!place.path(name).exists());
    }
    assert!(!place.path("elsewhere").exists());
}
