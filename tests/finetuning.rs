//! Finetuning against torch's traces, and the properties that runs rely on: gradients everywhere, sharing, determinism.

mod checkpoints;
mod conversations;
mod epochs;
mod killed;
mod refused;
mod seams;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ebb::control::{Control, Progress, Task};
use ebb::error::Error;
use ebb::model::Model;
use ebb::train::examples::{Example, Source, tokenize};
use ebb::train::finetune;
use ebb::train::options::{Duration, LossAverage, Method, Options, Schedule};

use crate::support::{bits, close, json, numbers, quiet, stories, tiny, tiny_with_adapter};

fn texts() -> Vec<Example> {
    let expected = json("tiny_llama.json");
    let texts = expected["texts"].as_array().unwrap().iter();
    let sources: Vec<Source> =
        texts.map(|text| Source::Text(text.as_str().unwrap().to_string())).collect();
    tokenize(tiny().tokenizer(), &sources, 128).unwrap().0
}

fn lora(rank: usize, targets: &[&str], dropout: f64) -> Method {
    let targets = targets.iter().map(|target| (*target).to_string()).collect();
    Method::Lora { rank, alpha: 8.0, dropout, targets }
}

/// The settings of the fixture's traces.
fn traced(method: Method) -> Options {
    Options {
        method,
        duration: Duration::Steps(20),
        batch_size: 2,
        learning_rate: 5e-3,
        weight_decay: 0.01,
        warmup_steps: 3,
        shuffle: false,
        ..Options::default()
    }
}

fn compare(model: &Model, options: &Options, trace: &serde_json::Value, what: &str) {
    let trained = finetune(model, &texts(), &[], options, &quiet()).unwrap();
    let losses: Vec<f64> = trained.log().iter().map(|record| record.loss).collect();
    let norms: Vec<f64> = trained.log().iter().map(|record| record.grad_norm).collect();
    let relative = |ours: Vec<f64>, theirs: Vec<f64>| -> Vec<f64> {
        ours.iter().zip(theirs).map(|(a, b)| a / b).collect()
    };
    // Rounding grows from step to step; the issue asks for 1e-4 relative over 20 steps.
    close(&relative(losses, numbers(&trace["losses"])), &[1.0; 20], 1e-4, what);
    close(&relative(norms, numbers(&trace["norms"])), &[1.0; 20], 1e-3, what);
}

#[test]
fn losses_follow_torch_for_twenty_steps_in_full_and_with_an_adapter() {
    let expected = json("tiny_llama.json");
    compare(&tiny(), &traced(Method::Full), &expected["full"], "full");
    let method = lora(4, &["q_proj", "v_proj", "down_proj"], 0.0);
    let model = tiny_with_adapter();
    compare(&model, &traced(method), &expected["lora"], "lora");
}

/// SplitMix64's output function, from which the reference run draws its token ids.
fn split_mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[test]
fn stories260k_follows_the_reference_losses() {
    let Some(model) = stories() else { return };
    let rows = (0..40u64).map(|row| {
        let id = |t: u64| (split_mix((1 << 40) + (row << 16) + t) % 512) as u32;
        Example::whole((0..128).map(id).collect())
    });
    let options = Options {
        duration: Duration::Steps(5),
        batch_size: 8,
        schedule: Schedule::Constant,
        clip: 0.0,
        shuffle: false,
        ..Options::default()
    };
    let trained = finetune(&model, &rows.collect::<Vec<_>>(), &[], &options, &quiet()).unwrap();
    let losses: Vec<f64> = trained.log().iter().map(|record| record.loss).collect();
    // Published to four decimals.
    close(&losses, &[17.7687, 16.6737, 15.4193, 15.1842, 13.9172], 1e-4, "losses");
}

fn short(method: Method) -> Options {
    Options {
        method,
        duration: Duration::Steps(4),
        batch_size: 3,
        learning_rate: 1e-2,
        ..Options::default()
    }
}

/// Whether a method trains the parameter of that name.
type Trains = fn(&str) -> bool;

