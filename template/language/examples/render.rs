//! Renders a template from standard input, with no data and no functions but those of the language.

use std::io::{Read, Write};

use consul_template_language::{Functions, Templates, Value};

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut source = Vec::new();
    std::io::stdin().read_to_end(&mut source)?;
    let mut templates = Templates::new("stdin", Functions::<()>::new());
    templates.parse(source)?;
    std::io::stdout().write_all(&templates.render(&mut (), Value::Nil)?)?;
    Ok(())
}
