//! A certificate authority of this process, and the one certificate that it signs. Neither key is ever written.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use tokio_rustls::rustls::crypto::ring::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::sign::CertifiedKey;

/// Clocks of nodes differ: it is valid from a little before it is made.
const SKEW: Duration = Duration::from_secs(300);

/// An authority, and the key and certificate to serve with.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The authority's own certificate, for the configuration.
    pub pem: String,
    /// Until when it is valid.
    pub until: SystemTime,
    /// When its successor should be made: half of its life is over.
    pub renew: SystemTime,
    /// What to serve with.
    pub key: Arc<CertifiedKey>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It cannot be made.
    #[error("failed to make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// It cannot be served.
    #[error("failed to take up the key of a certificate: {0}")]
    Key(#[from] tokio_rustls::rustls::Error),
}

impl Authority {
    /// Makes one for these host names or addresses, which lives for `life` from `now` on.
    ///
    /// # Errors
    /// When a host is no name, or there are no random numbers.
    pub fn new(identity: &str, hosts: &[String], now: SystemTime, life: Duration) -> Result<Self, Failure> {
        let until = now + life;
        let lives = |params: &mut CertificateParams| {
            params.not_before = (now - SKEW).into();
            params.not_after = until.into();
        };
        let mut of_authority = CertificateParams::default();
        // Each has a name of its own: several are in one bundle, and a verifier looks for the issuer by its name.
        let second = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        of_authority.distinguished_name.push(DnType::CommonName, format!("sluice gate {identity} {second}"));
        of_authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        of_authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        lives(&mut of_authority);
        let authority_key = KeyPair::generate()?;
        let pem = of_authority.self_signed(&authority_key)?.pem();

        let mut of_server = CertificateParams::new(hosts.to_vec())?;
        of_server.distinguished_name.push(DnType::CommonName, "sluice gate");
        of_server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        of_server.use_authority_key_identifier_extension = true;
        lives(&mut of_server);
        let key = KeyPair::generate()?;
        let certificate = of_server.signed_by(&key, &Issuer::new(of_authority, authority_key))?;
        let secret = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let key = CertifiedKey::new(vec![certificate.der().clone()], any_supported_type(&secret)?);
        Ok(Self { pem, until, renew: now + life / 2, key: Arc::new(key) })
    }
}
