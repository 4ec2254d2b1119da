//! The lines of a body of newline-delimited JSON.

use crate::http::Problem;

use super::Options;
use super::many::Place;

/// The lines that are not blank.
///
/// # Errors
/// 400 when there is none, 413 for too many.
pub(super) fn lines<'a>(text: &'a str, options: &Options) -> Result<Vec<(Place, &'a str)>, Problem> {
    let max_batch_events = options.max_batch_events;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if lines.len() == max_batch_events {
            let detail =
                format!("a request may have at most {max_batch_events} events; send the rest in another");
            return Err(Problem::too_large(detail).on_line(number));
        }
        lines.push((Place::Line(number), line));
    }
    if lines.is_empty() {
        return Err(Problem::malformed("the body has no event; send one JSON object per line"));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn small() -> Options {
        Options { max_batch_events: 2, ..Options::default() }
    }

    #[test]
    fn blank_lines_and_carriage_returns_do_not_matter_but_count() {
        assert_eq!(
            lines("\n{1}\r\n  \n{2}", &small()),
            Ok(vec![(Place::Line(2), "{1}"), (Place::Line(4), "{2}")])
        );
    }

    #[test]
    fn too_many_or_none_is_refused() {
        assert_eq!(lines("{}\n{}\n{}", &small()).unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
        for body in ["", "\n \r\n"] {
            assert_eq!(lines(body, &small()).unwrap_err().status(), StatusCode::BAD_REQUEST);
        }
    }
}
