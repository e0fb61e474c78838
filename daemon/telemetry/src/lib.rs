//! What the agent tells about itself: its log and its metrics.
//!
//! Both are shaped for people who already have dashboards, log parsers and alerts for this agent: line
//! formats, metric names and sinks are an interface. Neither may slow down what it observes: a disabled log
//! call is one atomic load, a counter increment is one atomic addition, and every queue is bounded.

pub mod log;
pub mod metrics;
