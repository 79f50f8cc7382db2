//! Runs a script cell by cell and keeps what each cell showed.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use serde_json::{Value, json};

use super::cells::{Cell, Content};
use super::outcome::{Item, Outcome, Ran};
use super::record::Record;
use super::{outputs, prose};
use crate::display::Output;
use crate::display::table::Whole;
use crate::error::{Error, Result};
use crate::guard;
use crate::script::assist::tokens;
use crate::script::display::CellValue;
use crate::script::engine::Session;
use crate::script::host::{Event, Host};
use crate::script::report::ScriptError;

/// Where what a notebook shows goes while it runs.
pub trait Front {
    /// A cell of code begins.
    fn begin(&mut self, cell: &Cell);
    fn show(&mut self, item: &Item);
    /// A cell's last value, where that is told apart from what a cell shows on purpose.
    fn result(&mut self, item: &Item) {
        self.show(item);
    }
}

/// What the session's events are handed to: the front, the items of the present cell, and the record.
pub struct Desk {
    front: Box<dyn Front>,
    items: Vec<Item>,
    record: Option<Record>,
    /// The first part of the record that could not be written.
    trouble: Option<Error>,
}

impl Desk {
    pub fn new(front: Box<dyn Front>, record: Option<Record>) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self { front, items: Vec::new(), record, trouble: None }))
    }

    /// What a session's listener does with an event.
    pub fn hear(&mut self, event: Event) {
        match event {
            Event::Shown(output) => self.show(Item::Output(output)),
            Event::Printed(text) => self.show(Item::Printed(text)),
            Event::Note(text) => self.show(Item::Note(text)),
            Event::Metrics(map) => {
                let written = self.record.as_mut().map_or(Ok(()), |record| record.metrics(map));
                self.note_trouble(written);
            }
            Event::Finetuned(settings) => {
                if let Some(record) = &mut self.record {
                    record.finetuned(settings);
                }
            }
            Event::Input { name, sha256 } => {
                if let Some(record) = &mut self.record {
                    record.input(name, sha256);
                }
            }
        }
    }

    /// Shows an item at once and keeps it for the report.
    pub fn show(&mut self, item: Item) {
        self.front.show(&item);
        self.keep(item);
    }

    /// The same for a cell's last value.
    fn show_result(&mut self, item: Item) {
        self.front.result(&item);
        self.keep(item);
    }

    fn keep(&mut self, mut item: Item) {
        if let Some(table) = outputs::shows_rows(&mut item) {
            let kept = self.record.as_mut().map_or(Ok(()), |record| record.keep_rows(table));
            table.whole = Whole::default();
            self.note_trouble(kept);
        }
        match (&item, self.items.last_mut()) {
            (Item::Printed(text), Some(Item::Printed(before))) => {
                before.push('\n');
                before.push_str(text);
            }
            _ => self.items.push(item),
        }
    }

    fn note_trouble(&mut self, written: Result<()>) {
        if let Err(error) = written {
            self.trouble.get_or_insert(error);
        }
    }

    /// Keeps in the record what the last cell showed, and brings its page up to date: `next` is what is run now.
    fn record_cells(&mut self, host: &Host, outcome: &Outcome, from: usize, next: Value) {
        let Some(record) = &mut self.record else { return };
        let ended = outcome.ran.iter().enumerate().skip(from);
        let mut written = Ok(());
        for (place, ran) in ended {
            written = written.and_then(|()| record.cell(place, ran));
        }
        let written = written.and_then(|()| {
            if next.is_null() { Ok(()) } else { record.page_under_way(host, outcome, next) }
        });
        self.note_trouble(written);
    }

    /// What was shown since it was last asked for.
    pub fn take_items(&mut self) -> Vec<Item> {
        std::mem::take(&mut self.items)
    }

    pub fn record(&mut self) -> Option<&mut Record> {
        self.record.as_mut()
    }
}

