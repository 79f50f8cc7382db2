//! Rows to train on or to score, out of what scripts hand over: texts, pairs, conversations or token ids.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::Value;

use super::chat::{self, messages_from};
use super::frame::Frame;
use super::texts;
use super::tokens::token_ids;
use crate::error::{Error, Result};
use crate::model::chat::ChatTemplate;
use crate::model::{Model, turns};
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::{Event, Host};
use crate::script::messages::Passage;
use crate::script::options::Options;
use crate::script::record::{OptionDoc, option};
use crate::train::examples::{self, Example, Noted, Source};

/// The options that say where texts are.
pub const OPTIONS: &[OptionDoc] = &[
    option("text", "column, template or closure", r#""text""#, "Where the texts of a frame are"),
    option(
        "prompt",
        "column, template or closure",
        "",
        "What stands before the completion and is not itself trained on or scored; needs `completion`",
    ),
    option(
        "completion",
        "column, template or closure",
        "",
        "What is trained on or scored behind the prompt; the tokens are those of the joined text",
    ),
    option(
        "chat",
        "true or false, column or closure",
        "false",
        "Where conversations are: a column of messages, or true where the texts are rendered by `chat` or the array holds conversations",
    ),
    option(
        "assistant_only",
        "true or false",
        "false",
        "Of conversations, only what the assistant says counts, by the template's generation marks or by what each turn adds",
    ),
];

/// Where the texts of a frame are, and whether they are conversations.
pub struct Columns {
    text: Option<Dynamic>,
    prompt: Option<Dynamic>,
    completion: Option<Dynamic>,
    chat: Chat,
    assistant_only: bool,
}

/// The option `chat`.
enum Chat {
    No,
    /// Texts are what a template wrote; messages are rendered.
    Yes,
    /// They are in this column, or made by this closure.
    At(Dynamic),
}

impl Columns {
    /// Reads the options that say where texts are.
    pub fn read(options: &Options) -> Result<Self> {
        let chat = match options.value("chat") {
            None => Chat::No,
            Some(value) => match value.as_bool() {
                Ok(false) => Chat::No,
                Ok(true) => Chat::Yes,
                Err(_) => Chat::At(value),
            },
        };
        let columns = Self {
            text: options.value("text"),
            prompt: options.value("prompt"),
            completion: options.value("completion"),
            assistant_only: options.boolean("assistant_only")?.unwrap_or(false),
            chat,
        };
        if columns.assistant_only && !columns.is_chat() {
            return Err(Error::failed_with_hint(
                "assistant_only is about conversations",
                "say where they are: chat: \"messages\"",
            ));
        }
        if columns.prompt.is_some() != columns.completion.is_some() {
            return Err(Error::failed("give both `prompt` and `completion`, or neither"));
        }
        if columns.prompt.is_some()
            && (columns.assistant_only || matches!(columns.chat, Chat::At(_)))
        {
            return Err(Error::failed_with_hint(
                "a conversation has no prompt and completion beside it",
                "give `chat` alone, or `prompt` and `completion` with chat: true where the prompt is a rendered text",
            ));
        }
        Ok(columns)
    }

    /// Whether prompts and completions are apart.
    pub fn is_pairs(&self) -> bool {
        self.prompt.is_some()
    }

    pub fn is_chat(&self) -> bool {
        !matches!(self.chat, Chat::No)
    }

    /// The texts of a frame or an array.
    pub fn sources(
        &self,
        context: &NativeCallContext,
        host: &Host,
        model: &Model,
        data: &Dynamic,
        function: &str,
    ) -> ScriptResult<Vec<Source>> {
        let Some(frame) = data.clone().try_cast::<Frame>() else {
            let array = data.clone().try_cast::<Array>().ok_or_else(|| {
                Error::invalid(function, "a frame or an array", convert::describe(data))
            });
            let array = array.at(context)?;
            return self.of_array(host, model, &array, function).at(context);
        };
        let place = |option: &str| format!("option `{option}` of {function}");
        if let (Some(prompt), Some(completion)) = (&self.prompt, &self.completion) {
            let prompts = texts::of_frame(context, &frame.0, prompt, &place("prompt"))?;
            let completions = texts::of_frame(context, &frame.0, completion, &place("completion"))?;
            let pairs = prompts.into_iter().zip(completions);
            let pair = |(prompt, completion)| match self.chat {
                Chat::No => Source::Pair { prompt, completion },
                _ => Source::RenderedPair { prompt, completion },
            };
            return Ok(pairs.map(pair).collect());
        }
        let (how, option) = match (&self.chat, &self.text) {
            (Chat::At(how), _) => (how.clone(), "chat"),
            (_, Some(text)) => (text.clone(), "text"),
            (_, None) => ("text".into(), "text"),
        };
        if !self.is_chat() {
            let made = texts::of_frame(context, &frame.0, &how, &place(option))?;
            return Ok(made.into_iter().map(Source::Text).collect());
        }
        let mut passage = Passage::default();
        let place = place(option);
        let values = texts::conversations_of_frame(context, &frame.0, &how, &place, &mut passage)?;
        let sources = self.conversations(model, &values, function, &mut passage);
        chat::tell(host, &passage, function);
        sources.at(context)
    }

    fn of_array(
        &self,
        host: &Host,
        model: &Model,
        array: &Array,
        function: &str,
    ) -> Result<Vec<Source>> {
        if matches!(self.chat, Chat::At(_)) {
            return Err(Error::failed_with_hint(
                format!("{function}: `chat` names a column, and the data is no frame"),
                "give chat: true with an array of conversations or rendered texts",
            ));
        }
        if self.prompt.is_some() {
            return Err(Error::failed_with_hint(
                format!(
                    "{function}: `prompt` and `completion` name columns, and the data is no frame"
                ),
                "give a frame with both columns",
            ));
        }
        if !self.is_chat() {
            let made = texts::of_array(array, function)?;
            return Ok(made.into_iter().map(Source::Text).collect());
        }
        let mut passage = Passage::default();
        let values = array.iter().map(|value| passage.of_script(value));
        let values = values.collect::<Result<Vec<_>>>()?;
        let sources = self.conversations(model, &values, function, &mut passage);
        chat::tell(host, &passage, function);
        sources
    }

    /// Conversations as the template writes them; texts are what it wrote.
    fn conversations(
        &self,
        model: &Model,
        values: &[Value],
        function: &str,
        passage: &mut Passage,
    ) -> Result<Vec<Source>> {
        let mut template = None;
        let mut sources = Vec::with_capacity(values.len());
        for (row, value) in values.iter().enumerate() {
            if let Value::String(text) = value {
                if self.assistant_only {
                    return Err(Error::failed_with_hint(
                        format!("row {row} is a rendered text, which does not tell who says what"),
                        "assistant_only needs the messages: chat: \"messages\"",
                    ));
                }
                let text = text.clone();
                sources.push(Source::Rendered { text, trained: None });
                continue;
            }
            let messages = messages_from(&format!("row {row} of {function}"), value)?;
            let template: &ChatTemplate = match &template {
                Some(template) => template,
                None => template.insert(model.tokenizer().chat_template(None)?),
            };
            let (text, trained) = if self.assistant_only {
                let (text, turns) = turns::of_the_assistant(template, &messages)?;
                (text, Some(turns))
            } else {
                (template.render(&messages, false)?, None)
            };
            passage.look_at(template, &messages, false, &text);
            sources.push(Source::Rendered { text, trained });
        }
        Ok(sources)
    }
}

/// The rows of a finetuning, each at most `limit` tokens long.
pub fn to_train_on(
    context: &NativeCallContext,
    host: &Host,
    model: &Model,
    data: &Dynamic,
    columns: &Columns,
    limit: usize,
) -> ScriptResult<Vec<Example>> {
    if let Some(array) = data.read_lock::<Array>()
        && !columns.is_chat()
        && array.first().is_some_and(|first| !first.is_string())
    {
        let (rows, cut) = token_examples(&array, limit).at(context)?;
        tell_cut(host, cut, rows.len(), limit);
        return Ok(rows);
    }
    let sources = columns.sources(context, host, model, data, "finetune")?;
    let (rows, noted) = examples::tokenize(model.tokenizer(), &sources, limit).at(context)?;
    tell_cut(host, noted.cut, rows.len(), limit);
    tell_seams(host, &noted, rows.len());
    Ok(rows)
}

fn tell_cut(host: &Host, cut: usize, rows: usize, limit: usize) {
    if cut > 0 {
        host.tell(Event::Note(format!(
            "finetune: {cut} of {rows} texts are longer than {limit} tokens and were cut at their end"
        )));
    }
}

/// Tells where texts are not tokenized as one might think.
fn tell_seams(host: &Host, noted: &Noted, rows: usize) {
    if noted.began_themselves > 0 {
        host.tell(Event::Note(format!(
            "finetune: {} of {rows} texts begin with the begin token themselves and get no second one; with `chat: true`, \
             rendered conversations are tokenized as they stand",
            noted.began_themselves
        )));
    }
    if noted.across > 0 {
        host.tell(Event::Note(format!(
            "finetune: in {} of {rows} rows the prompt has other tokens by itself than with its completion behind it (a token \
             across the seam counts as the completion's); let the prompt end before a space rather than behind it",
            noted.across
        )));
    }
}

/// Arrays of ids, or maps of `ids` and `labels`, and how many were cut to `limit` tokens.
fn token_examples(array: &Array, limit: usize) -> Result<(Vec<Example>, usize)> {
    let mut cut = 0;
    let one = |(row, item): (usize, &Dynamic)| -> Result<Example> {
        let mut example = match item.clone().try_cast::<Map>() {
            None => Example::whole(token_ids(item)?),
            Some(map) => labelled(row, &map)?,
        };
        cut += usize::from(example.ids.len() > limit);
        example.ids.truncate(limit);
        example.labels.truncate(limit);
        match example.trained_tokens() {
            0 => Err(Error::failed(format!("row {row} has no token to train on"))),
            _ => Ok(example),
        }
    };
    let rows: Result<Vec<Example>> = array.iter().enumerate().map(one).collect();
    Ok((rows?, cut))
}

/// A map of `ids` and `labels`; without labels every token is trained on.
fn labelled(row: usize, map: &Map) -> Result<Example> {
    let place = format!("row {row}");
    if let Some(other) = map.keys().find(|key| !["ids", "labels"].contains(&key.as_str())) {
        return Err(Error::invalid(
            place,
            "a map of `ids` and `labels`",
            format!("one with `{other}`"),
        ));
    }
    let ids = token_ids(map.get("ids").unwrap_or(&Dynamic::UNIT))?;
    let given = match map.get("labels") {
        None => return Ok(Example::whole(ids)),
        Some(given) => given.clone().try_cast::<Array>(),
    };
    let whole = |labels: Array| -> Option<Vec<i64>> {
        labels.iter().map(|label| label.as_int().ok()).collect()
    };
    let labels = given.and_then(whole).ok_or_else(|| {
        Error::invalid(
            format!("the labels of {place}"),
            "an array of whole numbers",
            "something else",
        )
    })?;
    if labels.len() != ids.len() {
        return Err(Error::invalid(
            place,
            format!("{} labels, one a token", ids.len()),
            labels.len().to_string(),
        ));
    }
    Ok(Example { ids, labels })
}
