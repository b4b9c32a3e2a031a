//! The room that knows the process: its arguments, logs, metrics, probes, clock, signals, connection and leadership.
//!
//! Nothing here knows a migration. Of this room only [`lease`] and [`webhook::keeper`] write to the API server, and
//! only their own Lease and webhook.

pub mod args;
pub mod client;
pub mod clock;
pub mod lease;
pub mod metrics;
pub mod server;
pub mod shutdown;
pub mod telemetry;
pub mod webhook;
