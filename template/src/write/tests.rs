use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::config::{Environment, finalize, parse};

fn template(text: &str) -> TemplateSettings {
    let mut warnings = Vec::new();
    let layer = parse("test", &format!("template {{ contents = \"\"\n{text}\n}}"), &mut warnings).unwrap();
    let settings = finalize(layer, &Environment::default(), &mut warnings).unwrap();
    settings.templates.into_iter().next().unwrap()
}

fn put(text: &str, path: &Path, output: &str) -> Result<(), WriteError> {
    stage(&template(text), path, output.as_bytes())?.commit()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn parents_are_made_unless_that_is_not_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/out");
    let refused = put("create_dest_dirs = false", &path, "x").unwrap_err();
    assert!(refused.to_string().contains("parent directory is missing"), "{refused}");
    put("", &path, "x").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "x");
    assert_eq!(mode(&path), 0o644);
}

#[test]
fn the_mode_is_kept_unless_one_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    put("", &path, "new").unwrap();
    assert_eq!(mode(&path), 0o600);
    put("perms = \"0666\"", &path, "newer").unwrap();
    assert_eq!(mode(&path), 0o666);
    assert_eq!(names(dir.path()), ["out"], "nothing is left over");
}

#[test]
fn the_backup_is_what_was_there_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    put("backup = true", &path, "1").unwrap();
    assert_eq!(names(dir.path()), ["out"]);
    put("backup = true", &path, "2").unwrap();
    put("backup = true", &path, "3").unwrap();
    assert_eq!(names(dir.path()), ["out", "out.bak"]);
    assert_eq!(fs::read_to_string(dir.path().join("out.bak")).unwrap(), "2");
}

#[test]
fn a_staged_file_that_is_dropped_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    fs::write(&path, "old").unwrap();
    let staged = stage(&template(""), &path, b"new").unwrap();
    assert_eq!(fs::read_to_string(staged.path()).unwrap(), "new");
    drop(staged);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(dir.path()), ["out"]);
}

#[test]
fn a_link_is_replaced_and_its_target_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (target, path) = (dir.path().join("target"), dir.path().join("out"));
    fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    put("", &path, "new").unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "old");
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
}

#[test]
fn what_is_there_is_compared() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let owner = Ownership::default();
    assert!(matches!(find(&path, b"x", &owner), Ok(Found::Nothing)));
    fs::write(&path, "x").unwrap();
    assert!(matches!(find(&path, b"x", &owner), Ok(Found::Same)));
    assert!(matches!(find(&path, b"xy", &owner), Ok(Found::Other { len: 1 })));
    let own = Ownership { uid: Some(nix::unistd::getuid().as_raw()), ..Ownership::default() };
    assert!(matches!(find(&path, b"x", &own), Ok(Found::Same)));
    let other = Ownership { uid: Some(nix::unistd::getuid().as_raw() + 1), ..Ownership::default() };
    assert!(matches!(find(&path, b"x", &other), Ok(Found::Owner)));
    let unknown = Ownership { user: Some("no such user".to_owned()), ..Ownership::default() };
    let error = find(&path, b"x", &unknown).err().unwrap().to_string();
    assert_eq!(error, "failed looking up user: unknown user no such user");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = put("", &file.join("below"), "x").unwrap_err().to_string();
    assert!(error.starts_with("failed writing file: create directory"), "{error}");
}
