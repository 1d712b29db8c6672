//! mpchat-model
