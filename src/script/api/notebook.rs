//! The notebook itself: parameters, what is shown and logged, the seed, the run folder and the device.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, EvalAltResult, Map, NativeCallContext};

use crate::display::Output;
use crate::error::{Error, Result};
use crate::memory;
use crate::model::load;
use crate::script::convert;
use crate::script::display::{self, Amount};
use crate::script::failure::{At, ScriptResult};
use crate::script::host::{Event, Host, Parameter};
use crate::script::options::Options;
use crate::script::record::{Record, option};
use crate::script::typed;

pub const RECORDS: &[Record] = &[
    Record::new(
        "param",
        &["param(name, default, doc)", "param(name, default)"],
        "The value that the command line gives for a parameter, or its default",
        r#"param("rows", 240, "noisy training rows")"#,
        register_param,
    )
    .doc(
        "Name, default and doc stand there as literals, so that `ebb run SCRIPT --help` can list them. The value has the \
         default's kind: whole number, number, string or boolean.",
    ),
    Record::new(
        "show",
        &["show(value)", "show(value, opts)"],
        "Shows a value in the middle of a cell, as a cell's last value is shown",
        r#"show(read("ebb/tasks-sample"), #{ rows: 5 })"#,
        register_show,
    )
    .options(&[&[
        option("rows", "whole number", "20", "Rows of a frame, or elements of an array, at the most"),
        option(
            "all",
            "true or false",
            "false",
            "Every row and every column, those that do not fit beside the first ones below them",
        ),
        option("cut", "true or false", "true", "Long texts are cut; false shows them whole"),
    ]]),
    Record::new(
        "markdown",
        &["markdown(text)"],
        "Shows prose, written in Markdown",
        r###"markdown("## Result\n\nThe *filtered* rows forget less.")"###,
        |engine, host| {
            let host = host.clone();
            engine.register_fn("markdown", move |text: &str| {
                host.tell(Event::Shown(Output::Markdown(text.to_string())));
            });
        },
    )
    .doc("A cell of prose shows what a variable holds where it says `{{ name }}`; `markdown` is for prose that a script makes itself."),
    Record::new(
        "exit",
        &["exit()", "exit(value)"],
        "Ends the script, or the prompt; cells that come after are not run",
        "if 1 > 2 { exit() }",
        register_exit,
    )
    .doc("A value is the script's last one. What was shown and logged stays, and the run counts as done."),
    Record::new(
        "print",
        &["print(value)"],
        "Prints a value as a line of text",
        r#"print("half way")"#,
        |_, _| {}, // rhai's own; the session hands its text to the run
    ),
    Record::new(
        "note",
        &["note(text)"],
        "Adds a note to what the cell shows, as functions do that changed or left out something",
        r#"note("two rows had no answer and were left out")"#,
        |engine, host| {
            let host = host.clone();
            engine.register_fn("note", move |text: &str| host.tell(Event::Note(text.to_string())));
        },
    ),
    Record::new(
        "help",
        &["help(name)", "help(value)", "help()"],
        "Says what there is to know about a function, method, module, type or option, or what a value can do",
        r#"help("finetune")"#,
        |_, _| {}, // the session answers: it knows the script's own functions too
    )
    .doc(
        "A name is that of a function (`\"read\"`), a method (`\"finetune\"`, `\"Frame.select\"`), a module (`\"std/bbq\"`), a type \
         (`\"Frame\"`) or an option (`\"batch_size\"`); `\"functions\"` and `\"modules\"` list all. At the prompt `?name` does the same.",
    ),
    Record::new(
        "seed",
        &["seed(n)", "seed() -> integer"],
        "Sets, or gives, the seed that functions draw from when they are given none",
        "seed(7); seed()",
        register_seed,
    ),
    Record::new(
        "log",
        &["log(map)"],
        "Adds a line to the run's metrics",
        "log(#{ round: 1, f1: 0.9 })",
        register_log,
    )
    .doc("The run folder's metrics.jsonl gets one JSON object a call, at once."),
    Record::new(
        "run_dir",
        &["run_dir() -> string"],
        "The folder that holds the record of this run, or () where there is none",
        "run_dir()",
        register_run_dir,
    ),
    Record::new(
        "sleep",
        &["sleep(seconds)"],
        "Waits; Ctrl-C ends the waiting",
        "sleep(0.01)",
        register_sleep,
    ),
    Record::new(
        "memory",
        &["memory() -> map"],
        "Bytes of memory: what the program has now, the most it had, and what is taken of the device's own",
        "memory().peak > 0",
        register_memory,
    )
    .doc("Keys: `now`, `peak`, `budget` (what the run may take, `--memory`), `device`, `device_total`; () where the system does not tell."),
    Record::new(
        "device",
        &["device() -> string"],
        "What models run on unless a call says otherwise",
        "device()",
        register_device,
    ),
];

