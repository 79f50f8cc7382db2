//! How long the building blocks take beside the same mathematics out of candle's own operations.
//!
//! `cargo bench --bench ops` prints a line for each, `cargo bench --bench ops -- step` only the whole step: forward and
//! backward together, at the sizes of a LLaMA-shaped decoder of width 128 with 4 layers, a vocabulary of 2048 and batches
//! of 16 × 80 tokens.

use std::hint::black_box;
use std::time::Instant;

use candle_core::{CpuStorage, CustomOp1, D, DType, Device, Layout, Result, Shape, Tensor, Var};
use ebb::ops::{self, AdamW, AttentionSpan};
use ebb::random::Stream;

const BATCH: usize = 16;
const TIME: usize = 80;
const WIDTH: usize = 128;
const INNER: usize = 352;
const HEADS: usize = 4;
const HEAD_DIM: usize = WIDTH / HEADS;
const LAYERS: usize = 4;
const VOCABULARY: usize = 2048;

/// A variable of normal draws with standard deviation 1 / √(last axis).
fn variable(name: &str, shape: &[usize]) -> Result<Var> {
    let stream = Stream::new(1, name);
    let size = 1.0 / (shape[shape.len() - 1] as f64).sqrt();
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|i| (stream.normal(i as u64) * size) as f32)
        .collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// The least of nine times, in milliseconds.
fn milliseconds(mut task: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..9 {
        let start = Instant::now();
        task()?;
        least = least.min(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(least)
}

fn compare(
    name: &str,
    ours: impl FnMut() -> Result<()>,
    candle: impl FnMut() -> Result<()>,
) -> Result<()> {
    let (ours, candle) = (milliseconds(ours)?, milliseconds(candle)?);
    println!(
        "{name:<28} ours {ours:>8.2} ms   candle {candle:>8.2} ms   candle/ours {:>5.2}",
        candle / ours
    );
    Ok(())
}

/// A scalar whose gradient is ones: the sum, without the time that candle takes to sum up.
struct Total(Tensor);

impl CustomOp1 for Total {
    fn name(&self) -> &'static str {
        "total"
    }
    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), Shape::from(())))
    }
    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.0.clone()))
    }
}

/// Times an operation and its gradients by us and by candle.
fn compare_blocks(
    name: &str,
    ours: impl Fn() -> Result<Tensor>,
    candle: impl Fn() -> Result<Tensor>,
) -> Result<()> {
    let ones = ours()?.ones_like()?;
    let both = |out: Result<Tensor>| {
        black_box(out?.apply_op1(Total(ones.clone()))?.backward()?);
        Ok(())
    };
    compare(name, || both(ours()), || both(candle()))
}

/// The operations of a decoder, by us or by candle.
trait Blocks {
    fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor>;
    fn embedding(ids: &Tensor, weight: &Tensor) -> Result<Tensor>;
    fn rms_norm(x: &Tensor, weight: &Tensor) -> Result<Tensor>;
    fn rope(x: &Tensor, angles: &Angles) -> Result<Tensor>;
    fn attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor>;
    fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor>;
    fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor>;
}

/// Cosines and sines by position, and the positions of a batch.
struct Angles {
    cos: Tensor,
    sin: Tensor,
    positions: Tensor,
    hidden: Tensor,
}

impl Angles {
    fn new() -> Result<Self> {
        let half = HEAD_DIM / 2;
        let angle = |i: usize| (i / half) as f32 / 10_000f32.powf((i % half) as f32 / half as f32);
        let table = |function: fn(f32) -> f32| {
            let all: Vec<f32> = (0..TIME * half).map(|i| function(angle(i))).collect();
            Tensor::from_vec(all, (TIME, half), &Device::Cpu)
        };
        let positions: Vec<u32> = (0..BATCH * TIME).map(|i| (i % TIME) as u32).collect();
        let hidden: Vec<f32> =
            (0..TIME * TIME).map(|i| if i % TIME > i / TIME { -1e30 } else { 0.0 }).collect();
        Ok(Self {
            cos: table(f32::cos)?,
            sin: table(f32::sin)?,
            positions: Tensor::from_vec(positions, (BATCH, TIME), &Device::Cpu)?,
            hidden: Tensor::from_vec(hidden, (1, 1, TIME, TIME), &Device::Cpu)?,
        })
    }
}

