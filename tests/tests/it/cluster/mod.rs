//! Several agents: how they find each other, what they survive, and what clients see meanwhile.

mod containers;
mod datacenters;
mod failover;
mod footprint;
mod formation;
mod hostile;
mod impostors;
mod interop;
mod linearizable;
mod methods;
mod operated;
mod quorum;
mod recovery;
mod walks;
