//! safetensors files whose headers lie.

use serde_json::{Value, json};

use super::Spoilt;

const WEIGHTS: &str = "model.safetensors";

/// A file with that header and so many bytes of values.
fn with_header(header: &[u8], values: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.resize(bytes.len() + values, 0);
    bytes
}

fn refused(header: &str, values: usize, expected: &str) {
    let spoilt = Spoilt::new();
    spoilt.write(WEIGHTS, with_header(header.as_bytes(), values));
    spoilt.refused(expected);
}

#[test]
fn lengths_that_lie_are_told() {
    let spoilt = Spoilt::new();
    spoilt.write(WEIGHTS, "").refused("shorter than its first number");
    spoilt.write(WEIGHTS, [0xff; 8]).refused("its header should take 18446744073709551615 bytes");
    let announced = [(100u64 << 20).to_le_bytes().to_vec(), b"{}".to_vec()].concat();
    spoilt
        .write(WEIGHTS, announced)
        .refused("its header should take 104857600 bytes and 2 are there");
    let long = with_header(&vec![b' '; 100 << 20], 0);
    spoilt.write(WEIGHTS, long).refused("longer than 33554432");
    let whole = std::fs::read(Spoilt::new().file(WEIGHTS)).unwrap();
    for cut in [4, 9, 100, whole.len() / 2, whole.len() - 1] {
        spoilt.write(WEIGHTS, &whole[..cut]).refused("is not a whole safetensors file");
    }
    spoilt.write(WEIGHTS, [whole, vec![0; 3]].concat()).refused("its tensors take ");
}

#[test]
fn headers_that_are_none_are_told() {
    for header in ["", "{", "[]", "7", "{\"a\": 1}", "{\"a\": {\"dtype\": \"F32\"}}", "\u{feff}{}"]
    {
        refused(header, 0, "is not a whole safetensors file");
    }
    let deep = format!("{{\"__metadata__\": {}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
    refused(&deep, 0, "is not a whole safetensors file");
    let spoilt = Spoilt::new();
    spoilt.write(WEIGHTS, with_header(&[0xc3, 0x28, 0x7b, 0x7d], 0));
    spoilt.refused("is not a whole safetensors file");
}

#[test]
fn tensors_that_do_not_fit_their_bytes_are_told() {
    let tensor = |shape: Value, from: i64, to: i64| {
        json!({ "a": { "dtype": "F32", "shape": shape, "data_offsets": [from, to] } }).to_string()
    };
    let fill = "is not a whole safetensors file";
    refused(&tensor(json!([2]), 0, 4), 4, fill);
    refused(&tensor(json!([1]), 4, 8), 8, fill);
    refused(&tensor(json!([1]), 8, 4), 8, fill);
    refused(&tensor(json!([1]), 0, 400), 4, "is not a whole safetensors file");
    refused(&tensor(json!([-1]), 0, 4), 4, "is not a whole safetensors file");
    refused(&tensor(json!([1]), -4, 0), 4, "is not a whole safetensors file");
    refused(&tensor(json!([1u64 << 62, 8]), 0, 4), 4, fill);
    refused(&tensor(json!([1.5]), 0, 4), 4, "is not a whole safetensors file");
    let over = json!({
        "a": { "dtype": "F32", "shape": [2], "data_offsets": [0, 8] },
        "b": { "dtype": "F32", "shape": [2], "data_offsets": [4, 12] },
    });
    refused(&over.to_string(), 12, fill);
    let strange = json!({ "a": { "dtype": "F99", "shape": [1], "data_offsets": [0, 4] } });
    refused(&strange.to_string(), 4, "is not a whole safetensors file");
    let names =
        json!({ "a\u{1b}[31m\u{202e}": { "dtype": "F32", "shape": [2], "data_offsets": [0, 4] } });
    let spoilt = Spoilt::new();
    spoilt.write(WEIGHTS, with_header(names.to_string().as_bytes(), 4));
    let message = spoilt.load().err().unwrap();
    assert!(!message.contains(['\u{1b}', '\u{202e}']), "{message:?}");
}

#[test]
fn an_index_names_files_beside_it_only() {
    let spoilt = Spoilt::new();
    spoilt.remove(WEIGHTS);
    let index = |map: Value| json!({ "weight_map": map }).to_string();
    let name = "model.safetensors.index.json";
    for path in
        ["../../etc/passwd", "/etc/passwd", "..\\x.safetensors", "a/b.safetensors", "x.txt", ""]
    {
        spoilt.write(name, index(json!({ "a": path }))).refused("no file beside it");
    }
    spoilt
        .write(name, index(json!({ "a": "gone.safetensors" })))
        .refused("lacks its part gone.safetensors");
    for broken in ["", "{", "[]", "{\"weight_map\": []}"] {
        spoilt.write(name, broken).refused("no readable weight_map");
    }
    let whole = std::fs::read(Spoilt::new().file(WEIGHTS)).unwrap();
    spoilt.write("one.safetensors", &whole).write("two.safetensors", &whole);
    spoilt.write(name, index(json!({ "a": "one.safetensors", "b": "two.safetensors" })));
    spoilt.refused("two of the weight files hold");
}
