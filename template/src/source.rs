//! A template's text on disk and what was parsed of it.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use consul_template_functions::{Language, Settings, Template};

use crate::config::{Source, TemplateSettings};
use crate::words::reason;

/// Larger sources are refused.
const SOURCE_MAX: u64 = 64 << 20;

/// Reads the text of a template. The error is final: without the text there is nothing to wait for.
pub fn read(source: &Source) -> Result<Vec<u8>, String> {
    match source {
        Source::Inline(text) => Ok(text.clone().into_bytes()),
        Source::File(path) => read_file(path)
            .map_err(|error| format!("failed to read template: open {}: {}", path.display(), reason(&error))),
    }
}

fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(SOURCE_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > SOURCE_MAX {
        return Err(std::io::Error::other(format!("larger than {SOURCE_MAX} bytes")));
    }
    Ok(text)
}

/// Parses a text as the template's settings say.
pub fn parse(template: &TemplateSettings, text: &[u8]) -> Result<Arc<Template>, String> {
    let settings = Settings {
        language: language(template),
        left_delimiter: template.left_delimiter.clone(),
        right_delimiter: template.right_delimiter.clone(),
        error_on_missing_key: template.error_on_missing_key,
        denied_functions: template.function_denylist.clone(),
        sandbox: template.sandbox_path.clone(),
    };
    Template::parse(text, &settings)
        .map(Arc::new)
        .map_err(|error| format!("{}: parse: {error}", template.source))
}

fn language(template: &TemplateSettings) -> Language {
    if template.handlebars { Language::Handlebars } else { Language::Go }
}
