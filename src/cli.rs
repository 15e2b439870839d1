//! The command line: clap structs, no work.
