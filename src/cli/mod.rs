//! The commands of the binary.

pub mod classify;
pub mod controller;
pub mod crds;
pub mod explain;
mod render;
