//! JSON for people: laid out anew, with every number, key and escape as it was written.
//!
//! Works on the text, since a parsed value would lose the order of keys and the digits of numbers.

/// How deep one level stands to the right of the one around it.
const INDENT: &str = "  ";

/// The text laid out over lines, if it is JSON; as it is if it is not.
pub(super) fn pretty(text: &str) -> String {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0;
    let mut in_string = false;
    let mut chars = text.chars().filter(|c| !c.is_ascii_control()).peekable();
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            match c {
                '"' => in_string = false,
                '\\' => out.extend(chars.next()),
                _ => {}
            }
            continue;
        }
        match c {
            ' ' => {}
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if_eq(&' ').is_some() {}
                if let Some(end) = chars.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => out.push(c),
        }
    }
    out
}

/// The same JSON on one line. Between the quotes of JSON there is no raw end of line, so none of them means anything.
pub(super) fn on_one_line(text: &str) -> String {
    text.trim().replace(['\n', '\r'], " ")
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(INDENT, depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_layout_changes() {
        let text = "{\"z\":1.10,\n \"a\":[ 1,{\"b\":\"x, {\\\"y\\\\\"}],\"e\":{ },\"f\":[\t]}";
        let expected = "{\n  \"z\": 1.10,\n  \"a\": [\n    1,\n    {\n      \"b\": \"x, {\\\"y\\\\\"\n    }\n  ],\n  \
                        \"e\": {},\n  \"f\": []\n}";
        assert_eq!(pretty(text), expected);
        assert_eq!(pretty(expected), expected);
        assert_eq!(pretty("12345678901234567890.0"), "12345678901234567890.0");
    }

    #[test]
    fn what_is_not_json_stays() {
        assert_eq!(pretty("<p> oops {"), "<p> oops {");
        assert_eq!(pretty(""), "");
    }

    #[test]
    fn json_fits_on_one_line() {
        assert_eq!(on_one_line("{\n\"a\":\r\n1}\n"), "{ \"a\":  1}");
    }
}
