//! Topics: what of the reference belongs together, each with a page that a person can read before any function.
//!
//! A page is Markdown: a line a paragraph, and code in lines that begin with four spaces, which runs as it stands.

use super::super::record::Record;

/// A part of the reference.
pub struct Topic {
    /// What it is asked for by: `help("frames")`, `#frames`.
    pub name: &'static str,
    pub title: &'static str,
    /// Its page, without a heading.
    pub page: &'static str,
    /// The functions that belong to it by name; `Frame.*` is every method of frames that no topic names.
    members: &'static [&'static str],
}

macro_rules! topic {
    ($name:literal, $title:literal, $members:expr) => {
        Topic {
            name: $name,
            title: $title,
            page: include_str!(concat!($name, ".md")),
            members: $members,
        }
    };
}

/// All topics, in the order in which they are read.
pub const TOPICS: &[Topic] = &[
    topic!("frames", "Frames", &["read", "frame", "exists", "read_pieces", "concat", "Frame.*"]),
    topic!("expressions", "Expressions", &["col", "lit", "len", "when", "template", "Expr.*"]),
    topic!("models", "Models", &["load_model", "new_model", "train_tokenizer", "Model.*"]),
    topic!("finetuning", "Finetuning", &["Model.finetune", "Model.log"]),
    topic!(
        "generation",
        "Generation",
        &["Model.generate", "Model.chat", "Model.chat_prompt", "Model.conversation"]
    ),
    topic!("scores", "Scores", SCORES),
    topic!("charts", "Charts", &["plot", "Plot.*"]),
    topic!("toxicity", "Toxicity", &["load_detoxify", "train_classifier", "Scorer.*"]),
    topic!("notebook", "The notebook", NOTEBOOK),
    topic!("mathematics", "Numbers, arrays, texts and maps", MATHEMATICS),
    topic!("stdlib", "The standard library", &[]),
];

const SCORES: &[&str] = &[
    "rouge1",
    "exact_match",
    "clean_answer",
    "porter_stem",
    "squad_em",
    "bbq_parse",
    "bbq_target",
    "bbq_scores",
    "filter_scores",
    "auroc",
    "spearman",
    "bootstrap",
    "paired_bootstrap",
    "interval",
    "crows_pairs_score",
    "stereoset_scores",
    "Model.loss",
];

const NOTEBOOK: &[&str] = &[
    "param",
    "show",
    "markdown",
    "print",
    "note",
    "log",
    "help",
    "exit",
    "seed",
    "run_dir",
    "device",
    "memory",
    "sleep",
    "cached",
    "cache_list",
    "cache_clear",
];

const MATHEMATICS: &[&str] = &[
    "range",
    "div_floor",
    "comparisons",
    "random_integers",
    "Number.*",
    "Array.*",
    "Text.*",
    "Map.*",
];

impl Topic {
    /// Its functions by name.
    pub fn members(&self) -> &'static [&'static str] {
        self.members
    }
}

/// The topic that a function belongs to: the one that names it, else the one of its type.
pub fn of(record: &Record) -> Option<&'static Topic> {
    let having = |member: &str| TOPICS.iter().find(|topic| topic.members.contains(&member));
    having(record.name).or_else(|| of_type(record.name.split_once('.')?.0))
}

/// The topic of a type: "Frame".
pub fn of_type(kind: &str) -> Option<&'static Topic> {
    let methods = format!("{kind}.*");
    TOPICS.iter().find(|topic| topic.members.contains(&methods.as_str()))
}

/// A topic by its name.
pub fn named(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}
