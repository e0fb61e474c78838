//! The agent: composes state, log, checks, configuration and doors into one process.
