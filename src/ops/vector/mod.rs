//! Vectors of sixteen f32, the same arithmetic on every processor.
//!
//! A kernel is written once over [`Vector`] and compiled for each instruction set; [`run`] picks one when called. Every
//! implementation works on sixteen lanes with fused multiply-adds and sums lanes in one fixed order, so that a result's
//! bits are the same with AVX-512, with AVX2 and without either.

mod lanes;
mod portable;
#[cfg(target_arch = "x86_64")]
mod wide256;
#[cfg(target_arch = "x86_64")]
mod wide512;

pub use lanes::{Kernel, LANES, Vector};

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

/// What the widest vectors of this processor are called. Results do not depend on them.
pub fn widest() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if wide512::available() {
            return "AVX-512";
        }
        if wide256::available() {
            return "AVX2";
        }
    }
    "portable"
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
