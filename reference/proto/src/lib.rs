//! mpchat-proto
