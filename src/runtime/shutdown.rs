//! The request to end: SIGTERM, which the kubelet sends, or SIGINT from a terminal.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Listens for SIGTERM and SIGINT from now on; the future resolves with the name of the first that comes.
///
/// # Errors
/// When the signals cannot be listened to, or outside a Tokio runtime with I/O.
pub fn requested() -> io::Result<impl Future<Output = &'static str> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
