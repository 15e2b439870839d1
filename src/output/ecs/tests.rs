//! Events against the schema.
