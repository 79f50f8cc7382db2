//! Event files against the bytes that TensorBoard's own writer makes.

use ebb::doorway::Roots;
use ebb::train::tensorboard::EventWriter;

use crate::support::fixture;

#[test]
fn the_bytes_are_those_of_tensorboards_own_writer() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs/first");
    let mut writer = EventWriter::create(&Roots::anywhere(), &runs, 1_700_000_000.5).unwrap();
    let path = writer.path().to_path_buf();
    assert_eq!(path.file_name().unwrap().to_str().unwrap(), "events.out.tfevents.1700000000.ebb.0");
    let at = |step: u64| 1_700_000_001.25 + step as f64;
    writer.scalars(1, at(1), &[("train/loss", 1.25)]).unwrap();
    drop(writer);

    let mut writer = EventWriter::create(&Roots::anywhere(), &runs, 1_700_000_000.5).unwrap();
    let steps: [(u64, &[(&str, f64)]); 4] = [
        (0, &[("train/loss", 2.5), ("train/learning_rate", 2e-4)]),
        (1, &[("train/loss", 1.25)]),
        (300, &[("train/loss", f64::NAN), ("train/tokens pro Sekunde é", -1e30)]),
        (5_000_000_000, &[]),
    ];
    for (step, values) in steps {
        writer.scalars(step, at(step), values).unwrap();
    }
    writer.flush().unwrap();
    assert_ne!(writer.path(), path, "an older file of the same second stays");
    let ours = std::fs::read(writer.path()).unwrap();
    let theirs = std::fs::read(fixture("events.tfevents")).unwrap();
    assert_eq!(ours, theirs);
}

#[test]
fn a_file_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "a file").unwrap();
    let Err(error) = EventWriter::create(&Roots::anywhere(), &taken, 0.0) else {
        panic!("a file is no folder");
    };
    assert!(error.to_string().starts_with("cannot create "), "{error}");
}
