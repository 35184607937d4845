//! `/docs/errors`: what the `type` of a problem means. Browsers are given a page on which each
//! section has the anchor that `type` names; everybody else is given the text as it is kept.

use actix_web::http::header::{CONTENT_TYPE, VARY};
use actix_web::{HttpRequest, HttpResponse};

use crate::http::pages::{asks_for_page, asset};

const TEXT: &str = include_str!("../../../docs/errors.md");

/// What can go wrong, section by section.
pub(super) async fn show(request: HttpRequest) -> HttpResponse {
    let (kind, body) = match asks_for_page(&request) {
        true => ("text/html; charset=utf-8", page(TEXT)),
        false => ("text/markdown; charset=utf-8", TEXT.to_owned()),
    };
    HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).insert_header((VARY, "accept")).body(body)
}

fn page(text: &str) -> String {
    let (sheet, icon, body) = (asset("app.css"), asset("icon.svg"), body(text));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Errors · render-signal</title>\n\
         <link rel=\"stylesheet\" href=\"{sheet}\">\n\
         <link rel=\"icon\" href=\"{icon}\" type=\"image/svg+xml\"></head>\n\
         <body><main id=\"content\">\n{body}</main></body></html>\n"
    )
}

/// Headings, paragraphs and blocks of code: all that the text is made of.
fn body(text: &str) -> String {
    let mut html = String::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let (mut in_code, mut in_section) = (false, false);
    for line in text.lines() {
        if line.starts_with("```") {
            end(&mut paragraph, &mut html);
            html.push_str(if in_code { "</code></pre>\n" } else { "<pre class=\"code\"><code>" });
            in_code = !in_code;
        } else if in_code {
            html.push_str(&escaped(line));
            html.push('\n');
        } else if let Some(slug) = line.strip_prefix("## ") {
            end(&mut paragraph, &mut html);
            html.push_str(if in_section { "</section>\n" } else { "" });
            in_section = true;
            let slug = escaped(slug);
            html.push_str(&format!(
                "<section class=\"card\"><h2 id=\"{slug}\"><a href=\"#{slug}\">{slug}</a></h2>\n"
            ));
        } else if let Some(title) = line.strip_prefix("# ") {
            html.push_str(&format!("<h1>{}</h1>\n", escaped(title)));
        } else if line.is_empty() {
            end(&mut paragraph, &mut html);
        } else {
            paragraph.push(line);
        }
    }
    end(&mut paragraph, &mut html);
    html.push_str(if in_section { "</section>\n" } else { "" });
    html
}

fn end(paragraph: &mut Vec<&str>, html: &mut String) {
    if !paragraph.is_empty() {
        html.push_str(&format!("<p>{}</p>\n", inline(&paragraph.join("\n"))));
        paragraph.clear();
    }
}

/// `code` between backticks, and outside of it what is **strong**.
fn inline(text: &str) -> String {
    let strong = |text: &str| between(text, "**", "strong", str::to_owned);
    between(&escaped(text), "`", "code", strong)
}

/// Every second part between marks within an element, the others as `outside` makes them.
fn between(text: &str, mark: &str, element: &str, outside: impl Fn(&str) -> String) -> String {
    let part = |(place, part): (usize, &str)| match place % 2 {
        0 => outside(part),
        _ => format!("<{element}>{part}</{element}>"),
    };
    text.split(mark).enumerate().map(part).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, web};
    use render_signal_actors::poller::PollerStatus;

    use super::*;
    use crate::http::problem::ProblemKind;
    use crate::http::{routes, tests};

    /// What is answered to somebody who takes `accept`: its kind, and its text.
    async fn asked(path: &str, accept: &str) -> (String, String) {
        let state = tests::state(PollerStatus::default());
        let app = App::new().app_data(web::Data::new(state)).configure(routes::configure);
        let request = TestRequest::with_uri(path).insert_header(("accept", accept)).to_request();
        let answer = call_service(&init_service(app).await, request).await;
        assert_eq!(answer.status(), 200, "{path}");
        let kind = answer.headers().get(CONTENT_TYPE).unwrap().to_str().unwrap().to_owned();
        (kind, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn every_type_of_a_problem_leads_to_its_section() {
        for kind in ProblemKind::ALL {
            let uri = kind.uri();
            let (path, anchor) = uri.split_once('#').unwrap();
            let (said, page) = asked(path, "text/html,application/xhtml+xml").await;
            assert_eq!(said, "text/html; charset=utf-8");
            assert_eq!(page.matches(&format!(" id=\"{anchor}\"")).count(), 1, "{uri}");
            let section = page.split(&format!(" id=\"{anchor}\"")).nth(1).unwrap();
            let section = section.split("<h2").next().unwrap();
            let status = format!("<strong>{}</strong>", kind.status().as_u16());
            assert!(section.contains(&status), "{uri} leads to {section}");
        }
    }

    #[actix_web::test]
    async fn whoever_takes_no_page_is_given_the_text() {
        for accept in ["*/*", "application/json"] {
            let (kind, text) = asked("/docs/errors", accept).await;
            assert_eq!((kind.as_str(), text.as_str()), ("text/markdown; charset=utf-8", TEXT));
        }
    }

    #[test]
    fn a_text_becomes_a_page_in_which_nothing_is_markup_but_its_own() {
        let text = "# A & b\n\nOne `<x>` **two**,\nthree\n\n## first\n\n## kind-of\n**400** a\n```json\n{\"a\": **b**}\n```\n";
        let html = "<h1>A &amp; b</h1>\n<p>One <code>&lt;x&gt;</code> <strong>two</strong>,\nthree</p>\n\
            <section class=\"card\"><h2 id=\"first\"><a href=\"#first\">first</a></h2>\n</section>\n\
            <section class=\"card\"><h2 id=\"kind-of\"><a href=\"#kind-of\">kind-of</a></h2>\n\
            <p><strong>400</strong> a</p>\n\
            <pre class=\"code\"><code>{&quot;a&quot;: **b**}\n</code></pre>\n</section>\n";
        assert_eq!(body(text), html);
    }
}
