//! Scores of texts and answers.
