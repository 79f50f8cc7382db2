//! What may be typed at a cursor, each with a line about it.

use super::Signature;
use super::candidates::{Candidates, Item, chosen};
use super::entries::{self, Entry, entries};
use super::keys;
use super::kinds::Reader;
use super::pages;
use super::strings;
use super::tokens::{Kind, LANGUAGE, Token, tokens};
use super::view::{View, columns};

/// What may be typed at `cursor`, a byte of the text.
pub fn complete(view: &View, text: &str, cursor: usize) -> Candidates {
    let Some(before) = text.get(..cursor) else {
        return Candidates { start: cursor, items: Vec::new() };
    };
    let tokens = tokens(before);
    let entries = entries();
    let reader = Reader { text: before, tokens: &tokens, entries: &entries, view };
    match tokens.last() {
        Some(Token { kind: Kind::Text { closed: false }, range }) => {
            strings::complete(&reader, tokens.len() - 1, range.start + 1)
        }
        Some(Token { kind: Kind::Comment | Kind::Number, range }) if range.end == cursor => {
            Candidates { start: cursor, items: Vec::new() }
        }
        _ => words(&reader, cursor),
    }
}

/// The call that a cursor stands in, if the reference or the script knows it.
pub fn signature_at(view: &View, text: &str, cursor: usize) -> Option<Signature> {
    let before = text.get(..cursor)?;
    let tokens = tokens(before);
    let entries = entries();
    let reader = Reader { text: before, tokens: &tokens, entries: &entries, view };
    let mut end = tokens.len();
    loop {
        let (open, argument) = reader.open_before(end)?;
        if reader.word(open) == "("
            && let Some(signature) = called(&reader, open, argument)
        {
            return Some(signature);
        }
        end = open;
    }
}

/// The function whose bracket stands at `open`, in the form that has room for the argument.
fn called(reader: &Reader, open: usize, argument: usize) -> Option<Signature> {
    let at = open.checked_sub(1).filter(|at| reader.is_word(*at))?;
    let name = reader.word(at);
    let before = at.checked_sub(1).map_or("", |before| reader.word(before));
    if before == "::" {
        let (_, page) = reader.view.page(reader.word(at.checked_sub(2)?))?;
        let own = page.functions.into_iter().find(|own| own.name == name)?;
        return Some(Signature { form: own.form(), summary: own.summary(), argument });
    }
    if before != "."
        && let Some(own) = reader.view.functions.iter().find(|own| own.name == name)
    {
        return Some(Signature { form: own.form(), summary: own.summary(), argument });
    }
    let forms = reader.forms(at);
    let has_room = |entry: &&&Entry| entry.parameters.split(',').count() > argument;
    let entry = forms.iter().find(has_room).or(forms.last())?;
    Some(Signature {
        form: entry.form.to_string(),
        summary: entry.record.summary.to_string(),
        argument,
    })
}

/// Completes a word, or what follows a mark.
fn words(reader: &Reader, cursor: usize) -> Candidates {
    let count = reader.tokens.len();
    let typed =
        reader.tokens.last().filter(|token| token.kind == Kind::Word && token.range.end == cursor);
    let start = typed.map_or(cursor, |token| token.range.start);
    let prefix = typed.map_or("", |token| token.of(reader.text));
    // The place of the word that is being typed.
    let at = if typed.is_some() { count - 1 } else { count };
    let before = at.checked_sub(1).map_or("", |before| reader.word(before));
    let items = match before {
        "::" => members(reader, at),
        "." | "?." => methods(reader, at - 1),
        "#{" => options(reader, at).unwrap_or_default(),
        "," => options(reader, at).unwrap_or_else(|| names(reader)),
        _ => names(reader),
    };
    Candidates { start, items: chosen(items, prefix) }
}

/// The functions of a module.
fn members(reader: &Reader, at: usize) -> Vec<Item> {
    let name = at.checked_sub(2).map_or("", |at| reader.word(at));
    let page = reader.view.page(name).map(|(_, page)| page).unwrap_or_default();
    page.functions.iter().map(|own| Item::new(&own.name, own.summary())).collect()
}

