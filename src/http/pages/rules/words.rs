//! The texts of `/regles`.

use crate::http::pages::words::words;

words! {
    Words;
    title: "Règles", "Rules";
}
