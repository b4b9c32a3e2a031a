//! Sluice's own Jobs without Sluice: what the floors are made of.

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use crate::node::BARE;

/// `job` as somebody would write it by hand under this name: nothing that the API server filled in, and no label of Sluice.
pub fn job(job: &Job, name: &str, suspended: bool) -> Job {
    let mut bare = json!({
        "metadata": { "name": name, "labels": { BARE: name } },
        "spec": job.spec,
    });
    let spec = &mut bare["spec"];
    let fields = spec.as_object_mut().unwrap();
    fields.remove("selector");
    fields.insert("suspend".to_owned(), suspended.into());
    let annotations = spec["template"]["metadata"]["annotations"].take();
    spec["template"]["metadata"] = json!({ "labels": { BARE: name }, "annotations": annotations });
    serde_json::from_value(bare).unwrap()
}

/// With another command in its only container, and with the variables of `of`.
pub fn with(mut job: Job, command: &[String], env: Value) -> Job {
    let pod = job.spec.as_mut().and_then(|spec| spec.template.spec.as_mut()).unwrap();
    pod.containers[0].command = Some(command.to_vec());
    pod.containers[0].env = serde_json::from_value(env).unwrap();
    job
}