fn every_method() -> Vec<(Method, Trains)> {
    vec![
        (Method::Full, |_| true),
        (Method::LastBlock, |name| name.starts_with("model.layers.1.")),
        (Method::Head, |name| name == "lm_head.weight"),
        (lora(2, &["q_proj", "v_proj"], 0.0), |name| name.contains("lora_")),
        (
            lora(
                2,
                &["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
                0.1,
            ),
            |name| name.contains("lora_"),
        ),
    ]
}

#[test]
fn each_method_changes_all_that_it_trains_and_nothing_else() {
    let model = tiny();
    let before = bits(&model);
    for (method, trains) in every_method() {
        // The trainer itself refuses a parameter without a gradient; a changed weight shows that it arrived.
        let trained = finetune(&model, &texts(), &[], &short(method.clone()), &quiet()).unwrap();
        for (name, after) in bits(&trained) {
            let old = before.iter().find(|(known, _)| *known == name).map(|(_, bits)| bits);
            assert_eq!(old != Some(&after), trains(&name), "{method:?}: {name}");
            if name.contains("lora_B") {
                assert!(after.iter().any(|bits| *bits != 0), "{method:?}: {name} is still zero");
            }
        }
        assert_eq!(bits(&model), before, "{method:?}: the model finetuned from has changed");
        assert_eq!(trained.lineage().stages.len(), 1);
    }
}

#[test]
fn results_do_not_depend_on_threads_and_repeat() {
    let method = lora(2, &["q_proj", "v_proj", "down_proj"], 0.2);
    for method in [Method::Full, method] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                bits(&finetune(&tiny(), &texts(), &[], &short(method.clone()), &quiet()).unwrap())
            })
        };
        let once = run(1);
        for threads in [1, 2, 4] {
            assert!(run(threads) == once, "{method:?} with {threads} threads");
        }
    }
}

#[test]
fn the_seed_decides_order_and_dropout() {
    let run = |seed: u64| {
        let options = Options { seed, ..short(lora(2, &["q_proj"], 0.3)) };
        bits(&finetune(&tiny(), &texts(), &[], &options, &quiet()).unwrap())
    };
    assert!(run(1) == run(1));
    assert!(run(1) != run(2));
}

#[test]
fn accumulated_batches_equal_one_large_batch() {
    let run = |batch_size: usize, gradient_accumulation: usize| {
        let options =
            Options { batch_size, gradient_accumulation, shuffle: false, ..short(Method::Full) };
        let trained = finetune(&tiny(), &texts(), &[], &options, &quiet()).unwrap();
        trained.log().iter().map(|record| record.loss).collect::<Vec<_>>()
    };
    // The same sums in another order of additions.
    close(&run(6, 1), &run(2, 3), 1e-4, "losses");
    let means = |loss_average| {
        let options = Options {
            batch_size: 2,
            gradient_accumulation: 3,
            loss_average,
            shuffle: false,
            ..short(Method::Full)
        };
        finetune(&tiny(), &texts(), &[], &options, &quiet()).unwrap().log()[0].loss
    };
    // Batches of unlike lengths weigh differently in the older convention.
    assert!((means(LossAverage::Token) - means(LossAverage::Batch)).abs() > 1e-3);
}

#[test]
fn schedules_are_those_of_transformers() {
    let options = |schedule, warmup_steps| Options {
        learning_rate: 1.0,
        schedule,
        warmup_steps,
        ..Options::default()
    };
    let rates = |options: Options| {
        (1..=5).map(|step| options.learning_rate_at(step, 5)).collect::<Vec<_>>()
    };
    close(&rates(options(Schedule::Linear, 0)), &[1.0, 0.8, 0.6, 0.4, 0.2], 1e-12, "linear");
    close(&rates(options(Schedule::Constant, 2)), &[0.0, 0.5, 1.0, 1.0, 1.0], 1e-12, "constant");
    let half = |x: f64| 0.5 * (1.0 + (std::f64::consts::PI * x).cos());
    close(
        &rates(options(Schedule::Cosine, 0)),
        &[1.0, half(0.2), half(0.4), half(0.6), half(0.8)],
        1e-12,
        "cosine",
    );
}

#[test]
fn only_the_completion_of_a_pair_is_trained_on() {
    let model = tiny();
    let pair = Source::Pair { prompt: "The kettle".to_string(), completion: " sings".to_string() };
    let (rows, noted) = tokenize(model.tokenizer(), &[pair], 64).unwrap();
    let prompt = model.tokenizer().encode("The kettle").unwrap().len();
    assert_eq!((noted.cut, noted.across), (0, 0));
    assert!(rows[0].labels[..prompt].iter().all(|label| *label == -100));
    assert_eq!(rows[0].trained_tokens(), rows[0].ids.len() - prompt);
    assert_eq!(rows[0].ids.last(), model.tokenizer().end_ids().first());
    assert_eq!(rows[0].labels.last().copied(), Some(0), "the end token is learnt");
}

/// Asks to stop at a step.
struct Impatient {
    stop: Arc<AtomicBool>,
    at: u64,
}

