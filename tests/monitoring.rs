//! Holds alerts, dashboard and the configuration of kube-state-metrics to what the operator exposes and the CRD has, and
//! has a runbook for each alert. Of what is rendered: `charts/render --check` holds that to the chart.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use promql_parser::parser::{Expr, VectorSelector, parse};
use promql_parser::util::{ExprVisitor, walk_expr};
use regex::Regex;
use serde_json::Value;
use sluice::classify::Class;

mod exposed;

/// Labels that are not the operator's: where Prometheus found it, and the bounds of a histogram.
const BESIDES: [&str; 2] = ["namespace", "le"];

fn top(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(top(name)).unwrap()
}

/// An object of what is rendered for who watches, by its kind and the end of its name.
fn rendered(kind: &str, name: &str) -> Value {
    let manifests = read("deploy/monitoring/monitoring.yaml");
    let objects = manifests.split("\n---\n").filter_map(|text| serde_saphyr::from_str::<Value>(text).ok());
    let mut its = objects.filter(|object| {
        object["kind"] == kind && object["metadata"]["name"].as_str().is_some_and(|found| found.ends_with(name))
    });
    its.next().unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn alerts() -> Vec<Value> {
    let rule = rendered("PrometheusRule", "sluice");
    let groups = rule["spec"]["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).cloned().collect()
}

fn dashboard() -> Value {
    serde_json::from_str(rendered("ConfigMap", "dashboard")["data"]["sluice.json"].as_str().unwrap()).unwrap()
}

/// What an expression selects.
#[derive(Default)]
struct Selected(Vec<VectorSelector>);

impl ExprVisitor for Selected {
    type Error = String;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
        match expr {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(selector) => self.0.push(selector.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

/// What is wrong with an expression, by what the operator exposes.
fn faults(expr: &str) -> Vec<String> {
    let expr = expr.replace("$__rate_interval", "5m").replace("$namespace", "sluice-system");
    let parsed = match parse(&expr) {
        Ok(parsed) => parsed,
        Err(error) => return vec![format!("{expr}: {error}")],
    };
    let (has, page) = (exposed::families(&exposed::text()), read("docs/metrics.md"));
    let mut selected = Selected::default();
    walk_expr(&mut selected, &parsed).unwrap();
    let mut faults = Vec::new();
    if selected.0.is_empty() {
        faults.push(format!("{expr} asks for nothing"));
    }
    for selector in selected.0 {
        let name = selector.name.clone().unwrap_or_default();
        let Some(labels) = has.get(&exposed::family(&name)) else {
            faults.push(format!("{expr}: {name} is no metric"));
            continue;
        };
        for matcher in &selector.matchers.matchers {
            let ours = labels.contains(&matcher.name);
            if !ours && !BESIDES.contains(&matcher.name.as_str()) {
                faults.push(format!("{expr}: {name} has no label {}", matcher.name));
            }
            let values = matcher.value.split('|').filter(|_| ours);
            let unknown = values.filter(|value| !is_value(&matcher.name, value, &page));
            faults.extend(unknown.map(|value| format!("{expr}: {} is never {value}", matcher.name)));
        }
        if !selector.matchers.matchers.iter().any(|matcher| matcher.name == "namespace") {
            faults.push(format!("{expr}: counts the operators of other namespaces too"));
        }
    }
    faults
}

/// Whether a label may have a value: a class by the code, any other by what the page says of it.
fn is_value(label: &str, value: &str, page: &str) -> bool {
    match label {
        "class" => Class::ALL.iter().any(|class| class.to_string() == value),
        _ => Regex::new(&format!(r"\b{value}\b")).unwrap().is_match(page),
    }
}

#[test]
fn what_an_expression_must_not_ask_is_found() {
    assert_eq!(faults(r#"sum(sluice_leader{namespace="a"}) != 1"#), Vec::<String>::new());
    for (wrong, why) in [
        (r#"sum(sluice_leader{namespace="a"} != 1"#, "sum"),
        (r#"sum(sluice_leaders{namespace="a"})"#, "no metric"),
        (r#"sluice_runs{namespace="a", status="clean"}"#, "no label"),
        (r#"sluice_runs{namespace="a", state="asleep"}"#, "never asleep"),
        (r#"sluice_runs{namespace="a", class="stalled"}"#, "never stalled"),
        ("sum(sluice_leader)", "other namespaces"),
        ("vector(1)", "nothing"),
    ] {
        let found = faults(wrong).join("\n");
        assert!(found.contains(why), "{wrong}: {found}");
    }
}

#[test]
fn alerts_ask_for_what_is_exposed_and_say_what_it_means() {
    let alerts = alerts();
    assert!(alerts.len() >= 10, "alerts are gone");
    let (time, mut wrong) = (Regex::new("^[0-9]+[mh]$").unwrap(), Vec::new());
    for alert in &alerts {
        let name = alert["alert"].as_str().unwrap();
        wrong.extend(faults(alert["expr"].as_str().unwrap()));
        let severity = alert["labels"]["severity"].as_str().unwrap_or_default();
        if !["info", "warning", "critical"].contains(&severity) {
            wrong.push(format!("{name}: severity {severity:?}"));
        }
        for words in ["summary", "description"] {
            if alert["annotations"][words].as_str().is_none_or(str::is_empty) {
                wrong.push(format!("{name} has no {words}"));
            }
        }
        if !alert["for"].as_str().is_some_and(|wait| time.is_match(wait)) {
            wrong.push(format!("{name}: a single sample rings"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_alert_has_a_file_and_a_runbook_and_no_other_is_there() {
    let names: BTreeSet<String> = alerts().iter().map(|alert| alert["alert"].as_str().unwrap().to_owned()).collect();
    for (folder, end) in [("charts/sluice/files/alerts", "yaml"), ("docs/runbooks", "md")] {
        let files = fs::read_dir(top(folder)).unwrap().map(|entry| entry.unwrap().path());
        let files: BTreeSet<String> = files
            .inspect(|path| assert_eq!(path.extension().unwrap(), end, "{}", path.display()))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(files, names, "{folder}");
    }
    for name in &names {
        let page = read(&format!("docs/runbooks/{name}.md"));
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(
            headings,
            [&format!("# {name}"), "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"],
            "{name}"
        );
    }
    let index = read("docs/metrics.md");
    for name in &names {
        assert!(index.contains(&format!("runbooks/{name}.md")), "docs/metrics.md does not lead to {name}");
    }
}

#[test]
fn the_dashboard_asks_for_what_is_exposed() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut exprs = Vec::new();
    for panel in panels {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{} shows nothing", panel["title"]);
        exprs.extend(targets.iter().map(|target| target["expr"].as_str().unwrap()));
    }
    let wrong: Vec<String> = exprs.iter().flat_map(|expr| faults(expr)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unseen: Vec<String> = exposed::families(&exposed::text())
        .into_keys()
        .filter(|name| !exprs.iter().any(|expr| expr.contains(name.as_str())))
        .collect();
    assert!(unseen.is_empty(), "no panel shows {unseen:?}");
    let places: BTreeSet<String> = panels.iter().map(|panel| panel["gridPos"].to_string()).collect();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!((places.len(), ids.len()), (panels.len(), panels.len()), "two panels in one place, or of one number");
}

/// Whether a field of the CRD's schema is there, below `schema`.
fn below<'a>(schema: &'a Value, path: &Value) -> Option<&'a Value> {
    let mut at = schema;
    for part in path.as_array().into_iter().flatten() {
        let within = if at["items"].is_object() { &at["items"] } else { at };
        at = within["properties"].get(part.as_str()?)?;
    }
    Some(at)
}

#[test]
fn kube_state_metrics_is_told_of_fields_that_there_are() {
    let config = rendered("ConfigMap", "kube-state-metrics");
    let config: Value = serde_saphyr::from_str(config["data"]["config.yaml"].as_str().unwrap()).unwrap();
    let crd: Value = serde_saphyr::from_str(&read("crds/migrationruns.sluice.dev.yaml")).unwrap();
    let version = &crd["spec"]["versions"][0];
    let mut schema = version["schema"]["openAPIV3Schema"].clone();
    for field in ["name", "namespace", "creationTimestamp"] {
        schema["properties"]["metadata"]["properties"][field] = serde_json::json!({ "type": "string" });
    }
    let resource = &config["spec"]["resources"][0];
    let kind = &resource["groupVersionKind"];
    assert_eq!((&kind["group"], &kind["version"]), (&crd["spec"]["group"], &version["name"]));
    assert_eq!(kind["kind"], crd["spec"]["names"]["kind"]);
    let labels = |of: &Value, schema: &Value, what: &str| {
        for (label, path) in of["labelsFromPath"].as_object().into_iter().flatten() {
            assert!(below(schema, path).is_some(), "{what}: label {label}: there is no {path}");
        }
    };
    labels(resource, &schema, "every metric");
    let metrics = resource["metrics"].as_array().unwrap();
    assert!(metrics.len() >= 4);
    for metric in metrics {
        let name = metric["name"].as_str().unwrap();
        let each = &metric["each"];
        let body = &each[each["type"].as_str().unwrap().to_lowercase()];
        let at = below(&schema, &body["path"]).unwrap_or_else(|| panic!("{name}: there is no {}", body["path"]));
        labels(body, at, name);
        assert!(below(at, &body["valueFrom"]).is_some(), "{name}: there is no {}", body["valueFrom"]);
        assert!(metric["help"].as_str().is_some_and(|help| !help.is_empty()), "{name} has no help");
        assert!(read("docs/metrics.md").contains(&format!("`kube_sluice_run_{name}`")), "{name} is not described");
    }
}
