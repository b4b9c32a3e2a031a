//! The databases' own words of a script that is wrong or cannot run as it is written, for logs whose codes were not printed.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};

use Says::{Text, Vague};

/// PostgreSQL, MySQL and MariaDB, SQL Server, SQLite.
pub static SCRIPT: &[Rule] = &[
    // Consequences, which say at least what kind of thing has gone wrong.
    rule("See previous errors", r"Could not (?:create|drop) constraint", Vague(Reason::INCOMPATIBLE_OPERATION)),
    rule(" - no transaction is", "", Vague(Reason::MIGRATION_FAILED)),
    rule("SQL logic error", r"\bSQL logic error\b", Vague(Reason::MIGRATION_FAILED)),
    rule(
        "syntax error",
        r"(?i)syntax error (?:at or near|at end of input|in)|: syntax error",
        Text(Reason::SYNTAX_ERROR),
    ),
    rule("unterminated", r"unterminated (?:quoted|dollar-quoted|/\* comment)", Text(Reason::SYNTAX_ERROR)),
    rule("You have an error in your SQL syntax", "", Text(Reason::SYNTAX_ERROR)),
    rule("Incorrect syntax near", "", Text(Reason::SYNTAX_ERROR)),
    rule("incomplete input", "", Text(Reason::SYNTAX_ERROR)),
    rule("unrecognized token", "", Text(Reason::SYNTAX_ERROR)),
    rule("must appear in the GROUP BY", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule(
        "already exists",
        r#"(?i)\b(?:relation|column|type|table|index|constraint|function|schema|trigger|policy|role|view|sequence|database|extension|rule|operator|cast|object|publication|enum label|procedure|event|user|domain|aggregate|language|collation|key)\b.* already exists"#,
        Text(Reason::DUPLICATE_OBJECT),
    ),
    rule("duplicate column name", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("Duplicate key name", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("Duplicate foreign key constraint name", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("Multiple primary key defined", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("multiple primary keys for table", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("specified more than once", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("There is already an object named", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("Column names in each table must be unique", "", Text(Reason::DUPLICATE_OBJECT)),
    rule(
        "does not exist",
        r#"(?i)\b(?:relation|column|type|table|index|constraint|function|schema|trigger|policy|view|sequence|extension|operator|object|collation|user mapping|publication|access method|language|text search \w+|aggregate|domain|rule|cast|procedure|tablespace|server)\b.* does not exist"#,
        Text(Reason::MISSING_OBJECT),
    ),
    rule("FROM-clause entry", r"(?:missing|reference to) FROM-clause entry", Text(Reason::MISSING_OBJECT)),
    rule("is not available", r#"extension "[^"]*" is not available"#, Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("has no installation script", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("could not open extension control file", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("no such table", "", Text(Reason::MISSING_OBJECT)),
    rule("no such column", "", Text(Reason::MISSING_OBJECT)),
    rule("no such index", "", Text(Reason::MISSING_OBJECT)),
    rule("no such function", "", Text(Reason::MISSING_OBJECT)),
    rule("Unknown column", r"Unknown column '", Text(Reason::MISSING_OBJECT)),
    rule("Unknown table", r"Unknown table '", Text(Reason::MISSING_OBJECT)),
    rule(
        "doesn't exist",
        r"(?i)(?:table|key column|procedure|function|trigger|database) .*doesn't exist",
        Text(Reason::MISSING_OBJECT),
    ),
    rule("check that", r"check that (?:it|column/key) exists", Text(Reason::MISSING_OBJECT)),
    rule("Failed to open the referenced table", "", Text(Reason::MISSING_OBJECT)),
    rule("Invalid object name", "", Text(Reason::MISSING_OBJECT)),
    rule("Invalid column name", "", Text(Reason::MISSING_OBJECT)),
    rule("Cannot find the object", "", Text(Reason::MISSING_OBJECT)),
    // H2 and HSQLDB.
    rule(
        "\" not found",
        r#"\b(?:Table|Column|Schema|Index|Sequence|Constraint|View|Domain) "[^"]*" not found"#,
        Text(Reason::MISSING_OBJECT),
    ),
    rule("privilege or object not found", "", Text(Reason::MISSING_OBJECT)),
    rule("object name already exists", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("token:", r"\b(?:unexpected|unknown) token: ", Text(Reason::SYNTAX_ERROR)),
    // CockroachDB.
    rule("unimplemented: ", r"(?:^|: )unimplemented: ", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Cannot drop", r"Cannot drop .*because it does not exist", Text(Reason::MISSING_OBJECT)),
    rule("unsafe use of new value", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("cannot run inside a transaction block", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("cannot be executed from a function", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("because other objects depend on it", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("cannot be cast automatically to type", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("default for column", r"default for column .* cannot be cast", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule(
        "cannot be implemented",
        r"foreign key constraint .* cannot be implemented",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule(
        "Referencing column '",
        r"Referencing column '.*' and referenced column '",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule("cannot alter type of a column", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("cannot alter type", r"cannot alter type ", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("needed in a foreign key constraint", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("is of type", r"column .* is of type .* but expression is of type", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("there is no unique constraint matching", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("there is no unique or exclusion constraint", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Specified key was too long", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("is too long", r"Identifier name '.*' is too long", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Row size too large", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Invalid default value for", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Foreign key constraint is incorrectly formed", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("may cause cycles or multiple cascade paths", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("with the SET NULL referential action", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Cannot add a NOT NULL column with default value NULL", "", Text(Reason::NOT_NULL_VIOLATION)),
    rule(
        "Cannot add a ",
        r"Cannot add a (?:UNIQUE|PRIMARY KEY|STORED) column|Cannot add a column with",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule("has no column named", "", Text(Reason::MISSING_OBJECT)),
    rule("values for", r"\d+ values for \d+ columns", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("columns but", r"has \d+ columns but \d+ values", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Column count doesn't match", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    // What is not there, or twice.
    rule("schema has been selected to create", "", Text(Reason::MISSING_OBJECT)),
    rule("is not an existing enum label", "", Text(Reason::MISSING_OBJECT)),
    rule("unrecognized configuration parameter", "", Text(Reason::MISSING_OBJECT)),
    rule("has no field", r#"record "[^"]*" has no field"#, Text(Reason::MISSING_OBJECT)),
    rule("' is not a constraint", r"'[^']*' is not a constraint\b", Text(Reason::MISSING_OBJECT)),
    rule("references invalid ", r"references invalid (?:table|column)", Text(Reason::MISSING_OBJECT)),
    rule("Could not find stored procedure", "", Text(Reason::MISSING_OBJECT)),
    rule("Cannot find data type", "", Text(Reason::MISSING_OBJECT)),
    rule("Must declare the ", r"Must declare the (?:scalar|table) variable", Text(Reason::MISSING_OBJECT)),
    rule("no such module", "", Text(Reason::MISSING_OBJECT)),
    rule("Unknown collation", "", Text(Reason::MISSING_OBJECT)),
    rule("Unknown character set", "", Text(Reason::MISSING_OBJECT)),
    rule("Unknown storage engine", "", Text(Reason::MISSING_OBJECT)),
    rule("Unknown system variable", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Missing column '", r"Missing column '[^']*' for constraint", Text(Reason::MISSING_OBJECT)),
    rule("Cannot find the user", "", Text(Reason::MISSING_OBJECT)),
    rule("another table or index with this name", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("database exists", r"Can't create database '", Text(Reason::DUPLICATE_OBJECT)),
    rule("already has a primary key defined", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("more than one primary key", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("Duplicate check constraint name", "", Text(Reason::DUPLICATE_OBJECT)),
    rule("(errno: 121", "", Text(Reason::DUPLICATE_OBJECT)),
    // What cannot be parsed.
    rule("Unclosed quotation mark", "", Text(Reason::SYNTAX_ERROR)),
    rule("zero-length delimited identifier", "", Text(Reason::SYNTAX_ERROR)),
    rule("first statement in a query batch", "", Text(Reason::SYNTAX_ERROR)),
    rule("target columns", r"INSERT has more (?:expressions|target columns) than", Text(Reason::SYNTAX_ERROR)),
    rule("multiple commands into a prepared", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    // What the database does not do.
    rule(
        "ambiguous",
        r"(?i)column (?:reference \S+|'[^']*' in .*) is ambiguous|ambiguous column name",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule("is not unique", r"(?:function|operator) .* is not unique", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule(
        "cannot change ",
        r"(?i)cannot change (?:return type of|name of|data type of|column )",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule(
        "cannot drop ",
        r#"(?i)cannot drop (?:columns from view|index .* because|the (?:index|currently)|column "[^"]*":|table .* referenced by|column .*: needed)"#,
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule("immutable", r"must be marked IMMUTABLE|expression is not immutable", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("partitioning columns", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("on partitioned table", r"cannot .* on partitioned table", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("has no default operator class", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("have more than ", r"cannot have more than \d+ dimensions for", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("index row ", r"index row (?:size|requires)", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("row is too big", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("which collation to use", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("cached plan must not change", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule(
        "cannot use ",
        r"cannot use (?:column reference|subquery|aggregate|window|set-returning)",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule("referencing and referenced columns", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("referenced relation", r#"referenced relation "[^"]*" is not a table"#, Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("is being accessed by other users", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("pending trigger events", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("by active queries in this session", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("cannot cast type", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("must be type ", r"argument of .* must be type", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule(
        "UNION",
        r"\bUNION (?:query must have the same|types .* cannot be matched)",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule(
        "identity column",
        r"is an identity column|identity column type must be|Multiple identity columns",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule("non-DEFAULT value", r"cannot insert a non-DEFAULT value", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("without restarting the server", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("stack depth limit exceeded", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("can have at most", r"can have at most \d+", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("invalid regular expression:", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("query returned ", r"query returned (?:no rows|more than one row)$", Text(Reason::CODE_ERROR)),
    rule("no destination for result data", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("end of function without RETURN", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("truncate a table referenced", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("add foreign key constraint", r"Cannot add foreign key constraint", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Failed to add the foreign key", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("(errno: 150", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("without a key length", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule(
        "have a default value",
        r"(?:BLOB|TEXT|JSON).*column '[^']*' can't have",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule("definition; there can be", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Incorrect column specifier", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("All parts of a PRIMARY KEY", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("is not valid for CHARACTER SET", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Illegal mix of collations", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("invalid table(s) or column(s)", "", Text(Reason::MISSING_OBJECT)),
    rule("must have its own alias", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Operand should contain", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("nonaggregated column", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Not unique table/alias", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("for update in FROM clause", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("yet support '", r"version of (?:MySQL|MariaDB) doesn't yet support", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("is not supported", r"\b(?:ALGORITHM|LOCK)=\w+ is not supported", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Too many keys specified", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Too many columns", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("packet bigger than", r"packet bigger than 'max_allowed_packet'", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("DISCARD the tablespace", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("command is not allowed with this", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("set to the value of", r"Variable '[^']*' can't be set to", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("have this option", r"Table storage engine for '[^']*' doesn't have", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("hence column cannot be", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("generated column", r"generated column (?:dependency|'[^']*' contains)", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Column length too big", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Too big ", r"Too big (?:precision|scale) ", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Table definition has changed", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("is dependent on column", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("objects access this column", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("same data type as referencing column", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("primary or candidate keys", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("invalid for use as a key column", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule(
        "conversion from data type",
        r"(?:Explicit|Implicit) conversion from data type",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule("Operand type clash", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("IDENTITY_INSERT", r"when IDENTITY_INSERT is set to OFF", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("KEY constraint enforcement", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule(
        "referenced by a FOREIGN KEY",
        r"referenced by a FOREIGN KEY constraint",
        Text(Reason::INCOMPATIBLE_OPERATION),
    ),
    rule("more than one clustered index", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("which was not supplied", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("Cannot alter column", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("foreign key mismatch", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("within a transaction", r"cannot start a transaction within", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("too many SQL variables", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("AUTOINCREMENT is only allowed", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("] is not constant", r"default value of column .*\] is not constant", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("reserved for internal use", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("use DROP ", r"use DROP (?:VIEW|TABLE) to delete", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("parser stack overflow", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("foreign key constraints are not allowed", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("direct DDL is disabled", "", Text(Reason::DEPLOY_REQUEST_NEEDED)),
];

#[cfg(test)]
mod tests {
    use crate::classify::{Classifier, Ending, Reason, Step, Tool};

    const SCRIPT_MISSING: &[&str] = &[
        "no schema has been selected to create in",
        "\"red\" is not an existing enum label",
        "unrecognized configuration parameter \"app.tenant\"",
        "record \"new\" has no field \"total\"",
        "'FK_orders' is not a constraint.",
        "Foreign key 'FK_orders' references invalid table 'customers'.",
        "Could not find stored procedure 'sp_add'.",
        "Cannot find data type money2.",
        "Must declare the scalar variable \"@id\".",
        "no such module: fts9",
        "Unknown collation: 'utf8mb4_xx'",
        "Unknown character set: 'utf9'",
        "Unknown storage engine 'Aria2'",
        "invalid reference to FROM-clause entry for table \"o\"",
        "language \"plrust\" does not exist",
        "Table \"ORDERS\" not found",
        "user lacks privilege or object not found: ORDERS",
        "View 'shop.v' references invalid table(s) or column(s) or function(s)",
    ];
    const SCRIPT_TWICE: &[&str] = &[
        "there is already another table or index with this name: orders",
        "Can't create database 'shop'; database exists",
        "Table 'orders' already has a primary key defined on it.",
        "table \"orders\" has more than one primary key",
        "Duplicate check constraint name 'c'.",
        "enum label \"red\" already exists",
        "PROCEDURE add_order already exists",
        "object name already exists: ORDERS",
    ];
    const SCRIPT_SYNTAX: &[&str] = &[
        "Unclosed quotation mark after the character string 'x'.",
        "zero-length delimited identifier at or near",
        "'CREATE VIEW' must be the first statement in a query batch.",
        "INSERT has more expressions than target columns",
        "unexpected token: COLUM",
    ];
    const SCRIPT_OTHER: &[&str] = &[
        "column reference \"id\" is ambiguous",
        "ambiguous column name: id",
        "function total(integer) is not unique",
        "cannot change return type of existing function",
        "Cannot change column 'id': used in a foreign key constraint 'fk'",
        "cannot drop columns from view",
        "functions in index predicate must be marked IMMUTABLE",
        "generation expression is not immutable",
        "unique constraint on partitioned table must include all partitioning columns",
        "data type json has no default operator class for access method \"btree\"",
        "column cannot have more than 2000 dimensions for ivfflat index",
        "index row requires 8192 bytes, maximum size is 8191",
        "cached plan must not change result type",
        "cannot use subquery in check constraint",
        "database \"shop\" is being accessed by other users",
        "cannot ALTER TABLE \"o\" because it has pending trigger events",
        "cannot cast type text to uuid",
        "UNION types text and integer cannot be matched",
        "column \"id\" of relation \"o\" is an identity column",
        "cannot truncate a table referenced in a foreign key constraint",
        "Cannot add foreign key constraint",
        "Failed to add the foreign key constraint. Missing index for constraint 'fk' in the referenced table 'c'",
        "BLOB/TEXT column 'body' used in key specification without a key length",
        "BLOB, TEXT, GEOMETRY or JSON column 'body' can't have a default value",
        "Incorrect table definition; there can be only one auto column",
        "Illegal mix of collations (a,IMPLICIT) and (b,IMPLICIT) for operation '='",
        "Every derived table must have its own alias",
        "ALGORITHM=INSTANT is not supported for this operation. Try ALGORITHM=COPY.",
        "Column length too big for column 'x' (max = 16383); use BLOB or TEXT instead",
        "The object 'DF_x' is dependent on column 'x'.",
        "ALTER TABLE DROP COLUMN x failed because one or more objects access this column.",
        "Column 'c.id' is not the same data type as referencing column 'o.c' in foreign key 'fk'.",
        "Operand type clash: int is incompatible with date",
        "Cannot insert explicit value for identity column in table 'o' when IDENTITY_INSERT is set to OFF.",
        "Could not create constraint or index. See previous errors.",
        "foreign key mismatch - \"o\" referencing \"c\"",
        "cannot start a transaction within a transaction",
        "too many SQL variables",
        "Cannot add a column with non-constant default",
        "unimplemented: this syntax",
    ];

    /// What the words are read as, in the forms in which drivers that print no code put them.
    pub fn read(words: &str) -> Vec<Option<String>> {
        let forms = [format!("pq: {words}"), format!("Mysql2::Error: {words}"), format!("Error: {words}")];
        let verdict = |line: &String| {
            let mut classifier = Classifier::new(Tool::Custom, Step::Migrate);
            classifier.push(format!("{line}\n").as_bytes());
            classifier.finish(Ending::Exited(1)).reason.map(|reason| reason.to_string())
        };
        forms.iter().map(verdict).collect()
    }

    #[test]
    fn words_of_a_script_lead_to_their_reason() {
        let table = [
            (Reason::MISSING_OBJECT, SCRIPT_MISSING),
            (Reason::DUPLICATE_OBJECT, SCRIPT_TWICE),
            (Reason::SYNTAX_ERROR, SCRIPT_SYNTAX),
            (Reason::INCOMPATIBLE_OPERATION, SCRIPT_OTHER),
        ];
        for (reason, lines) in table {
            for words in lines {
                assert_eq!(read(words), vec![Some(reason.to_string()); 3], "{words}");
            }
        }
    }

    #[test]
    fn a_consequence_gives_way_to_its_cause() {
        let mut classifier = Classifier::new(Tool::Custom, Step::Migrate);
        classifier.push(b"Could not create constraint or index. See previous errors.\n");
        classifier.push(b"Cannot insert the value NULL into column 'x', table 't'; column does not allow nulls.\n");
        assert_eq!(classifier.finish(Ending::Exited(1)).reason, Some(Reason::NOT_NULL_VIOLATION));
    }
}
