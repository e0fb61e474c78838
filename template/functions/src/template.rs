//! Templates as the program sees them, in whichever language they are written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use consul_template_language::{ExecError, MissingKey, ParseError, Templates, Value};
use thiserror::Error;

use crate::brain::Brain;
use crate::dependency::Dependency;
use crate::functions;
use crate::handlebars::Sheet;
use crate::pass::Pass;

/// A language of templates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Go's `text/template`.
    #[default]
    Go,
    /// Handlebars.
    Handlebars,
}

/// How a template is read and executed.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Its language.
    pub language: Language,
    /// What opens an action; `{{` if empty.
    pub left_delimiter: String,
    /// What closes an action; `}}` if empty.
    pub right_delimiter: String,
    /// Whether a missing key of a map is an error.
    pub error_on_missing_key: bool,
    /// Shell patterns of the names of functions that must not be called.
    pub denied_functions: Vec<String>,
    /// The directory that the files a template reads must be in.
    pub sandbox: Option<PathBuf>,
}

/// Why a template cannot be used.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum TemplateError {
    /// It is not a template of its language.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It is not a template of Handlebars.
    #[error("template: {0}")]
    Handlebars(String),
    /// A partial includes itself, so it would never end.
    #[error("template: partial {0:?} includes itself")]
    EndlessPartial(String),
    /// Handlebars has no other delimiters.
    #[error("template: Handlebars templates cannot have other delimiters")]
    Delimiters,
}

/// Why an execution failed.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum RenderError {
    /// An expression failed.
    #[error(transparent)]
    Execution(#[from] ExecError),
    /// An expression of Handlebars failed.
    #[error("template: {0}")]
    Handlebars(String),
}

/// What an execution asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Everything it asked for.
    pub used: BTreeSet<Dependency>,
    /// What of that was not there; the output must not be used unless this is empty.
    pub missing: BTreeSet<Dependency>,
}

/// An execution that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub output: Vec<u8>,
    /// What it asked for.
    pub account: Account,
}

/// An execution that failed. While something is missing, that may be the reason: expressions then see empty values.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{error}")]
pub struct Failed {
    /// Why.
    pub error: RenderError,
    /// What it asked for until then.
    pub account: Account,
}

/// A template that was parsed, for any number of executions.
pub struct Template {
    parsed: Parsed,
    sandbox: Option<PathBuf>,
}

enum Parsed {
    Go(Templates<Pass>),
    Handlebars(Box<Sheet>),
}

impl Language {
    /// The language of a source, by the end of its name.
    pub fn of(source: &Path) -> Language {
        match source.extension() {
            Some(extension) if extension == "hbs" => Language::Handlebars,
            _ => Language::Go,
        }
    }
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn parse(source: &[u8], settings: &Settings) -> Result<Template, TemplateError> {
        let mut functions = functions::all();
        functions::deny(&mut functions, &settings.denied_functions);
        let mut go = Templates::new("", functions);
        let sandbox = settings.sandbox.clone();
        if settings.language == Language::Handlebars {
            go.parse("")?;
            let sheet = Sheet::parse(&String::from_utf8_lossy(source), go, settings)?;
            return Ok(Template { parsed: Parsed::Handlebars(Box::new(sheet)), sandbox });
        }
        go.set_delimiters(&settings.left_delimiter, &settings.right_delimiter);
        go.set_missing_key(if settings.error_on_missing_key { MissingKey::Error } else { MissingKey::Zero });
        go.parse(source)?;
        Ok(Template { parsed: Parsed::Go(go), sandbox })
    }

    /// Executes the template on what `brain` knows.
    ///
    /// # Errors
    /// When the template fails.
    pub fn execute(&self, brain: Arc<dyn Brain>) -> Result<Rendered, Failed> {
        let mut pass = Pass::new(Arc::clone(&brain), self.sandbox.clone());
        let result = match &self.parsed {
            Parsed::Go(go) => go.render(&mut pass, Value::Nil).map_err(RenderError::from),
            Parsed::Handlebars(sheet) => {
                let (result, back) = sheet.render(pass);
                pass = back.unwrap_or_else(|| Pass::new(brain, None));
                result.map(String::into_bytes).map_err(|error| RenderError::Handlebars(error.to_string()))
            }
        };
        let account = Account { used: pass.used, missing: pass.missing };
        match result {
            Ok(output) => Ok(Rendered { output, account }),
            Err(error) => Err(Failed { error, account }),
        }
    }
}
