//! What agents say to each other on the server port: framing, multiplexing, calls, and the messages themselves.
//!
//! The transport moves method names and encoded bodies and knows no endpoint; [`messages`] gives the bodies their
//! types and knows no connection.

pub mod messages;
