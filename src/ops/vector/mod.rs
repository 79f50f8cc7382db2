//! Vectors of sixteen f32, the same arithmetic on every processor.
//!
//! A kernel is written once over [`Vector`] and compiled for each instruction set; [`run`] picks one when called. Every
//! implementation works on sixteen lanes with fused multiply-adds and sums lanes in one fixed order, so that a result's
//! bits are the same with AVX-512, with AVX2 and without either.

mod portable;
#[cfg(target_arch = "x86_64")]
mod wide256;
#[cfg(target_arch = "x86_64")]
mod wide512;

/// Elements in a vector.
pub const LANES: usize = 16;

/// Sixteen f32. All methods but `load_some`, `store_some`, `sum` and `largest` work lane by lane.
pub trait Vector: Copy {
    /// Whether there are thirty-two registers that hold a whole vector each, or sixteen of half a vector.
    const WIDE: bool;

    fn splat(value: f32) -> Self;
    fn load(source: &[f32; LANES]) -> Self;
    fn store(self, target: &mut [f32; LANES]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// `self · factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// `self` where it is greater, `other` elsewhere; so `other` where either is not a number.
    fn max(self, other: Self) -> Self;
    /// `self` where it is smaller, `other` elsewhere; so `other` where either is not a number.
    fn min(self, other: Self) -> Self;
    /// 2 to the power of `self`, whole numbers from −126 to 127.
    fn power_of_two(self) -> Self;
    /// Lane i of vector j becomes lane j of vector i.
    fn transpose(of: [Self; LANES]) -> [Self; LANES];

    /// The first elements of `source`, fewer than sixteen; the other lanes are zero.
    #[inline(always)]
    fn load_some(source: &[f32]) -> Self {
        let mut lanes = [0.0; LANES];
        lanes[..source.len()].copy_from_slice(source);
        Self::load(&lanes)
    }

    /// Writes as many lanes as `target` has elements, fewer than sixteen.
    #[inline(always)]
    fn store_some(self, target: &mut [f32]) {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        target.copy_from_slice(&lanes[..target.len()]);
    }

    /// Up to sixteen elements from `start` on; lanes past the end are zero.
    #[inline(always)]
    fn load_at(source: &[f32], start: usize) -> Self {
        let rest = &source[start..];
        match rest.first_chunk() {
            Some(chunk) => Self::load(chunk),
            None => Self::load_some(rest),
        }
    }

    /// Writes up to sixteen elements from `start` on; lanes past the end are dropped.
    #[inline(always)]
    fn store_at(self, target: &mut [f32], start: usize) {
        let rest = &mut target[start..];
        match rest.first_chunk_mut() {
            Some(chunk) => self.store(chunk),
            None => self.store_some(rest),
        }
    }

    /// The sum of the lanes, by halves: `(l0 + l8 + l4 + l12) + …`.
    #[inline(always)]
    fn sum(self) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        sum_by_halves(lanes)
    }

    /// The largest lane.
    #[inline(always)]
    fn largest(self) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    /// e to the power of `self`, within 2e-7 of it; held between 1e-38 and 1e38.
    ///
    /// x = n·ln 2 + r with n whole and |r| ≤ ln 2 / 2; e^r is its Taylor polynomial, whose remainder r⁸/8! is 5e-9.
    #[inline(always)]
    fn exp(self) -> Self {
        /// Adding it rounds to a whole number: 1.5 · 2²³ leaves no bits for a fraction.
        const ROUNDER: f32 = 12_582_912.0;
        /// ln 2 in two parts, the first short enough for n·LN2_HIGH to be exact.
        const LN2_HIGH: f32 = 0.693_359_4;
        const LN2_LOW: f32 = -2.121_944_4e-4;
        let x = Self::splat(-87.0).max(Self::splat(87.5).min(self));
        let rounder = Self::splat(ROUNDER);
        let n = x.mul_add(Self::splat(std::f32::consts::LOG2_E), rounder).sub(rounder);
        let r = n.mul_add(Self::splat(-LN2_HIGH), x);
        let r = n.mul_add(Self::splat(-LN2_LOW), r);
        let mut polynomial = Self::splat(1.0 / 5040.0);
        for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            polynomial = polynomial.mul_add(r, Self::splat(coefficient));
        }
        polynomial.mul(n.power_of_two())
    }
}

/// Work written once over [`Vector`]. Implementations must carry `#[inline(always)]`, or they are compiled without the
/// vector instructions.
pub trait Kernel {
    type Output;
    fn run<V: Vector>(self) -> Self::Output;
}