struct Ours;

impl Blocks for Ours {
    fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        ops::linear(x, weight, None)
    }
    fn embedding(ids: &Tensor, weight: &Tensor) -> Result<Tensor> {
        ops::embedding(ids, weight)
    }
    fn rms_norm(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        ops::rms_norm(x, weight, 1e-5)
    }
    fn rope(x: &Tensor, angles: &Angles) -> Result<Tensor> {
        ops::rope(x, &angles.cos, &angles.sin, &angles.positions)
    }
    fn attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        ops::attention(q, k, v, 1.0 / (HEAD_DIM as f64).sqrt(), &AttentionSpan::default())
    }
    fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        ops::swiglu(gate, up)
    }
    fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        ops::cross_entropy_sum(logits, targets)
    }
}

struct Candle;

impl Blocks for Candle {
    fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let (outputs, inputs) = weight.dims2()?;
        let mut shape = x.dims().to_vec();
        shape.pop();
        shape.push(outputs);
        x.reshape(((), inputs))?.matmul(&weight.t()?)?.reshape(shape)
    }
    fn embedding(ids: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let rows = weight.index_select(&ids.flatten_all()?, 0)?;
        rows.reshape((BATCH, TIME, WIDTH))
    }
    fn rms_norm(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
        x.broadcast_div(&(mean + 1e-5)?.sqrt()?)?.broadcast_mul(weight)
    }
    fn rope(x: &Tensor, angles: &Angles) -> Result<Tensor> {
        candle_nn::rotary_emb::rope_slow(
            &x.transpose(1, 2)?.contiguous()?,
            &angles.cos,
            &angles.sin,
        )?
        .transpose(1, 2)
    }
    fn attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        let by_head = |x: &Tensor| x.transpose(1, 2)?.contiguous();
        let (q, k, v) = (by_head(q)?, by_head(k)?, by_head(v)?);
        // Made by the caller once for all layers in practice, so not timed against candle.
        let hidden = HIDDEN.with(Clone::clone);
        let scores = (q.matmul(&k.t()?)? * (1.0 / (HEAD_DIM as f64).sqrt()))?;
        candle_nn::ops::softmax(&scores.broadcast_add(&hidden)?, D::Minus1)?
            .matmul(&v)?
            .transpose(1, 2)?
            .contiguous()
    }
    fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        gate.silu()?.mul(up)
    }
    fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        candle_nn::ops::log_softmax(logits, D::Minus1)?
            .gather(&targets.unsqueeze(1)?, 1)?
            .sum_all()?
            .neg()
    }
}

thread_local! {
    static HIDDEN: Tensor = Angles::new().map(|angles| angles.hidden).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(1)
    });
}

/// The weights of a decoder: embedding, final norm, head, then nine a layer.
struct Decoder {
    embedding: Var,
    norm: Var,
    head: Var,
    layers: Vec<[Var; 9]>,
}

impl Decoder {
    fn new() -> Result<Self> {
        let ones = || Var::ones(WIDTH, DType::F32, &Device::Cpu);
        let layers = (0..LAYERS).map(|layer| {
            let matrix = |name: &str, outputs, inputs| {
                variable(&format!("{layer} {name}"), &[outputs, inputs])
            };
            Ok([
                ones()?,
                matrix("q", WIDTH, WIDTH)?,
                matrix("k", WIDTH, WIDTH)?,
                matrix("v", WIDTH, WIDTH)?,
                matrix("o", WIDTH, WIDTH)?,
                ones()?,
                matrix("gate", INNER, WIDTH)?,
                matrix("up", INNER, WIDTH)?,
                matrix("down", WIDTH, INNER)?,
            ])
        });
        Ok(Self {
            embedding: variable("embedding", &[VOCABULARY, WIDTH])?,
            norm: ones()?,
            head: variable("head", &[VOCABULARY, WIDTH])?,
            layers: layers.collect::<Result<_>>()?,
        })
    }

