//! The texts of the overview.

use crate::http::pages::words::words;

words! {
    Words;
    title: "Vue d'ensemble", "Overview";
}
