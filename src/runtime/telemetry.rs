//! Logs: to stderr, as text or JSON, with the run in every line that is about one.

use std::io::{self, IsTerminal};

use tracing::Span;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::ParseError,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

use super::args::LogFormat;

/// kube warns of an object that it cannot read by printing all of it, environment values included. The reconciler
/// reports such objects by name, so these lines are dropped, whatever the user's directives say.
const NEVER_LOGGED: &str = "kube_client::client=error";

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directives are malformed.
    #[error("failed to read the log directives {directives:?}")]
    ParseDirectives {
        /// What was given.
        directives: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Something else in the process logs already.
    #[error("failed to install the log subscriber")]
    Install(#[source] TryInitError),
}

/// Sends the process's logs to stderr; coloured only on a terminal.
///
/// # Errors
/// When `directives` are malformed, or a subscriber is already installed.
pub fn init(format: LogFormat, directives: &str) -> Result<(), Error> {
    let layer = layer(format, directives, io::stderr().is_terminal(), io::stderr)?;
    tracing_subscriber::registry().with(layer).try_init().map_err(Error::Install)
}

fn layer<W>(format: LogFormat, directives: &str, ansi: bool, writer: W) -> Result<impl Layer<Registry>, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let malformed = |source| Error::ParseDirectives { directives: directives.to_owned(), source };
    let mut filter = EnvFilter::builder().parse(directives).map_err(malformed)?;
    if let Ok(directive) = NEVER_LOGGED.parse() {
        filter = filter.add_directive(directive);
    }
    let lines = match format {
        LogFormat::Text => fmt::layer().with_ansi(ansi).with_writer(writer).boxed(),
        // The list of spans, not the current one: a client's span inside a run's must not hide the run.
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(true)
            .with_writer(writer)
            .boxed(),
    };
    Ok(lines.with_filter(filter))
}

/// The span of one reconciliation of a run: whatever is logged inside carries its fields. `attempt` is absent until
/// [`attempt`] records it.
pub fn run(namespace: &str, run: &str, uid: &str) -> Span {
    tracing::info_span!("run", namespace, run, attempt = tracing::field::Empty, trace_id = trace_id(uid))
}

/// Records the attempt in a span made by [`run`].
pub fn attempt(span: &Span, attempt: u32) {
    span.record("attempt", attempt);
}

/// The trace id of a run: its UID without dashes, which are the 32 lower-case hex digits that W3C Trace Context asks for.
pub fn trace_id(uid: &str) -> String {
    uid.chars().filter(char::is_ascii_hexdigit).map(|digit| digit.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, directives: &str, act: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = layer(format, directives, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    fn log_in_a_run() {
        let span = run("shop", "shop-1", "0F1E2D3C-4b5a-6978-8796-a5b4c3d2e1f0");
        attempt(&span, 2);
        span.in_scope(|| {
            tracing::info_span!("inner").in_scope(|| tracing::info!("job created"));
        });
    }

    #[test]
    fn a_json_line_carries_the_run_through_inner_spans() {
        let text = logged(LogFormat::Json, "info", log_in_a_run);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "job created");
        let run = &line["spans"][0];
        assert_eq!(run["namespace"], "shop");
        assert_eq!(run["run"], "shop-1");
        assert_eq!(run["attempt"], 2);
        assert_eq!(run["trace_id"], "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
    }

    #[test]
    fn a_text_line_carries_the_run_without_colour() {
        let text = logged(LogFormat::Text, "info", log_in_a_run);
        assert!(text.contains("trace_id=\"0f1e2d3c4b5a69788796a5b4c3d2e1f0\""), "{text}");
        assert!(text.contains("attempt=2"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn directives_select_and_whole_objects_are_never_printed() {
        let text = logged(LogFormat::Text, "debug,kube_client=trace", || {
            tracing::warn!(target: "kube_client::client", "{{\"env\": \"hunter2\"}}");
            tracing::debug!("seen");
        });
        assert!(text.contains("seen") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn malformed_directives_are_refused() {
        assert!(matches!(layer(LogFormat::Text, "sluice=loud", false, io::sink), Err(Error::ParseDirectives { .. })));
    }
}
