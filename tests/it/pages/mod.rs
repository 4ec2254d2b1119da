//! The pages of docs/ that are scripts, command by command: each is run against the real binary, and prints what the page says.

mod reader;
mod steps;

use anyhow::Result;
use hookway_tests::receiver::{Answer, Receiver};

use self::reader::{Page, follow};

#[tokio::test]
async fn every_command_of_the_guide_does_what_the_page_says() -> Result<()> {
    let receiver = Receiver::start().await?;
    receiver.script("/broken", [Answer::status(500)]);
    let text = include_str!("../../../docs/guide.md");
    follow(&Page { name: "docs/guide.md", text, plugins: &[] }, &receiver).await?;
    assert_eq!(receiver.requests("/repaired").len(), 1, "what was held for the failed endpoint");
    Ok(())
}

#[tokio::test]
async fn every_command_of_the_page_about_the_log_does_what_it_says() -> Result<()> {
    let receiver = Receiver::start().await?;
    // As the `hookway listen` of the page.
    receiver.script("/webhooks", [200, 200, 201, 500, 200].map(Answer::status));
    let text = include_str!("../../../docs/log.md");
    follow(&Page { name: "docs/log.md", text, plugins: &[] }, &receiver).await
}

#[tokio::test]
async fn every_recipe_for_plugins_does_what_it_says() -> Result<()> {
    let receiver = Receiver::start().await?;
    let page = Page {
        name: "docs/plugins/recipes.md",
        text: include_str!("../../../docs/plugins/recipes.md"),
        plugins: &["cel-filter", "cloudevents", "jq-transform", "json-patch", "redact"],
    };
    follow(&page, &receiver).await
}
