//! Fits an expression to a schema: resolves selectors, checks operators, converts literals.

use crate::ast::{Expression, Match, Operator, Selector};
use crate::coerce::{self, CoerceError};
use crate::eval::{Condition, Filter, Node, Step, Test};
use crate::pattern::{self, PatternError};
use crate::schema::{Field, Kind, Schema};

/// How many regular expressions one filter may have: each may take up to a megabyte once compiled.
pub const REGEX_COUNT_MAX: usize = 64;

/// Why an expression does not fit the objects to be filtered. Clients match these texts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// No such field. Holds the dotted path up to and with the part that is unknown.
    #[error("Selector \"{0}\" is not valid")]
    Selector(String),
    /// The selected value's type does not know the operator.
    #[error("Invalid match operator \"{operator}\" for selector \"{selector}\"")]
    Operator {
        /// The operator's name.
        operator: &'static str,
        /// The dotted path.
        selector: String,
    },
    /// The literal is not of the selected value's type.
    #[error("Failed to coerce value {value:?} for selector \"{selector}\": {source}")]
    Coerce {
        /// The literal.
        value: String,
        /// The dotted path.
        selector: String,
        /// Why not.
        source: CoerceError,
    },
    /// The literal of `matches` is not a regular expression.
    #[error("Failed to compile regular expression {pattern:?}: {source}")]
    Pattern {
        /// The literal.
        pattern: String,
        /// Why not.
        source: PatternError,
    },
    /// There are more than [`REGEX_COUNT_MAX`] `matches`.
    #[error("Too many regular expressions: at most {REGEX_COUNT_MAX} are allowed")]
    TooManyPatterns,
}

impl Expression {
    /// Fits the expression to the objects that it is to filter.
    pub fn compile(&self, schema: Schema) -> Result<Filter, CompileError> {
        let root = Compiler { fields: schema.fields(), regex_count: 0 }.node(self)?;
        Ok(Filter { root })
    }
}

struct Compiler {
    fields: &'static [Field],
    regex_count: usize,
}

impl Compiler {
    fn node(&mut self, expression: &Expression) -> Result<Node, CompileError> {
        Ok(match expression {
            Expression::Or(terms) => Node::Any(self.nodes(terms)?),
            Expression::And(terms) => Node::All(self.nodes(terms)?),
            Expression::Not(term) => Node::Not(Box::new(self.node(term)?)),
            Expression::Match(comparison) => Node::Test(self.test(comparison)?),
        })
    }

    fn nodes(&mut self, terms: &[Expression]) -> Result<Vec<Node>, CompileError> {
        terms.iter().map(|term| self.node(term)).collect()
    }

    fn test(&mut self, comparison: &Match) -> Result<Test, CompileError> {
        let (steps, kind) = resolve(self.fields, &comparison.selector)?;
        let condition = self.condition(comparison, kind)?;
        Ok(Test { steps, condition, negated: comparison.operator.is_negation() })
    }

    fn condition(&mut self, comparison: &Match, kind: Kind) -> Result<Condition, CompileError> {
        use Operator::{Equal, In, IsEmpty, IsNotEmpty, Matches, NotEqual, NotIn, NotMatches};
        let value = &comparison.value;
        Ok(match (kind, comparison.operator) {
            (Kind::Str, Equal | NotEqual) => Condition::StrIs(value.clone()),
            (Kind::Str, In | NotIn) => Condition::StrContains(value.clone()),
            (Kind::Str, Matches | NotMatches) => self.regex(value)?,
            (Kind::Int, Equal | NotEqual) => Condition::IntIs(coerced(comparison, coerce::int)?),
            (Kind::Bool, Equal | NotEqual) => Condition::BoolIs(coerced(comparison, coerce::bool)?),
            (Kind::Float, Equal | NotEqual) => Condition::FloatIs(coerced(comparison, coerce::float)?),
            (Kind::Strings, In | NotIn) => Condition::HasElement(value.clone()),
            (Kind::StringMap | Kind::ObjectMap(_), In | NotIn) => Condition::HasKey(value.clone()),
            (
                Kind::Strings | Kind::StringMap | Kind::Objects(_) | Kind::ObjectMap(_),
                IsEmpty | IsNotEmpty,
            ) => Condition::IsEmpty,
            (_, operator) => {
                let selector = full(&comparison.selector);
                return Err(CompileError::Operator { operator: operator.name(), selector });
            }
        })
    }

    fn regex(&mut self, text: &str) -> Result<Condition, CompileError> {
        if self.regex_count == REGEX_COUNT_MAX {
            return Err(CompileError::TooManyPatterns);
        }
        self.regex_count += 1;
        match pattern::compile(text) {
            Ok(regex) => Ok(Condition::StrMatches(regex)),
            Err(source) => Err(CompileError::Pattern { pattern: text.to_owned(), source }),
        }
    }
}

fn full(selector: &Selector) -> String {
    selector.dotted(selector.path.len())
}

fn coerced<T>(comparison: &Match, convert: fn(&str) -> Result<T, CoerceError>) -> Result<T, CompileError> {
    convert(&comparison.value).map_err(|source| CompileError::Coerce {
        value: comparison.value.clone(),
        selector: full(&comparison.selector),
        source,
    })
}

/// The steps a selector takes, and the type of what it arrives at.
fn resolve(fields: &'static [Field], selector: &Selector) -> Result<(Vec<Step>, Kind), CompileError> {
    let mut steps = Vec::with_capacity(selector.path.len() + 1);
    let mut kind = Kind::Object(fields);
    for (at, part) in selector.path.iter().enumerate() {
        let invalid = || CompileError::Selector(selector.dotted(at + 1));
        kind = match kind {
            Kind::Object(fields) => named(fields, part, &mut steps).ok_or_else(invalid)?,
            Kind::Objects(fields) => {
                steps.push(Step::Each);
                named(fields, part, &mut steps).ok_or_else(invalid)?
            }
            Kind::StringMap => {
                steps.push(Step::Key(part.clone()));
                Kind::Str
            }
            Kind::ObjectMap(fields) => {
                steps.push(Step::Key(part.clone()));
                Kind::Object(fields)
            }
            Kind::Str | Kind::Int | Kind::Bool | Kind::Float | Kind::Strings => return Err(invalid()),
        };
    }
    Ok((steps, kind))
}

fn named(fields: &'static [Field], name: &str, steps: &mut Vec<Step>) -> Option<Kind> {
    let field = fields.iter().find(|field| field.name == name)?;
    steps.push(Step::Field(field.name));
    Some(field.kind)
}
