//! The options of `finetune`: what is trained and how, and what is written beside it.

use crate::error::{Error, Result};
use crate::model::{Model, adapter};
use crate::script::host::Host;
use crate::script::options::Options;
use crate::script::record::{OptionDoc, option};
use crate::train::checkpoint::Keeping;
use crate::train::options::{
    Duration, LossAverage, Method, Options as Settings, Precision, Schedule,
};
use crate::train::outputs::Outputs;

/// How rows that are not trained on say when to stop, and which weights to take.
pub const VALIDATING: &[OptionDoc] = &[
    option(
        "validate_every",
        "whole number",
        "",
        "Steps between validations, for `best` and `patience`; else there is one at the end",
    ),
    option(
        "best",
        "true or false",
        "false",
        "Gives the weights with the lowest validation loss; needs `validate_every`",
    ),
    option(
        "patience",
        "whole number",
        "",
        "Stops after so many validations without a lower loss; needs `validate_every`",
    ),
];

/// What `finetune` takes beside the options that say where texts are.
pub const OPTIONS: &[OptionDoc] = &[
    option(
        "method",
        "string",
        r#""full""#,
        r#"What is trained: "full", "lora", "last_block" or "head""#,
    ),
    option("rank", "whole number", "8", "The rank of LoRA's matrices"),
    option("alpha", "number", "16", "What LoRA's matrices are scaled by, over the rank"),
    option("dropout", "number", "0.05", "The share of LoRA's inputs that are left out at random"),
    option(
        "targets",
        "string or array of strings",
        "",
        r#"The modules that LoRA adapts, named as PEFT has them, or "all-linear"; else the family's usual ones, such as ["q_proj", "v_proj"]"#,
    ),
    option("steps", "whole number", "", "How many steps are taken, instead of `epochs`"),
    option(
        "epochs",
        "number",
        "1",
        "How often every row is taken; the last batch of each may be short",
    ),
    option(
        "stop_after",
        "whole number",
        "",
        "Stops after so many of these steps with the model on the way, from which a call with the same `dir`, `resume: true` and a later `stop_after` goes on",
    ),
    option("batch_size", "whole number", "4", "Rows of a batch"),
    option("gradient_accumulation", "whole number", "1", "Batches of a step"),
    option(
        "max_length",
        "whole number",
        "",
        "Tokens of a row, which is cut behind them; else the model's context",
    ),
    option("shuffle", "true or false", "true", "Takes the rows in a random order"),
    option("seed", "whole number", "", "The seed of all that is random; else that of the run"),
    option("learning_rate", "number", "2e-4", "The highest learning rate of the schedule"),
    option("lr", "number", "", "Another name of `learning_rate`"),
    option(
        "schedule",
        "string",
        r#""linear""#,
        r#"How the learning rate goes down: "linear", "cosine" or "constant""#,
    ),
    option("warmup_steps", "whole number", "0", "Steps over which the learning rate goes up first"),
    option("weight_decay", "number", "0", "The weight decay of AdamW"),
    option("beta1", "number", "0.9", "The decay of AdamW's mean of gradients"),
    option("beta2", "number", "0.999", "The decay of AdamW's mean of squared gradients"),
    option("epsilon", "number", "1e-8", "What AdamW adds to its divisor"),
    option("clip", "number", "1.0", "The largest norm of a gradient; 0 is off"),
    option(
        "loss_average",
        "string",
        r#""token""#,
        r#"What a step's loss is the mean of: "token", all its tokens alike, or "batch", the means of its batches"#,
    ),
    option(
        "precision",
        "string",
        r#""model""#,
        r#"What is computed in: "model" as the model is, "f32" or "bf16"; trained weights are f32 in any case"#,
    ),
    option("recompute", "true or false", "false", "Keeps less in memory and takes longer"),
    option(
        "validation",
        "frame or array",
        "",
        "Rows like the data, which are not trained on and whose loss is logged",
    ),
    option("dir", "string", "", "The folder of checkpoints and of the log"),
    option("save_every", "whole number", "100", "Steps between checkpoints"),
    option("keep", "whole number", "2", "How many checkpoints are kept"),
    option(
        "resume",
        "true or false",
        "false",
        "Goes on from the latest checkpoint in `dir`, to the same bytes",
    ),
    option("tensorboard", "string", "", "A folder for the event files of TensorBoard"),
];

