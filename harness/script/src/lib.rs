//! mpchat-script
