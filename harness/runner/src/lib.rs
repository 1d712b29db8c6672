//! mpchat-runner
