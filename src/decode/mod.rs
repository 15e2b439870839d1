//! Stage `decode`.
