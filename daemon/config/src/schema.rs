//! The vocabulary in which the key tables are written.

/// What a key's value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Int,
    Float,
    Bool,
    /// A list of texts; merging concatenates.
    Texts,
    /// A map of texts; merging unites.
    TextMap,
    /// A map of lists of texts, such as HTTP headers.
    TextsMap,
    /// A nested object, merged field by field.
    Block(&'static Schema),
    /// A list of objects; merging concatenates.
    Blocks(&'static Schema),
    /// Objects by a name that the user chooses.
    BlockMap(&'static Schema),
    /// Anything: handed on as it stands.
    Any,
    /// A list of anything; merging concatenates.
    AnyList,
}

/// What becomes of a key that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Live,
    /// The old name of another key, given by its dotted path.
    Moved(&'static str),
    /// An old key that `legacy` translates by a rule of its own; the text names the successor.
    Translated(&'static str),
    /// Has no effect. The text says why, or what to use instead.
    Ignored(&'static str),
    /// Belongs to the enterprise edition and has no effect.
    Enterprise,
    /// Set by the agent itself: accepted and overwritten without a word.
    Fixed,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub status: Status,
}

/// How forgiving a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Names match without regard to case; types must be right.
    Strict,
    /// Service and check definitions: `EnableTagOverride` is `enable_tag_override`, `"80"` is 80.
    Loose,
}

#[derive(Debug)]
pub(crate) struct Schema {
    pub keys: &'static [Key],
    pub style: Style,
}

impl Schema {
    pub const fn strict(keys: &'static [Key]) -> Self {
        Self { keys, style: Style::Strict }
    }

    pub const fn loose(keys: &'static [Key]) -> Self {
        Self { keys, style: Style::Loose }
    }

    /// The row for a key as a user spelled it.
    pub fn find(&self, spelled: &str) -> Option<&'static Key> {
        if let Some(key) = self.keys.iter().find(|key| key.name.eq_ignore_ascii_case(spelled)) {
            return Some(key);
        }
        match self.style {
            Style::Strict => None,
            Style::Loose => self.keys.iter().find(|key| same_letters(key.name, spelled)),
        }
    }
}

/// Equal but for case and underscores.
fn same_letters(name: &str, spelled: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = u8> + '_ {
        text.bytes().filter(|b| *b != b'_').map(|b| b.to_ascii_lowercase())
    }
    letters(name).eq(letters(spelled))
}

impl Key {
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, status: Status::Live }
    }

    pub const fn moved(self, to: &'static str) -> Self {
        Self { status: Status::Moved(to), ..self }
    }

    pub const fn translated(self, to: &'static str) -> Self {
        Self { status: Status::Translated(to), ..self }
    }

    pub const fn ignored(self, advice: &'static str) -> Self {
        Self { status: Status::Ignored(advice), ..self }
    }

    pub const fn enterprise(self) -> Self {
        Self { status: Status::Enterprise, ..self }
    }

    pub const fn fixed(self) -> Self {
        Self { status: Status::Fixed, ..self }
    }
}

pub(crate) const fn text(name: &'static str) -> Key {
    Key::new(name, Kind::Text)
}

pub(crate) const fn int(name: &'static str) -> Key {
    Key::new(name, Kind::Int)
}

pub(crate) const fn float(name: &'static str) -> Key {
    Key::new(name, Kind::Float)
}

pub(crate) const fn flag(name: &'static str) -> Key {
    Key::new(name, Kind::Bool)
}

pub(crate) const fn texts(name: &'static str) -> Key {
    Key::new(name, Kind::Texts)
}

pub(crate) const fn text_map(name: &'static str) -> Key {
    Key::new(name, Kind::TextMap)
}

pub(crate) const fn any(name: &'static str) -> Key {
    Key::new(name, Kind::Any)
}

pub(crate) const fn any_list(name: &'static str) -> Key {
    Key::new(name, Kind::AnyList)
}

pub(crate) const fn block(name: &'static str, schema: &'static Schema) -> Key {
    Key::new(name, Kind::Block(schema))
}

pub(crate) const fn blocks(name: &'static str, schema: &'static Schema) -> Key {
    Key::new(name, Kind::Blocks(schema))
}
