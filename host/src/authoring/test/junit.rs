//! Results as JUnit XML, which CI systems show.
//!
//! There is no standard; this is what Jenkins, GitLab and GitHub's reporters read: `testsuites` > `testsuite` > `testcase` with
//! `failure` and `system-out`.

use std::io;
use std::time::Duration;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::report::difference;
use super::{Ran, Results};

/// The whole document.
pub(super) fn document(results: &Results) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let tests = results.ran.len().to_string();
    let failures = results.ran.iter().filter(|ran| !ran.passed()).count().to_string();
    let time = seconds(results.ran.iter().map(took).sum());
    let counts = [("tests", tests.as_str()), ("failures", &failures), ("errors", "0"), ("time", &time)];
    let suites = writer.create_element("testsuites").with_attributes(counts);
    suites.write_inner_content(|writer| {
        let name = allowed(&results.plugin);
        let suite = writer.create_element("testsuite").with_attribute(("name", name.as_str()));
        suite.with_attributes(counts).write_inner_content(|writer| {
            results.ran.iter().try_for_each(|ran| case(writer, ran, &results.plugin))
        })?;
        Ok(())
    })?;
    let mut document = writer.into_inner();
    document.push(b'\n');
    Ok(document)
}

fn case(writer: &mut Writer<Vec<u8>>, ran: &Ran, plugin: &str) -> io::Result<()> {
    let (name, class, time) = (allowed(&ran.test.name), allowed(plugin), seconds(took(ran)));
    let file = allowed(&ran.test.place.text(plugin));
    let attributes = [("name", name.as_str()), ("classname", &class), ("file", &file), ("time", &time)];
    let log: Vec<_> = ran.tried.log.iter().map(|line| allowed(&line.message)).collect();
    let case = writer.create_element("testcase").with_attributes(attributes);
    if ran.passed() && log.is_empty() {
        case.write_empty()?;
        return Ok(());
    }
    case.write_inner_content(|writer| {
        if !ran.passed() {
            let message = allowed(&ran.problems.join("; "));
            let lines: Vec<_> = difference(ran).iter().map(|line| allowed(&line.render(false))).collect();
            let failure = writer.create_element("failure").with_attribute(("message", message.as_str()));
            failure.write_text_content(BytesText::new(&lines.join("\n")))?;
        }
        if !log.is_empty() {
            writer.create_element("system-out").write_text_content(BytesText::new(&log.join("\n")))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The call of the sample: what half of them take.
fn took(ran: &Ran) -> Duration {
    ran.tried.times.p50().unwrap_or_default()
}

fn seconds(time: Duration) -> String {
    format!("{:.6}", time.as_secs_f64())
}

/// The text without what XML 1.0 cannot say, not even escaped (<https://www.w3.org/TR/xml/#charsets>).
fn allowed(text: &str) -> String {
    let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_allowed(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use quick_xml::Reader;

    use super::*;
    use crate::authoring::test::samples::{Place, Test};
    use crate::model::UnixMs;
    use crate::plugins::manifest::SampleFile;
    use crate::plugins::{LogLevel, LogLine, SampleOutcome, Spread, Tried};

    const HOSTILE: &str = "]]> </failure> & \" \u{0}\u{1b}[31m\n<!-- ü";

    fn ran(is_right: bool) -> Ran {
        let sample = SampleFile::parse("s", br#"{"event": {"topic": "a", "data": 1}}"#).unwrap().sample;
        let place = Place::File(PathBuf::from("samples/<s>.json"));
        let line = LogLine {
            number: 1,
            at: UnixMs(1),
            level: LogLevel::Info,
            version: "v".into(),
            tenant: None,
            event: None,
            message: HOSTILE.to_owned(),
        };
        let tried = Tried {
            outcome: SampleOutcome::Unanswered(HOSTILE.to_owned()),
            problem: None,
            memory_bytes: 1,
            instructions: None,
            times: Spread::default(),
            log: vec![line],
            log_lines_dropped: 0,
        };
        let problems = if is_right { Vec::new() } else { vec![HOSTILE.to_owned()] };
        let test = Test { name: HOSTILE.to_owned(), place, sample, is_open: false };
        Ran { test, tried, problems, is_updated: false, is_of_transform: false }
    }

    #[test]
    fn hostile_texts_stay_texts() {
        let results = Results { plugin: "p".into(), version: "v".into(), ran: vec![ran(true), ran(false)] };
        let document = String::from_utf8(document(&results).unwrap()).unwrap();
        let mut reader = Reader::from_str(&document);
        let (mut names, mut ends) = (Vec::new(), 0);
        loop {
            let event = reader.read_event().unwrap();
            if let Event::Start(element) = &event {
                names.push(String::from_utf8(element.name().as_ref().to_vec()).unwrap());
                for attribute in element.attributes() {
                    attribute.unwrap().unescape_value().unwrap();
                }
            }
            ends += usize::from(matches!(event, Event::End(_)));
            if event == Event::Eof {
                break;
            }
        }
        let case = ["testcase", "system-out", "testcase", "failure", "system-out"];
        assert_eq!(names, [&["testsuites", "testsuite"], &case[..]].concat());
        assert_eq!(ends, names.len(), "well-formed: {document}");
        assert!(!document.contains('\u{0}') && !document.contains('\u{1b}'), "{document}");
    }

    #[test]
    fn what_xml_cannot_say_is_replaced() {
        assert_eq!(allowed("a\u{0}b\u{1b}[31m\tü\u{ffff}"), "a\u{fffd}b\u{fffd}[31m\tü\u{fffd}");
    }
}
