use std::collections::BTreeSet;

use crate::program::{Lab, read};

fn candidates(line: &str) -> BTreeSet<String> {
    let lab = Lab::new();
    let shown = read(lab.command(&[]).env("COMP_LINE", line).output().unwrap());
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    shown.out.lines().map(str::to_owned).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn commands_and_flags_are_offered() {
    assert_eq!(candidates("consul k"), set(&["keygen", "keyring", "kv"]));
    assert_eq!(candidates("consul kv "), set(&["delete", "export", "get", "import", "put"]));
    assert_eq!(candidates("consul kv g"), set(&["get"]));
    assert_eq!(
        candidates("consul -"),
        set(&["-version", "-help", "-autocomplete-install", "-autocomplete-uninstall"])
    );
    assert_eq!(candidates("consul kv get -re"), set(&["-recurse"]));
    assert_eq!(candidates("consul nothing x"), BTreeSet::new());
}

#[test]
fn the_cursor_ends_the_line() {
    let lab = Lab::new();
    let mut command = lab.command(&[]);
    let shown = read(command.env("COMP_LINE", "consul kv get").env("COMP_POINT", "10").output().unwrap());
    assert_eq!(shown.out.lines().count(), 5);
}

#[test]
fn installing_edits_the_shells_files_and_uninstalling_restores_them() {
    let lab = Lab::new();
    lab.write(".bashrc", "alias ll='ls -l'\n");
    lab.write(".zshrc", "");
    std::fs::create_dir_all(lab.path().join(".config/fish")).unwrap();
    let read_file = |name: &str| std::fs::read_to_string(lab.path().join(name)).unwrap();

    let installed = lab.run(&["-autocomplete-install"]);
    assert_eq!((installed.code, installed.out.as_str(), installed.err.as_str()), (0, "", ""));
    assert!(read_file(".bashrc").starts_with("alias ll='ls -l'\n\ncomplete -C /"));
    assert!(read_file(".zshrc").contains("bashcompinit"));
    assert!(read_file(".config/fish/completions/consul.fish").contains("__complete_consul"));

    let again = lab.run(&["-autocomplete-install"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("already installed in "), "{}", again.err);

    assert_eq!(lab.run(&["-autocomplete-uninstall"]).code, 0);
    assert_eq!(read_file(".bashrc"), "alias ll='ls -l'\n");
    assert!(!lab.path().join(".config/fish/completions/consul.fish").exists());
    let again = lab.run(&["-autocomplete-uninstall"]);
    assert!(again.code == 1 && again.err.contains("does not installed in "));
}

#[test]
fn scripts_are_generated_for_three_shells() {
    let lab = Lab::new();
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef consul"), ("fish", "complete -c consul")]
    {
        let shown = lab.run(&["completion", shell]);
        assert_eq!(shown.code, 0);
        assert!(shown.out.contains(mark) && shown.out.contains("snapshot"), "{shell}");
    }
    assert_eq!(lab.run(&["completion", "tcsh"]).code, 1);
}
