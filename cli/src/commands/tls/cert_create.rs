//! `consul tls cert create`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType, SerialNumber,
};

use super::ca_create::{serial, validity};
use super::files::{self, Readers};
use super::keys;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::output;

pub const SERVER: Flag = Flag::switch("server", "Make a certificate for a server.");
pub const CLIENT: Flag = Flag::switch("client", "Make a certificate for a client agent.");
pub const CLI: Flag = Flag::switch("cli", "Make a certificate for the command line.");
pub const CA: Flag =
    Flag::text("ca", "Certificate of the authority.").or("#DOMAIN#-agent-ca.pem").shown_as("path");
pub const KEY: Flag =
    Flag::text("key", "Private key of the authority.").or("#DOMAIN#-agent-ca-key.pem").shown_as("path");
pub const DAYS: Flag = Flag::int("days", "How many days the certificate is valid.").or("365");
pub const DC: Flag = Flag::text("dc", "Datacenter of the agent.").or("dc1").shown_as("name");
pub const DOMAIN: Flag = Flag::text("domain", "DNS domain of the cluster.").or("consul").shown_as("domain");
pub const NODE: Flag =
    Flag::text("node", "Name of the one server that the certificate is for.").shown_as("name");
pub const DNSNAME: Flag =
    Flag::list("additional-dnsname", "DNS name that the certificate is valid for too.").shown_as("name");
pub const IPADDRESS: Flag =
    Flag::list("additional-ipaddress", "Address that the certificate is valid for too.").shown_as("ip");

pub static COMMAND: Command = Command {
    name: "create",
    synopsis: "Make a certificate and its key",
    usage: "-server|-client|-cli [options]",
    about: "Makes a key and a certificate for a server, a client agent or the command line, signed by the authority \
            of the current directory: <dc>-<kind>-<domain>-<n>.pem and <dc>-<kind>-<domain>-<n>-key.pem with the \
            first free number.

    $ consul tls cert create -server -additional-dnsname=consul.example.com",
    http: Http::None,
    flags: &[SERVER, CLIENT, CLI, CA, KEY, DAYS, DC, DOMAIN, NODE, DNSNAME, IPADDRESS],
    body: Body::Leaf(run),
};

/// Whom a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Server,
    Client,
    Cli,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Cli => "cli",
        }
    }

    fn usages(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Server => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            Self::Client => vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
            Self::Cli => Vec::new(),
        }
    }
}

/// The flags, checked.
pub struct Request {
    pub kind: Kind,
    pub ca_file: String,
    pub ca_key_file: String,
    dc: String,
    domain: String,
    names: Vec<SanType>,
    days: i64,
}

impl Request {
    pub fn new(flags: &Parsed) -> Result<Self, Failure> {
        let chosen: Vec<Kind> = [Kind::Server, Kind::Client, Kind::Cli]
            .into_iter()
            .filter(|kind| flags.switch(kind.word()))
            .collect();
        let [kind] = chosen.as_slice() else {
            return Err(Failure::new("Please provide either -server, -client, or -cli"));
        };
        if !flags.text("node").is_empty() && *kind != Kind::Server {
            return Err(Failure::new("-node requires -server"));
        }
        let domain = flags.text("domain").to_owned();
        Ok(Self {
            kind: *kind,
            ca_file: flags.text("ca").replace("#DOMAIN#", &domain),
            ca_key_file: flags.text("key").replace("#DOMAIN#", &domain),
            dc: flags.text("dc").to_owned(),
            names: names(*kind, flags)?,
            domain,
            days: flags.int("days"),
        })
    }

    fn common_name(&self) -> String {
        format!("{}.{}.{}", self.kind.word(), self.dc, self.domain)
    }

    /// The PEM of a certificate for `key`.
    pub fn sign(&self, key: &KeyPair) -> Result<String, Failure> {
        let authority = files::authority(&self.ca_file, &self.ca_key_file)?;
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, self.common_name());
        params.distinguished_name = name;
        params.serial_number = Some(SerialNumber::from(serial().to_be_bytes().to_vec()));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = self.kind.usages();
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = self.names.clone();
        (params.not_before, params.not_after) = validity(self.days)?;
        let certificate = params.signed_by(key, &authority);
        certificate.map(|certificate| certificate.pem()).map_err(|error| Failure::new(error.to_string()))
    }

    /// The start of the file names; the first number for which there is no file yet.
    fn free_prefix(&self) -> String {
        let taken = |prefix: &str| {
            Path::new(&format!("{prefix}.pem")).exists() || Path::new(&format!("{prefix}-key.pem")).exists()
        };
        let mut number = 0u64;
        loop {
            let prefix = format!("{}-{}-{}-{number}", self.dc, self.kind.word(), self.domain);
            if !taken(&prefix) {
                return prefix;
            }
            number += 1;
        }
    }

    /// Says what the certificate can do and what signs it.
    pub fn announce(&self) -> Result<(), Failure> {
        if self.kind == Kind::Server {
            output::print(
                "==> WARNING: Server Certificates grants authority to become a\n    server and access all state in \
                 the cluster including root keys\n    and all ACL tokens. Do not distribute them to production \
                 hosts\n    that are not server nodes. Store them as securely as CA keys.\n",
            )?;
        }
        output::print_line(&format!("==> Using {} and {}", self.ca_file, self.ca_key_file))?;
        Ok(())
    }
}

/// The alternative names, in the order in which they are written.
fn names(kind: Kind, flags: &Parsed) -> Result<Vec<SanType>, Failure> {
    let (dc, domain, node) = (flags.text("dc"), flags.text("domain"), flags.text("node"));
    let mut names = if kind == Kind::Cli { Vec::new() } else { flags.list("additional-dnsname") };
    if !node.is_empty() {
        names.push(format!("{node}.server.{dc}.{domain}"));
    }
    names.push(format!("{}.{dc}.{domain}", kind.word()));
    names.push("localhost".to_owned());
    let mut all = Vec::new();
    for name in names {
        let name = name.try_into().map_err(|_| Failure::new("DNS names must be ASCII"))?;
        all.push(SanType::DnsName(name));
    }
    if kind != Kind::Cli {
        for text in flags.list("additional-ipaddress") {
            let ip: IpAddr = text
                .parse()
                .map_err(|_| Failure::new(format!("failed to parse certificate: bad address {text:?}")))?;
            all.push(SanType::IpAddress(ip));
        }
        all.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
    }
    Ok(all)
}

fn run(invocation: &Invocation) -> Outcome {
    let request = Request::new(&invocation.flags)?;
    let key = keys::generate().map_err(|error| Failure::new(error.to_string()))?;
    let certificate = request.sign(&key)?;
    let key_pem = keys::to_sec1_pem(&key).ok_or_else(|| Failure::new("cannot write the key"))?;
    request.announce()?;
    let prefix = request.free_prefix();
    let (certificate_file, key_file) = (format!("{prefix}.pem"), format!("{prefix}-key.pem"));
    files::create(&certificate_file, &certificate, Readers::Everybody)?;
    output::print_line(&format!("==> Saved {certificate_file}"))?;
    files::create(&key_file, &key_pem, Readers::Owner)?;
    output::print_line(&format!("==> Saved {key_file}"))?;
    Ok(Exit::SUCCESS)
}
