//! Vectors as one AVX-512 register.
//!
//! SAFETY, for every `unsafe` below: values of [`Wide`] are made only inside [`run`], whose caller has checked that the
//! processor has the instructions; loads and stores go through references to sixteen elements, or are masked to the
//! length of the slice.

use std::arch::x86_64::*;

use super::lanes::{Kernel, LANES, Vector};

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

/// A mask for the first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    ((1u32 << count.min(LANES)) - 1) as __mmask16
}

#[inline(always)]
unsafe fn unpack_low_pairs(a: __m512, b: __m512) -> __m512 {
    unsafe { _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b))) }
}

#[inline(always)]
unsafe fn unpack_high_pairs(a: __m512, b: __m512) -> __m512 {
    unsafe { _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b))) }
}

/// Quarters 0 and 2 of either.
#[inline(always)]
unsafe fn even_quarters(a: __m512, b: __m512) -> __m512 {
    unsafe { _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b) }
}

/// Quarters 1 and 3 of either.
#[inline(always)]
unsafe fn odd_quarters(a: __m512, b: __m512) -> __m512 {
    unsafe { _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b) }
}

impl Vector for Wide {
    const WIDE: bool = true;

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
    fn transpose(of: [Self; LANES]) -> [Self; LANES] {
        // Four by four within quarters of the vectors, then the quarters.
        let mut fours = of;
        for four in fours.chunks_exact_mut(4) {
            let [a, b, c, d] = [four[0].0, four[1].0, four[2].0, four[3].0];
            unsafe {
                let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
                four[0] = Self(unpack_low_pairs(ab, cd));
                four[1] = Self(unpack_high_pairs(ab, cd));
                let (ab, cd) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
                four[2] = Self(unpack_low_pairs(ab, cd));
                four[3] = Self(unpack_high_pairs(ab, cd));
            }
        }
        let mut turned = of;
        for i in 0..4 {
            let [a, b, c, d] = [fours[i].0, fours[i + 4].0, fours[i + 8].0, fours[i + 12].0];
            unsafe {
                let (ab, cd) = (even_quarters(a, b), even_quarters(c, d));
                turned[i] = Self(even_quarters(ab, cd));
                turned[i + 8] = Self(odd_quarters(ab, cd));
                let (ab, cd) = (odd_quarters(a, b), odd_quarters(c, d));
                turned[i + 4] = Self(even_quarters(ab, cd));
                turned[i + 12] = Self(odd_quarters(ab, cd));
            }
        }
        turned
    }
}
