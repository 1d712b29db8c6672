//! mpchat-peer
