//! What an API server's answer means to a person.

use kube::Error;

/// In one line, what is wrong and what to do.
pub fn words(doing: &str, namespace: &str, error: &Error) -> String {
    match error {
        Error::Api(status) if status.code == 403 => format!(
            "not allowed to {doing} in namespace {namespace}: {}; the chart's ClusterRoles ending in -view and -edit give it",
            status.message
        ),
        Error::Api(status) if status.code == 401 => {
            format!("the cluster does not know the credentials of this context: log in again ({})", status.message)
        }
        Error::Api(status) if is_kind_missing(status.code, &status.message) => {
            "this cluster has no MigrationRun: install Sluice, or choose another --context".to_owned()
        }
        Error::Api(status) if status.code == 404 && status.message.contains("migrationruns") => {
            format!("{}; `kubectl sluice get -n {namespace}` lists what is there", status.message)
        }
        Error::Api(status) => format!("failed to {doing}: {}", status.message),
        other => format!("failed to {doing}: {}; is the cluster up, and is it the right --context?", chain(other)),
    }
}

/// Why something of the whole cluster could not be looked at.
pub fn unseen(error: &Error) -> String {
    match error {
        Error::Api(status) if status.code == 403 => {
            "not shown to these rights: it takes those of a cluster's administrator".to_owned()
        }
        Error::Api(status) => status.message.clone(),
        other => chain(other),
    }
}

/// Without the definition, the API server has not even a path.
fn is_kind_missing(code: u16, message: &str) -> bool {
    code == 404 && !message.contains("\"")
}

/// An error with its causes, each said once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api(code: u16, message: &str) -> Error {
        Error::Api(Box::new(Status { code, message: message.to_owned(), ..Status::default() }))
    }

    #[test]
    fn each_answer_says_what_to_do() {
        for (code, message, words_of) in [
            (403, "migrationruns is forbidden: User \"eve\" cannot list", "-view"),
            (401, "Unauthorized", "log in again"),
            (404, "404 page not found", "install Sluice"),
            (404, "migrationruns.sluice.dev \"shop\" not found", "`kubectl sluice get -n prod` lists"),
            (500, "etcdserver: request timed out", "failed to list runs: etcdserver"),
        ] {
            let said = words("list runs", "prod", &api(code, message));
            assert!(said.contains(words_of) && !said.contains('\n'), "{said}");
        }
    }
}
