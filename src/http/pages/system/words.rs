//! The texts of `/systeme`.

use crate::http::pages::words::words;

words! {
    Words;
    title: "Système", "System";
}