    fn variables(&self) -> Vec<&Var> {
        let mut all = vec![&self.embedding, &self.norm, &self.head];
        all.extend(self.layers.iter().flatten());
        all
    }

    fn loss<B: Blocks>(&self, ids: &Tensor, targets: &Tensor, angles: &Angles) -> Result<Tensor> {
        let mut x = B::embedding(ids, &self.embedding)?;
        for [norm, q, k, v, o, inner_norm, gate, up, down] in &self.layers {
            let h = B::rms_norm(&x, norm)?;
            let heads = |w: &Var| B::linear(&h, w)?.reshape((BATCH, TIME, HEADS, HEAD_DIM));
            let (q, k) = (B::rope(&heads(q)?, angles)?, B::rope(&heads(k)?, angles)?);
            let h = B::attention(&q, &k, &heads(v)?)?.reshape((BATCH, TIME, WIDTH))?;
            x = (x + B::linear(&h, o)?)?;
            let h = B::rms_norm(&x, inner_norm)?;
            let h = B::swiglu(&B::linear(&h, gate)?, &B::linear(&h, up)?)?;
            x = (x + B::linear(&h, down)?)?;
        }
        let logits = B::linear(&B::rms_norm(&x, &self.norm)?, &self.head)?;
        B::cross_entropy(&logits.reshape((BATCH * TIME, VOCABULARY))?, targets)
    }
}

fn blocks(angles: &Angles, ids: &Tensor, targets: &Tensor) -> Result<()> {
    let tokens = BATCH * TIME;
    let x = variable("x", &[BATCH, TIME, WIDTH])?;
    for (name, outputs, inputs) in [
        ("linear 128 → 128", WIDTH, WIDTH),
        ("linear 128 → 352", INNER, WIDTH),
        ("linear 352 → 128", WIDTH, INNER),
        ("linear 128 → 2048", VOCABULARY, WIDTH),
    ] {
        let (x, w) = (variable("x", &[tokens, inputs])?, variable("w", &[outputs, inputs])?);
        compare_blocks(name, || Ours::linear(&x, &w), || Candle::linear(&x, &w))?;
    }
    let table = variable("embedding", &[VOCABULARY, WIDTH])?;
    compare_blocks(
        "embedding",
        || Ours::embedding(ids, &table),
        || Candle::embedding(ids, &table),
    )?;
    let norm = Var::ones(WIDTH, DType::F32, &Device::Cpu)?;
    compare_blocks("rms_norm", || Ours::rms_norm(&x, &norm), || Candle::rms_norm(&x, &norm))?;
    let heads = |name| variable(name, &[BATCH, TIME, HEADS, HEAD_DIM]);
    let (q, k, v) = (heads("q")?, heads("k")?, heads("v")?);
    compare_blocks("rope", || Ours::rope(&q, angles), || Candle::rope(&q, angles))?;
    compare_blocks("attention", || Ours::attention(&q, &k, &v), || Candle::attention(&q, &k, &v))?;
    let (gate, up) = (variable("gate", &[tokens, INNER])?, variable("up", &[tokens, INNER])?);
    compare_blocks("swiglu", || Ours::swiglu(&gate, &up), || Candle::swiglu(&gate, &up))?;
    let logits = variable("logits", &[tokens, VOCABULARY])?;
    compare_blocks(
        "cross_entropy",
        || Ours::cross_entropy(&logits, targets),
        || Candle::cross_entropy(&logits, targets),
    )
}

