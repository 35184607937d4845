//! The texts of `/mails`.

use crate::http::pages::words::words;

words! {
    Words;
    title: "Mails", "Mails";
}
