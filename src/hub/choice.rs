//! Which files of a repository make a model: the small ones by name, and its weights in one format.

use super::listed::Listed;

/// Configuration, tokenizer, adapter and our own note of how the model came to be.
const SMALL: [&str; 8] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "adapter_config.json",
    "adapter_model.safetensors",
    "ebb.json",
];

/// What a tokenizer is made from where there is no `tokenizer.json`.
const TOKENIZER_PARTS: [&str; 6] = [
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "special_tokens_map.json",
    "added_tokens.json",
];

/// What an encoder's tokenizer is made from where there is no `tokenizer.json`.
const ENCODER_PARTS: [&str; 3] = ["vocab.txt", "vocab.json", "merges.txt"];

/// The configuration and the tokenizer alone, of the files at the top of the repository.
pub fn tokenizer_files(listed: &[Listed]) -> Vec<&Listed> {
    let there = |name: &str| listed.iter().any(|file| file.path == name);
    let parts =
        if there("tokenizer.json") { ["tokenizer.json"].as_slice() } else { &ENCODER_PARTS };
    let wanted = |file: &&Listed| {
        let name = file.path.as_str();
        ["config.json", "tokenizer_config.json"].contains(&name) || parts.contains(&name)
    };
    listed.iter().filter(wanted).collect()
}

/// The files to fetch, of those at the top of the repository. Weights come as safetensors; only where there are none, as
/// PyTorch's files; only where there are none either, as the largest (which is the most precise) GGUF file.
pub fn model_files(listed: &[Listed]) -> Vec<&Listed> {
    let top: Vec<&Listed> = listed
        .iter()
        .filter(|file| !file.path.contains(['/', '\\']) && !file.path.starts_with('.'))
        .collect();
    let whole_tokenizer = top.iter().any(|file| file.path == "tokenizer.json");
    let small = top.iter().filter(|file| {
        let name = file.path.as_str();
        SMALL.contains(&name) || (!whole_tokenizer && TOKENIZER_PARTS.contains(&name))
    });
    let mut chosen: Vec<&Listed> = small.copied().collect();
    let weights = [("model", ".safetensors"), ("pytorch_model", ".bin")]
        .into_iter()
        .map(|(stem, ending)| weights(&top, stem, ending))
        .find(|found| !found.is_empty());
    let largest = || {
        let quantized = top.iter().filter(|file| file.path.ends_with(".gguf"));
        let largest = quantized.max_by_key(|file| file.size);
        largest.copied().into_iter().collect()
    };
    chosen.extend(weights.unwrap_or_else(largest));
    chosen
}

/// Weights of one format: the one file, else the index with its shards, else whatever has the ending.
fn weights<'a>(top: &[&'a Listed], stem: &str, ending: &str) -> Vec<&'a Listed> {
    let named = |name: String| top.iter().filter(move |file| file.path == name).copied();
    let whole: Vec<&Listed> = named(format!("{stem}{ending}")).collect();
    if !whole.is_empty() {
        return whole;
    }
    let shard = |file: &&&Listed| {
        let middle = file.path.strip_prefix(stem);
        let middle = middle.and_then(|rest| rest.strip_suffix(ending));
        middle.is_some_and(|middle| middle.starts_with('-') && middle.contains("-of-"))
    };
    let mut parts: Vec<&Listed> = named(format!("{stem}{ending}.index.json")).collect();
    if !parts.is_empty() {
        parts.extend(top.iter().filter(shard));
        return parts;
    }
    // Other names are kept for safetensors only: a .bin may be anything, an optimiser's state for one.
    let other = |file: &&&Listed| {
        ending == ".safetensors"
            && file.path.ends_with(ending)
            && !SMALL.contains(&file.path.as_str())
    };
    top.iter().filter(other).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[(&str, u64)]) -> Vec<String> {
        let listed: Vec<Listed> = names
            .iter()
            .map(|(path, size)| Listed { path: path.to_string(), size: *size })
            .collect();
        let mut chosen: Vec<String> =
            model_files(&listed).into_iter().map(|file| file.path.clone()).collect();
        chosen.sort();
        chosen
    }

    #[test]
    fn weights_come_in_one_format_and_nothing_else_is_fetched() {
        let common =
            [("config.json", 1), ("README.md", 1), ("train.py", 1), ("onnx/model.safetensors", 9)];
        let with = |more: &[(&str, u64)]| chosen(&[&common[..], more].concat());
        assert_eq!(
            with(&[
                ("model.safetensors", 5),
                ("pytorch_model.bin", 5),
                ("a.gguf", 5),
                ("model.fp16.safetensors", 5)
            ]),
            ["config.json", "model.safetensors"]
        );
        assert_eq!(
            with(&[
                ("model.safetensors.index.json", 1),
                ("model-00001-of-00002.safetensors", 5),
                ("model-00002-of-00002.safetensors", 5),
                ("consolidated.safetensors", 9),
            ]),
            [
                "config.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
                "model.safetensors.index.json"
            ]
        );
        assert_eq!(
            with(&[("pytorch_model.bin", 5), ("training_args.bin", 5), ("a.gguf", 5)]),
            ["config.json", "pytorch_model.bin"]
        );
        let parts = [("tokenizer.model", 1), ("vocab.json", 1), ("added_tokens.json", 1)];
        assert_eq!(
            with(&parts),
            ["added_tokens.json", "config.json", "tokenizer.model", "vocab.json"]
        );
        assert_eq!(
            with(&[&parts[..], &[("tokenizer.json", 1)]].concat()),
            ["config.json", "tokenizer.json"]
        );
        assert_eq!(with(&[("q4.gguf", 4), ("f16.gguf", 9)]), ["config.json", "f16.gguf"]);
        assert_eq!(
            chosen(&[
                ("adapter_config.json", 1),
                ("adapter_model.safetensors", 1),
                ("optimizer.bin", 1)
            ]),
            ["adapter_config.json", "adapter_model.safetensors"]
        );
    }
}
