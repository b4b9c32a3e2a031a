//! Any other tool, and plain SQL clients: the database's codes and words alone decide.

use crate::classify::tool::ToolTable;

/// No command and no sentence is known: the user names the commands, and an exit code of 0 from the check suffices.
pub static CUSTOM: ToolTable = ToolTable {
    migrate: None,
    check: None,
    clean: &[],
    no_migrations: &[],
    speaks: false,
    echoes_first: false,
    records_failure: false,
    rules: &[],
};
