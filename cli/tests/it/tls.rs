use std::os::unix::fs::PermissionsExt;

use crate::program::Lab;

fn mode(lab: &Lab, name: &str) -> u32 {
    std::fs::metadata(lab.path().join(name)).unwrap().permissions().mode() & 0o777
}

fn text(lab: &Lab, name: &str) -> String {
    std::fs::read_to_string(lab.path().join(name)).unwrap()
}

#[test]
fn an_authority_is_made_once() {
    let lab = Lab::new();
    let made = lab.run(&["tls", "ca", "create"]);
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    assert_eq!(made.out, "==> Saved consul-agent-ca.pem\n==> Saved consul-agent-ca-key.pem\n");
    assert_eq!((mode(&lab, "consul-agent-ca.pem"), mode(&lab, "consul-agent-ca-key.pem")), (0o644, 0o600));
    assert!(text(&lab, "consul-agent-ca-key.pem").starts_with("-----BEGIN EC PRIVATE KEY-----"));
    let again = lab.run(&["tls", "ca", "create"]);
    assert_eq!((again.code, again.err.as_str()), (1, "consul-agent-ca.pem already exists.\n"));
}

#[test]
fn certificates_are_numbered_and_keys_are_private() {
    let lab = Lab::new();
    assert_eq!(lab.run(&["tls", "ca", "create"]).code, 0);
    for number in 0..2 {
        let made = lab.run(&["tls", "cert", "create", "-client", "-dc=east"]);
        assert_eq!((made.code, made.err.as_str()), (0, ""));
        let name = format!("east-client-consul-{number}");
        assert_eq!(
            made.out,
            format!(
                "==> Using consul-agent-ca.pem and consul-agent-ca-key.pem\n==> Saved {name}.pem\n==> Saved \
                 {name}-key.pem\n"
            )
        );
        assert_eq!(mode(&lab, &format!("{name}-key.pem")), 0o600);
    }
    let made = lab.run(&["tls", "cert", "create", "-server", "-node=n1", "-additional-ipaddress=1.2.3.4"]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(made.out.starts_with("==> WARNING: "));
}

#[test]
fn a_renewed_certificate_keeps_its_key() {
    let lab = Lab::new();
    assert_eq!(lab.run(&["tls", "ca", "create"]).code, 0);
    assert_eq!(lab.run(&["tls", "cert", "create", "-cli"]).code, 0);
    let (certificate, key) = (text(&lab, "dc1-cli-consul-0.pem"), text(&lab, "dc1-cli-consul-0-key.pem"));
    let renewed = lab.run(&["tls", "cert", "renew", "-cli", "-existingkey=dc1-cli-consul-0-key.pem"]);
    assert_eq!(renewed.code, 0, "{}", renewed.err);
    assert_ne!(text(&lab, "dc1-cli-consul-0.pem"), certificate);
    assert_eq!(text(&lab, "dc1-cli-consul-0-key.pem"), key);
}

#[test]
fn impossible_certificates_are_refused() {
    let lab = Lab::new();
    for (args, reason) in [
        (&["tls", "cert", "create"][..], "Please provide either -server, -client, or -cli\n"),
        (&["tls", "cert", "create", "-server", "-cli"], "Please provide either -server, -client, or -cli\n"),
        (&["tls", "cert", "create", "-client", "-node=x"], "-node requires -server\n"),
        (
            &["tls", "cert", "create", "-server"],
            "Error reading CA: open consul-agent-ca.pem: no such file or directory\n",
        ),
    ] {
        let refused = lab.run(args);
        assert_eq!((refused.code, refused.err.as_str()), (1, reason), "{args:?}");
    }
    assert_eq!(std::fs::read_dir(lab.path()).unwrap().count(), 0);
}
