//! The binary `mpchat`.
fn main() {}
