//! How llama.cpp cuts texts before it merges bytes, by the names that GGUF files have under `tokenizer.ggml.pre`
//! (<https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp>). A text is cut by one expression after the
//! other, each time into the matches and what lies between them.

use crate::error::{Error, Result};

/// A way to cut.
pub struct PreTokenizer {
    names: &'static [&'static str],
    pub patterns: &'static [&'static str],
    /// Whether a word that is a token is taken whole, whatever the merges make of it.
    pub whole_words: bool,
    /// Whether a begin token comes first where the file does not say.
    pub begins: bool,
}

/// The ends of English words that are cut off, in either case.
macro_rules! endings {
    () => {
        r"'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])"
    };
}
/// Punctuation with the line ends after it, lines ends, and spaces but for the last one before a word.
macro_rules! marks_and_spaces {
    () => {
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    };
}
/// LLaMA 3's kind with so many digits together.
macro_rules! words_and_digits {
    ($digits:literal) => {
        concat!(endings!(), r"|[^\r\n\p{L}\p{N}]?\p{L}+|", $digits, "|", marks_and_spaces!())
    };
}
/// Words that begin with capitals apart. What is small and what is a capital is told in ASCII only, as llama.cpp has it.
macro_rules! by_capitals {
    ($after:literal, $digits:literal) => {
        concat!(
            r"[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+",
            $after,
            r"|[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*",
            $after,
            "|",
            $digits,
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )
    };
}

const GPT2: &str = r"'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const THREE_DIGITS: &str = words_and_digits!(r"\p{N}{1,3}");
const ONE_DIGIT: &str = words_and_digits!(r"\p{N}");
const BLOOM: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";
/// Chinese and Japanese letters, and the blocks up to and after them that DeepSeek takes with them.
const EASTERN: &str = r"[一-龥ࠀ-一가-퟿]+";
const DEEPSEEK3: [&str; 3] = [
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
];
/// Letters that have a case; by number where a letter has another spelling in Unicode.
const CASED: &str = r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝ\x{1F5F}-\x{1F7D}ᾀ-ᾴᾶ-ᾼ\x{1FBE}ῂ-ῄῆ-ῌ\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\x{2126}ℨ\x{212A}-\x{212D}ℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";

const fn by(names: &'static [&'static str], patterns: &'static [&'static str]) -> PreTokenizer {
    PreTokenizer { names, patterns, whole_words: false, begins: false }
}