/// Runs a kernel with the widest vectors that this processor has.
#[inline]
pub fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if wide512::available() {
            // SAFETY: the processor has the instructions, as just checked.
            return unsafe { wide512::run(kernel) };
        }
        if wide256::available() {
            // SAFETY: as above.
            return unsafe { wide256::run(kernel) };
        }
    }
    kernel.run::<portable::Portable>()
}

/// A kernel's results with every kind of vectors that this processor has, each with its name.
#[cfg(test)]
pub fn run_each<K: Kernel>(kernel: impl Fn() -> K) -> Vec<(&'static str, K::Output)> {
    let mut all = vec![("portable", kernel().run::<portable::Portable>())];
    #[cfg(target_arch = "x86_64")]
    {
        if wide256::available() {
            // SAFETY: the processor has the instructions, as just checked.
            all.push(("AVX2", unsafe { wide256::run(kernel()) }));
        }
        if wide512::available() {
            // SAFETY: as above.
            all.push(("AVX-512", unsafe { wide512::run(kernel()) }));
        }
    }
    all
}

/// The largest of any number of elements, −∞ of none.
#[inline(always)]
pub fn largest<V: Vector>(of: &[f32]) -> f32 {
    let (chunks, rest) = of.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    let mut largest = V::load(&lanes);
    for chunk in chunks {
        largest = V::load(chunk).max(largest);
    }
    largest.largest()
}

#[inline(always)]
fn sum_by_halves(lanes: [f32; LANES]) -> f32 {
    let mut eight = [0.0; 8];
    for (i, sum) in eight.iter_mut().enumerate() {
        *sum = lanes[i] + lanes[i + 8];
    }
    let mut four = [0.0; 4];
    for (i, sum) in four.iter_mut().enumerate() {
        *sum = eight[i] + eight[i + 4];
    }
    (four[0] + four[2]) + (four[1] + four[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs every operation on one vector and gives all results as lanes.
    struct Everything([f32; LANES]);

    impl Kernel for Everything {
        type Output = Vec<f32>;
        #[inline(always)]
        fn run<V: Vector>(self) -> Vec<f32> {
            let x = V::load(&self.0);
            let y = V::load_some(&self.0[..5]).add(V::splat(0.75));
            let mut lanes = [0.0; LANES];
            let mut all = Vec::new();
            for result in [x.exp(), x.mul(y).sub(x.div(y)), x.mul_add(y, x), x.max(y), x.min(y)] {
                result.store(&mut lanes);
                all.extend(lanes);
            }
            for turned in V::transpose(std::array::from_fn(|i| x.mul(V::splat(i as f32)))) {
                turned.store(&mut lanes);
                all.extend(lanes);
            }
            all.extend([x.sum(), y.sum(), x.largest()]);
            for count in 0..LANES {
                V::load_some(&self.0[..count]).store(&mut lanes);
                all.extend(lanes);
                y.store_some(&mut lanes[..count]);
                all.extend(lanes);
            }
            all
        }
    }

    fn sample(seed: u64) -> [f32; LANES] {
        let stream = crate::random::Stream::new(seed, "vectors");
        std::array::from_fn(|i| (stream.normal(i as u64) * 4.0) as f32)
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for seed in 0..50 {
            let portable = Everything(sample(seed)).run::<portable::Portable>();
            for (name, lanes) in run_each(|| Everything(sample(seed))) {
                assert_eq!(portable, lanes, "{name}");
            }
        }
    }

    #[test]
    fn the_exponential_is_accurate_and_passes_on_what_is_not_a_number() {
        struct Exponential([f32; LANES]);
        impl Kernel for Exponential {
            type Output = [f32; LANES];
            #[inline(always)]
            fn run<V: Vector>(self) -> [f32; LANES] {
                let mut lanes = [0.0; LANES];
                V::load(&self.0).exp().store(&mut lanes);
                lanes
            }
        }
        let worst = (0..20_000)
            .flat_map(|i| {
                let x = std::array::from_fn(|lane| -86.9 + (i * LANES + lane) as f32 * 5.4e-4);
                let got = run(Exponential(x));
                std::array::from_fn::<f64, LANES, _>(|lane| {
                    (f64::from(got[lane]) / f64::from(x[lane]).exp() - 1.0).abs()
                })
            })
            .fold(0.0, f64::max);
        assert!(worst < 2e-7, "relative error {worst}");
        assert!(run(Exponential([f32::NAN; LANES]))[3].is_nan());
        assert_eq!(run(Exponential([0.0; LANES]))[0], 1.0);
        assert!(run(Exponential([f32::NEG_INFINITY; LANES]))[0] < 2e-38);
    }
}