fn register_param(engine: &mut Engine, host: &Rc<Host>) {
    let short = host.clone();
    engine.register_fn("param", move |context: NativeCallContext, name: &str, default: Dynamic| {
        param(&short, name, &default, "").at(&context)
    });
    let host = host.clone();
    engine.register_fn(
        "param",
        move |context: NativeCallContext, name: &str, default: Dynamic, doc: &str| {
            param(&host, name, &default, doc).at(&context)
        },
    );
}

fn param(host: &Host, name: &str, default: &Dynamic, doc: &str) -> Result<Dynamic> {
    let default = typed::default_value(default).ok_or_else(|| {
        Error::invalid(
            format!("the default of parameter `{name}`"),
            "a number, string or boolean",
            convert::describe(default),
        )
    })?;
    let typed = host.given_value(name);
    let value = match &typed {
        Some(typed) => typed::read_value(name, typed, &default)?,
        None => default.clone(),
    };
    let parameter =
        Parameter { name: name.to_string(), value: value.clone(), default, doc: doc.to_string() };
    let mut known = host.parameters.borrow_mut();
    known.retain(|other| other.name != name);
    known.push(parameter);
    Ok(convert::from_json(&value))
}

fn register_show(engine: &mut Engine, host: &Rc<Host>) {
    let plain = host.clone();
    engine.register_fn("show", move |context: NativeCallContext, value: Dynamic| {
        show(&plain, &value, Options::none("show")).at(&context)
    });
    let host = host.clone();
    engine.register_fn("show", move |context: NativeCallContext, value: Dynamic, options: Map| {
        show(&host, &value, Options::new("show", options)).at(&context)
    });
}

fn show(host: &Host, value: &Dynamic, options: Options) -> Result<()> {
    let amount = Amount::read(options)?;
    if let Some(output) = display::output_of(value, &amount)? {
        host.tell(Event::Shown(output));
    }
    Ok(())
}

fn register_seed(engine: &mut Engine, host: &Rc<Host>) {
    let reader = host.clone();
    engine.register_fn("seed", move || reader.seed.get() as i64);
    let host = host.clone();
    engine.register_fn("seed", move |seed: i64| host.seed.set(seed as u64));
}

fn register_log(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine.register_fn("log", move |context: NativeCallContext, map: Map| -> ScriptResult<()> {
        let value = convert::to_json(&Dynamic::from(map)).at(&context)?;
        if let serde_json::Value::Object(map) = value {
            host.tell(Event::Metrics(map));
        }
        Ok(())
    });
}

fn register_run_dir(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine.register_fn("run_dir", move || match &host.run_folder {
        Some(folder) => Dynamic::from(folder.display().to_string()),
        None => Dynamic::UNIT,
    });
}

fn register_exit(engine: &mut Engine, host: &Rc<Host>) {
    let leave = |host: &Host, context: &NativeCallContext, value: Dynamic| -> ScriptResult<()> {
        host.left.set(true);
        Err(Box::new(EvalAltResult::Exit(value, context.call_position())))
    };
    let plain = host.clone();
    engine.register_fn("exit", move |context: NativeCallContext| {
        leave(&plain, &context, Dynamic::UNIT)
    });
    let host = host.clone();
    engine.register_fn("exit", move |context: NativeCallContext, value: Dynamic| {
        leave(&host, &context, value)
    });
}

fn register_sleep(engine: &mut Engine, host: &Rc<Host>) {
    let whole = host.clone();
    engine.register_fn("sleep", move |context: NativeCallContext, seconds: i64| {
        sleep(&whole, seconds as f64).at(&context)
    });
    let host = host.clone();
    engine.register_fn("sleep", move |context: NativeCallContext, seconds: f64| {
        sleep(&host, seconds).at(&context)
    });
}

/// Waits in short pieces, and asks between them whether the user wants to stop.
fn sleep(host: &Host, seconds: f64) -> Result<()> {
    let wait = Duration::try_from_secs_f64(seconds)
        .map_err(|_| Error::invalid("sleep", "seconds from 0 to 1e19", seconds.to_string()))?;
    let started = Instant::now();
    loop {
        host.control.check()?;
        let left = wait.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

fn register_device(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine.register_fn("device", move |context: NativeCallContext| {
        let device = load::device_of(&host.device).at(&context)?;
        let name = match host.device.as_str() {
            _ if !device.is_cuda() => "cpu",
            "auto" => "cuda:0",
            named => named,
        };
        ScriptResult::Ok(name.to_string())
    });
}

fn register_memory(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine.register_fn("memory", move |context: NativeCallContext| {
        let device = load::device_of(&host.device).at(&context)?;
        let device = memory::of_device(&device);
        let bytes =
            |bytes: Option<u64>| bytes.map_or(Dynamic::UNIT, |bytes| Dynamic::from(bytes as i64));
        ScriptResult::Ok(Map::from([
            ("now".into(), bytes(memory::resident())),
            ("peak".into(), bytes(memory::peak())),
            ("budget".into(), bytes(memory::limit())),
            ("device".into(), bytes(device.map(|(taken, _)| taken))),
            ("device_total".into(), bytes(device.map(|(_, total)| total))),
        ]))
    });
}
