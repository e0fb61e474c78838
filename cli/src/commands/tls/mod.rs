//! `consul tls`: certificates for a cluster, without other tools.

mod ca_create;
mod cert_create;
mod cert_renew;
mod files;
mod keys;

use crate::command::Command;

pub static COMMAND: Command = Command::group(
    "tls",
    "Make certificates for a cluster",
    "Makes a certificate authority and the certificates that agents and the command line need to talk TLS. Files are \
     written to the current directory.

    $ consul tls ca create
    $ consul tls cert create -server -dc=dc1
    $ consul tls cert create -client",
    &[&CA, &CERT],
);

static CA: Command = Command::group(
    "ca",
    "Make a certificate authority",
    "The certificate authority signs all certificates of a cluster. Keep its key away from the cluster.

    $ consul tls ca create -domain=consul",
    &[&ca_create::COMMAND],
);

static CERT: Command = Command::group(
    "cert",
    "Make certificates",
    "Makes certificates for servers, clients and the command line, signed by the authority that \"consul tls ca \
     create\" made.

    $ consul tls cert create -server",
    &[&cert_create::COMMAND, &cert_renew::COMMAND],
);
