//! Sharing the work between instances: for each template one of them watches the data and publishes it, the others
//! take it over.
//!
//! Who that is, a lock decides; the key that is locked holds the data too. A lock is tried for only when its key is
//! seen to be free, each instance a random while later, so that neither the start of a fleet nor the end of a leader
//! makes everybody write at once.

mod payload;
mod session;
mod template;

use consul_api::client::Client;
use consul_template_functions::{Data, Dependency};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{DedupSettings, TemplateSettings};
use crate::core::Role;

/// What other instances say.
#[derive(Debug)]
pub enum Shared {
    Role { template: usize, role: Role },
    Data { template: usize, data: Vec<(Dependency, Data)> },
}

/// What is to be published for one template.
type Publication = Option<Vec<(Dependency, Data)>>;

/// Our part in it. Dropping it ends the session in the background, [`Dedup::stop`] before it returns.
pub struct Dedup {
    session: Option<session::Session>,
    publications: Vec<watch::Sender<Publication>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Dedup {
    /// Starts to stand for each template.
    pub fn start(
        client: Client,
        settings: DedupSettings,
        templates: &[TemplateSettings],
        report: impl Fn(Shared) + Clone + Send + Sync + 'static,
    ) -> Self {
        let session = session::Session::start(client.clone(), settings.ttl);
        let (mut publications, mut tasks) = (Vec::new(), Vec::new());
        for (at, template) in templates.iter().enumerate() {
            let (sender, publication) = watch::channel(None);
            let key = payload::key(&settings.prefix, template);
            let candidate = template::Candidate {
                client: client.clone(),
                settings: settings.clone(),
                template: at,
                key,
                session: session.id(),
                publication,
                report: report.clone(),
            };
            publications.push(sender);
            tasks.push(tokio::spawn(candidate.stand()));
        }
        Self { session: Some(session), publications, tasks }
    }

    /// Gives the data of a template to the others, if we are the one who does.
    pub fn publish(&self, template: usize, data: Vec<(Dependency, Data)>) {
        if let Some(publication) = self.publications.get(template) {
            publication.send_replace(Some(data));
        }
    }

    /// Ends our session, so that another instance takes over at once.
    pub async fn stop(mut self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}

impl Drop for Dedup {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
