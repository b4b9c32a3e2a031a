//! Logs to measure the classifier with: such as tools write, and such as somebody would write who wants it slow.
//!
//! Made by counting, so that two runs measure the same bytes.

use std::fmt::Write;

/// The end of a failed deploy, after which nothing comes.
const FAILURE: &str = "Error: P3018\n\nA migration failed to apply. New migrations cannot be applied before the error is \
    recovered from. Read more about how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve\n\n\
    Migration name: 20260102000000_unique_email\n\nDatabase error code: 23505\n\nDatabase error:\nERROR: could not create \
    unique index \"users_email_key\"\nDETAIL: Key (email)=(a@b.c) is duplicated.\n";

/// A log and its name in the table.
pub struct Log {
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

/// What tools write: each about `size` bytes long.
pub fn realistic(size: usize) -> Vec<Log> {
    vec![
        log("migrations, their SQL and notices", size, &deploy),
        log("the same behind timestamps of a node's log", size, &|n| {
            format!("2026-01-02T10:00:00.{:09}Z stderr F {}", n % 1_000_000_000, deploy(n))
        }),
        log("an application's JSON lines", size, &application),
    ]
}

/// A line of a deploy: mostly SQL that is echoed, sometimes what the tool or the database says of it.
fn deploy(n: u64) -> String {
    match n % 16 {
        0 => format!("Applying migration `{:014}_step`", 20_260_101_000_000 + n),
        5 => format!("NOTICE:  relation \"orders_{n}\" already exists, skipping"),
        10 => format!("[{n}] 12 rows affected in {} ms", n % 977),
        1 | 6 | 11 => format!(
            "CREATE TABLE \"orders_{n}\" (\"id\" BIGSERIAL PRIMARY KEY, \"total\" NUMERIC(12, 2) NOT NULL DEFAULT 0, \"note\" TEXT);"
        ),
        2 | 7 | 12 => format!(
            "ALTER TABLE \"orders_{n}\" ADD CONSTRAINT \"orders_{n}_customer\" FOREIGN KEY (\"customer\") REFERENCES \"customers\" (\"id\");"
        ),
        3 | 8 | 13 => {
            format!("CREATE INDEX \"orders_{n}_total\" ON \"orders_{n}\" (\"total\") WHERE \"total\" > {};", n % 1000)
        }
        _ => format!("    \"column_{}\" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,", n % 40),
    }
}

fn application(n: u64) -> String {
    format!(
        r#"{{"level":"info","ts":{n},"logger":"http","msg":"served","method":"GET","path":"/api/orders/{n}","status":200,"took":"{} ms"}}"#,
        n % 83
    )
}

/// What would cost most: lines that hold literals of rules, or that have to be cleaned, decoded or parsed first.
pub fn adversarial(size: usize) -> Vec<Log> {
    vec![
        log("every line almost a heading", size, &|n| {
            format!("Error: P3O18 the migration {n} failed, error code {n}, SQLSTATE unknown, connection to server")
        }),
        log("every line an error with its code", size, &|n| {
            format!("ERROR: duplicate key value {n} violates unique constraint (SQLSTATE 23505)")
        }),
        log("every line a heading", size, &|n| format!("Error: P3018 {n}")),
        log("every line a start and a success", size, &|n| {
            if n % 2 == 0 {
                "Prisma schema loaded from prisma/schema.prisma".to_owned()
            } else {
                "All migrations have been successfully applied.".to_owned()
            }
        }),
        log("every line coloured", size, &|n| {
            format!("\u{1b}[31merror:\u{1b}[39m \u{1b}[1mattempt {n}\u{1b}[22m of something \u{1b}[32mgreen\u{1b}[39m")
        }),
        log("every line coloured and nothing else", size, &|_| "\u{1b}[32mok\u{1b}[m".to_owned()),
        log("every line an error in JSON", size, &|n| {
            format!(
                r#"{{"level":"error","msg":"ERROR: relation \"t{n}\" does not exist","code":"42P01","err":{{"message":"failed"}}}}"#
            )
        }),
        log("every line nested in four prefixes", size, &|n| {
            format!("app-1  | 2026-01-02T10:00:00.1Z #16 14.62 [pod/a/b] failed: not found {n}")
        }),
        log("one line without an end, full of literals", size, &|_| "error failed P3018 NOTICE: sqlstate ".to_owned())
            .joined(),
        log("every line 40 kB of literals", size, &|n| {
            format!("{n} {}", "error code failed P3018 ECONNREFUSED sqlstate ".repeat(850))
        }),
        log("nothing but line ends", size, &|_| String::new()),
        log("nothing but progress on one line", size, &|n| format!("\r{:>3} % of the errors", n % 100)).joined(),
        log("UTF-16", size / 2, &deploy).in_utf16(),
        noise(size),
    ]
}

impl Log {
    /// Without its line ends.
    fn joined(mut self) -> Self {
        self.bytes.retain(|byte| *byte != b'\n');
        self
    }

    fn in_utf16(mut self) -> Self {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        self.bytes = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        self
    }
}

fn log(name: &'static str, size: usize, line: &dyn Fn(u64) -> String) -> Log {
    let mut text = String::with_capacity(size + 64 * 1024);
    let mut n = 0;
    while text.len() < size {
        let _ = writeln!(text, "{}", line(n));
        n += 1;
    }
    text.push_str(FAILURE);
    Log { name, bytes: text.into_bytes() }
}

/// Bytes without any order, by a generator that needs no crate.
fn noise(size: usize) -> Log {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    Log { name: "bytes without order", bytes: std::iter::repeat_with(next).take(size / 8).flatten().collect() }
}
