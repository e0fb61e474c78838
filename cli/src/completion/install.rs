//! `-autocomplete-install` and `-autocomplete-uninstall`: the lines that make shells ask us.

use std::io;
use std::path::{Path, PathBuf};

use crate::command::print_error;
use crate::failure::Exit;
use crate::input;

/// One shell's start-up file and what belongs into it.
struct Place {
    file: PathBuf,
    lines: Vec<String>,
    /// The file is ours alone: it goes away with the lines.
    whole_file: bool,
}

pub fn install() -> Exit {
    each_place(|place| {
        let present = read(&place.file)?;
        if place.lines.iter().all(|line| present.lines().any(|have| have == line)) {
            return Err(format!("already installed in {}", place.file.display()));
        }
        let missing: Vec<&str> = place
            .lines
            .iter()
            .map(String::as_str)
            .filter(|line| !present.lines().any(|have| have == *line))
            .collect();
        let text = if place.whole_file {
            format!("{}\n", place.lines.join("\n"))
        } else {
            format!("{present}\n{}\n", missing.join("\n"))
        };
        write(&place.file, &text)
    })
}

pub fn uninstall() -> Exit {
    each_place(|place| {
        let present = read(&place.file)?;
        if !place.lines.iter().any(|line| present.lines().any(|have| have == line)) {
            return Err(format!("does not installed in {}", place.file.display()));
        }
        if place.whole_file {
            return std::fs::remove_file(&place.file)
                .map_err(|error| input::describe("remove", &place.file, &error));
        }
        let kept: Vec<&str> =
            present.lines().filter(|have| !place.lines.iter().any(|line| line == have)).collect();
        write(&place.file, &format!("{}\n", kept.join("\n").trim_end()))
    })
}

/// Does `change` in every shell's file, then reports all that failed in one message.
fn each_place(change: impl Fn(&Place) -> Result<(), String>) -> Exit {
    let places = match places() {
        Ok(places) => places,
        Err(reason) => {
            print_error(&format!("Error executing CLI: {reason}"));
            return Exit::FAILURE;
        }
    };
    let errors: Vec<String> = places.iter().filter_map(|place| change(place).err()).collect();
    if errors.is_empty() {
        return Exit::SUCCESS;
    }
    let noun = if errors.len() == 1 { "error" } else { "errors" };
    let list: String = errors.iter().map(|error| format!("\t* {error}\n")).collect();
    print_error(&format!("Error executing CLI: {} {noun} occurred:\n{list}", errors.len()));
    Exit::FAILURE
}

fn places() -> Result<Vec<Place>, String> {
    let home = std::env::home_dir().ok_or("the home directory is not known")?;
    let program = std::env::current_exe().map_err(|error| input::reason(&error))?;
    let program = program.display();
    let mut places = vec![Place {
        file: home.join(".bashrc"),
        lines: vec![format!("complete -C {program} consul")],
        whole_file: false,
    }];
    let zsh = home.join(".zshrc");
    if zsh.exists() {
        places.push(Place {
            file: zsh,
            lines: vec![
                "autoload -U +X bashcompinit && bashcompinit".to_owned(),
                format!("complete -o nospace -C {program} consul"),
            ],
            whole_file: false,
        });
    }
    let fish = home.join(".config/fish");
    if fish.exists() {
        places.push(Place {
            file: fish.join("completions/consul.fish"),
            lines: vec![
                "function __complete_consul".to_owned(),
                "    set -lx COMP_LINE (commandline -cp)".to_owned(),
                "    test -z (commandline -ct); and set COMP_LINE \"$COMP_LINE \"".to_owned(),
                format!("    {program}"),
                "end".to_owned(),
                "complete -f -c consul -a \"(__complete_consul)\"".to_owned(),
            ],
            whole_file: true,
        });
    }
    Ok(places)
}

/// The file's text; nothing if there is no file yet.
fn read(file: &Path) -> Result<String, String> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(input::describe("open", file, &error)),
    }
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent).map_err(|error| input::describe("mkdir", parent, &error))?;
    }
    std::fs::write(file, text).map_err(|error| input::describe("write", file, &error))
}
