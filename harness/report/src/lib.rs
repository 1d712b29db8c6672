//! mpchat-report
