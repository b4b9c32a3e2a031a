//! HTTPS with a certificate that changes while it serves.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::{Router, serve::Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// How long a peer may take to agree on encryption.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The certificate that is served with.
#[derive(Debug)]
pub struct Serving(RwLock<Arc<CertifiedKey>>);

impl Serving {
    /// Begins with `key`.
    #[must_use]
    pub const fn with(key: Arc<CertifiedKey>) -> Self {
        Self(RwLock::new(key))
    }

    /// New connections get `key`; those that are open go on.
    pub fn change(&self, key: Arc<CertifiedKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key;
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Serves `routes` until `shutdown`; answers under way are finished.
///
/// # Errors
/// When there can be no encryption at all.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    serving: Arc<Serving>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error: rustls::Error| io::Error::other(error))?
        .with_no_client_auth()
        .with_cert_resolver(serving);
    let address = listener.local_addr()?;
    let (sender, agreed) = mpsc::channel(64);
    let accepting = tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), sender));
    let result = axum::serve(Agreed { agreed, address }, routes).with_graceful_shutdown(shutdown).await;
    accepting.abort();
    result
}

/// Each handshake is a task of its own, so that a slow peer keeps nobody waiting.
async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors, mostly: it passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => drop(sender.send((stream, peer)).await),
                Ok(Err(error)) => tracing::debug!(%error, "no encryption agreed on"),
                Err(_) => tracing::debug!("no encryption agreed on in time"),
            }
        });
    }
}

/// Connections whose encryption is agreed on.
struct Agreed {
    agreed: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Listener for Agreed {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        match self.agreed.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
