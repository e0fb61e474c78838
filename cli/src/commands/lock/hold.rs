//! A lock or a semaphore: what `consul lock` holds.

use consul_api::client::Client;
use consul_api::client::lock::{Held, Lock, LockError};
use consul_api::client::semaphore::Semaphore;

use super::Request;

pub enum Hold {
    Alone(Lock),
    OneOf(Semaphore, String, u64),
}

impl Hold {
    pub fn new(client: Client, request: &Request<'_>) -> Self {
        let (prefix, options) = (&request.prefix, request.options());
        if request.limit == 1 {
            let key =
                [prefix.as_str(), ".lock"].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
            return Self::Alone(Lock::new(client, key.join("/"), options));
        }
        Self::OneOf(Semaphore::new(client, prefix, request.limit, options), prefix.clone(), request.limit)
    }

    pub fn describe(&self) -> String {
        match self {
            Self::Alone(lock) => format!("Setting up lock at path: {}", lock.key()),
            Self::OneOf(_, prefix, limit) => {
                format!("Setting up semaphore (limit {limit}) at prefix: {prefix}")
            }
        }
    }

    /// The key that our session wrote when it got the lock.
    pub fn own_key(&self, held: &Held) -> String {
        match self {
            Self::Alone(lock) => lock.key().to_owned(),
            Self::OneOf(_, prefix, _) => format!("{prefix}/{}", held.session_id()),
        }
    }

    pub async fn acquire(&mut self) -> Result<Option<Held>, LockError> {
        match self {
            Self::Alone(lock) => lock.acquire().await,
            Self::OneOf(semaphore, ..) => semaphore.acquire().await,
        }
    }

    pub async fn abandon(&mut self) {
        match self {
            Self::Alone(lock) => lock.abandon().await,
            Self::OneOf(semaphore, ..) => semaphore.abandon().await,
        }
    }

    pub async fn release(&self, held: Held) -> Result<(), LockError> {
        match self {
            Self::Alone(lock) => lock.release(held).await,
            Self::OneOf(semaphore, ..) => semaphore.release(held).await,
        }
    }

    pub async fn cleanup(&self) -> Result<(), LockError> {
        match self {
            Self::Alone(lock) => lock.cleanup().await,
            Self::OneOf(semaphore, ..) => semaphore.cleanup().await,
        }
    }
}
