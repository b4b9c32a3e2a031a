//! The room that knows the process: its arguments, logs, metrics, probes, clock, signals, connection and leadership.
//!
//! Nothing here knows a migration.

pub mod args;
pub mod client;
pub mod clock;
pub mod metrics;
pub mod server;
pub mod shutdown;
pub mod telemetry;
