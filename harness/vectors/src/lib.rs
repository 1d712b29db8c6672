//! mpchat-vectors
