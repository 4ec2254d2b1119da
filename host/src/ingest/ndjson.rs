//! The lines of a body of newline-delimited JSON.

use crate::http::Problem;

use super::Options;

/// The lines that are not blank, each with its number counted from 1.
///
/// # Errors
/// 400 when there is none, 413 for too many or for one that is too long.
pub(super) fn lines<'a>(text: &'a str, options: &Options) -> Result<Vec<(usize, &'a str)>, Problem> {
    let Options { max_event_bytes, max_batch_events, .. } = *options;
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
        if line.len() > max_event_bytes {
            return Err(Problem::too_large(format!("an event may have at most {max_event_bytes} bytes"))
                .on_line(number));
        }
        lines.push((number, line));
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
    use crate::ingest::UnknownTopics;

    const SMALL: Options = Options {
        max_event_bytes: 4,
        max_batch_bytes: 100,
        max_batch_events: 2,
        unknown_topics: UnknownTopics::Allow,
    };

    #[test]
    fn blank_lines_and_carriage_returns_do_not_matter_but_count() {
        assert_eq!(lines("\n{1}\r\n  \n{2}", &SMALL), Ok(vec![(2, "{1}"), (4, "{2}")]));
    }

    #[test]
    fn too_many_too_long_or_none_is_refused() {
        for body in ["{}\n{}\n{}", "{}\n12345"] {
            assert_eq!(lines(body, &SMALL).unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
        }
        for body in ["", "\n \r\n"] {
            assert_eq!(lines(body, &SMALL).unwrap_err().status(), StatusCode::BAD_REQUEST);
        }
    }
}
