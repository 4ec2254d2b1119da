//! Texts that may not stand in a file as they are: a credential is named by where it is.
//!
//! `{ env = "NAME" }` is a variable of the environment, `{ file = "PATH" }` the content of a file without its last end of line,
//! `{ keep = true }` what the gateway has already.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

/// Far more than a header or a secret has.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// What a value stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// This text, which stood in the file.
    Plain(String),
    /// This text, which stood elsewhere.
    Referred(String),
    /// What is there.
    Kept,
}

/// Where references lead to.
pub(super) struct References<'a> {
    /// The variables.
    pub(super) environment: &'a [(String, String)],
    /// The folder of the file that has the references: a path in it begins there.
    pub(super) folder: &'a Path,
}

impl References<'_> {
    /// What this value stands for.
    ///
    /// # Errors
    /// It is neither a text nor a reference, or the reference leads nowhere. The sentence never has the text itself.
    pub(super) fn resolve(&self, value: &Value) -> Result<Given, String> {
        if let Value::String(text) = value {
            return Ok(Given::Plain(text.clone()));
        }
        let one = value.as_object().filter(|object| object.len() == 1);
        match one.and_then(|object| object.iter().next()).map(|(name, value)| (name.as_str(), value)) {
            Some(("env", Value::String(name))) => self.variable(name),
            Some(("file", Value::String(path))) => self.file(path),
            Some(("keep", Value::Bool(true))) => Ok(Given::Kept),
            _ => {
                Err("this is a text, `{ env = \"NAME\" }`, `{ file = \"PATH\" }` or `{ keep = true }`"
                    .to_owned())
            }
        }
    }

    fn variable(&self, name: &str) -> Result<Given, String> {
        let found = self.environment.iter().find(|(n, _)| n == name);
        let (_, value) =
            found.ok_or_else(|| format!("the variable `{name}` is not set in the environment"))?;
        Ok(Given::Referred(value.clone()))
    }

    fn file(&self, path: &str) -> Result<Given, String> {
        let path = self.folder.join(path);
        let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        let file = File::open(&path).map_err(unreadable)?;
        let mut text = String::new();
        file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(format!("{} has more than {MAX_FILE_BYTES} bytes", path.display()));
        }
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Ok(Given::Referred(text.strip_suffix('\r').unwrap_or(text).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_leads_to_its_text() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "Bearer 1\r\n").unwrap();
        std::fs::write(folder.path().join("large"), "x".repeat(65_537)).unwrap();
        let environment = [("TOKEN".to_owned(), "Bearer 2".to_owned())];
        let references = References { environment: &environment, folder: folder.path() };
        let resolve = |value| references.resolve(&value);
        assert_eq!(resolve(json!("plain")), Ok(Given::Plain("plain".to_owned())));
        assert_eq!(resolve(json!({ "env": "TOKEN" })), Ok(Given::Referred("Bearer 2".to_owned())));
        assert_eq!(resolve(json!({ "file": "token" })), Ok(Given::Referred("Bearer 1".to_owned())));
        assert_eq!(resolve(json!({ "keep": true })), Ok(Given::Kept));
        for (value, word) in [
            (json!({ "env": "NONE" }), "`NONE` is not set"),
            (json!({ "file": "none" }), "cannot read"),
            (json!({ "file": "large" }), "more than 65536"),
            (json!({ "keep": false }), "keep = true"),
            (json!({ "env": "TOKEN", "file": "token" }), "env"),
            (json!({ "evn": "TOKEN" }), "env"),
            (json!(1), "a text"),
            (json!(null), "a text"),
        ] {
            let error = resolve(value.clone()).unwrap_err();
            assert!(error.contains(word) && !error.contains("Bearer"), "{value}: {error}");
        }
    }
}
