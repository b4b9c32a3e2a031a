//! What makes a release: the part of a run's spec by which "the same" and "another" are told apart.

use serde_json::json;

use super::{MigrationRunSpec, names};

/// Digest of what is migrated and where: image, database, tool and the commands. The same release that is clean is not
/// migrated again, whatever else changes.
#[must_use]
pub fn release_digest(spec: &MigrationRunSpec, namespace: &str) -> String {
    let migrate = spec.migrate.as_ref();
    let identity = json!({
        "image": spec.image,
        "jobImage": spec.job_image(),
        "tool": spec.tool_or_default(),
        "databaseId": spec.database_id(namespace),
        "urlFrom": spec.database.url_from,
        "envName": spec.env_name(),
        "command": migrate.and_then(|m| m.command.as_ref()),
        "args": migrate.and_then(|m| m.args.as_ref()),
        "env": migrate.and_then(|m| m.env.as_ref()),
        "envFrom": migrate.and_then(|m| m.env_from.as_ref()),
        "check": spec.check.as_ref().and_then(|c| c.command.as_ref()),
    });
    let own: Vec<_> = spec.targets().iter().filter(|target| target.image.is_some()).collect();
    if own.is_empty() {
        return names::digest_hex(&[&identity.to_string()]);
    }
    // Images of the targets' own belong to the release: another one is asked about before it is let go.
    names::digest_hex(&[&identity.to_string(), &json!(own).to_string()])
}

/// Digest of all that bears on how an attempt runs: the release, and pod template, timeouts, `allowEmpty` and rules
/// of classification besides. A
/// failed release is tried again when this changes (more memory, a longer timeout), a clean one is not.
#[must_use]
pub fn inputs_digest(spec: &MigrationRunSpec, namespace: &str) -> String {
    let mut inputs = json!({
        "release": release_digest(spec, namespace),
        "podTemplate": spec.pod_template,
        "migrateTimeout": spec.migrate_timeout().as_millis().to_string(),
        "checkTimeout": spec.check_timeout().as_millis().to_string(),
        "startTimeout": spec.start_timeout().as_millis().to_string(),
        "allowEmpty": spec.allow_empty(),
    });
    // Only where it is written: runs of an operator that did not know the field keep their digest.
    if let (Some(classification), Some(inputs)) = (&spec.classification, inputs.as_object_mut()) {
        inputs.insert("classification".to_owned(), json!(classification));
    }
    names::digest_hex(&[&inputs.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::migration_run::{Database, History, Migrate};
    use crate::api::target::Target;

    fn spec() -> MigrationRunSpec {
        MigrationRunSpec {
            image: "shop:1".into(),
            database: Database { id: Some("shop".into()), ..Database::default() },
            ..MigrationRunSpec::default()
        }
    }

    /// A target's own image is part of the release: what was clean says nothing of another one.
    #[test]
    fn an_image_of_a_targets_own_makes_another_release() {
        let target = |image: Option<&str>| {
            let target = Target { name: "worker".into(), image: image.map(str::to_owned), ..Target::default() };
            release_digest(&MigrationRunSpec { targets: Some(vec![target]), ..spec() }, "a")
        };
        assert_eq!(target(None), release_digest(&spec(), "a"));
        assert_ne!(target(Some("worker:1")), target(None));
        assert_ne!(target(Some("worker:1")), target(Some("worker:2")));
    }

    /// Another digest would be another release: every clean run of a cluster would be migrated again by the next operator.
    #[test]
    fn digests_stay_the_same_from_one_operator_to_the_next() {
        let full = serde_json::json!({
            "image": "shop:1",
            "tool": "Custom",
            "database": {
                "id": "prod/shop", "envName": "DB_URL", "engine": "PostgreSQL",
                "urlFrom": { "secretKeyRef": { "name": "shop-db", "key": "URL" } },
            },
            "migrate": {
                "image": "m:1", "command": ["a"], "args": ["b"], "timeout": "1h", "allowEmpty": true,
                "env": [{ "name": "A", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }],
                "envFrom": [{ "configMapRef": { "name": "c" } }],
            },
            "check": { "command": ["c"], "timeout": "90s" },
            "startTimeout": "2m",
            "podTemplate": { "spec": { "serviceAccountName": "x" } },
        });
        let full: MigrationRunSpec = serde_json::from_value(full).unwrap();
        assert_eq!(
            (release_digest(&spec(), "a"), inputs_digest(&spec(), "a")),
            ("146985be56fdd3f3".into(), "0a385a7a221e677b".into())
        );
        assert_eq!(
            (release_digest(&full, "a"), inputs_digest(&full, "a")),
            ("82d256d3cb82fb40".into(), "e299f566ba7ba824".into())
        );
    }

    #[test]
    fn what_does_not_bear_on_an_attempt_changes_neither_digest() {
        let mut other = spec();
        other.suspend = Some(true);
        other.history = Some(History { limit: Some(9) });
        assert_eq!(release_digest(&spec(), "a"), release_digest(&other, "a"));
        assert_eq!(inputs_digest(&spec(), "a"), inputs_digest(&other, "a"));
    }

    #[test]
    fn a_timeout_is_an_input_but_not_the_release() {
        let mut other = spec();
        other.migrate = Some(Migrate { timeout: Some(std::time::Duration::from_secs(1).into()), ..Migrate::default() });
        assert_eq!(release_digest(&spec(), "a"), release_digest(&other, "a"));
        assert_ne!(inputs_digest(&spec(), "a"), inputs_digest(&other, "a"));
    }

    #[test]
    fn a_rule_of_ones_own_is_an_input_but_not_the_release() {
        let mut other = spec();
        other.classification = Some(Default::default());
        assert_eq!(release_digest(&spec(), "a"), release_digest(&other, "a"));
        assert_ne!(inputs_digest(&spec(), "a"), inputs_digest(&other, "a"));
    }

    #[test]
    fn an_image_or_a_database_is_another_release() {
        let mut image = spec();
        image.image = "shop:2".into();
        let mut database = spec();
        database.database.id = Some("other".into());
        assert_ne!(release_digest(&spec(), "a"), release_digest(&image, "a"));
        assert_ne!(release_digest(&spec(), "a"), release_digest(&database, "a"));
    }
}
