//! Servers and pools over real sockets, with each other, with HashiCorp Consul, and with peers that mean harm.

mod hostile;
mod live;
mod loopback;
mod replay;
mod support;
mod tls;