const KNOWN: &[PreTokenizer] = &[
    by(&["default"], &[r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"]),
    PreTokenizer {
        whole_words: true,
        begins: true,
        ..by(
            &[
                "llama-bpe",
                "llama3",
                "llama-v3",
                "falcon3",
                "falcon-h1",
                "pixtral",
                "midm-2.0",
                "lfm2",
                "jina-v5-nano",
            ],
            &[THREE_DIGITS],
        )
    },
    by(&["dbrx", "smaug-bpe", "chatglm-bpe", "glm4"], &[THREE_DIGITS]),
    by(
        &[
            "qwen2",
            "deepseek-r1-qwen",
            "kormo",
            "f2llmv2",
            "megrez",
            "stablelm2",
            "hunyuan",
            "solar-open",
            "grok-2",
        ],
        &[ONE_DIGIT],
    ),
    by(
        &["qwen35"],
        &[concat!(
            endings!(),
            r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )],
    ),
    by(
        &["jais-2"],
        &[concat!(
            endings!(),
            r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)",
            r"|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s"
        )],
    ),
    PreTokenizer {
        whole_words: true,
        ..by(&["minicpm5"], &[r"\p{N}{1,3}", words_and_digits!(r"\p{N}+")])
    },
    by(&["laguna"], &[r"[^\n]+|\n+", ONE_DIGIT]),
    by(
        &["seed-coder"],
        &[concat!(
            endings!(),
            r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
        )],
    ),
    by(
        &["bailingmoe", "bailingmoe2", "llada-moe"],
        &[concat!(
            endings!(),
            r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
        )],
    ),
    by(
        &["exaone-moe"],
        &[concat!(
            endings!(),
            r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
        )],
    ),
    PreTokenizer {
        whole_words: true,
        begins: true,
        ..by(&["tekken"], &[by_capitals!("", r"\p{N}")])
    },
    by(
        &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        &[by_capitals!(r"(?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?", r"\p{N}{1,3}")],
    ),
    by(
        &[
            "gpt-2",
            "phi-2",
            "jina-es",
            "jina-de",
            "jina-v2-es",
            "jina-v2-de",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "exaone4",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
        ],
        &[GPT2],
    ),
    by(
        &[
            "starcoder",
            "refact",
            "command-r",
            "smollm",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        &[r"\p{N}", GPT2],
    ),
    by(&["falcon"], &[r"[\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"]),
    by(&["poro-chat", "bloom", "gpt3-finnish"], &[BLOOM]),
    by(&["viking"], &[BLOOM, r"\p{N}"]),
    by(
        &["deepseek-llm"],
        &[r"[\r\n]", CASED, r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+\z", EASTERN, r"\p{N}+"],
    ),
    by(&["deepseek-coder"], &[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", EASTERN, r"\p{N}"]),
    by(&["deepseek-v3", "hunyuan-dense", "joyai-llm"], &DEEPSEEK3),
    PreTokenizer {
        begins: true,
        ..by(
            &["chameleon"],
            &[
                "<sentinel:[0-9]+>",
                "IMGIMG[A-I]{1,4}Z",
                r"[\t\n]|    |  ",
                r"\p{N}",
                r"[\p{P}!-/:-@\[-`{-~]",
                GPT2,
            ],
        )
    },
];

/// Names that llama.cpp has and whose cuts are more than expressions, or whose tokens are more than bytes.
const NOT_COMPUTED: [&str; 15] = [
    "afmoe",
    "cohere2moe",
    "gemma4",
    "granite-embed-multi-311m",
    "granite-embed-multi-97m",
    "jina-v1-en",
    "jina-v2-code",
    "k2-horizon",
    "kimi-k2",
    "roberta-bpe",
    "sarvam-moe",
    "superbpe",
    "tiny_aya",
    "whitespace",
    "youtu",
];

/// The way to cut that a file names; llama.cpp's default where it names none.
pub fn named(name: Option<&str>) -> Result<&'static PreTokenizer> {
    let name = name.filter(|name| !name.is_empty()).unwrap_or("default");
    let known = KNOWN.iter().find(|known| known.names.contains(&name));
    if let Some(known) = known {
        return Ok(known);
    }
    if NOT_COMPUTED.contains(&name) {
        return Err(Error::failed_with_hint(
            format!(
                "the GGUF file cuts texts by the pre-tokenizer `{name}` of llama.cpp, which is not computed"
            ),
            "load the model from its folder in save_pretrained layout, with its tokenizer.json",
        ));
    }
    let names = KNOWN.iter().flat_map(|known| known.names.iter().copied());
    Err(Error::unknown("pre-tokenizer of a GGUF file", name, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::text::parts;
    use tokenizers::tokenizer::{
        OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _,
    };

    /// A text's pieces, with a bar between.
    fn cut(name: &str, text: &str) -> String {
        let known = named(Some(name)).unwrap();
        let json = parts::cuts(known.patterns, parts::bytes(false, false));
        let steps: tokenizers::PreTokenizerWrapper = serde_json::from_value(json).unwrap();
        let mut pieces = PreTokenizedString::from(text);
        steps.pre_tokenize(&mut pieces).unwrap();
        let places = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        let pieces: Vec<&str> =
            places.into_iter().map(|(_, (start, end), _)| &text[start..end]).collect();
        assert_eq!(pieces.concat(), text, "{name} loses nothing");
        pieces.join("|")
    }

    #[test]
    fn numbers_and_signs_are_cut_as_the_expressions_say() {
        for (name, pieces) in [
            ("default", "the| |123|45| |=| |45"),
            ("gpt-2", "the| 12345| =| 45"),
            ("llama-bpe", "the| |123|45| =| |45"),
            ("smaug-bpe", "the| |123|45| =| |45"),
            ("deepseek-r1-qwen", "the| |1|2|3|4|5| =| |4|5"),
            ("starcoder", "the| |1|2|3|4|5| =| |4|5"),
            ("falcon", "the| |123|45| |=| 45"),
            ("deepseek-coder", "the| |1|2|3|4|5| = |4|5"),
            ("deepseek-llm", "the| |12345| =| |45"),
            ("deepseek-v3", "the| |123|45| =| |45"),
            ("tekken", "the| |1|2|3|4|5| =| |4|5"),
            ("gpt-4o", "the| |123|45| =| |45"),
            ("bloom", "the| 12345| =| 45"),
            ("viking", "the| |1|2|3|4|5| =| |4|5"),
        ] {
            assert_eq!(cut(name, "the 12345 = 45"), pieces, "{name}");
        }
        assert_eq!(cut("gpt-4o", "HelloWorld's end"), "Hello|World's| end");
        assert_eq!(cut("tekken", "HelloWorld's end"), "Hello|World|'s| end");
        assert_eq!(cut("llama-bpe", "It'S  so\n\n x"), "It|'S| | so|\n\n| x");
        assert_eq!(cut("gpt-2", "It's  so\n\n x"), "It|'s| | so|\n\n| x");
    }

    #[test]
    fn every_expression_can_be_built_and_loses_no_letter() {
        let text = "L'\u{e9}cole \u{6771}\u{4eac} na\u{ef}ve 3.14\r\n\t<a href='#'>\u{1f642} \u{3000}End.  ";
        for name in KNOWN.iter().flat_map(|known| known.names) {
            cut(name, text);
        }
    }

    #[test]
    fn every_name_stands_once() {
        let names = KNOWN.iter().flat_map(|known| known.names);
        let mut names: Vec<&str> = names.copied().chain(NOT_COMPUTED).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
