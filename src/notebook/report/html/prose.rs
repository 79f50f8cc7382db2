//! Markdown as HTML.

use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::plain::printable;

/// Markdown as HTML; markup inside it stays text, images are left out, and links lead only to the web or within the page.
pub fn prose(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let clean = printable(text);
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, Parser::new_ext(&clean, options).map(harmless));
    out
}

fn harmless(mut event: Event) -> Event {
    match &mut event {
        Event::Start(Tag::Link { dest_url, .. }) => {
            let safe = ["https://", "http://", "#"];
            if !safe.iter().any(|start| dest_url.starts_with(start)) {
                *dest_url = "#".into();
            }
        }
        Event::Start(Tag::Image { dest_url, .. }) => *dest_url = "data:,".into(),
        _ => {}
    }
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        other => other,
    }
}
