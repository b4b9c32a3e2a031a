"""What is provoked, once for all tools: the SQL of each database, and the reason that a right reading names.

`expected` is written from what is provoked, never from what a classifier says. Several reasons stand where the databases
or the tools themselves cannot tell them apart. Every failing statement stands alone in the second of two migrations.
"""
from dataclasses import dataclass, field

OK = "Succeeded"
WAITING = "Pending"


@dataclass(frozen=True)
class Situation:
    name: str
    what: str
    expected: tuple
    sql: dict = field(default_factory=dict)  # database: the statement of the second migration
    setup: dict = field(default_factory=dict)  # database: what its administrator does before
    asks: bool = False  # the command that is recorded is the one that asks what is pending


# The first migration: a table whose rows break every rule that the second may bring, and one that they point at.
INIT = {
    "postgres": [
        "CREATE TABLE team (id integer PRIMARY KEY, name varchar(40) NOT NULL)",
        "CREATE TABLE person (id integer PRIMARY KEY, email varchar(80), team integer, age integer, note varchar(80))",
        "INSERT INTO team VALUES (1, 'blue')",
        "INSERT INTO person VALUES (1, 'a@example.com', 1, 30, '7'), (2, 'a@example.com', 2, 12, 'seven'), (3, NULL, 1, NULL, '9')",
    ],
}
INIT["mariadb"] = INIT["postgres"]
INIT["sqlite"] = [
    INIT["postgres"][0],
    "CREATE TABLE person (id integer PRIMARY KEY, email varchar(80), team integer, age integer CHECK (age > 0), note varchar(80))",
    *INIT["postgres"][2:],
    "CREATE TABLE counted (id integer PRIMARY KEY, amount integer NOT NULL) STRICT",
]
FINE = "ALTER TABLE person ADD COLUMN phone varchar(20)"
HANG = {
    "postgres": "SELECT pg_sleep(50)",
    "mariadb": "DO SLEEP(50)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000000000) INSERT INTO team SELECT 2, max(i) FROM n",
}


def everywhere(statement):
    return dict.fromkeys(INIT, statement)


UNIQUE = everywhere("CREATE UNIQUE INDEX person_email ON person (email)")


