//! Rules of a user's own, by which a failure is read that no table of ours knows.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::classify::{Class, OwnRule};

/// How failures are read, besides the rules that Sluice has.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Classification {
    /// Rules of your own. The first in the list that matches a line of the log gives class and reason, where the step failed.
    /// None makes a success of a failure, and none takes away that a migration was ended from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub rules: Option<Vec<ClassificationRule>>,
}

/// A line of the log, and what it means.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.retryable) || !self.retryable || self.class in ['Connectivity', 'Runtime']")
        .message("time mends Connectivity and Runtime alone: leave retryable out, or write one of these classes")
)]
pub struct ClassificationRule {
    /// What a line must match, anywhere in it: a regular expression of RE2's kind, such as ^proxy: (gone|down). Anchor it to
    /// what only the tool or the platform prints, since whoever writes the migration can print lines too.
    #[serde(rename = "match")]
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("''.matches(self) in [true, false]").message("match is no regular expression of RE2's kind"))]
    pub pattern: String,

    /// The class of the failure, which says who has to act.
    pub class: RuleClass,

    /// The reason: a name of your own in CamelCase, such as ProxyDown.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z][A-Za-z0-9]*$')").message("reason is a name in CamelCase: write letters and digits, such as ProxyDown"))]
    pub reason: String,

    /// Whether time alone can help: for Connectivity and Runtime alone, and it counts only where the log shows that no SQL can
    /// have been executed. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}

/// Classes that a rule may give. What was ended from outside is seen from outside.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RuleClass {
    Connectivity,
    Permission,
    DataConflict,
    ScriptError,
    Blocked,
    #[default]
    Config,
    Runtime,
}

impl From<RuleClass> for Class {
    fn from(class: RuleClass) -> Self {
        match class {
            RuleClass::Connectivity => Self::Connectivity,
            RuleClass::Permission => Self::Permission,
            RuleClass::DataConflict => Self::DataConflict,
            RuleClass::ScriptError => Self::ScriptError,
            RuleClass::Blocked => Self::Blocked,
            RuleClass::Config => Self::Config,
            RuleClass::Runtime => Self::Runtime,
        }
    }
}

impl From<ClassificationRule> for OwnRule {
    fn from(rule: ClassificationRule) -> Self {
        let ClassificationRule { pattern, class, reason, retryable } = rule;
        Self { pattern, class: class.into(), reason, retryable: retryable.unwrap_or(false) }
    }
}
