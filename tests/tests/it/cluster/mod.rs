//! Several agents: how they find each other, what they survive, and what clients see meanwhile.

mod containers;
mod formation;
mod hostile;
mod impostors;
mod linearizable;
mod methods;
mod operated;
mod walks;
