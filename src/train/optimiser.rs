//! AdamW over a set of variables, with the norm of the whole gradient and clipping by it.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor, Var};

use crate::error::{Error, Result};
use crate::model::Tensors;
use crate::ops::{self, AdamW};

/// The moments of every variable.
pub struct Optimiser {
    moments: BTreeMap<String, (Var, Var)>,
}

/// The gradients of one update, by the variables' names.
pub type Gradients = BTreeMap<String, Tensor>;

impl Optimiser {
    pub fn new(variables: &BTreeMap<String, Var>) -> Result<Self> {
        let mut moments = BTreeMap::new();
        for (name, variable) in variables {
            let zeros = || Var::zeros(variable.shape(), DType::F32, variable.device());
            moments.insert(name.clone(), (zeros()?, zeros()?));
        }
        Ok(Self { moments })
    }

    /// The moments as tensors of their own: "first NAME" and "second NAME".
    pub fn copies(&self) -> Result<Tensors> {
        let mut copies = Tensors::new();
        for (name, (first, second)) in &self.moments {
            copies.insert(format!("first {name}"), first.as_tensor().copy()?);
            copies.insert(format!("second {name}"), second.as_tensor().copy()?);
        }
        Ok(copies)
    }

    /// Takes the values of [`Optimiser::copies`].
    pub fn set(&self, values: &Tensors) -> Result<()> {
        for (name, (first, second)) in &self.moments {
            for (which, variable) in [("first", first), ("second", second)] {
                let name = format!("{which} {name}");
                let value = values.get(&name).ok_or_else(|| {
                    Error::failed(format!("the checkpoint lacks the moment `{name}`"))
                })?;
                variable.set(value)?;
            }
        }
        Ok(())
    }

    /// One update. `scale` multiplies the gradients (clipping).
    pub fn step(
        &self,
        variables: &BTreeMap<String, Var>,
        gradients: &Gradients,
        scale: f64,
        settings: &AdamW,
    ) -> Result<()> {
        for (name, variable) in variables {
            if let (Some(gradient), Some((first, second))) =
                (gradients.get(name), self.moments.get(name))
            {
                ops::adamw_step(variable, first, second, gradient, scale, settings)?;
            }
        }
        Ok(())
    }
}

/// The Euclidean norm of all gradients together, summed in the order of the names.
pub fn norm(gradients: &Gradients) -> Result<f64> {
    let mut sum = 0.0;
    for gradient in gradients.values() {
        sum += ops::sum_of_squares(gradient)?;
    }
    Ok(sum.sqrt())
}

/// What gradients of norm `norm` are multiplied by so that the norm is at most `clip` (torch's clip_grad_norm_).
pub fn clip_scale(norm: f64, clip: f64) -> f64 {
    if clip > 0.0 { (clip / (norm + 1e-6)).min(1.0) } else { 1.0 }
}
