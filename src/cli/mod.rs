//! The commands of the binary that need no cluster.

pub mod classify;
pub mod crds;
pub mod explain;
mod render;
