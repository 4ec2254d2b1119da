//! What the specification says of attributes, as far as a configuration can get it wrong.

/// What this plugin writes itself, and what the specification keeps for itself.
const TAKEN: [&str; 10] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
    "data_base64",
];

/// A URI reference is not empty and has no spaces; more cannot be wrong with it without being right elsewhere.
pub(crate) fn uri_reference(field: &str, text: &str) -> Result<(), String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!(
            "`{field}` is a URI reference without spaces, such as `https://shop.example/orders`"
        ));
    }
    Ok(())
}

pub(crate) fn type_prefix(text: &str) -> Result<(), String> {
    if text.contains(char::is_control) {
        return Err("`type_prefix` has a control character, which no attribute may have".into());
    }
    Ok(())
}

/// Lower-case letters and digits, at most 20 (section 2.1 of the specification).
pub(crate) fn extension_name(name: &str) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("`extensions.{name}`: {why}"));
    if TAKEN.contains(&name) {
        return refuse("the attribute is made by this plugin");
    }
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if !(1..=20).contains(&name.len()) || !name.bytes().all(is_allowed) {
        return refuse("the name of an attribute has 1 to 20 characters of a-z and 0-9");
    }
    Ok(())
}
