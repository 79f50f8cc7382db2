//! Packed matrices in a safetensors file of ours: the blocks of each as bytes, their kind in the file's metadata.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::load::source::Files;
use super::load::tensors::TensorFile;
use super::load::{LoadOptions, device_of};
use super::weights::Matrices;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::ops::{Blocks, Packed};
use crate::{aside, files, memory};

const FILE: &str = "blocks.safetensors";

/// Writes the matrices into a folder, each (rows, bytes of a row).
pub fn write(matrices: &Matrices, folder: &Path) -> Result<()> {
    let failed = |error| Error::failed(format!("the packed matrices cannot be written: {error}"));
    let mut stored = Vec::new();
    for (name, matrix) in matrices {
        aside::check()?;
        stored.push((name, matrix.blocks()?));
    }
    let mut views = Vec::new();
    for (name, blocks) in &stored {
        let shape = vec![blocks.rows, blocks.bytes.len() / blocks.rows.max(1)];
        views.push((name, TensorView::new(Dtype::U8, shape, &blocks.bytes).map_err(failed)?));
    }
    let kinds = matrices.iter().map(|(name, matrix)| (name.clone(), matrix.kind()));
    let bytes = safetensors::serialize(views, Some(kinds.collect::<HashMap<_, _>>()));
    let roots = Roots::of([folder.to_path_buf()]);
    files::write_bytes(&roots, &folder.join(FILE), &bytes.map_err(failed)?)
}

/// The matrices that [`write`] put into a folder; none where it put nothing there.
pub fn read(folder: &Path, options: &LoadOptions) -> Result<Matrices> {
    let mut matrices = Matrices::new();
    let files = Files::of_folder(folder, &options.roots);
    let Some(file) = TensorFile::open(&files, FILE)? else {
        return Ok(matrices);
    };
    let device = device_of(&options.device)?;
    let size =
        file.names().into_iter().filter_map(|name| file.shape(&name)?.into_iter().reduce(sized));
    let size = size.fold(0, usize::saturating_add) as u64;
    memory::require(size, &device, "the model's packed matrices", "take smaller blocks")?;
    for name in file.names() {
        aside::check()?;
        let malformed =
            || Error::malformed(folder.join(FILE), None, format!("`{name}` is no packed matrix"));
        let shape = file.shape(&name).ok_or_else(malformed)?;
        let [rows, _] = shape[..] else {
            return Err(malformed());
        };
        let kind = file.said(&name).ok_or_else(malformed)?.to_string();
        let blocks = Blocks { kind, rows, bytes: file.bytes(&name)? };
        matrices.insert(name.clone(), Arc::new(Packed::of_blocks(&blocks, &device)?));
    }
    Ok(matrices)
}

fn sized(product: usize, size: usize) -> usize {
    product.saturating_mul(size)
}
