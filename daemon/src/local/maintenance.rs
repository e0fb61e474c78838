//! Maintenance mode: a critical check whose id says what it is.

use consul_api::types::health::{HealthCheck, NODE_MAINTENANCE, SERVICE_MAINTENANCE_PREFIX};

use super::entry::{LocalCheck, Source, Sync};
use crate::rpc::Token;

/// What is put into maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    Node,
    Service(&'a str),
}

impl Subject<'_> {
    pub fn check_id(self) -> String {
        match self {
            Self::Node => NODE_MAINTENANCE.to_owned(),
            Self::Service(id) => format!("{SERVICE_MAINTENANCE_PREFIX}{id}"),
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Node => ("Node", "node"),
            Self::Service(_) => ("Service", "service"),
        }
    }
}

/// The check that marks `subject`, to be added like any other.
pub fn mark(subject: Subject<'_>, reason: &str, token: Token) -> LocalCheck {
    let (title, word) = subject.words();
    let default = || {
        format!(
            "Maintenance mode is enabled for this {word}, but no reason was provided. This is a default message."
        )
    };
    let service_id = match subject {
        Subject::Node => String::new(),
        Subject::Service(id) => id.to_owned(),
    };
    LocalCheck {
        check: HealthCheck {
            check_id: subject.check_id(),
            name: format!("{title} Maintenance Mode"),
            status: "critical".into(),
            notes: if reason.is_empty() { default() } else { reason.to_owned() },
            r#type: "maintenance".into(),
            service_id,
            ..HealthCheck::default()
        },
        definition: None,
        token,
        source: Source::Local,
        sync: Sync::Dirty,
        critical_since: None,
        deregister_after: None,
        output_due: None,
    }
}