impl Impatient {
    fn control(at: u64) -> Control {
        let stop = Arc::new(AtomicBool::new(at == 0));
        let impatient = Self { stop: Arc::clone(&stop), at };
        Control::new(Arc::new(impatient), stop)
    }
}

impl Progress for Impatient {
    fn begin(&self, _label: &str, _total: u64, _unit: &str) -> Box<dyn Task> {
        Box::new(Self { stop: Arc::clone(&self.stop), at: self.at })
    }
}

impl Task for Impatient {
    fn update(&mut self, done: u64, _remark: &str) {
        self.stop.fetch_or(done >= self.at, Ordering::Relaxed);
    }
}

/// Writes down what it is told of a finetuning.
#[derive(Clone, Default)]
struct Told(Heard);

type Heard = Arc<Mutex<Vec<(&'static str, u64)>>>;

impl Told {
    fn control() -> (Control, Heard) {
        let told = Self::default();
        let heard = Arc::clone(&told.0);
        let stop = Arc::new(AtomicBool::new(false));
        (Control::new(Arc::new(told), stop), heard)
    }
}

impl Progress for Told {
    fn begin(&self, _label: &str, _total: u64, _unit: &str) -> Box<dyn Task> {
        Box::new(self.clone())
    }
}

impl Task for Told {
    fn resumed(&mut self, done: u64) {
        self.0.lock().unwrap().push(("resumed", done));
    }

    fn update(&mut self, done: u64, _remark: &str) {
        self.0.lock().unwrap().push(("update", done));
    }
}

#[test]
fn a_run_stops_when_asked() {
    let control = Impatient::control(3);
    let outcome = finetune(&tiny(), &texts(), &[], &short(Method::Full), &control);
    assert!(matches!(outcome.err(), Some(Error::Interrupted)));
}

#[test]
fn the_validation_loss_is_logged_when_due_and_falls() {
    let options = Options {
        duration: Duration::Steps(30),
        validate_every: Some(10),
        batch_size: 6,
        learning_rate: 1e-2,
        ..Options::default()
    };
    let trained = finetune(&tiny(), &texts(), &texts(), &options, &quiet()).unwrap();
    let seen: Vec<(usize, f64)> = trained
        .log()
        .iter()
        .filter_map(|record| Some((record.step, record.validation_loss?)))
        .collect();
    assert_eq!(seen.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [10, 20, 30]);
    assert!(seen[2].1 < seen[0].1);
}

#[test]
fn what_is_not_trained_is_shared_with_the_model_finetuned_from() {
    let model = tiny();
    for (method, trains) in every_method() {
        let trained = finetune(&model, &texts(), &[], &short(method.clone()), &quiet()).unwrap();
        for (name, weight) in &trained.weights().dense {
            let shared = weight.id() == model.weights().dense[name].id();
            assert_eq!(shared, !trains(name), "{method:?}: {name}");
        }
    }
}

#[test]
fn clipping_scales_the_gradient_that_the_update_takes() {
    // With both betas 0 and a large epsilon, an update is rate · gradient / (|gradient| + epsilon): nearly linear in it.
    let change = |clip: f64| {
        let options = Options {
            clip,
            beta1: 0.0,
            beta2: 0.0,
            epsilon: 1.0,
            schedule: Schedule::Constant,
            duration: Duration::Steps(1),
            shuffle: false,
            ..short(Method::Head)
        };
        let trained = finetune(&tiny(), &texts(), &[], &options, &quiet()).unwrap();
        let norm = trained.log()[0].grad_norm;
        let head = |model: &Model| model.weights().dense["lm_head.weight"].clone();
        let moved = (head(&trained) - head(&tiny())).unwrap().sqr().unwrap();
        let moved = moved.sum_all().unwrap().to_scalar::<f32>().unwrap();
        (norm, f64::from(moved).sqrt() / options.learning_rate)
    };
    let ((norm, free), (same, clipped)) = (change(0.0), change(1e-2));
    assert_eq!(norm, same, "the norm is logged as it was before clipping");
    assert!(norm > 0.1 && free > 0.05, "{norm} {free}");
    assert!((clipped / 1e-2 - 1.0).abs() < 0.02, "{clipped}");
    assert_eq!(change(0.0), change(norm * 2.0), "a smaller norm is left alone");
}

#[test]
fn many_steps_reserve_nothing_before_they_are_run() {
    let control = Impatient::control(0);
    let options = Options { duration: Duration::Steps(1_000_000_000_000), ..short(Method::Full) };
    let outcome = finetune(&tiny(), &texts(), &[], &options, &control);
    assert!(matches!(outcome.err(), Some(Error::Interrupted)));
}
