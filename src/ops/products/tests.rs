//! Products beside running sums written out: the same bits with every kind of vectors, on either layout of either side,
//! however many rows, columns and threads.

use super::*;
use crate::random::Stream;

fn values(count: usize, name: &str) -> Vec<f32> {
    let stream = Stream::new(3, name);
    (0..count).map(|i| stream.normal(i as u64) as f32).collect()
}

/// Rows of `width` turned over.
fn turned(data: &[f32], width: usize) -> Vec<f32> {
    let rows = data.len() / width;
    (0..data.len()).map(|i| data[i % rows * width + i / rows]).collect()
}

/// What a product is by definition, from `start` on.
fn written_out(left: &[f32], right: &[f32], length: usize, start: &[f32]) -> Vec<f32> {
    let width = right.len() / length;
    let sum = |(i, start): (usize, &f32)| {
        let (row, column) = (i / width * length, i % width * length);
        (0..length).fold(*start, |sum, p| left[row + p].mul_add(right[column + p], sum))
    };
    start.iter().enumerate().map(sum).collect()
}

#[test]
fn every_element_is_one_running_sum_whatever_computes_it() {
    for (length, width) in [(1, 1), (16, 16), (37, 53), (300, 70), (513, 130)] {
        for count in [1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 16, 29] {
            let (a, b) = (values(count * length, "left"), values(width * length, "right"));
            let (bias, before) = (values(width, "bias"), values(count * width, "before"));
            let mut plain = written_out(&a, &b, length, &vec![0.0; count * width]);
            plain.iter_mut().enumerate().for_each(|(i, sum)| *sum += bias[i % width]);
            let added = written_out(&a, &b, length, &before);
            let (a_turned, b_turned) = (turned(&a, length), turned(&b, length));
            let kept = Panels::of(Side::Rows(Rows::packed(&b, length)));
            let kept_from_columns = Panels::of(Side::Columns(Rows::packed(&b_turned, width)));
            for left in [
                Side::Rows(Rows::packed(&a, length)),
                Side::Columns(Rows::packed(&a_turned, count)),
            ] {
                for right in [
                    Side::Rows(Rows::packed(&b, length)).into(),
                    Side::Columns(Rows::packed(&b_turned, width)).into(),
                    kept.all(),
                    kept_from_columns.all(),
                ] {
                    for adds in [false, true] {
                        let expected = if adds { &added } else { &plain };
                        let bias = Some(&*bias).filter(|_| !adds);
                        let given =
                            vector::run_each(|| Whole { left, right, bias, adds, before: &before });
                        for (name, out) in given {
                            assert_eq!(&out, expected, "{name} {count} {length} {width}");
                        }
                    }
                }
            }
        }
    }
}

/// A product into a matrix of its own.
struct Whole<'a> {
    left: Side<'a>,
    right: Right<'a>,
    bias: Option<&'a [f32]>,
    adds: bool,
    before: &'a [f32],
}

impl Kernel for Whole<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Vec<f32> {
        let Self { left, right, bias, adds, before } = self;
        let mut data = before.to_vec();
        let out = Target { data: &mut data, stride: right.count() };
        let products = Products { left, right, bias, adds, out };
        InStretches { products, left: &mut Vec::new(), right: &mut Vec::new() }.run::<V>();
        data
    }
}

#[test]
fn threads_change_no_bit() {
    let (length, width) = (270, 200);
    let b = values(width * length, "right");
    let kept = Panels::of(Side::Rows(Rows::packed(&b, length)));
    for count in [1, 3, 40, 200, 700] {
        let a = values(count * length, "left");
        let left = Side::Rows(Rows::packed(&a, length));
        let expected = written_out(&a, &b, length, &vec![0.0; count * width]);
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let right = Side::Rows(Rows::packed(&b, length)).into();
                assert_eq!(matrix(left, right, None), expected, "{count} rows, {threads} threads");
                assert_eq!(
                    matrix(left, kept.all(), None),
                    expected,
                    "{count} rows, {threads} threads"
                );
            });
        }
    }
}

#[test]
fn an_empty_inner_axis_gives_zeros_and_no_rows_give_nothing() {
    let empty = Rows { data: &[], stride: 0, count: 3, width: 0 };
    let columns = Rows { data: &[], stride: 2, count: 0, width: 2 };
    let out = matrix(Side::Rows(empty), Side::Columns(columns).into(), Some(&[1.0, 2.0]));
    assert_eq!(out, [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    let none = Rows { data: &[], stride: 4, count: 0, width: 4 };
    let four = Rows::packed(&[1.0, 2.0, 3.0, 4.0], 4);
    assert!(matrix(Side::Rows(none), Side::Rows(four).into(), None).is_empty());
}
