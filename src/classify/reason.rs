//! The reasons: each one a name, its class and branch, and what it means in a sentence.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::{Branch, Class};

/// Why a step failed: a CamelCase name, ours or one of a user's own rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Reason(Cow<'static, str>);

/// What is known about a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The reason's name.
    pub name: &'static str,
    /// The class that it belongs to.
    pub class: Class,
    /// The branch of the runbook that leads on.
    pub branch: Branch,
    /// Whether time alone can help, so that the operator tries again by itself.
    pub retryable: bool,
    /// What it means.
    pub meaning: &'static str,
    /// The way out.
    pub way_out: &'static str,
}

impl Reason {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name from a user's own rule.
    pub fn custom(name: impl Into<String>) -> Self {
        Self(Cow::Owned(name.into()))
    }

    /// Whether it is of a user's own rule and none of ours.
    pub fn is_custom(&self) -> bool {
        REASONS.iter().all(|entry| entry.name != self.0)
    }

    /// Why the cluster refused an object, by what it said.
    pub fn of_refusal(message: &str) -> Self {
        if message.contains("exceeded quota") { Self::QUOTA_EXCEEDED } else { Self::ADMISSION_REFUSED }
    }

    /// The reason of this name, upper and lower case alike.
    pub fn find(name: &str) -> Option<&'static Entry> {
        REASONS.iter().find(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    /// What is known about it; a name of a user's own is an unknown failure until its rule says more.
    pub fn entry(&self) -> &'static Entry {
        REASONS.iter().find(|entry| entry.name == self.0).unwrap_or(&OWN)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Stands for every name that is not ours.
const OWN: Entry = Entry {
    name: "Own",
    class: Class::Unknown,
    branch: Branch::C,
    retryable: false,
    meaning: "A rule of the user's own names this reason.",
    way_out: "The rule's author knows the way on.",
};

/// One line of facts a reason: constant, name, class, whether time helps; then what it means and the way out.
macro_rules! reasons {
    ($($constant:ident $name:ident $class:ident $time:literal $meaning:literal $way_out:literal)*) => {
        impl Reason {
            $(
                #[doc = $meaning]
                pub const $constant: Reason = Reason(Cow::Borrowed(stringify!($name)));
            )*
        }

        /// Every reason, in the order of the classes.
        pub const REASONS: &[Entry] = &[$(Entry {
            name: stringify!($name),
            class: Class::$class,
            branch: Class::$class.branch(),
            retryable: $time,
            meaning: $meaning,
            way_out: $way_out,
        }),*];
    };
}

reasons! {
    UNREACHABLE Unreachable Connectivity true
        "The database does not answer on its address."
        "Bring the database or the network back; the same release is tried again by itself."
    DNS Dns Connectivity true
        "The database's host name cannot be resolved."
        "Check the host in the connection URL and the cluster's DNS; the same release is tried again by itself."
    TLS Tls Connectivity true
        "The encrypted connection to the database could not be set up."
        "Check the certificate, the sslmode of the URL and the server's TLS settings, then run again."
    TOO_MANY_CONNECTIONS TooManyConnections Connectivity true
        "The database or its pooler has no connection left."
        "Wait for connections to be returned, or raise the limit; the same release is tried again by itself."
    CONNECTION_CLOSED ConnectionClosed Connectivity true
        "The database closed the connection."
        "Nothing but time is needed where the server restarted; the same release is tried again by itself."
    SESSION_ENDED SessionEnded Connectivity true
        "The server ended the session, and with it the transaction: by an administrator, a restart or a timeout."
        "Nothing but time is needed where the server restarted; else find out who ends sessions."
    STARTING_UP StartingUp Connectivity true
        "The database is starting, stopping or recovering and takes no connections yet."
        "Wait for the server; the same release is tried again by itself."
    ADVISORY_LOCK_TIMEOUT AdvisoryLockTimeout Connectivity true
        "Another runner holds the tool's own lock, or a pooler in transaction mode keeps it."
        "Let the other runner finish, or connect to the database past the pooler; the same release is tried again by itself."
    DATABASE_BUSY DatabaseBusy Connectivity true
        "The database file is locked by another process."
        "Let the other process finish; the same release is tried again by itself."
    POOLER_MODE PoolerMode Connectivity false
        "The connection runs through a pooler in transaction mode, which a migration cannot use."
        "Give the migration the direct address of the database, not the pooler's."
    READ_ONLY ReadOnly Connectivity true
        "The server is read-only: a replica, or a primary in failover."
        "Point the connection at the primary, or wait for the failover; the same release is tried again by itself."
    DISK_FULL DiskFull Connectivity false
        "The database has run out of disk or memory."
        "Make room on the database server, then ask for a retry."
    AUTHENTICATION_FAILED AuthenticationFailed Permission false
        "The database refuses the user or the password."
        "Correct the credentials in the Secret or on the server, then ask for a retry."
    INSUFFICIENT_PRIVILEGE InsufficientPrivilege Permission false
        "The role lacks a right that the migration needs."
        "Grant the right or change the owner, resolve the failed migration where the tool recorded one, then ask for a retry."
    UNIQUE_VIOLATION UniqueViolation DataConflict false
        "Rows already in the table hold the same value twice where it must be unique."
        "Back up and correct the duplicate rows, then run the migration again."
    FOREIGN_KEY_VIOLATION ForeignKeyViolation DataConflict false
        "Rows point at rows that do not exist."
        "Back up and correct the orphaned rows, then run the migration again."
    NOT_NULL_VIOLATION NotNullViolation DataConflict false
        "Rows hold no value in a column that must have one."
        "Back up the rows and fill the column, then run the migration again."
    CHECK_VIOLATION CheckViolation DataConflict false
        "Rows break a check, exclusion or guard of the migration."
        "Back up and correct the rows that break it, then run the migration again."
    INVALID_CAST InvalidCast DataConflict false
        "A value cannot be converted to the new type."
        "Back up and correct the values, then run the migration again."
    VALUE_TOO_LONG ValueTooLong DataConflict false
        "A value does not fit into its column."
        "Back up and shorten the values, or keep the wider column, then run the migration again."
    VALUE_OUT_OF_RANGE ValueOutOfRange DataConflict false
        "A number or date does not fit into its column."
        "Back up and correct the values, then run the migration again."
    DATA_LOSS DataLoss DataConflict false
        "The change would throw rows or values away, and the tool refuses."
        "Move or fill the data first, then run the migration again."
    SYNTAX_ERROR SyntaxError ScriptError false
        "The database cannot parse the migration's SQL."
        "Ship a corrected migration in a new release."
    MISSING_OBJECT MissingObject ScriptError false
        "The migration names a table, column, type or extension that is not there."
        "Ship a corrected migration in a new release, or create what is missing."
    DUPLICATE_OBJECT DuplicateObject ScriptError false
        "The migration creates something that exists already."
        "Where the database was never baselined, baseline it; else ship a corrected migration."
    INCOMPATIBLE_OPERATION IncompatibleOperation ScriptError false
        "The database cannot do what the migration asks in this form."
        "Ship a migration that does it in another way."
    LOCK_TIMEOUT LockTimeout ScriptError true
        "The migration waited too long for a lock that others hold."
        "Run again at a quieter time, or ship a migration that locks less; where the tool recorded the failure, resolve it first."
    STATEMENT_TIMEOUT StatementTimeout ScriptError true
        "A statement ran longer than it may, or somebody cancelled it."
        "Raise the timeout for the migration, or ship one that works in smaller steps."
    DEADLOCK Deadlock ScriptError true
        "The migration and another transaction waited for each other."
        "Run again at a quieter time; where the tool recorded the failure, resolve it first."
    CODE_ERROR CodeError ScriptError false
        "The code of the migration itself failed before or between its statements."
        "Ship a corrected migration in a new release."
    MIGRATION_FAILED MigrationFailed ScriptError false
        "The tool says that a migration failed and does not say why."
        "Read the database's log for the statement, then ship a corrected migration."
    SERVER_INTERNAL ServerInternal Unknown false
        "The database reports an internal fault or damage."
        "Call the owners of the database before anything is run again."
    FAILED_MIGRATION_RECORDED FailedMigrationRecorded Blocked false
        "An earlier failed migration is on record and blocks every later one."
        "Find out what that migration did, then mark it as rolled back or applied, and run again."
    HISTORY_MISMATCH HistoryMismatch Blocked false
        "The migrations on record and those in the image are not the same."
        "Restore the missing or changed migration files, or repair the history on purpose."
    BASELINE_NEEDED BaselineNeeded Blocked false
        "The database has tables but no migration history."
        "Baseline it: record the migrations that it already has as applied."
    DRIFT Drift Blocked false
        "The schema differs from what its migrations say."
        "Bring schema and history back together by a migration, never by a reset."
    DIRTY_STATE DirtyState Blocked false
        "The tool's version table is marked dirty by an earlier failure."
        "Find out what that migration did, repair it, then set the version."
    STALE_LOCK StaleLock Blocked false
        "A lock row of an earlier run was never released."
        "Make sure that no other runner is active, then release the tool's lock."
    DEPLOY_REQUEST_NEEDED DeployRequestNeeded Blocked false
        "The database accepts schema changes by deploy request or approval only."
        "Send the change the way the database's platform asks for."
    MISSING_ENV MissingEnv Config false
        "A setting that the tool needs is not given."
        "Set the variable that the evidence names, then ask for a retry."
    INVALID_URL InvalidUrl Config false
        "The connection URL cannot be parsed."
        "Correct the URL in the Secret (escape special characters of the password), then ask for a retry."
    DATABASE_MISSING DatabaseMissing Config false
        "The server has no database of that name."
        "Create the database or correct its name in the URL, then ask for a retry."
    SECRET_MISSING SecretMissing Config false
        "The Secret or its key does not exist."
        "Create the Secret with the key that the run names."
    SCHEMA_FILE_MISSING SchemaFileMissing Config false
        "A schema, configuration or migration file is missing from the image."
        "Build an image that contains the file."
    NO_MIGRATIONS NoMigrations Config false
        "The image carries no migrations at all."
        "Build an image that contains them, or allow an empty one on purpose."
    INVALID_SCHEMA InvalidSchema Config false
        "The schema or the configuration is not valid for this version of the tool."
        "Correct it, or pin the version of the tool in the image."
    WRONG_PROVIDER WrongProvider Config false
        "The configured kind of database is not the one that the migrations or the URL are for."
        "Make provider, URL and migrations agree."
    WRONG_COMMAND WrongCommand Config false
        "The command or its options are not meant for this use."
        "Correct the command of the migrate or check step."
    IMAGE_PULL ImagePull Runtime true
        "The image cannot be pulled."
        "Correct the image's name or the pull credentials; the same release is tried again by itself."
    OOM Oom Runtime false
        "The tool ran out of memory."
        "Raise the memory limit of the Job's container, then ask for a retry."
    EVICTED Evicted Runtime true
        "The node gave the pod up before the tool had started."
        "Nothing: the same release is tried again by itself."
    ENGINE_MISSING EngineMissing Runtime false
        "The tool, its engine or a library that it needs is missing, broken or cannot be downloaded."
        "Build an image that contains everything that the tool needs."
    COMMAND_NOT_FOUND CommandNotFound Runtime false
        "The command is not in the image, or cannot be executed there."
        "Correct the command or the image."
    TOOL_CRASHED ToolCrashed Runtime false
        "The tool itself crashed."
        "Look at the trace; another version of the tool may help."
    START_DEADLINE StartDeadline Runtime false
        "The pod did not start in time."
        "Look at the pod's events, remove the obstacle, then ask for a retry."
    INIT_FAILED InitFailed Runtime false
        "A container that runs before the step failed, so the step did not start."
        "Mend the init container of podTemplate, then ask for a retry."
    NODE_LOST NodeLost Runtime true
        "The node was lost before the tool had started."
        "Nothing: the same release is tried again by itself."
    UNSCHEDULABLE Unschedulable Runtime false
        "No node takes the pod."
        "Make room, or correct resources, selectors and tolerations."
    QUOTA_EXCEEDED QuotaExceeded Runtime false
        "A quota of the namespace refuses the pod."
        "Raise the quota or lower the Job's requests."
    ADMISSION_REFUSED AdmissionRefused Runtime false
        "The cluster's admission rules refuse the Job or its pod."
        "Make the pod template satisfy the rule that the evidence names."
    KILLED Killed Interrupted false
        "A signal ended the migration while it ran."
        "Look at the database: has the migration been committed? Record it as applied or rolled back, then run again."
    DEADLINE Deadline Interrupted false
        "The migration ran longer than its timeout and was ended."
        "Look at the database: has the migration been committed? Record it, raise the timeout, then run again."
    OOM_MIDWAY OomMidway Interrupted false
        "The tool was ended for its memory use while a migration ran."
        "Look at the database: has the migration been committed? Record it, raise the memory limit, then run again."
    NODE_LOST_MIDWAY NodeLostMidway Interrupted false
        "The node was lost while a migration ran."
        "Look at the database: has the migration been committed? Record it as applied or rolled back, then run again."
    CONNECTION_LOST_MIDWAY ConnectionLostMidway Interrupted false
        "The connection broke while a migration ran."
        "Look at the database: has the migration been committed? Record it as applied or rolled back, then run again."
    FAILED_WITHOUT_LOG FailedWithoutLog Interrupted false
        "A migration is on record as failed without any error: whatever ran it was ended in the middle."
        "Look at the database: has the migration been committed? Record it as applied or rolled back, then run again."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_time_helps_only_where_nothing_is_broken() {
        let mut names: Vec<_> = REASONS.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), REASONS.len());
        for entry in REASONS {
            let waits = ["LockTimeout", "StatementTimeout", "Deadlock"].contains(&entry.name);
            let elsewhere = matches!(entry.class, Class::Connectivity | Class::Runtime);
            assert!(!entry.retryable || waits || elsewhere, "{}", entry.name);
        }
    }

    #[test]
    fn a_constant_finds_its_entry() {
        assert_eq!(Reason::UNIQUE_VIOLATION.entry().class, Class::DataConflict);
        assert_eq!(Reason::find("uniqueviolation").map(|entry| entry.name), Some("UniqueViolation"));
        assert_eq!(Reason::custom("Quota").entry().class, Class::Unknown);
    }
}
