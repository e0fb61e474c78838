//! The agent as one-shot commands see it: a request goes out, the reply comes back, nothing else happens meanwhile.

use std::cell::OnceCell;
use std::{fmt, io};

use consul_api::client::{Client, ClientError, Config, Request};
use consul_api::json::{self, Unknown};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use crate::command::{Invocation, print_error};
use crate::failure::Failure;
use crate::flags::Parsed;

/// Why a request brought no result.
#[derive(Debug)]
pub enum CallError {
    /// The agent could not be asked, or it refused.
    Client(ClientError),
    /// The reply does not contain what is wanted, or the request makes no sense.
    Other(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => write!(f, "{error}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl From<ClientError> for CallError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl CallError {
    /// The text without the agent's explanation: what scripts expect of `kv get`.
    pub fn without_body(&self) -> String {
        match self {
            Self::Client(ClientError::Status { status, .. }) => format!("Unexpected response code: {status}"),
            _ => self.to_string(),
        }
    }
}

/// A reply that reports success.
#[derive(Debug)]
pub struct Reply {
    body: bytes::Bytes,
}

impl Reply {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        json::from_slice(&self.body, Unknown::Ignore).map_err(|error| ClientError::from(error).into())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The client that the flags and the environment describe. Nothing is opened yet.
pub fn client(flags: &Parsed, prefix: &str) -> Result<Client, Failure> {
    let config = config(flags);
    for warning in &config.warnings {
        print_error(&format!("[WARN] {warning}"));
    }
    Client::new(config).map_err(Failure::of(prefix))
}

/// Flags beat variables, except that a token file beats every token.
fn config(flags: &Parsed) -> Config {
    let mut config = Config::from_env();
    let given = |name: &str| Some(flags.text(name)).filter(|text| !text.is_empty());
    if let Some(address) = given("http-addr") {
        config.address = address.to_owned();
    }
    if let Some(token) = given("token") {
        config.token = Some(token.into());
    }
    let paths = [
        ("token-file", &mut config.token_file),
        ("ca-file", &mut config.ca_file),
        ("ca-path", &mut config.ca_path),
        ("client-cert", &mut config.client_cert),
        ("client-key", &mut config.client_key),
    ];
    for (name, setting) in paths {
        if let Some(path) = given(name) {
            *setting = Some(path.into());
        }
    }
    for (name, setting) in
        [("tls-server-name", &mut config.tls_server_name), ("namespace", &mut config.namespace)]
    {
        if let Some(text) = given(name) {
            *setting = Some(text.to_owned());
        }
    }
    config
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Get,
    Put,
    Post,
    Delete,
}

/// An agent with the settings that the command line gave.
pub struct Agent {
    client: Client,
    datacenter: String,
    stale: bool,
    runtime: OnceCell<Runtime>,
}

/// A request being put together.
pub struct Call<'a> {
    agent: &'a Agent,
    request: Request<'a>,
}

impl Agent {
    pub fn connect(invocation: &Invocation) -> Result<Self, Failure> {
        Self::connect_or(invocation, "Error connecting to Consul agent: ")
    }

    /// Prepares a connection; a bad certificate, address or token file is reported after `prefix`.
    pub fn connect_or(invocation: &Invocation, prefix: &str) -> Result<Self, Failure> {
        let flags = &invocation.flags;
        Ok(Self {
            client: client(flags, prefix)?,
            datacenter: flags.text("datacenter").to_owned(),
            stale: flags.switch("stale"),
            runtime: OnceCell::new(),
        })
    }

    pub fn get(&self, path: impl AsRef<[u8]>) -> Call<'_> {
        let call = self.call(Method::Get, path.as_ref());
        if self.stale { call.query("stale", "") } else { call }
    }

    pub fn put(&self, path: impl AsRef<[u8]>) -> Call<'_> {
        self.call(Method::Put, path.as_ref())
    }

    pub fn post(&self, path: impl AsRef<[u8]>) -> Call<'_> {
        self.call(Method::Post, path.as_ref())
    }

    pub fn delete(&self, path: impl AsRef<[u8]>) -> Call<'_> {
        self.call(Method::Delete, path.as_ref())
    }

    fn call(&self, method: Method, path: &[u8]) -> Call<'_> {
        let request = match method {
            Method::Get => self.client.get(""),
            Method::Put => self.client.put(""),
            Method::Post => self.client.post(""),
            Method::Delete => self.client.delete(""),
        };
        let call = Call { agent: self, request: request.segment_bytes(path) };
        call.query_unless_empty("dc", &self.datacenter)
    }

    /// The runtime, started for the first request.
    fn runtime(&self) -> Result<&Runtime, CallError> {
        if self.runtime.get().is_none() {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(ClientError::Runtime)?;
            // Nobody else can have set it: there is only this thread.
            let _ = self.runtime.set(runtime);
        }
        self.runtime.get().ok_or_else(|| CallError::Other("no runtime".to_owned()))
    }
}

impl Drop for Agent {
    /// Does not wait for a name lookup that nobody listens to any more.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Call<'_> {
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.request = self.request.param(name, value);
        self
    }

    /// Adds the parameter only if it says something.
    pub fn query_unless_empty(mut self, name: &'static str, value: &str) -> Self {
        self.request = self.request.optional(name, value);
        self
    }

    /// Uses another token than the command's.
    pub fn acting_as(mut self, secret: &str) -> Self {
        self.request = self.request.acting_as(secret.into());
        self
    }

    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.request = self.request.bytes(body);
        self
    }

    pub fn json_body<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Self, CallError> {
        self.request = self.request.json(value);
        Ok(self)
    }

    pub fn send(self) -> Result<Reply, CallError> {
        let answer = self.agent.runtime()?.block_on(self.request.fetch_bytes())?;
        Ok(Reply { body: answer.value })
    }

    pub fn json<T: DeserializeOwned>(self) -> Result<T, CallError> {
        self.send()?.json()
    }

    /// The reply, or nothing where the agent answers 404.
    pub fn optional(self) -> Result<Option<Reply>, CallError> {
        let answer = self.agent.runtime()?.block_on(self.request.find_bytes())?;
        Ok(answer.value.map(|body| Reply { body }))
    }

    /// Passes the body on piece by piece; returns the index.
    pub fn download(self, sink: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<u64, CallError> {
        self.agent.runtime()?.block_on(async {
            let mut answer = self.request.without_limit().stream().await?;
            while let Some(chunk) = answer.value.chunk().await? {
                sink(&chunk).map_err(|error| CallError::Other(error.to_string()))?;
            }
            Ok(answer.meta.index)
        })
    }

    /// Sends a body that need not fit in memory.
    pub fn upload(self, body: impl io::Read + Send + 'static) -> Result<Reply, CallError> {
        // The body is read by a thread of the runtime.
        let answer = self
            .agent
            .runtime()?
            .block_on(async { self.request.reader(body).without_limit().fetch_bytes().await })?;
        Ok(Reply { body: answer.value })
    }
}

/// The path of a KV key, byte for byte.
pub fn key_path(key: &[u8]) -> Vec<u8> {
    [b"/v1/kv/", key].concat()
}
