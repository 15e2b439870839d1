//! The page as people see it.

use super::*;
