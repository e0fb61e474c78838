//! Semantic versions.

use Param::String as Str;
use consul_template_language::{CallError, CallResult, Param, Record, Signature, Value};
use semver::{Comparator, Op, Version, VersionReq};

use super::Library;

pub(super) fn register(library: &mut Library<'_>) {
    library.add("semver", [Str], |args| {
        let original = args.str(0).into_owned();
        let version = parse(&original)?;
        Ok(Value::record(Parsed { version, original }))
    });
    library.add("semverCompare", [Str, Str], |args| {
        let version = parse(&args.str(1))?;
        let constraint = args.str(0);
        let mut matches = false;
        for alternative in constraint.split("||") {
            matches |= all_match(alternative, &version)?;
        }
        Ok(matches.into())
    });
}

/// A version that may begin with a `v` and lack its last numbers.
fn parse(text: &str) -> Result<Version, CallError> {
    let bad = || CallError::new("Invalid Semantic Version");
    let bare = text.strip_prefix('v').unwrap_or(text);
    let end = bare.find(['-', '+']).unwrap_or(bare.len());
    let (numbers, rest) = bare.split_at_checked(end).ok_or_else(bad)?;
    let missing = match numbers.split('.').count() {
        1 => ".0.0",
        2 => ".0",
        3 => "",
        _ => return Err(bad()),
    };
    Version::parse(&format!("{numbers}{missing}{rest}")).map_err(|_| bad())
}

fn all_match(constraints: &str, version: &Version) -> Result<bool, CallError> {
    let bad = || CallError::new(format!("improper constraint: {constraints}"));
    if let Some((from, to)) = constraints.split_once(" - ") {
        let range = format!(">={}, <={}", bare(from), bare(to));
        return Ok(VersionReq::parse(&range).map_err(|_| bad())?.matches(version));
    }
    for constraint in pieces(constraints) {
        let (negated, constraint) = match constraint.strip_prefix("!=") {
            Some(constraint) => (true, format!("={}", bare(constraint))),
            None => (false, normalized(&constraint)),
        };
        let requirement = VersionReq::parse(&constraint).map_err(|_| bad())?;
        let matches = if is_exact(&requirement) {
            requirement.comparators.iter().all(|comparator| comparator.matches(version))
        } else {
            requirement.matches(version)
        };
        if matches == negated {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_exact(requirement: &VersionReq) -> bool {
    matches!(requirement.comparators.as_slice(), [Comparator { op: Op::Exact, .. }])
}

/// Constraints that all have to hold, with commas or spaces between them.
fn pieces(constraints: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in constraints.split([',', ' ']).filter(|word| !word.is_empty()) {
        match pieces.last_mut() {
            // An operator may stand apart from its version.
            Some(last) if last.ends_with(['=', '<', '>', '~', '^', '!']) => last.push_str(word),
            _ => pieces.push(word.to_owned()),
        }
    }
    pieces
}

fn bare(version: &str) -> String {
    let version = version.trim();
    version.strip_prefix('v').unwrap_or(version).replace(['x', 'X'], "*")
}

fn normalized(constraint: &str) -> String {
    let at = constraint.find(|char: char| !"=<>~^".contains(char)).unwrap_or(constraint.len());
    let (operator, version) = constraint.split_at_checked(at).unwrap_or(("", constraint));
    let operator = match operator {
        "" => "=",
        "=<" => "<=",
        "=>" => ">=",
        "~>" => "~",
        operator => operator,
    };
    let version = bare(version);
    if version == "*" { version } else { format!("{operator}{version}") }
}

/// A version as templates see it.
struct Parsed {
    version: Version,
    original: String,
}

impl Record for Parsed {
    fn type_name(&self) -> &'static str {
        "*semver.Version"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[]
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str) -> Option<Signature> {
        let known = ["Major", "Minor", "Patch", "Prerelease", "Metadata", "Original", "String"];
        known.contains(&name).then(|| Signature::fixed(&[]))
    }

    fn call(&self, name: &str, _args: &[Value]) -> CallResult {
        Ok(match name {
            "Major" => self.version.major.into(),
            "Minor" => self.version.minor.into(),
            "Patch" => self.version.patch.into(),
            "Prerelease" => self.version.pre.as_str().into(),
            "Metadata" => self.version.build.as_str().into(),
            "Original" => self.original.as_str().into(),
            _ => self.version.to_string().into(),
        })
    }

    fn display(&self) -> Option<String> {
        Some(self.version.to_string())
    }
}
