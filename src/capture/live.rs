//! Live interfaces.
