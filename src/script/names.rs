//! Names that other tools have for what scripts call otherwise. They are looked up before spelling is compared: who writes
//! `list` does not mean `lit`.

use crate::error::Error;

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A function or a method, and the type of its first argument as errors call it ("" where there is none).
    Call(&'a str),
    Variable,
    /// A property of a value of a type, as errors call it.
    Property(&'a str),
    /// A key of an option map.
    Option,
}

/// What to write in place of another tool's name, in a sentence. Of an option it is the key.
pub fn elsewhere(kind: Kind, name: &str) -> Option<&'static str> {
    let plain = |table: &'static [(&str, &'static str)]| {
        table.iter().find(|(names, _)| is_listed(names, name)).map(|(_, said)| *said)
    };
    match kind {
        Kind::Call(on) => typed(CALLS, on, name),
        Kind::Property(on) => typed(PROPERTIES, on, name),
        Kind::Variable => plain(VARIABLES),
        Kind::Option => plain(OPTIONS),
    }
}

fn is_listed(names: &str, name: &str) -> bool {
    names.split(' ').any(|listed| listed == name)
}

fn typed(
    table: &'static [(&str, &str, &'static str)],
    on: &str,
    name: &str,
) -> Option<&'static str> {
    let fits = |types: &str| types.is_empty() || is_listed(types, on);
    let mut all = table.iter();
    let found = all.find(|(names, types, _)| is_listed(names, name) && fits(types));
    found.map(|(_, _, said)| *said)
}

/// The error about an option that a call does not know: by its name here, where another tool's name was given for one of the
/// call's own.
pub fn option(unknown: Error) -> Error {
    let Error::Unknown { name, known, .. } = &unknown else {
        return unknown;
    };
    match elsewhere(Kind::Option, name).filter(|ours| known.iter().any(|known| known == ours)) {
        None => unknown,
        Some(ours) => {
            let said = format!("unknown option `{name}`: here it is `{ours}`");
            match unknown.hint() {
                Some(hint) => Error::failed_with_hint(said, hint),
                None => Error::failed(said),
            }
        }
    }
}

const READ: &str = "read(\"rows.csv\") reads a table; the ending tells the format";
const WRITE: &str = "f.write(\"rows.csv\") writes a frame; the ending tells the format";
const LOAD: &str = "load_model(\"ebb/tiny\") loads a model with its tokenizer: a bundled one, a folder, or org/name on the Hub";
const FINETUNE: &str = "m.finetune(rows, #{ steps: 10 }) gives a finetuned model, #{ method: \"lora\" } one with an adapter";
const ROWS: &str = "f.rows() is an array of maps: for row in f.rows() { … row.a … }";
const ARRAY: &str = "an array is written [1, 2], and items are added with xs.push(x)";
const CHART: &str = "plot(f, #{ x: \"step\", y: \"loss\", kind: \"line\" }) draws a frame's columns; other kinds are \"bar\", \"scatter\" and \"histogram\"";
const CLOCK: &str =
    "timestamp() starts a clock: let start = timestamp(); … start.elapsed is in seconds";
const PARSE: &str = "parse_float(text) and parse_int(text) make a number of a text, x.to_float() and x.to_int() of a number";

