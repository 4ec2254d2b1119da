//! One operation: what it does on the left, how that looks on the right.

use serde_json::Value;

use super::html::Html;
use super::{fields, list, resolved, schema, word};

const PROBLEM: &str = "application/problem+json";
/// Where a gateway listens unless it is told otherwise.
const BASE: &str = "http://127.0.0.1:7400";

/// An operation and where it stands.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) path: &'a str,
    pub(super) method: &'a str,
    pub(super) operation: &'a Value,
}

impl Shown<'_> {
    /// Names it in a link.
    pub(super) fn id(&self) -> &str {
        word(&self.operation["operationId"])
    }

    /// The method as a badge.
    pub(super) fn method(&self, html: &mut Html) {
        html.raw("<b class=\"method ")
            .text(self.method)
            .raw("\">")
            .text(&self.method.to_uppercase())
            .raw("</b>");
    }

    /// All of it.
    pub(super) fn render(&self, html: &mut Html, document: &Value) {
        html.raw("<article id=\"").text(self.id()).raw("\"><div class=\"says\"><h3>");
        html.text(word(&self.operation["summary"])).raw("</h3><p class=\"route\">");
        self.method(html);
        html.raw(" ").code(self.path).raw("</p>").paragraphs(word(&self.operation["description"]));
        self.keys(html);
        self.parameters(html, document);
        self.body(html, document);
        self.answers(html, document);
        self.errors(html, document);
        html.raw("</div><div class=\"shows\">");
        self.request(html);
        self.examples(html);
        html.raw("</div></article>");
    }

    fn keys(&self, html: &mut Html) {
        let scopes: Vec<_> =
            list(&self.operation["security"]).flat_map(|one| list(&one["api_key"])).collect();
        if scopes.is_empty() {
            html.raw("<p class=\"keys\">No key is needed.</p>");
            return;
        }
        html.raw("<p class=\"keys\">Opened by a key with ");
        for (index, scope) in scopes.iter().enumerate() {
            html.raw(if index == 0 { "" } else { " or " }).code(word(scope));
        }
        html.raw("</p>");
    }

    fn parameters(&self, html: &mut Html, document: &Value) {
        for (place, title) in
            [("path", "<h4>Path</h4>"), ("query", "<h4>Query</h4>"), ("header", "<h4>Headers</h4>")]
        {
            let all: Vec<_> = list(&self.operation["parameters"]).filter(|one| one["in"] == place).collect();
            if all.is_empty() {
                continue;
            }
            html.raw(title).raw("<dl class=\"fields\">");
            for one in all {
                html.raw("<dt>").code(word(&one["name"])).raw(" ");
                schema::kind(html, document, &one["schema"]);
                html.raw("</dt><dd>").prose(word(&one["description"])).raw("</dd>");
            }
            html.raw("</dl>");
        }
    }

    fn body(&self, html: &mut Html, document: &Value) {
        let body = &self.operation["requestBody"];
        for (index, (media, content)) in self.bodies().into_iter().enumerate() {
            html.raw(if index == 0 { "<h4>Body</h4>" } else { "" });
            html.raw("<p class=\"media\">").code(media);
            html.raw(if body["required"] == false { " may be left out</p>" } else { "</p>" });
            schema::render(html, document, &content["schema"]);
        }
    }

    /// The forms of its body, the usual one first.
    fn bodies(&self) -> Vec<(&String, &Value)> {
        let mut all: Vec<_> = fields(&self.operation["requestBody"]["content"]).collect();
        all.sort_by_key(|(media, _)| *media != "application/json");
        all
    }

    fn answers(&self, html: &mut Html, document: &Value) {
        html.raw("<h4>Answer</h4>");
        for (status, answer) in fields(&self.operation["responses"]).filter(|(_, answer)| !is_problem(answer))
        {
            html.raw("<details><summary><b class=\"status\">").text(status).raw("</b> ");
            html.prose(word(&answer["description"])).raw("</summary>");
            for (name, header) in fields(&answer["headers"]) {
                html.raw("<p class=\"media\">")
                    .code(name)
                    .raw(": ")
                    .prose(word(&header["description"]))
                    .raw("</p>");
            }
            for (media, content) in fields(&answer["content"]) {
                html.raw("<p class=\"media\">").code(media).raw("</p>");
                schema::render(html, document, &content["schema"]);
            }
            html.raw("</details>");
        }
    }

    fn errors(&self, html: &mut Html, document: &Value) {
        html.raw("<details><summary>Errors</summary><table>");
        for (status, answer) in fields(&self.operation["responses"]).filter(|(_, answer)| is_problem(answer))
        {
            for (code, example) in fields(&answer["content"][PROBLEM]["examples"]) {
                let when = word(&resolved(document, example)["summary"]);
                html.raw("<tr><td><b class=\"status\">").text(status).raw("</b></td><td>").code(code);
                html.raw("</td><td>").prose(when).raw("</td></tr>");
            }
        }
        html.raw("</table></details>");
    }

    fn request(&self, html: &mut Html) {
        let body = self.bodies().into_iter().next();
        let mut command = format!("curl {BASE}{}", self.path);
        if !matches!((self.method, body), ("get", _) | ("post", Some(_))) {
            command = format!("curl -X {} {BASE}{}", self.method.to_uppercase(), self.path);
        }
        if list(&self.operation["security"]).next().is_some() {
            command.push_str(" \\\n  -H \"Authorization: Bearer $HOOKWAY_KEY\"");
        }
        if let Some((media, content)) = body {
            let example = fields(&content["examples"]).next().map(|(_, example)| &example["value"]);
            let text = example.map(shown).unwrap_or_default().replace('\'', r"'\''");
            command.push_str(&format!(" \\\n  -H 'content-type: {media}' \\\n  -d '{text}'"));
        }
        html.block(&command);
    }

    fn examples(&self, html: &mut Html) {
        for (status, answer) in fields(&self.operation["responses"]).filter(|(_, answer)| !is_problem(answer))
        {
            for (media, content) in fields(&answer["content"]).filter(|(media, _)| media.contains("json")) {
                for (_, example) in fields(&content["examples"]) {
                    html.raw("<p class=\"caption\">").text(status).raw(" ").text(media).raw("</p>");
                    html.block(&shown(&example["value"]));
                }
            }
        }
    }
}

fn is_problem(answer: &Value) -> bool {
    answer["content"][PROBLEM].is_object()
}

/// An example over as many lines as it needs; a text as it stands.
fn shown(example: &Value) -> String {
    example.as_str().map_or_else(|| format!("{example:#}"), str::to_owned)
}
