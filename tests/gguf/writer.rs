//! A small writer of GGUF files, for files that are not to be had otherwise: whole ones and broken ones.

use ebb::model::Model;

use crate::support::values;

pub enum Meta {
    Int(u32),
    Float(f32),
    Flag(bool),
    Text(String),
    List(Vec<Meta>),
}

impl Meta {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_string())
    }

    fn kind(&self) -> u32 {
        match self {
            Self::Int(_) => 4,
            Self::Float(_) => 6,
            Self::Flag(_) => 7,
            Self::Text(_) => 8,
            Self::List(_) => 9,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int(number) => out.extend(number.to_le_bytes()),
            Self::Float(number) => out.extend(number.to_le_bytes()),
            Self::Flag(flag) => out.push(u8::from(*flag)),
            Self::Text(text) => put_text(out, text),
            Self::List(items) => {
                out.extend(items.first().map_or(8, Self::kind).to_le_bytes());
                out.extend((items.len() as u64).to_le_bytes());
                for item in items {
                    item.write(out);
                }
            }
        }
    }
}

pub fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A tensor: its name, its sizes as the file has them (a row's first), its kind, its bytes.
pub struct Stored {
    pub name: String,
    pub sizes: Vec<u64>,
    pub kind: u32,
    pub offset: Option<u64>,
    pub data: Vec<u8>,
}

#[derive(Default)]
pub struct Writer {
    pub entries: Vec<(String, Meta)>,
    pub tensors: Vec<Stored>,
}

impl Writer {
    pub fn put(&mut self, key: &str, value: Meta) {
        self.entries.retain(|(known, _)| known != key);
        self.entries.push((key.to_string(), value));
    }

    /// An f32 tensor of row-major `shape`.
    pub fn tensor(&mut self, name: &str, shape: &[usize], numbers: &[f64]) {
        self.tensors.push(Stored {
            name: name.to_string(),
            sizes: shape.iter().rev().map(|size| *size as u64).collect(),
            kind: 0,
            offset: None,
            data: numbers.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect(),
        });
    }

    fn llama(
        width: u32,
        inner: u32,
        layers: u32,
        heads: u32,
        kv_heads: u32,
        context: u32,
        epsilon: f32,
    ) -> Self {
        let mut writer = Self::default();
        writer.put("general.architecture", Meta::text("llama"));
        for (key, value) in [
            ("embedding_length", width),
            ("feed_forward_length", inner),
            ("block_count", layers),
            ("attention.head_count", heads),
            ("attention.head_count_kv", kv_heads),
            ("context_length", context),
        ] {
            writer.put(&format!("llama.{key}"), Meta::Int(value));
        }
        writer.put("llama.attention.layer_norm_rms_epsilon", Meta::Float(epsilon));
        writer
    }

    /// A model of one narrow block, for its tokenizer's sake.
    pub fn tiny_llama(vocabulary: usize) -> Self {
        let mut writer = Self::llama(4, 4, 1, 1, 1, 4096, 1e-5);
        let block = [
            ("attn_q", 16),
            ("attn_k", 16),
            ("attn_v", 16),
            ("attn_output", 16),
            ("ffn_gate", 16),
            ("ffn_up", 16),
            ("ffn_down", 16),
        ];
        for (name, count) in block {
            writer.tensor(&format!("blk.0.{name}.weight"), &[4, 4], &vec![0.0; count]);
        }
        for name in ["blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"] {
            writer.tensor(&format!("{name}.weight"), &[4], &[1.0; 4]);
        }
        writer.tensor("token_embd.weight", &[vocabulary, 4], &vec![0.1; vocabulary * 4]);
        writer
    }

    /// A tied LLaMA with its own weights, rotary rows interleaved as llama.cpp's converter does it. The tokenizer is a
    /// list of names.
    pub fn of_llama(model: &Model) -> Self {
        let config = model.config();
        let size = |n: usize| n as u32;
        let mut writer = Self::llama(
            size(config.hidden_size),
            size(config.intermediate_size),
            size(config.num_hidden_layers),
            size(config.num_attention_heads),
            size(config.num_key_value_heads),
            size(config.max_position_embeddings),
            config.norm_eps as f32,
        );
        for (name, weight) in &model.weights().dense {
            let mut numbers = values(weight);
            let shape = weight.dims().to_vec();
            if name.contains("q_proj") || name.contains("k_proj") {
                let (dims, row) = (config.head_dim, shape[1]);
                let original = numbers.clone();
                for i in 0..shape[0] {
                    // Row (half, pair) of a head goes to row (pair, half).
                    let (head, place) = (i / dims, i % dims);
                    let to = head * dims + 2 * (place % (dims / 2)) + place / (dims / 2);
                    numbers[to * row..][..row].copy_from_slice(&original[i * row..][..row]);
                }
            }
            let stored = name
                .replace("model.layers.", "blk.")
                .replace("self_attn.o_proj", "attn_output")
                .replace("self_attn.", "attn_")
                .replace("mlp.", "ffn_")
                .replace("_proj", "")
                .replace("input_layernorm", "attn_norm")
                .replace("post_attention_layernorm", "ffn_norm")
                .replace("model.embed_tokens", "token_embd")
                .replace("model.norm", "output_norm");
            writer.tensor(&stored, &shape, &numbers);
        }
        let names = (0..config.vocab_size).map(|id| Meta::Text(format!("t{id}")));
        writer.put("tokenizer.ggml.model", Meta::text("gpt2"));
        writer.put("tokenizer.ggml.tokens", Meta::List(names.collect()));
        writer.put("tokenizer.ggml.eos_token_id", Meta::Int(2));
        writer
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.entries.len() as u64).to_le_bytes());
        for (key, value) in &self.entries {
            put_text(&mut out, key);
            out.extend(value.kind().to_le_bytes());
            value.write(&mut out);
        }
        let mut offset = 0u64;
        for tensor in &self.tensors {
            put_text(&mut out, &tensor.name);
            out.extend((tensor.sizes.len() as u32).to_le_bytes());
            for size in &tensor.sizes {
                out.extend(size.to_le_bytes());
            }
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(offset).to_le_bytes());
            offset = (offset + tensor.data.len() as u64).next_multiple_of(32);
        }
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(32), 0);
            out.extend(&tensor.data);
        }
        out
    }
}
