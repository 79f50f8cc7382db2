//! The Porter stemmer (Porter 1980) with NLTK's extensions, which is what the rouge_score package stems with.
//!
//! The extensions: a small pool of irregular words; words of one or two letters stay; `-ies` and `-ied` of four-letter
//! words keep their `ie`; `y` becomes `i` after a consonant only; step 2 knows `-bli`, `-alli`, `-fulli` and `-logi`; a
//! two-letter stem of vowel and consonant counts as ending consonant-vowel-consonant.

/// Irregular words and their stems.
const POOL: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// A suffix, what replaces it, and the measure that the stem must exceed.
type Rule = (&'static str, &'static str, usize);

const STEP_2: [Rule; 21] = [
    ("ational", "ate", 0),
    ("tional", "tion", 0),
    ("enci", "ence", 0),
    ("anci", "ance", 0),
    ("izer", "ize", 0),
    ("bli", "ble", 0),
    ("alli", "al", 0),
    ("entli", "ent", 0),
    ("eli", "e", 0),
    ("ousli", "ous", 0),
    ("ization", "ize", 0),
    ("ation", "ate", 0),
    ("ator", "ate", 0),
    ("alism", "al", 0),
    ("iveness", "ive", 0),
    ("fulness", "ful", 0),
    ("ousness", "ous", 0),
    ("aliti", "al", 0),
    ("iviti", "ive", 0),
    ("biliti", "ble", 0),
    ("fulli", "ful", 0),
];

const STEP_3: [Rule; 7] = [
    ("icate", "ic", 0),
    ("ative", "", 0),
    ("alize", "al", 0),
    ("iciti", "ic", 0),
    ("ical", "ic", 0),
    ("ful", "", 0),
    ("ness", "", 0),
];

const STEP_4: [Rule; 19] = [
    ("al", "", 1),
    ("ance", "", 1),
    ("ence", "", 1),
    ("er", "", 1),
    ("ic", "", 1),
    ("able", "", 1),
    ("ible", "", 1),
    ("ant", "", 1),
    ("ement", "", 1),
    ("ment", "", 1),
    ("ent", "", 1),
    ("ion", "", 1),
    ("ou", "", 1),
    ("ism", "", 1),
    ("ate", "", 1),
    ("iti", "", 1),
    ("ous", "", 1),
    ("ive", "", 1),
    ("ize", "", 1),
];

/// The stem of a word, in lower case.
pub fn stem(word: &str) -> String {
    let word = word.to_lowercase();
    if let Some((_, stem)) = POOL.iter().find(|(known, _)| *known == word) {
        return (*stem).to_string();
    }
    if word.chars().count() <= 2 {
        return word;
    }
    let word = step_1a(word);
    let word = step_1b(word);
    let word = step_1c(word);
    let word = step_2(word);
    let word = by_rules(word, &STEP_3);
    let word = step_4(word);
    let word = step_5a(word);
    step_5b(word)
}

fn letters(word: &str) -> Vec<char> {
    word.chars().collect()
}

fn consonant(word: &[char], place: usize) -> bool {
    match word.get(place) {
        Some('a' | 'e' | 'i' | 'o' | 'u') => false,
        Some('y') => place == 0 || !consonant(word, place - 1),
        _ => true,
    }
}

/// Porter's measure: how many times a vowel is followed by a consonant.
fn measure(word: &str) -> usize {
    let word = letters(word);
    (1..word.len()).filter(|i| !consonant(&word, i - 1) && consonant(&word, *i)).count()
}

fn has_vowel(word: &str) -> bool {
    let word = letters(word);
    (0..word.len()).any(|i| !consonant(&word, i))
}

fn doubled_consonant(word: &str) -> Option<char> {
    let word = letters(word);
    let last = word.len().checked_sub(1)?;
    let before = word.get(last.checked_sub(1)?)?;
    let letter = word.get(last)?;
    (letter == before && consonant(&word, last)).then_some(*letter)
}