/// Names, the types that they are called on (any, where none is named), and what to write.
pub const CALLS: &[(&str, &str, &str)] = &[
    // Tables.
    (
        "read_csv read_json read_jsonl read_ndjson read_parquet read_table scan_csv scan_parquet scan_ndjson from_csv open",
        "",
        READ,
    ),
    (
        "load_dataset",
        "",
        "read(\"hf/org/name\") reads a data set of the Hub, read(\"rows.jsonl\") a file, read(\"ebb/tasks-sample\") a bundled one",
    ),
    (
        "write_csv write_json write_ndjson write_parquet to_csv to_parquet to_jsonl save_to_disk",
        "",
        WRITE,
    ),
    (
        "DataFrame from_dict from_dicts from_records",
        "",
        "frame(#{ a: [1, 2], b: [\"x\", \"y\"] }) makes a frame of columns, frame([#{ a: 1 }, #{ a: 2 }]) of rows",
    ),
    ("groupby", "", "f.group_by(\"a\").agg(col(\"b\").mean())"),
    (
        "dropna drop_nulls drop_nans",
        "",
        "f.filter(col(\"a\").is_not_null()) keeps the rows where a has a value",
    ),
    (
        "fillna fill_nan",
        "",
        "f.with_columns(col(\"a\").fill_null(0)) puts a value where a has none",
    ),
    ("isna isnull", "", "col(\"a\").is_null() is true where a has no value"),
    ("notna notnull", "", "col(\"a\").is_not_null() is true where a has a value"),
    (
        "astype",
        "",
        "f.with_columns(col(\"a\").cast(\"int\")) makes a column of another type: \"int\", \"float\", \"str\" or \"bool\"",
    ),
    (
        "cast",
        "Frame",
        "f.with_columns(col(\"a\").cast(\"int\")) makes a column of another type: \"int\", \"float\", \"str\" or \"bool\"",
    ),
    (
        "apply applymap map_rows map_elements transform",
        "",
        "f.map(\"new\", |row| row.a + 1) makes a column of what a closure makes of each row, xs.map(|x| x + 1) an array",
    ),
    ("iterrows iter_rows itertuples to_dicts to_dict to_pylist", "", ROWS),
    ("merge", "Frame", "f.join(g, \"key\") puts the columns of two frames side by side"),
    ("append extend vstack", "Frame", "concat([f, g]) puts frames below each other"),
    (
        "assign with_col mutate",
        "Frame",
        "f.with_columns((col(\"a\") * 2).alias(\"b\")) adds a column",
    ),
    ("sort_values order_by arrange", "", "f.sort(\"a\", #{ descending: true }) sorts rows"),
    ("query where", "", "f.filter(col(\"a\") > 1) keeps the rows for which an expression is true"),
    (
        "unnest json_normalize",
        "",
        "f.with_columns(col(\"a\").field(\"name\").alias(\"name\")) takes a field out of a column of maps",
    ),
    ("drop_duplicates distinct", "", "f.unique() and f.unique(\"a\") keep one of equal rows"),
    ("reset_index", "", "f.with_row_index(\"id\") numbers the rows"),
    ("limit take", "Frame", "f.head(n) takes the first n rows"),
    ("to_list tolist to_numpy to_series get_column", "", "f.column(\"a\") is a column as an array"),
    ("nunique", "", "col(\"a\").n_unique() counts different values"),
    // Expressions.
    ("str_contains_any contains", "Expr", "col(\"a\").str_contains(pattern)"),
    ("starts_with startswith", "Expr", "col(\"a\").str_starts_with(text)"),
    ("ends_with endswith", "Expr", "col(\"a\").str_ends_with(text)"),
    (
        "replace replace_all",
        "Expr",
        "col(\"a\").str_replace(pattern, with), and str_replace_all for every match",
    ),
    ("split", "Expr", "col(\"a\").str_split(separator)"),
    ("len_chars len_bytes", "", "col(\"a\").str_len() is the length of each text"),
    ("to_lowercase to_lower lower", "Expr", "col(\"a\").str_lower()"),
    ("to_uppercase to_upper upper", "Expr", "col(\"a\").str_upper()"),
    ("strip strip_chars trim", "Expr", "col(\"a\").str_strip()"),
    ("avg average", "", "xs.mean() of an array, col(\"a\").mean() of a column"),
    // Texts, arrays and maps.
    ("upper", "string", "text.to_upper()"),
    ("lower", "string", "text.to_lower()"),
    ("strip", "string", "text.trim() takes the blanks off a text in its place"),
    ("startswith", "", "text.starts_with(part)"),
    ("endswith", "", "text.ends_with(part)"),
    ("substring substr", "", "text.sub_string(start, length)"),
    ("format", "", "a text between backticks takes values in: `got ${x}`"),
    (
        "join",
        "string array",
        "xs.reduce(|all, x| if all == () { x } else { all + \", \" + x }) joins the texts of an array; f.join(g, on) is for frames",
    ),
    ("append", "array", "xs.push(x) adds one item to an array, xs.append(others) those of another"),
    ("extend", "array", "xs.append(others) adds the items of another array"),
    ("items", "map", "for key in map.keys() { … map[key] … }; map.values() are its values"),
    ("update", "map", "map.mixin(other) takes the keys of another map in"),
    // What Python has built in.
    ("str repr", "", "x.to_string() is a value as a text"),
    ("int float", "", PARSE),
    ("list tuple", "", ARRAY),
    ("dict", "", "a map is written #{ key: value }"),
    ("isinstance type", "", "type_of(x) says what a value is"),
    ("enumerate", "", "for (x, i) in xs { … } counts along"),
    ("zip", "array", "for (x, i) in xs { … ys[i] … } goes through two arrays side by side"),
    ("range", "integer", "0..n counts from 0 to n - 1: for i in 0..n { … }"),
    ("sorted", "", "xs.sort() sorts an array in its place, f.sort(\"a\") gives a sorted frame"),
    ("reversed", "", "xs.reverse() turns an array around in its place"),
    (
        "input",
        "",
        "param(\"name\", default) is what the command line gives: ebb run FILE --name value",
    ),
    ("now time perf_counter datetime", "", CLOCK),
    (
        "rand randint random randn choice",
        "",
        "random_integers(n, below, seed, stream) draws whole numbers, f.sample(n, seed) rows",
    ),
    ("manual_seed set_seed", "", "seed(7) sets the seed of the session"),
    ("println printf echo puts", "", "print(value) prints a line"),
    // Models.
    (
        "from_pretrained AutoModelForCausalLM AutoModel AutoTokenizer pipeline FastLanguageModel",
        "",
        LOAD,
    ),
    (
        "save_pretrained push_to_hub",
        "",
        "m.save(\"folder\") saves a model in save_pretrained layout",
    ),
    ("Trainer SFTTrainer train fit get_peft_model LoraConfig TrainingArguments", "", FINETUNE),
    ("encode tokenizer tokenise", "", "m.tokenize(text) gives a text's token ids"),
    (
        "decode batch_decode convert_ids_to_tokens",
        "",
        "m.detokenize(ids) gives the text of token ids",
    ),
    (
        "nll log_likelihood cross_entropy compute_loss",
        "",
        "m.loss(texts) is the mean loss of each text's tokens in nats, m.perplexity(texts) its exponential",
    ),
    ("predict complete", "", "m.generate(prompts, #{ max_new_tokens: 50 }) writes on"),
    (
        "num_parameters named_parameters state_dict",
        "",
        "m.parameters() lists a model's weights and their sizes",
    ),
    ("merge_and_unload", "", "m.merge() puts the adapter into the weights"),
    (
        "apply_chat_template",
        "",
        "m.generate(messages, #{ chat: true }) goes through the model's template",
    ),
    ("cuda", "", "load_model(source, #{ device: \"cuda:0\" }) puts a model on a GPU"),
    // Scores and charts.
    ("roc_auc_score", "", "auroc(labels, scores)"),
    ("average_precision_score", "", "auprc(labels, scores)"),
    ("spearmanr", "", "spearman(a, b)"),
    ("kendalltau", "", "kendall(a, b)"),
    ("hist histogram barplot lineplot scatter scatterplot lmplot bar barh", "", CHART),
];

