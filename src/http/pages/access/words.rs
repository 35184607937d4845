//! The texts of `/acces`.

use crate::http::pages::words::words;

words! {
    Words;
    title: "Accès", "Access";
}
