//! Vectors as two AVX2 registers.
//!
//! SAFETY, for every `unsafe` below: values of [`Wide`] are made only inside [`run`], whose caller has checked that the
//! processor has the instructions; loads and stores go through references to sixteen elements, or are masked to the
//! length of the slice.

use std::arch::x86_64::*;

use super::lanes::{Kernel, LANES, Vector};

#[derive(Clone, Copy)]
pub struct Wide(__m256, __m256);

/// Whether this processor has AVX2 and fused multiply-adds.
#[inline]
pub fn available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Runs a kernel compiled for AVX2.
///
/// # Safety
/// [`available`] must be true.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Wide>()
}

/// Masks for the first `count` lanes.
#[inline(always)]
unsafe fn first(count: usize) -> (__m256i, __m256i) {
    const LANES_ON_THEN_OFF: [i32; 2 * LANES] = {
        let mut lanes = [0; 2 * LANES];
        let mut lane = 0;
        while lane < LANES {
            lanes[lane] = -1;
            lane += 1;
        }
        lanes
    };
    let mask = &LANES_ON_THEN_OFF[LANES - count.min(LANES)..][..LANES];
    unsafe {
        (_mm256_loadu_si256(mask.as_ptr().cast()), _mm256_loadu_si256(mask[8..].as_ptr().cast()))
    }
}

/// Eight vectors of eight turned over: four by four within halves, then the halves.
#[inline(always)]
unsafe fn transpose_eight(of: [__m256; 8]) -> [__m256; 8] {
    let mut fours = of;
    let mut turned = of;
    unsafe {
        for four in fours.chunks_exact_mut(4) {
            let [a, b, c, d] = [four[0], four[1], four[2], four[3]];
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            four[0] = _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd);
            four[1] = _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd);
            let (ab, cd) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            four[2] = _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd);
            four[3] = _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd);
        }
        for i in 0..4 {
            turned[i] = _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]);
            turned[i + 4] = _mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]);
        }
    }
    turned
}

impl Vector for Wide {
    const WIDE: bool = false;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        unsafe { Self(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
    }
    #[inline(always)]
    fn load(source: &[f32; LANES]) -> Self {
        unsafe { Self(_mm256_loadu_ps(source.as_ptr()), _mm256_loadu_ps(source.as_ptr().add(8))) }
    }
    #[inline(always)]
    fn store(self, target: &mut [f32; LANES]) {
        unsafe {
            _mm256_storeu_ps(target.as_mut_ptr(), self.0);
            _mm256_storeu_ps(target.as_mut_ptr().add(8), self.1);
        }
    }
    #[inline(always)]
    fn load_some(source: &[f32]) -> Self {
        unsafe {
            let (low, high) = first(source.len());
            Self(
                _mm256_maskload_ps(source.as_ptr(), low),
                _mm256_maskload_ps(source.as_ptr().wrapping_add(8), high),
            )
        }
    }
    #[inline(always)]
    fn store_some(self, target: &mut [f32]) {
        unsafe {
            let (low, high) = first(target.len());
            _mm256_maskstore_ps(target.as_mut_ptr(), low, self.0);
            _mm256_maskstore_ps(target.as_mut_ptr().wrapping_add(8), high, self.1);
        }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        unsafe { Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        unsafe { Self(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe {
            Self(
                _mm256_fmadd_ps(self.0, factor.0, addend.0),
                _mm256_fmadd_ps(self.1, factor.1, addend.1),
            )
        }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        unsafe { Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn power_of_two(self) -> Self {
        #[inline(always)]
        unsafe fn half(power: __m256) -> __m256 {
            unsafe {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(power), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            }
        }
        unsafe { Self(half(self.0), half(self.1)) }
    }
    #[inline(always)]
    fn transpose(of: [Self; LANES]) -> [Self; LANES] {
        let mut turned = of;
        for half in 0..2 {
            unsafe {
                let (mut left, mut right) = ([of[0].0; 8], [of[0].1; 8]);
                for i in 0..8 {
                    (left[i], right[i]) = (of[8 * half + i].0, of[8 * half + i].1);
                }
                let (left, right) = (transpose_eight(left), transpose_eight(right));
                for i in 0..8 {
                    if half == 0 {
                        (turned[i].0, turned[i + 8].0) = (left[i], right[i]);
                    } else {
                        (turned[i].1, turned[i + 8].1) = (left[i], right[i]);
                    }
                }
            }
        }
        turned
    }
}
