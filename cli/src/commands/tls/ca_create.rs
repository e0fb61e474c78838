//! `consul tls ca create`.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, GeneralSubtree, IsCa, KeyUsagePurpose,
    NameConstraints, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::files::{self, Readers};
use super::keys;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::output;

pub static COMMAND: Command = Command {
    name: "create",
    synopsis: "Make a certificate authority",
    usage: "[options]",
    about: "Makes the certificate and the key of a new authority: <domain>-agent-ca.pem, which every agent gets, and \
            <domain>-agent-ca-key.pem, which nobody else should.",
    http: Http::None,
    flags: &[
        Flag::list("additional-name-constraint", "Domain that the authority may sign for too.")
            .shown_as("domain"),
        Flag::text("common-name", "Common name; by default one with the serial number in it.")
            .shown_as("name"),
        Flag::int("days", "How many days the authority is valid.").or("1825"),
        Flag::text("domain", "DNS domain of the cluster.").or("consul").shown_as("domain"),
        Flag::switch(
            "name-constraint",
            "Let the authority sign only for the domain, localhost and additional ones.",
        ),
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    if !flags.list("additional-name-constraint").is_empty() && !flags.switch("name-constraint") {
        return Err(Failure::new("Additional domains can only be used with -name-constraint"));
    }
    let domain = flags.text("domain");
    let certificate_file = format!("{domain}-agent-ca.pem");
    let key_file = format!("{domain}-agent-ca-key.pem");
    for file in [&certificate_file, &key_file] {
        if Path::new(file).exists() {
            return Err(Failure::new(format!("{file} already exists.")));
        }
    }
    let failed = |error: rcgen::Error| Failure::new(error.to_string());
    let key = keys::generate().map_err(failed)?;
    let certificate = params(flags)?.self_signed(&key).map_err(failed)?;
    let key_pem = keys::to_sec1_pem(&key).ok_or_else(|| Failure::new("cannot write the key"))?;
    files::create(&certificate_file, &certificate.pem(), Readers::Everybody)?;
    output::print_line(&format!("==> Saved {certificate_file}"))?;
    files::create(&key_file, &key_pem, Readers::Owner)?;
    output::print_line(&format!("==> Saved {key_file}"))?;
    Ok(Exit::SUCCESS)
}

fn params(flags: &Parsed) -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::default();
    let serial = serial();
    let mut name = DistinguishedName::new();
    let common_name = match flags.text("common-name") {
        "" => format!("Consul Agent CA {serial}"),
        given => given.to_owned(),
    };
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from(serial.to_be_bytes().to_vec()));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = validity(flags.int("days"))?;
    if flags.switch("name-constraint") {
        let mut domains = flags.list("additional-name-constraint");
        domains.extend([flags.text("domain").to_owned(), "localhost".to_owned()]);
        let permitted_subtrees = domains.into_iter().map(GeneralSubtree::DnsName).collect();
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    }
    Ok(params)
}

/// A random positive number.
pub fn serial() -> u128 {
    rand::random::<u128>() >> 1
}

/// From now on, for so many days.
pub fn validity(days: i64) -> Result<(OffsetDateTime, OffsetDateTime), Failure> {
    if days <= 0 {
        return Err(Failure::new("-days must be positive"));
    }
    let now = OffsetDateTime::now_utc();
    let end = Duration::DAY.checked_mul(i32::try_from(days).unwrap_or(i32::MAX));
    let end = end.and_then(|span| now.checked_add(span));
    end.map(|end| (now, end)).ok_or_else(|| Failure::new("-days is too large"))
}