SITUATIONS = [
    Situation("success", "two migrations, both fine", (OK,), everywhere(FINE)),
    Situation("nothing-pending", "the same again", (OK,), everywhere(FINE)),
    Situation("unreachable", "nobody listens on the port", ("Unreachable",), everywhere(FINE)),
    Situation("dns", "the host's name does not exist", ("Dns",), everywhere(FINE)),
    Situation("wrong-password", "the password is wrong", ("AuthenticationFailed",), everywhere(FINE)),
    # SQLite says only that it cannot open the file, for a directory that is missing and for one that is forbidden.
    Situation("missing-database", "the server has no such database; the file's directory is missing",
              ("DatabaseMissing",), everywhere(FINE)),
    Situation("no-privilege", "a table of somebody else's is altered", ("InsufficientPrivilege",),
              {"postgres": "ALTER TABLE aside.a ADD COLUMN more integer", "mariadb": "ALTER TABLE aside.a ADD COLUMN more integer"}),
    Situation("unique", "two rows hold the same value", ("UniqueViolation",), UNIQUE),
    Situation("foreign-key", "a row points at none", ("ForeignKeyViolation",), {
        "postgres": "ALTER TABLE person ADD CONSTRAINT person_team FOREIGN KEY (team) REFERENCES team (id)",
        "mariadb": "ALTER TABLE person ADD CONSTRAINT person_team FOREIGN KEY (team) REFERENCES team (id)"}),
    # MariaDB says "Data truncated" for a NULL and for a value of another type.
    Situation("not-null", "a row holds no value", ("NotNullViolation",), {
        "postgres": "ALTER TABLE person ALTER COLUMN age SET NOT NULL",
        "mariadb": "ALTER TABLE person MODIFY age integer NOT NULL",
        "sqlite": "INSERT INTO counted (id) SELECT id FROM person"}),
    Situation("check", "a row breaks a check", ("CheckViolation",), {
        "postgres": "ALTER TABLE person ADD CONSTRAINT adult CHECK (age >= 18)",
        "mariadb": "ALTER TABLE person ADD CONSTRAINT adult CHECK (age >= 18)",
        "sqlite": "UPDATE person SET age = age - 20"}),
    Situation("cast", "a text is no number", ("InvalidCast",), {
        "postgres": "ALTER TABLE person ALTER COLUMN note TYPE integer USING note::integer",
        "mariadb": "ALTER TABLE person MODIFY note integer",
        "sqlite": "INSERT INTO counted SELECT id, note FROM person"}),
    Situation("length", "a text is too long for its column", ("ValueTooLong",), {
        "postgres": "ALTER TABLE person ALTER COLUMN note TYPE varchar(3)",
        "mariadb": "ALTER TABLE person MODIFY note varchar(3)"}),
    Situation("syntax", "a keyword is misspelled", ("SyntaxError",), everywhere("ALTER TABEL person ADD COLUMN phone varchar(20)")),
    Situation("missing-object", "a table is not there", ("MissingObject",), everywhere("ALTER TABLE nobody ADD COLUMN phone varchar(20)")),
    Situation("duplicate-object", "a table is there already", ("DuplicateObject",), everywhere("CREATE TABLE team (id integer)")),
    # SQLite has one lock for the whole file, and says that the file is busy.
    Situation("lock-timeout", "another session holds the lock, and lock_timeout is 1 s", ("LockTimeout",),
              {"postgres": "UPDATE aside.a SET n = 1", "mariadb": "UPDATE aside.a SET n = 1", "sqlite": FINE},
              {"postgres": ["ALTER DATABASE shop SET lock_timeout = '1s'"], "mariadb": ["SET GLOBAL innodb_lock_wait_timeout = 1"]}),
    Situation("statement-timeout", "the statement takes longer than statement_timeout, 2 s", ("StatementTimeout",),
              HANG | {"mariadb": "INSERT INTO team SELECT 9, count(*) FROM seq_1_to_10000000 a, seq_1_to_10000000 b"},
              {"postgres": ["ALTER DATABASE shop SET statement_timeout = '2s'"], "mariadb": ["SET GLOBAL max_statement_time = 2"]}),
    Situation("deadlock", "another session takes the same two locks the other way round", ("Deadlock",),
              {"postgres": "SELECT aside.tangle()", "mariadb": "CALL aside.tangle()"}),
    # Where the server's own words reach the log, it ended the session and rolled back; else nobody knows.
    Situation("connection-killed", "an administrator ends the session in the middle", ("SessionEnded", "ConnectionLostMidway"), HANG),
    Situation("process-killed", "SIGKILL in the middle", ("Killed",), HANG),
    Situation("disk-full", "the disk under the table is full; MariaDB: the memory of a table in memory", ("DiskFull",), {
        "postgres": "CREATE TABLE big TABLESPACE small AS SELECT repeat(md5(g::text), 50) AS t FROM generate_series(1, 100000) g",
        "mariadb": "INSERT INTO aside.big SELECT REPEAT('x', 2000) FROM seq_1_to_100000",
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO team SELECT i, printf('%2000d', i) FROM n"}),
    Situation("rerun-after-failure", "the same again after the unique violation", ("UniqueViolation",), UNIQUE),
    Situation("checksum-changed", "the file of an applied migration was edited", ("HistoryMismatch",), everywhere(FINE)),
    Situation("missing-file", "the file of an applied migration is gone", ("HistoryMismatch",), everywhere(FINE)),
    Situation("missing-config", "the configuration file, or the variable with the URL, is missing",
              ("MissingEnv", "SchemaFileMissing", "InvalidUrl", "InvalidSchema"), everywhere(FINE)),
    Situation("bad-url", "the URL's port is no number", ("InvalidUrl",), everywhere(FINE)),
    Situation("too-many-connections", "every connection of the server is taken", ("TooManyConnections",), everywhere(FINE)),
    # A read-only volume under SQLite is a right that is missing.
    Situation("read-only", "the database takes no writes", ("ReadOnly",), everywhere(FINE),
              {"postgres": ["ALTER DATABASE shop SET default_transaction_read_only = on"], "mariadb": ["SET GLOBAL read_only = 1"]}),
]
# What is recorded of the command that asks. Nothing but the first may ever be read as clean.
SITUATIONS += [
    Situation("check-clean", "asked after two migrations that were fine", (OK,), everywhere(FINE), asks=True),
    Situation("check-pending", "asked after the first of two migrations", (WAITING,), everywhere(FINE), asks=True),
    Situation("check-new", "asked before anything was migrated", (WAITING,), everywhere(FINE), asks=True),
    Situation("check-failed", "asked after the unique violation", (WAITING,), UNIQUE, asks=True),
    Situation("check-empty", "asked of an image without migrations", ("NoMigrations", "Unknown"), everywhere(FINE), asks=True),
    Situation("check-unreachable", "asked where nobody listens on the port", ("Unreachable",), everywhere(FINE), asks=True),
]

# What a database calls by another name, or does not have at all.
BY_DATABASE = {
    "mariadb": {"not-null": ("NotNullViolation", "InvalidCast"), "length": ("ValueTooLong", "InvalidCast")},
    "sqlite": {"missing-database": ("DatabaseMissing", "InsufficientPrivilege"), "lock-timeout": ("DatabaseBusy",),
               "read-only": ("InsufficientPrivilege", "ReadOnly")},
}
NOT_THERE = {
    "sqlite": {
        **{name: "a file has no server" for name in ("unreachable", "check-unreachable", "dns", "wrong-password", "connection-killed", "too-many-connections")},
        "no-privilege": "a file has no roles; read-only stands for it",
        "foreign-key": "SQLite adds no key to a table that exists",
        "length": "SQLite has no lengths", "statement-timeout": "SQLite has no such limit", "deadlock": "one lock for the whole file",
        "bad-url": "a path has no port",
    },
}
