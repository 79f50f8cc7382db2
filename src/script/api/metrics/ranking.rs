//! How well scores rank rows, and whether two rankings agree.

use rhai::{Dynamic, Engine, NativeCallContext};

use super::columns::{self, Score};
use crate::metrics::ranking;
use crate::script::failure::{At, ScriptResult};
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[
    Record::new(
        "auroc",
        &["auroc(labels, scores)", "auprc(labels, scores)"],
        "How well scores find the rows of a class: area under the ROC curve, and average precision",
        "[auroc([true, true, false, false], [0.9, 0.4, 0.6, 0.1]), auprc([1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1])]",
        |engine, _| {
            of_two(engine, "auroc", |labels, scores| {
                let scores = columns::every_number("auroc, scores", scores)?;
                ranking::auroc(&columns::labels("auroc, labels", labels)?, &scores)
            });
            of_two(engine, "auprc", |labels, scores| {
                let scores = columns::every_number("auprc, scores", scores)?;
                ranking::auprc(&columns::labels("auprc, labels", labels)?, &scores)
            });
        },
    )
    .doc(
        "Labels are true and false, or 1 and 0. Two arrays give a number, expressions an expression with one value, for a frame or \
         for each group. Ties as in scikit-learn's roc_auc_score and average_precision_score. A row without a label or score, \
         and rows all of one class, are an error.",
    ),
    Record::new(
        "spearman",
        &["spearman(a, b)", "kendall(a, b)"],
        "Rank correlation: Spearman's, and Kendall's tau-b",
        "[spearman([1, 2, 3, 4], [1, 3, 2, 4]), kendall([1, 2, 3, 4], [1, 3, 2, 4])]",
        |engine, _| {
            of_two(engine, "spearman", |a, b| {
                let number = |side| columns::every_number("spearman", side);
                ranking::spearman(&number(a)?, &number(b)?)
            });
            of_two(engine, "kendall", |a, b| {
                let number = |side| columns::every_number("kendall", side);
                ranking::kendall(&number(a)?, &number(b)?)
            });
        },
    )
    .doc(
        "Tied values share the mean of their ranks; tau-b counts a pair that is tied in either as neither. The calling forms \
         of `auroc`. A missing number, and a side that is all one value, are an error.",
    ),
];

fn of_two(engine: &mut Engine, name: &'static str, score: Score) {
    engine.register_fn(
        name,
        move |context: NativeCallContext, a: Dynamic, b: Dynamic| -> ScriptResult<Dynamic> {
            columns::of_two(name, score, &a, &b).at(&context)
        },
    );
}
