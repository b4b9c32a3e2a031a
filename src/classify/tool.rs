//! The tools, and what is known of each: its commands, its sentences, its rules.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common;
use super::rules::{Rule, RuleSet, Says};
use super::tools;

/// Everything known of a tool.
#[derive(Debug)]
pub struct ToolTable {
    /// The command that applies migrations, unless the user says otherwise.
    pub migrate: Option<&'static [&'static str]>,
    /// The command that asks what is pending, unless the user says otherwise.
    pub check: Option<&'static [&'static str]>,
    /// What the check says when nothing is pending; or how its list begins, in which every migration has to be applied then.
    pub clean: &'static [&'static str],
    /// What the tool says when the image carries no migrations.
    pub no_migrations: &'static [&'static str],
    /// Whether a success always ends with a sentence: then an exit code of 0 without one proves nothing.
    pub speaks: bool,
    /// Whether a failure is told with the statement first and the database's words last.
    pub echoes_first: bool,
    /// Whether a failed migration leaves a record that makes the next run fail, whatever the cause was.
    pub records_failure: bool,
    /// The rules, in the order in which they are asked.
    pub rules: &'static [Rule],
}

impl ToolTable {
    /// Whether the tool says of each migration when it is done.
    pub(super) fn marks_done(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.says, Says::Done))
    }

    /// Whether its check lists the migrations, each as applied or not.
    pub fn lists(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.says, Says::Listed))
    }

    /// Whether the tool has a sentence or a list for a database on which nothing is pending: then an exit code of 0 alone
    /// proves nothing.
    pub(super) fn says_when_clean(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.says, Says::Clean | Says::Validated)) || self.lists()
    }

    /// Whether the tool's list begins with a line of its own.
    pub(super) fn begins_a_list(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.says, Says::Lists))
    }

    /// Whether the tool says which migration it is at, before it begins one or when one fails: then a log without such a line
    /// is one of a tool that had not begun.
    pub(super) fn shows_progress(&self) -> bool {
        let names = |rule: &Rule| match rule.says {
            Says::Underway | Says::Sets | Says::BlamesNext => true,
            Says::Works | Says::Opens | Says::Blames => rule.pattern.contains("(?<name>"),
            _ => false,
        };
        self.rules.iter().any(names)
    }
}

/// A migration tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Tool {
    /// Prisma Migrate.
    #[default]
    Prisma,
    /// Flyway.
    Flyway,
    /// Liquibase.
    Liquibase,
    /// Alembic, for SQLAlchemy.
    Alembic,
    /// Django's migrations.
    Django,
    /// Ruby on Rails' Active Record.
    Rails,
    /// Goose.
    Goose,
    /// golang-migrate.
    GolangMigrate,
    /// dbmate.
    Dbmate,
    /// Atlas.
    Atlas,
    /// Knex.
    Knex,
    /// TypeORM.
    TypeORM,
    /// Sequelize.
    Sequelize,
    /// Drizzle Kit.
    Drizzle,
    /// sqlx.
    Sqlx,
    /// Diesel.
    Diesel,
    /// SeaORM.
    SeaOrm,
    /// Entity Framework Core.
    EfCore,
    /// Any other tool: only the database's codes and words are known.
    Custom,
}

impl Tool {
    /// Every tool, in the order of the documentation.
    pub const ALL: [Tool; 19] = [
        Tool::Prisma,
        Tool::Flyway,
        Tool::Liquibase,
        Tool::Alembic,
        Tool::Django,
        Tool::Rails,
        Tool::Goose,
        Tool::GolangMigrate,
        Tool::Dbmate,
        Tool::Atlas,
        Tool::Knex,
        Tool::TypeORM,
        Tool::Sequelize,
        Tool::Drizzle,
        Tool::Sqlx,
        Tool::Diesel,
        Tool::SeaOrm,
        Tool::EfCore,
        Tool::Custom,
    ];

