//! The dashboard: pages for people. Each is made on the server from what the API answers, too;
//! links and forms work without a script, scripts make them convenient.
//!
//! | folder or file | what |
//! |---|---|
//! | [`frame`] | what stands around every page |
//! | [`parts`] | components that pages share; `/design` shows them |
//! | [`visit`] | a request for a page, and the answer to it |
//! | [`login`], [`refused`] | pages for anybody |
//! | [`overview`], [`mails`] and a [`mail`], [`rules`], [`settings`], [`system`], [`access`] | a section each |
//! | [`charts`] | charts as SVG |
//! | [`documents`] | how pages edit the configuration documents |
//! | [`names`] | what events, people, documents and stores are called |
//! | [`form`], [`notice`], [`preferences`], [`look`], [`clock`], [`words`] | forms, what is said after them, language, theme, times, texts |
//! | [`assets`] | the files of `static/` |
//!
//! A page is a folder: the struct that its template is filled from, its texts (`words.rs`), and its
//! templates, which askama compiles and in which everything is escaped. A handler fills one
//! struct of `/api/v1`, so a page and the API cannot say different things.

mod access;
mod assets;
mod charts;
mod clock;
mod cookies;
mod design;
mod documents;
mod form;
mod frame;
mod login;
mod look;
mod mail;
mod mails;
mod names;
mod notice;
mod overview;
mod parts;
mod preferences;
mod refused;
mod rules;
mod settings;
mod system;
mod visit;
mod words;

use actix_web::web::to;

use super::problem::RefusalFormat;
use super::routes::{Route, RouteAccess, Takes};
pub(in crate::http) use assets::asset;
pub(in crate::http) use look::language;
pub(in crate::http) use refused::{asks_for_page, expired, is_late_form, refusal, wants_page};

/// The addresses of this room.
pub(in crate::http) fn routes() -> Vec<Route> {
    let files = vec![
        Route::get("/static/{hash}/{name}", RouteAccess::Stranger, || to(assets::file)),
        Route::get("/manifest.webmanifest", RouteAccess::Stranger, || to(assets::manifest)),
        Route::get("/favicon.ico", RouteAccess::Stranger, || to(assets::favicon)),
    ];
    let pages = [
        vec![
            Route::post("/preferences", RouteAccess::Stranger, || to(preferences::choose)).takes(Takes::Form),
        ],
        login::routes(),
        overview::routes(),
        mails::routes(),
        mail::routes(),
        rules::routes(),
        settings::routes(),
        documents::routes(),
        system::routes(),
        access::routes(),
        design::routes(),
    ];
    let pages = pages.concat().into_iter().map(|route| route.format(RefusalFormat::Page));
    files.into_iter().chain(pages).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Every template of the room.
    fn templates(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                templates(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "html") {
                found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }

    #[test]
    fn no_template_lets_anything_through_unescaped_or_has_a_style_or_a_script_of_its_own() {
        let mut found = Vec::new();
        templates(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/pages"), &mut found);
        assert!(found.len() > 5, "{found:?}");
        for (name, text) in found {
            for forbidden in
                ["|safe", "| safe", "escape none", "style=", "<style", "onclick", "onload", "javascript:"]
            {
                assert!(!text.contains(forbidden), "{name} has {forbidden}");
            }
            for script in text.split("<script").skip(1) {
                assert!(script.starts_with(" type=\"module\" src="), "{name} has a script of its own");
            }
        }
    }
}
