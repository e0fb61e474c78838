//! From the command line to the exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli::{self, Line};
use crate::config::{Environment, Layer, Overlay, Refusal, Settings, finalize, parse, read_path};
use crate::core::Ask;
use crate::log::{self, Log};
use crate::runner::{Runner, Verdict, exit};
use crate::signals::Signals;
use crate::source;
use crate::words;

/// What comes beside the settings of one reading of the configuration.
struct Setup {
    settings: Settings,
    warnings: Vec<String>,
}

/// A start that failed: the exit code and what to say.
struct Failure {
    code: i32,
    /// Mistakes on the command line are told bare, everything else as a line of the log.
    bare: bool,
    why: String,
}

/// Runs the program with the words that follow its name, until its end.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match cli::parse(args) {
        Ok(line) => line,
        Err(error) => {
            words::tell(&error.to_string());
            return code(exit::FLAGS);
        }
    };
    if line.help {
        words::print(&cli::usage());
        return ExitCode::SUCCESS;
    }
    let log = log::install();
    match start(&line, log) {
        Ok(status) => code(status),
        Err(failure) => {
            if failure.bare {
                words::tell(&failure.why);
            } else {
                tracing::error!(target: "cli", "{}", failure.why);
            }
            code(failure.code)
        }
    }
}

fn code(status: i32) -> ExitCode {
    // A program that a signal ended has no code; shells show the lowest byte of -1.
    ExitCode::from(u8::try_from(status & 0xff).unwrap_or(u8::MAX))
}

fn start(line: &Line, log: &Log) -> Result<i32, Failure> {
    let layer = read_layers(line)?;
    if line.version {
        words::print(&format!("consul-template v{} ({})\n", env!("CARGO_PKG_VERSION"), revision()));
        return Ok(0);
    }
    let setup = complete(layer, line)?;
    configure(&setup, log)?;
    if line.parse_only {
        return parse_only(&setup.settings);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| runner_failure(format!("failed to start the runtime: {error}")))?;
    let outcome = runtime.block_on(keep_running(line, log, setup));
    // Whatever still runs on a thread of its own (a plugin, say) must not keep us.
    runtime.shutdown_background();
    outcome
}

/// One run after the other, as long as we are told to reload.
async fn keep_running(line: &Line, log: &Log, mut setup: Setup) -> Result<i32, Failure> {
    let mut signals =
        Signals::catch().map_err(|error| runner_failure(format!("failed to catch signals: {error}")))?;
    loop {
        let runner = Runner::new(setup.settings, line.explain).map_err(runner_failure)?;
        match runner.run(&mut signals).await {
            Verdict::Exit(status) => return Ok(status),
            Verdict::Reload => {
                setup = complete(read_layers(line)?, line)?;
                configure(&setup, log)?;
            }
        }
    }
}

fn read_layers(line: &Line) -> Result<(Layer, Vec<String>), Failure> {
    let mut warnings = line.warnings.clone();
    let mut layer = Layer::default();
    for path in &line.paths {
        layer.merge(read_path(path, &mut warnings).map_err(|error| config_failure(error.to_string()))?);
    }
    if let Some(text) = std::env::var_os("CT_LOCAL_CONFIG").filter(|text| !text.is_empty()) {
        let text = text.to_string_lossy();
        let local = parse("CT_LOCAL_CONFIG", &text, &mut warnings).map_err(|error| Failure {
            code: exit::FLAGS,
            bare: true,
            why: error.to_string(),
        })?;
        layer.merge(local);
    }
    // The switch overrides what templates say themselves, unlike its namesake in files.
    if let Some(fatal) = line.layer.template_error_fatal {
        for template in layer.templates.iter_mut() {
            template.error_fatal = Some(fatal);
        }
    }
    layer.merge(line.layer.clone());
    Ok((layer, warnings))
}

fn complete((layer, mut warnings): (Layer, Vec<String>), line: &Line) -> Result<Setup, Failure> {
    let mut layer = layer;
    if line.explain {
        // Nothing is shown twice, and nobody is told to render.
        layer.dry = Some(true);
    }
    let settings =
        finalize(layer, &Environment::of_process(), &mut warnings).map_err(|refusal| match refusal {
            Refusal::Config(error) => config_failure(error.to_string()),
            Refusal::Template(why) => runner_failure(why),
        })?;
    Ok(Setup { settings, warnings })
}

fn configure(setup: &Setup, log: &Log) -> Result<(), Failure> {
    log.configure(&setup.settings.log).map_err(config_failure)?;
    for warning in &setup.warnings {
        tracing::warn!(target: "cli", "{warning}");
    }
    Ok(())
}

fn config_failure(why: String) -> Failure {
    Failure { code: exit::CONFIG, bare: false, why }
}

fn runner_failure(why: String) -> Failure {
    Failure { code: exit::RUNNER, bare: false, why }
}

/// Reads and parses every template, and does nothing else.
fn parse_only(settings: &Settings) -> Result<i32, Failure> {
    let mut wrong = Vec::new();
    for template in &settings.templates {
        let parsed = source::read(&template.source).and_then(|text| source::parse(template, &text));
        wrong.extend(parsed.err());
    }
    if wrong.is_empty() { Ok(0) } else { Err(runner_failure(wrong.join("\n"))) }
}

/// What the binary was built from, as far as the build knows.
fn revision() -> &'static str {
    option_env!("CONSUL_TEMPLATE_REVISION").unwrap_or("dev")
}

impl Ask for consul_template_functions::Dependency {
    fn is_shareable(&self) -> bool {
        Self::is_shareable(self)
    }
}
