//! `consul kv put`.

use std::ffi::OsStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::check_key;
use crate::agent::{Agent, Call, CallError, key_path};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::http_flags::NAMESPACE;
use crate::{input, output};

pub static COMMAND: Command = Command {
    name: "put",
    synopsis: "Write a key",
    usage: "[options] KEY [DATA]",
    about: "Writes DATA under KEY; without DATA the value is empty. DATA is taken as it stands, or from a file if it \
            starts with @, or from standard input if it is a single dash.

    $ consul kv put redis/config/minconns 1
    $ consul kv put page/index @index.html
    $ date | consul kv put started -",
    http: Http::Cluster,
    flags: &[
        Flag::switch("acquire", "Lock the key for -session while writing; fails if another session holds it."),
        Flag::switch("base64", "DATA is base64; the decoded bytes are written."),
        Flag::switch("cas", "Write only if the key's modify index still is -modify-index."),
        Flag::uint("flags", "Number kept with the key; it means whatever the clients agree on.").or("0"),
        Flag::uint("modify-index", "Modify index that -cas compares with."),
        Flag::switch("release", "Give up the lock that -session holds while writing."),
        Flag::text("session", "Id of the session for -acquire and -release.").shown_as("id"),
        NAMESPACE,
    ],
    body: Body::Leaf(run),
};

/// What may stop the write, and how the result is told.
enum Mode {
    Plain,
    CompareAndSet(u64),
    Acquire(String),
    Release(String),
}

fn run(invocation: &Invocation) -> Outcome {
    let args = &invocation.flags.args;
    let Some(key) = args.first() else { return Err(Failure::new("Error! Missing KEY argument")) };
    if args.len() > 2 {
        let count = args.len();
        return Err(Failure::new(format!("Error! Too many arguments (expected 1 or 2, got {count})")));
    }
    let data = data(invocation)?;
    let mode = mode(&invocation.flags)?;
    check_key(key).map_err(Failure::of("Error! Failed writing data: "))?;
    let agent = Agent::connect(invocation)?;
    let mut call = agent.put(key_path(invocation.flags.raw[0].as_encoded_bytes())).body(data);
    if invocation.flags.uint("flags") != 0 {
        call = call.query("flags", invocation.flags.uint("flags").to_string());
    }
    let written = mode.apply(call).map_err(Failure::of("Error! Failed writing data: "))?;
    let (success, refusal) = match mode {
        Mode::Plain => ("Data written to", "".to_owned()),
        Mode::CompareAndSet(_) => ("Data written to", format!("Did not write to {key}: CAS failed")),
        Mode::Acquire(_) => ("Lock acquired on", "Did not acquire lock".to_owned()),
        Mode::Release(_) => ("Lock released on", "Did not release lock".to_owned()),
    };
    if !written && !refusal.is_empty() {
        return Err(Failure::new(format!("Error! {refusal}")));
    }
    output::done(&format!("Success! {success}: {key}"))
}

fn data(invocation: &Invocation) -> Result<Vec<u8>, Failure> {
    let argument = invocation.flags.raw.get(1).map_or(OsStr::new(""), |word| word.as_os_str());
    let data = input::load(argument).map_err(Failure::of("Error! "))?;
    if !invocation.flags.switch("base64") {
        return Ok(data);
    }
    BASE64.decode(&data).map_err(|error| {
        let why = consul_api::types::bytes::illegal_base64(&error);
        Failure::new(format!("Error! Cannot base 64 decode data: {why}"))
    })
}

fn mode(flags: &Parsed) -> Result<Mode, Failure> {
    if flags.switch("cas") && flags.uint("modify-index") == 0 {
        return Err(Failure::new("Must specify -modify-index with -cas!"));
    }
    let session = flags.text("session").to_owned();
    if session.is_empty() && (flags.switch("acquire") || flags.switch("release")) {
        return Err(Failure::new("Error! Missing -session (required with -acquire and -release)"));
    }
    Ok(match () {
        () if flags.switch("cas") => Mode::CompareAndSet(flags.uint("modify-index")),
        () if flags.switch("acquire") => Mode::Acquire(session),
        () if flags.switch("release") => Mode::Release(session),
        () => Mode::Plain,
    })
}

impl Mode {
    /// Sends the write and tells whether it took place.
    fn apply(&self, call: Call<'_>) -> Result<bool, CallError> {
        let call = match self {
            Self::Plain => call,
            Self::CompareAndSet(index) => call.query("cas", index.to_string()),
            Self::Acquire(session) => call.query("acquire", session),
            Self::Release(session) => call.query("release", session),
        };
        Ok(call.send()?.text().contains("true"))
    }
}
