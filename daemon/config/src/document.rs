//! A text in either syntax as plain JSON, for those who send documents on without interpreting them.

use crate::error::SyntaxError;
use crate::value::Spanned;
use crate::{hcl, json};

/// Reads a document, JSON if it starts with a brace and HCL otherwise. `name` is what errors call it.
pub fn parse_document(name: &str, text: &str) -> Result<serde_json::Value, SyntaxError> {
    parse_tree(name, text).map(|root| root.value.to_json())
}

/// Like [`parse_document`], but every value keeps its place: for programs with configuration files of their own.
pub fn parse_tree(name: &str, text: &str) -> Result<Spanned, SyntaxError> {
    if text.trim_start().starts_with('{') {
        return Ok(json::parse(name, text)?.root);
    }
    hcl::parse(name, text)
}

#[cfg(test)]
mod tests {
    use super::parse_document;

    #[test]
    fn both_syntaxes_give_the_same_document() {
        let hcl = parse_document("x", "Kind = \"service-defaults\"\nName = \"web\"\nCount = 3").unwrap();
        let json = parse_document("x", r#"{"Kind": "service-defaults", "Name": "web", "Count": 3}"#).unwrap();
        assert_eq!(hcl, json);
        assert!(parse_document("x", "Kind = ").is_err());
    }
}
