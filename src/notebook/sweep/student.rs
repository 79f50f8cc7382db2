//! The mean of a few values with its 95 % interval by Student's t.

/// The quantiles of Student's t at 97.5 % for 1 to 30 degrees of freedom.
const QUANTILES: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// A mean and how far its interval reaches to both sides; nothing for a single value, which says nothing of its spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    pub value: f64,
    pub half: Option<f64>,
    pub count: usize,
}

/// The mean of values that are at least one.
pub fn mean(values: &[f64]) -> Option<Mean> {
    let count = values.len();
    if count == 0 {
        return None;
    }
    let value = values.iter().sum::<f64>() / count as f64;
    let freedom = count - 1;
    let half = (freedom > 0).then(|| {
        let squares: f64 = values.iter().map(|one| (one - value).powi(2)).sum();
        let error = (squares / freedom as f64 / count as f64).sqrt();
        // Beyond the table the quantile nears the normal one from above, to a thousandth.
        let quantile = QUANTILES.get(freedom - 1).copied().unwrap_or(1.960 + 2.4 / freedom as f64);
        quantile * error
    });
    Some(Mean { value, half, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_students_t() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[2.0]), Some(Mean { value: 2.0, half: None, count: 1 }));
        // By hand: mean 2, standard deviation 1, standard error 1/√3, times 4.303.
        let three = mean(&[1.0, 2.0, 3.0]).unwrap();
        assert!((three.half.unwrap() - 4.303 / 3f64.sqrt()).abs() < 1e-12);
        // The quantile for 40 degrees of freedom is 2.0211 in the tables.
        let many: Vec<f64> = (0..41).map(f64::from).collect();
        let error = (many.iter().map(|x| (x - 20.0).powi(2)).sum::<f64>() / 40.0 / 41.0).sqrt();
        assert!((mean(&many).unwrap().half.unwrap() / error - 2.0211).abs() < 2e-3);
    }
}