    /// What is known of the tool.
    pub const fn table(self) -> &'static ToolTable {
        match self {
            Tool::Prisma => &tools::PRISMA,
            Tool::Flyway => &tools::FLYWAY,
            Tool::Liquibase => &tools::LIQUIBASE,
            Tool::Alembic => &tools::ALEMBIC,
            Tool::Django => &tools::DJANGO,
            Tool::Rails => &tools::RAILS,
            Tool::Goose => &tools::GOOSE,
            Tool::GolangMigrate => &tools::GOLANG_MIGRATE,
            Tool::Dbmate => &tools::DBMATE,
            Tool::Atlas => &tools::ATLAS,
            Tool::Knex => &tools::KNEX,
            Tool::TypeORM => &tools::TYPEORM,
            Tool::Sequelize => &tools::SEQUELIZE,
            Tool::Drizzle => &tools::DRIZZLE,
            Tool::Sqlx => &tools::SQLX,
            Tool::Diesel => &tools::DIESEL,
            Tool::SeaOrm => &tools::SEA_ORM,
            Tool::EfCore => &tools::EF_CORE,
            Tool::Custom => &tools::CUSTOM,
        }
    }

    /// The tool's rules and the common ones, made ready once.
    pub(super) fn rules(self) -> &'static RuleSet {
        static READY: [OnceLock<RuleSet>; Tool::ALL.len()] = [const { OnceLock::new() }; Tool::ALL.len()];
        static NONE: OnceLock<RuleSet> = OnceLock::new();
        let slot = READY.get(self as usize).unwrap_or(&NONE);
        slot.get_or_init(|| RuleSet::new(&self.tables()))
    }

    fn tables(self) -> [&'static [Rule]; 5] {
        [self.table().rules, common::CODES, common::WORDS, common::SCRIPT, common::SYSTEM]
    }

    /// The literals and patterns by which its logs are read, the common ones too: what other programs have to look for to be
    /// compared with.
    pub fn words(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.tables().into_iter().flatten().map(|rule| (rule.needle, rule.pattern))
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Tool {
    type Err = String;

    /// Reads a name without regard to case, hyphens and underscores.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |s: &str| s.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let wanted = plain(text);
        Tool::ALL.into_iter().find(|tool| plain(&tool.to_string()) == wanted).ok_or_else(|| {
            let names: Vec<String> = Tool::ALL.iter().map(Tool::to_string).collect();
            format!("unknown tool {text:?}; one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::rules::tests::{check, says};

    #[test]
    fn every_pattern_compiles() {
        for tool in Tool::ALL {
            check(tool.table().rules);
        }
    }

    #[test]
    fn every_clean_sentence_is_read_as_clean() {
        for tool in Tool::ALL {
            for sentence in tool.table().clean {
                let clean = |says: &_| matches!(says, Says::Clean | Says::Validated | Says::Lists | Says::Listed);
                assert!(says(tool.rules(), sentence, clean), "{tool}: {sentence}");
            }
            for sentence in tool.table().no_migrations {
                assert!(says(tool.rules(), sentence, |says| matches!(says, Says::Empty)), "{tool}: {sentence}");
            }
        }
    }

    /// What stands in the middle of a line is of whoever wrote the SQL, a name or a value.
    #[test]
    fn what_may_say_that_all_is_well_begins_its_line() {
        for rule in Tool::ALL.iter().flat_map(|tool| tool.table().rules) {
            let well = matches!(rule.says, Says::Applied | Says::Clean | Says::Validated | Says::Lists | Says::Listed);
            if well || matches!(rule.says, Says::Pending | Says::Empty) {
                let pattern = regex_syntax::parse(rule.pattern).unwrap();
                let begins = pattern.properties().look_set_prefix().contains(regex_syntax::hir::Look::Start);
                assert!(begins, "{:?}", rule.pattern);
            }
        }
    }

    #[test]
    fn every_tool_but_one_that_nobody_knows_shows_its_progress() {
        let silent: Vec<Tool> = Tool::ALL.into_iter().filter(|tool| !tool.table().shows_progress()).collect();
        assert_eq!(silent, [Tool::Custom]);
    }

    #[test]
    fn names_are_read_in_any_spelling() {
        assert_eq!("golang-migrate".parse(), Ok(Tool::GolangMigrate));
        assert_eq!("EFCore".parse(), Ok(Tool::EfCore));
        assert!("psql".parse::<Tool>().is_err());
    }
}
