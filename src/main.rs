//! Arguments to configuration to run to exit status, nothing else.

fn main() {}
