//! torch.save archives: the weights in one that torch wrote, and pickles that mean harm.

use ebb::model::config::Config;
use ebb::model::load;

use super::Spoilt;
use crate::support::{bits, cpu, fixture, tiny};

const NAME: &str = "pytorch_model.bin";

#[test]
fn the_weights_that_torch_saved_are_those_of_the_safetensors() {
    let spoilt = Spoilt::new();
    spoilt.remove("model.safetensors");
    std::fs::copy(fixture("tiny-llama.bin"), spoilt.file(NAME)).unwrap();
    assert!(bits(&spoilt.load().unwrap()) == bits(&tiny()));
    // In shards, each tensor in both: the index says where to look.
    std::fs::rename(spoilt.file(NAME), spoilt.file("part-1.bin")).unwrap();
    let index = serde_json::json!({ "weight_map": { "model.norm.weight": "part-1.bin" } });
    spoilt.write("pytorch_model.bin.index.json", index.to_string());
    let again = load::from_folder(spoilt.path(), &cpu()).unwrap();
    assert!(bits(&again) == bits(&tiny()));
}

/// A zip of uncompressed entries, made by hand: local headers, a central directory, its end.
fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let mut common = Vec::new();
        for field in [20u16, 0, 0, 0, 0x21] {
            common.extend(field.to_le_bytes());
        }
        common.extend(crc32(bytes).to_le_bytes());
        common.extend((bytes.len() as u32).to_le_bytes());
        common.extend((bytes.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        central.extend(b"PK\x01\x02\x14\x00");
        central.extend(&common);
        central.extend([0; 10]);
        central.extend((out.len() as u32).to_le_bytes());
        central.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(*bytes);
    }
    let start = out.len() as u32;
    out.extend(&central);
    out.extend(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend((central.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[track_caller]
fn refused(pickle: &[u8], expected: &str) {
    let spoilt = Spoilt::new();
    spoilt.remove("model.safetensors");
    spoilt.write(NAME, zipped(&[("m/data.pkl", pickle), ("m/data/0", &[0; 16])]));
    spoilt.refused(expected);
}

#[test]
fn pickles_that_ask_to_run_something_are_refused() {
    refused(b"\x80\x02cos\nsystem\nX\x04\0\0\0echo\x85R.", "it asks to call \"os.system\"");
    refused(b"c__builtin__\neval\nX\x03\0\0\x001+1\x85R.", "it asks to call \"__builtin__.eval\"");
    refused(
        b"\x8c\x05posix\x8c\x06system\x93X\x02\0\0\0ls\x85R.",
        "it asks to call \"posix.system\"",
    );
    refused(b"(X\x02\0\0\0lsios\nsystem\n.", "it makes objects of classes");
    refused(b"(cos\nsystem\nX\x02\0\0\0lso.", "it makes objects of classes");
    refused(b"csubprocess\nPopen\n)\x81.", "it makes objects of classes");
    refused(b"cos\nsystem\n}b.", "it sets the state of an object");
    refused(b"c\x1b[31m\nx\n)R.", "it asks to call");
}

#[test]
fn pickles_that_cannot_be_are_told() {
    refused(b"", "it ends early");
    refused(b".", "it takes more than there is");
    refused(b"\x80\x02}", "it ends early");
    refused(b"K\x01.", "no map of names to tensors");
    refused(b"}.", "it holds no tensors");
    refused(b"X\xff\xff\xff\xffabc", "it ends early");
    refused(b"j\xff\xff\xff\xff.", "it recalls what it never kept");
    refused(b"\x8a\xff", "a number of 255 bytes");
    refused(b"]K\x01s.", "it takes more than there is");
    refused(b"t.", "it goes back to no mark");
    refused(b"}(K\x01u.", "a key without a value");
    refused(b"K\x01K\x02a.", "appends to what is no list");
    refused(b"\xfe.", "the instruction 0xfe");
    refused(b"ctorch._utils\n_rebuild_tensor_v2\n)R.", "describes a tensor in too few words");
    refused(b"(X\x01\0\0\0stQ.", "describes a storage in too few words");
}

#[test]
fn nesting_and_sharing_cost_no_more_than_the_file_is_long() {
    // A million tuples in tuples; lists that double a million times; a list in itself.
    refused(&[vec![b')'], vec![0x85; 1_000_000], vec![b'.']].concat(), "no map of names");
    refused(&[vec![b'('; 1_000_000], vec![b'.']].concat(), "no map of names");
    let doubling: Vec<u8> = b"q\x00h\x00\x86".repeat(300_000);
    refused(&[b")".to_vec(), doubling, b".".to_vec()].concat(), "no map of names");
    refused(b"]q\x00h\x00a.", "no map of names");
}

/// How a tensor is described: its storage's class, elements before it, sizes and strides.
struct Described {
    class: &'static str,
    offset: i32,
    shape: Vec<i32>,
    stride: Vec<i32>,
}

fn text(text: &str) -> Vec<u8> {
    [b"X".to_vec(), (text.len() as u32).to_le_bytes().to_vec(), text.into()].concat()
}

fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), items.concat(), b"t".to_vec()].concat()
}

fn numbers(numbers: &[i32]) -> Vec<u8> {
    let number = |n: &i32| [b"J".to_vec(), n.to_le_bytes().to_vec()].concat();
    tuple(&numbers.iter().map(number).collect::<Vec<_>>())
}

/// tiny-llama's tensors, all zero and in one storage, after a change to the first norm.
fn changed(change: impl Fn(&mut Described)) -> Vec<u8> {
    changed_of(tiny().config(), |name, described| {
        if name == "model.layers.0.input_layernorm.weight" {
            change(described);
        }
    })
}

fn changed_of(config: &Config, change: impl Fn(&str, &mut Described)) -> Vec<u8> {
    let mut pickle = b"}".to_vec();
    for (name, shape) in ebb::model::decoder::shapes(config) {
        let shape: Vec<i32> = shape.iter().map(|size| *size as i32).collect();
        let stride = (0..shape.len()).map(|at| shape[at + 1..].iter().product()).collect();
        let mut described = Described { class: "FloatStorage", offset: 0, shape, stride };
        change(&name, &mut described);
        let class = format!("ctorch\n{}\n", described.class).into_bytes();
        let storage = tuple(&[text("storage"), class, text("0"), text("cpu"), b"K\x00".to_vec()]);
        let offset = [b"J".to_vec(), described.offset.to_le_bytes().to_vec()].concat();
        let arguments = tuple(&[
            [storage, b"Q".to_vec()].concat(),
            offset,
            numbers(&described.shape),
            numbers(&described.stride),
        ]);
        pickle.extend(text(&name));
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n");
        pickle.extend(arguments);
        pickle.extend(b"Rs");
    }
    pickle.push(b'.');
    zipped(&[("m/data.pkl", &pickle), ("m/data/0", &[0; 4 * 280 * 16])])
}

#[test]
fn tensors_beyond_their_storage_are_told() {
    let spoilt = Spoilt::new();
    spoilt.remove("model.safetensors");
    let load = |change: fn(&mut Described)| spoilt.write(NAME, changed(change)).load();
    load(|_| {}).unwrap();
    load(|tensor| tensor.class = "HalfStorage").unwrap();
    let refused = |change: fn(&mut Described), expected: &str| {
        let message = load(change).err().unwrap();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    };
    refused(|tensor| tensor.offset = 4470, "64 from 17880 on are asked for");
    refused(|tensor| tensor.offset = i32::MAX, "are asked for");
    refused(|tensor| tensor.offset = -1, "it has the size -1");
    refused(|tensor| tensor.stride = vec![1 << 30], "are asked for");
    refused(|tensor| tensor.stride = vec![1, 1], "other strides than sizes");
    refused(|tensor| tensor.shape = vec![-16], "it has the size -16");
    refused(
        |tensor| tensor.shape = vec![1 << 30],
        "shape [16], as config.json says, got [1073741824]",
    );
    refused(|tensor| tensor.shape = vec![1; 9], "a tensor of 9 dimensions");
    refused(|tensor| tensor.class = "QInt8Storage", "\"QInt8Storage\", not f32, f16, bf16 or f64");
}

#[test]
fn tensors_that_lie_over_themselves_are_filled_in_when_small_and_told_when_large() {
    let spoilt = Spoilt::new();
    spoilt.remove("model.safetensors");
    let bytes = changed(|tensor| tensor.stride = vec![0]);
    spoilt.write(NAME, bytes).load().unwrap();
    let text = std::fs::read(spoilt.file("config.json")).unwrap();
    let mut settings: serde_json::Value = serde_json::from_slice(&text).unwrap();
    settings["vocab_size"] = (1 << 20).into();
    spoilt.write("config.json", settings.to_string());
    let config = Config::from_json(&settings).unwrap();
    for (rows, places) in [(0, 16), (1, 1 << 20)] {
        let bytes = changed_of(&config, |_, tensor| {
            if tensor.shape.first() == Some(&(1 << 20)) {
                tensor.stride = vec![rows, 1 - rows];
            }
        });
        spoilt.write(NAME, bytes).refused(&format!(
            "its 16777216 elements lie over each other in the {places} that are stored"
        ));
    }
}

#[test]
fn archives_that_are_none_are_told() {
    let spoilt = Spoilt::new();
    spoilt.remove("model.safetensors");
    spoilt.write(NAME, "").refused("is not a torch.save archive");
    spoilt.write(NAME, [0x80, 2, b'}', b'.']).refused("is not a torch.save archive");
    spoilt.write(NAME, zipped(&[("m/readme", b"x")])).refused("it has no data.pkl");
    let whole = std::fs::read(fixture("tiny-llama.bin")).unwrap();
    for cut in [10, 1000, whole.len() / 2, whole.len() - 30] {
        spoilt.write(NAME, &whole[..cut]).refused("is not a torch.save archive");
    }
}
