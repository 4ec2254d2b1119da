//! The transport against receivers that behave badly, over real sockets on loopback.
