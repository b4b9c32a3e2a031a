//! What the definition says to users, to GitOps tools and to the API server.

use serde_json::{Value, json};

use crate::api::MigrationRunSpec;
use crate::classify::Tool;

fn definition() -> Value {
    super::migration_run().unwrap()
}

fn schema() -> Value {
    definition().pointer("/spec/versions/0/schema/openAPIV3Schema").cloned().unwrap()
}

/// Every schema with its path, but for the insides of Kubernetes' own types.
fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    if ["spec.migrate.env", "spec.migrate.envFrom", "status.conditions"].iter().any(|known| path.ends_with(known)) {
        return;
    }
    for (field, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        walk(inner, &format!("{path}.{field}"), visit);
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{path}[]"), visit);
    }
}

#[test]
fn names_columns_and_selectable_fields_are_the_contracts() {
    let definition = definition();
    let names = &definition["spec"]["names"];
    assert_eq!((&names["shortNames"], &names["categories"]), (&json!(["mrun"]), &json!(["sluice"])));
    let version = &definition["spec"]["versions"][0];
    let columns: Vec<&str> = version["additionalPrinterColumns"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|column| column["priority"].as_i64().unwrap_or_default() == 0)
        .filter_map(|column| column["name"].as_str())
        .collect();
    assert_eq!(columns, ["Image", "Step", "Class", "Gate", "Ready", "Age"]);
    assert_eq!(version["selectableFields"], json!([{ "jsonPath": ".spec.image" }, { "jsonPath": ".spec.suspend" }]));
    assert_eq!(version["subresources"], json!({ "status": {} }));
    assert_eq!(schema()["properties"]["status"]["default"], json!({ "observedGeneration": -1 }));
}

#[test]
fn every_field_is_described_in_flowing_sentences() {
    walk(&schema(), "mrun", &mut |path, schema| {
        // An item is described by its list.
        if path.ends_with("[]") && schema.get("properties").is_none() {
            return;
        }
        let text = schema["description"].as_str().unwrap_or_default();
        assert!(text.ends_with(['.', ']']), "{path}: {text:?}");
        assert!(!text.contains('\n') && !text.contains("  "), "{path}: {text:?}");
        assert!(text.starts_with(|first: char| first.is_uppercase() || first == '`'), "{path}: {text:?}");
    });
}

#[test]
fn every_optional_field_of_spec_names_its_default() {
    let spec = schema()["properties"]["spec"].clone();
    walk(&spec, "spec", &mut |path, schema| {
        let scalar = ["string", "integer", "boolean"].iter().any(|kind| schema["type"] == *kind);
        let given = [
            "spec.image",
            "spec.database.urlFrom.secretKeyRef.name",
            "spec.database.urlFrom.secretKeyRef.key",
            "spec.targets[].kind",
            "spec.targets[].name",
            "spec.classification.rules[].match",
            "spec.classification.rules[].class",
            "spec.classification.rules[].reason",
        ];
        if scalar && !path.ends_with("[]") && !given.contains(&path) {
            assert!(schema["description"].as_str().is_some_and(|text| text.contains("Default: ")), "{path}");
        }
    });
}

#[test]
fn no_schema_is_one_that_api_servers_warn_of() {
    let text = definition().to_string();
    assert!(!text.contains("uint") && !text.contains("\"nullable\""));
    walk(&schema(), "mrun", &mut |path, schema| {
        for values in schema.get("enum").and_then(Value::as_array).into_iter() {
            assert!(values.iter().all(Value::is_string), "{path}");
        }
        let open_list = schema["type"] == "array" && schema.get("maxItems").is_none();
        assert!(!(open_list && path.contains(".spec.")), "{path} has no bound, which rules cannot afford");
    });
}

#[test]
fn it_fits_into_the_annotation_of_a_plain_apply() {
    assert!(definition().to_string().len() < 262_144 / 4);
}

#[test]
fn a_null_of_a_template_reads_as_absent() {
    let run = json!({ "image": "shop:1", "tool": null, "database": { "id": "x", "urlFrom": null }, "migrate": null });
    let spec: crate::api::MigrationRunSpec = serde_json::from_value(run).unwrap();
    assert_eq!((spec.tool, spec.migrate, spec.database.url_from), (None, None, None));
}

