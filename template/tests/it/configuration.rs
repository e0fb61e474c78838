//! Command line, configuration files and exit codes.

use crate::program::{Place, text};

fn refused(args: &[&str]) -> (i32, String) {
    let output = Place::new().finish(args);
    (output.status.code().unwrap(), text(&output.stderr))
}

#[test]
fn help_and_version() {
    let place = Place::new();
    let help = place.finish(&["-help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("-consul-addr=<address>") && help.stderr.is_empty());
    let version = place.finish(&["-v"]);
    assert!(text(&version.stdout).starts_with("consul-template v"));
    assert_eq!(place.finish(&["-v", "-config", "/no/such"]).status.code(), Some(15));
}

#[test]
fn mistakes_on_the_command_line() {
    assert_eq!(refused(&["-nope"]), (13, "flag provided but not defined: -nope\n".to_owned()));
    assert_eq!(refused(&["a", "b"]), (13, "cli: extra args: [\"a\" \"b\"]\n".to_owned()));
    let output = Place::new().finish_with(&["-once"], &[("CT_LOCAL_CONFIG", "nope = 1")]);
    assert_eq!(output.status.code(), Some(13));
}

#[test]
fn mistakes_in_files() {
    let place = Place::new();
    for (config, code, words) in [
        ("nope = 1", 15, "has invalid keys: nope"),
        ("pid_file = ", 15, "error decoding config"),
        ("log_level = \"loud\"", 15, "invalid log level"),
        ("template { source = \"a\" contents = \"b\" destination = \"c\" }", 14, "cannot specify both"),
        (
            "template { source = \"/no/such\" destination = \"c\" }",
            14,
            "failed to read template: open /no/such",
        ),
        ("consul { ssl { ca_cert = \"/no/such\" } }", 14, "runner: client set: consul:"),
    ] {
        let file = place.config(config);
        let output = place.finish(&["-once", "-config", &file]);
        let log = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{config}: {log}");
        assert!(log.contains("[ERR] (cli)") && log.contains(words), "{config}: {log}");
    }
}

#[test]
fn nothing_to_do_is_done_at_once() {
    assert_eq!(Place::new().finish(&["-once"]).status.code(), Some(0));
}

#[test]
fn directories_are_read_and_the_environment_adds_to_them() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("conf/sub")).unwrap();
    place.file("conf/b.json", r#"{"template": {"contents": "two", "destination": "two"}}"#);
    place.file("conf/sub/c", "template { contents = \"three\" destination = \"three\" }");
    let local = "template { contents = \"four\" destination = \"four\" }";
    let one = place.file("one.tmpl", "one");
    let output = place.finish_with(
        &["-once", "-config", "conf", "-template", &format!("{one}:one")],
        &[("CT_LOCAL_CONFIG", local)],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for name in ["one", "two", "three", "four"] {
        assert_eq!(place.read(name), name);
    }
}

#[test]
fn templates_can_be_checked_without_an_agent() {
    let place = Place::new();
    place.agent.set_down(true);
    let good = place.config("template { contents = \"{{ key `a` }}\" destination = \"DIR/out\" }");
    assert_eq!(place.finish(&["-parse-only", "-config", &good]).status.code(), Some(0));
    assert!(!place.path("out").exists());
    let bad = place.config("template { contents = \"{{ if true }}\" destination = \"DIR/out\" }");
    let output = place.finish(&["-parse-only", "-config", &bad]);
    assert_eq!(output.status.code(), Some(14));
    assert!(
        text(&output.stderr).contains("(dynamic): parse: template: :1: unexpected EOF"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn log_files_get_what_standard_error_gets() {
    let place = Place::new();
    place.finish(&["-once", "-log-level=info", "-log-file", "logs.txt"]);
    let name = std::fs::read_dir(place.path("")).unwrap().flatten().map(|entry| entry.file_name());
    let name = name.map(|name| name.into_string().unwrap()).find(|name| name.starts_with("logs-")).unwrap();
    assert!(place.read(&name).contains("[INFO] (runner) once mode and all templates rendered"));
}
