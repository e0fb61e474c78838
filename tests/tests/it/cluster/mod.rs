//! Several agents: how they find each other, what they survive, and what clients see meanwhile.

mod containers;
mod failover;
mod formation;
mod linearizable;
mod walks;
