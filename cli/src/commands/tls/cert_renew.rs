//! `consul tls cert renew`: a new certificate for a key that stays.

use std::path::Path;

use super::cert_create::{CA, CLI, CLIENT, DAYS, DC, DNSNAME, DOMAIN, IPADDRESS, KEY, NODE, Request, SERVER};
use super::{files, keys};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::{input, output};

pub static COMMAND: Command = Command {
    name: "renew",
    synopsis: "Make a new certificate for an existing key",
    usage: "-server|-client|-cli -existingkey FILE [options]",
    about: "Makes a new certificate for a key that \"consul tls cert create\" made, in place of the old certificate.

    $ consul tls cert renew -server -existingkey=dc1-server-consul-0-key.pem",
    http: Http::None,
    flags: &[
        SERVER,
        CLIENT,
        CLI,
        CA,
        KEY,
        DAYS,
        DC,
        DOMAIN,
        NODE,
        DNSNAME,
        IPADDRESS,
        Flag::text("existingkey", "The key to make a certificate for; required.").shown_as("path"),
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let key_file = invocation.flags.text("existingkey");
    if key_file.is_empty() {
        return Err(Failure::new("Please provide the key to keep with -existingkey"));
    }
    let request = Request::new(&invocation.flags)?;
    let pem = input::read_file(Path::new(key_file)).and_then(input::into_text);
    let key =
        pem.and_then(|pem| keys::from_pem(&pem)).map_err(Failure::of("Error reading existing key: "))?;
    let certificate = request.sign(&key)?;
    request.announce()?;
    let file = certificate_file(key_file);
    files::replace(&file, &certificate)?;
    output::done(&format!("==> Saved {file}"))
}

/// The certificate lies beside its key.
fn certificate_file(key_file: &str) -> String {
    match key_file.strip_suffix("-key.pem") {
        Some(start) => format!("{start}.pem"),
        None => format!("{}-cert.pem", key_file.trim_end_matches(".pem")),
    }
}
