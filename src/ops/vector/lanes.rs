//! What a vector of sixteen f32 can do, whatever the processor, and what a kernel over such vectors is.

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

#[inline(always)]
pub fn sum_by_halves(lanes: [f32; LANES]) -> f32 {
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
