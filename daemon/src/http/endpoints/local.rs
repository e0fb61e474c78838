//! What the endpoints for this host's services and checks have in common.

use consul_checks::SpecError;

use crate::agent::Agent;
use crate::http::failure::Failure;
use crate::http::params;
use crate::http::request::Request;
use crate::local::maintenance::Subject;
use crate::local::state::LocalError;
use crate::rpc::Token;
use crate::services::ServiceError;

/// The caller's token.
pub fn token(request: &Request) -> Token {
    request.token().unwrap_or_default().into()
}

/// Refused registrations and updates, with the status and the words that clients know.
pub fn refusal(error: ServiceError) -> Failure {
    let text = error.to_string();
    match error {
        ServiceError::Definition(_) => Failure::bad_request(text),
        ServiceError::Check(spec) if spec.is_invalid_check() => {
            Failure::bad_request(format!("Invalid check: {text}"))
        }
        ServiceError::Check(SpecError::ScriptsDisabled | SpecError::RemoteScriptsDisabled) => {
            Failure::internal(text)
        }
        ServiceError::Check(_) => Failure::bad_request(text),
        ServiceError::Sidecar(_) => Failure::bad_request(format!("Invalid SidecarService: {text}")),
        ServiceError::Local(LocalError::NoSuchService(_))
        | ServiceError::NotTtl(_)
        | ServiceError::Persist(_) => Failure::internal(text),
        ServiceError::Local(LocalError::UnknownService(_) | LocalError::UnknownCheck(_)) => {
            Failure::not_found(text)
        }
    }
}

/// Whether maintenance mode is to be on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toggle {
    On,
    Off,
}

impl Toggle {
    /// The parameter `enable`, which must be there.
    pub fn of(request: &Request) -> Result<Self, Failure> {
        let text =
            request.params.first("enable").ok_or_else(|| Failure::bad_request("Missing value for enable"))?;
        match params::parse_bool(text) {
            Some(true) => Ok(Self::On),
            Some(false) => Ok(Self::Off),
            None => Err(Failure::bad_request(format!("Invalid value for enable: {text:?}"))),
        }
    }
}

/// Puts `subject` into maintenance mode or takes it out.
pub fn set_maintenance(
    agent: &Agent,
    request: &Request,
    subject: Subject<'_>,
    toggle: Toggle,
) -> Result<(), ServiceError> {
    match toggle {
        Toggle::On => {
            let reason = request.params.first("reason").unwrap_or_default();
            agent.services.enable_maintenance(subject, reason, token(request))
        }
        Toggle::Off => agent.services.disable_maintenance(subject),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::local::definition::DefinitionError;

    fn status(error: ServiceError) -> (StatusCode, String) {
        let failure = refusal(error);
        (failure.status, failure.text)
    }

    #[test]
    fn what_is_wrong_with_a_definition_is_the_clients_fault() {
        assert_eq!(
            status(DefinitionError::MissingServiceName.into()),
            (StatusCode::BAD_REQUEST, "Missing service name".into())
        );
        assert_eq!(
            status(SpecError::NoTtl.into()),
            (StatusCode::BAD_REQUEST, "Invalid check: TTL must be > 0 for TTL checks".into())
        );
        assert_eq!(status(SpecError::BadStatus.into()), (StatusCode::BAD_REQUEST, "Bad check status".into()));
    }

    #[test]
    fn what_the_agent_does_not_allow_is_not() {
        assert_eq!(status(SpecError::RemoteScriptsDisabled.into()).0, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(status(LocalError::UnknownCheck("c".into()).into()).0, StatusCode::NOT_FOUND);
        assert_eq!(
            status(LocalError::NoSuchService("x".into()).into()),
            (StatusCode::INTERNAL_SERVER_ERROR, "ServiceID \"x\" does not exist".into())
        );
    }
}
