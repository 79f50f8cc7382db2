//! The numbers of charts as data: JSON has no NaN, so that a gap is `null`.

/// A number, or a gap.
fn known(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn value(known: Option<f64>) -> f64 {
    known.unwrap_or(f64::NAN)
}

/// Points of a series.
pub mod points {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{known, value};

    type Points = Vec<(f64, f64)>;
    type Known = Vec<(Option<f64>, Option<f64>)>;

    pub fn serialize<S: Serializer>(points: &Points, to: S) -> Result<S::Ok, S::Error> {
        let points: Known = points.iter().map(|(x, y)| (known(*x), known(*y))).collect();
        points.serialize(to)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Points, D::Error> {
        let points = Known::deserialize(from)?;
        Ok(points.into_iter().map(|(x, y)| (value(x), value(y))).collect())
    }
}

/// Cells of a grid, row by row.
pub mod cells {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{known, value};

    type Cells = Vec<Vec<f64>>;
    type Known = Vec<Vec<Option<f64>>>;

    pub fn serialize<S: Serializer>(cells: &Cells, to: S) -> Result<S::Ok, S::Error> {
        let row = |row: &Vec<f64>| row.iter().map(|value| known(*value)).collect();
        let cells: Known = cells.iter().map(row).collect();
        cells.serialize(to)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Cells, D::Error> {
        let cells = Known::deserialize(from)?;
        Ok(cells.into_iter().map(|row| row.into_iter().map(value).collect()).collect())
    }
}
