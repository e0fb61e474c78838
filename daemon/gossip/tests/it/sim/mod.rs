//! Whole pools in one thread, on a network that does its worst, replayable from a seed.

mod large;
mod rules;
mod runs;
mod world;