const NOTHING: &str = "nothing, a missing value, is written ()";
const BUILT_IN: &str = "frames, models, scores and charts need no import: read(path), load_model(source), plot(f, opts); help() is a tour";

pub const VARIABLES: &[(&str, &str)] = &[
    ("True", "it is written true"),
    ("False", "it is written false"),
    ("None NULL nil undefined NA", NOTHING),
    ("nan NaN inf Infinity", "0.0 / 0.0 is not a number, 1.0 / 0.0 infinite"),
    (
        "pl pd polars pandas",
        "a table is read with read(\"rows.csv\"), made with frame(#{ a: [1, 2] }), and its columns are col(\"a\")",
    ),
    (
        "np numpy math statistics",
        "numbers and arrays have it as methods: x.sqrt(), x.exp(), xs.mean(), xs.sum()",
    ),
    ("plt sns matplotlib seaborn alt px", CHART),
    ("AutoModelForCausalLM AutoModel AutoTokenizer transformers", LOAD),
    ("Trainer TrainingArguments SFTTrainer LoraConfig peft trl", FINETUNE),
    (
        "torch jax tf sklearn scipy os sys re json csv datasets evaluate tqdm pathlib collections itertools",
        BUILT_IN,
    ),
    (
        "random",
        "random_integers(n, below, seed, stream) draws whole numbers, f.sample(n, seed) rows",
    ),
    ("time datetime", CLOCK),
    ("console", "print(value) prints a line"),
    ("self", "inside a function called as a method it is `this`"),
    ("pass", "an empty block is {}"),
];