/// The methods of what stands in front of the dot: by its kind where that is known, else all there are.
fn methods(reader: &Reader, dot: usize) -> Vec<Item> {
    let kind = reader.kind_before(dot);
    let is_of = |entry: &&Entry| match &kind {
        Some(kind) => entry.on == *kind,
        None => !entry.on.is_empty() && !entry.on.contains('.'),
    };
    let found = reader.entries.iter().filter(is_of);
    let mut items: Vec<Item> =
        found.map(|entry| Item::new(&entry.name, entry.record.summary)).collect();
    if let Some(kind) = &kind {
        items.extend(builtin(reader.view, kind));
    }
    items
}

/// rhai's own methods of texts, arrays, maps and numbers, with the first line that it says of them.
fn builtin(view: &View, kind: &str) -> Vec<Item> {
    let first = match kind {
        "Text" => "string",
        "Array" => "array",
        "Map" => "map",
        "Number" => "i64",
        _ => return Vec::new(),
    };
    let of_kind = |info: rhai::FuncInfo| {
        let metadata = info.metadata;
        let on = metadata
            .params_info
            .first()?
            .rsplit(':')
            .next()?
            .trim()
            .trim_start_matches("&mut ")
            .to_string();
        let is_name = metadata.name.starts_with(|c: char| c.is_ascii_lowercase())
            && metadata.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_of = view.engine.map_type_name(&on) == first
            || matches!(
                (on.as_str(), first),
                ("ImmutableString" | "&str" | "String", "string")
                    | ("Array", "array")
                    | ("Map", "map")
                    | ("INT", "i64")
            );
        let said = pages::summary(&metadata.comments);
        (is_name && is_of && !said.is_empty()).then(|| Item::new(metadata.name.as_str(), said))
    };
    view.engine.collect_fn_metadata(None, of_kind, true)
}

/// The keys that the call around `#{ …` takes; nothing where the cursor is at no key of a known call's options.
fn options(reader: &Reader, at: usize) -> Option<Vec<Item>> {
    let (brace, _) = reader.open_before(at)?;
    if reader.word(brace) != "#{" {
        return None;
    }
    let (open, _) = reader.open_before(brace)?;
    let call = open.checked_sub(1).filter(|_| reader.word(open) == "(")?;
    let given: Vec<&str> =
        (brace..at).filter(|at| reader.word(at + 1) == ":").map(|at| reader.word(at)).collect();
    let mut items = Vec::new();
    for entry in reader.forms(call) {
        let free = keys::of(entry).into_iter().filter(|option| !given.contains(&option.name));
        items.extend(free.map(|option| Item::new(option.name, keys::line(option))));
    }
    Some(items)
}

/// Variables, parameters' values among them, functions, modules and the words of the language.
fn names(reader: &Reader) -> Vec<Item> {
    let view = reader.view;
    let mut items: Vec<Item> = Vec::new();
    let described = |name: &str, value: &rhai::Dynamic| {
        let kind = view.kind(value);
        let parameters = view.host.parameters.borrow();
        let doc = parameters
            .iter()
            .find(|parameter| parameter.name == name)
            .map(|known| known.doc.clone());
        let columns: Vec<String> = columns(value).into_iter().map(|(name, _)| name).collect();
        match (doc, columns.is_empty()) {
            (Some(doc), _) if !doc.is_empty() => format!("{kind}: {doc}"),
            (_, false) => format!("{kind}: {}", columns.join(", ")),
            _ => kind,
        }
    };
    items.extend(
        view.variables().iter().map(|(name, value)| Item::new(*name, described(name, value))),
    );
    items.extend(view.functions.iter().map(|own| Item::new(&own.name, own.summary())));
    let functions = reader
        .entries
        .iter()
        .filter(|entry| entry.on.is_empty() && entries::owner(entry.record).is_empty());
    items.extend(functions.map(|entry| Item::new(&entry.name, entry.record.summary)));
    items.extend(
        view.imports.iter().map(|(path, alias)| Item::new(alias, format!("the module {path}"))),
    );
    items.extend(LANGUAGE.iter().filter(|word| word.len() > 2).map(|word| Item::new(*word, "")));
    items
}
