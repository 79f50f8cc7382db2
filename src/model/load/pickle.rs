//! Pickles of weights (<https://docs.python.org/3/library/pickletools.html>), read as data: what would be called is looked up
//! in a short list, and nothing is called.
//!
//! Objects live in one list and name each other by their place, so that neither nesting nor sharing costs more than the file
//! is long.

use std::collections::HashMap;

use super::cursor::Cursor;

/// A tensor as torch describes it: elements of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The storage's name in the archive.
    pub key: String,
    /// The storage's kind: "FloatStorage".
    pub kind: String,
    /// Elements from the storage's beginning.
    pub offset: usize,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
}

/// What is wrong with a pickle, as the end of a sentence.
pub type Why<T> = Result<T, String>;
/// The place of an object.
pub type Id = usize;

#[derive(Clone, Debug)]
pub enum Object {
    Mark,
    None,
    /// A value that weights are not described by.
    Plain,
    Int(i64),
    Text(String),
    /// Something of a module, by name.
    Named(String, String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Storage {
        kind: String,
        key: String,
    },
    Tensor(Described),
}

/// What is run, and what it has made so far.
pub struct Machine<'a> {
    pub source: Cursor<'a>,
    pub objects: Vec<Object>,
    stack: Vec<Id>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    pub fn over(bytes: &'a [u8]) -> Self {
        Self {
            source: Cursor::over(bytes),
            objects: Vec::new(),
            stack: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// Runs to the end, and gives what is on top.
    pub fn run(&mut self) -> Why<Id> {
        loop {
            match self.source.byte()? {
                b'.' => return self.pop(),
                code => self.step(code)?,
            }
        }
    }

    fn step(&mut self, code: u8) -> Why<()> {
        match code {
            0x80 => drop(self.source.take(1)?),
            0x95 => drop(self.source.take(8)?),
            b'(' => self.push(Object::Mark),
            b'N' => self.push(Object::None),
            0x88 | 0x89 => self.push(Object::Plain),
            b'K' => {
                let number = self.source.byte()?;
                self.push(Object::Int(i64::from(number)));
            }
            b'M' => {
                let number = self.source.number(2)?;
                self.push(Object::Int(number as i64));
            }
            b'J' => {
                let number = self.source.number(4)?;
                self.push(Object::Int(i64::from(number as u32 as i32)));
            }
            0x8a => {
                let number = self.source.long()?;
                self.push(Object::Int(number));
            }
            b'G' => {
                self.source.take(8)?;
                self.push(Object::Plain);
            }
            b'X' | 0x8c => {
                let text = self.source.text(if code == b'X' { 4 } else { 1 })?;
                self.push(Object::Text(text));
            }
            b'c' => {
                let (module, name) = (self.source.line()?, self.source.line()?);
                self.push(Object::Named(module, name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let named = Object::Named(self.read_text(module)?, self.read_text(name)?);
                self.push(named);
            }
            b'q' => self.remember(1)?,
            b'r' => self.remember(4)?,
            0x94 => {
                let (next, top) = (self.memo.len() as u64, self.top()?);
                self.memo.insert(next, top);
            }
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            b')' => self.push(Object::Tuple(Vec::new())),
            b']' => self.push(Object::List(Vec::new())),
            b'}' => self.push(Object::Dict(Vec::new())),
            b't' => {
                let items = self.since_mark()?;
                self.push(Object::Tuple(items));
            }
            0x85..=0x87 => {
                let start = self.stack.len().checked_sub(usize::from(code - 0x84));
                let start = start.ok_or("it takes more than there is")?;
                let items = self.stack.split_off(start);
                self.push(Object::Tuple(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.extend(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.insert(&items)?;
            }
            b'd' => {
                let items = self.since_mark()?;
                self.push(Object::Dict(Vec::new()));
                self.insert(&items)?;
            }
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            // The attributes of an ordered map: torch keeps versions there.
            b'b' => {
                self.pop()?;
                let top = self.top()?;
                if !matches!(self.object(top)?, Object::Dict(_)) {
                    return Err("it sets the state of an object".to_string());
                }
            }
            0x81 | b'i' | b'o' | 0x92 => return Err("it makes objects of classes".to_string()),
            other => {
                return Err(format!(
                    "it has the instruction {other:#04x}, which weights do not need"
                ));
            }
        }
        Ok(())
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn pop(&mut self) -> Why<Id> {
        self.stack.pop().ok_or_else(|| "it takes more than there is".to_string())
    }

    fn top(&self) -> Why<Id> {
        self.stack.last().copied().ok_or_else(|| "it takes more than there is".to_string())
    }

    pub fn object(&self, id: Id) -> Why<&Object> {
        self.objects.get(id).ok_or_else(|| "it names what is not there".to_string())
    }

    fn remember(&mut self, size: usize) -> Why<()> {
        let (place, top) = (self.source.number(size)?, self.top()?);
        self.memo.insert(place, top);
        Ok(())
    }

    fn recall(&mut self, size: usize) -> Why<()> {
        let place = self.source.number(size)?;
        let id = self.memo.get(&place).ok_or("it recalls what it never kept")?;
        self.stack.push(*id);
        Ok(())
    }

    fn since_mark(&mut self) -> Why<Vec<Id>> {
        let is_mark = |id: &Id| matches!(self.objects.get(*id), Some(Object::Mark));
        let mark = self.stack.iter().rposition(is_mark).ok_or("it goes back to no mark")?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn extend(&mut self, items: Vec<Id>) -> Why<()> {
        let top = self.top()?;
        match self.objects.get_mut(top) {
            Some(Object::List(list)) => list.extend(items),
            _ => return Err("it appends to what is no list".to_string()),
        }
        Ok(())
    }

    fn insert(&mut self, items: &[Id]) -> Why<()> {
        let top = self.top()?;
        let Some(Object::Dict(entries)) = self.objects.get_mut(top) else {
            return Err("it puts entries into what is no map".to_string());
        };
        let (pairs, rest) = items.as_chunks::<2>();
        entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        if rest.is_empty() { Ok(()) } else { Err("it has a key without a value".to_string()) }
    }

    pub fn read_text(&self, id: Id) -> Why<String> {
        match self.object(id)? {
            Object::Text(text) => Ok(text.clone()),
            _ => Err("it has something else where a text belongs".to_string()),
        }
    }

    fn read_size(&self, id: Id) -> Why<usize> {
        match self.object(id)? {
            Object::Int(number) => {
                usize::try_from(*number).map_err(|_| format!("it has the size {number}"))
            }
            _ => Err("it has something else where a size belongs".to_string()),
        }
    }

    fn read_tuple(&self, id: Id) -> Why<&[Id]> {
        match self.object(id)? {
            Object::Tuple(items) => Ok(items),
            _ => Err("it has something else where a tuple belongs".to_string()),
        }
    }

    fn read_sizes(&self, id: Id) -> Why<Vec<usize>> {
        let items = self.read_tuple(id)?;
        if items.len() > 8 {
            return Err(format!("it has a tensor of {} dimensions", items.len()));
        }
        items.iter().map(|item| self.read_size(*item)).collect()
    }

    /// ("storage", class, key, device, elements)
    fn storage(&mut self) -> Why<()> {
        let id = self.pop()?;
        let [_, class, key, rest @ ..] = self.read_tuple(id)? else {
            return Err("it describes a storage in too few words".to_string());
        };
        // Before torch 1.6 a storage could be a view into another one; that is what the last of six says.
        if let [_, _, view, ..] = rest
            && !matches!(self.object(*view)?, Object::None)
        {
            return Err("it has a storage within another one".to_string());
        }
        let kind = match self.object(*class)? {
            Object::Named(module, name) if module == "torch" => name.clone(),
            _ => return Err("it has a storage that is none of torch's".to_string()),
        };
        let key = self.read_text(*key)?;
        self.push(Object::Storage { kind, key });
        Ok(())
    }

    /// The calls that torch.save writes for weights, by what they mean; any other is refused.
    fn reduce(&mut self) -> Why<()> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let Object::Named(module, name) = self.object(callable)? else {
            return Err("it calls something that has no name".to_string());
        };
        let made = match (module.as_str(), name.as_str()) {
            ("collections", "OrderedDict") => Object::Dict(Vec::new()),
            ("torch._utils", "_rebuild_tensor_v2") => {
                let [storage, offset, shape, stride, ..] = self.read_tuple(arguments)? else {
                    return Err("it describes a tensor in too few words".to_string());
                };
                let Object::Storage { kind, key } = self.object(*storage)? else {
                    return Err("it has a tensor without a storage".to_string());
                };
                Object::Tensor(Described {
                    key: key.clone(),
                    kind: kind.clone(),
                    offset: self.read_size(*offset)?,
                    shape: self.read_sizes(*shape)?,
                    stride: self.read_sizes(*stride)?,
                })
            }
            ("torch._utils", "_rebuild_parameter") => {
                let first = self.read_tuple(arguments)?.first().copied();
                let first = first.ok_or("it describes a parameter in too few words")?;
                self.stack.push(first);
                return Ok(());
            }
            (module, name) => {
                let called: String = format!("{module}.{name}").chars().take(80).collect();
                return Err(format!("it asks to call {called:?}"));
            }
        };
        self.push(made);
        Ok(())
    }
}
