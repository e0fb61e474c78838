//! `-template SOURCE:DESTINATION:COMMAND`.

use std::path::PathBuf;

use super::layer::{CommandWords, TemplateLayer};

/// Splits at the first two colons: what follows the second is the command, whatever is in it.
pub fn parse_template_flag(text: &str) -> Result<TemplateLayer, String> {
    if text.trim_matches([':', ' ', '\t']).is_empty() {
        return Err("template: cannot be empty".to_owned());
    }
    let mut parts = text.splitn(3, ':');
    let mut part = || parts.next().filter(|part| !part.is_empty());
    let (source, destination, command) = (part(), part(), part());
    if source.is_none() {
        return Err("template: source cannot be empty".to_owned());
    }
    if destination.is_none() && command.is_some() {
        return Err("template: destination cannot be empty".to_owned());
    }
    Ok(TemplateLayer {
        source: source.map(PathBuf::from),
        destination: destination.map(PathBuf::from),
        command: command.map(|command| CommandWords(vec![command.to_owned()])),
        ..TemplateLayer::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_keeps_its_colons() {
        let parsed = parse_template_flag("a.tmpl:b.conf:curl http://x:80/").unwrap();
        assert_eq!(parsed.source, Some("a.tmpl".into()));
        assert_eq!(parsed.destination, Some("b.conf".into()));
        assert_eq!(parsed.command, Some(CommandWords(vec!["curl http://x:80/".into()])));
        assert_eq!(parse_template_flag("a:b").unwrap().destination, Some("b".into()));
        assert_eq!(parse_template_flag("a").unwrap().destination, None);
    }

    #[test]
    fn nothing_is_no_template() {
        for text in ["", " ", ":", ":::", ":b", "in::cmd"] {
            assert!(parse_template_flag(text).is_err(), "{text:?}");
        }
        assert_eq!(parse_template_flag(":::"), Err("template: cannot be empty".into()));
    }
}
