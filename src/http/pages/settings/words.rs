//! The texts of `/reglages`.

use crate::http::pages::words::words;

words! {
    Words;
    title: "Réglages", "Settings";
}
