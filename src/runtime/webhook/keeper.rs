//! Keeps a replica's authority new and known: made, published on the webhook's configuration, and only then served with.
//!
//! The configuration is replaced in the version that was read, so replicas that publish at once do not lose each other's.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;

use super::authority::{Authority, Failure};
use super::bundle::{Authorities, Published};
use super::tls::Serving;
use crate::api::labels;

/// More replicas than will ever start at once.
const TRIES: u32 = 16;

/// How long an authority lives, and how often what is published is looked after.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From its making to its end; its successor comes at half of it.
    pub life: Duration,
    /// Between two looks. The API server has heard of a successor by the next one.
    pub look: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { life: Duration::from_secs(24 * 3600), look: Duration::from_secs(10) }
    }
}

/// A replica's authority.
pub struct Keeper {
    client: Client,
    configuration: String,
    identity: String,
    hosts: Vec<String>,
    timing: Timing,
    now: Authority,
    next: Option<Authority>,
    serving: Arc<Serving>,
    published: watch::Sender<bool>,
}

impl Keeper {
    /// Makes the first authority; nobody knows it yet.
    ///
    /// # Errors
    /// When there can be none.
    pub fn new(
        client: Client,
        configuration: &str,
        identity: &str,
        hosts: &[String],
        timing: Timing,
    ) -> Result<Self, Failure> {
        let now = Authority::new(identity, hosts, SystemTime::now(), timing.life)?;
        let serving = Arc::new(Serving::with(Arc::clone(&now.key)));
        Ok(Self {
            client,
            configuration: configuration.to_owned(),
            identity: identity.to_owned(),
            hosts: hosts.to_vec(),
            timing,
            now,
            next: None,
            serving,
            published: watch::channel(false).0,
        })
    }

    /// What to serve with, now and later.
    #[must_use]
    pub fn serving(&self) -> Arc<Serving> {
        Arc::clone(&self.serving)
    }

    /// Says when the API server can know the first authority.
    #[must_use]
    pub fn published(&self) -> watch::Receiver<bool> {
        self.published.subscribe()
    }

    /// Looks after it for as long as it is polled.
    pub async fn keep(mut self) {
        loop {
            match self.look().await {
                Ok(()) => {
                    self.published.send_replace(true);
                }
                Err(error) => {
                    tracing::warn!(%error, configuration = %self.configuration, "the gate's certificate is not published")
                }
            }
            tokio::time::sleep(self.timing.look).await;
        }
    }

    /// One look: what was published last time is served with from now on; what is old gets a successor; all is published.
    async fn look(&mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let time = SystemTime::now();
        if let Some(next) = self.next.take() {
            self.serving.change(Arc::clone(&next.key));
            self.now = next;
            tracing::info!("the gate serves with its next certificate");
        }
        let next = (time >= self.now.renew)
            .then(|| Authority::new(&self.identity, &self.hosts, time, self.timing.life))
            .transpose()?;
        let mut tries = 1;
        loop {
            match self.publish(next.as_ref(), time).await {
                // Another replica was first: what it wrote is read and kept.
                Err(kube::Error::Api(status)) if status.code == 409 && tries < TRIES => tries += 1,
                Ok(()) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.next = next;
        Ok(())
    }

    async fn publish(&self, next: Option<&Authority>, time: SystemTime) -> kube::Result<()> {
        let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mine = Published {
            pem: std::iter::once(&self.now).chain(next).map(|each| each.pem.clone()).collect(),
            until: seconds(next.unwrap_or(&self.now).until),
        };
        let api: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        let mut found = api.get(&self.configuration).await?;
        let annotations = found.metadata.annotations.get_or_insert_default();
        let known = annotations.get(labels::AUTHORITIES).map(|text| Authorities::parse(text)).unwrap_or_default();
        let wanted = known.with(&self.identity, mine, seconds(time));
        let bundle = ByteString(wanted.bundle().into_bytes());
        let webhooks = found.webhooks.get_or_insert_default();
        let stale = |bundles: Option<&ByteString>| bundles != Some(&bundle);
        if wanted == known && !webhooks.iter().any(|each| stale(each.client_config.ca_bundle.as_ref())) {
            return Ok(());
        }
        annotations.insert(labels::AUTHORITIES.to_owned(), wanted.text());
        webhooks.iter_mut().for_each(|each| each.client_config.ca_bundle = Some(bundle.clone()));
        api.replace(&self.configuration, &PostParams::default(), &found).await.map(drop)
    }
}
