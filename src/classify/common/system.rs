//! The words of the network, the operating system, the language runtimes and the package managers.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};

use Says::{Hint, Nothing};

/// Weaker than what a database or the tool itself says.
pub static SYSTEM: &[Rule] = &[
    // A caution, not a cause.
    rule("failed to detect the libssl", "", Nothing),
    rule("npm warn", r"(?i)^npm warn", Nothing),
    rule("npm notice", r"(?i)^npm notice", Nothing),
    // The network.
    rule("ECONNREFUSED", r"(?<code>ECONNREFUSED)", Hint(Reason::UNREACHABLE)),
    rule("ETIMEDOUT", r"(?<code>ETIMEDOUT)", Hint(Reason::UNREACHABLE)),
    rule("EHOSTUNREACH", r"(?<code>EHOSTUNREACH)", Hint(Reason::UNREACHABLE)),
    rule("ENETUNREACH", r"(?<code>ENETUNREACH)", Hint(Reason::UNREACHABLE)),
    rule("ECONNRESET", r"(?<code>ECONNRESET)", Hint(Reason::CONNECTION_CLOSED)),
    rule("EPIPE", r"\b(?<code>EPIPE)\b", Hint(Reason::CONNECTION_CLOSED)),
    rule("ENOTFOUND", r"(?:getaddrinfo |code: ')(?<code>ENOTFOUND)", Hint(Reason::DNS)),
    rule("EAI_AGAIN", r"(?<code>EAI_AGAIN)", Hint(Reason::DNS)),
    rule("connection refused", "", Hint(Reason::UNREACHABLE)),
    rule("connection timed out", "", Hint(Reason::UNREACHABLE)),
    rule("no route to host", "", Hint(Reason::UNREACHABLE)),
    rule("network is unreachable", "", Hint(Reason::UNREACHABLE)),
    rule("i/o timeout", "", Hint(Reason::UNREACHABLE)),
    rule("no such host", "", Hint(Reason::DNS)),
    rule("name or service not known", "", Hint(Reason::DNS)),
    rule("temporary failure in name resolution", "", Hint(Reason::DNS)),
    rule("could not translate host name", "", Hint(Reason::DNS)),
    rule("failed to lookup address information", "", Hint(Reason::DNS)),
    rule("UnknownHostException", "", Hint(Reason::DNS)),
    rule("server host", r"Unknown (?:MySQL |MariaDB )?server host '", Hint(Reason::DNS)),
    rule("connection reset by peer", "", Hint(Reason::CONNECTION_CLOSED)),
    rule("broken pipe", "", Hint(Reason::CONNECTION_CLOSED)),
    rule(
        "certificate",
        r"(?i)certificate (?:verify failed|has expired|signed by unknown|is not trusted)|self.signed certificate|x509: ",
        Hint(Reason::TLS),
    ),
    // Commands, modules and libraries.
    rule("command not found", "", Hint(Reason::COMMAND_NOT_FOUND)),
    rule(": not found", r"^(?:/?\w*sh: )?(?:\d+: |line \d+: )*[\w./-]+: not found$", Hint(Reason::COMMAND_NOT_FOUND)),
    rule("executable file not found", "", Hint(Reason::COMMAND_NOT_FOUND)),
    rule("exec format error", "", Hint(Reason::COMMAND_NOT_FOUND)),
    rule("is not recognized as an internal or external command", "", Hint(Reason::COMMAND_NOT_FOUND)),
    rule("could not determine executable to run", "", Hint(Reason::COMMAND_NOT_FOUND)),
    rule("npx canceled", "", Hint(Reason::COMMAND_NOT_FOUND)),
    rule("npm ERR! missing script", "", Hint(Reason::WRONG_COMMAND)),
    rule("missing script:", r"(?i)npm err(?:or|!) missing script:", Hint(Reason::WRONG_COMMAND)),
    rule("Cannot find module", "", Hint(Reason::ENGINE_MISSING)),
    rule("ERR_MODULE_NOT_FOUND", "", Hint(Reason::ENGINE_MISSING)),
    rule("ModuleNotFoundError", "", Hint(Reason::ENGINE_MISSING)),
    rule("No module named", "", Hint(Reason::ENGINE_MISSING)),
    rule("(LoadError)", "", Hint(Reason::ENGINE_MISSING)),
    rule("cannot load such file", "", Hint(Reason::ENGINE_MISSING)),
    rule("error while loading shared libraries", "", Hint(Reason::ENGINE_MISSING)),
    rule("Could not load file or assembly", "", Hint(Reason::ENGINE_MISSING)),
    rule("You must install or update .NET", "", Hint(Reason::ENGINE_MISSING)),
    rule("NoClassDefFoundError", "", Hint(Reason::ENGINE_MISSING)),
    rule("ClassNotFoundException", "", Hint(Reason::ENGINE_MISSING)),
    rule("UnsupportedClassVersionError", "", Hint(Reason::ENGINE_MISSING)),
    rule("No suitable driver", "", Hint(Reason::ENGINE_MISSING)),
    rule("EPERM", r"(?<code>EPERM)", Hint(Reason::ENGINE_MISSING)),
    rule("write UNKNOWN", r"^(?:Error: )?write UNKNOWN", Hint(Reason::TOOL_CRASHED)),
    // Memory, signals, crashes.
    rule("heap out of memory", "", Hint(Reason::OOM)),
    rule("OutOfMemoryError", "", Hint(Reason::OOM)),
    rule("MemoryError", r"^MemoryError\b", Hint(Reason::OOM)),
    rule("OOMKilled", "", Hint(Reason::OOM)),
    rule("Cannot allocate memory", "", Hint(Reason::OOM)),
    rule("Killed", r"^(?:/\S+: line \d+:\s+\d+ )?Killed\b", Hint(Reason::KILLED)),
    rule("was killed with SIG", "", Hint(Reason::TOOL_CRASHED)),
    rule("Segmentation fault", "", Hint(Reason::TOOL_CRASHED)),
    rule("core dumped", "", Hint(Reason::TOOL_CRASHED)),
    rule("TypeError:", r"^(?:\S+ )?TypeError: ", Hint(Reason::TOOL_CRASHED)),
    rule("No space left on device", "", Hint(Reason::DISK_FULL)),
];