/// Runs cells in order until one fails. `script` is the text they were split from.
pub fn run(
    session: &mut Session,
    desk: &Rc<RefCell<Desk>>,
    script: &str,
    cells: &[Cell],
) -> Outcome {
    if cells.iter().filter_map(Cell::code).any(tokens::speaks_of_last) {
        session.keep_last();
    }
    let lines: Vec<&str> = script.split_inclusive('\n').collect();
    let mut outcome = Outcome::default();
    let mut read = 0;
    let mut recorded = 0;
    for (place, cell) in cells.iter().enumerate() {
        if cell.code().is_some() {
            let next = json!({ "cell": place + 1, "of": cells.len(), "title": cell.title });
            desk.borrow_mut().record_cells(session.host(), &outcome, recorded, next);
            recorded = outcome.ran.len();
        }
        let Content::Code(code) = &cell.content else {
            let items = filled(session, desk, cell);
            outcome.ran.push(Ran { cell: cell.clone(), items, seconds: 0.0 });
            continue;
        };
        desk.borrow_mut().front.begin(cell);
        let started = Instant::now();
        let before = lines.get(read..cell.lines_before).unwrap_or_default().concat();
        read = cell.lines_before + code.split_inclusive('\n').count();
        let result = one(session, desk, &before, code);
        outcome.ran.push(Ran {
            cell: cell.clone(),
            items: desk.borrow_mut().take_items(),
            seconds: started.elapsed().as_secs_f64(),
        });
        match result {
            Ok(value) => {
                outcome.last = value;
                if session.has_left() {
                    leave_out(desk, &mut outcome, cells.len() - place - 1);
                    break;
                }
            }
            Err(mut error) => {
                if !cell.title.is_empty() && !error.interrupted {
                    error.notes.insert(0, format!("while the cell `{}` ran", cell.title));
                }
                outcome.error = Some(error);
                break;
            }
        }
    }
    desk.borrow_mut().record_cells(session.host(), &outcome, recorded, Value::Null);
    if let (None, Some(error)) = (&outcome.error, desk.borrow_mut().trouble.take()) {
        outcome.error = Some(session.failed(error));
    }
    outcome
}

/// Says how many cells behind an `exit()` are not run.
fn leave_out(desk: &Rc<RefCell<Desk>>, outcome: &mut Outcome, count: usize) {
    if count == 0 {
        return;
    }
    let cells = if count == 1 { "the cell" } else { "the cells" };
    let note = Item::Note(format!("exit(): {cells} after this one ({count}) were not run"));
    let mut desk = desk.borrow_mut();
    desk.show(note);
    let items = desk.take_items();
    if let Some(ran) = outcome.ran.last_mut() {
        ran.items.extend(items);
    }
}

/// What a cell of prose shows besides itself: the prose with values in it, and a note where a name has none.
fn filled(session: &Session, desk: &Rc<RefCell<Desk>>, cell: &Cell) -> Vec<Item> {
    let Content::Prose(text) = &cell.content else { return Vec::new() };
    let filled = prose::fill(text, |name| session.in_prose(name));
    let mut items = Vec::new();
    if filled.text != *text {
        items.push(Item::Output(Output::Markdown(filled.text)));
    }
    for name in filled.unknown {
        let note = format!(
            "`{name}`, which the prose asks for, is no variable here: it stays as it stands"
        );
        let item = Item::Note(note);
        desk.borrow_mut().front.show(&item);
        items.push(item);
    }
    items
}

/// Evaluates one cell and shows its last value. What the program itself fails at is an error of the cell, so that the
/// record and the report are still written.
pub fn one(
    session: &mut Session,
    desk: &Rc<RefCell<Desk>>,
    before: &str,
    code: &str,
) -> std::result::Result<CellValue, Box<ScriptError>> {
    match guard::caught(|| evaluated(session, desk, before, code)) {
        Ok(result) => result,
        Err(fault) => Err(session.failed(fault)),
    }
}

fn evaluated(
    session: &mut Session,
    desk: &Rc<RefCell<Desk>>,
    before: &str,
    code: &str,
) -> std::result::Result<CellValue, Box<ScriptError>> {
    let value = CellValue::from(session.evaluate(before, code)?);
    let shown = value.output().map_err(|error| session.failed(error))?;
    if let Some(output) = shown {
        desk.borrow_mut().show_result(Item::Output(output));
    }
    let trouble = desk.borrow_mut().trouble.take();
    match trouble {
        Some(error) => Err(session.failed(error)),
        None => Ok(value),
    }
}
