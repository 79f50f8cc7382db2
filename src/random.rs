//! Counter-based random streams: a draw is a function of (seed, stream name, position) and of nothing else.
//!
//! The generator is Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//! The seed and the hash of the stream's name make the key, the position is the counter, so any element of any stream can
//! be had at any time, on any thread, and a resumed run draws what an uninterrupted one would have drawn.

const ROUNDS: usize = 10;
const MULTIPLIER_0: u32 = 0xD251_1F53;
const MULTIPLIER_1: u32 = 0xCD9E_8D57;
const WEYL_0: u32 = 0x9E37_79B9;
const WEYL_1: u32 = 0xBB67_AE85;

/// One Philox 4x32-10 block: four words from a 128-bit counter and a 64-bit key.
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut c0, mut c1, mut c2, mut c3], [mut k0, mut k1]) = (counter, key);
    for round in 0..ROUNDS {
        if round > 0 {
            k0 = k0.wrapping_add(WEYL_0);
            k1 = k1.wrapping_add(WEYL_1);
        }
        let product_0 = u64::from(MULTIPLIER_0) * u64::from(c0);
        let product_1 = u64::from(MULTIPLIER_1) * u64::from(c2);
        (c0, c1, c2, c3) = (
            (product_1 >> 32) as u32 ^ c1 ^ k0,
            product_1 as u32,
            (product_0 >> 32) as u32 ^ c3 ^ k1,
            product_0 as u32,
        );
    }
    [c0, c1, c2, c3]
}

/// A named stream under a seed. Positions are independent; reading one does not move another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    name: [u32; 2],
}

impl Stream {
    /// The stream `name` under `seed`. Two names give unrelated draws under the same seed.
    pub fn new(seed: u64, name: &str) -> Self {
        Self { key: halves(seed), name: halves(fnv1a(name.as_bytes())) }
    }

    /// A stream within this one: for a row, a step, a layer.
    pub fn child(&self, index: u64) -> Self {
        let [low, high] = halves(index);
        let [a, b, c, d] = philox([low, high, self.name[0], self.name[1]], self.key);
        Self { key: [a, b], name: [c, d] }
    }

    /// 64 random bits at a position.
    pub fn bits(&self, position: u64) -> u64 {
        let [low, high] = halves(position);
        let [a, b, _, _] = philox([low, high, self.name[0], self.name[1]], self.key);
        u64::from(a) | u64::from(b) << 32
    }

    /// The whole block at a position, for who draws many small numbers.
    pub fn words(&self, position: u64) -> [u32; 4] {
        let [low, high] = halves(position);
        philox([low, high, self.name[0], self.name[1]], self.key)
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn uniform(&self, position: u64) -> f64 {
        (self.bits(position) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Standard normal, by Box and Muller's transform of one block.
    pub fn normal(&self, position: u64) -> f64 {
        let [low, high] = halves(position);
        let [a, b, c, d] = philox([low, high, self.name[0], self.name[1]], self.key);
        let unit = |x: u32, y: u32| {
            ((u64::from(x) | u64::from(y) << 32) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
        };
        let radius = (-2.0 * (1.0 - unit(a, b)).ln()).sqrt();
        radius * (std::f64::consts::TAU * unit(c, d)).cos()
    }

    /// Uniform in 0..bound (0 for a bound of 0). The bias is below bound / 2^64.
    pub fn below(&self, position: u64, bound: u64) -> u64 {
        ((u128::from(self.bits(position)) * u128::from(bound)) >> 64) as u64
    }

    /// A permutation of 0..n (Fisher and Yates).
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        self.sample(n, n)
    }

    /// `k` distinct members of 0..n in random order (all of them when k ≥ n).
    pub fn sample(&self, n: usize, k: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        let k = k.min(n);
        for i in 0..k {
            let j = i + self.below(i as u64, (n - i) as u64) as usize;
            order.swap(i, j);
        }
        order.truncate(k);
        order
    }
}

fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

/// The 64-bit FNV-1a hash: stable over versions, as the names of streams must be.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
