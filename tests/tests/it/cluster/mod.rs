//! Several agents: how they find each other, what they survive, and what clients see meanwhile.

mod containers;
mod formation;
mod interop;
mod linearizable;
mod walks;
