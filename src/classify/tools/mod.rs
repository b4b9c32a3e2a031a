//! One table a tool. They read like documentation: which line means what.

mod custom;
mod prisma;

pub(super) use custom::CUSTOM;
pub(super) use prisma::PRISMA;