/// The settings of a finetuning of `model`; `seed` where none is given.
pub fn settings(options: &Options, seed: u64, model: &Model) -> Result<Settings> {
    let default = Settings::default();
    let method = options.text("method")?.unwrap_or_else(|| "full".to_string());
    let rank = options.count("rank", 1)?;
    let alpha = options.number("alpha")?;
    let dropout = options.number("dropout")?;
    let targets = targets(options, model)?;
    let lora_only = rank.is_some() || alpha.is_some() || dropout.is_some() || targets.is_some();
    if lora_only && method != "lora" {
        return Err(Error::failed_with_hint(
            format!(
                "the options rank, alpha, dropout and targets are for method \"lora\", and the method is {method:?}"
            ),
            "set method: \"lora\", or leave them out",
        ));
    }
    let method = match method.as_str() {
        "full" => Method::Full,
        "lora" => Method::Lora {
            rank: rank.unwrap_or(8),
            alpha: alpha.unwrap_or(16.0),
            dropout: dropout.unwrap_or(0.05),
            targets: targets.unwrap_or_else(|| {
                let usual = model.config().family.default_targets().iter();
                usual.map(|name| name.to_string()).collect()
            }),
        },
        "last_block" => Method::LastBlock,
        "head" => Method::Head,
        other => {
            return Err(Error::unknown("method", other, ["full", "lora", "last_block", "head"]));
        }
    };
    let duration = match (options.count("steps", 1)?, options.number("epochs")?) {
        (Some(_), Some(_)) => {
            return Err(Error::failed("give finetune either `steps` or `epochs`, not both"));
        }
        (Some(steps), None) => Duration::Steps(steps),
        (None, Some(epochs)) => Duration::Epochs(epochs),
        (None, None) => default.duration,
    };
    let rate = options.number("learning_rate")?;
    let short = options.number("lr")?;
    if rate.is_some() && short.is_some() {
        return Err(Error::failed("give finetune either `learning_rate` or `lr`, not both"));
    }
    Ok(Settings {
        method,
        duration,
        stop_after: options.count("stop_after", 1)?,
        batch_size: options.count("batch_size", 1)?.unwrap_or(default.batch_size),
        gradient_accumulation: options
            .count("gradient_accumulation", 1)?
            .unwrap_or(default.gradient_accumulation),
        learning_rate: rate.or(short).unwrap_or(default.learning_rate),
        schedule: schedule(options.text("schedule")?)?,
        warmup_steps: options.count("warmup_steps", 0)?.unwrap_or(0),
        weight_decay: options.number("weight_decay")?.unwrap_or(default.weight_decay),
        beta1: options.number("beta1")?.unwrap_or(default.beta1),
        beta2: options.number("beta2")?.unwrap_or(default.beta2),
        epsilon: options.number("epsilon")?.unwrap_or(default.epsilon),
        clip: options.number("clip")?.unwrap_or(default.clip),
        max_length: options.count("max_length", 2)?,
        seed: options.integer("seed")?.map_or(seed, |seed| seed as u64),
        shuffle: options.boolean("shuffle")?.unwrap_or(true),
        validate_every: options.count("validate_every", 1)?,
        loss_average: match options.text("loss_average")?.as_deref() {
            None | Some("token") => LossAverage::Token,
            Some("batch") => LossAverage::Batch,
            Some(other) => return Err(Error::unknown("loss average", other, ["token", "batch"])),
        },
        best: options.boolean("best")?.unwrap_or(false),
        patience: options.count("patience", 1)?,
        recompute: options.boolean("recompute")?.unwrap_or(false),
        precision: match options.text("precision")?.as_deref() {
            None | Some("model") => Precision::Model,
            Some("f32") => Precision::F32,
            Some("bf16") => Precision::Bf16,
            Some(other) => {
                return Err(Error::unknown("precision", other, ["model", "f32", "bf16"]));
            }
        },
    })
}

fn schedule(name: Option<String>) -> Result<Schedule> {
    match name.as_deref() {
        None | Some("linear") => Ok(Schedule::Linear),
        Some("cosine") => Ok(Schedule::Cosine),
        Some("constant") => Ok(Schedule::Constant),
        Some(other) => Err(Error::unknown("schedule", other, ["linear", "cosine", "constant"])),
    }
}

/// Module names, or "all-linear" for every linear module of the blocks.
fn targets(options: &Options, model: &Model) -> Result<Option<Vec<String>>> {
    if let Some(value) = options.value("targets")
        && value.is_string()
    {
        return match value.to_string().as_str() {
            "all-linear" => Ok(Some(adapter::all_linear(model.weights()))),
            one => Ok(Some(vec![one.to_string()])),
        };
    }
    options.texts("targets")
}

/// Where checkpoints and logs go.
pub fn outputs(options: &Options, host: &Host) -> Result<Outputs> {
    let every = options.count("save_every", 1)?;
    let keep = options.count("keep", 1)?;
    let resume = options.boolean("resume")?;
    let folder = options.text("dir")?;
    if folder.is_none() && (every.is_some() || keep.is_some() || resume.is_some()) {
        return Err(Error::failed_with_hint(
            "save_every, keep and resume are about checkpoints, and there is no folder for them",
            "give one with the option `dir`",
        ));
    }
    let checkpoints = match &folder {
        Some(folder) => Some(Keeping {
            folder: host.writable(folder)?,
            roots: host.write_roots(),
            every: every.unwrap_or(100),
            keep: keep.unwrap_or(2),
            resume: resume.unwrap_or(host.resumes),
        }),
        None => None,
    };
    let number = host.finetunings.get() + 1;
    host.finetunings.set(number);
    let log = match (&checkpoints, &host.run_folder) {
        (Some(keeping), _) => Some(keeping.folder.join("log.jsonl")),
        (None, Some(run)) => Some(run.join(format!("finetune-{number}.jsonl"))),
        (None, None) => None,
    };
    Ok(Outputs {
        checkpoints,
        log,
        roots: host.write_roots(),
        tensorboard: match options.text("tensorboard")? {
            Some(folder) => Some(host.writable(&folder)?),
            None => None,
        },
    })
}
