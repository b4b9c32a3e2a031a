//! What the databases' own error codes mean, a table for each kind of database.
//!
//! A code that only follows from an earlier error reads as [`Meaning::Consequence`]: the search for the cause goes on.

pub mod mssql;
pub mod mysql;
pub mod names;
pub mod oracle;
pub mod sqlite;
pub mod sqlstate;

use super::reason::Reason;

/// What a code says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It names the cause.
    Cause(Reason),
    /// It follows from an earlier error.
    Consequence,
    /// It is a notice, not an error.
    Harmless,
}

/// The numbering that a bare number belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MySQL and MariaDB.
    MySql,
    /// SQL Server.
    SqlServer,
    /// SQLite.
    Sqlite,
}

/// What a number of this dialect means.
pub fn number(dialect: Dialect, number: i32) -> Option<Meaning> {
    match dialect {
        Dialect::MySql => mysql::lookup(number),
        Dialect::SqlServer => mssql::lookup(number),
        Dialect::Sqlite => sqlite::lookup(number),
    }
}

/// Guesses the dialect of a bare number by its size where nothing else tells: small ones are SQLite's result codes,
/// and of the others MySQL knows more that a migration can meet.
pub fn guess(value: i32) -> Option<(Dialect, Meaning)> {
    let order = if (1..=101).contains(&value) {
        [Dialect::Sqlite, Dialect::SqlServer, Dialect::MySql]
    } else {
        [Dialect::MySql, Dialect::SqlServer, Dialect::Sqlite]
    };
    order.into_iter().find_map(|dialect| number(dialect, value).map(|meaning| (dialect, meaning)))
}

/// Whether a code names one cause or a whole family, which a number beside it tells more exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One cause.
    Exact,
    /// One cause, if the number is of the database that it looks like: no line has named one.
    Guessed,
    /// A family.
    Broad,
}

/// What a printed code means: a SQLSTATE, a number, a symbolic name or the name of a driver's exception.
pub fn read(code: &str, dialect: Option<Dialect>) -> Option<(Width, Meaning)> {
    let width = if sqlite::is_family(code) { Width::Broad } else { Width::Exact };
    let exact = |meaning| (width, meaning);
    let guessed = |meaning| (if width == Width::Exact { Width::Guessed } else { width }, meaning);
    if let Ok(value) = code.parse::<i32>() {
        if sqlstate::is_shaped(code) {
            return sqlstate::broad(code)
                .map(|meaning| (Width::Broad, meaning))
                .or_else(|| sqlstate::lookup(code).map(exact));
        }
        return match dialect {
            Some(dialect) => number(dialect, value).map(exact),
            None => guess(value).map(|(_, meaning)| guessed(meaning)),
        };
    }
    if let Some(meaning) = sqlstate::broad(code) {
        return Some((Width::Broad, meaning));
    }
    if let Some(digits) = code.strip_prefix("ORA-") {
        return digits.parse().ok().and_then(oracle::lookup).map(exact);
    }
    sqlstate::lookup(code).or_else(|| sqlite::by_name(code)).or_else(|| names::lookup(code)).map(exact)
}
