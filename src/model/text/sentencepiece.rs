//! SentencePiece's `tokenizer.model`: a protocol buffer
//! (<https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto>), of which the few fields are read
//! that a tokenizer is made from. Nothing in it is believed before it is checked.

use crate::error::{Error, Result};

/// How a model cuts texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Unigram,
    Bpe,
}

/// What a piece is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// No text, such as the begin token.
    Control,
    /// Never cut, whatever stands around it.
    UserDefined,
}

#[derive(Clone, Debug)]
pub struct Piece {
    pub text: String,
    pub score: f32,
    pub kind: Kind,
}

/// A model as its file describes it.
#[derive(Clone, Debug)]
pub struct PieceModel {
    pub pieces: Vec<Piece>,
    pub algorithm: Algorithm,
    pub byte_fallback: bool,
    /// The pieces of these names, `None` where the model has none.
    pub unknown: Option<String>,
    pub begin: Option<String>,
    pub end: Option<String>,
    pub unknown_id: usize,
    /// How characters are normalized first, in SentencePiece's own packing; empty for not at all.
    pub normalization: Vec<u8>,
}

impl PieceModel {
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let refuse = |why: String| {
            Error::failed_with_hint(
                format!("tokenizer.model is not a whole SentencePiece model: {why}"),
                "copy or download it again, or give the model's tokenizer.json",
            )
        };
        let model = model(bytes).map_err(refuse)?;
        if model.pieces.is_empty() {
            Err(refuse("it has no pieces".to_string()))
        } else {
            Ok(model)
        }
    }
}

/// What is wrong with a file, as the end of a sentence.
type Why<T> = std::result::Result<T, String>;

/// The value of a field.
enum Field<'a> {
    Whole(u64),
    Single(f32),
    Bytes(&'a [u8]),
    Double,
}

impl<'a> Field<'a> {
    fn bytes(&self, name: &str) -> Why<&'a [u8]> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            _ => Err(format!("its {name} is a number")),
        }
    }

    fn text(&self, name: &str) -> Why<String> {
        let text = std::str::from_utf8(self.bytes(name)?);
        text.map(str::to_string).map_err(|_| format!("its {name} is not UTF-8"))
    }

    fn whole(&self, name: &str) -> Why<u64> {
        match self {
            Field::Whole(number) => Ok(*number),
            _ => Err(format!("its {name} is no whole number")),
        }
    }

    /// Where something is among the pieces; negative for nowhere.
    fn place(&self, name: &str) -> Why<Option<usize>> {
        Ok(usize::try_from(self.whole(name)? as i64).ok())
    }
}

/// The fields of a message, in order.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: u64) -> Why<&'a [u8]> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        match self.0.split_at_checked(count) {
            Some((taken, rest)) => {
                self.0 = rest;
                Ok(taken)
            }
            None => Err("it ends in the middle".to_string()),
        }
    }

    /// A number in groups of seven bits, the lowest first.
    fn number(&mut self) -> Why<u64> {
        let mut number = 0;
        for group in 0..10 {
            let byte = self.take(1)?.first().copied().unwrap_or(0);
            number |= u64::from(byte & 0x7f) << (7 * group);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("it has a number of more than ten bytes".to_string())
    }

    fn next(&mut self) -> Why<Option<(u64, Field<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.number()?;
        let field = match tag & 7 {
            0 => Field::Whole(self.number()?),
            1 => {
                self.take(8)?;
                Field::Double
            }
            2 => {
                let count = self.number()?;
                Field::Bytes(self.take(count)?)
            }
            5 => {
                let bytes = self.take(4)?.try_into().unwrap_or_default();
                Field::Single(f32::from_le_bytes(bytes))
            }
            other => return Err(format!("it has a field of the unknown kind {other}")),
        };
        Ok(Some((tag >> 3, field)))
    }
}

fn model(bytes: &[u8]) -> Why<PieceModel> {
    let mut model = PieceModel {
        pieces: Vec::new(),
        algorithm: Algorithm::Unigram,
        byte_fallback: false,
        unknown: None,
        begin: None,
        end: None,
        unknown_id: 0,
        normalization: Vec::new(),
    };
    let mut names = Names::default();
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => model.pieces.push(piece(field.bytes("piece")?)?),
            2 => trainer(field.bytes("trainer_spec")?, &mut model, &mut names)?,
            3 => normalizer(field.bytes("normalizer_spec")?, &mut model)?,
            _ => {}
        }
    }
    let text = |name: &(Option<usize>, String)| name.0.map(|_| name.1.clone());
    model.unknown = text(&names.unknown);
    model.begin = text(&names.begin);
    model.end = text(&names.end);
    model.unknown_id = names.unknown.0.unwrap_or(0);
    Ok(model)
}

fn piece(bytes: &[u8]) -> Why<Piece> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: Kind::Plain };
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match (number, &field) {
            (1, _) => piece.text = field.text("piece")?,
            (2, Field::Single(score)) => piece.score = *score,
            (2, _) => return Err("the score of a piece is no number of four bytes".to_string()),
            (3, _) => {
                piece.kind = match field.whole("type of a piece")? {
                    3 => Kind::Control,
                    4 => Kind::UserDefined,
                    _ => Kind::Plain,
                }
            }
            _ => {}
        }
    }
    if piece.score.is_finite() {
        Ok(piece)
    } else {
        Err(format!("the score of the piece {:?} is no number", piece.text))
    }
}

/// The special pieces: where they are and their texts, with the format's defaults.
struct Names {
    unknown: (Option<usize>, String),
    begin: (Option<usize>, String),
    end: (Option<usize>, String),
}

impl Default for Names {
    fn default() -> Self {
        Self {
            unknown: (Some(0), "<unk>".to_string()),
            begin: (Some(1), "<s>".to_string()),
            end: (Some(2), "</s>".to_string()),
        }
    }
}

fn trainer(bytes: &[u8], model: &mut PieceModel, names: &mut Names) -> Why<()> {
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            3 => {
                model.algorithm = match field.whole("model_type")? {
                    1 => Algorithm::Unigram,
                    2 => Algorithm::Bpe,
                    _ => {
                        return Err(
                            "it is of whole words or characters, which is not read".to_string()
                        );
                    }
                }
            }
            35 => model.byte_fallback = field.whole("byte_fallback")? != 0,
            40 => names.unknown.0 = field.place("unk_id")?,
            41 => names.begin.0 = field.place("bos_id")?,
            42 => names.end.0 = field.place("eos_id")?,
            45 => names.unknown.1 = field.text("unk_piece")?,
            46 => names.begin.1 = field.text("bos_piece")?,
            47 => names.end.1 = field.text("eos_piece")?,
            _ => {}
        }
    }
    Ok(())
}

fn normalizer(bytes: &[u8], model: &mut PieceModel) -> Why<()> {
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        if number == 2 {
            model.normalization = field.bytes("precompiled_charsmap")?.to_vec();
        }
    }
    Ok(())
}
