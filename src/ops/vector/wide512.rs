//! Vectors as one AVX-512 register.
//!
//! SAFETY, for every `unsafe` below: values of [`Wide`] are made only inside [`run`], whose caller has checked that the
//! processor has the instructions; loads and stores go through references to sixteen elements, or are masked to the
//! length of the slice.

use std::arch::x86_64::*;

use super::wide256::finish_sums;
use super::{Kernel, LANES, Vector};

#[derive(Clone, Copy)]
pub struct Wide(__m512);

/// Whether this processor has AVX-512 with its short vectors and double and quad words.
#[inline]
pub fn available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && super::wide256::available()
}

/// Runs a kernel compiled for AVX-512.
///
/// # Safety
/// [`available`] must be true.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma")]
pub unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Wide>()
}

/// Halves of a vector of sixteen added up, twice: the first two steps of a sum by halves.
#[inline(always)]
unsafe fn four_sums(x: Wide) -> __m128 {
    unsafe {
        let eight = _mm256_add_ps(_mm512_castps512_ps256(x.0), _mm512_extractf32x8_ps::<1>(x.0));
        _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight))
    }
}

/// A mask for the first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    ((1u32 << count.min(LANES)) - 1) as __mmask16
}

impl Vector for Wide {
    const BLOCK: usize = 4;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        unsafe { Self(_mm512_set1_ps(value)) }
    }
    #[inline(always)]
    fn load(source: &[f32; LANES]) -> Self {
        unsafe { Self(_mm512_loadu_ps(source.as_ptr())) }
    }
    #[inline(always)]
    fn store(self, target: &mut [f32; LANES]) {
        unsafe { _mm512_storeu_ps(target.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn load_some(source: &[f32]) -> Self {
        unsafe { Self(_mm512_maskz_loadu_ps(first(source.len()), source.as_ptr())) }
    }
    #[inline(always)]
    fn store_some(self, target: &mut [f32]) {
        unsafe { _mm512_mask_storeu_ps(target.as_mut_ptr(), first(target.len()), self.0) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        unsafe { Self(_mm512_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        unsafe { Self(_mm512_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        unsafe { Self(_mm512_max_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        unsafe { Self(_mm512_min_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn power_of_two(self) -> Self {
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased)))
        }
    }
    #[inline(always)]
    fn sums(of: [Self; 4]) -> [f32; 4] {
        let [a, b, c, d] = of;
        unsafe { finish_sums(four_sums(a), four_sums(b), four_sums(c), four_sums(d)) }
    }
}