/// Properties, the types that they are asked of (any, where none is named), and what to write.
pub const PROPERTIES: &[(&str, &str, &str)] = &[
    ("shape height n_rows", "Frame", "f.len() counts the rows, f.columns().len() the columns"),
    ("width n_cols", "Frame", "f.columns().len() counts the columns"),
    (
        "iloc loc",
        "Frame",
        "f.row(i) is one row, f.slice(start, n) some, f.filter(col(\"a\") > 1) those for which an expression is true",
    ),
    ("dtypes", "Frame", "f.describe() tells about the columns"),
    (
        "T",
        "Frame",
        "there is no transposed frame; f.rows() and f.column(name) give rows and columns",
    ),
    (
        "str",
        "Expr",
        "they are methods of the expression itself: col(\"a\").str_len(), .str_contains(…), .str_replace(…); help(\"str_len\")",
    ),
    (
        "list struct arr",
        "Expr",
        "they are methods of the expression itself: col(\"a\").list_len(), .item(i), .field(name)",
    ),
    ("tokenizer", "Model", "a model brings its own: m.tokenize(text), m.detokenize(ids)"),
    ("length size", "", "it is a function: x.len()"),
];

/// Keys, and the key that they are here.
pub const OPTIONS: &[(&str, &str)] = &[
    ("r lora_r lora_rank", "rank"),
    ("lora_alpha", "alpha"),
    ("lora_dropout", "dropout"),
    ("target_modules", "targets"),
    ("num_train_epochs num_epochs n_epochs", "epochs"),
    ("max_steps num_steps n_steps", "steps"),
    (
        "per_device_train_batch_size per_device_eval_batch_size train_batch_size micro_batch_size",
        "batch_size",
    ),
    ("gradient_accumulation_steps accumulate_grad_batches", "gradient_accumulation"),
    ("gradient_checkpointing", "recompute"),
    ("max_grad_norm gradient_clipping grad_clip", "clip"),
    ("lr_scheduler_type lr_scheduler scheduler", "schedule"),
    ("num_warmup_steps", "warmup_steps"),
    ("adam_beta1", "beta1"),
    ("adam_beta2", "beta2"),
    ("adam_epsilon eps", "epsilon"),
    ("bf16 fp16", "precision"),
    ("eval_steps evaluation_strategy eval_strategy", "validate_every"),
    ("eval_dataset eval_data validation_data", "validation"),
    ("load_best_model_at_end", "best"),
    ("early_stopping_patience", "patience"),
    ("output_dir", "dir"),
    ("save_steps", "save_every"),
    ("save_total_limit", "keep"),
    ("resume_from_checkpoint", "resume"),
    ("max_seq_length max_seq_len model_max_length block_size", "max_length"),
    ("completion_only_loss assistant_only_loss", "assistant_only"),
    ("max_tokens n_predict max_gen_len", "max_new_tokens"),
    ("do_sample", "temperature"),
    ("stop_strings stop_sequences", "stop"),
    ("repeat_penalty", "repetition_penalty"),
    ("torch_dtype", "dtype"),
    ("device_map", "device"),
    ("load_in_8bit load_in_4bit quantization quantization_config", "quantize"),
    ("peft adapter_name", "adapter"),
    ("reverse ascending desc", "descending"),
    ("n_rows nrows", "rows"),
    ("usecols use_columns", "columns"),
    ("schema_overrides", "types"),
    ("na_values", "null_values"),
    ("hue color colour group", "by"),
    ("xlabel", "x_label"),
    ("ylabel", "y_label"),
];