fn ends_in_short_syllable(word: &str) -> bool {
    let word = letters(word);
    let n = word.len();
    let closed = n >= 3
        && consonant(&word, n - 3)
        && !consonant(&word, n - 2)
        && consonant(&word, n - 1)
        && !matches!(word.last(), Some('w' | 'x' | 'y'));
    closed || (n == 2 && !consonant(&word, 0) && consonant(&word, 1))
}

/// The first rule whose suffix fits decides, whether its measure holds or not.
fn by_rules(word: String, rules: &[Rule]) -> String {
    for (suffix, replacement, least) in rules {
        if let Some(stem) = word.strip_suffix(suffix) {
            return if measure(stem) > *least { format!("{stem}{replacement}") } else { word };
        }
    }
    word
}

fn step_1a(word: String) -> String {
    match word.strip_suffix("ies") {
        Some(stem) if word.chars().count() == 4 => return format!("{stem}ie"),
        Some(stem) => return format!("{stem}i"),
        None => {}
    }
    if word.ends_with("ss") {
        return word;
    }
    match (word.strip_suffix("sses"), word.strip_suffix('s')) {
        (Some(stem), _) => format!("{stem}ss"),
        (None, Some(stem)) => stem.to_string(),
        (None, None) => word,
    }
}

fn step_1b(word: String) -> String {
    if let Some(stem) = word.strip_suffix("ied") {
        let ending = if word.chars().count() == 4 { "ie" } else { "i" };
        return format!("{stem}{ending}");
    }
    if let Some(stem) = word.strip_suffix("eed") {
        return if measure(stem) > 0 { format!("{stem}ee") } else { word };
    }
    let stem = ["ed", "ing"]
        .iter()
        .find_map(|suffix| word.strip_suffix(suffix).filter(|stem| has_vowel(stem)));
    let Some(stem) = stem else {
        return word;
    };
    for (suffix, replacement) in [("at", "ate"), ("bl", "ble"), ("iz", "ize")] {
        if let Some(base) = stem.strip_suffix(suffix) {
            return format!("{base}{replacement}");
        }
    }
    match doubled_consonant(stem) {
        Some('l' | 's' | 'z') => return stem.to_string(),
        Some(letter) => return stem.strip_suffix(letter).unwrap_or(stem).to_string(),
        None => {}
    }
    if measure(stem) == 1 && ends_in_short_syllable(stem) {
        format!("{stem}e")
    } else {
        stem.to_string()
    }
}

fn step_1c(word: String) -> String {
    if let Some(stem) = word.strip_suffix('y') {
        let before = letters(stem);
        if before.len() > 1 && consonant(&before, before.len() - 1) {
            return format!("{stem}i");
        }
    }
    word
}

fn step_2(word: String) -> String {
    if let Some(stem) = word.strip_suffix("alli")
        && measure(stem) > 0
    {
        return step_2(format!("{stem}al"));
    }
    let ruled = STEP_2.iter().any(|(suffix, ..)| word.ends_with(suffix));
    if let (false, Some(stem)) =
        (ruled, word.strip_suffix("ogi").filter(|stem| stem.ends_with('l')))
    {
        // The measure counts the `l`, so that "logi" itself is a stem of its own.
        return if measure(stem) > 0 { format!("{stem}og") } else { word };
    }
    by_rules(word, &STEP_2)
}

fn step_4(word: String) -> String {
    let fits = |suffix: &str| word.ends_with(suffix);
    let first = STEP_4.iter().find(|(suffix, ..)| fits(suffix));
    if let Some(("ion", ..)) = first {
        let stem = word.strip_suffix("ion").unwrap_or(&word);
        return if measure(stem) > 1 && stem.ends_with(['s', 't']) {
            stem.to_string()
        } else {
            word
        };
    }
    by_rules(word, &STEP_4)
}

fn step_5a(word: String) -> String {
    if let Some(stem) = word.strip_suffix('e') {
        let measure = measure(stem);
        if measure > 1 || (measure == 1 && !ends_in_short_syllable(stem)) {
            return stem.to_string();
        }
    }
    word
}

fn step_5b(word: String) -> String {
    match word.strip_suffix('l') {
        Some(stem) if stem.ends_with('l') && measure(stem) > 1 => stem.to_string(),
        _ => word,
    }
}