#[test]
fn durations_are_read_as_people_write_them() {
    for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1.5h", 5400), ("2h0m0s", 7200)] {
        let check = json!({ "timeout": text });
        let check: crate::api::migration_run::Check = serde_json::from_value(check).unwrap();
        let timeout: std::time::Duration = check.timeout.unwrap().into();
        assert_eq!(timeout.as_secs(), seconds, "{text}");
    }
}

/// The rules, evaluated without an API server.
mod rules {
    use kube::core::cel::Validator;

    use super::*;

    /// The messages with which a run is refused.
    fn refusals(name: &str, spec: Value) -> Vec<String> {
        let run = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun", "metadata": { "name": name }, "spec": spec,
        });
        match Validator::new().validate(&schema(), &run, None) {
            Ok(()) => Vec::new(),
            Err(errors) => errors.iter().map(|error| error.message.clone()).collect(),
        }
    }

    /// A good run with one change.
    fn but(pointer: &str, value: Value) -> Value {
        let mut spec = json!({
            "image": "ghcr.io/acme/shop:2.41.0",
            "database": { "urlFrom": { "secretKeyRef": { "name": "shop-db", "key": "DATABASE_URL" } } },
        });
        let mut place = &mut spec;
        for field in pointer.split('.') {
            place = &mut place[field];
        }
        *place = value;
        spec
    }

    #[test]
    fn each_rule_refuses_with_what_to_write_instead() {
        let table = [
            (
                "image",
                json!("ghcr.io/acme/shop: 2.41.0"),
                "an image has no spaces and is no pattern: write it as in the Deployment",
            ),
            ("image", json!("shop:1\n"), "an image has no spaces"),
            ("image", json!("*"), "an image has no spaces and is no pattern"),
            ("targets", json!([{ "kind": "Deployment", "name": "a", "image": "*" }]), "is no pattern"),
            ("targets", json!([{ "kind": "Deployment", "name": "a", "image": "shop: 1" }]), "an image has no spaces"),
            ("database", json!({}), "database.id is required where database.urlFrom is absent: write a name"),
            ("database", json!({ "id": "" }), "database.id is required"),
            ("tool", json!("Sqlx"), "no command of its own that says whether anything is pending: write check.command"),
            ("database.envName", json!("1URL"), "write letters, digits and underscores"),
            ("database.envName", json!("DB-URL"), "write letters, digits and underscores"),
            (
                "migrate.timeout",
                json!("30 minutes"),
                "migrate.timeout must be a duration between 1s and 168h: write it such as",
            ),
            ("migrate.timeout", json!("0s"), "migrate.timeout must be"),
            ("migrate.timeout", json!("169h"), "migrate.timeout must be"),
            ("migrate.timeout", json!("-5m"), "migrate.timeout must be"),
            ("migrate.timeout", json!("30"), "migrate.timeout must be"),
            ("check.timeout", json!("25h"), "check.timeout must be a duration between 1s and 24h"),
            ("startTimeout", json!("500ms"), "startTimeout must be a duration between 1s and 24h"),
            ("recovery.retry.initialDelay", json!("2h"), "initialDelay must be a duration between 1s and 1h"),
            ("recovery.retry.maxDelay", json!("25h"), "maxDelay must be a duration between 1s and 24h"),
        ];
        for (field, value, message) in table {
            let refusals = refusals("shop", but(field, value.clone()));
            assert_eq!(refusals.len(), 1, "{field}: {value}: {refusals:?}");
            assert!(refusals[0].contains(message), "{field}: {value}: {refusals:?}");
        }
    }

    #[test]
    fn a_name_that_no_label_holds_is_refused() {
        let spec = || but("suspend", json!(false));
        assert!(refusals(&"a".repeat(64), spec())[0].contains("use at most 63 characters"));
        assert_eq!(refusals(&"a".repeat(63), spec()), Vec::<String>::new());
    }

    #[test]
    fn a_tool_of_ones_own_needs_both_commands() {
        let custom = |migrate: Value, check: Value| {
            let mut spec = but("tool", json!("Custom"));
            (spec["migrate"], spec["check"]) = (migrate, check);
            refusals("shop", spec)
        };
        let message = |refusals: Vec<String>| <[String; 1]>::try_from(refusals).unwrap()[0].clone();
        assert!(message(custom(json!({ "command": ["m"] }), json!({}))).contains("write check.command"));
        assert!(message(custom(json!({}), json!({ "command": ["c"] }))).contains("write migrate.command"));
        assert_eq!(custom(json!({ "command": ["m"] }), json!({ "command": ["c"] })), Vec::<String>::new());
    }

    #[test]
    fn a_tool_that_cannot_say_whether_anything_is_pending_needs_a_check() {
        for tool in Tool::ALL.into_iter().filter(|tool| *tool != Tool::Custom) {
            let silent = tool.table().check.is_none();
            assert_eq!(refusals("shop", but("tool", json!(tool))).len(), usize::from(silent), "{tool}");
            let mut spec = but("tool", json!(tool));
            spec["check"] = json!({ "command": ["c"] });
            assert_eq!(refusals("shop", spec), Vec::<String>::new(), "{tool}");
        }
    }

    #[test]
    fn each_tool_has_an_example_that_is_accepted_and_read_whole() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tools");
        let mut shown = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let run: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let name = run["metadata"]["name"].as_str().unwrap();
            assert_eq!(refusals(name, run["spec"].clone()), Vec::<String>::new(), "{}", path.display());
            let spec: MigrationRunSpec = serde_json::from_value(run["spec"].clone()).unwrap();
            assert_eq!(json!(spec), run["spec"], "{}", path.display());
            shown.push(spec.tool_or_default());
        }
        shown.sort_unstable();
        assert_eq!(shown, Tool::ALL);
    }

    #[test]
    fn a_pattern_that_re2_cannot_parse_is_refused_by_the_schema_itself() {
        let rule = |pattern: &str, reason: &str| {
            refusals(
                "shop",
                but("classification.rules", json!([{ "match": pattern, "class": "Config", "reason": reason }])),
            )
        };
        assert_eq!(rule("^proxy: (gone|down)$", "ProxyDown"), Vec::<String>::new());
        for pattern in ["ab(cd", "[z-a]", "*x"] {
            assert_eq!(rule(pattern, "ProxyDown").len(), 1, "{pattern}");
        }
        assert!(rule("x", "proxy down")[0].contains("CamelCase"));
    }

    #[test]
    fn a_rule_lets_time_help_only_where_time_mends() {
        let rule = |class: &str, retryable: bool| {
            let rule = json!({ "match": "x", "class": class, "reason": "A", "retryable": retryable });
            refusals("shop", but("classification.rules", json!([rule])))
        };
        for class in ["Connectivity", "Runtime"] {
            assert_eq!(rule(class, true), Vec::<String>::new());
        }
        assert_eq!(rule("Config", false), Vec::<String>::new());
        assert!(rule("Config", true)[0].contains("leave retryable out"));
    }

    #[test]
    fn what_is_good_is_accepted() {
        let table = [
            ("suspend", json!(true)),
            ("tool", json!("Prisma")),
            (
                "image",
                json!("registry:5000/shop@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
            ),
            ("database", json!({ "id": "prod/shop" })),
            ("database.envName", json!("_DB_URL2")),
            ("migrate.timeout", json!("90s")),
            ("migrate.timeout", json!("1h30m")),
            ("migrate.timeout", json!("1.5h")),
            ("migrate.timeout", json!("168h")),
            ("check.timeout", json!("1s")),
            ("startTimeout", json!("24h")),
            ("recovery.retry", json!({ "limit": 0, "initialDelay": "5s", "maxDelay": "5m" })),
            ("podTemplate", json!({ "spec": { "serviceAccountName": "x" } })),
            ("history.limit", json!(1)),
        ];
        for (field, value) in table {
            assert_eq!(refusals("shop", but(field, value.clone())), Vec::<String>::new(), "{field}: {value}");
        }
    }
}