/// Generating: a thousand times one row through a projection, and one query over 500 cached keys.
fn one_token() -> Result<()> {
    let repeated = |task: &dyn Fn() -> Result<Tensor>| {
        for _ in 0..1000 {
            black_box(task()?);
        }
        Ok(())
    };
    for (name, outputs, inputs) in
        [("1000 × one row 128 → 2048", VOCABULARY, WIDTH), ("1000 × one row 576 → 1536", 1536, 576)]
    {
        let x = variable("x", &[1, inputs])?.as_detached_tensor();
        let w = variable("w", &[outputs, inputs])?.as_detached_tensor();
        compare(
            name,
            || repeated(&|| Ours::linear(&x, &w)),
            || repeated(&|| Candle::linear(&x, &w)),
        )?;
    }
    let q = variable("q", &[1, 1, HEADS, HEAD_DIM])?.as_detached_tensor();
    let cache = variable("k", &[1, 600, HEADS, HEAD_DIM])?.as_detached_tensor();
    let k = cache.narrow(1, 0, 500)?;
    let candle = || {
        let by_head = |x: &Tensor| x.transpose(1, 2)?.contiguous();
        let (q, k) = (by_head(&q)?, by_head(&k)?);
        candle_nn::ops::softmax_last_dim(&(q.matmul(&k.t()?)? * 0.2)?)?.matmul(&k)
    };
    compare(
        "1000 × one query, 500 keys",
        || repeated(&|| Ours::attention(&q, &k, &k)),
        || repeated(&candle),
    )
}

/// One optimiser step: forward, backward and AdamW over all weights.
fn training_step(angles: &Angles, ids: &Tensor, targets: &Tensor) -> Result<()> {
    let decoder = Decoder::new()?;
    let moments = decoder
        .variables()
        .into_iter()
        .map(|x| Ok((Var::from_tensor(&x.zeros_like()?)?, Var::from_tensor(&x.zeros_like()?)?)))
        .collect::<Result<Vec<_>>>()?;
    let settings = AdamW {
        learning_rate: 1e-4,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
        step: 1,
    };
    let ours = || {
        let grads = decoder.loss::<Ours>(ids, targets, angles)?.backward()?;
        for (variable, (first, second)) in decoder.variables().into_iter().zip(&moments) {
            if let Some(gradient) = grads.get(variable) {
                ops::adamw_step(variable, first, second, gradient, 1e-3, &settings)?;
            }
        }
        Ok(())
    };
    let variables = decoder.variables().into_iter().cloned().collect();
    let mut adamw = candle_nn::AdamW::new_lr(variables, 1e-4)?;
    let candle = || {
        let grads = decoder.loss::<Candle>(ids, targets, angles)?.backward()?;
        candle_nn::Optimizer::step(&mut adamw, &grads)
    };
    compare("training step", ours, candle)?;
    compare(
        "forward only",
        || decoder.loss::<Ours>(ids, targets, angles).map(|_| ()),
        || decoder.loss::<Candle>(ids, targets, angles).map(|_| ()),
    )
}

fn main() -> Result<()> {
    // SAFETY: no other thread runs yet. candle's threads for elementwise work wait by spinning, on the processors that
    // the kernels and candle's own matrix products need; the program turns them off likewise.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    println!("{} threads", rayon::current_num_threads());
    let angles = Angles::new()?;
    let token = |i: usize| (i * 7919 % VOCABULARY) as u32;
    let ids: Vec<u32> = (0..BATCH * TIME).map(token).collect();
    let targets: Vec<u32> = (1..=BATCH * TIME).map(token).collect();
    let ids = Tensor::from_vec(ids, (BATCH, TIME), &Device::Cpu)?;
    let targets = Tensor::from_vec(targets, BATCH * TIME, &Device::Cpu)?;
    if !std::env::args().any(|argument| argument == "step") {
        blocks(&angles, &ids, &targets)?;
        one_token()?;
    }
    training_step(&angles, &ids, &targets)
}
